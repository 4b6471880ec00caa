"""The embedded data plane, for a laptop or a container: a TCP proxy and a UDP forwarder inside this program.

It differs from IPVS where a proxy must or may: servers see this machine's address; a server that refuses a connection
is made good by another; connections to a removed server are reset instead of hanging.
"""

import contextlib
import resource
import socket
import time

from actors.core.balance import SCHEDULERS
from actors.core.table import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Destination,
    Edit,
    EditDestination,
    EditService,
    Load,
    Loads,
    Pool,
    Service,
    ServiceKey,
    attempt,
)
from actors.planes import PlaneError
from actors.planes.userspace.pool import SUBSTITUTES, LivePool
from actors.planes.userspace.tcp import TcpService
from actors.planes.userspace.udp import UdpService

DESCRIPTORS = 65536
"""Open files asked for at most."""

Listener = TcpService | UdpService


class UserspacePlane:
    """See `DataPlane`; must be used in the thread of one gevent hub."""

    name = "userspace"
    whole = None

    def __init__(self) -> None:
        self._services: dict[ServiceKey, Listener] = {}

    def open(self) -> None:
        """Take as many descriptors as this process may have: each connection needs two. Always ready."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
        if wanted > soft != resource.RLIM_INFINITY:
            with contextlib.suppress(OSError, ValueError):  # then with those that there are
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

    def close(self) -> None:
        """Stop listening; every connection is reset."""
        for listener in self._services.values():
            listener.close()
        self._services.clear()

    def services(self) -> tuple[ServiceKey, ...]:
        """See `DataPlane.services`."""
        return tuple(self._services)

    def read(self, key: ServiceKey) -> Pool | None:
        """See `DataPlane.read`."""
        listener = self._services.get(key)
        if listener is None:
            return None
        return Pool(listener.pool.service, tuple(listener.pool.destinations.values()))

    def loads(self, key: ServiceKey) -> Loads:
        """See `DataPlane.loads`: what is open now, and nothing of what was."""
        listener = self._services.get(key)
        if listener is None:
            return Loads()
        word = "inactive" if key.protocol == "udp" else "active"
        total = Load(**{word: sum(listener.pool.open.values())})
        return Loads(total, {place: Load(**{word: count}) for place, count in listener.pool.open.items()})

    def leave(self) -> None:
        """Nothing stays of this plane when the program ends."""

    def apply(self, edit: Edit) -> None:
        """See `DataPlane.apply`."""
        match edit:
            case AddService(service):
                _carriable(service, edit)
                _check(service.key not in self._services, edit, "it is there already")
                self._services[service.key] = _listen(service, edit)
            case EditService(service):
                _carriable(service, edit)
                self._of(service.key, edit).pool.edit(service)
            case DeleteService(key):
                self._of(key, edit).close()
                del self._services[key]
            case AddDestination(key, destination):
                _check(_is_endpoint(*destination.key), edit, "this is no address with a port")
                pool = self._of(key, edit).pool
                _check(destination.key not in pool.destinations, edit, "it is there already")
                pool.put(destination)
            case EditDestination(key, destination):
                self._holding(key, destination, edit).pool.put(destination)
            case DeleteDestination(key, destination):
                listener = self._holding(key, destination, edit)
                listener.pool.drop(destination.key)
                listener.drop(destination.key)

    def _of(self, key: ServiceKey, edit: Edit) -> Listener:
        _check(key in self._services, edit, "no such service")
        return self._services[key]

    def _holding(self, key: ServiceKey, destination: Destination, edit: Edit) -> Listener:
        listener = self._of(key, edit)
        _check(destination.key in listener.pool.destinations, edit, "no such real server")
        return listener


def _listen(service: Service, edit: Edit) -> Listener:
    pool = LivePool(service, time.monotonic)
    try:
        return UdpService(pool, time.monotonic) if service.key.protocol == "udp" else TcpService(pool)
    except OSError as error:
        raise PlaneError(f"{attempt(edit)}: {error.strerror or error}") from None


def _carriable(service: Service, edit: Edit) -> None:
    """Raise `PlaneError` for what only a kernel can do."""
    key = service.key
    scheduler = SUBSTITUTES.get(service.scheduler, service.scheduler)
    _check(not key.fwmark, edit, "firewall marks need the kernel: the userspace plane cannot carry them")
    _check(key.protocol in ("tcp", "udp"), edit, "the userspace plane carries TCP and UDP only")
    _check(key.port > 0, edit, "the userspace plane needs a port to listen on")
    _check(_is_endpoint(key.address, key.port), edit, "this is no address with a port")
    _check(scheduler in SCHEDULERS, edit, f"the userspace plane has no scheduler {service.scheduler!r}")


def _is_endpoint(address: str, port: int) -> bool:
    """Whether a socket could be given it as it is; a name would have to be looked up, and keep all others waiting."""
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    except (OSError, ValueError):
        return False
    return 0 < port < 65536


def _check(fine: bool, edit: Edit, otherwise: str) -> None:
    if not fine:
        raise PlaneError(f"{attempt(edit)}: {otherwise}")
