"""The nursery killed and stopped: what it has forked lives on, and what it is asked for comes from another."""

import json
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.lab import until
from tests.system.netns import Lan, Ours, asked, becomes_master, lan, started
from tests.system.test_processes import alive, conf, process, replaced


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Ours]:
    with lan() as wire:
        router = lone(wire, tmp_path)
        with started(router):
            becomes_master(router)
            yield router


def lone(wire: Lan, folder: Path) -> Ours:
    return Ours(wire.host(), folder, conf(150, "1"))


def nursery(ours: Ours) -> int:
    """The pid of the nursery: of main's children the one that is not the ``scripts`` process."""
    assert ours.process is not None
    main = ours.process.pid
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    return next(int(pid) for pid in children if "scripts" not in Path(f"/proc/{pid}/cmdline").read_text())


def ends(ours: Ours) -> list[tuple[int, str]]:
    """Which processes have ended, and how, as the log has it."""
    news = [json.loads(line) for line in ours.log.read_text().splitlines() if line.startswith("{")]
    return [(line["pid"], line["how"]) for line in news if line["event"] == "process ended"]


def test_a_killed_nursery_is_replaced_and_nobody_else_notices(ours: Ours) -> None:
    before, vrrp = nursery(ours), process(ours)
    os.kill(before, signal.SIGKILL)
    until(lambda: "the nursery was lost" in ours.log.read_text())
    assert (process(ours), ours.is_master(), alive(before)) == (vrrp, True, False)
    assert nursery(ours) != before


def test_nurseries_that_end_one_after_the_other_are_replaced_ever_more_slowly(ours: Ours) -> None:
    for count in range(1, 4):
        os.kill(nursery(ours), signal.SIGKILL)
        until(lambda count=count: ours.log.read_text().count("the nursery was lost") == count)
    told = [line for line in map(json.loads, ours.log.read_text().splitlines()) if line["event"] == "no nursery"]
    assert [(line["error"], line["next_in"]) for line in told] == [("the last 2 ended within 10 s each", 0.5)]


def test_a_process_that_ends_with_the_nursery_comes_back_from_the_next(ours: Ours) -> None:
    before, vrrp = nursery(ours), process(ours)
    for pid in (before, vrrp):
        os.kill(pid, signal.SIGKILL)
    until(lambda: replaced(ours, vrrp))
    becomes_master(ours)
    second = process(ours)
    os.kill(second, signal.SIGKILL)  # and the substitute is a nursery in full
    until(lambda: replaced(ours, second))
    until(lambda: (second, "killed by SIGKILL") in ends(ours))
    ours.stop()
    assert not ours.is_master()


def test_a_process_that_outlived_its_nursery_is_still_killed_when_it_hangs(ours: Ours) -> None:
    vrrp = process(ours)
    os.kill(nursery(ours), signal.SIGKILL)
    until(lambda: "the nursery was lost" in ours.log.read_text())
    os.kill(vrrp, signal.SIGSTOP)
    until(lambda: replaced(ours, vrrp))
    assert not alive(vrrp)


def test_a_nursery_that_hangs_is_killed_once_something_is_asked_of_it_in_vain(ours: Ours) -> None:
    before, vrrp = nursery(ours), process(ours)
    os.kill(before, signal.SIGSTOP)
    os.kill(vrrp, signal.SIGKILL)
    until(lambda: replaced(ours, vrrp), limit=30)
    until(lambda: not alive(before))
    assert asked(ours, ask="internals")["processes"]["vrrp"]["ends"] <= 4


def test_when_main_ends_what_outlived_the_nursery_ends_in_order_too(ours: Ours) -> None:
    vrrp = process(ours)
    os.kill(nursery(ours), signal.SIGKILL)
    until(lambda: "the nursery was lost" in ours.log.read_text())
    ours.stop()
    until(lambda: not alive(vrrp))
    assert not ours.is_master()


def test_a_main_without_descriptors_replaces_nursery_and_processes_once_it_has_some(ours: Ours) -> None:
    assert ours.process is not None
    main, before, vrrp = ours.process.pid, nursery(ours), process(ours)
    usual = resource.prlimit(main, resource.RLIMIT_NOFILE)
    asked(ours, ask="internals")
    resource.prlimit(main, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{main}/fd")) - 1, usual[1]))
    for pid in (before, vrrp):
        os.kill(pid, signal.SIGKILL)
    until(lambda: "Too many open files" in ours.log.read_text())
    resource.prlimit(main, resource.RLIMIT_NOFILE, usual)
    until(lambda: replaced(ours, vrrp), limit=20)
    becomes_master(ours)
