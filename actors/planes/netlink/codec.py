"""Messages of rtnetlink to values and back, by pyroute2's definitions; nothing here knows a socket."""

import ipaddress
import socket
from functools import lru_cache
from typing import Any

import msgspec
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from actors.core.address import Address
from actors.planes.channel import HEADER

UP_AND_RUNNING = 0x1 | 0x40  # IFF_UP, IFF_RUNNING
NODAD, DADFAILED, TENTATIVE = 0x02, 0x08, 0x40  # IFA_F_*
FOREVER = 0xFFFFFFFF
SCOPES = {"global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}


class Link(msgspec.Struct, frozen=True):
    """An interface, as one message tells of it. ``mac`` is empty when it has none."""

    index: int
    name: str
    up: bool
    mac: str


class Held(msgspec.Struct, frozen=True):
    """An address of the interface with this index. It is not ``usable`` while, or because, the kernel doubts that it is
    nobody else's (duplicate address detection, RFC 4862 5.4)."""

    index: int
    address: str
    prefix: int
    usable: bool


@lru_cache(maxsize=4096)
def encode_address(item: Address, index: int) -> bytes:
    """The payload of RTM_NEWADDR and RTM_DELADDR. Raises ValueError, naming what is no address or scope.

    IPv6 is added without duplicate address detection (RFC 5798 8.2.2), and a /128 as deprecated, so that nobody takes
    it as the source of a connection; both as keepalived does. Encoding costs as much as the kernel's work, and a router
    adds and removes the same ones for ever: hence the cache.
    """
    six = ipaddress.ip_address(item.address).version == 6
    message = ifaddrmsg()
    message["family"] = socket.AF_INET6 if six else socket.AF_INET
    message["prefixlen"], message["index"] = item.prefix, index
    message["scope"] = _scope(item.scope)
    message["flags"] = NODAD if six else 0
    attributes: list[tuple[str, Any]] = [("IFA_LOCAL", item.address), ("IFA_ADDRESS", item.address)]
    if item.label and not six:
        attributes.append(("IFA_LABEL", item.label))
    if item.broadcast and not six:
        attributes.append(("IFA_BROADCAST", _broadcast(item)))
    if six and item.prefix == 128:
        attributes.append(("IFA_CACHEINFO", {"ifa_preferred": 0, "ifa_valid": FOREVER, "cstamp": 0, "tstamp": 0}))
    message["attrs"] = attributes
    message.encode()
    return bytes(message.data[HEADER.size :])


def _scope(text: str) -> int:
    """A scope by name or by number, as ``ip`` takes it; empty is global."""
    number = SCOPES.get(text or "global", -1)
    if number < 0 and text.isdecimal():
        number = int(text)
    if not 0 <= number <= 255:
        raise ValueError(f"{text!r} is not a scope")
    return number


def _broadcast(item: Address) -> str:
    """The broadcast address; ``+`` and ``-`` set and clear the host bits, as with ``ip``."""
    network = ipaddress.IPv4Interface(f"{item.address}/{item.prefix}").network
    special = {"+": network.broadcast_address, "-": network.network_address}
    return str(special.get(item.broadcast) or ipaddress.IPv4Address(item.broadcast))


def every_link() -> bytes:
    """The payload of a request to dump all links."""
    return _asked(ifinfmsg())


def every_address() -> bytes:
    """The payload of a request to dump all addresses of both families."""
    return _asked(ifaddrmsg())


def decode_link(payload: bytes) -> Link | None:
    """What RTM_NEWLINK and RTM_DELLINK tell; None when they tell it of a bridge's port, not of the interface."""
    message = _decoded(ifinfmsg, payload)
    if message["family"] != socket.AF_UNSPEC:
        return None
    up = message["flags"] & UP_AND_RUNNING == UP_AND_RUNNING
    return Link(message["index"], message.get_attr("IFLA_IFNAME") or "", up, message.get_attr("IFLA_ADDRESS") or "")


def decode_held(payload: bytes) -> Held:
    """What RTM_NEWADDR and RTM_DELADDR tell."""
    message = _decoded(ifaddrmsg, payload)
    address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS") or ""
    return Held(message["index"], address, message["prefixlen"], not message["flags"] & (TENTATIVE | DADFAILED))


def _asked(message: Any) -> bytes:
    message.encode()
    return bytes(message.data[HEADER.size :])


def _decoded(codec: Any, payload: bytes) -> Any:
    # pyroute2 wants a header in front, and looks at its length alone.
    message = codec(HEADER.pack(HEADER.size + len(payload), 0, 0, 0, 0) + payload)
    message.decode()
    return message
