"""Raw sockets for VRRP as the kernel wants them set up: who hears what, and what goes out from where.

The functions raise OSError, and leave no socket behind when they do.
"""

import contextlib
import ctypes
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

from gevent import monkey

from actors.core.packet import TOS
from actors.core.packet_values import AH_PROTOCOL
from actors.planes.network import Endpoint

NativeSocket = monkey.get_original("socket", "socket")
"""Never waits in these files, so it needs none of gevent's patience."""

FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
BUFFER = 1 << 20
"""Bytes of adverts that may wait, for a process that was stopped and comes back."""

# linux/in.h, linux/in6.h, asm-generic/socket.h: what Python's socket module has no names for.
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33
IP_HDRINCL, IP_MTU_DISCOVER, IP_TRANSPARENT, IP_MULTICAST_ALL = 3, 10, 19, 49
IP_PMTUDISC_DONT = 0
IPV6_MULTICAST_ALL, IPV6_FREEBIND = 29, 78

Program = list[tuple[int, int, int, int]]
"""Classic BPF: code, jump if true, jump if false, operand."""

NOTHING: Program = [(0x06, 0, 0, 0)]
"""Passes no packet."""

WHOLE: Program = [(0x06, 0, 0, 0xFFFFFFFF)]
"""Passes a packet."""


def vrid_program(family: int, vrids: Iterable[int], place: int = 1) -> Program:
    """Passes the adverts of these VRIDs, at most 255 of them, and not those of other routers.

    What can be no router's is passed too, for the reader to count: VRID 0, and what is too short to have one. With IPv4
    the kernel shows it the IP header too. ``place`` is which byte of the payload, counted from 0, is the VRID.
    """
    # X = length of the IP header; A = what is left of the packet, with the VRID at least; A = the VRID, not 0.
    header: Program = [(0xB1, 0, 0, 0)] if family == 4 else [(0x01, 0, 0, 0)]
    measure: Program = [(0x80, 0, 0, 0), (0x1C, 0, 0, 0), (0x35, 1, 0, place + 1), *WHOLE]
    load: Program = [(0x50, 0, 0, place), (0x15, 0, 1, 0), *WHOLE]
    # X = its last five bits; A = the others; A = the word of the set that those choose, shifted by X; is it odd?
    split: Program = [(0x02, 0, 0, 0), (0x54, 0, 0, 31), (0x07, 0, 0, 0), (0x60, 0, 0, 0), (0x74, 0, 0, 5)]
    choose: Program = [*_choice(vrids), *NOTHING]
    look: Program = [(0x7C, 0, 0, 0), (0x45, 0, 1, 1), *WHOLE, *NOTHING]
    return [*header, *measure, *load, *split, *choose, *look]


def _choice(vrids: Iterable[int]) -> Program:
    """A = the word of the set with the number A; and past the one line that is for numbers without a word."""
    words: dict[int, int] = {}
    for vrid in vrids:
        words[vrid >> 5] = words.get(vrid >> 5, 0) | 1 << (vrid & 31)
    lines: Program = []
    for left, (number, word) in zip(reversed(range(len(words))), words.items(), strict=True):
        lines += [(0x15, 0, 2, number), (0x00, 0, 0, word), (0x05, 0, 0, 3 * left + 1)]
    return lines


def attach(sock: Any, program: Program) -> None:
    """Have the kernel drop what ``program`` does not pass, in the place of an earlier program."""
    code = ctypes.create_string_buffer(b"".join([struct.pack("HBBI", *line) for line in program]))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(code)))


def receiver(interface: str, family: int, protocol: int) -> Any:
    """Hears nothing until `attach` gives it a filter, and no other interface's packets ever."""
    return _made(family, protocol, lambda sock: _listen(sock, interface, family))


def _listen(sock: Any, interface: str, family: int) -> None:
    _bind_to(sock, interface)
    # What came before these two lines may be any interface's.
    while not _is_empty(sock):
        pass
    with contextlib.suppress(PermissionError):
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    if family == 4:
        sock.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
        return
    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)


def sender(endpoint: Endpoint, source: str) -> Any:
    """Sends from ``source`` through the endpoint's interface, multicast with 255 hops and unicast with its ``ttl``.

    This machine does not hear its own multicast. An IPv4 source may be nobody's address, as ``mcast_src_ip`` allows; an
    IPv6 source must be ready for use, unless the interface ``borrows`` it from another one.
    """
    speak = _speak_4 if endpoint.family == 4 else _speak_6
    return _made(endpoint.family, endpoint.protocol, lambda sock: speak(sock, endpoint, source))


def _speak_4(sock: Any, endpoint: Endpoint, source: str) -> None:
    _bind_to(sock, endpoint.interface)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, endpoint.ttl)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, TOS)
    sock.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
    # Without "don't fragment" the kernel counts the identification up; with it that is 0, as keepalived's never is.
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    if endpoint.protocol == AH_PROTOCOL:
        sock.setsockopt(socket.IPPROTO_IP, IP_HDRINCL, 1)
    sock.bind((source, 0))


def _speak_6(sock: Any, endpoint: Endpoint, source: str) -> None:
    _bind_to(sock, endpoint.interface)
    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, int(endpoint.borrows))
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, endpoint.ttl)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, TOS)
    sock.bind((source, 0, 0, socket.if_nametoindex(endpoint.interface)))


def frame_sender() -> Any:
    """Sends whole Ethernet frames through any interface, and receives nothing (protocol 0)."""
    sock = NativeSocket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setblocking(False)
    return sock


def join(sock: Any, family: int, group: str, index: int) -> None:
    """Have the interface with this index receive the group's packets."""
    _membership(sock, family, group, index, socket.IP_ADD_MEMBERSHIP, socket.IPV6_JOIN_GROUP)


def leave(sock: Any, family: int, group: str, index: int) -> None:
    """The reverse of `join`; an interface that has gone is no error."""
    with contextlib.suppress(OSError):
        _membership(sock, family, group, index, socket.IP_DROP_MEMBERSHIP, socket.IPV6_LEAVE_GROUP)


def _membership(sock: Any, family: int, group: str, index: int, option_4: int, option_6: int) -> None:
    number = socket.inet_pton(FAMILIES[family], group)
    if family == 4:
        sock.setsockopt(socket.IPPROTO_IP, option_4, number + bytes(4) + struct.pack("=i", index))
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, option_6, number + struct.pack("=I", index))


def _made(family: int, protocol: int, prepare: Callable[[Any], None]) -> Any:
    """A raw socket that passes nothing yet, prepared."""
    sock = NativeSocket(FAMILIES[family], socket.SOCK_RAW, protocol)
    try:
        sock.setblocking(False)
        attach(sock, NOTHING)
        prepare(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def _bind_to(sock: Any, interface: str) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")


def _is_empty(sock: Any) -> bool:
    try:
        sock.recv(1)
    except BlockingIOError:
        return True
    return False
