"""One relayed TCP connection: two sockets, each served by one watcher of the event loop, no greenlet.

What one side sends is read into a buffer that all relays share and written to the other side at once. What the other
side does not take is kept, and nothing more is read until it has: at most one buffer a direction waits.
"""

import contextlib
import errno
import socket
import struct
from collections.abc import Callable
from typing import Any

from gevent import get_hub

READ, WRITE = 1, 2
CHUNK = 262_144
"""Bytes read in one go."""

_RESET = struct.pack("ii", 1, 0)
_buffer = bytearray(CHUNK)
_view = memoryview(_buffer)


class Side:
    """One end: its socket, what still has to be written to it, and what has ended."""

    __slots__ = ("_events", "_relay", "_watcher", "backlog", "ended", "finished", "peer", "sock")

    def __init__(self, relay: "Relay", sock: socket.socket) -> None:
        self.sock = sock
        self.peer: Side = self
        self.backlog = memoryview(b"")
        self.ended = False  # it has sent its end of stream
        self.finished = False  # ours has been passed on to it
        self._relay = relay
        self._events = 0
        self._watcher = get_hub().loop.io(sock.fileno(), READ)

    def watch(self) -> None:
        """Ask the loop for what this side waits for now."""
        events = (0 if self.ended or self.peer.backlog else READ) | (WRITE if self.backlog else 0)
        if events == self._events:
            return
        if self._events:
            self._watcher.stop()
        self._events = events
        if events:
            self._watcher.events = events
            self._watcher.start(self._ready)

    def close(self) -> None:
        """Give socket and watcher back."""
        self._watcher.stop()
        self._watcher.close()
        self.sock.close()

    def _ready(self) -> None:
        try:
            if self.backlog:
                self._write()
            if not self.ended and not self.peer.backlog:
                self._read()
        except BlockingIOError:
            pass  # woken for nothing; what it waits for now is settled below
        except OSError:
            self._relay.abort()
            return
        self._relay.settle()

    def _read(self) -> None:
        size = self.sock.recv_into(_buffer)
        if not size:
            self.ended = True
            return
        peer = self.peer
        try:
            sent = peer.sock.send(_view[:size])
        except BlockingIOError:
            sent = 0
        if sent < size:
            peer.backlog = memoryview(bytes(_view[sent:size]))

    def _write(self) -> None:
        self.backlog = self.backlog[self.sock.send(self.backlog) :]


class Relay:
    """Joins a client to a server until both have ended, either breaks, or it is aborted. ``gone`` is called once."""

    __slots__ = ("_client", "_gone", "_server")

    def __init__(self, client: socket.socket, server: socket.socket, gone: Callable[["Relay"], None]) -> None:
        self._gone: Callable[[Relay], None] | None = gone
        self._client = Side(self, client)
        self._server = Side(self, server)
        self._client.peer, self._server.peer = self._server, self._client
        self.settle()

    def settle(self) -> None:
        """Pass ends of stream on, close when all is done, and wait for what may come next."""
        for side in (self._client, self._server):
            if side.peer.ended and not side.backlog and not side.finished:
                side.finished = True
                with contextlib.suppress(OSError):  # the other end may have reset meanwhile: its watcher tells
                    side.sock.shutdown(socket.SHUT_WR)
        if self._client.finished and self._server.finished:
            self._close()
            return
        self._client.watch()
        self._server.watch()

    def abort(self) -> None:
        """End it now: both ends see a reset."""
        for side in (self._client, self._server):
            reset(side.sock)
        self._close()

    def _close(self) -> None:
        if self._gone is None:
            return
        gone, self._gone = self._gone, None
        self._client.close()
        self._server.close()
        gone(self)


def reset(sock: socket.socket) -> None:
    """Have the coming close of ``sock`` tell the other end that the connection broke."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


class Connecting:
    """A connection being made: ``done(sock, error)`` is called once, with the errno, 0 when it stands."""

    __slots__ = ("_done", "_timer", "_watcher", "sock")

    def __init__(self, sock: socket.socket, limit: float, done: Callable[[socket.socket, int], None]) -> None:
        loop = get_hub().loop
        self.sock = sock
        self._done = done
        self._watcher: Any = loop.io(sock.fileno(), WRITE)
        self._watcher.start(self._ready)
        self._timer: Any = loop.timer(limit)
        self._timer.start(self._late, update=True)

    def cancel(self) -> None:
        """Stop waiting; ``done`` is not called."""
        for watcher in (self._watcher, self._timer):
            watcher.stop()
            watcher.close()

    def _ready(self) -> None:
        self.cancel()
        self._done(self.sock, self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _late(self) -> None:
        self.cancel()
        self._done(self.sock, errno.ETIMEDOUT)
