"""Sockets as this plane needs them: the operating system's own, never blocking, also under gevent's monkey patch.

A relay waits by its own watchers of the event loop, so a socket that switches greenlets would only be in the way.
"""

import errno
import socket
import struct
from _socket import socket as NativeSocket
from contextlib import suppress

from actors.core.table import Destination, ServiceKey

READ, WRITE = 1, 2
"""Events of a loop's io watcher."""

BACKLOG = 1024
KEEPALIVE = ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 300))
"""A peer that vanished without a word is found out, otherwise its relay would stay for ever."""

FREEBIND = {4: (socket.IPPROTO_IP, 15), 6: (socket.IPPROTO_IPV6, 78)}
"""Linux' IP_FREEBIND and IPV6_FREEBIND, by family: a virtual address may be on another router now, and come here."""

_RESET = struct.pack("ii", 1, 0)


def listening(key: ServiceKey) -> NativeSocket:
    """A socket bound to a service's address, and listening when it is TCP's; raises OSError.

    What is accepted inherits its options.
    """
    sock = _socket(key.address, socket.SOCK_DGRAM if key.protocol == "udp" else socket.SOCK_STREAM)
    try:
        if key.family == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(*FREEBIND[key.family], 1)
        if key.protocol == "tcp":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _lively(sock)
        sock.bind((key.address, key.port))
        if key.protocol == "tcp":
            sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def accept(listener: NativeSocket) -> tuple[NativeSocket, tuple[str, int]]:
    """The next client and its address; raises OSError."""
    fd, address = listener._accept()  # type: ignore[attr-defined]
    client = NativeSocket(listener.family, socket.SOCK_STREAM, 0, fd)
    client.setblocking(False)
    return client, address[:2]


def dial(destination: Destination, kind: int) -> NativeSocket:
    """A socket that is, or is being, connected to the destination; raises OSError when that failed at once."""
    sock = _socket(destination.address, kind)
    try:
        if kind == socket.SOCK_STREAM:
            _lively(sock)
        error = sock.connect_ex(destination.key)
        if error not in (0, errno.EINPROGRESS):
            raise OSError(error, "connecting failed at once")
    except OSError:
        sock.close()
        raise
    return sock


def break_off(sock: NativeSocket) -> None:
    """Close so that the other end sees a reset."""
    with suppress(OSError):  # closed already
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()


def is_broken(sock: NativeSocket) -> bool:
    """Whether the other end has reset the connection meanwhile."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def _socket(address: str, kind: int) -> NativeSocket:
    return NativeSocket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind | socket.SOCK_NONBLOCK)


def _lively(sock: NativeSocket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for level, option, value in KEEPALIVE:
        sock.setsockopt(level, option, value)
