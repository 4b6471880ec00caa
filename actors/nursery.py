"""The nursery: a process that has all modules loaded and does nothing, so that a fork of it is a new process at once.

It is forked itself, before the program has an event loop, threads or secrets in memory. It has no loop either: what
it forks makes its own. It ends when the program does. When it ends before, a fresh interpreter takes its place
(`actors.substitute`); what it has forked lives on.
"""

import _socket
import contextlib
import gc
import json
import math
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

import structlog
from gevent import get_hub, monkey

from actors import scheduling

log = structlog.get_logger()

fork: Callable[[], int] = monkey.get_original("os", "fork")
waitpid: Callable[[int, int], Any] = monkey.get_original("os", "waitpid")
poll: Callable[[], Any] = monkey.get_original("select", "poll")
NativeSocket = monkey.get_original("socket", "socket")
# gevent's own would leave SIGCHLD to a loop, of which there is none in the nursery.
listen: Callable[..., Any] = monkey.get_original("signal", "signal")

READ = 1
PACKET = 1 << 16

AGAIN, SELDOM = 0.5, 30.0
"""Seconds until another is started, after that was impossible or two in turn did not live for long; they double from
time to time, up to the latter."""

GROWN = 10.0
"""Seconds after which one has lived for long."""

Serve = Callable[[int, dict[str, Any]], None]
"""What a new process does with the descriptor of its bridge and its orders; when it returns, the process ends."""


SUBSTITUTE = "actors.substitute"

ROOT = str(Path(__file__).resolve().parents[1])
"""Where an interpreter finds this program, wherever it is started."""


class Nursery:
    """The program's end: asks for processes and hears of their ends. ``ended(name, pid, status)`` is called on the
    event loop with an exit status, negative for the signal that ended it, ``lost()`` when the nursery was replaced."""

    def __init__(self, serve: Serve) -> None:
        """Fork. To be called before anything else has begun."""
        ours, theirs = _pair()
        self.ended: Callable[[str, int, int], None] = lambda name, pid, status: None
        self.lost: Callable[[], None] = lambda: None
        gc.collect()
        scheduling.give_back()
        gc.freeze()
        self.pid = fork()
        if not self.pid:
            ours.close()
            tend(theirs, serve)
        theirs.close()
        self._port = ours
        self._watcher: Any = None
        self._later: Any = None
        self._began = -math.inf
        self._short_lived = 0

    def open(self) -> None:
        """Begin to hear what it says; needs the event loop."""
        self._watcher = get_hub().loop.io(self._port.fileno(), READ)
        self._watcher.start(self._hear)

    def ask(self, name: str, end: int, orders: dict[str, Any]) -> None:
        """Have it fork a process that is given the descriptor ``end``. Should it be lost before it has, ``end`` is
        closed. Raises OSError when there is none, or no room."""
        packet = json.dumps({"name": name, "orders": orders}).encode()
        try:
            socket.send_fds(self._port, [packet], [end])
        except (BrokenPipeError, ConnectionResetError):
            self._replace()
            socket.send_fds(self._port, [packet], [end])

    def kill(self) -> None:
        """End it, because it does not do what it is asked: it is replaced."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let it end."""
        for watcher in (self._watcher, self._later):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._watcher = self._later = None
        self._port.close()

    def _hear(self) -> None:
        try:
            packet = self._port.recv(PACKET)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if packet:
            told = json.loads(packet)
            self.ended(told["name"], told["pid"], told["status"])
        else:
            self._replace()

    def _replace(self) -> None:
        """Put another in its place: at once, unless that has become a habit."""
        self.close()
        if self.pid:
            with contextlib.suppress(ChildProcessError):  # libev reaps too, when anything made it watch for children
                waitpid(self.pid, 0)  # its socket is closed: it is as good as dead
            self.pid = 0
        self._short_lived = self._short_lived + 1 if monotonic() - self._began < GROWN else 0
        if self._short_lived > 1:
            self._postpone(f"the last {self._short_lived} ended within {GROWN:g} s each")
        else:
            self._substitute()

    def _substitute(self) -> None:
        """Start another, as soon as there is what that takes."""
        self.close()
        self._began = monotonic()
        try:
            self.pid, self._port = _substitute()
        except OSError as error:
            self._short_lived += 1
            self._postpone(str(error))
            return
        self.open()
        self.lost()

    def _postpone(self, reason: str) -> None:
        seconds = pause(self._short_lived)
        log.error("no nursery", error=reason, next_in=seconds)
        self._later = get_hub().loop.timer(seconds)
        self._later.start(self._substitute)


def pause(short_lived: int) -> float:
    """Seconds until another is started after so many that did not live for long."""
    return min(AGAIN * 2.0 ** max(short_lived - 2, 0), SELDOM)


def _substitute() -> tuple[int, Any]:
    """Start another: no fork of this process, which has a loop and threads by now. It takes about a second to load;
    what is asked of it meanwhile waits in the socket."""
    ours, theirs = _pair()
    with theirs:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", SUBSTITUTE],
            os.environ | {"PYTHONPATH": ROOT},
            file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0)],
        )
    return pid, ours


def _pair() -> tuple[Any, Any]:
    """The program's end, which never waits, and the nursery's."""
    ends = _socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # one of gevent's would make a loop
    ours, theirs = (NativeSocket(fileno=end.detach()) for end in ends)
    ours.setblocking(False)
    return ours, theirs


# Inside the nursery.


def tend(port: Any, serve: Serve) -> NoReturn:
    """Fork what is asked for until the program is gone."""
    Path("/proc/self/comm").write_text("us-nursery")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    listen(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    watched = poll()
    for descriptor in (port.fileno(), wake):
        watched.register(descriptor, select.POLLIN)
    living: dict[int, str] = {}
    while True:
        watched.poll()
        with contextlib.suppress(BlockingIOError):
            os.read(wake, PACKET)
        _reap(port, living)
        if not _obey(port, living, serve):
            os._exit(0)


def _obey(port: Any, living: dict[int, str], serve: Serve) -> bool:
    """Do what is asked, if anything is; False when nobody is left to ask."""
    try:
        packet, ends, _, _ = socket.recv_fds(port, PACKET, 1, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC)
    except BlockingIOError:
        return True
    except OSError:
        return False
    if not packet:
        return False
    if not ends:  # no descriptor was free: who asked sees that it is closed, and asks again
        return True
    wanted = json.loads(packet)
    pid = fork()
    if not pid:
        _become(port, ends[0], wanted["orders"], serve)
    os.close(ends[0])
    living[pid] = wanted["name"]
    return True


def _become(port: Any, end: int, orders: dict[str, Any], serve: Serve) -> NoReturn:
    port.close()
    signal.set_wakeup_fd(-1)
    listen(signal.SIGCHLD, signal.SIG_DFL)
    code = 70
    try:
        serve(end, orders)
        code = 0
    except BaseException:
        log.exception("process failed", orders=orders)
    finally:
        os._exit(code)


def _reap(port: Any, living: dict[int, str]) -> None:
    for pid in tuple(living):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            news = {"name": living.pop(pid), "pid": pid, "status": os.waitstatus_to_exitcode(status)}
            with contextlib.suppress(OSError):
                port.send(json.dumps(news).encode())
