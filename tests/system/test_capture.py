"""The laws over a recording notice what breaks them."""

from itertools import count

from tests.system.capture import Advert, leaders, silences


def spoken(*speakers: str, every: float = 0.1, farewell: int = -1) -> list[Advert]:
    """An advert of each, one after the other; ``farewell`` is the place of one with priority 0."""
    who = {"b": ("better", 150), "w": ("worse", 100)}
    places = zip(count(), speakers, strict=False)
    return [Advert(n * every, who[s][0], 3, 51, 0 if n == farewell else who[s][1], every) for n, s in places]


def test_leaders_are_told_in_order() -> None:
    assert leaders(spoken(*"bbbwwwbb")) == ["better", "worse", "better"]


def test_a_farewell_is_no_leading() -> None:
    assert leaders(spoken(*"wwbww", farewell=2)) == ["worse"]


def test_one_advert_may_cross_the_first_of_its_successor() -> None:
    assert leaders(spoken(*"bbbwbww")) == ["better", "worse"]


def test_an_advert_that_comes_later_is_of_another_leader() -> None:
    assert leaders(spoken(*"bbwbww", every=1.0)) == ["better", "worse", "better", "worse"]


def test_two_that_lead_at_a_time_are_noticed() -> None:
    assert leaders(spoken(*"bwbwbwbw")) == ["better", "worse", "better", "worse"]


def at(*moments: float, **last: object) -> list[Advert]:
    """Adverts every second of the better router at these moments, the last of which may differ."""
    found = [Advert(moment, "better", 3, 51, 150, 1.0) for moment in moments]
    return [*found[:-1], found[-1]._replace(**last)]  # type: ignore[arg-type]


def test_a_leader_may_be_silent_for_an_interval() -> None:
    assert silences(at(0.0, 1.0, 2.7)) == []
    assert len(silences(at(0.0, 1.0, 2.9))) == 1


def test_a_successor_may_wait_for_three_intervals_and_the_skew() -> None:
    assert silences(at(0.0, 4.3, source="worse", priority=100)) == []
    assert len(silences(at(0.0, 4.5, source="worse", priority=100))) == 1


def test_after_a_farewell_there_is_the_skew_alone() -> None:
    gone = at(0.0, priority=0)
    assert silences([*gone, *at(1.3, source="worse", priority=100)]) == []
    assert len(silences([*gone, *at(1.5, source="worse", priority=100)])) == 1
