"""What a newcomer does: ``make run``, ask, kill a backend, bring it back, end it all."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.control_client import Unreachable, ask, default_path
from tests.system.lab import ROOT, fetch, until

PORT = 8000
PORTS = (8000, 8001, 8002, 8003, 8009)
SERVERS = (8001, 8002, 8003)
ANSWERS = {b"hello from backend %d\n" % port for port in SERVERS}


class Quickstart:
    """``make run`` in a process group of its own, in the environment of this interpreter, its output in a file."""

    def __init__(self, folder: Path) -> None:
        self._output = folder / "output"
        self._command = ["make", "run", f"VENV={environment(folder)}"]
        self.env = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}

    def start(self) -> "Quickstart":
        """Run, and return when every backend answers through the service."""
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                self._command, cwd=ROOT, env=self.env, stdout=output, stderr=output, start_new_session=True
            )
        until(lambda: self.said("notify: 8001 is up", "notify: 8002 is up", "notify: 8003 is up"), limit=20)
        return self

    def output(self) -> str:
        """All that was printed so far."""
        return self._output.read_text()

    def said(self, *lines: str) -> bool:
        """Whether all these lines were printed; fails when the quickstart has ended."""
        assert self.process.poll() is None, f"the quickstart has ended:\n{self.output()}"
        return set(lines) <= set(self.output().splitlines())

    def count(self, line: str) -> int:
        """How often a line was printed."""
        return self.output().splitlines().count(line)

    def pid_of(self, port: int) -> int:
        """The process of a backend, as the output tells it."""
        found = re.search(rf"^backend {port}: pid (\d+)$", self.output(), re.MULTILINE)
        assert found, self.output()
        return int(found[1])

    def status(self) -> dict[str, Any]:
        """What the control socket says."""
        return ask(self.socket, {"ask": "status"})  # type: ignore[no-any-return]

    def in_pool(self) -> set[int]:
        """The ports of the servers in the pool."""
        return {row["port"] for row in self.status()["servers"] if row["in_pool"]}

    @property
    def socket(self) -> Path:
        """Where the daemon listens: in the folder, but for root."""
        return control_socket(self.env)

    def end(self, number: int) -> int:
        """Signal the whole group, as a terminal does; the exit code once nothing of it is left."""
        os.killpg(self.process.pid, number)
        code = self.process.wait(timeout=20)
        until(lambda: not group(self.process.pid))
        return code


def environment(folder: Path) -> Path:
    """An environment as make wants it, whose python is this one, with the stamp that nothing is to be installed."""
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / "venv" / ".run").touch()
    return folder / "venv"


def control_socket(env: dict[str, str]) -> Path:
    """The daemon's own choice, with the variables that it is given."""
    folder = Path(env["XDG_RUNTIME_DIR"])
    return default_path() if os.geteuid() == 0 else folder / "understudy-control.sock"


def group(number: int) -> list[str]:
    """Processes of a group that are more than a memory of their exit code."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, leader = stat.read_text().rpartition(")")[2].split()[:3]
            found += [stat.parent.name] if int(leader) == number and state != "Z" else []
    return found


def taken() -> list[str]:
    """What the quickstart needs and somebody else has."""
    found = []
    for port in PORTS:
        with socket.socket() as probe:
            found += [f"port {port} of 127.0.0.1"] if probe.connect_ex(("127.0.0.1", port)) == 0 else []
    with contextlib.suppress(Unreachable):
        ask(default_path(), {"ask": "tree"})
        found.append(f"the control socket {default_path()}")
    return found


def make_sure_of_room() -> None:
    """Fail with the names of what is taken, if that does not change soon: another run of these tests ends."""
    end = time.monotonic() + 20
    while others := taken():
        if time.monotonic() > end:
            pytest.fail(f"taken by another program: {', '.join(others)}", pytrace=False)
        time.sleep(0.5)


@contextlib.contextmanager
def quickstart(folder: Path) -> Iterator[Quickstart]:
    """The quickstart for the time of a block; nothing of it is left after that."""
    make_sure_of_room()
    running = Quickstart(folder)
    try:
        yield running.start()
    finally:
        if group(running.process.pid):
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()


def test_a_newcomer_sees_the_whole_story(tmp_path: Path) -> None:
    with quickstart(tmp_path) as running:
        assert {fetch(PORT) for _ in range(9)} == ANSWERS
        os.kill(running.pid_of(8001), signal.SIGTERM)
        lost = ask_until_out(running, 8001)
        assert lost <= 1, "more than the request in flight was lost"
        assert {fetch(PORT) for _ in range(6)} == ANSWERS - {b"hello from backend 8001\n"}
        until(lambda: running.said("notify: 8001 is down"))
        with restarted(8001):
            until(lambda: running.in_pool() == set(SERVERS))
            until(lambda: running.count("notify: 8001 is up") == 2)
            assert {fetch(PORT) for _ in range(9)} == ANSWERS
        until(lambda: running.count("notify: 8001 is down") == 2)
        assert running.end(signal.SIGINT) == -signal.SIGINT, "make dies of the interrupt when its child has ended"
        assert "Error" not in running.output(), "make tells of a child that ends badly"
        assert running.count("notify: 8001 is up") == 2
        assert not running.socket.exists()


def ask_until_out(running: Quickstart, port: int) -> int:
    """Ask on and on until a server has left the pool; how many answers were lost."""
    lost = 0

    def is_out() -> bool:
        nonlocal lost
        try:
            assert fetch(PORT) in ANSWERS
        except OSError:
            lost += 1
        return port not in running.in_pool()

    # Found at the next check (1.05 s), sure after one retry (0.3 s): four seconds are generous on a slow machine.
    until(is_out, limit=4.0)
    return lost


@contextlib.contextmanager
def restarted(port: int) -> Iterator[None]:
    """A backend brought back as the README says, for the time of a block."""
    process = subprocess.Popen([sys.executable, "examples/backends.py", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_daemon_of_the_quickstart_ends_well_and_takes_all_with_it(tmp_path: Path, number: int) -> None:
    with quickstart(tmp_path) as running:
        os.kill(running.status()["pid"], number)
        assert running.process.wait(timeout=20) == 0
        until(lambda: not group(running.process.pid))


def test_a_port_that_is_taken_is_named_and_nothing_is_started(tmp_path: Path) -> None:
    make_sure_of_room()
    with socket.create_server(("127.0.0.1", 8002)):
        command = ["make", "--silent", "run", f"VENV={environment(tmp_path)}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "taken on 127.0.0.1 by another program: port 8002"
