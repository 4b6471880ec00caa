"""Interfaces with a virtual router's MAC, on top of real ones: the `Devices` of a real kernel. Needs CAP_NET_ADMIN.

A macvlan in private mode: frames that carry its own MAC as their source, which are those of the router's peers, are
given to it and to nobody else.
"""

import errno
import socket
from functools import partial
from typing import Any

import msgspec
from pyroute2.netlink import NETLINK_ROUTE
from pyroute2.netlink.rtnl import RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from actors.planes import PlaneError
from actors.planes.channel import HEADER, Channel, Refused, connect, explained
from actors.planes.netlink.settings import Settings
from actors.planes.network import Device

UP = 0x1  # IFF_UP
CREATE, EXCLUSIVE = 0x400, 0x200  # NLM_F_*
PRIVATE = "private"


class Found(msgspec.Struct, frozen=True):
    """An interface that is there, what it is on top of (its index), and the mode of a macvlan, empty for others."""

    index: int
    mode: str
    mac: str
    below: int


class NetlinkDevices:
    """See `actors.planes.network.Devices`."""

    def __init__(self) -> None:
        self._channel: Channel | None = None
        self._settings = Settings()

    def make(self, device: Device) -> int:
        """See `Devices.make`."""
        try:
            below = _index(device.below)
            found = self._found(device.name)
            if found is None:
                self._ask(RTM_NEWLINK, encode_new(device, below), CREATE | EXCLUSIVE)
            elif (found.mode, found.mac, found.below) != (PRIVATE, device.mac, below):
                raise PlaneError(f"an interface {device.name} exists already, and is not this router's")
            self._settings.prepare(device)
            index = _index(device.name)
            self._ask(RTM_NEWLINK, encode_up(index))
        except (Refused, OSError) as error:
            raise PlaneError(f"making {device.name} on {device.below}: {_why(error)}") from None
        return index

    def remove(self, device: Device) -> None:
        """See `Devices.remove`."""
        self._settings.restore(device)
        try:
            found = self._found(device.name)
            if found is not None and (found.mode, found.mac) == (PRIVATE, device.mac):
                self._ask(RTM_DELLINK, encode_index(found.index))
        except (Refused, OSError) as error:
            if getattr(error, "number", 0) != errno.ENODEV:
                raise PlaneError(f"removing {device.name}: {_why(error)}") from None

    def close(self) -> None:
        """Give the socket back."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _found(self, name: str) -> Found | None:
        try:
            index = socket.if_nametoindex(name)
        except OSError:
            return None
        return decode_found(self._ask(RTM_GETLINK, encode_index(index), answer=RTM_NEWLINK)[0])

    def _ask(self, kind: int, payload: bytes, flags: int = 0, answer: int = 0) -> list[bytes]:
        if self._channel is None:
            self._channel = Channel(partial(connect, NETLINK_ROUTE))
        return self._channel.ask(kind, payload, flags=flags, answer=answer)


def encode_new(device: Device, below: int) -> bytes:
    """The payload of RTM_NEWLINK for a private macvlan on the interface with the index ``below``."""
    message = ifinfmsg()
    data = {"attrs": [("IFLA_MACVLAN_MODE", PRIVATE)]}
    message["attrs"] = [
        ("IFLA_IFNAME", device.name),
        ("IFLA_LINK", below),
        ("IFLA_ADDRESS", device.mac),
        ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "macvlan"), ("IFLA_INFO_DATA", data)]}),
    ]
    return _encoded(message)


def encode_up(index: int) -> bytes:
    """The payload of RTM_NEWLINK that brings an interface up."""
    message = ifinfmsg()
    message["index"], message["flags"], message["change"] = index, UP, UP
    return _encoded(message)


def encode_index(index: int) -> bytes:
    """The payload of RTM_GETLINK and RTM_DELLINK for one interface."""
    message = ifinfmsg()
    message["index"] = index
    return _encoded(message)


def decode_found(payload: bytes) -> Found:
    """What RTM_NEWLINK tells of an interface."""
    message = ifinfmsg(HEADER.pack(HEADER.size + len(payload), 0, 0, 0, 0) + payload)
    message.decode()
    info = message.get_attr("IFLA_LINKINFO")
    kind = (info.get_attr("IFLA_INFO_KIND") if info else "") or ""
    mode = info.get_attr("IFLA_INFO_DATA").get_attr("IFLA_MACVLAN_MODE") if kind == "macvlan" else ""
    mac, below = message.get_attr("IFLA_ADDRESS") or "", message.get_attr("IFLA_LINK") or 0
    return Found(message["index"], mode, mac, below)


def _encoded(message: Any) -> bytes:
    message.encode()
    return bytes(message.data[HEADER.size :])


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError:  # which tells no number
        raise OSError(errno.ENODEV, f"no interface {name}") from None


def _why(error: Refused | OSError) -> str:
    return explained(error.errno) if isinstance(error, OSError) and error.errno else str(error)
