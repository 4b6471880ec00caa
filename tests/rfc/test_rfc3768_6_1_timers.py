"""RFC 3768 6.1: the intervals of version 2, in seconds."""

import pytest

from actors.core.vrrp_election import master_down, skew
from actors.core.vrrp_values import Router
from tests.rfc.house import OURS, backup


@pytest.mark.parametrize(
    ("priority", "interval", "skew_time", "down"),
    [
        (100, 100, 0.609375, 3.609375),
        (254, 100, 0.0078125, 3.0078125),
        (1, 100, 0.99609375, 3.99609375),
        (255, 100, 0.00390625, 3.00390625),
        (100, 25500, 0.609375, 765.609375),
    ],
)
def test_master_down_is_three_intervals_and_a_skew_that_the_interval_does_not_scale(
    priority: int, interval: int, skew_time: float, down: float
) -> None:
    router, state = Router(address=OURS, interval=interval), backup(priority)
    assert (skew(router, state), master_down(router, state)) == (skew_time, down)


def test_all_routers_have_one_interval_whatever_was_learnt() -> None:
    assert master_down(Router(address=OURS), backup(interval=4000)) == 3.609375


def test_neighbouring_priorities_never_coincide() -> None:
    skews = [skew(Router(address=OURS), backup(priority)) for priority in range(1, 256)]
    assert skews == sorted(set(skews), reverse=True)
