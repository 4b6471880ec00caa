"""Schedulers: which server a new connection goes to. Pure: counts and hashes go in, a server comes out.

Named and weighted as IPVS has them. A `Picker` is made anew whenever the servers or their weights change.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import cycle
from typing import NamedTuple, Protocol

MAGLEV = 4099
"""Slots of the Maglev table, a prime; IPVS takes such tables for some dozens of servers."""


class Server(NamedTuple):
    """A server that may be chosen: its key (address, port) and its weight (above 0)."""

    key: tuple[str, int]
    weight: int


Count = Callable[[tuple[str, int]], int]
"""Open connections of a server."""

Fits = Callable[[tuple[str, int]], bool]
"""Whether a server may take one more: it is not overloaded, and it was not tried in vain."""


class Picker(Protocol):
    """Chooses a server."""

    def pick(self, client: bytes, count: Count, fits: Fits) -> tuple[str, int] | None:
        """The key of a server that ``fits``, for the ``client`` (its address, for schedulers that hash)."""


class RoundRobin:
    """rr, and wrr by smooth weighting: each server gets its exact share, spread as evenly as it goes."""

    def __init__(self, servers: Sequence[Server], weighted: bool) -> None:
        self._servers = [(s.key, s.weight if weighted else 1) for s in servers]
        self._credit = {key: 0 for key, _ in self._servers}
        self._plain = cycle([key for key, _ in self._servers]) if not weighted else None

    def pick(self, client: bytes, count: Count, fits: Fits) -> tuple[str, int] | None:
        """The server that has waited longest for its share."""
        if self._plain is not None:
            return next((key for _, key in zip(self._servers, self._plain, strict=False) if fits(key)), None)
        open_to = [(key, weight) for key, weight in self._servers if fits(key)]
        if not open_to:
            return None
        for key, weight in open_to:
            self._credit[key] += weight
        best = max(open_to, key=lambda pair: self._credit[pair[0]])[0]
        self._credit[best] -= sum(weight for _, weight in open_to)
        return best


class Least:
    """The server with the least cost of one more connection, the first of equals."""

    def __init__(self, servers: Sequence[Server], cost: Callable[[int, int], float]) -> None:
        self._servers = servers
        self._cost = cost

    def pick(self, client: bytes, count: Count, fits: Fits) -> tuple[str, int] | None:
        """Cost by open connections and weight."""
        open_to = [server for server in self._servers if fits(server.key)]
        if not open_to:
            return None
        return min(open_to, key=lambda server: self._cost(count(server.key), server.weight)).key


class Hashed:
    """The client's place in a table of slots; with ``fallback`` a server that does not fit passes it on."""

    def __init__(self, table: Sequence[tuple[str, int]], fallback: bool) -> None:
        self._table = table
        self._fallback = fallback

    def pick(self, client: bytes, count: Count, fits: Fits) -> tuple[str, int] | None:
        """The same client comes to the same server while the servers stay the same."""
        if not self._table:
            return None
        start = _hash(client) % len(self._table)
        if fits(self._table[start]):
            return self._table[start]
        if not self._fallback:
            return None
        turned = (*self._table[start:], *self._table[:start])
        return next((key for key in turned if fits(key)), None)


class Overflow:
    """fo: all to the heaviest server; ovf: to the heaviest that has fewer connections than its weight."""

    def __init__(self, servers: Sequence[Server], spill: bool) -> None:
        self._servers = sorted(servers, key=lambda server: -server.weight)
        self._spill = spill

    def pick(self, client: bytes, count: Count, fits: Fits) -> tuple[str, int] | None:
        """The heaviest that qualifies."""
        return next((s.key for s in self._servers if fits(s.key) and not self._is_full(s, count)), None)

    def _is_full(self, server: Server, count: Count) -> bool:
        return self._spill and count(server.key) >= server.weight


SCHEDULERS: dict[str, Callable[[Sequence[Server], bool], Picker]] = {
    "rr": lambda servers, fallback: RoundRobin(servers, weighted=False),
    "wrr": lambda servers, fallback: RoundRobin(servers, weighted=True),
    "lc": lambda servers, fallback: Least(servers, lambda open_now, weight: open_now),
    "wlc": lambda servers, fallback: Least(servers, lambda open_now, weight: open_now / weight),
    "sed": lambda servers, fallback: Least(servers, lambda open_now, weight: (open_now + 1) / weight),
    "nq": lambda servers, fallback: Least(servers, lambda busy, weight: (busy + 1) / weight if busy else -1),
    "sh": lambda servers, fallback: Hashed(weighted_slots(servers), fallback),
    "mh": lambda servers, fallback: Hashed(maglev(servers), fallback),
    "fo": lambda servers, fallback: Overflow(servers, spill=False),
    "ovf": lambda servers, fallback: Overflow(servers, spill=True),
}
"""By IPVS's names. Those that only make sense on a router (dh, lblc, lblcr) and twos are not here."""


def weighted_slots(servers: Sequence[Server]) -> tuple[tuple[str, int], ...]:
    """256 slots shared out by weight, in turns, as source hashing has them."""
    turns = RoundRobin(servers, weighted=True)
    keys = (turns.pick(b"", lambda key: 0, lambda key: True) for _ in range(256))
    return tuple(key for key in keys if key is not None)


def maglev(servers: Sequence[Server]) -> tuple[tuple[str, int], ...]:
    """A Maglev table: each server fills the slots of its own permutation in turn, as often as its weight says.

    When one server goes, the slots of the others hardly change (Eisenbud and others, NSDI 2016).
    """
    table: list[tuple[str, int] | None] = [None] * MAGLEV
    heaviest = max((server.weight for server in servers), default=1)
    servers = [Server(key, max(1, round(weight * 64 / heaviest))) for key, weight in servers]
    walks = {server.key: _permutation(server.key) for server in servers}
    left = MAGLEV if servers else 0
    while left:
        for server in servers:
            for _ in range(min(server.weight, left)):
                table[next(slot for slot in walks[server.key] if table[slot] is None)] = server.key
                left -= 1
    return tuple(key for key in table if key is not None)


def _permutation(key: tuple[str, int]) -> Iterator[int]:
    text = f"{key[0]} {key[1]}".encode()
    offset, skip = _hash(b"offset" + text) % MAGLEV, _hash(b"skip" + text) % (MAGLEV - 1) + 1
    return ((offset + turn * skip) % MAGLEV for turn in range(MAGLEV))


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest())
