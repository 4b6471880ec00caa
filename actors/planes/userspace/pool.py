"""A service's destinations in use: who may take a connection, who has how many, and which client sticks where."""

import socket
from collections.abc import Callable

import structlog

from actors.core.balance import SCHEDULERS, Picker, Server
from actors.core.table import Destination, Service, longest_prefix

STICKY = 65536
"""Clients remembered for persistence, at most; beyond, the one that came longest ago is forgotten."""

SUBSTITUTES = {"dh": "sh", "lblc": "wlc", "lblcr": "wlc", "twos": "wlc"}
"""Schedulers that only make sense on a router, and what serves in their place."""

Key = tuple[str, int]
Client = tuple[str, int]
log = structlog.get_logger()


class LivePool:
    """Chooses destinations for clients. ``now`` gives seconds of a steady clock."""

    def __init__(self, service: Service, now: Callable[[], float]) -> None:
        self._now = now
        self._sticky: dict[int, tuple[Key, float]] = {}
        self._overloaded: set[Key] = set()
        self._pickers: dict[bool, Picker] = {}
        self.destinations: dict[Key, Destination] = {}
        self.open: dict[Key, int] = {}
        self.edit(service)

    def edit(self, service: Service) -> None:
        """Take over a service's attributes."""
        if service.scheduler in SUBSTITUTES:
            log.warning("scheduler replaced", scheduler=service.scheduler, by=SUBSTITUTES[service.scheduler])
        self.service = service
        self._scheduler = SUBSTITUTES.get(service.scheduler, service.scheduler)
        self._hashes_port = bool({"sh-port", "mh-port", "flag-2"} & set(service.flags))
        self._falls_back = bool({"sh-fallback", "mh-fallback", "flag-1"} & set(service.flags))
        self._pickers.clear()

    def put(self, destination: Destination) -> None:
        """Add or change a destination."""
        key = destination.key
        self.destinations[key] = destination
        self.open.setdefault(key, 0)
        self._overloaded.discard(key)
        self._judge_load(key)
        self._pickers.clear()

    def drop(self, key: Key) -> None:
        """Remove a destination; its connections are counted on until they are closed."""
        del self.destinations[key]
        self._overloaded.discard(key)
        self._forget_idle(key)
        self._pickers.clear()

    def choose(self, client: Client, tried: frozenset[Key] = frozenset()) -> Destination | None:
        """The destination for one more connection of ``client``, none of those ``tried``; it is not counted yet."""
        group = self._group(client[0]) if self.service.persistence_timeout else None
        key = None if group is None else self._stuck(group, tried)
        if key is None:
            # A server that hashing points to and that refuses is made good by the next: only overload has to wait.
            picker = self._picker(self._falls_back or bool(tried))
            key = picker.pick(self._name(client), self._count, self._fits(tried))
        if key is None:
            return None
        if group is not None:
            self._stick(group, key)
        return self.destinations[key]

    def opened(self, key: Key) -> None:
        """Count one more connection."""
        self.open[key] = self.open.get(key, 0) + 1
        self._judge_load(key)

    def closed(self, key: Key) -> None:
        """Count one connection less. Overload ends below the lower threshold, or without one below 3/4 of the upper."""
        self.open[key] -= 1
        destination = self.destinations.get(key)
        if destination is None:
            self._forget_idle(key)
        elif self.open[key] < (destination.lower or destination.upper * 3 / 4):
            self._overloaded.discard(key)

    def _judge_load(self, key: Key) -> None:
        destination = self.destinations.get(key)
        if destination is not None and destination.upper and self.open[key] >= destination.upper:
            self._overloaded.add(key)

    def _forget_idle(self, key: Key) -> None:
        if not self.open[key]:
            del self.open[key]

    def _picker(self, fallback: bool) -> Picker:
        """Made when it is first needed, so that a hundred edits in a row cost one table."""
        if fallback not in self._pickers:
            serving = [Server(d.key, d.weight) for d in self.destinations.values() if d.weight > 0]
            self._pickers[fallback] = SCHEDULERS[self._scheduler](serving, fallback)
        return self._pickers[fallback]

    def _count(self, key: Key) -> int:
        return self.open.get(key, 0)

    def _fits(self, tried: frozenset[Key]) -> Callable[[Key], bool]:
        return lambda key: key not in tried and key not in self._overloaded

    def _name(self, client: Client) -> bytes:
        """What hashing schedulers see of a client: its address, and its port when the service's flags say so."""
        address = _packed(client[0])
        return address + client[1].to_bytes(2) if self._hashes_port else address

    def _stuck(self, group: int, tried: frozenset[Key]) -> Key | None:
        """Where persistence leads; nowhere once that destination has weight 0.

        IPVS does so when expire_quiescent_template is set. Without it clients would stick to a server that failed.
        """
        key, until = self._sticky.get(group, (None, 0.0))
        destination = self.destinations.get(key) if key else None
        if destination is None or destination.weight == 0 or until < self._now() or key in tried:
            return None
        return key

    def _stick(self, group: int, key: Key) -> None:
        self._sticky.pop(group, None)
        self._sticky[group] = (key, self._now() + self.service.persistence_timeout)
        if len(self._sticky) > STICKY:
            del self._sticky[next(iter(self._sticky))]

    def _group(self, address: str) -> int:
        """The client's address as a number, without the bits behind the prefix."""
        longest = longest_prefix(self.service.key.family)
        prefix = self.service.persistence_prefix
        return int.from_bytes(_packed(address)) >> (0 if prefix is None else longest - prefix)


def _packed(address: str) -> bytes:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address.partition("%")[0])
