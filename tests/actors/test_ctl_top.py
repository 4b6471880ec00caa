"""``understudyctl top``: the picture, the terminal, the keys."""

import contextlib
import io
import os
import pty
import re
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from actors.ctl_top import Usage, counts, once
from tests.actors.test_ctl import LAG, PLAIN, Daemon, daemon, run

__all__ = ["daemon"]

TOP: dict[str, Any] = {
    "version": 1, "router_id": "lab", "uptime": 192.4, "pid": 7, "dataplane": "userspace", "config": "lb.conf",
    "tally": {"routers": {"MASTER": 2, "BACKUP": 1}, "services": {"no quorum": 1, "quorum": 3}, "checkers": {}},
    "processes": [
        {"name": "main", "pid": 7, **PLAIN, "lag": LAG},
        {"name": "vrrp", "pid": 9, **PLAIN, "replaced": 2, "silent": True, "waiting": 1536},
    ],
    "actors": [
        {"id": "check/web", "kind": "CheckerActor", "depth": 1, "phase": "PARKED", "crashes": 6, "restarts": 5,
         "process": "vrrp", "mailbox": 3, "state": "OK", "detail": "ValueError: of 7\nand more"},
    ],
}  # fmt: skip

PICTURE = """\
lab  userspace  lb.conf  pid 7  up 3 m 12 s
routers 1 BACKUP, 2 MASTER   services 1 no quorum, 3 quorum

PROCESS  PID  CPU  MEMORY     LAG    WORST  UNREAD  REPLACED  ACTORS
main       7   0%  2.0 kB  0.5 ms  12.3 ms     0 B         0       1
vrrp       9   0%  2.0 kB                   1.5 kB         2       1  SILENT

ACTOR      PROCESS  PHASE   CRASHES  RESTARTS  MAIL  STATE  DETAIL
check/web  vrrp     PARKED        6         5     3  OK     ValueError: of 7
"""


def test_once_and_off_a_terminal_it_is_one_plain_picture(daemon: Daemon) -> None:
    daemon.replies["top"] = TOP
    assert run(daemon.path, "top", "--rows", "7") == (0, PICTURE, "")
    assert daemon.asked == [{"ask": "top", "rows": 0}, {"ask": "top", "rows": 7}]


def test_the_use_of_a_cpu_is_what_was_used_between_two_looks() -> None:
    time = [100.0]
    usage = Usage(lambda: time[0])
    usage.look({"processes": [{"pid": 7, "cpu": 10.0}, {"pid": 8, "cpu": 1.0}]})
    time[0] = 102.0
    usage.look({"processes": [{"pid": 7, "cpu": 10.5}, {"pid": 9, "cpu": 1.0}, {"pid": 10, "cpu": None}]})
    assert usage.share == {7: 0.25}


def test_what_nobody_has_spoken_of_yet_is_left_out() -> None:
    assert counts({"routers": {}, "services": {}, "checkers": {"OK": 2}}).plain == "checkers 2 OK"
    assert counts({"routers": {}}).plain == ""


def test_the_first_look_of_one_picture_asks_for_nobody(tmp_path: Path) -> None:
    asked: list[int] = []
    screen = Console(file=io.StringIO(), width=200)
    once(lambda rows: asked.append(rows) or TOP, screen, 3, lambda seconds: None)  # type: ignore[func-returns-value]
    assert asked == [0, 3]


class Terminal:
    """``understudyctl top`` on a terminal of its own."""

    def __init__(self, path: Path) -> None:
        self.pid, self._end = pty.fork()
        if not self.pid:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup: who reads learns that it is gone
            command = [sys.executable, "-m", "actors.ctl", "--socket", str(path), "top"]
            os.execve(sys.executable, command, {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"})
        self._there = self._runs = True

    def shows(self, words: str, limit: float = 20.0) -> bool:
        """Whether it comes to show ``words``, colours left out."""
        end, seen = time.monotonic() + limit, ""
        while time.monotonic() < end:
            if select.select([self._end], [], [], 0.1)[0]:
                seen += os.read(self._end, 1 << 16).decode(errors="replace")
            if words in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen):
                return True
        return False

    def presses(self, key: str) -> int | None:
        """Press a key; the exit code."""
        os.write(self._end, key.encode())
        return self.ends()

    def ends(self, limit: float = 20.0) -> int | None:
        """The exit code, None when it goes on; what it shows meanwhile is read."""
        gone, end = os.pidfd_open(self.pid), time.monotonic() + limit
        ready: list[int] = []
        while gone not in ready and time.monotonic() < end:
            ready = select.select([gone, *([self._end] if self._there else [])], [], [], limit)[0]
            if self._end in ready:
                with contextlib.suppress(OSError):  # nobody has the terminal any more
                    os.read(self._end, 1 << 16)
        os.close(gone)
        if gone not in ready:
            return None
        self._runs = False
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def goes(self) -> None:
        """Nobody has the other end any more."""
        if self._there:
            os.close(self._end)
        self._there = False

    def close(self) -> None:
        """Nothing of it stays."""
        self.goes()
        if self._runs:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


@pytest.fixture
def terminal(daemon: Daemon) -> Iterator[Terminal]:
    daemon.replies["top"] = TOP
    made = Terminal(daemon.path)
    yield made
    made.close()


def test_on_a_terminal_it_goes_on_until_q_and_says_when_nobody_answers(daemon: Daemon, terminal: Terminal) -> None:
    assert terminal.shows("PARKED")
    daemon.replies["top"] = {"error": "the supervisor is not running"}
    assert terminal.shows("the supervisor is not running")
    daemon.replies["top"] = {**TOP, "router_id": "again"}
    assert terminal.shows("again  userspace")
    assert terminal.presses("q") == 0


def test_on_a_terminal_control_c_ends_it_without_a_word(terminal: Terminal) -> None:
    assert terminal.shows("PARKED")
    assert terminal.presses("\x03") == 0


def test_it_ends_when_its_terminal_is_gone(terminal: Terminal) -> None:
    assert terminal.shows("PARKED")
    terminal.goes()
    assert terminal.ends() is not None
