"""What announcements wait, and when each may go out."""

import math
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.announcing import Pacer

TWO = ("10.0.0.1", "10.0.0.2")


def asked(*calls: tuple[str, tuple[str, ...], int, float]) -> Pacer:
    pacer = Pacer()
    for call in calls:
        pacer.put(*call)
    return pacer


def addresses(taken: Iterable[tuple[str, str]]) -> str:
    """The last digits."""
    return "".join(address[-1] for _, address in taken)


def timetable(pacer: Pacer, start: float = 0.0, most: int = 99) -> list[tuple[float, str]]:
    """Everything, taken when it is due."""
    found = []
    now = start
    while (wake := pacer.wake()) < math.inf:
        now = max(now, wake)
        found.append((round(now, 3), addresses(pacer.take(now, most))))
    return found


def test_without_a_gap_all_go_at_once_each_address_once_before_any_again() -> None:
    pacer = asked(("a", TWO, 3, 0.0))
    assert (pacer.waiting, pacer.wake() <= 7.0) == (6, True)
    assert pacer.take(7.0, 99) == [("a", address) for address in TWO * 3]
    assert (pacer.waiting, pacer.wake(), pacer.take(8.0, 99)) == (0, math.inf, [])


def test_with_a_gap_they_go_one_by_one() -> None:
    assert timetable(asked(("a", TWO, 2, 0.25)), 7.0) == [(7.0, "1"), (7.25, "2"), (7.5, "1"), (7.75, "2")]


def test_who_asks_later_is_heard_before_anything_is_repeated() -> None:
    pacer = asked(("a", TWO, 3, 1.0))
    assert addresses(pacer.take(0.0, 99)) == "1"
    pacer.put("b", ("10.0.0.3",), 2, 1.0)
    assert [what for _, what in timetable(pacer)] == ["2", "3", "1", "2", "3", "1", "2"]


def test_a_gap_counts_from_whatever_was_announced_last() -> None:
    pacer = asked(("a", ("10.0.0.1",), 1, 0.0), ("b", ("10.0.0.2",), 2, 0.5), ("c", ("10.0.0.3",), 1, 0.25))
    assert timetable(pacer, 1.0) == [(1.0, "1"), (1.5, "2"), (1.75, "3"), (2.25, "2")]


def test_what_is_asked_again_goes_on_where_it_is_and_does_not_add_up() -> None:
    pacer = asked(("a", TWO, 5, 0.0))
    assert addresses(pacer.take(0.0, 3)) == "121"
    for _ in range(100):
        pacer.put("a", TWO, 5, 0.0)
    assert addresses(pacer.take(0.0, 99)) == "212121212"


def test_what_is_dropped_is_not_announced_and_others_are() -> None:
    pacer = asked(("a", TWO, 2, 0.0), ("b", ("10.0.0.3",), 2, 0.0), ("a", ("10.0.0.4",), 1, 0.0))
    pacer.drop("a")
    assert (pacer.waiting, pacer.take(0.0, 99)) == (2, [("b", "10.0.0.3")] * 2)


@pytest.mark.parametrize(("given", "repeat"), [((), 5), (TWO, 0), (TWO, -1)])
def test_nothing_is_asked_for_by_nothing(given: tuple[str, ...], repeat: int) -> None:
    assert asked(("a", given, repeat, 0.0)).wake() == math.inf


CALLS = st.tuples(
    st.sampled_from("abc"),
    st.integers(0, 4).map(lambda many: tuple(f"10.0.0.{place}" for place in range(many))),
    st.integers(0, 4),
    st.sampled_from([0.0, 0.1, 1.0]),
)


@given(st.lists(CALLS, max_size=6), st.integers(1, 7))
def test_every_address_is_announced_as_often_as_asked_and_no_round_overtakes_another(
    calls: list[tuple[str, tuple[str, ...], int, float]], most: int
) -> None:
    pacer = asked(*calls)
    wanted: dict[tuple[str, tuple[str, ...]], int] = {}
    for source, given_, repeat, _ in calls:
        wanted[source, given_] = max(wanted.get((source, given_), 0), repeat)
    waiting = sum(len(given_) * repeat for (_, given_), repeat in wanted.items())
    assert pacer.waiting == waiting
    times = timetable(pacer, most=most)
    assert sum(len(what) for _, what in times) == waiting
    assert [at for at, _ in times] == sorted(at for at, _ in times)
    assert all(len(what) <= most for _, what in times)
