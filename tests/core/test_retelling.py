"""Which crash is the same as the last."""

import pytest

from actors.core.retelling import PEACE, Told, retold

TRACE = 'Traceback (most recent call last):\n  File "a.py", line 7, in f\n    boom()\nValueError: of 7\n'


def at(*times: float, error: str = "ValueError: of 7", trace: str = TRACE) -> Told:
    told = Told()
    for time in times:
        told = retold(told, error, trace, time)
    return told


def test_the_same_place_again_is_counted() -> None:
    assert at(1.0, 2.0, 3.0) == Told("ValueError\na.py:7", 3, 3.0)


@pytest.mark.parametrize(
    ("error", "trace", "times"),
    [
        ("ValueError: of 8", TRACE.replace("of 7", "of 8"), 3),
        ("TypeError: of 7", TRACE, 1),
        ("ValueError: of 7", TRACE.replace("line 7", "line 8"), 1),
        ("ValueError: of 7", TRACE.replace("a.py", "b.py"), 1),
        ("ValueError: of 7", "", 1),
    ],
)
def test_its_text_may_differ_but_not_its_kind_nor_its_lines(error: str, trace: str, times: int) -> None:
    assert retold(at(1.0, 2.0), error, trace, 3.0).times == times


@pytest.mark.parametrize(("pause", "times"), [(PEACE - 1, 3), (PEACE, 1)])
def test_after_an_hour_of_peace_it_is_news_again(pause: float, times: int) -> None:
    assert at(0.0, 5.0, 5.0 + pause).times == times
