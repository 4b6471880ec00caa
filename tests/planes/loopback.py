"""Servers, clients and a plane on the loopback interface, all in the one event loop of the test."""

import os
import socket
from collections.abc import Callable
from typing import Any

import gevent
from gevent import socket as gsocket
from gevent.server import StreamServer

from actors.core.table import AddDestination, AddService, Destination, Edit, Service, ServiceKey
from actors.planes.userspace import UserspacePlane
from tests.planes.contract import free_port, key_of

LIMIT = 10.0

Talk = Callable[[Any], None]


def until(holds: Callable[[], bool]) -> None:
    """Let the event loop run until something holds."""
    with gevent.Timeout(LIMIT, AssertionError("it never came to hold")):
        while not holds():
            gevent.sleep(0)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def connect(key: ServiceKey | Destination) -> Any:
    """A client's connection, which waits for at most `LIMIT`."""
    return gsocket.create_connection((key.address, key.port), timeout=LIMIT)


def say(key: ServiceKey, words: bytes = b"?") -> bytes:
    """What the server says, to the end, when a client has spoken and ended."""
    with connect(key) as sock:
        sock.sendall(words)
        sock.shutdown(socket.SHUT_WR)
        return heard(sock)


def heard(sock: Any) -> bytes:
    """All that comes until the end of the stream."""
    return b"".join(iter(lambda: sock.recv(65536), b""))


def fate(sock: Any) -> str:
    """How a connection ends: ``end``, ``reset``, or what came instead."""
    try:
        return sock.recv(100).decode() or "end"
    except ConnectionResetError:
        return "reset"


class Server:
    """A TCP server that runs ``talk`` for each connection; without one it says its name and ends."""

    def __init__(self, name: str = "a", talk: Talk | None = None, address: str = "127.0.0.1") -> None:
        self._name = name.encode()
        self._talk = talk or self._introduce
        self.connections: list[Any] = []
        self._server = StreamServer((address, 0), self._serve)
        self._server.start()
        self.port = self._server.server_port
        self.destination = Destination(address, self.port)

    def stop(self) -> None:
        self._server.stop(timeout=0)
        for connection in self.connections:
            connection.close()

    def _serve(self, connection: Any, _: Any) -> None:
        self.connections.append(connection)
        try:
            self._talk(connection)
        except OSError:
            connection.close()

    def _introduce(self, connection: Any) -> None:
        heard(connection)
        connection.sendall(self._name)


def refusing(address: str = "127.0.0.1", weight: int = 1) -> Destination:
    """A server that nobody runs."""
    return Destination(address, free_port(6 if ":" in address else 4, socket.SOCK_STREAM), weight)


class Mute:
    """A server whose host does not answer: its queue is full, so that it takes no more connections."""

    def __init__(self) -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self.destination = Destination(*self._listener.getsockname())
        self._fillers = [self._fill() for _ in range(2)]

    def stop(self) -> None:
        for sock in (self._listener, *self._fillers):
            sock.close()

    def _fill(self) -> socket.socket:
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(self.destination.key)
        return sock


class Stage:
    """A plane, and the servers that a test puts behind it."""

    def __init__(self) -> None:
        self.plane = UserspacePlane()
        self.plane.open()
        self.servers: list[Server | Mute] = []

    def server(self, name: str = "a", talk: Talk | None = None, address: str = "127.0.0.1") -> Destination:
        server = Server(name, talk, address)
        self.servers.append(server)
        return server.destination

    def mute(self) -> Destination:
        server = Mute()
        self.servers.append(server)
        return server.destination

    def service(self, *servers: Destination, family: int = 4, protocol: str = "tcp", **attributes: Any) -> ServiceKey:
        """A service with these servers, round robin unless said otherwise."""
        key = key_of(family, protocol)
        self.apply(AddService(Service(key, **{"scheduler": "rr", **attributes})))
        self.apply(*(AddDestination(key, server) for server in servers))
        return key

    def apply(self, *edits: Edit) -> None:
        for edit in edits:
            self.plane.apply(edit)

    def open_connections(self, key: ServiceKey) -> int:
        return sum(self.plane.connections(key).values())

    def close(self) -> None:
        self.plane.close()
        for server in self.servers:
            server.stop()
