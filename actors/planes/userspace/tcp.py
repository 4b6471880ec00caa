"""A TCP service: accepts clients, finds each a server, and relays."""

import errno
import os
import socket
from typing import Any

import structlog
from gevent import get_hub, monkey

from actors.core.table import Destination
from actors.planes.userspace.pool import Key, LivePool
from actors.planes.userspace.relay import READ, Connecting, Relay, reset

BACKLOG = 1024
BURST = 64
"""Clients accepted in one go."""
CONNECT_LIMIT = 3.0
"""Seconds that a server has to take a connection before another is tried."""
PAUSE = 0.1
"""Seconds without accepting after the process ran out of descriptors."""

NativeSocket = monkey.get_original("socket", "socket")
"""The operating system's socket, also where the standard library is patched: a relay waits by its own watchers."""

log = structlog.get_logger()


class TcpService:
    """Listens on a service's address. A server that refuses a connection is made good by another, each tried once."""

    def __init__(self, pool: LivePool) -> None:
        """Raises OSError when the address cannot be listened on."""
        self.pool = pool
        self._connecting: dict[Connecting, Key] = {}
        self._relays: dict[Relay, Key] = {}
        key = pool.service.key
        self._socket = _listen(key.family, key.address, key.port)
        self._loop = get_hub().loop
        self._watcher: Any = self._loop.io(self._socket.fileno(), READ)
        self._watcher.start(self._accept)
        self._pause: Any = None

    def drop(self, key: Key) -> None:
        """Reset the connections of a server that was removed: it is gone, and they would hang."""
        for relay in [relay for relay, to in self._relays.items() if to == key]:
            relay.abort()

    def close(self) -> None:
        """Stop listening and reset every connection."""
        for watcher in filter(None, (self._watcher, self._pause)):
            watcher.stop()
            watcher.close()
        self._socket.close()
        for connecting in tuple(self._connecting):
            connecting.cancel()
            connecting.sock.close()
        for relay in tuple(self._relays):
            relay.abort()

    def _accept(self) -> None:
        for _ in range(BURST):
            try:
                fd, address = self._socket._accept()  # accept() would make a patched socket of it
            except BlockingIOError:
                return
            except OSError as error:
                self._refused(error)
                return
            client = NativeSocket(self._socket.family, socket.SOCK_STREAM, 0, fileno=fd)
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve(client, address[:2], frozenset())

    def _refused(self, error: OSError) -> None:
        """A client gone before it was accepted is nothing; without descriptors, wait for some to come back."""
        if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            return
        log.warning("accepting pauses", service=str(self.pool.service.key), reason=os.strerror(error.errno))
        self._watcher.stop()
        self._pause = self._loop.timer(PAUSE)
        self._pause.start(self._go_on)

    def _go_on(self) -> None:
        self._pause.close()
        self._pause = None
        self._watcher.start(self._accept)

    def _serve(self, client: socket.socket, address: tuple[str, int], tried: frozenset[Key]) -> None:
        destination = self.pool.choose(address, tried)
        if destination is None:
            reset(client)
            client.close()
            return
        key = destination.key
        server = _dial(destination)
        if server is None:
            self._serve(client, address, tried | {key})
            return
        self.pool.opened(key)

        def done(sock: socket.socket, error: int) -> None:
            del self._connecting[connecting]
            if not error and key in self.pool.destinations:
                self._relay(client, sock, key)
                return
            sock.close()
            self.pool.closed(key)
            self._serve(client, address, tried | {key})

        connecting = Connecting(server, CONNECT_LIMIT, done)
        self._connecting[connecting] = key

    def _relay(self, client: socket.socket, server: socket.socket, key: Key) -> None:
        relay = Relay(client, server, self._gone)
        self._relays[relay] = key

    def _gone(self, relay: Relay) -> None:
        self.pool.closed(self._relays.pop(relay))


def _listen(family: int, address: str, port: int) -> Any:
    listener = NativeSocket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == 6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _dial(destination: Destination) -> Any:
    """A socket that is connecting to the destination; None when it failed at once, or there is no descriptor for it."""
    try:
        server = NativeSocket(socket.AF_INET6 if ":" in destination.address else socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return None
    server.setblocking(False)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if server.connect_ex((destination.address, destination.port)) in (0, errno.EINPROGRESS):
        return server
    server.close()
    return None
