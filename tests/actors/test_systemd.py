"""What systemd is told, on a socket that the test listens at."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.core.status import CheckStatus, ServiceStatus, Verdict, VrrpStatus
from actors.runtime.clock import ManualClock
from actors.systemd import Ear, Herald, found, summary

UNIT = Path(__file__).resolve().parents[2] / "packaging" / "understudy.service"


class Manager:
    """Listens as systemd does; ``address`` is what it would put into the environment."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._port = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._port.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        self._port.setblocking(False)

    def heard(self) -> list[str]:
        """The datagrams since the last look."""
        found = []
        while True:
            try:
                found.append(self._port.recv(4096).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        """Be gone."""
        self._port.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    it = Manager(str(tmp_path / "notify"))
    yield it
    it.close()


class Program:
    """A herald whose program is as the test says."""

    def __init__(self, address: str) -> None:
        self.clock = ManualClock()
        self.settled = False
        self.line = "1 router MASTER"
        self.herald = Herald(Ear(address), self.clock, lambda: self.settled, lambda: self.line)

    def wait(self) -> None:
        """A little more than a look takes to come."""
        self.clock.advance(0.6, lambda: None)


def test_an_abstract_name_is_heard_as_a_path_is() -> None:
    manager = Manager(f"@understudy-test-{os.getpid()}")
    assert Ear(manager.address).tell("READY=1", "STATUS=good")
    assert manager.heard() == ["READY=1\nSTATUS=good"]
    manager.close()


@pytest.mark.parametrize("address", ["", "/nobody/is/here", "@nobody-is-here", "vsock:2:1", "relative"])
def test_where_nobody_listens_nothing_is_sent_and_nobody_harmed(address: str) -> None:
    assert not Ear(address).tell("READY=1")


def test_an_ear_that_is_full_holds_nobody_up(manager: Manager) -> None:
    ear, done = Ear(manager.address), []
    thread = threading.Thread(target=lambda: done.append(any(not ear.tell("x") for _ in range(10_000))), daemon=True)
    thread.start()
    thread.join(timeout=20)
    assert done == [True]


@pytest.mark.parametrize(
    ("environment", "ear"),
    [
        ({}, Ear()),
        ({"NOTIFY_SOCKET": "/run/n"}, Ear("/run/n")),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, Ear("/run/n", 30.0)),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000"}, Ear("/run/n", 30.0)),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, Ear("/run/n")),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "often", "WATCHDOG_PID": "7"}, Ear("/run/n")),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, Ear()),
    ],
)
def test_what_systemd_has_left_is_taken_out_of_the_environment(environment: dict[str, str], ear: Ear) -> None:
    left = {"PATH": "/bin", **environment}
    assert (found(left, 7), left) == (ear, {"PATH": "/bin"})


def test_it_is_ready_once_all_is_settled_and_tells_its_state_only_when_that_is_new(manager: Manager) -> None:
    program = Program(manager.address)
    program.wait()
    assert manager.heard() == []
    program.settled = True
    program.wait()
    program.wait()
    assert manager.heard() == ["READY=1\nSTATUS=1 router MASTER"]
    program.line, program.settled = "1 router BACKUP", False
    program.wait()
    assert manager.heard() == ["STATUS=1 router BACKUP"]


def test_around_a_reload_it_says_so_with_the_time_and_is_ready_again_when_it_is(manager: Manager) -> None:
    program = Program(manager.address)
    program.settled = True
    program.wait()
    manager.heard()
    with program.herald.reloading():
        program.wait()
        (reloading,) = manager.heard()
    program.settled = False
    program.wait()
    assert manager.heard() == []
    program.settled = True
    program.wait()
    assert manager.heard() == ["READY=1"]
    word, time = reloading.split("\nMONOTONIC_USEC=")
    assert (word, time.isdecimal()) == ("RELOADING=1", True)


def test_at_the_end_it_says_so_and_no_more(manager: Manager) -> None:
    program = Program(manager.address)
    program.settled = True
    program.herald.stopping()
    program.wait()
    assert manager.heard() == ["STOPPING=1\nSTATUS=ending in order"]


def test_what_was_not_taken_is_told_again(tmp_path: Path) -> None:
    program = Program(str(tmp_path / "late"))
    program.settled = True
    program.wait()
    manager = Manager(str(tmp_path / "late"))
    program.wait()
    assert manager.heard() == ["READY=1\nSTATUS=1 router MASTER"]
    manager.close()


def test_the_watchdog_is_fed_twice_in_its_period_while_that_is_ours_to_do(manager: Manager) -> None:
    clock, ours = ManualClock(), [True]
    Ear(manager.address, 10.0).hear_from(clock, lambda: ours[0])
    clock.advance(10.0, lambda: None)
    assert manager.heard() == ["WATCHDOG=1"] * 2
    ours[0] = False
    clock.advance(10.0, lambda: None)
    assert manager.heard() == []


def routers(*roles: str) -> list[VrrpStatus]:
    return [VrrpStatus(f"vrrp/{number}", role, 100) for number, role in enumerate(roles)]


def services(*quorums: bool) -> list[ServiceStatus]:
    return [ServiceStatus(f"vs/{number}", quorum, 1, False) for number, quorum in enumerate(quorums)]


@pytest.mark.parametrize(
    ("statuses", "line"),
    [
        ([CheckStatus("check/a", Verdict.OK)], "nothing to do yet"),
        (routers("MASTER"), "1 router MASTER"),
        (routers("BACKUP", "MASTER", "MASTER"), "2 routers MASTER, 1 BACKUP"),
        (services(True), "1 of 1 service has quorum"),
        (services(False, True, True, True), "3 of 4 services have quorum"),
        (routers("FAULT", "INIT") + services(False, False), "1 router FAULT, 1 INIT; 0 of 2 services have quorum"),
    ],
)
def test_how_it_fares_is_one_line(statuses: list[object], line: str) -> None:
    assert summary(statuses) == line


def test_the_unit_is_one_that_systemd_understands(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        assert "Type=notify" in UNIT.read_text()
        return
    text = UNIT.read_text().replace("/opt/understudy/bin/understudyd", "/bin/true")
    unit = tmp_path / "understudy.service"
    unit.write_text(text.replace("/sbin/modprobe", "/bin/true"))
    done = subprocess.run([verify, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "understudy" in line]) == (0, [])
