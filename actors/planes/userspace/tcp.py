"""A TCP service: accepts clients, finds each a server, and relays."""

import errno
import os
import socket
from functools import partial
from typing import Any, NamedTuple

import structlog
from gevent import get_hub

from actors.core.balance import Key
from actors.core.table import Destination, title
from actors.planes.userspace.pool import STARVED, Client, LivePool
from actors.planes.userspace.relay import Relay
from actors.planes.userspace.sockets import (
    READ,
    WRITE,
    NativeSocket,
    accept,
    break_off,
    dial,
    is_broken,
    listening,
)

BURST = 64
"""Clients accepted in one go."""
CONNECT_LIMIT = 3.0
"""Seconds that a server has to take a connection before another is tried."""
PAUSE = 0.1
"""Seconds without accepting after the process ran out of descriptors."""

log = structlog.get_logger()


class Guest(NamedTuple):
    """A client without a server: its socket, its address, and the servers that were ``tried``."""

    sock: NativeSocket
    address: Client
    tried: set[Key]


class Dialling:
    """A guest that waits for the server ``key``, to which ``sock`` is on its way."""

    __slots__ = ("_service", "_timer", "_watcher", "guest", "key", "sock")

    def __init__(self, service: "TcpService", guest: Guest, key: Key, sock: NativeSocket) -> None:
        self.guest = guest
        self.key = key
        self.sock = sock
        self._service = service
        self._watcher: Any = service.loop.io(sock.fileno(), WRITE)
        self._watcher.start(self._ready)
        self._timer: Any = service.loop.timer(CONNECT_LIMIT)
        self._timer.start(self._late, update=True)

    def cancel(self) -> None:
        """Stop waiting. Both sockets are the caller's."""
        for watcher in (self._watcher, self._timer):
            watcher.stop()
            watcher.close()

    def _ready(self) -> None:
        self._service.dialled(self, self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _late(self) -> None:
        self._service.dialled(self, errno.ETIMEDOUT)


class TcpService:
    """Listens on a service's address. A server that refuses a connection is made good by another, each tried once."""

    def __init__(self, pool: LivePool) -> None:
        """Raises OSError when the address cannot be listened on."""
        self.pool = pool
        self.loop: Any = get_hub().loop
        self._dialling: set[Dialling] = set()
        self._relays: dict[Relay, Key] = {}
        self._socket = listening(pool.service.key)
        self._watcher: Any = self.loop.io(self._socket.fileno(), READ)
        self._watcher.start(self._accept)
        self._pause: Any = None
        self._starved = False

    def drop(self, key: Key) -> None:
        """Reset the connections of a server that was removed: it is gone, and they would hang.

        Clients that still wait for it are given another.
        """
        for relay in [relay for relay, to in self._relays.items() if to == key]:
            relay.abort()
        for dialling in [dialling for dialling in self._dialling if dialling.key == key]:
            self.dialled(dialling, errno.ECONNABORTED)

    def close(self) -> None:
        """Stop listening and reset every connection."""
        for watcher in filter(None, (self._watcher, self._pause)):
            watcher.stop()
            watcher.close()
        self._socket.close()
        for dialling in tuple(self._dialling):
            self._leave(dialling)
            break_off(dialling.sock)
            break_off(dialling.guest.sock)
        for relay in tuple(self._relays):
            relay.abort()

    def dialled(self, dialling: Dialling, error: int) -> None:
        """A server has answered, or not: relay, or try the next one."""
        guest = dialling.guest
        if not error:
            self._dialling.remove(dialling)
            dialling.cancel()
            self._relays[Relay(self.loop, guest.sock, dialling.sock, self._gone)] = dialling.key
            return
        self._leave(dialling)
        dialling.sock.close()
        if is_broken(guest.sock):
            break_off(guest.sock)
        else:
            self._serve(guest)

    def _leave(self, dialling: Dialling) -> None:
        self._dialling.remove(dialling)
        dialling.cancel()
        self.pool.closed(dialling.key)

    def _accept(self) -> None:
        for _ in range(BURST):
            try:
                client, address = accept(self._socket)
            except BlockingIOError:
                return
            except OSError as error:
                self._refused(error)
                return
            self._starved = False
            self._serve(Guest(client, address, set()))

    def _refused(self, error: OSError) -> None:
        """A client gone before it was accepted is nothing; without descriptors, wait for some to come back."""
        if error.errno not in STARVED:
            return
        if not self._starved:
            log.warning("accepting pauses", service=title(self.pool.service.key), reason=os.strerror(error.errno))
        self._starved = True
        self._watcher.stop()
        self._pause = self.loop.timer(PAUSE)
        self._pause.start(self._resume)

    def _resume(self) -> None:
        self._pause.close()
        self._pause = None
        self._watcher.start(self._accept)

    def _serve(self, guest: Guest) -> None:
        """Dial a server; without any the client sees a reset."""
        if self.pool.reach(guest.address, guest.tried, partial(self._dial, guest)) is None:
            break_off(guest.sock)

    def _dial(self, guest: Guest, destination: Destination) -> Dialling:
        dialling = Dialling(self, guest, destination.key, dial(destination, socket.SOCK_STREAM))
        self._dialling.add(dialling)
        self.pool.opened(destination.key)
        return dialling

    def _gone(self, relay: Relay) -> None:
        self.pool.closed(self._relays.pop(relay))
