"""How a diagnostic looks, and what it says of places."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import loader
from loader.diagnostics import Diagnostic, Mark, Severity, did_you_mean, error, locate, render, shown, warning
from loader.source import Position, Source, Span

TEXT = "vrrp_instance VI_1 {\n    state BACKUP\n\tprioritty\t150\n}\n"
SOURCES = {"lb.conf": Source("lb.conf", TEXT)}


def test_a_diagnostic_shows_its_line_and_a_hint_below_the_place() -> None:
    source = Source("lb.conf", "\n\n\n\n    prioritty 150\n")
    span = Span("lb.conf", 5, 5, 9)
    message = "unknown keyword 'prioritty' in vrrp_instance"
    found = Diagnostic(Severity.ERROR, message, span, "did you mean 'priority'?")
    assert render(found, {"lb.conf": source}) == (
        "lb.conf:5:5: error: unknown keyword 'prioritty' in vrrp_instance\n"
        "    5 |     prioritty 150\n"
        "      |     ^^^^^^^^^ did you mean 'priority'?\n"
    )


def test_tabs_are_shown_as_blanks_so_that_the_carets_stand_below() -> None:
    found = Diagnostic(Severity.WARNING, "odd", Span("lb.conf", 3, 12, 3))
    assert render(found, SOURCES) == (
        "lb.conf:3:12: warning: odd\n"
        "    3 |         prioritty       150\n"
        "      |                         ^^^\n"
    )  # fmt: skip


def test_related_places_follow_as_notes() -> None:
    problem = warning("again", Mark(25, 5, "lb.conf"), related=(("first", Mark(0, 13, "lb.conf")),))
    assert render(locate(problem, SOURCES), SOURCES) == (
        "lb.conf:2:5: warning: again\n"
        "    2 |     state BACKUP\n"
        "      |     ^^^^^\n"
        "lb.conf:1:1: note: first\n"
        "    1 | vrrp_instance VI_1 {\n"
        "      | ^^^^^^^^^^^^^\n"
    )


def test_a_secret_and_what_follows_it_is_not_shown() -> None:
    found = Diagnostic(Severity.ERROR, "refused", Span("lb.conf", 2, 11, 6), secret=True)
    assert render(found, SOURCES) == (
        "lb.conf:2:11: error: refused\n"
        "    2 |     state ********\n"
        "      |           ^^^^^^^^\n"
    )  # fmt: skip


def test_what_could_harm_a_terminal_is_shown_as_a_question_mark() -> None:
    source = Source("x", "a\x1b[31m \u202e b")
    assert render(Diagnostic(Severity.ERROR, "m", Span("x", 1, 8, 1)), {"x": source}).splitlines()[1:] == [
        "    1 | a?[31m ? b",
        "      |        ^",
    ]
    assert shown("a\x1b" + "b" * 70) == f"'a?{'b' * 58}...'"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("prioritty", "did you mean 'priority'?"),
        ("PRIORITY", "did you mean 'priority'?"),
        ("xyzzy", ""),
        ("", ""),
    ],
)
def test_the_closest_known_word_is_asked_for(word: str, expected: str) -> None:
    assert did_you_mean(word, ["priority", "preempt", "state"]) == expected


@given(st.text(alphabet="a\n\t", max_size=30), st.data())
def test_every_offset_has_a_line_and_a_column(text: str, data: st.DataObject) -> None:
    source = Source("x", text)
    offset = data.draw(st.integers(0, len(text)))
    position = source.position(offset)
    assert position.line == text.count("\n", 0, offset) + 1
    assert source.starts[position.line - 1] + position.column - 1 == offset
    assert source.line(position.line) == text.split("\n")[position.line - 1]


@given(st.text(alphabet="a\n", max_size=20), st.text(alphabet="a\n", max_size=20), st.data())
def test_a_place_within_a_block_is_made_absolute(before: str, block: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(block)))
    outer = Source("x", before + block).position(len(before))
    inner = Source("", block).position(offset)
    assert inner.within(outer) == Source("x", before + block).position(len(before) + offset)
    assert Position("y", 1, 2).within(outer) == Position("y", 1, 2)


def test_marks_in_a_file_of_their_own_stay() -> None:
    problem = error("m", Mark(1, 2), related=(("r", Mark(3, 4, "other")),)).within(10, "lb.conf")
    assert (problem.mark, problem.related) == (Mark(11, 2, "lb.conf"), (("r", Mark(3, 4, "other")),))


@pytest.mark.parametrize("path", sorted(Path(loader.__file__).parent.glob("*.py")), ids=lambda path: path.name)
def test_the_loader_imports_nothing_that_acts(path: Path) -> None:
    names = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert not names & {"gevent", "socket", "time", "random", "os", "logging", "actors", "plugins", "subprocess"}
    assert path.name == "__init__.py" or not names & {"glob", "gc", "io", "sys"}
