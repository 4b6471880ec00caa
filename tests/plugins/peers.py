"""Servers to be probed: on loopback, in native threads, each doing exactly as told; and one without sockets."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

Script = Callable[[socket.socket], None]


class Peer:
    """A running server: its port, and the addresses of its clients."""

    def __init__(self, family: int, script: Script, context: Any) -> None:
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        self._listener = socket.create_server((host, 0), family=family)
        self._script = script
        self._context = context
        self._threads: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]
        self.clients: list[tuple[str, int]] = []

    def accept(self) -> None:
        """Give each client a thread, until `close`."""
        while True:
            try:
                client, address = self._listener.accept()
            except OSError:
                return
            self.clients.append(address[:2])
            thread = threading.Thread(target=self._serve, args=(client,))
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Accept no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def end_clients(self) -> None:
        """Wait until the scripts of all clients so far have ended."""
        for thread in self._threads:
            thread.join(1)

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(1)
        with suppress(OSError), client:
            if self._context is None:
                self._script(client)
            else:
                with self._context.wrap_socket(client, server_side=True) as wrapped:
                    self._script(wrapped)


@contextmanager
def peer(script: Script = lambda client: None, family: int = socket.AF_INET, context: Any = None) -> Iterator[Peer]:
    """A server that runs ``script`` for each client, then closes the connection."""
    made = Peer(family, script, context)
    thread = threading.Thread(target=made.accept)
    thread.start()
    try:
        yield made
    finally:
        made.close()
        thread.join(1)
        made.end_clients()


@contextmanager
def datagrams(answer: Callable[[bytes], list[bytes]]) -> Iterator[int]:
    """The port of a server that sends ``answer(datagram)`` for each that comes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            while (came := sock.recvfrom(65536))[0] != b"end":
                for reply in answer(came[0]):
                    with suppress(OSError):
                        sock.sendto(reply, came[1])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            sock.sendto(b"end", sock.getsockname())
            thread.join(1)


@contextmanager
def no_leak() -> Iterator[None]:
    """Fails when a descriptor is open at the end that was not at the start, or the other way about."""
    before = _descriptors()
    yield
    assert _descriptors() == before


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class Wire:
    """A dial whose connections deliver ``answers`` in turn, ``step`` bytes at a time, and keep what was sent."""

    def __init__(self, *answers: bytes, step: int = 1 << 20) -> None:
        self._answers = list(answers)
        self._step = step
        self.sent: list[bytes] = []
        self.open = 0

    def connect(self, address: str, port: int, deadline: float, *source: Any) -> "WireSocket":
        """The next answer's connection."""
        self.open += 1
        return WireSocket(self, self._answers.pop(0), self._step)


class WireSocket:
    """One connection of a `Wire`."""

    def __init__(self, wire: Wire, answer: bytes, step: int) -> None:
        self._wire = wire
        self._answer = answer
        self._step = step
        self._closed = False

    def __enter__(self) -> "WireSocket":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Keep it."""
        self._wire.sent.append(data)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """The next bytes, none when all are delivered."""
        size = min(size, self._step)
        data, self._answer = self._answer[:size], self._answer[size:]
        return data

    def close(self) -> None:
        """Count once."""
        self._wire.open -= not self._closed
        self._closed = True
