"""Repeated news."""

from actors.core.repeats import REMEMBERED, Repeats


def test_news_is_told_once_in_a_period_and_then_with_the_number_held_back() -> None:
    repeats = Repeats(10.0)
    said = [repeats.admit("a", now) for now in (0.0, 1.0, 9.9, 10.0, 11.0, 25.0, 40.0)]
    assert said == [0, None, None, 2, None, 1, 0]


def test_keys_do_not_hold_each_other_back() -> None:
    repeats = Repeats(10.0)
    assert [repeats.admit(key, 0.0) for key in "aba"] == [0, 0, None]


def test_the_key_told_longest_ago_is_forgotten_so_that_memory_stays_bounded() -> None:
    repeats = Repeats(10.0)
    for number in range(REMEMBERED + 1):
        repeats.admit(str(number), 0.0)
    assert [repeats.admit(key, 1.0) for key in (str(REMEMBERED), "1", "0")] == [None, None, 0]
