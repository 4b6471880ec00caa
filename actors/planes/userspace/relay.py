"""One relayed TCP connection: two sockets, each served by one watcher of the event loop, no greenlet.

What one side sends is read into a buffer that all relays share and written to the other side at once. What the other
side does not take is kept, and nothing more is read until it has: at most one buffer a direction waits. A side is read
once a turn of the loop: a bulk transfer starves nobody.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from actors.planes.userspace.sockets import READ, WRITE, NativeSocket, break_off

CHUNK = 262_144
"""Bytes read in one go."""

_view = memoryview(bytearray(CHUNK))


class Side:
    """One end: its socket, what still has to be written to it, and what has ended."""

    __slots__ = ("_events", "_relay", "_watcher", "backlog", "ended", "finished", "peer", "sock")

    def __init__(self, relay: "Relay", loop: Any, sock: NativeSocket) -> None:
        self.sock = sock
        self.peer: Side = self
        self.backlog = memoryview(b"")
        self.ended = False  # it has sent its end of stream
        self.finished = False  # the other's has been passed on to it
        self._relay = relay
        self._events = 0
        self._watcher = loop.io(sock.fileno(), READ)

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

    def unwatch(self) -> None:
        """Give the watcher back. Only then may the socket be closed."""
        self._watcher.stop()
        self._watcher.close()

    def finish(self) -> None:
        """Pass the other side's end of stream on."""
        self.finished = True
        with suppress(OSError):  # it has reset meanwhile, and its watcher tells
            self.sock.shutdown(socket.SHUT_WR)

    def offer(self, data: memoryview) -> int:
        """Write what this side takes now, and return how much that is; raises OSError when it is broken."""
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0

    def _ready(self) -> None:
        try:
            if self.backlog:
                self.backlog = self.backlog[self.offer(self.backlog) :]
            if not self.ended and not self.peer.backlog:
                self._read()
        except OSError:
            self._relay.abort()
            return
        self._relay.settle()

    def _read(self) -> None:
        try:
            size = self.sock.recv_into(_view)
        except BlockingIOError:
            return  # woken to write
        if not size:
            self.ended = True
            return
        try:
            sent = self.peer.offer(_view[:size])
        except OSError:
            self.peer.utter()
            raise
        if sent < size:
            self.peer.backlog = memoryview(bytes(_view[sent:size]))

    def utter(self) -> None:
        """Pass on the last words of a side that takes no more: a server may refuse a request and close unread."""
        if self.peer.backlog:
            return
        with suppress(OSError):
            while size := self.sock.recv_into(_view):
                self.peer.sock.send(_view[:size])


class Relay:
    """Joins a client to a server until both have ended, either breaks, or it is aborted. ``gone`` is called once."""

    __slots__ = ("_client", "_gone", "_server")

    def __init__(self, loop: Any, client: NativeSocket, server: NativeSocket, gone: Callable[["Relay"], None]) -> None:
        self._gone: Callable[[Relay], None] | None = gone
        self._client = Side(self, loop, client)
        self._server = Side(self, loop, server)
        self._client.peer, self._server.peer = self._server, self._client
        self._client.watch()
        self._server.watch()

    def settle(self) -> None:
        """Pass ends of stream on, close when all is done, and wait for what may come next.

        An end is only read once all before it has been written on, so none overtakes a backlog.
        """
        client, server = self._client, self._server
        if client.ended and not server.finished:
            server.finish()
        if server.ended and not client.finished:
            client.finish()
        if client.finished and server.finished:
            self._end(NativeSocket.close)
            return
        client.watch()
        server.watch()

    def abort(self) -> None:
        """End it now: both ends see a reset."""
        self._end(break_off)

    def _end(self, close: Callable[[NativeSocket], None]) -> None:
        if self._gone is None:
            return
        gone, self._gone = self._gone, None
        for side in (self._client, self._server):
            side.unwatch()
            close(side.sock)
        gone(self)
