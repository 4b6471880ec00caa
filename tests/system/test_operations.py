"""What an operator sees and does: who lives where, what crashed, what comes next."""

import json
import os
import re
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.control_client import Refused
from tests.system.lab import ROOT, until
from tests.system.netns import Lan, Ours, asked, becomes_master, lan, started

CONF = """
global_defs {
    dataplane userspace
    checker_processes 1
}
RT_TCP_CHECK closed {
    connect_ip 127.0.0.1
    connect_port 9
    delay_loop 0.2
}
virtual_server 127.0.0.1 8080 {
    lb_algo rr
    protocol TCP
    real_server 127.0.0.1 8081 {
        checkers closed
    }
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    advert_int 0.1
    version 3
    virtual_ipaddress {
        10.99.0.100/24
    }
}
"""


@pytest.fixture
def wire() -> Iterator[Lan]:
    with lan() as made:
        yield made


@pytest.fixture
def ours(wire: Lan, tmp_path: Path) -> Iterator[Ours]:
    router = Ours(wire.host(), tmp_path, CONF)
    with started(router):
        becomes_master(router)
        until(lambda: is_here(router))
        yield router


def process(ours: Ours, name: str) -> dict[str, Any]:
    """The row of a process."""
    return next(row for row in asked(ours, ask="tree")["processes"] if row["name"] == name)


def actor(ours: Ours, id: str) -> dict[str, Any]:
    """The row of an actor."""
    return next(row for row in asked(ours, ask="tree")["tree"] if row["id"] == id)


def logged(ours: Ours, event: str) -> list[dict[str, Any]]:
    """The lines of the log with an event, without their time."""
    lines = [json.loads(line) for line in ours.log.read_text().splitlines() if line.startswith("{")]
    return [{k: v for k, v in line.items() if k != "timestamp"} for line in lines if line["event"] == event]


def is_here(ours: Ours) -> bool:
    """Whether every process has answered with how late it is."""
    rows = asked(ours, ask="tree")["processes"]
    return all(row["lag"] and row["lag"]["histogram"] for row in rows if row["actors"] is not None)


def test_every_process_is_shown_with_who_lives_in_it_and_how_late_it_is(ours: Ours) -> None:
    seen = asked(ours, ask="tree")
    rows = {row["name"]: row for row in seen["processes"]}
    assert list(rows) == ["main", "vrrp", "checkers-1", "nursery", "scripts"]
    assert sorted(row["pid"] for row in rows.values()) == sorted(ours.pids())
    assert [row["silent"] or row["replaced"] for row in rows.values()] == [0] * 5
    assert all(row["memory"] > 1 << 20 for row in rows.values())
    homes = {row["id"]: row["process"] for row in seen["tree"]}
    assert (homes["vrrp/VI_1"], homes["check/closed"], homes["notify"]) == ("vrrp", "checkers-1", "main")
    assert asked(ours, ask="status")["vrrp_loop_lag"]["worst"] < 5.0


def test_a_process_that_stands_still_is_silent_and_its_replacement_is_counted(ours: Ours) -> None:
    pid = process(ours, "checkers-1")["pid"]
    os.kill(pid, signal.SIGSTOP)
    row = process(ours, "checkers-1")
    assert (row["silent"], row["lag"], row["pid"]) == (True, None, pid)
    os.kill(pid, signal.SIGKILL)
    until(lambda: process(ours, "checkers-1")["replaced"] == 1 and not process(ours, "checkers-1")["silent"])
    assert actor(ours, "check/closed")["restarts"] == 1


def test_the_death_of_a_process_is_told_with_how_it_came_and_who_starts_again(ours: Ours) -> None:
    pids = [process(ours, name)["pid"] for name in ("vrrp", "checkers-1")]
    for number, (pid, deadly) in enumerate(zip(pids, (signal.SIGKILL, signal.SIGABRT), strict=True), 1):
        os.kill(pid, deadly)
        until(lambda number=number: len(logged(ours, "process ended")) == number)  # type: ignore[misc]
    residents = sum(row["process"] == "vrrp" for row in asked(ours, ask="tree")["tree"])
    common = {"event": "process ended", "level": "error", "times": 1}
    assert logged(ours, "process ended") == [
        {**common, "process": "vrrp", "pid": pids[0], "how": "killed by SIGKILL",
         "next": f"replaced, {residents} actors start again"},
        {**common, "process": "checkers-1", "pid": pids[1], "how": "killed by SIGABRT",
         "next": "replaced, 1 actors start again"},
    ]  # fmt: skip


def test_of_a_process_that_outlived_its_nursery_the_death_is_told_too(ours: Ours) -> None:
    pid = process(ours, "vrrp")["pid"]
    os.kill(process(ours, "nursery")["pid"], signal.SIGKILL)
    until(lambda: "the nursery was lost" in ours.log.read_text())
    os.kill(pid, signal.SIGKILL)
    (death,) = until(lambda: logged(ours, "process ended"))
    how = "nobody has seen how: the nursery that it came from was lost before"
    assert (death["process"], death["pid"], death["how"]) == ("vrrp", pid, how)


def test_at_the_top_are_the_sickest_then_the_first(ours: Ours) -> None:
    until(lambda: asked(ours, ask="top")["tally"]["checkers"] == {"FAILED": 1})
    seen = asked(ours, ask="top", rows=4)
    assert seen["tally"] == {"routers": {"MASTER": 1}, "services": {"no quorum": 1}, "checkers": {"FAILED": 1}}
    assert [row["name"] for row in seen["processes"]][:2] == ["main", "vrrp"]
    ill = ["check/closed", "vs/127.0.0.1:8080:tcp", "vs/127.0.0.1:8080:tcp/rs/127.0.0.1:8081"]
    assert [(row["id"], row["state"]) for row in seen["actors"]] == [
        *zip(ill, ("FAILED", "no quorum", "FAILED"), strict=True),
        ("notify", ""),
    ]
    with pytest.raises(Refused, match="rows must be a number from 0 to 1000"):
        asked(ours, ask="top", rows=-1)


def told(ours: Ours, do: str, id: str) -> str:
    """What comes of a deed by hand."""
    try:
        return "\n".join(asked(ours, ask="actor", do=do, id=id)["lines"])
    except Refused as error:
        return str(error)


def test_by_hand_actors_crash_are_parked_and_revived_in_whatever_process_they_live(ours: Ours) -> None:
    far, vital = "check/closed", "vrrp/VI_1"
    by_hand = "parked by hand: its last status stands until it is revived, or the configuration is reloaded"
    assert told(ours, "crash", vital) == f"{vital} is told to crash"
    until(lambda: actor(ours, vital)["restarts"] == 1)
    assert ours.is_master()
    assert told(ours, "park", far) == f"{far} is {by_hand}"
    until(lambda: actor(ours, far)["phase"] == "PARKED")
    assert asked(ours, ask="why", id=far)["lines"][:2] == [f"{far} is PARKED", by_hand]
    assert told(ours, "crash", far) == f"{far} cannot crash: it is PARKED"
    assert told(ours, "park", far) == f"{far} is parked by hand already"
    os.kill(process(ours, "checkers-1")["pid"], signal.SIGKILL)
    until(lambda: process(ours, "checkers-1")["replaced"] == 1)
    assert told(ours, "revive", far) == f"{far} is started"
    until(lambda: actor(ours, far)["phase"] == "RUNNING")
    assert told(ours, "revive", far) == f"{far} lives: it is RUNNING"
    assert told(ours, "park", vital) == f"{vital} cannot be parked: the program cannot do without it"
    assert told(ours, "tickle", far) == "nothing is known of 'tickle'; known: crash, park, revive"
    assert told(ours, "crash", "VI_1") == "nobody is called 'VI_1'; near: address/VI_1, vrrp/VI_1"
    assert [line["deed"] for line in logged(ours, "by hand")] == ["crash", "park", "revive"]


def test_the_state_is_written_to_files_on_a_signal(ours: Ours) -> None:
    assert ours.process is not None
    pids = ours.pids()
    for pid in pids[1:]:
        os.kill(pid, signal.SIGUSR1)
        os.kill(pid, signal.SIGUSR2)
    for number, count in ((signal.SIGUSR1, 1), (signal.SIGUSR2, 2)):
        ours.process.send_signal(number)
        until(lambda count=count: len(logged(ours, "the state was written")) == count)  # type: ignore[misc]
    names = ("understudy.data", "understudy.json", "understudy.stats")
    files = [ours.socket.with_name(name) for name in names]
    data, document, counted = (file.read_text() for file in files)
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600] * 3
    assert "vrrp/VI_1  MASTER" in data
    assert "├─ check/closed" in data or "└─ check/closed" in data
    assert {row["id"]: row["role"] for row in json.loads(document)["routers"]} == {"vrrp/VI_1": "MASTER"}
    assert re.search(r"^vrrp/VI_1 MASTER\n(.*\n)*?  sent +[1-9]", counted)
    assert ours.pids() == pids
    assert re.search(r"^vrrp was late\n  less than \d+ us +[1-9]", counted, re.MULTILINE)


class Watched(Ours):
    """Started as systemd does: with a socket to tell how it fares, and a watchdog of 1 s."""

    def start(self) -> "Watched":
        """See `Router.start`."""
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.bind(str(self.folder / "notify"))
        self.ear.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.ear.settimeout(10)
        told = {"NOTIFY_SOCKET": str(self.folder / "notify"), "WATCHDOG_USEC": "1000000"}
        with self.log.open("ab") as log:
            self.process = self.host.run(*self.command(), cwd=ROOT, stdout=log, stderr=log, env=os.environ | told)
        return self

    def hears(self, word: str) -> tuple[str, int]:
        """The next datagram that says ``word``, and whose it is."""
        while True:
            text, extra, _, _ = self.ear.recvmsg(4096, socket.CMSG_SPACE(12))
            if word in text.decode():
                return text.decode(), struct.unpack("3i", extra[0][2])[0]


def test_systemd_hears_when_it_is_ready_how_it_fares_and_from_the_routers_loop_that_it_lives(
    wire: Lan, tmp_path: Path
) -> None:
    script = tmp_path / "environment"
    script.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\n")
    script.chmod(0o755)
    ours = Watched(wire.host(), tmp_path, CONF.replace("interface eth0", f"interface eth0\n    notify_master {script}"))
    with started(ours):
        assert ours.process is not None
        main = ours.process.pid
        ready, whose = ours.hears("READY=1")
        fares = "STATUS=1 router MASTER; 0 of 1 service has quorum"
        assert whose == main
        assert fares in ready or ours.hears(fares)[1] == main
        assert ours.hears("WATCHDOG=1") == ("WATCHDOG=1", process(ours, "vrrp")["pid"])
        ours.reload()
        assert ours.hears("RELOADING=1")[1] == main
        assert ours.hears("READY=1")[1] == main
        until((tmp_path / "seen").exists)
        ours.process.terminate()
        assert ours.hears("STOPPING=1")[1] == main
        ours.stop()
    assert "NOTIFY_SOCKET" not in (tmp_path / "seen").read_text()
