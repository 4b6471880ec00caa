"""The embedded data plane, for a laptop or a container: a TCP proxy and a UDP forwarder inside this program.

It differs from IPVS where a proxy must or may: servers see this machine's address; a server that refuses a connection
is made good by another; connections to a removed server are reset instead of hanging.
"""

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
    Pool,
    Service,
    ServiceKey,
)
from actors.planes import PlaneError
from actors.planes.userspace.pool import SUBSTITUTES, LivePool
from actors.planes.userspace.tcp import TcpService
from actors.planes.userspace.udp import UdpService

Listener = TcpService | UdpService


class UserspacePlane:
    """See `DataPlane`; must be used in the thread of one gevent hub."""

    name = "userspace"

    def __init__(self) -> None:
        self._services: dict[ServiceKey, Listener] = {}

    def open(self) -> None:
        """Always ready."""

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

    def connections(self, key: ServiceKey) -> dict[tuple[str, int], int]:
        """See `DataPlane.connections`."""
        listener = self._services.get(key)
        return dict(listener.pool.open) if listener else {}

    def apply(self, edit: Edit) -> None:
        """See `DataPlane.apply`."""
        match edit:
            case AddService(service):
                self._listen(service, edit)
            case EditService(service):
                _carriable(service)
                self._of(service.key, edit).pool.edit(service)
            case DeleteService(key):
                self._of(key, edit).close()
                del self._services[key]
            case AddDestination(key, destination):
                pool = self._of(key, edit).pool
                if destination.key in pool.destinations:
                    raise PlaneError(f"adding real server {_name(destination)}: it is there already")
                pool.put(destination)
            case EditDestination(key, destination):
                _known(self._of(key, edit), destination, "editing")
                self._services[key].pool.put(destination)
            case DeleteDestination(key, destination):
                _known(self._of(key, edit), destination, "removing")
                self._services[key].pool.drop(destination.key)
                self._services[key].drop(destination.key)

    def _listen(self, service: Service, edit: Edit) -> None:
        _carriable(service)
        if service.key in self._services:
            raise PlaneError(f"adding service {_title(service.key)}: it is there already")
        pool = LivePool(service, time.monotonic)
        try:
            udp = service.key.protocol == "udp"
            self._services[service.key] = UdpService(pool, time.monotonic) if udp else TcpService(pool)
        except OSError as error:
            raise PlaneError(f"listening on {_title(service.key)}: {error.strerror or error}") from None

    def _of(self, key: ServiceKey, edit: Edit) -> Listener:
        if key not in self._services:
            raise PlaneError(f"{type(edit).__name__}: there is no service {_title(key)}")
        return self._services[key]


def _carriable(service: Service) -> None:
    """Raise `PlaneError` for what only a kernel can do."""
    key = service.key
    if key.fwmark:
        raise PlaneError(f"service {_title(key)}: firewall marks need the kernel; the userspace plane cannot carry them")
    if key.protocol not in ("tcp", "udp"):
        raise PlaneError(f"service {_title(key)}: the userspace plane carries TCP and UDP only")
    if not key.port:
        raise PlaneError(f"service {_title(key)}: the userspace plane needs a port to listen on")
    if SUBSTITUTES.get(service.scheduler, service.scheduler) not in SCHEDULERS:
        raise PlaneError(f"service {_title(key)}: the userspace plane has no scheduler {service.scheduler!r}")


def _known(listener: Listener, destination: Destination, doing: str) -> None:
    if destination.key not in listener.pool.destinations:
        raise PlaneError(f"{doing} real server {_name(destination)}: there is none")


def _title(key: ServiceKey) -> str:
    if key.fwmark:
        return f"fwmark {key.fwmark}"
    return f"[{key.address}]:{key.port}:{key.protocol}" if key.family == 6 else f"{key.address}:{key.port}:{key.protocol}"


def _name(destination: Destination) -> str:
    return f"[{destination.address}]:{destination.port}" if ":" in destination.address else f"{destination.address}:{destination.port}"
