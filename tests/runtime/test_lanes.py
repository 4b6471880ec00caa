"""Lanes: one contract for probes on the event loop and in native threads, and what each does with a hang."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

from actors.runtime.lanes import LAST, DeadlinePassed, Ended, Lane, Lanes
from actors.runtime.workers import Workers

both = pytest.mark.parametrize("threaded", [False, True], ids=["greenlet", "thread"])


@pytest.fixture(autouse=True)
def _limit() -> Iterator[None]:
    with gevent.Timeout(5.0):
        yield


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
def lanes(workers: Workers) -> Lanes:
    return Lanes(workers)


class Reports(Queue):
    """What a lane has reported; ``next()`` waits for one."""

    def next(self) -> Ended:
        return self.get()

    def kinds(self) -> list[tuple[int, Any]]:
        """All that came by now: run, and the value or the kind of the error."""
        ended = [self.get_nowait() for _ in range(self.qsize())]
        return [(e.run, type(e.error) if e.error is not None else e.value) for e in ended]


class Gate:
    """Holds a probe up until it is opened, in the way of its lane: natively or cooperatively."""

    def __init__(self, threaded: bool) -> None:
        self._open: Any = threading.Event() if threaded else Event()
        self.waiting = 0

    def probe(self) -> str:
        self.waiting += 1
        self._open.wait(5.0)
        return "opened"

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def reports() -> Reports:
    return Reports()


def fail(error: BaseException) -> Callable[[], None]:
    def probe() -> None:
        raise error

    return probe


def begun(gate: Gate, probes: int = 1) -> None:
    """Wait until that many probes wait at the gate."""
    while gate.waiting < probes:
        gevent.sleep(0.001)  # not 0: a loop that never waits hardly lets a native thread run


@both
def test_a_value_is_reported_with_its_run_and_its_time(lanes: Lanes, reports: Reports, threaded: bool) -> None:
    lane = lanes.open("check/a", threaded)
    lane.start(7, lambda: "value", reports.put)
    assert lane.busy
    ended = reports.next()
    assert (ended.run, ended.value, ended.error) == (7, "value", None)
    assert 0 <= ended.seconds < 5
    assert not lane.busy


@both
@pytest.mark.parametrize("error", [OSError("refused"), SystemExit(2), KeyboardInterrupt(), gevent.GreenletExit()])
def test_whatever_a_probe_raises_is_reported_and_the_lane_lives_on(
    lanes: Lanes, reports: Reports, threaded: bool, error: BaseException
) -> None:
    lane = lanes.open("check/a", threaded)
    lane.start(1, fail(error), reports.put)
    assert reports.next().error is error
    lane.start(2, lambda: "again", reports.put)
    assert reports.next().value == "again"


@both
def test_a_lane_is_busy_until_its_probe_ends_and_others_go_on(lanes: Lanes, reports: Reports, threaded: bool) -> None:
    gate, hung, other = Gate(threaded), lanes.open("check/hung", threaded), lanes.open("check/other", threaded)
    hung.start(1, gate.probe, reports.put)
    begun(gate)
    other.start(2, lambda: "quick", reports.put)
    assert reports.next().run == 2
    assert (hung.busy, other.busy) == (True, False)
    gate.open()
    assert reports.next().value == "opened"
    assert not hung.busy


@both
def test_a_probe_that_was_abandoned_is_reported_when_it_ends(lanes: Lanes, reports: Reports, threaded: bool) -> None:
    gate, lane = Gate(threaded), lanes.open("check/a", threaded)
    lane.start(1, gate.probe, reports.put)
    begun(gate)
    lane.abandon()
    gevent.sleep(0)
    gate.open()
    ended = reports.next()
    assert ended.run == 1
    assert ended.value == "opened" if threaded else isinstance(ended.error, DeadlinePassed)
    assert not lane.busy


@both
def test_a_probe_that_hangs_while_its_lane_is_closed_is_reported_when_it_ends(
    lanes: Lanes, reports: Reports, threaded: bool
) -> None:
    gate, lane = Gate(threaded), lanes.open("check/a", threaded)
    lane.start(1, gate.probe, reports.put)
    begun(gate)
    lane.close()
    lane.close()
    gate.open()
    assert reports.next().run == 1
    assert not lane.busy


@both
def test_closing_and_abandoning_an_idle_lane_is_fine(lanes: Lanes, reports: Reports, threaded: bool) -> None:
    lane = lanes.open("check/a", threaded)
    lane.abandon()
    lane.close()
    lane.close()
    assert lanes.open("check/a", threaded) is not lane


@both
def test_a_lane_that_nobody_has_is_forgotten(lanes: Lanes, reports: Reports, threaded: bool) -> None:
    lane: Lane | None = lanes.open("check/a", threaded)
    assert lane is not None
    lane.start(1, lambda: None, reports.put)
    reports.next()
    lane.close()
    del lane
    while lanes.known():
        gevent.sleep(0.001)
    assert lanes.known() == ()


@both
def test_a_report_that_raises_holds_no_other_report_up(
    lanes: Lanes, reports: Reports, threaded: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(ended: Ended) -> None:
        raise LookupError("on purpose")

    lanes.open("check/a", threaded).start(1, lambda: "lost", refuse)
    lanes.open("check/b", threaded).start(2, lambda: "kept", reports.put)
    assert reports.next().value == "kept"
    gevent.sleep(0.01)
    assert "LookupError: on purpose" in capfd.readouterr().err


@both
def test_what_is_left_to_do_is_done_where_the_probes_ran(lanes: Lanes, reports: Reports, threaded: bool) -> None:
    lane = lanes.open("check/a", threaded)
    lane.start(1, threading.get_native_id, reports.put)
    thread = reports.next().value
    lane.close((threading.get_native_id, reports.put))
    assert (reports.next().value == thread, (thread != threading.get_native_id())) == (True, threaded)


@both
def test_what_is_left_to_do_waits_for_the_probe_that_runs(lanes: Lanes, reports: Reports, threaded: bool) -> None:
    gate, lane = Gate(threaded), lanes.open("check/a", threaded)
    lane.start(1, lambda: gate.probe(), reports.put)
    begun(gate)
    lane.close((fail(KeyError("x")), reports.put))
    lane.close()
    gate.open()
    ends = [reports.next(), reports.next()]
    assert sorted(end.run for end in ends) == [LAST, 1]
    assert [type(end.error) for end in ends if end.run == LAST] == [KeyError]


class TestGreenletLane:
    def test_the_deadline_passes_through_a_probe_that_catches_every_exception(
        self, lanes: Lanes, reports: Reports
    ) -> None:
        cleared = []

        def stubborn() -> str:
            try:
                Event().wait()
            except Exception:
                return "swallowed"
            finally:
                cleared.append(True)
            return "never"

        lane = lanes.open("check/a", False)
        lane.start(1, stubborn, reports.put)
        gevent.sleep(0)
        lane.abandon()
        assert isinstance(reports.next().error, DeadlinePassed)
        assert (cleared, lane.busy) == ([True], False)

    def test_a_probe_that_catches_even_the_deadline_stays_busy_until_it_returns(
        self, lanes: Lanes, reports: Reports
    ) -> None:
        gate, lane = Event(), lanes.open("check/a", False)

        def immortal() -> str:
            while not gate.is_set():
                try:
                    gate.wait()
                except BaseException:
                    continue
            return "at last"

        lane.start(1, immortal, reports.put)
        for _ in range(3):
            gevent.sleep(0)
            lane.abandon()
        gevent.sleep(0)
        assert lane.busy
        assert reports.empty()
        gate.set()
        assert reports.next().value == "at last"

    def test_a_probe_abandoned_before_it_began_does_not_begin(self, lanes: Lanes, reports: Reports) -> None:
        lane, begun = lanes.open("check/a", False), []
        lane.start(1, lambda: begun.append(True), reports.put)
        lane.abandon()
        assert isinstance(reports.next().error, DeadlinePassed)
        assert begun == []
        lane.start(2, lambda: "next", reports.put)
        assert reports.next().value == "next"

    def test_a_late_deadline_does_not_hit_the_next_probe(self, lanes: Lanes, reports: Reports) -> None:
        lane, gate = lanes.open("check/a", False), Event()

        def go_on(ended: Ended) -> None:
            reports.put(ended)
            lane.start(2, lambda: gevent.sleep(0.001) or "second", reports.put)

        lane.start(1, lambda: gate.wait() and "first", go_on)
        gevent.sleep(0)
        gate.set()
        lane.abandon()  # thrown in the turn in which the first ends by itself and the second begins
        assert [reports.next().value, reports.next().value] == ["first", "second"]

    def test_reopening_replaces_a_lane_whose_probe_hangs(self, lanes: Lanes, reports: Reports) -> None:
        gate, old = Gate(False), lanes.open("check/a", False)
        old.start(1, gate.probe, reports.put)
        begun(gate)
        new = lanes.open("check/a", False)
        assert new is not old
        new.start(2, lambda: "new", reports.put)
        assert {reports.next().run, reports.next().run} == {1, 2}
        assert not old.busy


class TestThreadLane:
    def test_probes_of_one_lane_run_in_one_native_thread_that_is_not_the_loops(
        self, lanes: Lanes, reports: Reports
    ) -> None:
        lane = lanes.open("check/a", True)
        seen = set()
        for run in range(3):
            lane.start(run, threading.get_native_id, reports.put)
            seen.add(reports.next().value)
        assert len(seen) == 1
        assert threading.get_native_id() not in seen

    def test_a_hanging_thread_is_found_again_and_no_second_one_is_started(self, lanes: Lanes, reports: Reports) -> None:
        gate, lane = Gate(True), lanes.open("check/a", True)
        lane.start(1, lambda: (gate.probe(), threading.get_native_id())[1], reports.put)
        begun(gate)
        lane.close()
        again = lanes.open("check/a", True)
        assert again is lane
        assert again.busy
        gate.open()
        thread = reports.next().value
        again.start(2, threading.get_native_id, reports.put)
        assert reports.next().value == thread

    def test_a_thread_that_never_began_has_nothing_left_to_do(self, lanes: Lanes, reports: Reports) -> None:
        lanes.open("check/a", True).close((threading.get_native_id, reports.put))
        lanes.open("check/b", True).start(1, lambda: "b", reports.put)
        assert reports.next().value == "b"

    def test_a_thread_given_again_does_what_was_left_before_its_next_probe(
        self, lanes: Lanes, reports: Reports
    ) -> None:
        gate, lane = Gate(True), lanes.open("check/a", True)
        lane.start(1, gate.probe, reports.put)
        begun(gate)
        lane.close((lambda: "closed", reports.put))
        again = lanes.open("check/a", True)
        gate.open()
        assert reports.next().value == "opened"
        again.start(2, lambda: "anew", reports.put)
        assert [reports.next().value for _ in range(2)] == ["closed", "anew"]
        assert not again.busy

    def test_a_thread_that_hangs_when_its_lane_is_closed_ends_with_its_probe(
        self, lanes: Lanes, reports: Reports
    ) -> None:
        before = threads()
        gate, lane = Gate(True), lanes.open("check/a", True)
        lane.start(1, gate.probe, reports.put)
        begun(gate)
        lane.close()
        assert threads() == before + 1
        gate.open()
        reports.next()
        while threads() > before:
            gevent.sleep(0.001)

    def test_a_lane_that_never_probed_has_no_thread(self, lanes: Lanes) -> None:
        before = threads()
        lanes.open("check/a", True)
        assert threads() == before


def threads() -> int:
    """Native threads of this process."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))


NATIVE = """
from gevent import monkey; monkey.patch_all()
import gevent, socket, time
from gevent.event import Event
from actors.runtime.lanes import Lanes
from actors.runtime.workers import Workers

native_sleep = monkey.get_original("time", "sleep")
thread_id = monkey.get_original("threading", "get_native_id")
lanes, ended, done = Lanes(Workers()), [], Event()

def report(end):
    ended.append(end)
    if len(ended) == 2:
        done.set()

def blocking():
    native_sleep(0.3)                 # holds its thread as a C library does
    return thread_id()

def patched():
    left, right = socket.socketpair() # the patched library, in a thread: a loop of its own
    left.sendall(b"x")
    time.sleep(0.01)
    return thread_id() if right.recv(1) == b"x" else None

lanes.open("check/blocking", True).start(1, blocking, report)
lanes.open("check/patched", True).start(2, patched, report)
ticks = 0
with gevent.Timeout(10):
    while not done.is_set():
        gevent.sleep(0.01)
        ticks += 1
ids = {end.value for end in ended}
assert [end.error for end in ended] == [None, None], [end.error for end in ended]
assert len(ids) == 2 and thread_id() not in ids and None not in ids, ids
print("ticks", ticks)
"""


def test_under_monkey_patching_a_thread_is_still_native_and_the_loop_runs_on() -> None:
    done = subprocess.run([sys.executable, "-c", NATIVE], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout.split()[1]) >= 5
