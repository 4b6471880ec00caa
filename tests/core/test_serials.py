"""Serial numbers that are clocks: their order, what a sender uses next, what a receiver takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.serials import HALF, SECOND, SLOTS, SPACE, Marks, ahead_of, following, is_later, serial_of

NOW = serial_of(1_780_000_000.0)
SERIALS = st.integers(0, SPACE - 1)
WINDOW = 5


def test_a_moment_is_its_seconds_and_65536ths_with_a_count_of_0() -> None:
    assert serial_of(1_780_000_000.75).to_bytes(8).hex(" ") == "6a 18 a5 00 c0 00 00 00"
    assert serial_of(2.0**32 + 1.5) == serial_of(1.5)


@pytest.mark.parametrize(
    ("one", "other", "later"),
    [
        (1, 0, True),
        (0, 1, False),
        (7, 7, False),
        (0, SPACE - 1, True),
        (SPACE - 1, 0, False),
        (HALF - 1, 0, True),
        (HALF, 0, False),
        (0, HALF, False),
        (HALF + 1, 0, False),
    ],
)
def test_the_order_is_that_of_rfc_1982(one: int, other: int, later: bool) -> None:
    assert is_later(one, other) is later


@given(one=SERIALS, other=SERIALS)
def test_of_two_at_most_one_is_later(one: int, other: int) -> None:
    assert (is_later(one, other) and is_later(other, one)) is False
    assert ahead_of(one, other) == -ahead_of(other, one) or abs(ahead_of(one, other)) == 2.0**31


@pytest.mark.parametrize(
    ("last", "window", "used"),
    [
        (None, WINDOW, NOW),
        (NOW - 1, WINDOW, NOW),
        (NOW, WINDOW, NOW + 1),
        (NOW + 0xFFFF, WINDOW, NOW + 0x10000),
        (NOW + 5 * SECOND, WINDOW, NOW + 5 * SECOND + 1),
        (NOW + 5 * SECOND + 0x10000, WINDOW, NOW),
        (NOW + 500 * SECOND, None, NOW + 500 * SECOND + 1),
        (NOW - 500 * SECOND, None, NOW),
    ],
)
def test_a_sender_uses_the_clock_or_one_more_than_the_last_and_the_clock_again_beyond_the_window(
    last: int | None, window: int | None, used: int
) -> None:
    assert following(last, NOW, window) == used


def test_the_numbers_have_no_end() -> None:
    assert following(SPACE - 1, SPACE - SECOND, WINDOW) == 0
    assert following(SPACE - 1, 5, WINDOW) == 5


def admitted(marks: Marks, *serials: int, sender: bytes = b"a", now: int = NOW, window: int | None = WINDOW) -> str:
    return "".join("+" if marks.admit(sender, each, now, window) else "-" for each in serials)


@pytest.mark.parametrize("window", [WINDOW, None])
def test_a_sender_has_to_go_on_and_each_sender_has_a_mark_of_its_own(window: int | None) -> None:
    marks = Marks(0)
    assert admitted(marks, NOW, NOW, NOW - 1, NOW + 1, NOW + 9, NOW + 8, window=window) == "+--++-"
    assert admitted(marks, NOW, NOW, sender=b"b", window=window) == "+-"


def test_a_mark_out_of_the_window_counts_no_more_unless_there_is_none() -> None:
    for window, verdict in ((WINDOW, "+"), (None, "-")):
        marks = Marks(0)
        assert admitted(marks, NOW + 5 * SECOND, NOW, window=window) == "+-"
        assert admitted(marks, NOW - SECOND, now=NOW - SECOND, window=window) == verdict


def test_of_multicast_the_last_four_that_spoke_are_remembered_and_of_peers_all() -> None:
    for peers, forgotten in ((0, "+"), (SLOTS + 1, "-")):
        marks = Marks(peers)
        for sender in (b"a", b"b", b"c", b"d"):
            assert admitted(marks, NOW, sender=sender) == "+"
        assert admitted(marks, NOW + 1, sender=b"a") == "+"
        assert admitted(marks, NOW, sender=b"e") == "+"
        assert admitted(marks, NOW, sender=b"a") == "-"
        assert admitted(marks, NOW, sender=b"b") == forgotten
