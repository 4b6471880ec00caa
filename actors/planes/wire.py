"""Raw sockets: adverts in and out, announcements out. Watchers and callbacks of the loop; nothing blocks."""

import contextlib
import ctypes
import socket
import struct
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from gevent import get_hub, monkey

from actors.core.packet import decode_datagram
from actors.core.packet_values import PROTOCOL, Reject
from actors.planes import PlaneError
from actors.planes.network import Endpoint, Received

NativeSocket = monkey.get_original("socket", "socket")

READ = 1
BURST = 64
TOS = 0xC0  # network control, as RFC 791 has it and keepalived sets it
SO_ATTACH_FILTER = 26
IPV6_RECVHOPLIMIT, IPV6_HOPLIMIT = 51, 52
Filter = list[tuple[int, int, int, int]]
Heard = Callable[[Received], None]



class Ear:
    """What is received on one interface in one family, handed to the routers by VRID."""

    def __init__(self, interface: str, family: int) -> None:
        self.routers: dict[int, tuple[Endpoint, Heard]] = {}
        self._interface = interface
        self._family = family
        self._groups: set[str] = set()
        self._socket = _receiver(interface, family)
        self._watcher = get_hub().loop.io(self._socket.fileno(), READ)
        self._watcher.start(self.read)

    def add(self, endpoint: Endpoint, heard: Heard) -> None:
        """Hear the adverts of one more router."""
        for group in endpoint.destinations:
            if _is_multicast(group) and group not in self._groups:
                _join(self._socket, self._family, group, self._interface)
                self._groups.add(group)
        self.routers[endpoint.vrid] = (endpoint, heard)
        self._filter()

    def drop(self, vrid: int) -> None:
        """Hear no more of a router."""
        self.routers.pop(vrid, None)
        self._filter()

    def close(self) -> None:
        """Give the socket back."""
        self._watcher.stop()
        self._watcher.close()
        self._socket.close()

    def read(self) -> None:
        """Hand over what has arrived, at most a burst: the loop comes again when there is more."""
        for _ in range(BURST):
            try:
                data, extra, _, sender = self._socket.recvmsg(65535, 256)
            except OSError:  # nothing more, or the interface is gone: the link actor tells
                return
            received = self._received(data, extra, sender)
            if received is not None and len(received.pdu) > 1 and received.pdu[1] in self.routers:
                self.routers[received.pdu[1]][1](received)

    def _received(self, data: bytes, extra: list[Any], sender: Any) -> Received | None:
        if self._family == 4:
            datagram = decode_datagram(data)
            if isinstance(datagram, Reject):
                return None
            header = datagram.header
            return Received(datagram.pdu, header.source, header.destination, header.ttl)
        facts = {kind: value for level, kind, value in extra if level == socket.IPPROTO_IPV6}
        hops = facts.get(IPV6_HOPLIMIT)
        aimed = facts.get(socket.IPV6_PKTINFO, b"")[:16]
        destination = socket.inet_ntop(socket.AF_INET6, aimed) if len(aimed) == 16 else "::"
        ttl = int.from_bytes(hops, "little") if hops else None
        return Received(data, sender[0].partition("%")[0], destination, ttl)

    def _filter(self) -> None:
        """Have the kernel drop the adverts of other routers on the link."""
        _attach(self._socket, vrid_filter(self._family, sorted(self.routers)))


class RawWire:
    """See `actors.planes.network.Wire`. Needs CAP_NET_RAW."""

    def __init__(self) -> None:
        self._ears: dict[tuple[str, int], Ear] = {}
        self._mouths: dict[Endpoint, Any] = {}
        self._shouts: dict[str, Any] = {}

    def open(self, endpoint: Endpoint, source: str, heard: Heard) -> None:
        """See `Wire.open`."""
        where = (endpoint.interface, endpoint.family)
        try:
            self._mouths[endpoint] = _sender(endpoint, source)
            if where not in self._ears:
                self._ears[where] = Ear(*where)
            self._ears[where].add(endpoint, heard)
        except OSError as error:
            self.close(endpoint)
            raise PlaneError(f"opening VRRP on {endpoint.interface}: {error.strerror or error}") from None

    def close(self, endpoint: Endpoint) -> None:
        """See `Wire.close`."""
        mouth = self._mouths.pop(endpoint, None)
        if mouth is not None:
            mouth.close()
        where = (endpoint.interface, endpoint.family)
        ear = self._ears.get(where)
        if ear is not None:
            ear.drop(endpoint.vrid)
            if not ear.routers:
                self._ears.pop(where).close()

    def send(self, endpoint: Endpoint, destination: str, pdu: bytes) -> None:
        """See `Wire.send`."""
        try:
            self._mouths[endpoint].sendto(pdu, (destination, 0))
        except OSError as error:
            raise PlaneError(f"sending to {destination} on {endpoint.interface}: {error.strerror or error}") from None

    def drain(self, endpoint: Endpoint) -> None:
        """See `Wire.drain`."""
        ear = self._ears.get((endpoint.interface, endpoint.family))
        if ear is not None:
            ear.read()

    def announce(self, interface: str, frame: bytes) -> None:
        """See `Wire.announce`."""
        try:
            self._shout(interface).send(frame)
        except OSError as error:
            with contextlib.suppress(KeyError):
                self._shouts.pop(interface).close()
            raise PlaneError(f"announcing on {interface}: {error.strerror or error}") from None

    def stop(self) -> None:
        """Give every socket back."""
        for endpoint in tuple(self._mouths):
            self.close(endpoint)
        for sock in self._shouts.values():
            sock.close()
        self._shouts.clear()

    def _shout(self, interface: str) -> Any:
        if interface not in self._shouts:
            sock = NativeSocket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._shouts[interface] = sock
            sock.setblocking(False)
            sock.bind((interface, 0))
        return self._shouts[interface]


def vrid_filter(family: int, vrids: list[int]) -> Filter:
    """A classic BPF program that passes adverts of these VRIDs only: with IPv4 it sees the IP header, with IPv6 not."""
    load: Filter = [(0xB1, 0, 0, 0), (0x50, 0, 0, 1)] if family == 4 else [(0x30, 0, 0, 1)]
    matches: Filter = [(0x15, len(vrids) - place, 0, vrid) for place, vrid in enumerate(vrids)]
    return [*load, *matches, (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF)]


def _attach(sock: Any, program: Filter) -> None:
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    buffer = bytearray(code)
    address = (ctypes.c_char * len(buffer)).from_buffer(buffer)
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(address)))


def _receiver(interface: str, family: int) -> Any:
    sock = NativeSocket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_RAW, PROTOCOL)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        if family == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    except OSError:
        sock.close()
        raise
    return sock


def _sender(endpoint: Endpoint, source: str) -> Any:
    """A socket that only sends: a filter drops whatever the kernel would put into it."""
    sock = NativeSocket(socket.AF_INET if endpoint.family == 4 else socket.AF_INET6, socket.SOCK_RAW, PROTOCOL)
    try:
        sock.setblocking(False)
        _attach(sock, [(0x06, 0, 0, 0)])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, endpoint.interface.encode() + b"\0")
        index = socket.if_nametoindex(endpoint.interface)
        (_speak_4 if endpoint.family == 4 else _speak_6)(sock, endpoint, source, index)
    except OSError:
        sock.close()
        raise
    return sock


def _speak_4(sock: Any, endpoint: Endpoint, source: str, index: int) -> None:
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, endpoint.ttl)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, TOS)
    where = socket.inet_aton("0.0.0.0") + socket.inet_aton(source) + struct.pack("=i", index)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, where)
    sock.bind((source, 0))


def _speak_6(sock: Any, endpoint: Endpoint, source: str, index: int) -> None:
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, endpoint.ttl)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, TOS)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    sock.bind((source, 0, 0, index))


def _join(sock: Any, family: int, group: str, interface: str) -> None:
    index = socket.if_nametoindex(interface)
    if family == 4:
        request = socket.inet_aton(group) + socket.inet_aton("0.0.0.0") + struct.pack("=i", index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    else:
        request = socket.inet_pton(socket.AF_INET6, group) + struct.pack("=I", index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)


def _is_multicast(address: str) -> bool:
    return ip_address(address).is_multicast
