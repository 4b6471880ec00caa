"""The nursery: a process that has all modules loaded and does nothing, so that a fork of it is a new process at once.

It is forked itself, before the program has an event loop, threads or secrets in memory. It has no loop either: what
it forks makes its own. It ends when the program does.
"""

import _socket
import contextlib
import gc
import json
import os
import select
import signal
import socket
from collections.abc import Callable
from typing import Any, NoReturn

import structlog
from gevent import get_hub, monkey

log = structlog.get_logger()

fork: Callable[[], int] = monkey.get_original("os", "fork")
poll: Callable[[], Any] = monkey.get_original("select", "poll")
NativeSocket = monkey.get_original("socket", "socket")
# gevent's own would leave SIGCHLD to a loop, of which there is none in the nursery.
listen: Callable[..., Any] = monkey.get_original("signal", "signal")

READ = 1
PACKET = 1 << 16

Serve = Callable[[int, dict[str, Any]], None]
"""What a new process does with the descriptor of its bridge and its orders; when it returns, the process ends."""


class Nursery:
    """The program's end: asks for processes and hears of their ends. ``ended(pid, status)`` is called on the event loop
    with an exit status, negative for the signal that ended it."""

    def __init__(self, serve: Serve) -> None:
        """Fork. To be called before anything else has begun."""
        ours, theirs = _socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # one of gevent's would make a loop
        self.ended: Callable[[int, int], None] = lambda pid, status: None
        self.born: Callable[[str, int], None] = lambda name, pid: None
        self.lost: Callable[[], None] = lambda: None
        gc.collect()
        gc.freeze()
        self.pid = fork()
        if not self.pid:
            ours.close()
            _tend(NativeSocket(fileno=theirs.detach()), serve)
        theirs.close()
        self._port = NativeSocket(fileno=ours.detach())
        self._port.setblocking(False)
        self._watcher: Any = None

    def open(self) -> None:
        """Begin to hear what it says; needs the event loop."""
        self._watcher = get_hub().loop.io(self._port.fileno(), READ)
        self._watcher.start(self._hear)

    def ask(self, name: str, end: int, orders: dict[str, Any]) -> None:
        """Have it fork a process that is given the descriptor ``end``. Raises OSError when it is gone."""
        packet = json.dumps({"name": name, "orders": orders}).encode()
        socket.send_fds(self._port, [packet], [end])

    def kill(self, pid: int, number: int) -> None:
        """Have it send a signal to a process that it forked; one that has ended already is fine."""
        with contextlib.suppress(OSError):
            self._port.send(json.dumps({"kill": pid, "signal": number}).encode())

    def close(self) -> None:
        """Let it end."""
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
        self._port.close()

    def _hear(self) -> None:
        try:
            packet = self._port.recv(PACKET)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            self._watcher.stop()
            self.lost()
            return
        told = json.loads(packet)
        if "status" in told:
            self.ended(told["pid"], told["status"])
        else:
            self.born(told["name"], told["pid"])


# Inside the nursery.


def _tend(port: Any, serve: Serve) -> NoReturn:
    """Fork what is asked for until the program is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    listen(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    watched = poll()
    for descriptor in (port.fileno(), wake):
        watched.register(descriptor, select.POLLIN)
    living: set[int] = set()
    while True:
        watched.poll()
        with contextlib.suppress(BlockingIOError):
            os.read(wake, PACKET)
        _reap(port, living)
        if not _obey(port, living, serve):
            os._exit(0)


def _obey(port: Any, living: set[int], serve: Serve) -> bool:
    """Do what is asked, if anything is; False when nobody is left to ask."""
    try:
        packet, ends, _, _ = socket.recv_fds(port, PACKET, 1, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC)
    except BlockingIOError:
        return True
    except OSError:
        return False
    if not packet:
        return False
    wanted = json.loads(packet)
    if "kill" in wanted:
        if wanted["kill"] in living:
            os.kill(wanted["kill"], wanted["signal"])
        return True
    pid = fork()
    if not pid:
        _become(port, ends[0], wanted["orders"], serve)
    os.close(ends[0])
    living.add(pid)
    _tell(port, {"name": wanted["name"], "pid": pid})
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


def _reap(port: Any, living: set[int]) -> None:
    for pid in tuple(living):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            living.remove(pid)
            _tell(port, {"pid": pid, "status": os.waitstatus_to_exitcode(status)})


def _tell(port: Any, news: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        port.send(json.dumps(news).encode())
