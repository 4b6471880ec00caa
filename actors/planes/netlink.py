"""rtnetlink: virtual addresses put on and taken off, and what the kernel says of links.

pyroute2 is the codec; the sockets are gevent's. Deltas are never trusted: any news has everything read anew, which is
cheap, and right also after an overflow.
"""

import errno
import ipaddress
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
import structlog
from pyroute2.netlink import NETLINK_ROUTE
from pyroute2.netlink.rtnl import RTM_DELADDR, RTM_GETADDR, RTM_GETLINK, RTM_NEWADDR, RTM_NEWLINK
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from actors.planes import PlaneError
from actors.planes.channel import HEADER, Channel, Refused, connect
from actors.planes.network import Address, LinkEvent

GROUPS = 0x1 | 0x10 | 0x100  # RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
BUFFER = 8 << 20
UP_AND_RUNNING = 0x1 | 0x40  # IFF_UP, IFF_RUNNING
SCOPES = {"": 0, "global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}
NODAD, PERMANENT = 0x02, 0x80
FOREVER = 0xFFFFFFFF
GATHER = 0.002
"""Seconds in which news are gathered: one event of the kernel is seldom alone."""

Changed = Callable[[LinkEvent], None]
log = structlog.get_logger()


class NetlinkAddresses:
    """See `actors.planes.network.Addresses`. Needs CAP_NET_ADMIN."""

    def __init__(self) -> None:
        self._channel = Channel(partial(connect, NETLINK_ROUTE))

    def add(self, interface: str, addresses: tuple[Address, ...]) -> None:
        """See `Addresses.add`."""
        self._each("adding", RTM_NEWADDR, interface, addresses, errno.EEXIST)

    def remove(self, interface: str, addresses: tuple[Address, ...]) -> None:
        """See `Addresses.remove`."""
        self._each("removing", RTM_DELADDR, interface, addresses, errno.EADDRNOTAVAIL)

    def close(self) -> None:
        """Give the socket back."""
        self._channel.close()

    def _each(self, doing: str, kind: int, interface: str, addresses: tuple[Address, ...], fine: int) -> None:
        """All are tried; the first refusal is raised then."""
        refusals = []
        for item in addresses:
            where = item.interface or interface
            try:
                self._channel.ask(kind, encode_address(item, socket.if_nametoindex(where)))
            except Refused as refusal:
                if refusal.number != fine:
                    refusals.append(f"{doing} {item.address}/{item.prefix} on {where}: {refusal}")
            except OSError:
                refusals.append(f"{doing} {item.address}/{item.prefix}: there is no interface {where}")
        if refusals:
            raise PlaneError("; ".join(refusals))


def encode_address(item: Address, index: int) -> bytes:
    """The payload of RTM_NEWADDR and RTM_DELADDR. An IPv6 /128 is deprecated, so that nobody takes it as a source."""
    six = ":" in item.address
    message = ifaddrmsg()
    message["family"] = socket.AF_INET6 if six else socket.AF_INET
    message["prefixlen"], message["index"] = item.prefix, index
    message["scope"] = SCOPES[item.scope]
    message["flags"] = NODAD if six else 0
    message["attrs"] = [("IFA_LOCAL", item.address), ("IFA_ADDRESS", item.address)]
    if item.label:
        message["attrs"].append(("IFA_LABEL", item.label))
    if item.broadcast:
        message["attrs"].append(("IFA_BROADCAST", _broadcast(item)))
    if six and item.prefix == 128:
        cache = {"ifa_preferred": 0, "ifa_valid": FOREVER, "cstamp": 0, "tstamp": 0}
        message["attrs"].append(("IFA_CACHEINFO", cache))
    message.encode()
    return bytes(message.data[HEADER.size :])


def _broadcast(item: Address) -> str:
    if item.broadcast != "+":
        return item.broadcast
    return str(ipaddress.ip_interface(f"{item.address}/{item.prefix}").network.broadcast_address)


class NetlinkLinks:
    """See `actors.planes.network.Links`."""

    def __init__(self) -> None:
        self._watched: dict[str, Changed] = {}
        self._told: dict[str, LinkEvent] = {}
        self._channel = Channel(partial(connect, NETLINK_ROUTE))
        self._monitor = connect(NETLINK_ROUTE, GROUPS, BUFFER)
        self._reader = gevent.spawn(self._read)

    def watch(self, interface: str, changed: Changed) -> None:
        """See `Links.watch`."""
        self._watched[interface] = changed
        self._told.pop(interface, None)
        self._tell()

    def unwatch(self, interface: str) -> None:
        """See `Links.unwatch`."""
        self._watched.pop(interface, None)

    def close(self) -> None:
        """Give the sockets back."""
        self._reader.kill()
        self._monitor.close()
        self._channel.close()

    def _read(self) -> None:
        while True:
            try:
                self._monitor.recv(65536)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                log.warning("news of links were lost, all is read anew")
            gevent.sleep(GATHER)
            self._tell()

    def _tell(self) -> None:
        """Say of each watched interface what is new."""
        if not self._watched:
            return
        try:
            present = self._present()
        except Refused as refusal:
            log.error("links cannot be read", reason=str(refusal))
            return
        for interface, changed in tuple(self._watched.items()):
            event = present.get(interface, LinkEvent(interface, False))
            if self._told.get(interface) != event:
                self._told[interface] = event
                changed(event)

    def _present(self) -> dict[str, LinkEvent]:
        dump = self._dump(ifinfmsg(), RTM_GETLINK, RTM_NEWLINK)
        links = [_decoded(ifinfmsg, RTM_NEWLINK, payload) for payload in dump]
        addresses: dict[int, list[str]] = {}
        for payload in self._dump(ifaddrmsg(), RTM_GETADDR, RTM_NEWADDR):
            message = _decoded(ifaddrmsg, RTM_NEWADDR, payload)
            address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            addresses.setdefault(message["index"], []).append(str(address))
        return {event.interface: event for event in (_event(link, addresses) for link in links)}

    def _dump(self, request: Any, kind: int, answer: int) -> list[bytes]:
        request.encode()
        return self._channel.ask(kind, bytes(request.data[HEADER.size :]), dump=True, answer=answer)


def _decoded(codec: Any, kind: int, payload: bytes) -> Any:
    message = codec(HEADER.pack(HEADER.size + len(payload), kind, 0, 0, 0) + payload)
    message.decode()
    return message


def _event(link: Any, addresses: dict[int, list[str]]) -> LinkEvent:
    up = link["flags"] & UP_AND_RUNNING == UP_AND_RUNNING
    own = tuple(addresses.get(link["index"], ()))
    return LinkEvent(link.get_attr("IFLA_IFNAME"), up, link.get_attr("IFLA_ADDRESS") or "", own)
