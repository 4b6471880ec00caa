"""One relayed TCP connection: two sockets, each served by one watcher of the event loop, no greenlet.

What one side sends is read into a buffer that all relays share and written to the other side at once. What the other
side does not take is kept, and nothing more is read until it has: at most one buffer a direction waits. A side gets one
read for each turn of the loop, so that nobody who sends much keeps others waiting.
"""

import contextlib
import errno
import resource
import socket
import struct
from collections.abc import Callable
from typing import Any

from gevent import get_hub

READ, WRITE = 1, 2
CHUNK = 262_144
"""Bytes read in one go."""
RESERVE = 64
"""Descriptors left to the rest of the program."""

_RESET = struct.pack("ii", 1, 0)
_buffer = bytearray(CHUNK)
_view = memoryview(_buffer)
_nothing = memoryview(b"")


class Side:
    """One end: its socket, what still has to be written to it, and what has ended."""

    __slots__ = ("_events", "_relay", "_watcher", "backlog", "ended", "finished", "peer", "sock")

    def __init__(self, relay: "Relay", sock: socket.socket) -> None:
        self.sock = sock
        self.peer: Side = self
        self.backlog = _nothing
        self.ended = False  # it has sent its end of stream
        self.finished = False  # the other's has been passed on to it
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
            self._watcher.start(self.ready)

    def close(self) -> None:
        """Give socket and watcher back."""
        self._watcher.stop()
        self._watcher.close()
        self.sock.close()

    def ready(self) -> None:
        """Write what waits, read what has come, and pass it on."""
        try:
            if self.backlog:
                self.backlog = self.backlog[self._send(self.backlog) :]
            if not self.ended and not self.peer.backlog:
                self._read()
        except OSError:
            self._relay.abort()
            return
        self._relay.settle()

    def finish(self) -> None:
        """Pass the other side's end of stream on to this one."""
        self.finished = True
        with contextlib.suppress(OSError):  # it may have reset meanwhile: its watcher tells
            self.sock.shutdown(socket.SHUT_WR)

    def _read(self) -> None:
        try:
            size = self.sock.recv_into(_buffer)
        except BlockingIOError:
            return  # woken for writing only
        if not size:
            self.ended = True
            return
        sent = self.peer._send(_view[:size])
        if sent < size:
            self.peer.backlog = memoryview(bytes(_view[sent:size]))

    def _send(self, data: memoryview) -> int:
        """How many bytes the other end's window took; 0 must not keep this one from being read."""
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0


class Relay:
    """Joins a client to a server until both have ended, either breaks, or it is aborted. ``gone`` is called once."""

    __slots__ = ("_client", "_gone", "_server")

    def __init__(self, client: socket.socket, server: socket.socket, gone: Callable[["Relay"], None]) -> None:
        self._gone: Callable[[Relay], None] | None = gone
        self._client = Side(self, client)
        self._server = Side(self, server)
        self._client.peer, self._server.peer = self._server, self._client

    def start(self) -> None:
        """Begin, with what the client has said meanwhile; most have."""
        self._client.ready()

    def settle(self) -> None:
        """Pass ends of stream on, close when all is done, and wait for what may come next."""
        client, server = self._client, self._server
        if client.ended and server.ended and not client.backlog and not server.backlog:
            self._close()
            return
        for side in (client, server):
            if side.peer.ended and not side.backlog and not side.finished:
                side.finish()
            side.watch()

    def abort(self) -> None:
        """End it now: both ends see a reset."""
        reset(self._client.sock)
        reset(self._server.sock)
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


def descriptors_run_out(newest: int) -> bool:
    """Whether few are left, by the newest: the lowest free one is always given. The rest of the program needs some."""
    return newest >= resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVE > 0


class Connecting:
    """A connection being made for a client: ``done`` is called once with the errno, 0 when it stands."""

    __slots__ = ("_done", "_timer", "_watcher", "client", "server")

    def __init__(
        self, client: socket.socket, server: socket.socket, limit: float, done: Callable[["Connecting", int], None]
    ) -> None:
        loop = get_hub().loop
        self.client = client
        self.server = server
        self._done = done
        self._watcher: Any = loop.io(server.fileno(), WRITE)
        self._watcher.start(self._ready)
        self._timer: Any = loop.timer(limit)
        self._timer.start(self._end, errno.ETIMEDOUT, update=True)

    def cancel(self) -> None:
        """Stop waiting; ``done`` is not called."""
        for watcher in (self._watcher, self._timer):
            watcher.stop()
            watcher.close()

    def abort(self) -> None:
        """Stop waiting, and reset the client."""
        self.cancel()
        self.server.close()
        reset(self.client)
        self.client.close()

    def _ready(self) -> None:
        self._end(self.server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _end(self, error: int) -> None:
        self.cancel()
        self._done(self, error)
