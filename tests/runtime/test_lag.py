"""How late a loop is, on a clock that the test owns."""

from actors.runtime.clock import ManualClock
from actors.runtime.lag import Lag, Metronome


class Late(ManualClock):
    """A clock whose calls come ``late`` seconds after they are due."""

    late = 0.0

    def now(self) -> float:
        return super().now() + self.late


def nothing() -> None:
    """Nobody is there to be settled."""


def test_beats_come_at_their_times_whatever_the_one_before_took() -> None:
    clock, beats = Late(), []
    Metronome(clock, 0.5, lambda late: beats.append((round(clock.now(), 3), round(late, 3))))
    clock.advance(1.0, nothing)
    clock.late = 0.2
    clock.advance(1.0, nothing)
    assert beats == [(0.5, 0.0), (1.0, 0.0), (1.7, 0.2), (2.2, 0.2)]


def test_beats_missed_by_a_loop_that_stood_still_are_left_out() -> None:
    clock, beats = Late(), []
    Metronome(clock, 0.5, lambda late: beats.append((clock.now(), late)))
    clock.late = 60.0
    clock.advance(0.5, nothing)
    clock.late = 0.0
    clock.advance(61.0, nothing)
    assert beats == [(60.5, 60.0), (61.0, 0.0), (61.5, 0.0)]


def test_of_lateness_there_is_a_histogram_its_median_and_the_worst_of_the_last_minute() -> None:
    clock = ManualClock()
    lag = Lag(clock)
    clock.advance(1.0, nothing)
    for late in (0.0003, 0.0003, 0.0003, 0.0003, 0.0005, 5.0):
        lag.note(late)
    assert lag.figures() == {
        "median": 0.000512, "worst": 5.0, "histogram": {"1": 4, "512": 5, str(1 << 23): 1},
    }  # fmt: skip
    clock.advance(59.5, nothing)
    assert lag.figures()["worst"] == 5.0
    clock.advance(0.5, nothing)
    assert (lag.figures()["worst"], lag.figures()["histogram"][str(1 << 23)]) == (0.0, 1)


def test_one_that_never_ends_is_counted_in_the_last_place() -> None:
    clock = ManualClock()
    lag = Lag(clock)
    assert lag.figures() == {"median": 0.0, "worst": 0.0, "histogram": {}}
    lag.note(1e6)
    assert lag.figures()["histogram"] == {str(1 << 27): 1}
