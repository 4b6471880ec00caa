"""When routers of one interval send together, and that none of them sends earlier or much later for it."""

from hypothesis import given
from hypothesis import strategies as st

from actors.core.vrrp_election import STEPS, in_step

TIMES = st.floats(0, 1e8)
INTERVALS = st.integers(1, 25500).map(lambda centiseconds: centiseconds / 100)


@given(when=TIMES, interval=INTERVALS)
def test_an_advert_comes_no_earlier_and_at_most_a_64th_later(when: float, interval: float) -> None:
    step = min(interval, 1.0) / STEPS
    assert when - 0.002 * step <= in_step(when, interval) <= when + 1.002 * step


@given(when=TIMES, interval=INTERVALS)
def test_one_that_is_in_step_stays_there_at_whole_intervals(when: float, interval: float) -> None:
    times = [in_step(when, interval)]
    for _ in range(300):
        times.append(in_step(times[-1] + interval, interval))
    assert abs(times[-1] - times[0] - 300 * interval) < 0.001 * interval / STEPS


def test_routers_with_one_interval_meet_whenever_they_began() -> None:
    times = {in_step(7 + began / 1000, 1.0) for began in range(1000)}
    assert times == {7 + step / STEPS for step in range(STEPS + 1)}
