"""The ``scripts`` process: tiny, and the only one that runs programs.

Run as a file, never imported by the daemon: the standard library only, and little of it, so that a fork stays cheap.
Its standard input is a socket of type SEQPACKET that carries one JSON object a packet::

    -> {"number": 7, "argv": ["/bin/true"], "user": "", "group": "", "limit": 60.0, "env": {}, "secure": false,
        "listen": false}
    <- {"number": 7, "status": 0, "error": "", "output": ""}
    -> {"number": 7, "give_up": true}

With ``listen`` what the program writes is not the daemon's output, but comes, as far as it is kept, with its end. One
that is given up is ended before its time. This process ends when the other end closes: whatever still runs gets TERM,
and KILL two seconds later. Its only argument is how many programs run side by side.
"""

import contextlib
import ctypes
import errno
import grp
import json
import os
import pwd
import select
import signal
import socket
import stat
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NoReturn

KEPT = 2048
"""Bytes that are kept of what a program writes."""

CHUNK = 1 << 16

GRACE = 2.0
"""Seconds between TERM and KILL."""

PACKET = 1 << 20
"""Bytes: above any packet that the socket's send buffer would take."""

DROPPED = ("IFS", "LD_PRELOAD", "LD_LIBRARY_PATH")
"""Variables that no program gets: they change what its words mean."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOT_STARTED = 127
"""The status of what never ran, as shells have it."""

FOR_THE_DAEMON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that mean something to the program as a whole, whomever else they reach."""

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Program:
    """A program that was asked for: where it stands, and what will be answered.

    ``deadline`` is when it gets the next signal, by the monotonic clock; None when it has had them all. ``ear`` is
    where its output comes in, -1 for nowhere.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        self.number: int = request["number"]
        self.argv: list[str] = request["argv"]
        self.user: str = request["user"]
        self.group: str = request["group"]
        self.limit: float = request["limit"]
        self.env: dict[str, str] = request["env"]
        self.secure: bool = request["secure"]
        self.listen: bool = request["listen"]
        self.pid = 0
        self.ear = self.mouth = -1
        self.error = ""
        self.deadline: float | None = None
        self.told_to_end = False
        self._failure = -1
        self._heard = bytearray()

    @property
    def is_heard(self) -> bool:
        """Whether no more of its output is kept."""
        return len(self._heard) >= KEPT

    @property
    def output(self) -> str:
        """What it wrote, as far as it was kept."""
        return self._heard.decode(errors="replace")

    def start(self) -> None:
        """Fork; the copy becomes the program, in a process group of its own. Raises OSError when it cannot fork."""
        with ExitStack() as ours, ExitStack() as theirs:
            self._failure, failure = pipe(ours, theirs)
            if self.listen:
                self.ear, self.mouth = pipe(ours, theirs)
            self.pid = os.fork()
            if self.pid == 0:
                become(self, failure)
            ours.pop_all()  # from now on closed when it is reaped
        self.deadline = time.monotonic() + self.limit

    def nudge(self, reason: str = "") -> None:
        """Its time is over: TERM to its group, at the next call KILL."""
        if self.told_to_end:
            self.send(signal.SIGKILL)
            self.deadline = None
        else:
            self.told_to_end = True
            self.error = reason or f"timed out after {self.limit:g} s"
            self.send(signal.SIGTERM)
            self.deadline = time.monotonic() + GRACE

    def hear(self) -> bool:
        """Read some of its output, and keep the beginning of it; whether there was any."""
        try:
            data = os.read(self.ear, CHUNK)
        except BlockingIOError:
            data = b""
        self._heard += data[: KEPT - len(self._heard)]
        return bool(data)

    def send(self, number: int) -> None:
        """Signal its whole group."""
        # A set-uid program may outrank us: then its deadline passes in vain.
        with contextlib.suppress(PermissionError):
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                # Between fork and setpgid the group is not there yet; the process is, unreaped.
                os.kill(self.pid, number)

    def reap(self) -> int:
        """Collect an ended program: its exit status, negative for a signal.

        Of one that was told to end the whole group goes; as the leader is not reaped yet, the number is still its own.
        """
        if self.told_to_end:
            self.send(signal.SIGKILL)
        _, code = os.waitpid(self.pid, 0)
        # Would block only if the copy left a child of its own behind before it became the program.
        with contextlib.suppress(BlockingIOError):
            self.error = os.read(self._failure, 4096).decode(errors="replace") or self.error
        os.close(self._failure)
        return os.waitstatus_to_exitcode(code)


def pipe(ours: ExitStack, theirs: ExitStack) -> tuple[int, int]:
    """An end to read, which never blocks, and one to write, each to be closed by its stack."""
    read, write = os.pipe()
    ours.callback(os.close, read)
    theirs.callback(os.close, write)
    os.set_blocking(read, False)
    return read, write


class Scripts:
    """Starts what is asked for, ends what takes too long, answers for each."""

    def __init__(self, port: socket.socket, at_once: int) -> None:
        self._port = port
        self._at_once = at_once
        self._heard: dict[int, Program] = {}
        self._open = True
        self._waiting: deque[Program] = deque()
        self._running: dict[int, Program] = {}
        self._poll = select.poll()
        self._poll.register(port, select.POLLIN)
        self._poll.register(wake_on_children(), select.POLLIN)

    def run(self) -> None:
        """Serve until the other end closes and nothing runs."""
        while self._open or self._running:
            for fd, _ in self._poll.poll(self._patience()):
                if fd == self._port.fileno():
                    self._read()
                elif fd in self._heard:
                    self._hear(self._heard[fd])
                else:
                    os.read(fd, 4096)
            self._reap()
            self._hurry()
            self._start()

    def _patience(self) -> int | None:
        """Milliseconds until the next deadline."""
        times = [program.deadline for program in self._running.values() if program.deadline is not None]
        return max(0, round((min(times) - time.monotonic()) * 1000) + 1) if times else None

    def _read(self) -> None:
        try:
            packet = self._port.recv(PACKET)
        except ConnectionResetError:
            packet = b""
        if not packet:
            self._close()
            return
        request = json.loads(packet)
        if "give_up" in request:
            self._give_up(request["number"])
        else:
            self._waiting.append(Program(request))

    def _give_up(self, number: int) -> None:
        for program in self._running.values():
            if program.number == number and not program.told_to_end:
                program.nudge("given up")
        for program in tuple(self._waiting):
            if program.number == number:
                self._waiting.remove(program)
                self._answer(program, -signal.SIGTERM, "given up")

    def _hear(self, program: Program) -> None:
        if not program.hear():  # it has closed its output, or just now nothing is there
            self._deafen(program)

    def _deafen(self, program: Program) -> None:
        if self._heard.pop(program.ear, None) is not None:
            self._poll.unregister(program.ear)
            os.close(program.ear)

    def _close(self) -> None:
        self._open = False
        self._poll.unregister(self._port)
        self._waiting.clear()
        for program in self._running.values():
            if not program.told_to_end:
                program.nudge()

    def _start(self) -> None:
        while self._waiting and len(self._running) < self._at_once:
            program = self._waiting.popleft()
            try:
                program.start()
            except OSError as error:
                self._answer(program, NOT_STARTED, f"no process for {named(program)}: {error.strerror}")
                continue
            self._running[program.pid] = program
            if program.listen:
                self._heard[program.ear] = program
                self._poll.register(program.ear, select.POLLIN)

    def _hurry(self) -> None:
        now = time.monotonic()
        for program in self._running.values():
            if program.deadline is not None and program.deadline <= now:
                program.nudge()

    def _reap(self) -> None:
        for pid in ended():
            program = self._running.pop(pid)
            status = program.reap()
            while program.ear in self._heard and not program.is_heard and program.hear():
                pass  # what was written just before the end; what it left behind may write for ever
            self._deafen(program)
            self._answer(program, status, program.error)

    def _answer(self, program: Program, status: int, error: str) -> None:
        # May wait while the daemon does not read: the buffer holds more answers than programs run at once.
        # When nobody is left to tell, the next read says so too.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            answer = {"number": program.number, "status": status, "error": error, "output": program.output}
            self._port.send(json.dumps(answer).encode())


def ended() -> Iterator[int]:
    """Process ids of children that have ended, none reaped; each must be before the next is asked for."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None:
            return
        yield found.si_pid


def become(program: Program, failure: int) -> NoReturn:
    """In the forked copy: turn into the program, or write the reason to ``failure`` and exit with 127."""
    try:
        prepare(program)
        execute(program.argv, environment(program.env), program.secure and os.geteuid() == 0)
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        os.write(failure, f"cannot start {named(program)}: {reason}".encode(errors="replace")[:4096])
    finally:
        # Whatever happens, nothing may return into this copy of the server.
        os._exit(NOT_STARTED)


def prepare(program: Program) -> None:
    """Own group, default signals, its identity. Its output goes where the daemon's goes, unless it is listened to."""
    os.setpgid(0, 0)
    if program.listen:
        os.dup2(program.mouth, 1)
        os.dup2(program.mouth, 2)
    signal.set_wakeup_fd(-1)
    for number in (*FOR_THE_DAEMON, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    take_identity(program.user, program.group)
    # After the identity, which would clear it: when this server dies, so does what it runs.
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def take_identity(user: str, group: str) -> None:
    """Become ``user`` (name or number) with ``group`` or its own; raises LookupError or OSError. Empty: as we are."""
    if not user and not group:
        return
    uid, gid = user_id(user) if user else (os.getuid(), os.getgid())
    if group:
        gid = group_id(group)
    if (uid, gid) == (os.getuid(), os.getgid()):
        return
    os.setgroups([gid])
    os.setgid(gid)
    os.setuid(uid)


def user_id(user: str) -> tuple[int, int]:
    """User and primary group; raises LookupError."""
    try:
        entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        raise LookupError(f"no user {user!r}") from None
    return entry.pw_uid, entry.pw_gid


def group_id(group: str) -> int:
    """Raises LookupError."""
    try:
        return int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise LookupError(f"no group {group!r}") from None


def named(program: Program) -> str:
    """What to call it in an error."""
    return repr(program.argv[0]) if program.argv else "nothing"


def environment(given: dict[str, str]) -> dict[str, str]:
    """This process' variables, without the dangerous ones, and those given."""
    return {name: value for name, value in os.environ.items() if name not in DROPPED} | given


def execute(argv: list[str], env: dict[str, str], secure: bool = False) -> NoReturn:
    """Replace this process; without a slash the file is sought in PATH. A file without ``#!`` goes through /bin/sh.

    With ``secure`` a file that others than root may change is a PermissionError.
    """
    if not argv:
        raise ValueError("no program given")
    file = argv[0]
    folders = env.get("PATH", DEFAULT_PATH).split(":")
    missed: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    for path in [file] if "/" in file else [f"{folder}/{file}" for folder in folders]:
        try:
            if secure:
                refuse_foreign(path)
            os.execve(path, argv, env)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            missed = error
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            os.execve("/bin/sh", ["/bin/sh", path, *argv[1:]], env)
    raise missed


def refuse_foreign(path: str) -> None:
    """Raise PermissionError if others than root may change the file, or put another one in its place."""
    for name in (os.path.abspath(path), os.path.realpath(path)):
        parts = name.split("/")
        for length in range(1, len(parts) + 1):
            part = "/".join(parts[:length]) or "/"
            if who := strangers(os.stat(part)):
                raise PermissionError(errno.EPERM, f"as root: {part} {who}")


def strangers(about: os.stat_result) -> str:
    """Who but root may change a file or folder, in words; empty for nobody."""
    if about.st_uid:
        return f"belongs to user {about.st_uid}"
    if about.st_mode & stat.S_IWOTH:
        return "may be written by everybody"
    if about.st_mode & stat.S_IWGRP and about.st_gid:
        return f"may be written by group {about.st_gid}"
    return ""


def wake_on_children() -> int:
    """A pipe that becomes readable when a child has ended."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return read


def main() -> None:
    """Serve standard input; no other file of the daemon's stays open.

    Signals meant for the daemon are ignored: this process ends after it, never before.
    """
    for number in FOR_THE_DAEMON:
        signal.signal(number, signal.SIG_IGN)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    port = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    port.setblocking(True)
    Scripts(port, int(sys.argv[1])).run()


if __name__ == "__main__":
    main()
