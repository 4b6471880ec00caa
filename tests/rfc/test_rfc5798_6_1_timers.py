"""RFC 5798 6.1 and RFC 9568 6.1: the intervals of version 3, which follow the master's."""

import pytest

from actors.core.vrrp_election import advert_seconds, master_down, skew
from actors.core.vrrp_values import Router
from tests.rfc.house import OURS, V3, backup


@pytest.mark.parametrize(
    ("priority", "own", "masters", "skew_time", "down"),
    [
        (100, 100, 100, 0.609375, 3.609375),
        (100, 10, 50, 0.3046875, 1.8046875),
        (60, 60, 10, 0.0765625, 0.3765625),
        (255, 100, 100, 0.00390625, 3.00390625),
        (1, 1, 4095, 40.790039, 163.640039),
        (254, 100, 1, 0.000078125, 0.030078125),
    ],
)
def test_master_down_is_three_of_the_masters_intervals_and_a_skew_scaled_by_it(
    priority: int, own: int, masters: int, skew_time: float, down: float
) -> None:
    router, state = Router(address=OURS, version=3, interval=own), backup(priority, masters)
    assert (skew(router, state), master_down(router, state)) == pytest.approx((skew_time, down))


def test_a_master_sends_at_its_own_interval() -> None:
    assert advert_seconds(Router(address=OURS, version=3, interval=5)) == 0.05


def test_neighbouring_priorities_never_coincide_at_the_shortest_interval() -> None:
    skews = [skew(V3, backup(priority, 1)) for priority in range(1, 256)]
    assert skews == sorted(set(skews), reverse=True)
