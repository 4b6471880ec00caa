"""`Source`: how the packets of a probe leave this machine; and what the operating system is told of it."""

from enum import Enum
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    IP_TOS,
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_TCLASS,
    SO_BINDTODEVICE,
    SO_LINGER,
    SO_MARK,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_STREAM,
    SOL_SOCKET,
    inet_pton,
)
from struct import pack
from typing import Any, NamedTuple

IP_RECVERR, IPV6_RECVERR = 11, 25  # linux/in.h, linux/in6.h
IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h; Python 3.11 has no name for it


class Transport(Enum):
    """What a connection is made of. A Unix socket's address is its path. ``kind`` is the type of the sockets.

    ``ICMP`` sends echo requests as any user may whose group the kernel lets (net.ipv4.ping_group_range), ``RAW`` as
    root may: there the answers of IPv4 come with their IP header.
    """

    TCP = "tcp"
    UDP = "udp"
    UNIX = "unix"
    ICMP = "icmp"
    RAW = "raw"

    def __init__(self, name: str) -> None:
        kinds = {"udp": SOCK_DGRAM, "icmp": SOCK_DGRAM, "raw": SOCK_RAW}
        self.kind = int(kinds.get(name, SOCK_STREAM))

    def protocol(self, family: int) -> int:
        """The number that a socket of ``family`` is made with; 0 is the usual one."""
        if self not in (Transport.ICMP, Transport.RAW):
            return 0
        return int(IPPROTO_ICMPV6 if family == AF_INET6 else IPPROTO_ICMP)


class Source(NamedTuple):
    """How packets leave. Empty and 0: as the kernel chooses.

    ``bindto`` is a numeric address of this machine, ``fwmark`` a mark for its firewall and policy routing (needs
    CAP_NET_ADMIN), ``tos`` the byte of that name (the traffic class of IPv6), ``interface`` a name.
    """

    bindto: str = ""
    bind_port: int = 0
    fwmark: int = 0
    tos: int = 0
    interface: str = ""


ANY = Source()
"""As the kernel chooses."""


def where(address: str, port: int, transport: Transport) -> tuple[int, Any]:
    """Family of sockets and what to connect to; ``@name`` is a Unix socket's abstract name. Raises OSError for what is
    no numeric address: a name is not looked up, since that would block."""
    if transport is Transport.UNIX:
        return AF_UNIX, f"\0{address[1:]}" if address.startswith("@") else address
    if ":" in address:
        return AF_INET6, (address, port)
    inet_pton(AF_INET, address)
    return AF_INET, (address, port)


def prepare(sock: Any, source: Source) -> None:
    """Have what ``sock``, of IP, sends leave as ``source`` says. Raises OSError naming what was refused."""
    if source.interface:
        _set(sock, f"interface {source.interface}", SOL_SOCKET, SO_BINDTODEVICE, source.interface.encode() + b"\0")
    if source.fwmark:
        # Above 2^31 it is the same 32 bits; setsockopt takes signed numbers alone.
        _set(sock, f"fwmark {source.fwmark}", SOL_SOCKET, SO_MARK, pack("I", source.fwmark))
    if source.tos:
        six = sock.family == AF_INET6
        _set(sock, f"tos {source.tos}", *((IPPROTO_IPV6, IPV6_TCLASS) if six else (IPPROTO_IP, IP_TOS)), source.tos)
    if source.bindto or source.bind_port:
        _bind(sock, source.bindto, source.bind_port)


def hear_errors(sock: Any, transport: Transport) -> None:
    """Have what ICMP tells of datagrams, a host that cannot be reached among it, be an OSError of the next call."""
    if transport in (Transport.UDP, Transport.ICMP, Transport.RAW):
        six = sock.family == AF_INET6
        sock.setsockopt(*((IPPROTO_IPV6, IPV6_RECVERR) if six else (IPPROTO_IP, IP_RECVERR)), 1)


def _bind(sock: Any, bindto: str, bind_port: int) -> None:
    if bind_port:
        # The same four numbers are to be used again at the next probe, which TIME_WAIT would forbid for a minute.
        sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        sock.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
    else:
        sock.setsockopt(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    try:
        sock.bind((bindto, bind_port))
    except OSError as error:
        raise OSError(error.errno, f"bind to {bindto or '*'}:{bind_port}: {error.strerror}") from None


def _set(sock: Any, what: str, level: int, name: int, value: Any) -> None:
    try:
        sock.setsockopt(level, name, value)
    except OSError as error:
        raise OSError(error.errno, f"{what}: {error.strerror}") from None
