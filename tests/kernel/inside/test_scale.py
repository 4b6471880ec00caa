"""Many servers: a start tells the kernel each once, a reload only the change, a storm ends with the right table.

The commands are counted by the kernel itself, by a probe in its own code. With UNDERSTUDY_SLOW=1 everything is as large
as it should be, and keepalived does the same beside: `python -m bench.ipvs` prints it.
"""

import logging
import os
import random
import re
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from actors.children import Child
from actors.core.quorum import Member, Quorum, Roster
from actors.core.status import CheckStatus, Verdict
from actors.core.table import Destination, Service, ServiceKey
from actors.ipvs_actor import IpvsActor, ServiceSpec
from actors.planes.ipvs import IpvsPlane
from actors.real_server_actor import RealServerActor, RealServerSpec
from tests.kernel.inside.judge import ipvsadm, saved
from tests.system.lab import Daemon, until
from tests.world import Listener, World

IS_WHOLE = "UNDERSTUDY_SLOW" in os.environ
SERVICES, SERVERS = (500, 20) if IS_WHOLE else (50, 20)
ROWS = SERVICES * (SERVERS + 1)
STORM_SECONDS, STORM_RATE = 30 if IS_WHOLE else 3, 2000
LIMIT = 300.0
"""Seconds that a program may take in this emulation."""

TRACING = Path("/sys/kernel/tracing")
COMMANDS = ("ip_vs_genl_set_cmd", "do_ip_vs_set_ctl")
"""Where the kernel takes what changes its table: by generic netlink, and by a socket's option."""


def conf(weight: int) -> str:
    """All services; ``weight`` is that of one of the servers, the others have 1."""
    lines = ["global_defs {", "    router_id guest", "}"]
    for service in range(SERVICES):
        lines += [f"virtual_server 10.{service // 250}.{service % 250}.1 80 {{", "    lb_algo rr", "    lb_kind DR"]
        lines += ["    protocol TCP"]
        for server in range(SERVERS):
            mine = weight if service == server == 7 else 1
            lines += [f"    real_server 10.100.{service % 250}.{server + 1} 80 {{", f"        weight {mine}", "    }"]
        lines += ["}"]
    return "\n".join([*lines, ""])


@pytest.fixture
def commands() -> Iterator[Callable[[], int]]:
    """How many commands the kernel has taken since the last time it was asked."""
    if not (TRACING / "kprobe_events").exists():
        subprocess.run(["mount", "-t", "tracefs", "tracefs", str(TRACING)], check=True)
    seen = [0]
    events = os.open(TRACING / "kprobe_events", os.O_WRONLY | os.O_APPEND)
    for name in COMMANDS:
        os.write(events, f"p:{name} {name}\n".encode())
        (TRACING / f"events/kprobes/{name}/enable").write_text("1")
    os.close(events)

    def counted() -> int:
        told = (TRACING / "kprobe_profile").read_text()
        total = sum(int(hits) for hits in re.findall(r"^\s*\S+\s+(\d+)", told, re.MULTILINE))
        seen[0], new = total, total - seen[0]
        return new

    yield counted
    for name in COMMANDS:
        (TRACING / f"events/kprobes/{name}/enable").write_text("0")
    (TRACING / "kprobe_events").write_text("")


class Ours:
    """Our program, all in one process, since the emulated machine is slow."""

    def __init__(self, folder: Path) -> None:
        self._daemon = Daemon(folder, conf(1), "--single-process")
        self._daemon.limit = LIMIT

    def start(self) -> None:
        self._daemon.start()

    def reload(self, text: str) -> None:
        self._daemon.conf.write_text(text)
        self._daemon.reload()

    def end(self) -> int:
        """Its peak memory, in MiB."""
        assert self._daemon.process is not None
        peak = peak_of(self._daemon.process.pid)
        self._daemon.stop()
        return peak


class Theirs:
    """Debian's keepalived."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._conf = folder / "theirs.conf"
        self._conf.write_text(conf(1))

    def start(self) -> None:
        pids = [word for name in "pcr" for word in (f"-{name}", str(self._folder / f"{name}.pid"))]
        command = ["keepalived", "-n", "-l", "-C", "-f", str(self._conf), *pids]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def reload(self, text: str) -> None:
        self._conf.write_text(text)
        self._process.send_signal(signal.SIGHUP)

    def end(self) -> int:
        """The peak memory of it and its checker process, in MiB."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        peak = sum(peak_of(int(pid)) for pid in (self._process.pid, *children))
        self._process.terminate()
        self._process.wait(LIMIT)
        return peak


def peak_of(pid: int) -> int:
    """The peak memory of a process, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) // 1024 if found else 0


def rows() -> int:
    """Of the table, by the kernel's own list: cheap to count."""
    return sum(line.startswith(("TCP", "  ->")) for line in Path("/proc/net/ip_vs").read_text().splitlines()) - 1


@pytest.mark.timeout(3 * LIMIT)
@pytest.mark.parametrize("program", [Ours, Theirs] if IS_WHOLE else [Ours])
def test_a_start_tells_each_once_and_a_reload_only_the_change(
    program: Any, tmp_path: Path, commands: Callable[[], int]
) -> None:
    commands()
    before, it = time.monotonic(), program(tmp_path)
    it.start()
    until(lambda: rows() == ROWS, LIMIT, 0.05)
    started, told = time.monotonic() - before, commands()
    assert saved().count("-a -t 10.0.7.1:80 -r 10.100.7.8:80 -g -w 1") == 1
    before = time.monotonic()
    it.reload(conf(5))
    until(lambda: "-r 10.100.7.8:80 -g -w 5" in ipvsadm("-Sn"), LIMIT, 0.05)
    reloaded, change = time.monotonic() - before, commands()
    print(f"MEASURED {program.__name__} {started:.2f} {told} {reloaded:.2f} {change} {it.end()}")
    if program is Ours:
        assert (told, change) == (ROWS, 1)


class Storm(World):
    """Services of real actors on the kernel's table; the verdicts come from the test."""

    def __init__(self, plane: IpvsPlane, services: int, servers: int) -> None:
        self.checks: dict[str, str] = {}
        children: list[Child] = []
        for service in range(services):
            children += self._service(service, servers)
        super().__init__(tuple(children), {"plane": plane})

    def _service(self, number: int, servers: int) -> Iterator[Child]:
        key = ServiceKey(4, f"10.0.{number}.1", 80, "tcp")
        members = []
        for server in range(servers):
            address = f"10.100.{number}.{server + 1}"
            check, id = f"check/{address}", f"vs/{number}/rs/{address}"
            self.checks[check] = f"-a -t {key.address}:80 -r {address}:80 -m -w 1"
            members.append(Member(id, Destination(address, 80)))
            yield Child(check, Listener, ([],))
            yield Child(id, RealServerActor, (RealServerSpec(id, checks=(check,)),))
        roster = Roster(Service(key, "rr"), tuple(members), None, Quorum())
        yield Child(f"vs/{number}", IpvsActor, (ServiceSpec(f"vs/{number}", roster),), ("plane",))

    def say(self, check: str, verdict: Verdict) -> None:
        context = self.system.find(check)
        assert context is not None
        context.publish(CheckStatus(check, verdict))


@pytest.fixture
def quiet() -> Iterator[None]:
    """No lines of the log: to write so many takes longer than what they tell of."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.mark.timeout(3 * LIMIT)
def test_a_storm_of_verdicts_ends_with_the_right_table(plane: IpvsPlane, quiet: None) -> None:
    world, chance = Storm(plane, 50, 20), random.Random(2)
    verdicts = dict.fromkeys(world.checks, Verdict.OK)
    for check in verdicts:
        world.say(check, Verdict.OK)
    world.advance(1.0)
    before, memory = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(STORM_SECONDS * 10):
        for check in chance.sample(list(verdicts), STORM_RATE // 10):
            verdicts[check] = Verdict.FAILED if verdicts[check] is Verdict.OK else Verdict.OK
            world.say(check, verdicts[check])
        world.advance(0.1)
    took, more = time.monotonic() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    print(f"MEASURED storm {STORM_SECONDS * STORM_RATE} {took:.2f} {more // 1024}")
    expected = sorted(world.checks[check] for check, verdict in verdicts.items() if verdict is Verdict.OK)
    assert [row for row in saved() if row.startswith("-a")] == expected
    assert more < 64 * 1024
