"""Schedulers: which server a new connection goes to. Pure: counts and hashes go in, a server comes out.

Named and weighted as IPVS has them. A `Picker` is made anew whenever the servers or their weights change.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import cycle, islice
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
    """The server with the least cost of one more connection.

    Among equals the one that has had the least, by the same cost: where connections are short, most are idle, and the
    first would get them all. (IPVS remembers closed connections for a while, to the same effect.)
    """

    def __init__(self, servers: Sequence[Server], cost: Callable[[int, int], float]) -> None:
        self._servers = servers
        self._cost = cost
        self._had = {server.key: 0 for server in servers}

    def pick(self, client: bytes, count: Count, fits: Fits) -> tuple[str, int] | None:
        """Cost by open connections and weight."""
        cost, had = self._cost, self._had
        least = min(
            ((cost(count(key), weight), cost(had[key], weight), turn) for turn, (key, weight) in self._open_to(fits)),
            default=None,
        )
        if least is None:
            return None
        key = self._servers[least[2]].key
        had[key] += 1
        return key

    def _open_to(self, fits: Fits) -> Iterator[tuple[int, Server]]:
        return ((turn, server) for turn, server in enumerate(self._servers) if fits(server.key))


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
    """A Maglev table: each server in its turn takes the next free slot of its own permutation.

    When one server goes, the slots of the others hardly change, and their order in the configuration changes nothing
    (Eisenbud and others, NSDI 2016).
    """
    table: list[tuple[str, int] | None] = [None] * MAGLEV
    free = bytearray(b"\1" * MAGLEV)
    walks = {server.key: _permutation(server.key) for server in servers}
    for key in islice(cycle(_turns(sorted(servers))), MAGLEV):
        slot = next(slot for slot in walks[key] if free[slot])
        table[slot], free[slot] = key, 0
    return tuple(key for key in table if key is not None)


def _turns(servers: Sequence[Server]) -> list[tuple[str, int]]:
    """Each server as often as its share of the slots, at least once, the turns of each spread evenly."""
    total = sum(server.weight for server in servers)
    shares = [(server.key, max(1, round(MAGLEV * server.weight / total))) for server in servers]
    return [key for _, key in sorted(((turn + 0.5) / share, key) for key, share in shares for turn in range(share))]


def _permutation(key: tuple[str, int]) -> Iterator[int]:
    """All the slots in an order of the server's own: the number of slots is a prime."""
    text = f"{key[0]} {key[1]}".encode()
    offset, skip = _hash(b"offset" + text) % MAGLEV, _hash(b"skip" + text) % (MAGLEV - 1) + 1
    return ((offset + turn * skip) % MAGLEV for turn in range(MAGLEV))


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest())
