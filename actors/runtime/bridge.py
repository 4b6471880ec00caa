"""A bridge between two processes: messages in order, both ways, over a Unix stream socket. Nothing here ever waits.

What cannot be written at once waits in memory. There nothing is dropped but what a later word makes stale: of the
statuses of one source that wait, only the last is kept, so that a reader that has stopped costs no more than one
status a source.
"""

import _socket
import errno
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
from gevent import get_hub, monkey

from actors.runtime.frames import Frame, decode, encode, stale_by

READ, WRITE = 1, 2
"""libev's EV_READ and EV_WRITE."""

CHUNK = 1 << 18
LONGEST = 1 << 24
"""Bytes of a frame: above any that is sent."""
PREFIX = 4
LIMIT = 1 << 26
"""Bytes that may wait: a reader that lets more come together counts as gone."""

NativeSocket = monkey.get_original("socket", "socket")
"""Never waits here, so it needs none of gevent's patience."""


def adopted(descriptor: int) -> Any:
    """The end that was made by another process."""
    native: Callable[..., Any] = NativeSocket
    end = native(fileno=descriptor)
    end.setblocking(False)
    return end


def pair() -> tuple[Any, Any]:
    """Two connected ends, of which neither blocks."""
    ends = [adopted(end.detach()) for end in _socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)]
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK)
    return ends[0], ends[1]


class Bridge:
    """One end. ``heard(frame)`` is called on the event loop for each frame, ``gone()`` once when the other end is.

    Made and used in one thread, with a gevent hub.
    """

    def __init__(self, end: Any, heard: Callable[[Frame], None], gone: Callable[[], None]) -> None:
        self.coalesced = 0
        self._end = end
        self._heard = heard
        self._gone = gone
        self._input = bytearray()
        self._output = bytearray()
        self._waiting: deque[list[Any]] = deque()
        self._stale: dict[str, list[Any]] = {}
        self._size = 0
        loop = get_hub().loop
        self._reader = loop.io(end.fileno(), READ)
        self._writer = loop.io(end.fileno(), WRITE)
        self._writing = False
        self._called = False
        self._reader.start(self._read)

    @property
    def waiting(self) -> int:
        """Bytes that the other end has not taken yet."""
        return self._size + len(self._output)

    @property
    def is_open(self) -> bool:
        """Whether the other end was there when last looked for."""
        return self._end is not None

    def send(self, frame: Frame) -> None:
        """Send, with what else is sent in this turn of the loop, or as soon as there is room; to an end that is gone
        nothing is sent."""
        if self._end is None:
            return
        data = encode(frame)
        self._queue(stale_by(frame), len(data).to_bytes(PREFIX, "little") + data)
        if not self._writing and not self._called:
            self._called = True
            get_hub().loop.run_callback(self._begin)

    def close(self) -> None:
        """Hang up; ``gone`` is not called."""
        if self._end is not None:
            for watcher in (self._reader, self._writer):
                watcher.stop()
                watcher.close()
            self._end.close()
            self._end = None

    def _queue(self, source: str, data: bytes) -> None:
        entry = [source, data]
        if source:
            earlier = self._stale.get(source)
            if earlier is not None:
                self.coalesced += 1
                self._size -= len(earlier[1])
                earlier[:] = ["", b""]
            self._stale[source] = entry
        self._waiting.append(entry)
        self._size += len(data)
        if self._size > LIMIT:
            self._lose()

    def _begin(self) -> None:
        self._called = False
        if not self._writing:
            self._write()

    def _write(self) -> None:
        while self._end is not None and self._fill():
            try:
                sent = self._end.send(self._output)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                self._lose()
                return
            del self._output[:sent]
        self._watch(bool(self._output))

    def _fill(self) -> bool:
        """Have something to write, if anything is left."""
        while self._waiting and len(self._output) < CHUNK:
            source, data = self._waiting.popleft()
            if source:
                del self._stale[source]
            self._size -= len(data)
            self._output += data
        return bool(self._output)

    def _watch(self, wanted: bool) -> None:
        if self._end is None or wanted == self._writing:
            return
        self._writing = wanted
        if wanted:
            self._writer.start(self._write)
        else:
            self._writer.stop()

    def _read(self) -> None:
        try:
            data = self._end.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno not in (errno.ECONNRESET, errno.EPIPE):
                raise
            data = b""
        if not data:
            self._lose()
            return
        self._input += data
        try:
            frames = self._frames()
        except (ValueError, msgspec.DecodeError):  # the other end has lost its mind: it is as good as gone
            self._lose()
            return
        for frame in frames:
            self._heard(frame)

    def _frames(self) -> list[Frame]:
        found: list[Frame] = []
        place = 0
        while len(self._input) - place >= PREFIX:
            size = int.from_bytes(self._input[place : place + PREFIX], "little")
            if size > LONGEST:
                raise ValueError(f"a frame of {size} bytes")
            if len(self._input) - place - PREFIX < size:
                break
            found.append(decode(bytes(self._input[place + PREFIX : place + PREFIX + size])))
            place += PREFIX + size
        del self._input[:place]
        return found

    def _lose(self) -> None:
        if self._end is not None:
            self.close()
            self._gone()
