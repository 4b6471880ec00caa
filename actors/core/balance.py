"""Schedulers: which server a new connection goes to. Pure: counts and hashes go in, a server comes out.

Named and weighted as IPVS has them. A `Picker` lives as long as its service has the scheduler; what changes are its
servers, and turns go on from where they were.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from heapq import heapreplace
from typing import NamedTuple, Protocol

Key = tuple[str, int]
"""A server: address and port."""

MAGLEV = 4099
"""Slots of the Maglev table, a prime; IPVS takes such tables for some dozens of servers."""
SLOTS = 256
"""Slots of source hashing, as IPVS has them."""


class Server(NamedTuple):
    """A server that may be chosen: its key and its weight (above 0)."""

    key: Key
    weight: int


class Picker(Protocol):
    """Chooses a server. ``hashes``: the choice depends on the client, otherwise that may be left empty."""

    hashes: bool

    def update(self, servers: Sequence[Server]) -> None:
        """Choose among these from now on; each key comes once."""

    def pick(self, client: bytes, counts: Mapping[Key, int], barred: AbstractSet[Key]) -> Key | None:
        """A server for the ``client``, none of the ``barred``, by the open connections of each (absent: 0)."""


class Turns:
    """rr: one after the other."""

    hashes = False

    def __init__(self) -> None:
        self._queue: deque[Key] = deque()

    def update(self, servers: Sequence[Server]) -> None:
        """Those who wait keep their places, new ones come last."""
        keys = {server.key: None for server in servers}
        waiting = [key for key in self._queue if key in keys]
        self._queue = deque(dict.fromkeys((*waiting, *keys)))

    def pick(self, client: bytes, counts: Mapping[Key, int], barred: AbstractSet[Key]) -> Key | None:
        """The server that was asked longest ago."""
        for _ in range(len(self._queue)):
            self._queue.rotate(-1)
            if self._queue[-1] not in barred:
                return self._queue[-1]
        return None


class Shares:
    """wrr by smooth weighting: each server gets its exact share, spread as evenly as it goes."""

    hashes = False

    def __init__(self) -> None:
        self._weights: dict[Key, int] = {}
        self._credit: dict[Key, int] = {}

    def update(self, servers: Sequence[Server]) -> None:
        """Credits go on, in the proportion of the new weights: frequent changes favour nobody."""
        before, self._weights = sum(self._weights.values()) or 1, dict(servers)
        after = sum(self._weights.values())
        self._credit = {key: self._credit.get(key, 0) * after // before for key in self._weights}

    def pick(self, client: bytes, counts: Mapping[Key, int], barred: AbstractSet[Key]) -> Key | None:
        """The server that has waited longest for its share."""
        weights, credit = self._weights, self._credit
        if barred:
            weights = {key: weight for key, weight in weights.items() if key not in barred}
        if not weights:
            return None
        for key, weight in weights.items():
            credit[key] += weight
        best = max(weights, key=credit.__getitem__)
        credit[best] -= sum(weights.values())
        return best


class Least:
    """The server with the least cost of one more connection.

    Among equals it is the one that has served least by the same measure, then the one that was chosen longest ago:
    otherwise an idle service would send every client to its first server, and weights would count for nothing.
    """

    hashes = False

    def __init__(self, cost: Callable[[int, int], float]) -> None:
        self._cost = cost
        self._weights: dict[Key, int] = {}
        self._served: dict[Key, int] = {}

    def update(self, servers: Sequence[Server]) -> None:
        """What was served is forgotten: a newcomer must not be flooded to catch up. The order stays."""
        weights = dict(servers)
        order = (*(key for key in self._weights if key in weights), *weights)
        self._weights = {key: weights[key] for key in order}
        self._served = dict.fromkeys(weights, 0)

    def pick(self, client: bytes, counts: Mapping[Key, int], barred: AbstractSet[Key]) -> Key | None:
        """Cost by open connections and weight."""
        weights, served, cost = self._weights, self._served, self._cost
        costs = {key: cost(counts.get(key, 0), weight) for key, weight in weights.items() if key not in barred}
        if not costs:
            return None
        least = min(costs.values())
        equals = [key for key, its in costs.items() if its == least]
        best = min(equals, key=lambda key: cost(served[key], weights[key])) if len(equals) > 1 else equals[0]
        served[best] += 1
        weights[best] = weights.pop(best)
        return best


class Hashed:
    """The client's place in a table of slots; a server that is barred passes it on to the next in the table."""

    hashes = True

    def __init__(self, fill: Callable[[Sequence[Server]], tuple[Key, ...]]) -> None:
        self._fill = fill
        self._table: tuple[Key, ...] = ()

    def update(self, servers: Sequence[Server]) -> None:
        """Fill the table. It depends on the servers alone, not on their order: two machines agree."""
        self._table = self._fill(sorted(servers))

    def pick(self, client: bytes, counts: Mapping[Key, int], barred: AbstractSet[Key]) -> Key | None:
        """The same client comes to the same server while the servers stay the same."""
        if not self._table:
            return None
        start = _hash(client) % len(self._table)
        if self._table[start] not in barred:
            return self._table[start]
        turned = (*self._table[start:], *self._table[:start])
        return next((key for key in turned if key not in barred), None)


class Overflow:
    """fo: all to the heaviest server; ovf (``spill``): to the heaviest that has fewer connections than its weight."""

    hashes = False

    def __init__(self, spill: bool) -> None:
        self._spill = spill
        self._servers: Sequence[Server] = ()

    def update(self, servers: Sequence[Server]) -> None:
        """Order them by weight; of equals the first comes first."""
        self._servers = sorted(servers, key=lambda server: -server.weight)

    def pick(self, client: bytes, counts: Mapping[Key, int], barred: AbstractSet[Key]) -> Key | None:
        """The heaviest that qualifies."""
        for key, weight in self._servers:
            if key not in barred and not (self._spill and counts.get(key, 0) >= weight):
                return key
        return None


SCHEDULERS: dict[str, Callable[[], Picker]] = {
    "rr": lambda: Turns(),
    "wrr": lambda: Shares(),
    "lc": lambda: Least(lambda connections, weight: connections),
    "wlc": lambda: Least(lambda connections, weight: connections / weight),
    "sed": lambda: Least(lambda connections, weight: (connections + 1) / weight),
    "nq": lambda: Least(lambda connections, weight: (connections + 1) / weight if connections else -1),
    "sh": lambda: Hashed(weighted_slots),
    "mh": lambda: Hashed(maglev),
    "fo": lambda: Overflow(spill=False),
    "ovf": lambda: Overflow(spill=True),
}
"""Made by IPVS's names. Those that only make sense on a router (dh, lblc, lblcr) and twos are not here."""


def weighted_slots(servers: Sequence[Server]) -> tuple[Key, ...]:
    """256 slots shared out by weight, in turns, as source hashing has them."""
    return tuple(servers[number].key for number in _in_turn(servers, SLOTS))


def maglev(servers: Sequence[Server]) -> tuple[Key, ...]:
    """A Maglev table: each server fills the slots of its own permutation in turn, as often as its weight says.

    When one server goes, the slots of the others hardly change (Eisenbud and others, NSDI 2016).
    """
    table: list[Key | None] = [None] * MAGLEV
    walks = [list(_permutation(server.key)) for server in servers]
    for number in _in_turn(servers, MAGLEV):
        table[_free(walks[number], table)] = servers[number].key
    return tuple(key for key in table if key is not None)


def _in_turn(servers: Sequence[Server], slots: int) -> Iterator[int]:
    """Whose turn it is, by number, for so many slots. Each has one at least: it may have to stand in for the others."""
    if not servers:
        return
    turns = [(0.0, number) for number in range(len(servers))]
    for _ in range(slots):
        due, number = turns[0]
        heapreplace(turns, (due + 1 / servers[number].weight, number))
        yield number


def _free(walk: list[int], table: Sequence[Key | None]) -> int:
    """The next slot of a walk that nobody has taken: offset and stride are in it, and where it stands."""
    slot, stride = walk
    while table[slot] is not None:
        slot = (slot + stride) % MAGLEV
    walk[0] = slot
    return slot


def _permutation(key: Key) -> tuple[int, int]:
    text = f"{key[0]} {key[1]}".encode()
    return _hash(b"offset" + text) % MAGLEV, _hash(b"skip" + text) % (MAGLEV - 1) + 1


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest())
