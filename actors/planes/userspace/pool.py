"""A service's destinations in use: who may take a connection, who has how many, and which client sticks where."""

import errno
import socket
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TypeVar

import structlog

from actors.core.balance import SCHEDULERS, Key, Picker, Server
from actors.core.table import Destination, Service

STICKY = 65536
"""Clients remembered for persistence, at most; beyond, the one that came longest ago is forgotten."""

SUBSTITUTES = {"dh": "sh", "lblc": "wlc", "lblcr": "wlc", "twos": "wlc"}
"""Schedulers that only make sense on a router, and what serves in their place."""

STARVED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""Errors that tell of this machine, not of who is at the other end."""

BY_PORT = {"sh-port", "mh-port", "flag-2"}
FALLBACK = {"sh-fallback", "mh-fallback", "flag-1"}
"""Flags of hashing schedulers, by all of their names."""

T = TypeVar("T")
Client = tuple[str, int]
"""Address and port."""

log = structlog.get_logger()


class LivePool:
    """Chooses destinations for clients. ``now`` gives seconds of a steady clock."""

    def __init__(self, service: Service, now: Callable[[], float]) -> None:
        self._now = now
        self._sticky: dict[int, tuple[Key, float]] = {}
        self._overloaded: set[Key] = set()
        self._picker = _picker(service)
        self._changed = False
        self.destinations: dict[Key, Destination] = {}
        self.open: dict[Key, int] = {}
        self.service = service

    def edit(self, service: Service) -> None:
        """Take over a service's attributes; counts stay, and clients stick to their servers."""
        before, self.service = self.service, service
        if (service.scheduler, service.flags) != (before.scheduler, before.flags):
            self._picker = _picker(service)
            self._changed = True

    def put(self, destination: Destination) -> None:
        """Add or change a destination."""
        key = destination.key
        before = self.destinations.get(key)
        self.destinations[key] = destination
        self.open.setdefault(key, 0)
        if before is None or (before.upper, before.lower) != (destination.upper, destination.lower):
            self._overloaded.discard(key)
            self._judge(destination)
        self._changed = True

    def drop(self, key: Key) -> None:
        """Remove a destination; its count stays until its connections have ended."""
        del self.destinations[key]
        self._overloaded.discard(key)
        if not self.open[key]:
            del self.open[key]
        self._changed = True

    def choose(self, client: Client, tried: AbstractSet[Key] = frozenset()) -> Destination | None:
        """The destination for one more connection of ``client``, none of those ``tried``; it is not counted yet."""
        if not self.service.persistence_timeout:
            key = self._pick(client, tried)
            return None if key is None else self.destinations[key]
        group = self._group(client)
        key = self._stuck(group, tried) or self._pick(client, tried)
        if key is None:
            return None
        self._stick(group, key)
        return self.destinations[key]

    def reach(self, client: Client, tried: set[Key], attempt: Callable[[Destination], T]) -> T | None:
        """The first attempt on a destination, of those not ``tried``, that raises no OSError; each is now tried.

        None when there is none left. When this machine lacks descriptors no server is to blame, and no other is tried.
        """
        while (destination := self.choose(client, tried)) is not None:
            tried.add(destination.key)
            try:
                return attempt(destination)
            except OSError as error:
                if error.errno in STARVED:
                    return None
        return None

    def opened(self, key: Key) -> None:
        """Count one more connection."""
        self.open[key] += 1
        self._judge(self.destinations[key])

    def closed(self, key: Key) -> None:
        """Count one connection less."""
        self.open[key] -= 1
        destination = self.destinations.get(key)
        if destination is not None:
            self._judge(destination)
        elif not self.open[key]:
            del self.open[key]

    def _judge(self, destination: Destination) -> None:
        """Overloaded from ``upper`` connections until there are fewer than ``lower``, or than 3/4 of upper."""
        key, upper = destination.key, destination.upper
        if not upper:
            return
        if self.open[key] >= upper:
            self._overloaded.add(key)
        elif self.open[key] < (destination.lower or upper * 3 / 4):
            self._overloaded.discard(key)

    def _pick(self, client: Client, tried: AbstractSet[Key]) -> Key | None:
        if self._changed:  # only now: a table of hashes is filled once for many edits in a row
            self._changed = False
            self._picker.update([Server(d.key, d.weight) for d in self.destinations.values() if d.weight > 0])
        if not self._picker.hashes:
            return self._picker.pick(b"", self.open, self._overloaded | tried if tried else self._overloaded)
        return self._hash(self._name(client), tried)

    def _hash(self, name: bytes, tried: AbstractSet[Key]) -> Key | None:
        """A server that refused is made good by the next; one that is overloaded only when the flags say so."""
        if tried or not FALLBACK.isdisjoint(self.service.flags):
            return self._picker.pick(name, self.open, self._overloaded | tried)
        key = self._picker.pick(name, self.open, frozenset())
        return None if key in self._overloaded else key

    def _name(self, client: Client) -> bytes:
        """What hashing schedulers see of a client: its address, and its port when the service's flags say so."""
        with_port = not BY_PORT.isdisjoint(self.service.flags)
        return _packed(client) + client[1].to_bytes(2) if with_port else _packed(client)

    def _stuck(self, group: int, tried: AbstractSet[Key]) -> Key | None:
        """Where persistence leads, overloaded or not; nowhere once that destination has weight 0.

        IPVS does the latter with ``expire_quiescent_template``; without, clients would stick to a failed server.
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

    def _group(self, client: Client) -> int:
        packed = _packed(client)
        prefix = self.service.persistence_prefix
        return int.from_bytes(packed) >> (0 if prefix is None else max(0, len(packed) * 8 - prefix))


def _picker(service: Service) -> Picker:
    scheduler = service.scheduler
    if scheduler in SUBSTITUTES:
        scheduler = SUBSTITUTES[scheduler]
        log.warning("scheduler replaced", scheduler=service.scheduler, by=scheduler)
    return SCHEDULERS[scheduler]()


def _packed(client: Client) -> bytes:
    address = client[0]
    if ":" in address:
        return socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    return socket.inet_pton(socket.AF_INET, address)
