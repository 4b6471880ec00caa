"""A TCP service: accepts clients, finds each a server, and relays."""

import errno
import os
import socket
from typing import Any

import structlog
from gevent import get_hub, monkey

from actors.core.table import Destination, title
from actors.planes.userspace.pool import Client, Key, LivePool
from actors.planes.userspace.relay import READ, Connecting, Relay, descriptors_run_out, reset

BACKLOG = 1024
BURST = 64
"""Clients accepted in one go."""
CONNECT_LIMIT = 3.0
"""Seconds that a server has to take a connection before another is tried."""
PAUSE = 0.1
"""Seconds without accepting when descriptors run out."""
SILENCE = 900
"""Seconds of silence after which an end is asked whether it still lives: IPVS forgets a connection then."""

NativeSocket = monkey.get_original("socket", "socket")
"""The operating system's socket, also where the standard library is patched: a relay waits by its own watchers."""

log = structlog.get_logger()


class TcpService:
    """Listens on a service's address. A server that refuses a connection is made good by another, each tried once."""

    def __init__(self, pool: LivePool, connect_limit: float = CONNECT_LIMIT) -> None:
        """Raises OSError when the address cannot be listened on."""
        self.pool = pool
        self._connect_limit = connect_limit
        self._connecting: dict[Connecting, tuple[Key, Client, frozenset[Key]]] = {}
        self._relays: dict[Relay, Key] = {}
        self._is_short = False
        key = pool.service.key
        self._socket = _listen(key.family, key.address, key.port)
        self._loop = get_hub().loop
        self._watcher: Any = self._loop.io(self._socket.fileno(), READ)
        self._watcher.start(self._accept)
        self._pause: Any = self._loop.timer(PAUSE)

    def drop(self, key: Key) -> None:
        """Reset the connections of a server that was removed: it is gone, and they would hang."""
        for relay in [relay for relay, to in self._relays.items() if to == key]:
            relay.abort()
        for connecting in [connecting for connecting, (to, _, _) in self._connecting.items() if to == key]:
            connecting.cancel()
            self._connected(connecting, errno.ECONNABORTED)

    def close(self) -> None:
        """Stop listening and reset every connection."""
        for watcher in (self._watcher, self._pause):
            watcher.stop()
            watcher.close()
        self._socket.close()
        for connecting in tuple(self._connecting):
            connecting.abort()
        self._connecting.clear()
        for relay in tuple(self._relays):
            relay.abort()

    def _accept(self) -> None:
        for _ in range(BURST):
            try:
                fd, address = self._socket._accept()  # accept() would make a patched socket of it
            except BlockingIOError:
                self._is_short = False
                return
            except OSError as error:
                self._refused(error.errno or 0)
                return
            client = NativeSocket(self._socket.family, socket.SOCK_STREAM, 0, fileno=fd)
            if descriptors_run_out(fd):
                _turn_away(client)
                self._refused(errno.EMFILE)
                return
            client.setblocking(False)
            self._serve(client, address[:2], frozenset())

    def _refused(self, error: int) -> None:
        """A client gone before it was accepted is nothing; without descriptors, wait for some to come back."""
        if error not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            return
        if not self._is_short:
            log.warning("accepting pauses", service=title(self.pool.service.key), reason=os.strerror(error))
        self._is_short = True
        self._watcher.stop()
        self._pause.start(self._watcher.start, self._accept, update=True)

    def _serve(self, client: socket.socket, address: Client, tried: frozenset[Key]) -> None:
        """Connect the client to a server that was not tried yet; without one, reset it."""
        while destination := self.pool.choose(address, tried):
            key = destination.key
            server, error = _dial(destination)
            if error == 0:
                self.pool.opened(key)
                self._relay(client, server, key)
                return
            if error == errno.EINPROGRESS:
                self.pool.opened(key)
                connecting = Connecting(client, server, self._connect_limit, self._connected)
                self._connecting[connecting] = (key, address, tried)
                return
            tried |= {key}
        _turn_away(client)

    def _connected(self, connecting: Connecting, error: int) -> None:
        key, address, tried = self._connecting.pop(connecting)
        if not error:
            self._relay(connecting.client, connecting.server, key)
            return
        connecting.server.close()
        self.pool.closed(key)
        self._serve(connecting.client, address, tried | {key})

    def _relay(self, client: socket.socket, server: socket.socket, key: Key) -> None:
        relay = Relay(client, server, self._gone)
        self._relays[relay] = key
        relay.start()

    def _gone(self, relay: Relay) -> None:
        self.pool.closed(self._relays.pop(relay))


def _listen(family: int, address: str, port: int) -> Any:
    listener = NativeSocket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == 6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _tune(listener)  # what it accepts inherits this
        listener.bind((address, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _dial(destination: Destination) -> tuple[Any, int]:
    """A socket and the errno of its connecting: 0 when it is connected already, as servers nearby often are.

    With an errno other than EINPROGRESS there is no socket.
    """
    try:
        server = NativeSocket(socket.AF_INET6 if ":" in destination.address else socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        return None, error.errno or errno.EMFILE
    server.setblocking(False)
    _tune(server)
    number = server.connect_ex(destination.key)
    if number in (0, errno.EINPROGRESS):
        return server, number
    server.close()
    return None, number


def _tune(sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENCE)


def _turn_away(client: Any) -> None:
    reset(client)
    client.close()
