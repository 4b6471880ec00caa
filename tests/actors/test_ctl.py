"""The operator's command: what it prints for what the daemon answers."""

import io
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from actors import ctl, ctl_view

STATUS: dict[str, Any] = {
    "version": 1, "router_id": "lab", "uptime": 192.4, "pid": 7, "dataplane": "userspace", "config": "lb.conf",
    "checkers": [
        {"id": "check/web", "keyword": "RT_HTTP_GET", "names": ["web"], "target": "127.0.0.1:8001", "verdict": "OK",
         "assumed": False, "detail": "", "phase": "RUNNING", "crashes": 0, "subscribers": 2, "runs": 10, "failures": 1,
         "hung": 0, "latency": 0.0012, "age": 0.4},
        {"id": "check/new", "keyword": "TH_TCP_CHECK", "names": ["new"], "target": "[::1]:8002", "verdict": "UNKNOWN",
         "assumed": True, "detail": "[new]", "phase": "PARKED", "crashes": 6, "subscribers": 1, "runs": 0,
         "failures": 0, "hung": 0, "latency": None, "age": None},
    ],
    "servers": [
        {"id": "vs/10.0.0.1:80:tcp/rs/::1:8002", "service": "vs/10.0.0.1:80:tcp", "address": "::1", "port": 8002,
         "weight": 0, "configured_weight": 3, "verdict": "FAILED", "detail": "check/new: UNKNOWN",
         "checkers": ["check/web", "check/new"], "in_pool": False, "connections": 3},
    ],
    "services": [
        {"id": "vs/10.0.0.1:80:tcp", "scheduler": "rr", "method": "NAT", "quorum": False, "servers_up": 0, "servers": 1,
         "sorry": True, "sorry_server": "127.0.0.1:8009", "connections": 3, "drift": 2, "error": "no such device"},
    ],
}  # fmt: skip

LAG = {"median": 0.000512, "worst": 0.0123, "histogram": {"512": 9, "16384": 1}}
PLAIN = {"replaced": 0, "silent": False, "actors": 1, "waiting": 0, "programs": None, "lag": None, "cpu": 1.5,
         "memory": 2048}  # fmt: skip

TREE: dict[str, Any] = {
    "processes": [
        {"name": "main", "pid": 7, **PLAIN, "lag": LAG},
        {"name": "checkers-1", "pid": 9, **PLAIN, "replaced": 2, "silent": True, "waiting": 1536},
        {"name": "scripts", "pid": 8, **PLAIN, "actors": None, "programs": 3},
    ],
    "tree": [
        {"id": "supervisor", "kind": "SupervisorActor", "depth": 0, "phase": "RUNNING", "crashes": 0, "restarts": 0,
         "process": "main", "mailbox": 1},
        {"id": "check/web", "kind": "CheckerActor", "depth": 1, "phase": "PARKED", "crashes": 6, "restarts": 5,
         "process": "checkers-1", "mailbox": 0},
        {"id": "notify", "kind": "NotifyActor", "depth": 1, "phase": "RUNNING", "crashes": 0, "restarts": 0,
         "process": "main", "mailbox": 0},
    ],
}  # fmt: skip

STATUS_TEXT = """\
lab  userspace  lb.conf  pid 7  up 3 m 12 s

SERVICE             SCHEDULER  METHOD  QUORUM   UP  SORRY                    CONN  DRIFT  ERROR
vs/10.0.0.1:80:tcp  rr         NAT     no      0/1  serving: 127.0.0.1:8009     3      2  no such device

SERVER      VERDICT  IN POOL  WEIGHT  CONN  SERVICE             CHECKERS             DETAIL
[::1]:8002  FAILED   no          0/3     3  vs/10.0.0.1:80:tcp  check/web check/new  check/new: UNKNOWN

CHECKER    KEYWORD       TARGET          VERDICT          LATENCY    AGE  RUNS  FAILED  HUNG  PHASE             DETAIL
check/web  RT_HTTP_GET   127.0.0.1:8001  OK                1.2 ms  0.4 s    10       1     0  RUNNING
check/new  TH_TCP_CHECK  [::1]:8002      UNKNOWN assumed        -      -     0       0     0  PARKED 6 crashes  [new]
"""

TREE_TEXT = """\
PROCESS, ACTOR  KIND             PHASE    CRASHES  RESTARTS     WAITING     LAG    WORST
main            pid 7            RUNNING                  0         0 B  0.5 ms  12.3 ms
├─ supervisor   SupervisorActor  RUNNING        0         0           1
└─ notify       NotifyActor      RUNNING        0         0           0
checkers-1      pid 9            SILENT                   2      1.5 kB
└─ check/web    CheckerActor     PARKED         6         5           0
scripts         pid 8            RUNNING                  0  3 programs
"""


LOADED = """
import sys
from actors import ctl
ctl.main(standalone_mode=False)
print(*{"gevent", "rich", "msgspec"} & set(sys.modules), file=sys.stderr)
"""


class Daemon:
    """Answers every request at ``path`` with ``replies[ask]``, from a thread; notes the requests."""

    def __init__(self, path: Path) -> None:
        self.path = path
        why = {"id": "check/web", "lines": ["it is", "so"]}
        self.replies: dict[str, Any] = {
            "status": STATUS,
            "tree": TREE,
            "why": why,
            "actor": {"id": "check/web", "lines": ["done"]},
        }
        self.asked: list[dict[str, Any]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.fspath(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            with client, client.makefile("rwb") as line:
                self.asked.append(json.loads(line.readline()))
                line.write(json.dumps(self.replies[self.asked[-1]["ask"]]).encode() + b"\n")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    it = Daemon(tmp_path / "control.sock")
    yield it
    it.close()


def run(path: Path, *words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(ctl.main, ["--socket", str(path), *words])
    return result.exit_code, trimmed(result.stdout), result.stderr


def trimmed(text: str) -> str:
    """Without the blanks that fill up a table's last column."""
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


@pytest.mark.parametrize(
    ("words", "asked", "printed"),
    [
        (["status"], {"ask": "status"}, STATUS_TEXT),
        (["tree"], {"ask": "tree"}, TREE_TEXT),
        (["why", "check/web"], {"ask": "why", "id": "check/web"}, "it is\nso\n"),
        (["actor", "crash", "check/web"], {"ask": "actor", "do": "crash", "id": "check/web"}, "done\n"),
        (["actor", "park", "check/web"], {"ask": "actor", "do": "park", "id": "check/web"}, "done\n"),
        (["actor", "revive", "check/web"], {"ask": "actor", "do": "revive", "id": "check/web"}, "done\n"),
    ],
)
def test_off_a_terminal_tables_are_aligned_uncoloured_and_uncut(
    daemon: Daemon, words: list[str], asked: dict[str, str], printed: str
) -> None:
    assert (run(daemon.path, *words), daemon.asked) == ((0, printed, ""), [asked])


@pytest.mark.parametrize("words", [["status"], ["tree"], ["why", "check/web"]])
def test_as_data_it_is_what_the_daemon_said(daemon: Daemon, words: list[str]) -> None:
    code, printed, _ = run(daemon.path, *words, "--json")
    assert (code, json.loads(printed)) == (0, daemon.replies[words[0]])


def test_on_a_terminal_verdicts_are_coloured_and_long_cells_folded() -> None:
    screen = io.StringIO()
    ctl_view.show(STATUS, Console(file=screen, force_terminal=True, width=100, color_system="standard"))
    printed = screen.getvalue()
    assert "\x1b[32mOK" in printed
    assert "\x1b[1;31mFAILED" in printed
    assert "…" not in printed


def test_what_was_read_for_nobody_is_told_above_the_tables() -> None:
    screen = io.StringIO()
    discarded = {"eth1": {"wrong": 3}, "eth0": {"unknown virtual router id": 7, "EIO": 1}}
    network = {"discarded": discarded, "link_resyncs": 2}
    ctl_view.show({**STATUS, "network": network}, Console(file=screen, width=200))
    assert trimmed(screen.getvalue()).splitlines()[1:5] == [
        "eth0  1 packets for no router: EIO",
        "eth0  7 packets for no router: unknown virtual router id",
        "eth1  3 packets for no router: wrong",
        "news of links were lost 2 times, and all was read anew",
    ]


def test_a_table_too_long_to_be_fitted_to_the_terminal_is_printed_as_it_is() -> None:
    screen = io.StringIO()
    rows = [TREE["tree"][0]] * (ctl_view.LAID_OUT + 1)
    reply = {"processes": TREE["processes"][:1], "tree": rows}
    ctl_view.show(reply, Console(file=screen, force_terminal=True, width=20, color_system="standard"))
    lines = screen.getvalue().splitlines()
    assert lines[2] == "└─ supervisor   SupervisorActor  RUNNING        0         0        1"
    assert (len(lines), len(set(lines))) == (ctl_view.LAID_OUT + 3, 3)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(None, "-"), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 kB"), (204_800, "200 kB"), (3 << 20, "3.0 MB"),
     (5 << 40, "5120 GB")],
)  # fmt: skip
def test_sizes_are_told_in_the_unit_that_fits(amount: int | None, text: str) -> None:
    assert ctl_view.size(amount) == text


def test_without_a_daemon_it_says_so_and_fails(tmp_path: Path) -> None:
    path = tmp_path / "none.sock"
    expected = f"understudyd is not running: there is no socket at {path} (or is it elsewhere? see --socket)"
    assert run(path, "status") == (1, "", f"understudyctl: {expected}\n")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"error": "nobody is called 'x'"}, "nobody is called 'x'"),
        ({"version": 2}, "this understudyctl reads version 1 of the status, the daemon's is 2"),
        ([1], "what listens at {path} does not speak as understudyd does"),
    ],
)
def test_an_answer_that_it_cannot_use_is_an_error(daemon: Daemon, reply: Any, said: str) -> None:
    daemon.replies["status"] = reply
    assert run(daemon.path, "status") == (1, "", f"understudyctl: {said.format(path=daemon.path)}\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59, "59 s"),
        (60, "1 m"),
        (192, "3 m 12 s"),
        (7200, "2 h"),
        (7201, "2 h"),
        (190_000, "2 d 4 h"),
    ],  # fmt: skip
)
def test_durations_are_told_in_their_two_greatest_units(seconds: float | None, text: str) -> None:
    assert ctl_view.duration(seconds) == text


def test_neither_the_event_loop_nor_for_data_the_tables_are_loaded(daemon: Daemon) -> None:
    command = [sys.executable, "-c", LOADED, "--socket", str(daemon.path), "status", "--json"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stderr == "\n"
