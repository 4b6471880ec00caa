"""Workers: greenlets used again and again, work begun in order, nobody held up."""

from typing import Any

import gevent
import pytest
from gevent.event import Event
from gevent.socket import socketpair

from actors.runtime.workers import IDLE, TURN, Workers


@pytest.fixture(autouse=True)
def _limit() -> Any:
    with gevent.Timeout(5.0):
        yield


def run(workers: Workers) -> None:
    """Let everything begin that was spawned by now."""
    done = Event()
    workers.spawn(done.set)
    done.wait()


def test_work_begins_in_order_and_later_than_it_is_spawned() -> None:
    workers, seen = Workers(), []
    for n in range(1000):
        workers.spawn(seen.append, n)
    assert seen == []
    run(workers)
    assert seen == list(range(1000))


def test_work_that_blocks_lets_the_others_go_on_and_one_greenlet_serves_all_that_do_not() -> None:
    workers, seen, gate = Workers(), [], Event()

    def block(name: str) -> None:
        seen.append(f"{name} waits")
        gate.wait()
        seen.append(f"{name} goes on")

    workers.spawn(block, "a")
    workers.spawn(seen.append, "quick")
    workers.spawn(block, "b")
    run(workers)
    assert seen == ["a waits", "quick", "b waits"]
    gate.set()
    run(workers)
    assert seen[3:] == ["a goes on", "b goes on"]


def test_idle_greenlets_are_kept_for_the_next_burst_up_to_a_bound() -> None:
    workers, gate = Workers(), Event()
    for _ in range(IDLE + 40):
        workers.spawn(gate.wait)
    run(workers)
    gate.set()
    for _ in range(3):
        run(workers)
    assert workers.parked == IDLE
    for _ in range(10):
        run(workers)
    assert workers.parked == IDLE


def test_a_callable_that_raises_is_reported_and_holds_nobody_up(capfd: pytest.CaptureFixture[str]) -> None:
    workers, seen = Workers(), []

    def fail() -> None:
        raise LookupError("on purpose")

    workers.spawn(seen.append, 1)
    workers.spawn(fail)
    workers.spawn(seen.append, 2)
    run(workers)
    assert seen == [1, 2]
    assert "LookupError: on purpose" in capfd.readouterr().err


def test_work_that_spawns_itself_for_ever_lets_sockets_and_others_have_their_turn() -> None:
    workers, turns = Workers(), [0]
    ours, theirs = socketpair()
    alive = True

    def again() -> None:
        turns[0] += 1
        if alive:
            workers.spawn(again)

    workers.spawn(again)
    for _ in range(3):
        reader = gevent.spawn(ours.recv, 1)
        gevent.sleep(0)
        before = turns[0]
        theirs.send(b"x")
        assert reader.get() == b"x"
        assert turns[0] - before <= 5 * TURN
    seen: list[str] = []
    workers.spawn(seen.append, "other")
    gevent.sleep(0)
    run(workers)
    alive = False
    assert seen == ["other"]
    assert turns[0] > 1
    ours.close()
    theirs.close()
