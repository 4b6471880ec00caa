"""Many checks of one second each by a whole program, ours or keepalived's, as the servers that it checks see them.

One socket stands for all servers. How late a probe is, is by how much longer than a second the silence before it was.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from actors.census import usage
from bench.footprint import footprint
from tests.system.lab import Daemon, until

SERVICES = 50
LIMIT = 300.0
"""Seconds until every server has been probed, also in a machine that is emulated."""

QUIET = 3.0
"""Seconds after that until the clock starts: what the start has left undone is done by then."""


class Found(NamedTuple):
    """Probes a second, microseconds of CPU for each, milliseconds of lateness, and MiB of all processes."""

    rate: float
    cpu: float
    late_p50: float
    late_p99: float
    late_worst: float
    memory: float


def configuration(checks: int, port: int, plane: str) -> str:
    """Servers with a check of a second each, that keepalived too understands. ``plane`` is for ours alone."""
    blocks = [f"global_defs {{\n    {plane}\n}}\n"]
    for service in range(min(SERVICES, checks)):
        servers = "".join(_server(n, port) for n in range(service, checks, SERVICES))
        head = "    delay_loop 1\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n"
        blocks.append(f"virtual_server 127.0.0.1 {20000 + service} {{\n{head}{servers}}}\n")
    return "".join(blocks)


def _server(number: int, port: int) -> str:
    address = f"127.1.{number // 250}.{number % 250 + 1}"
    check = "        TCP_CHECK {\n            connect_timeout 1\n        }\n"
    return f"    real_server {address} {port} {{\n        weight 1\n{check}    }}\n"


class Street:
    """All the servers, in a process of their own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.port = int(self._answer())

    def ask(self, word: str) -> dict[str, float]:
        """What was seen since the last time that it was asked to ``begin``."""
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        found: dict[str, float] = json.loads(self._answer())
        return found

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def street() -> Iterator[Street]:
    """Open while it is used."""
    command = [sys.executable, str(Path(__file__).with_name("street.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Street(process)
        assert process.stdin is not None
        process.stdin.close()


@contextmanager
def ours(folder: Path, text: str) -> Iterator[int]:
    """Our program with all its processes; the number of the first."""
    daemon = Daemon(folder, text)
    daemon.limit = LIMIT
    daemon.start()
    assert daemon.process is not None
    try:
        yield daemon.process.pid
    finally:
        daemon.stop()


@contextmanager
def keepalived(folder: Path, text: str) -> Iterator[int]:
    """Debian's, with its checker process."""
    conf = folder / "theirs.conf"
    conf.write_text(text)
    pids = [word for name in "pcr" for word in (f"-{name}", str(folder / f"{name}.pid"))]
    with subprocess.Popen(
        ["keepalived", "-n", "-l", "-C", "-f", str(conf), *pids], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


PROGRAMS = {"ours": ours, "keepalived": keepalived}


def measured(program: str, checks: int, seconds: float, folder: Path, plane: str = "") -> Found:
    """Run it with so many checks of a second for so many seconds. Raises TimeoutError when some are never probed."""
    with street() as servers, PROGRAMS[program](folder, configuration(checks, servers.port, plane)) as pid:
        until(lambda: servers.ask("look")["servers"] >= checks, LIMIT, 0.5)
        time.sleep(QUIET)
        servers.ask("begin")
        before, began = cpu(pid), time.monotonic()
        time.sleep(seconds)
        seen, spent, lasted = servers.ask("look"), cpu(pid) - before, time.monotonic() - began
        memory = sum(footprint(each).pss for each in family(pid))
    p50, p99, worst = (seen[name] * 1e3 for name in ("p50", "p99", "worst"))
    return Found(seen["probes"] / lasted, spent * 1e6 / max(1.0, seen["probes"]), p50, p99, worst, memory)


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for each in found:
        with suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def cpu(pid: int) -> float:
    """Seconds that a process and its descendants have worked."""
    return sum(usage(each)["cpu"] or 0.0 for each in family(pid))
