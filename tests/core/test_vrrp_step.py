"""When routers of one interval send together, and that none of them sends later or much earlier for it."""

from hypothesis import given
from hypothesis import strategies as st

from actors.core.vrrp_election import HASTE, in_step

TIMES = st.floats(0, 1e8)
INTERVALS = st.integers(1, 25500).map(lambda centiseconds: centiseconds / 100)


@given(when=TIMES, interval=INTERVALS)
def test_an_advert_comes_no_later_and_at_most_a_quarter_of_the_interval_earlier(when: float, interval: float) -> None:
    assert -(HASTE + 0.001) <= (in_step(when, interval) - when) / interval <= 0.002


@given(when=TIMES, interval=INTERVALS)
def test_one_that_is_in_step_stays_there_at_whole_intervals(when: float, interval: float) -> None:
    times = [round(when / interval) * interval]
    for _ in range(300):
        times.append(in_step(times[-1] + interval, interval))
    assert abs(times[-1] - times[0] - 300 * interval) < 0.001 * interval


def test_routers_with_one_interval_send_at_the_same_instants_within_four_intervals_whenever_they_began() -> None:
    times = [7 + began / 1000 for began in range(1000)]
    for _ in range(4):
        times = [in_step(when, 1.0) + 1.0 for when in times]
    assert {when % 1.0 for when in times} == {0.0}
