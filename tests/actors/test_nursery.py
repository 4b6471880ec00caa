"""The nursery's pace. What it does with processes is seen on real ones, in `tests/system/test_nursery.py`."""

from actors.nursery import pause


def test_the_pause_doubles_from_the_second_that_did_not_live_for_long_up_to_half_a_minute() -> None:
    assert [pause(short_lived) for short_lived in range(1, 11)] == [0.5, 0.5, 1, 2, 4, 8, 16, 30, 30, 30]
