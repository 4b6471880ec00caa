"""A service's destinations in use: who may take a connection, who has how many, and which client sticks where."""

import socket
from collections.abc import Callable
from ipaddress import ip_address, ip_network

import structlog

from actors.core.balance import SCHEDULERS, Picker, Server
from actors.core.table import Destination, Service

STICKY = 65536
"""Clients remembered for persistence, at most; beyond, the one that came longest ago is forgotten."""

SUBSTITUTES = {"dh": "sh", "lblc": "wlc", "lblcr": "wlc", "twos": "wlc"}
"""Schedulers that only make sense on a router, and what serves in their place."""

Key = tuple[str, int]
log = structlog.get_logger()


class LivePool:
    """Chooses destinations for clients. ``now`` gives seconds of a steady clock."""

    def __init__(self, service: Service, now: Callable[[], float]) -> None:
        self._now = now
        self._sticky: dict[str, tuple[Key, float]] = {}
        self._overloaded: set[Key] = set()
        self.destinations: dict[Key, Destination] = {}
        self.open: dict[Key, int] = {}
        self.service = service
        self.edit(service)

    def edit(self, service: Service) -> None:
        """Take over a service's attributes."""
        if service.scheduler in SUBSTITUTES:
            log.warning("scheduler replaced", scheduler=service.scheduler, by=SUBSTITUTES[service.scheduler])
        self.service = service
        self._renew()

    def put(self, destination: Destination) -> None:
        """Add or change a destination."""
        self.destinations[destination.key] = destination
        self.open.setdefault(destination.key, 0)
        self._renew()

    def drop(self, key: Key) -> None:
        """Remove a destination."""
        del self.destinations[key]
        self._overloaded.discard(key)
        self._renew()

    def choose(self, client: tuple[str, int], tried: frozenset[Key] = frozenset()) -> Destination | None:
        """The destination for one more connection of ``client``, none of those ``tried``; it is not counted yet."""
        key = self._stuck(client, tried) or self._picker.pick(self._name(client), self._count, self._fits(tried))
        if key is None:
            return None
        self._stick(client, key)
        return self.destinations[key]

    def opened(self, key: Key) -> None:
        """Count one more connection."""
        self.open[key] = self.open.get(key, 0) + 1
        destination = self.destinations.get(key)
        if destination and destination.upper and self.open[key] >= destination.upper:
            self._overloaded.add(key)

    def closed(self, key: Key) -> None:
        """Count one connection less."""
        self.open[key] -= 1
        destination = self.destinations.get(key)
        if destination is None:
            if not self.open[key]:
                del self.open[key]
        elif self.open[key] < (destination.lower or destination.upper * 3 / 4):
            self._overloaded.discard(key)

    def _renew(self) -> None:
        service = self.service
        serving = [Server(d.key, d.weight) for d in self.destinations.values() if d.weight > 0]
        scheduler = SUBSTITUTES.get(service.scheduler, service.scheduler)
        self._picker: Picker = SCHEDULERS[scheduler](serving, f"{scheduler}-fallback" in service.flags)

    def _count(self, key: Key) -> int:
        return self.open.get(key, 0)

    def _fits(self, tried: frozenset[Key]) -> Callable[[Key], bool]:
        return lambda key: key not in tried and key not in self._overloaded

    def _name(self, client: tuple[str, int]) -> bytes:
        """What hashing schedulers see of a client: its address, and its port when the service's flags say so."""
        family = socket.AF_INET6 if ":" in client[0] else socket.AF_INET
        address = socket.inet_pton(family, client[0].partition("%")[0])
        with_port = {"sh-port", "mh-port"} & set(self.service.flags)
        return address + client[1].to_bytes(2) if with_port else address

    def _stuck(self, client: tuple[str, int], tried: frozenset[Key]) -> Key | None:
        """Where persistence leads; nowhere once that destination has weight 0, as with IPVS."""
        if not self.service.persistence_timeout:
            return None
        key, until = self._sticky.get(self._group(client), (None, 0.0))
        destination = self.destinations.get(key) if key else None
        if destination is None or destination.weight == 0 or until < self._now() or key in tried:
            return None
        return key

    def _stick(self, client: tuple[str, int], key: Key) -> None:
        if not self.service.persistence_timeout:
            return
        group = self._group(client)
        self._sticky.pop(group, None)
        self._sticky[group] = (key, self._now() + self.service.persistence_timeout)
        if len(self._sticky) > STICKY:
            del self._sticky[next(iter(self._sticky))]

    def _group(self, client: tuple[str, int]) -> str:
        prefix = self.service.persistence_prefix
        address = client[0].partition("%")[0]
        if prefix is None:
            return address
        return str(ip_network((int(ip_address(address)), prefix), strict=False)) if prefix else ""
