"""Loopback for the userspace plane: servers, clients, and a plane with one service. Nothing waits beyond `LIMIT`."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from gevent import Timeout
from gevent import socket as green
from gevent.event import AsyncResult
from gevent.pool import Pool
from gevent.server import StreamServer

from actors.core.table import AddDestination, AddService, Destination, Service, ServiceKey, in_use
from actors.planes.userspace import UserspacePlane

LIMIT = 10.0
Address = tuple[str, int]


@contextmanager
def bounded() -> Iterator[None]:
    """Fail rather than hang."""
    with Timeout(LIMIT):
        yield


def descriptors() -> int:
    """Files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def free_port(kind: int = socket.SOCK_STREAM, host: str = "127.0.0.1") -> int:
    """A port that nobody has."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        return port


class Server:
    """A TCP server that handles each connection by ``talk``; ``met`` counts them, ``held`` are those still open."""

    def __init__(self, talk: Callable[[Any], object], host: str = "127.0.0.1") -> None:
        self.met = 0
        self.held: list[Any] = []
        self._talk = talk
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = green.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, 0))
        listener.listen(512)
        self._server = StreamServer(listener, self._handle, spawn=Pool())
        self._server.start()
        self.address: Address = (host, self._server.server_port)

    def close(self) -> None:
        """Listen no more, and let go of every connection."""
        self._server.stop(0)
        for sock in self.held:
            sock.close()

    def _handle(self, sock: Any, address: Any) -> None:
        self.met += 1
        self.held.append(sock)
        try:
            self._talk(sock)
        except OSError:
            return

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def naming(name: bytes) -> Server:
    """A server that says its name and closes."""

    def talk(sock: Any) -> None:
        sock.sendall(name)
        sock.close()

    return Server(talk)


def holding(host: str = "127.0.0.1") -> Server:
    """A server that listens and says nothing."""
    return Server(read, host)


def echoing(host: str = "127.0.0.1") -> Server:
    """A server that sends all back, and its end of stream after the client's."""

    def talk(sock: Any) -> None:
        while data := sock.recv(65536):
            sock.sendall(data)
        sock.close()

    return Server(talk, host)


class Front:
    """A plane with one service at ``address``; ``pool`` is its live pool."""

    def __init__(self, protocol: str = "tcp", host: str = "127.0.0.1", **attributes: Any) -> None:
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        self.address: Address = (host, free_port(kind, host))
        self.key = ServiceKey(6 if ":" in host else 4, *self.address, protocol)
        self.service = Service(self.key, **({"scheduler": "rr"} | attributes))
        self.plane = UserspacePlane()
        self.plane.apply(AddService(self.service))

    def add(self, *addresses: Address, **attributes: Any) -> None:
        """Add servers."""
        for address in addresses:
            self.plane.apply(AddDestination(self.key, Destination(*address, **attributes)))

    def client(self) -> Any:
        """A connected client."""
        sock = green.socket(socket.AF_INET6 if self.key.family == 6 else socket.AF_INET, socket.SOCK_STREAM)
        sock.connect(self.address)
        return sock

    def fetch(self) -> bytes:
        """All that a new client is sent; raises ConnectionError when it is reset."""
        with self.client() as sock:
            return read(sock)

    def open(self) -> dict[Address, int]:
        """Open connections of each server."""
        return {place: in_use(self.key, load) for place, load in self.plane.loads(self.key).servers.items()}

    def close(self) -> None:
        """Stop the plane."""
        self.plane.close()

    def __enter__(self) -> "Front":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def read(sock: Any) -> bytes:
    """All up to the end of stream."""
    data = bytearray()
    while chunk := sock.recv(65536):
        data += chunk
    return bytes(data)


def until(fact: Callable[[], bool]) -> None:
    """Let the loop turn until the fact holds; the caller's time limit bounds it."""
    done: AsyncResult[None] = AsyncResult()
    hub = gevent.get_hub()
    timer = hub.loop.timer(0, 0.001)
    timer.start(lambda: done.set(None) if fact() else None)
    try:
        done.get(timeout=LIMIT)
    finally:
        timer.stop()
        timer.close()
