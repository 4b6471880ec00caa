"""What system tests share: the daemon as its user runs it, backends to kill, and bounded waiting."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BACKEND = Path(__file__).with_name("backend.py")


WAY: tuple[str, ...] = ()
"""How the daemon is run, besides a test's own options: tests that hold either way set it."""

STALL = 1.0
"""Seconds that the daemon's event loop may be held; its monitor thread reports longer ones in the log."""


def until(what: Callable[[], Any], limit: float = 10.0, step: float = 0.02) -> Any:
    """The first true value of ``what()``; fails after ``limit`` seconds with the last one."""
    end = time.monotonic() + limit
    while not (value := what()):
        assert time.monotonic() < end, f"not so within {limit} s; last seen: {value!r}"
        time.sleep(step)
    return value


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listened on just now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Backend:
    """A server process on ``port`` of loopback."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run, and return when it accepts."""
        self._process = subprocess.Popen([sys.executable, "-S", "-E", str(BACKEND), str(self.port)])
        until(self._accepts)

    def kill(self) -> None:
        """SIGKILL, by pid."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Daemon:
    """``python -m actors.main`` on a configuration, with its log in a file and its control socket in ``folder``."""

    limit = 10.0
    """Seconds until its control socket answers."""

    def __init__(self, folder: Path, conf: str, *options: str) -> None:
        self.folder = folder
        self.conf = folder / "test.conf"
        self.conf.write_text(conf)
        self.socket = folder / "control.sock"
        self.log = folder / "daemon.log"
        self._options = options
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Daemon":
        """Run, and return when the control socket answers."""
        command = [
            sys.executable,
            "-m",
            "actors.main",
            str(self.conf),
            "--socket",
            str(self.socket),
            *WAY,
            *self._options,
        ]
        watched = os.environ | {"GEVENT_MONITOR_THREAD_ENABLE": "1", "GEVENT_MAX_BLOCKING_TIME": str(STALL)}
        command += ["--log-format", "json"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=watched)
        until(self._answers, self.limit)
        return self

    def ask(self, **request: Any) -> Any:
        """One question to the control socket."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(self.socket))
            client.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(client.makefile("rb").readline())

    def status(self) -> dict[str, Any]:
        """The whole state."""
        return self.ask(ask="status")  # type: ignore[no-any-return]

    def pool(self) -> set[int]:
        """The ports of the servers in the pool that take connections."""
        return {row["port"] for row in self.status()["servers"] if row["in_pool"] and row["weight"] > 0}

    def reload(self) -> None:
        """SIGHUP."""
        self._signal(signal.SIGHUP)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self._signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def logged(self) -> str:
        """All that it has written so far."""
        return self.log.read_text()

    def _signal(self, number: int) -> None:
        assert self.process is not None
        assert self.process.poll() is None, f"the daemon has ended:\n{self.logged()}"
        self.process.send_signal(number)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the daemon has ended:\n{self.logged()}"
        try:
            return bool(self.ask(ask="tree"))
        except OSError:
            return False


@contextlib.contextmanager
def running(folder: Path, conf: str, *options: str) -> Iterator[Daemon]:
    """A daemon for the time of a block; killed if it has not ended by then."""
    daemon = Daemon(folder, conf, *options)
    try:
        yield daemon.start()
    finally:
        if daemon.process is not None and daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()


@contextlib.contextmanager
def backends(ports: list[int]) -> Iterator[dict[int, Backend]]:
    """Backends on ``ports`` for the time of a block."""
    all_of_them = {port: Backend(port) for port in ports}
    try:
        for each in all_of_them.values():
            each.start()
        yield all_of_them
    finally:
        for each in all_of_them.values():
            each.kill()


def fetch(port: int, limit: float = 2.0) -> bytes:
    """One HTTP request to ``port`` of loopback: the body of the answer; raises OSError when there is none."""
    with socket.create_connection(("127.0.0.1", port), timeout=limit) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        reply = b"".join(iter(lambda: client.recv(65536), b""))
    if not reply:
        raise ConnectionResetError("closed without an answer")
    return reply.partition(b"\r\n\r\n")[2]


def descriptors(pid: int) -> int:
    """Open file descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident(pid: int) -> int:
    """Resident memory of a process in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))
