"""The daemon's end of the ``scripts`` process: starts it, has it run programs, starts it anew when it has died."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from socket import AF_UNIX, SO_SNDBUF, SOCK_SEQPACKET, SOL_SOCKET

import gevent
import msgspec
import structlog
from gevent.event import AsyncResult, Event
from gevent.lock import BoundedSemaphore
from gevent.socket import socket as GreenSocket
from gevent.socket import socketpair, wait_read

from actors.messages import Ran, Run

SCRIPTS = Path(__file__).with_name("scripts.py")
AT_ONCE = 32
"""Programs that run side by side; the rest wait in order of arrival."""
BUFFER = 1 << 19
"""Bytes asked of the kernel for each direction: a command line can be long."""

NOT_STARTED = 127
DIED = "the process that runs programs died; this one was lost with it"


class Request(msgspec.Struct, frozen=True):
    """A program to run, as `actors.scripts` reads it."""

    number: int
    argv: tuple[str, ...]
    user: str
    group: str
    limit: float
    env: dict[str, str]
    secure: bool
    listen: bool = False


class GiveUp(msgspec.Struct, frozen=True):
    """Nobody waits any more for the end of a program that was asked for."""

    number: int
    give_up: bool = True


class Ended(msgspec.Struct, frozen=True):
    """A program has ended: exit status (negative: the signal that ended it, 127: it never ran), and what went wrong.

    ``output`` is the beginning of what it wrote, if that was listened to.
    """

    number: int
    status: int
    error: str = ""
    output: str = ""


Reply = Callable[[Ended], None]
encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Ended).decode
log = structlog.get_logger()


class Spawner:
    """Runs programs, never in this process. Made and used in one thread, with a gevent hub.

    The other process is a fresh interpreter, no fork of this big one; nobody waits for its start, since requests lie
    in the socket until then. When it dies, what it ran is answered as lost, and the next request starts another.
    While it is ``secure``, what others than root may change does not run as root. ``at_once`` run side by side.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self.pid = 0
        self.deaths = 0
        self.secure = False
        self._port: GreenSocket | None = None
        self._replies: dict[int, Reply] = {}
        self._number = 0
        self._sending = BoundedSemaphore()
        self._idle = Event()
        self._idle.set()
        self._launch()

    @property
    def pending(self) -> int:
        """Programs that run or wait for their turn."""
        return len(self._replies)

    def start(self, run: Run, reply: Callable[[Ran], None]) -> None:
        """Have ``run`` carried out. Once it has ended, ``reply`` is called from another greenlet; it must not block."""
        self._ask(run.argv, run.user, run.group, run.limit, {}, lambda end: reply(_ran(run, end)))

    def run(
        self,
        argv: tuple[str, ...],
        user: str = "",
        group: str = "",
        limit: float = 60.0,
        env: Mapping[str, str] = {},
        listen: bool = False,
    ) -> Ended:
        """Run a program and wait cooperatively for its end; if the wait is broken off it is ended.

        What becomes of it is in the answer, never raised. With ``listen`` its output is.
        """
        result = AsyncResult()
        number = self._ask(argv, user, group, limit, dict(env), result.set, listen)
        try:
            end: Ended = result.get()
        except BaseException:
            self._give_up(number)
            raise
        return end

    def drain(self, limit: float) -> bool:
        """Wait until nothing runs or waits, at most ``limit`` seconds; whether that came about."""
        return bool(self._idle.wait(limit))

    def close(self) -> None:
        """End the process. What still runs gets TERM from it, and KILL 2 s later, and is not answered for."""
        self._replies.clear()
        self._idle.set()
        self._hang_up()

    def _ask(
        self,
        argv: tuple[str, ...],
        user: str,
        group: str,
        limit: float,
        env: dict[str, str],
        reply: Reply,
        listen: bool = False,
    ) -> int:
        self._number += 1
        request = Request(self._number, argv, user, group, limit, env, self.secure, listen)
        self._replies[request.number] = reply
        self._idle.clear()
        try:
            self._send(encode(request))
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has just died: the reader is about to see that, and answers for all
        except OSError as error:
            self._refuse(request, os.strerror(error.errno or 0))
        except UnicodeEncodeError:
            self._refuse(request, "not text that can be passed on")
        return request.number

    def _give_up(self, number: int) -> None:
        if number not in self._replies:
            return  # it has ended just now
        self._replies[number] = _forget
        # In a greenlet of its own, since a full socket may hold it up: whoever gave up does not wait any more.
        gevent.spawn(self._say_given_up, number)

    def _say_given_up(self, number: int) -> None:
        with contextlib.suppress(OSError):  # what has died has given up everything
            if number in self._replies:
                self._send(encode(GiveUp(number)))

    def _refuse(self, request: Request, reason: str) -> None:
        # Answered from another greenlet like all the rest, so that a reply may ask for the next without end.
        gevent.spawn(self._settle, Ended(request.number, NOT_STARTED, f"cannot start {request.argv[0]!r}: {reason}"))

    def _send(self, packet: bytes) -> None:
        with self._sending:
            port = self._port or self._launch()
            port.send(packet)

    def _launch(self) -> GreenSocket:
        ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(SOL_SOCKET, SO_SNDBUF, BUFFER)
            self.pid = _spawn(theirs.fileno(), self._at_once)
        self._port = ours
        gevent.spawn(self._read, ours, self.pid)
        return ours

    def _read(self, port: GreenSocket, pid: int) -> None:
        while packet := _receive(port):
            self._settle(decode(packet))
        if port is self._port:
            self._lose(pid)
        _collect(pid)

    def _lose(self, pid: int) -> None:
        self.deaths += 1
        self._hang_up()
        log.error("the process that runs programs died", pid=pid, lost=self.pending, deaths=self.deaths)
        for number in tuple(self._replies):
            self._settle(Ended(number, -signal.SIGTERM, DIED))

    def _hang_up(self) -> None:
        if self._port is not None:
            self._port.close()
            self._port = None

    def _settle(self, end: Ended) -> None:
        reply = self._replies.pop(end.number, None)
        if reply is not None:
            reply(end)
        if not self._replies:
            self._idle.set()


class DryRunSpawner:
    """Runs nothing, and tells in the log what it would have run; see `Spawner` for the rest."""

    secure = False

    def start(self, run: Run, reply: Callable[[Ran], None]) -> None:
        """As if ``run`` had ended well at once."""
        log.info("dry run", would_be=f"running {' '.join(run.argv)}", source=run.source, happened=run.event)
        reply(Ran(run.source, run.event, 0))

    def drain(self, limit: float) -> bool:
        """Nothing ever runs."""
        return True

    def close(self) -> None:
        """Nothing to end."""


def _forget(_: Ended) -> None:
    """Of the end of a program that was given up nobody wants to hear."""


def _ran(run: Run, end: Ended) -> Ran:
    return Ran(run.source, run.event, end.status, end.error)


def _receive(port: GreenSocket) -> bytes:
    try:
        return port.recv(BUFFER)  # type: ignore[no-any-return]
    except OSError:
        return b""  # reset by its death, or closed by us while we waited


def _spawn(port: int, at_once: int) -> int:
    # A session of its own: the terminal's interrupt is for the daemon, whose last programs are still to run.
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", str(SCRIPTS), str(at_once)],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, port, 0)],
        setsid=True,
        setsigmask=(),
    )


def _collect(pid: int) -> None:
    # libev reaps children too, when anything in this process has made it watch for them.
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        watch = os.pidfd_open(pid)
        try:
            wait_read(watch)
        finally:
            os.close(watch)
        os.waitpid(pid, 0)
