"""The garbage collector comes when it is called."""

import gc
from collections.abc import Iterator

import pytest

from actors.runtime.clock import ManualClock
from actors.runtime.collector import PERIOD, Collector


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    frozen = gc.get_freeze_count()
    yield
    gc.enable()
    if not frozen:
        gc.unfreeze()


def rings() -> int:
    return sum(type(each) is Ring for each in gc.get_objects())


def test_it_does_not_come_by_itself_and_sets_apart_what_has_come_to_stay() -> None:
    clock = ManualClock()
    Collector(clock)
    assert not gc.isenabled()
    kept = [Ring() for _ in range(3)]
    clock.advance(PERIOD, lambda: None)
    assert (rings(), len(kept)) == (0, 3)  # it does not even see them


def test_what_is_younger_is_collected_every_period() -> None:
    clock = ManualClock()
    collector = Collector(clock)
    clock.advance(PERIOD, lambda: None)
    for _ in range(3):
        Ring()
    assert rings() == 3
    clock.advance(PERIOD, lambda: None)
    assert rings() == 0
    assert collector.found >= 3
    assert 0 < collector.slowest < 10


def test_after_a_reload_what_has_come_is_set_apart_again() -> None:
    clock = ManualClock()
    collector = Collector(clock)
    clock.advance(PERIOD, lambda: None)
    kept = Ring()
    collector.expect()
    clock.advance(PERIOD, lambda: None)
    assert (rings(), kept.me is kept) == (0, True)
