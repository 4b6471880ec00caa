"""Dials: the ways a probe connects. Each socket keeps to one deadline over everything that is done with it.

`CooperativeDial` is for probes in greenlets: while one waits, the event loop goes on. `NativeDial` is for probes in
native threads: its sockets are the operating system's, also where the standard library is patched, and touch no hub.
Neither knows TLS (that is layered on top, the same for both) and neither resolves names.
"""

import io
import os
from collections.abc import Callable, Mapping
from errno import EAGAIN, EINPROGRESS
from select import POLLERR, POLLHUP, POLLIN, POLLOUT
from socket import AF_UNIX, SO_ERROR, SOCK_CLOEXEC, SOCK_NONBLOCK, SOL_SOCKET
from time import monotonic
from typing import Any

import gevent
from gevent import monkey
from greenlet import getcurrent

from plugins.api.program import NOT_STARTED, Command, Exit
from plugins.api.source import ANY, Source, Transport, hear_errors, prepare, where

# Made of the operating system's sockets also where the standard library is patched to be cooperative.
NativeSocket: Any = monkey.get_original("socket", "socket")
native_poll = monkey.get_original("select", "poll")
native_sleep = monkey.get_original("time", "sleep")

READ, WRITE = 1, 2  # libev's own numbers
LATE = "timed out"
CONNECT_LATE = "connect timed out"
AGAIN = 0.02
"""Seconds until another try, when a Unix listener's queue is full: nothing tells when it no longer is."""

Run = Callable[[Command, float, Mapping[str, str]], Exit]
"""See `plugins.api.target.Dial.run`."""


def run_nothing(command: Command, limit: float, env: Mapping[str, str]) -> Exit:
    """Where there is nothing to run programs by."""
    return Exit(NOT_STARTED, error="no programs here")


_POLLED = {READ: POLLIN | POLLERR | POLLHUP, WRITE: POLLOUT | POLLERR | POLLHUP}


class _DeadlineSocket(NativeSocket):
    """What both kinds share: an absolute deadline, and within it the limit of each call that ``settimeout`` gives."""

    __slots__ = ("_deadline", "_limit")
    _deadline: float
    _limit: float | None

    def settimeout(self, limit: float | None) -> None:
        """Let no later call wait longer than ``limit`` seconds; None leaves the deadline alone, 0 waits never."""
        if limit is not None and limit < 0:
            raise ValueError("a timeout is not negative")
        self._limit = limit

    def gettimeout(self) -> float | None:
        """What `settimeout` was given."""
        return self._limit

    def setblocking(self, flag: bool) -> None:
        """As ``settimeout(None)`` or ``settimeout(0)``."""
        self._limit = None if flag else 0.0

    def getblocking(self) -> bool:
        """Whether calls may wait."""
        return self._limit != 0.0

    def renew(self, deadline: float) -> None:
        """Be good until ``deadline``, for a further probe."""
        self._deadline, self._limit = deadline, None

    def dup(self) -> Any:
        """Not for a probe's socket: raises `io.UnsupportedOperation`."""
        raise io.UnsupportedOperation("a probe's socket cannot be duplicated")

    def accept(self) -> Any:
        """Not for a probe's socket: raises `io.UnsupportedOperation`."""
        raise io.UnsupportedOperation("a probe's socket does not listen")

    def _left(self) -> float:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError(LATE)
        return left if self._limit is None or left < self._limit else self._limit

    def _pause(self) -> float:
        left = self._deadline - monotonic()
        if left <= 0 or self.family != AF_UNIX:
            raise TimeoutError(CONNECT_LATE)
        return min(left, AGAIN)


def _cooperative(call: Callable[..., Any], events: int) -> Callable[..., Any]:
    """``call``, tried at once, and again after each wait for ``events``."""

    def method(self: "CooperativeSocket", *args: Any, **named: Any) -> Any:
        self._left()  # a peer that never lets us wait keeps to the deadline too
        while True:
            try:
                return call(self, *args, **named)
            except BlockingIOError:
                if self._limit == 0.0:
                    raise
            self.wait(events)

    method.__doc__ = call.__doc__
    return method


class CooperativeSocket(_DeadlineSocket):
    """A connected socket whose calls let the event loop run while they wait. For one greenlet at a time."""

    __slots__ = ("_hub", "_watcher")
    _hub: Any
    _watcher: Any

    def open_to(self, peer: Any) -> int:
        """Connect; returns 0 or an errno."""
        while (error := NativeSocket.connect_ex(self, peer)) == EAGAIN:
            gevent.sleep(self._pause())
        if error == EINPROGRESS:
            self.wait(WRITE, CONNECT_LATE)
            error = self.getsockopt(SOL_SOCKET, SO_ERROR)
        return int(error)

    def wait(self, events: int, late: str = LATE) -> None:
        """Wait for ``events`` (READ or WRITE); raises TimeoutError at the deadline or after the call's limit."""
        left = self._left()
        loop = self._hub.loop
        watcher = self._watcher
        if watcher is None:
            watcher = self._watcher = loop.io(self.fileno(), events)
        elif watcher.active:
            raise RuntimeError("another greenlet waits for this socket already")
        else:
            watcher.events = events
        resume = getcurrent().switch
        timer = loop.timer(left)
        try:
            timer.start(resume, LATE, update=True)
            watcher.start(resume)
            passed = self._hub.switch() is LATE
        finally:  # also when the runtime throws its deadline in
            watcher.stop()
            timer.close()
        if passed and not self._is_ready(events):
            raise TimeoutError(late)

    recv = _cooperative(NativeSocket.recv, READ)
    recv_into = _cooperative(NativeSocket.recv_into, READ)
    recvfrom = _cooperative(NativeSocket.recvfrom, READ)
    recvfrom_into = _cooperative(NativeSocket.recvfrom_into, READ)
    recvmsg = _cooperative(NativeSocket.recvmsg, READ)
    recvmsg_into = _cooperative(NativeSocket.recvmsg_into, READ)
    send = _cooperative(NativeSocket.send, WRITE)
    sendto = _cooperative(NativeSocket.sendto, WRITE)
    sendmsg = _cooperative(NativeSocket.sendmsg, WRITE)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of ``data``; after an error it is unknown how much was sent."""
        sent = self.send(data, flags)
        if sent < len(data):
            rest = memoryview(data).cast("B")
            while sent < len(rest):
                sent += self.send(rest[sent:], flags)

    def detach(self) -> int:
        """Give the descriptor (which is non-blocking) away; the socket is then closed."""
        self._drop_watcher()
        descriptor: int = super().detach()
        return descriptor

    def _real_close(self) -> None:
        self._drop_watcher()
        super()._real_close()

    def _drop_watcher(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def _is_ready(self, events: int) -> bool:
        # After a stall the loop may serve a timer before the socket that was ready long ago.
        poll = native_poll()
        poll.register(self.fileno(), _POLLED[events])
        return bool(poll.poll(0))


class CooperativeDial:
    """Makes sockets for the gevent loop of the thread that makes the dial, and has programs run by ``run``."""

    def __init__(self, run: Run = run_nothing) -> None:
        self._hub = gevent.get_hub()
        self.run = run

    def connect(
        self, address: str, port: int, deadline: float, source: Source = ANY, transport: Transport = Transport.TCP
    ) -> CooperativeSocket:
        """A connected socket that is good until ``deadline``, in seconds of CLOCK_MONOTONIC.

        Addresses are numeric. Raises OSError saying what failed, TimeoutError at the deadline.
        """
        family, peer = where(address, port, transport)
        sock = CooperativeSocket(family, transport.kind | SOCK_NONBLOCK | SOCK_CLOEXEC, transport.protocol(family))
        sock._hub, sock._watcher, sock._deadline, sock._limit = self._hub, None, deadline, None
        _establish(sock, peer, ANY if transport is Transport.UNIX else source, transport)
        return sock


def _native(call: Callable[..., Any]) -> Callable[..., Any]:
    """``call``, blocking no longer than is left."""

    def method(self: "DeadlineSocket", *args: Any, **named: Any) -> Any:
        NativeSocket.settimeout(self, self._left())
        return call(self, *args, **named)

    method.__doc__ = call.__doc__
    return method


class DeadlineSocket(_DeadlineSocket):
    """A connected socket of the operating system; each call blocks its thread, until the deadline at most."""

    __slots__ = ()

    def open_to(self, peer: Any) -> int:
        """Connect; returns 0 or an errno."""
        NativeSocket.settimeout(self, self._left())
        while (error := NativeSocket.connect_ex(self, peer)) == EAGAIN:  # or, of TCP, too late
            native_sleep(self._pause())
        return int(error)

    recv = _native(NativeSocket.recv)
    recv_into = _native(NativeSocket.recv_into)
    recvfrom = _native(NativeSocket.recvfrom)
    recvfrom_into = _native(NativeSocket.recvfrom_into)
    recvmsg = _native(NativeSocket.recvmsg)
    recvmsg_into = _native(NativeSocket.recvmsg_into)
    send = _native(NativeSocket.send)
    sendto = _native(NativeSocket.sendto)
    sendmsg = _native(NativeSocket.sendmsg)
    sendall = _native(NativeSocket.sendall)


class NativeDial:
    """Makes sockets for native threads, and has programs run by ``run``, which blocks."""

    def __init__(self, run: Run = run_nothing) -> None:
        self.run = run

    def connect(
        self, address: str, port: int, deadline: float, source: Source = ANY, transport: Transport = Transport.TCP
    ) -> DeadlineSocket:
        """As `CooperativeDial.connect`, blocking the calling thread."""
        family, peer = where(address, port, transport)
        sock = DeadlineSocket(family, transport.kind | SOCK_CLOEXEC, transport.protocol(family))
        sock._deadline, sock._limit = deadline, None
        _establish(sock, peer, ANY if transport is Transport.UNIX else source, transport)
        return sock


def _establish(sock: Any, peer: Any, source: Source, transport: Transport) -> None:
    """Have ``sock`` leave as ``source`` says and connect it, or close it, whatever is thrown."""
    try:
        hear_errors(sock, transport)
        if source != ANY:
            prepare(sock, source)
        error = sock.open_to(peer)
        if error:
            raise OSError(error, f"connect: {os.strerror(error)}")
    except BaseException:
        sock.close()
        raise
