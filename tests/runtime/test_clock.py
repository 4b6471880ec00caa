"""Clocks: order, many for one instant, and a manual one that a test moves."""

import math
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event
from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.clock import Agenda, LoopClock, ManualClock


def nothing() -> None:
    """Settles nothing."""


def test_an_agenda_knows_its_first_instant_and_gives_its_calls_in_order() -> None:
    agenda = Agenda()
    first: tuple[Callable[..., None], tuple[Any, ...]] = (nothing, (1,))
    assert agenda.first() == math.inf
    assert [agenda.add(when, (nothing, (n,))) for n, when in enumerate((5.0, 7.0, 5.0, 3.0))] == [
        True,
        False,
        False,
        True,
    ]
    assert agenda.first() == 3.0
    assert agenda.pop(2.9) == []
    assert agenda.pop(9.0) == [(nothing, (3,))]
    assert agenda.pop(9.0) == [(nothing, (0,)), (nothing, (2,))]
    assert agenda.pop(9.0) == [(nothing, (1,))]
    assert agenda.add(1.0, first)


@given(st.lists(st.integers(0, 5).map(lambda n: n / 2), max_size=40))
def test_calls_come_in_order_of_their_time_and_then_of_the_calling(times: list[float]) -> None:
    clock, heard = ManualClock(), []
    for n, when in enumerate(times):
        clock.call_at(when, lambda *call: heard.append((clock.now(), *call)), when, n)
    clock.advance(10.0, nothing)
    assert heard == [(when, when, n) for when, n in sorted((when, n) for n, when in enumerate(times))]


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock, heard = ManualClock(100.0), []
    clock.call_at(103.6, heard.append, "due")
    clock.advance(3.5, nothing)
    assert (clock.now(), heard) == (103.5, [])
    clock.advance(0.2, nothing)
    assert (clock.now(), heard) == (103.7, ["due"])


def test_a_call_for_the_past_comes_at_once_and_time_does_not_go_back() -> None:
    clock, heard = ManualClock(100.0), []
    clock.call_at(7.0, lambda: heard.append(clock.now()))
    clock.advance(0.0, nothing)
    assert (clock.now(), heard) == (100.0, [100.0])


def test_advancing_settles_first_and_after_each_instant() -> None:
    clock, trace = ManualClock(), []
    for when in (1.0, 1.0, 2.0):
        clock.call_at(when, lambda: trace.append(f"call {clock.now():g}"))
    clock.advance(3.0, lambda: trace.append(f"settle {clock.now():g}"))
    assert trace == ["settle 0", "call 1", "call 1", "settle 1", "call 2", "settle 2"]
    assert clock.now() == 3.0


def test_what_is_armed_on_the_way_is_served_on_the_way() -> None:
    clock, heard = ManualClock(), []

    def again() -> None:
        heard.append(clock.now())
        clock.call_at(clock.now() + 1.0, again)

    clock.call_at(1.0, again)
    clock.advance(3.5, nothing)
    assert heard == [1.0, 2.0, 3.0]


class TestLoopClock:
    """On a real loop; each waits for its last call, and no longer than the limit."""

    @pytest.fixture
    def clock(self) -> LoopClock:
        return LoopClock()

    @pytest.fixture(autouse=True)
    def _limit(self) -> Any:
        with gevent.Timeout(5.0):
            yield

    def test_it_calls_in_order_whatever_the_order_of_arming(self, clock: LoopClock) -> None:
        heard, last, now = [], Event(), clock.now()
        clock.call_at(now + 0.03, last.set)
        for delay in (0.02, 0.01, 0.0, -5.0, 0.02):
            clock.call_at(now + delay, heard.append, delay)
        last.wait()
        assert heard == [-5.0, 0.0, 0.01, 0.02, 0.02]

    def test_it_calls_at_the_time_and_a_millisecond_early_at_most(self, clock: LoopClock) -> None:
        early, last, now = [], Event(), clock.now()
        for n in range(30):
            clock.call_at(now + n / 1000, lambda due: early.append(due - clock.now()), now + n / 1000)
        clock.call_at(now + 0.04, last.set)
        last.wait()
        assert len(early) == 30
        assert max(early) <= 0.001

    def test_a_call_that_arms_an_earlier_one_than_all_is_served_in_time(self, clock: LoopClock) -> None:
        last, now = Event(), clock.now()
        clock.call_at(now + 60.0, nothing)
        clock.call_at(now + 0.01, clock.call_at, now + 0.02, last.set)
        assert last.wait()
        assert clock.now() - now < 5.0

    def test_it_can_be_armed_again_after_it_ran_empty(self, clock: LoopClock) -> None:
        for _ in range(3):
            rung = Event()
            clock.call_at(clock.now() + 0.001, rung.set)
            assert rung.wait()

    def test_many_calls_for_one_instant_are_one_wake_up(self, clock: LoopClock) -> None:
        heard: list[int] = []
        when, last = clock.now() + 0.01, Event()
        ticks: list[int] = []
        for n in range(1000):
            clock.call_at(when, heard.append, n)
        clock.call_at(when, lambda: gevent.get_hub().loop.run_callback(ticks.append, len(heard)))
        clock.call_at(when, last.set)
        last.wait()
        assert heard == list(range(1000))
        assert ticks in ([], [1000])
