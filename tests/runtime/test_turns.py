"""Turns: so many at once, the others in order; nobody is forgotten and nobody let in twice."""

from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.turns import Turns


def test_so_many_at_once_and_the_others_in_the_order_in_which_they_came() -> None:
    turns, begun = Turns(2), list[str]()
    assert [turns.enter(who, lambda who=who: begun.append(who)) for who in "abcd"] == [True, True, False, False]  # type: ignore[misc]
    assert turns.waiting == 2
    turns.leave("b")
    assert begun == ["c"]
    turns.leave("d")
    turns.leave("a")
    turns.leave("c")
    assert (begun, turns.waiting) == (["c"], 0)


def test_a_limit_that_is_raised_lets_in_and_one_that_is_lowered_sends_nobody_away() -> None:
    turns, begun = Turns(1), list[str]()
    for who in "abc":
        turns.enter(who, lambda who=who: begun.append(who))  # type: ignore[misc]
    turns.limit = 2
    assert begun == ["b"]
    turns.limit = 1
    turns.leave("a")
    assert begun == ["b"]
    turns.limit = 0
    assert (begun, turns.enter("d", list)) == (["b", "c"], True)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8))), st.integers(1, 4))
def test_never_more_than_so_many_and_nobody_waits_while_there_is_room(
    steps: list[tuple[bool, int]], limit: int
) -> None:
    turns, inside, waiting = Turns(limit), set[int](), list[int]()

    def let_in(who: int) -> None:
        assert waiting.pop(0) == who
        inside.add(who)

    for enters, who in steps:
        if enters and who not in inside and who not in waiting:
            waiting.append(who)
            if turns.enter(who, lambda who=who: let_in(who)):  # type: ignore[misc]
                waiting.remove(who)
                inside.add(who)
        elif not enters:
            inside.discard(who)
            if who in waiting:
                waiting.remove(who)
            turns.leave(who)
        assert len(inside) <= limit
        assert not waiting or len(inside) == limit
        assert turns.waiting == len(waiting)
