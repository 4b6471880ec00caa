"""Which brace is to blame."""

import pytest

from loader.balance import pair_braces

NESTED = """a {
    b {
        x 1
    }
    c {
        x 2
    }
}
d {
}
"""


def blamed(text: str) -> list[tuple[int, str]]:
    """Line and message of each problem."""
    _, problems = pair_braces(text)
    return [(text.count("\n", 0, problem.mark.offset) + 1, problem.message) for problem in problems]


def without_line(number: int) -> str:
    lines = NESTED.splitlines(keepends=True)
    return "".join(lines[: number - 1] + lines[number:])


def test_braces_that_agree_are_paired() -> None:
    assert pair_braces("a { b { } }") == ({2: 10, 6: 8}, [])


@pytest.mark.parametrize(
    ("missing", "culprit"),
    [(4, 2), (7, 4 + 1), (8, 1), (10, 9)],
    ids=["inner", "second inner", "outer", "last"],
)
def test_a_missing_brace_is_blamed_on_the_block_that_lacks_it(missing: int, culprit: int) -> None:
    assert blamed(without_line(missing)) == [(culprit, "this block is not closed: '}' is missing")]


@pytest.mark.parametrize("line", [4, 7, 8])
def test_a_brace_too_many_is_blamed_on_the_crooked_one(line: int) -> None:
    lines = NESTED.splitlines(keepends=True)
    text = "".join([*lines[:line], "    }\n" if line != 8 else "}\n", *lines[line:]])
    assert blamed(text) == [(line + 1, "'}' closes nothing")]


def test_without_indentation_the_first_brace_that_closes_nothing_is_blamed() -> None:
    assert blamed("a {\n}\n}\nb {\n}\n") == [(3, "'}' closes nothing")]


def test_without_indentation_the_innermost_open_block_is_blamed() -> None:
    assert blamed("a {\nb {\n") == [(2, "this block is not closed: '}' is missing")]


def test_braces_in_quotes_and_comments_do_not_count() -> None:
    assert pair_braces('a "{" # {\n! }\nb \\{ "\\"{"') == ({}, [])


def test_an_open_quote_ends_with_its_line() -> None:
    assert pair_braces('a " {\nb { }') == ({8: 10}, [])
