"""IPVS in the kernel, told over generic netlink. Needs the kernel module ip_vs and CAP_NET_ADMIN."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from pyroute2.netlink.generic import ipvs as commands

from actors.core.table import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Edit,
    EditDestination,
    EditService,
    Loads,
    Pool,
    ServiceKey,
    attempt,
    title,
)
from actors.planes import PlaneError, PlaneUnavailable
from actors.planes.channel import LIMIT, Channel, Refused, connect, explained
from actors.planes.ipvs import codec
from actors.planes.ipvs.messages import Attributes, encode
from actors.planes.ipvs.whole import IpvsWhole

Decoded = TypeVar("Decoded")

OPEN = ("active", "inactive", "persistent")
"""What of a `Load` IPVS counts for destinations alone."""

MIXED = "a server of the other family is reached by TUN alone, and never while a sync daemon runs"

WAYS_OUT = {
    "module": "load the kernel module: modprobe ip_vs",
    "right": "run as root, or give the program CAP_NET_ADMIN",
    "other": "or let this program carry the traffic itself: `dataplane userspace` in global_defs",
}


class IpvsPlane:
    """See `DataPlane`. ``connect`` makes the netlink socket, ``limit`` is in seconds for each request."""

    name = "ipvs"

    def __init__(self, connect: Callable[[], Any] = connect, limit: float = LIMIT) -> None:
        self._connect = connect
        self._limit = limit
        self._channel: Channel | None = None
        self._family = 0
        self._is_left = False
        self.whole = IpvsWhole(self._ask)

    def open(self) -> None:
        """Find IPVS in the kernel, and see that we may speak to it. Raises `PlaneUnavailable`."""
        self.close()
        try:
            self._channel = Channel(self._connect, self._limit)
            self._family = self._channel.family(commands.GENL_NAME)
            self._channel.ask(self._family, encode(commands.IPVS_CMD_GET_INFO))
        except OSError as error:
            raise PlaneUnavailable(f"IPVS: no netlink socket: {explained(error.errno or 0)}", _ways("right")) from None
        except Refused as refusal:
            self.close()
            raise _unavailable(refusal) from None

    def close(self) -> None:
        """Give the socket back; the kernel's table stays."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def services(self) -> tuple[ServiceKey, ...]:
        """See `DataPlane.services`."""
        replies = self._ask("listing the services", commands.IPVS_CMD_GET_SERVICE, dump=True)
        return tuple(_decoded("listing the services", codec.decode_service, payload).key for payload in replies)

    def read(self, key: ServiceKey) -> Pool | None:
        """See `DataPlane.read`."""
        doing = f"reading service {title(key)}"
        reply = self._service(doing, key)
        if reply is None:
            return None
        service = _decoded(doing, codec.decode_service, reply)
        return Pool(service, tuple(self._destinations(key, codec.decode_destination)))

    def loads(self, key: ServiceKey) -> Loads:
        """See `DataPlane.loads`."""
        doing = f"reading the figures of {title(key)}"
        reply = self._service(doing, key)
        if reply is None:
            return Loads()
        servers = {server.key: load for server, load in self._destinations(key, codec.decode_load)}
        counts = {name: sum(getattr(load, name) for load in servers.values()) for name in OPEN}
        return Loads(msgspec.structs.replace(_decoded(doing, codec.decode_total, reply), **counts), servers)

    def leave(self) -> None:
        """See `DataPlane.leave`."""
        self._is_left = True

    def apply(self, edit: Edit) -> None:
        """See `DataPlane.apply`."""
        if self._is_left:
            return
        doing = attempt(edit)
        try:
            command, service, destination = _request(edit)
        except ValueError as error:
            raise PlaneError(f"{doing}: {error}") from None
        self._ask(doing, command, service, destination, hint=_hint(edit))

    def _service(self, doing: str, key: ServiceKey) -> bytes | None:
        """What the kernel says of a service; None when there is none."""
        try:
            replies = self._ask(doing, commands.IPVS_CMD_GET_SERVICE, _found(doing, key))
        except PlaneError as error:
            if _is_absent(error):
                return None
            raise
        if not replies:
            raise PlaneError(f"{doing}: the kernel gave no answer")
        return replies[0]

    def _destinations(self, key: ServiceKey, decode: Callable[[bytes, int], Decoded]) -> list[Decoded]:
        doing = f"reading the real servers of {title(key)}"
        replies = self._ask(doing, commands.IPVS_CMD_GET_DEST, _found(doing, key), dump=True)
        return [_decoded(doing, decode, payload, key.family) for payload in replies]

    def _ask(
        self,
        doing: str,
        command: int,
        service: Attributes | None = None,
        destination: Attributes | None = None,
        dump: bool = False,
        more: Attributes = (),
        hint: dict[int, str] | None = None,
    ) -> list[bytes]:
        if self._channel is None:
            raise PlaneError(f"{doing}: the plane is not open")
        try:
            return self._channel.ask(self._family, encode(command, service, destination, more), dump)
        except ValueError as error:
            raise PlaneError(f"{doing}: {error}") from None
        except Refused as refusal:
            known = (hint or {}).get(refusal.number)
            raise PlaneError(f"{doing}: {refusal}" + (f": {known}" if known else "")) from refusal


def _request(edit: Edit) -> tuple[int, Attributes, Attributes | None]:
    """Command, service and destination of an edit. Raises ValueError for what IPVS has no word for."""
    match edit:
        case AddService(service):
            return commands.IPVS_CMD_NEW_SERVICE, codec.service_attributes(service), None
        case EditService(service):
            return commands.IPVS_CMD_SET_SERVICE, codec.service_attributes(service), None
        case DeleteService(key):
            return commands.IPVS_CMD_DEL_SERVICE, codec.identity(key), None
        case AddDestination(key, server):
            return commands.IPVS_CMD_NEW_DEST, codec.identity(key), codec.destination_attributes(server)
        case EditDestination(key, server):
            return commands.IPVS_CMD_SET_DEST, codec.identity(key), codec.destination_attributes(server)
        case DeleteDestination(key, server):
            return commands.IPVS_CMD_DEL_DEST, codec.identity(key), codec.destination_identity(server)


def _hint(edit: Edit) -> dict[int, str]:
    """What an errno means for this edit: the kernel has few numbers, and many reasons."""
    match edit:
        case AddService(service) | EditService(service):
            engine = f", or ip_vs_pe_{service.persistence_engine}" if service.persistence_engine else ""
            return {
                errno.EEXIST: "it is there already",
                errno.ESRCH: "there is no such service",
                errno.ENOENT: f"the kernel has no module ip_vs_{service.scheduler}{engine}",
            }
        case AddDestination(key, server):
            known = {errno.EEXIST: "it is there already", errno.ESRCH: "there is no such service"}
            return known | ({errno.EINVAL: MIXED} if codec.family_of(server) != key.family else {})
        case _:
            return {errno.ENOENT: "there is no such real server", errno.ESRCH: "there is no such service"}


def _found(doing: str, key: ServiceKey) -> Attributes:
    try:
        return codec.identity(key)
    except ValueError as error:
        raise PlaneError(f"{doing}: {error}") from None


def _decoded(doing: str, decode: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return decode(*arguments)
    except ValueError as error:
        raise PlaneError(f"{doing}: the kernel's answer is not understood: {error}") from None


def _is_absent(error: PlaneError) -> bool:
    return isinstance(error.__cause__, Refused) and error.__cause__.number == errno.ESRCH


def _ways(first: str) -> tuple[str, ...]:
    return (WAYS_OUT[first], WAYS_OUT["other"])


def _unavailable(refusal: Refused) -> PlaneUnavailable:
    if refusal.number == errno.ENOENT:
        return PlaneUnavailable(f"IPVS is not in the running kernel: {_missing()}", _ways("module"))
    if refusal.number in (errno.EPERM, errno.EACCES):
        return PlaneUnavailable(f"IPVS: {refusal}: CAP_NET_ADMIN is missing", _ways("right"))
    return PlaneUnavailable(f"IPVS does not answer as it should: {refusal}", _ways("module"))


def _missing(modules: Path = Path("/lib/modules")) -> str:
    """Why the family is not there: the module waits to be loaded, or this kernel has none."""
    release = os.uname().release
    try:
        known = "/ip_vs.ko" in (modules / release / "modules.dep").read_text()
    except OSError:
        known = False
    if known:
        return f"the module ip_vs is there for {release}, but not loaded"
    return f"no module ip_vs was found for {release} under {modules}"
