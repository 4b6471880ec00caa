"""The board: who is told what, retained and replayed."""

import re
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.board import Board
from actors.core.status import CheckStatus, ServerStatus, Verdict

OK, FAILED = Verdict.OK, Verdict.FAILED


def check(name: str, verdict: Verdict = OK) -> CheckStatus:
    return CheckStatus(name, verdict)


def test_a_status_reaches_those_who_subscribed_to_its_source() -> None:
    board = Board()
    board.subscribe("a", "check/web")
    board.subscribe("b", "check/dns")
    assert board.publish(check("check/web")) == ["a"]
    assert board.last("check/web") == check("check/web")


def test_an_equal_status_is_not_forwarded_and_a_different_one_is() -> None:
    board = Board()
    board.subscribe("a", "*")
    assert board.publish(check("check/web")) == ["a"]
    assert board.publish(check("check/web")) == []
    assert board.publish(check("check/web", FAILED)) == ["a"]
    assert board.retained() == (check("check/web", FAILED),)


def test_statuses_of_two_kinds_with_the_same_fields_are_different_news() -> None:
    board = Board()
    board.subscribe("a", "x")
    board.publish(CheckStatus("x", OK))
    assert board.publish(ServerStatus("x", OK, 1)) == ["a"]


def test_a_late_subscriber_is_replayed_what_matches_in_order_of_first_publication() -> None:
    board = Board()
    for status in (check("check/b"), check("check/a"), check("vs/x"), check("check/b", FAILED)):
        board.publish(status)
    assert board.subscribe("late", "check/*") == [check("check/b", FAILED), check("check/a")]
    assert board.subscribe("late", "vs/x") == [check("vs/x")]
    assert board.subscribe("late", "vs/y") == []


def test_a_subscriber_with_overlapping_patterns_is_told_once() -> None:
    board = Board()
    for pattern in ("check/web", "check/*", "*", "*web"):
        board.subscribe("a", pattern)
    assert board.publish(check("check/web")) == ["a"]


def test_a_forgotten_source_is_news_again() -> None:
    board = Board()
    board.subscribe("a", "*")
    board.publish(check("check/web"))
    board.forget("check/web")
    board.forget("check/never")
    assert board.retained() == ()
    assert board.publish(check("check/web")) == ["a"]


def calls_of_a_replay(services: int) -> int:
    """Function calls that following one of so many services costs."""
    board, calls = Board(), 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event.endswith("call")

    for service in range(services):
        board.publish(check(f"vs/{service}/rs/a"))
    sys.setprofile(count)
    try:
        told = board.subscribe("late", "vs/1/rs/*")
    finally:
        sys.setprofile(None)
    assert told == [check("vs/1/rs/a")]
    return calls


def test_a_folder_is_replayed_without_a_look_at_what_lies_elsewhere() -> None:
    assert calls_of_a_replay(10) == calls_of_a_replay(1000)


def test_withdrawing_takes_all_of_one_and_nothing_of_others() -> None:
    board = Board()
    for subscriber in ("a", "b"):
        for pattern in ("check/web", "check/*", "*/web"):
            board.subscribe(subscriber, pattern)
    board.unsubscribe("a")
    board.unsubscribe("nobody")
    assert board.audience("check/web") == ("b",)
    assert board.audience("check/dns") == ("b",)
    assert board.audience("vs/web") == ("b",)


def test_withdrawing_an_exact_pattern_leaves_the_folder_that_it_lies_in() -> None:
    board = Board()
    board.subscribe("folder", "check/*")
    board.subscribe("exact", "check/w")
    board.unsubscribe("exact")
    assert board.audience("check/w") == ("folder",)


@pytest.mark.parametrize(
    ("pattern", "source", "matches"),
    [
        ("check/web", "check/web", True),
        ("check/web", "check/web2", False),
        ("check/web", "xcheck/web", False),
        ("check/*", "check/web", True),
        ("check/*", "check/a/b", True),
        ("check/*", "check/", True),
        ("check/*", "check", False),
        ("vs/[::1]:80:tcp/rs/*", "vs/[::1]:80:tcp/rs/[::2]:80", True),
        ("vs/[::1]:80:tcp/rs/*", "vs/::80:tcp/rs/[::2]:80", False),
        ("vs/[::1]:80:*", "vs/[::1]:80:udp", True),
        ("vs/*/rs/*", "vs/10.0.0.1:80:tcp/rs/10.0.1.1:80", True),
        ("vs/*/rs/*", "vs/10.0.0.1:80:tcp", False),
        ("vs/10.0.0.1*", "vs/10x0y0z1", False),
        ("/*", "/x", True),
        ("/*", "x/x", False),
        ("**", "anything", True),
        ("*", "", True),
        ("", "", True),
        ("*\n*", "a\nb", True),
    ],
)
def test_a_star_stands_for_any_text_and_nothing_else_is_special(pattern: str, source: str, matches: bool) -> None:
    board = Board()
    board.publish(check(source))
    assert bool(board.subscribe("late", pattern)) is matches
    assert (board.audience(source) == ("late",)) is matches


class Naive:
    """What a board must do, said as plainly as can be."""

    def __init__(self) -> None:
        self.retained: dict[str, CheckStatus] = {}
        self.patterns: set[tuple[str, str]] = set()

    def audience(self, source: str) -> set[str]:
        return {subscriber for subscriber, pattern in self.patterns if self.matches(pattern, source)}

    @staticmethod
    def matches(pattern: str, source: str) -> bool:
        return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), source, re.DOTALL) is not None


texts = st.text(alphabet="ab/*[:]", max_size=6)
sources = st.text(alphabet="ab/[:]", max_size=6)
subscribers = st.sampled_from("XYZ")
operations = st.one_of(
    st.tuples(st.just("publish"), sources, st.sampled_from(Verdict)),
    st.tuples(st.just("subscribe"), subscribers, texts),
    st.tuples(st.just("unsubscribe"), subscribers),
    st.tuples(st.just("forget"), sources),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(operations, max_size=30))
def test_it_does_what_the_naive_board_does(story: list[tuple]) -> None:
    board, naive = Board(), Naive()
    for operation in story:
        match operation:
            case ("publish", source, verdict):
                news = naive.retained.get(source) != check(source, verdict)
                told = board.publish(check(source, verdict))
                assert len(told) == len(set(told))
                assert set(told) == (naive.audience(source) if news else set())
                naive.retained[source] = check(source, verdict)
            case ("subscribe", subscriber, pattern):
                naive.patterns.add((subscriber, pattern))
                expected = [s for source, s in naive.retained.items() if naive.matches(pattern, source)]
                assert board.subscribe(subscriber, pattern) == expected
            case ("unsubscribe", subscriber):
                naive.patterns = {entry for entry in naive.patterns if entry[0] != subscriber}
                board.unsubscribe(subscriber)
            case ("forget", source):
                naive.retained.pop(source, None)
                board.forget(source)
        assert board.retained() == tuple(naive.retained.values())
