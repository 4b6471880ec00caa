"""Telling the neighbours who has an address: how often, and which announcement goes out when. Pure: time is given."""

import heapq
import math
from itertools import count

import msgspec


class Announcing(msgspec.Struct, frozen=True):
    """How neighbours are told of a router's addresses; keepalived's ``garp_*`` and ``gna_*``. Times are in seconds.

    ``repeat`` times on taking over and again ``delay`` later (0: not again), then ``refresh_repeat`` times every
    ``refresh`` (0: never). ``lower_repeat`` times when a router of lower priority claims the addresses too, and again
    ``lower_delay`` later. Between two announcements on an interface lies the gap of their family.
    """

    repeat: int = 5
    delay: float = 5.0
    refresh: float = 0.0
    refresh_repeat: int = 1
    lower_repeat: int = 5
    lower_delay: float = 5.0
    arp_gap: float = 0.0
    na_gap: float = 0.0


class Call(msgspec.Struct):
    """Addresses that somebody has announced, and how far it has come."""

    source: str
    addresses: tuple[str, ...]
    gap: float
    rounds: int
    place: int = 0


class Pacer:
    """The announcements that wait for one interface in one family, of all who ask for some.

    Each address is announced once before any of them is repeated, whoever asked first: a neighbour needs one.
    """

    def __init__(self) -> None:
        self._calls: dict[tuple[str, tuple[str, ...]], Call] = {}
        self._heap: list[tuple[int, int, Call]] = []
        self._order = count()
        self._last = -math.inf

    def put(self, source: str, addresses: tuple[str, ...], repeat: int, gap: float) -> None:
        """Have each announced ``repeat`` times. What waits of the same is not begun anew, nor does it add up."""
        call = self._calls.get((source, addresses))
        if call is not None:
            call.rounds = max(call.rounds, repeat)
        elif addresses and repeat > 0:
            call = self._calls[source, addresses] = Call(source, addresses, gap, repeat)
            heapq.heappush(self._heap, (0, next(self._order), call))

    def drop(self, source: str) -> None:
        """Let what ``source`` has asked for be."""
        self._calls = {key: call for key, call in self._calls.items() if call.source != source}
        self._heap = [entry for entry in self._heap if entry[2].source != source]
        heapq.heapify(self._heap)

    def take(self, now: float, most: int) -> list[tuple[str, str]]:
        """What may go out now, in order: who asked, and the address. ``most`` at a time."""
        taken: list[tuple[str, str]] = []
        while len(taken) < most and self.wake() <= now:
            turn, order, call = self._heap[0]
            taken.append((call.source, call.addresses[call.place]))
            self._last = now
            call.place += 1
            if call.place == len(call.addresses):
                self._next_round(turn + 1, order, call)
        return taken

    def wake(self) -> float:
        """When the next one may go out; infinity when none waits."""
        return self._last + self._heap[0][2].gap if self._heap else math.inf

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(call.rounds * len(call.addresses) - call.place for call in self._calls.values())

    def _next_round(self, turn: int, order: int, call: Call) -> None:
        call.place = 0
        call.rounds -= 1
        if call.rounds:
            heapq.heapreplace(self._heap, (turn, order, call))
        else:
            heapq.heappop(self._heap)
            del self._calls[call.source, call.addresses]
