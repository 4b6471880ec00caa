"""What a router follows: faults and weights, from news in any order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.status import Verdict
from actors.core.tracking import TOLD, Follow, Tracking

OK, FAILED, UNKNOWN = Verdict.OK, Verdict.FAILED, Verdict.UNKNOWN


def tracking(*follows: Follow, **said: Verdict) -> Tracking:
    made = Tracking(follows)
    for source, verdict in said.items():
        made.learn(source, verdict)
    return made


@pytest.mark.parametrize(
    ("weight", "verdict", "gain", "faults"),
    [
        (0, UNKNOWN, 0, ["a is UNKNOWN"]),
        (0, FAILED, 0, ["a is FAILED"]),
        (0, OK, 0, []),
        (20, UNKNOWN, 0, []),
        (20, FAILED, 0, []),
        (20, OK, 20, []),
        (-20, UNKNOWN, -20, []),
        (-20, FAILED, -20, []),
        (-20, OK, 0, []),
    ],
)
def test_a_weight_moves_the_priority_and_none_is_a_fault(
    weight: int, verdict: Verdict, gain: int, faults: list[str]
) -> None:
    found = tracking(Follow("a", weight), a=verdict)
    assert (found.weight, found.faults()) == (gain, faults)


@pytest.mark.parametrize(
    ("weight", "verdict", "gain", "faults"),
    [
        (0, UNKNOWN, 0, ["a is UNKNOWN, and reversed"]),
        (0, FAILED, 0, []),
        (0, OK, 0, ["a is OK, and reversed"]),
        (20, UNKNOWN, -20, []),
        (20, FAILED, 0, []),
        (20, OK, -20, []),
        (-20, UNKNOWN, 0, []),
        (-20, FAILED, 20, []),
        (-20, OK, 0, []),
    ],
)
def test_reversed_a_weight_does_the_opposite_as_in_keepalived(
    weight: int, verdict: Verdict, gain: int, faults: list[str]
) -> None:
    found = tracking(Follow("a", weight, reverse=True), a=verdict)
    assert (found.weight, found.faults()) == (gain, faults)


@pytest.mark.parametrize(
    ("value", "weight", "reverse", "gain", "faults"),
    [
        (5, 1, False, 5, []),
        (5, 2, False, 10, []),
        (-5, 2, False, -10, []),
        (-5, 2, True, 10, []),
        (0, 9, True, 0, []),
        (300, 1, False, 253, []),
        (-253, 1, False, -253, []),
        (-254, 1, False, 0, ["a weighs -254"]),
        (2, -200, False, 0, ["a weighs -400"]),
        (1, 254, True, 0, ["a weighs -254"]),
        (5, 0, False, 0, ["a is FAILED"]),
        (0, 0, False, 0, []),
        (5, 0, True, 0, []),
        (0, 0, True, 0, ["a is OK, and reversed"]),
    ],
)
def test_a_number_counts_as_often_as_its_weight_says_as_in_keepalived(
    value: int, weight: int, reverse: bool, gain: int, faults: list[str]
) -> None:
    found = tracking(Follow("a", weight, reverse, counts=True))
    found.learn("a", FAILED, -999)
    found.learn("a", FAILED if value else OK, value)
    assert (found.weight, found.faults()) == (gain, faults)


def test_a_number_that_nobody_has_seen_yet_counts_nothing() -> None:
    found = tracking(Follow("a", -7, counts=True))
    assert (found.weight, found.faults()) == (0, [])


def test_one_source_may_be_followed_in_more_than_one_way() -> None:
    found = tracking(Follow("a"), Follow("a", -30), a=FAILED)
    assert (found.weight, found.faults()) == (-30, ["a is FAILED"])
    found.learn("a", OK)
    assert (found.weight, found.faults()) == (0, [])


def test_what_nobody_follows_is_no_news() -> None:
    found = tracking(Follow("a"), b=FAILED)
    assert (found.weight, found.faults()) == (0, ["a is UNKNOWN"])


def test_of_many_faults_a_few_are_told_and_the_others_counted() -> None:
    found = tracking(*(Follow(f"c{number}") for number in range(TOLD + 7)))
    assert found.faults() == [*(f"c{number} is UNKNOWN" for number in range(TOLD)), "and 7 more"]


NEWS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(Verdict)), max_size=30)
FOLLOWS = st.lists(
    st.builds(Follow, st.sampled_from("abc"), st.sampled_from([0, 5, -7]), st.booleans()), max_size=6, unique=True
)


@given(FOLLOWS, NEWS)
def test_after_any_news_it_is_as_if_only_the_last_of_each_source_had_come(
    follows: list[Follow], news: list[tuple[str, Verdict]]
) -> None:
    found = tracking(*follows)
    for source, verdict in news:
        found.learn(source, verdict)
    fresh = tracking(*follows, **dict(news))
    assert found.weight == fresh.weight
    assert sorted(found.faults()) == sorted(fresh.faults())
