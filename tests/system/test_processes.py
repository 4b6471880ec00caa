"""Processes killed, stopped and orphaned, on a real wire with Debian's keepalived as the peer."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.lab import until
from tests.system.netns import Keepalived, Lan, Ours, Witness, asked, becomes_master, lan, masters, started

CONF = """
global_defs {{
    hang_limit 1
}}
vrrp_instance VI_1 {{
    interface eth0
    state BACKUP
    virtual_router_id 51
    priority {priority}
    version 3
    advert_int {interval}
    virtual_ipaddress {{
        10.99.0.100/24
    }}
}}
"""
KILLS = 10


@pytest.fixture
def wire() -> Iterator[Lan]:
    with lan() as made:
        yield made


def conf(priority: int, interval: str) -> str:
    return CONF.format(priority=priority, interval=interval)


def process(ours: Ours, name: str = "vrrp") -> int:
    """The pid of one of its processes."""
    return int(asked(ours, ask="internals")["processes"][name]["pid"])


def replaced(ours: Ours, pid: int) -> bool:
    """Whether another process has taken the place of ``pid``, and answers."""
    now = asked(ours, ask="internals")["processes"]["vrrp"]
    return now["pid"] not in (0, pid) and "actors" in now


def pair(wire: Lan, folder: Path, interval: str) -> tuple[Ours, Keepalived]:
    peer = Keepalived(wire.host(), folder, conf(100, interval).replace("hang_limit 1", ""))
    return Ours(wire.host(), folder, conf(150, interval)), peer


@pytest.mark.parametrize("interval", ["0.1", "1"])
def test_a_killed_vrrp_process_is_replaced_before_the_peer_misses_it_and_no_address_moves(
    wire: Lan, tmp_path: Path, interval: str
) -> None:
    ours, peer = pair(wire, tmp_path, interval)
    witness = Witness(wire.host())
    with started(ours):
        becomes_master(ours)
        with started(peer):
            until(lambda: "BACKUP" in peer.log.read_text())
            for _ in range(KILLS):
                pid = process(ours)
                os.kill(pid, signal.SIGKILL)
                until(lambda pid=pid: replaced(ours, pid))  # type: ignore[misc]
                time.sleep(0.5)  # more than the peer's patience at 0.1 s
                assert ours.is_master()
    assert masters(witness.adverts()) == [ours.host.address]
    assert "MASTER STATE" not in peer.log.read_text()


def test_when_main_is_killed_the_peer_is_told_and_no_address_is_left_behind(wire: Lan, tmp_path: Path) -> None:
    ours, peer = pair(wire, tmp_path, "1")
    witness = Witness(wire.host())
    with started(ours):
        becomes_master(ours)
        with started(peer):
            until(lambda: "BACKUP" in peer.log.read_text())
            others = ours.pids()[1:]
            assert ours.process is not None
            began = time.monotonic()
            os.kill(ours.process.pid, signal.SIGKILL)
            until(lambda: not ours.is_master(), step=0.005)
            took = time.monotonic() - began
            becomes_master(peer)
            until(lambda: not any(alive(pid) for pid in others))
    assert took < 0.5
    adverts = witness.adverts()
    farewell = next(at for at, source, priority in adverts if priority == 0 and source == ours.host.address)
    first = next(at for at, source, _ in adverts if source == peer.host.address)
    assert first - farewell < (256 - 100) / 256 + 0.2


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    return False


def test_a_vrrp_process_that_hangs_is_shown_killed_and_replaced_and_listens_before_it_acts(
    wire: Lan, tmp_path: Path
) -> None:
    ours, peer = pair(wire, tmp_path, "1")
    with started(ours):
        becomes_master(ours)
        with started(peer):
            until(lambda: "BACKUP" in peer.log.read_text())
            pid = process(ours)
            os.kill(pid, signal.SIGSTOP)
            until(lambda: "process does not answer" in ours.log.read_text())
            until(lambda: replaced(ours, pid))
            becomes_master(ours)
            until(lambda: not peer.is_master())
    assert "resumed" not in ours.log.read_text()


def test_a_reload_changes_how_long_a_process_may_be_silent(wire: Lan, tmp_path: Path) -> None:
    text = conf(150, "1")
    ours = Ours(wire.host(), tmp_path, text.replace("hang_limit 1", "hang_limit 1000"))
    with started(ours):
        becomes_master(ours)
        ours.conf.write_text(text)
        ours.reload()
        until(lambda: ours.log.read_text().count('"event":"children"') == 2)
        pid = process(ours)
        os.kill(pid, signal.SIGSTOP)
        until(lambda: replaced(ours, pid))


def test_what_a_reload_has_removed_is_forgotten_when_its_process_is_replaced(wire: Lan, tmp_path: Path) -> None:
    text = conf(150, "1")
    second = text.partition("}\n")[2].replace("VI_1", "VI_2").replace("_id 51", "_id 52").replace(".100/", ".101/")
    ours = Ours(wire.host(), tmp_path, text + second)
    with started(ours):
        until(lambda: ours.host.holds("10.99.0.101") and ours.is_master())
        ours.conf.write_text(text)
        ours.reload()
        until(lambda: not ours.host.holds("10.99.0.101"))
        until(lambda: len(asked(ours, ask="status")["routers"]) == 1)
        residents = sum(row["process"] == "vrrp" for row in asked(ours, ask="tree")["tree"])
        pid = process(ours)
        os.kill(pid, signal.SIGKILL)
        until(lambda: replaced(ours, pid))
        until(lambda: f"replaced, {residents} actors start again" in ours.log.read_text())


def test_in_a_single_process_there_is_no_other_and_it_does_the_same(wire: Lan, tmp_path: Path) -> None:
    class Single(Ours):
        options = ("--single-process",)

    ours = Single(wire.host(), tmp_path, conf(150, "0.1"))
    with started(ours):
        becomes_master(ours)
        assert asked(ours, ask="internals")["processes"] == {}
        assert {row["process"] for row in asked(ours, ask="tree")["tree"]} == {"main"}
        ours.stop()
    assert not ours.is_master()
