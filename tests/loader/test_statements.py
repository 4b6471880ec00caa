"""How text is cut: comments, quotes, braces, words, and their places."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.grammar import Statement, flaws, statements, word_spans, words


def cut(text: str) -> list[tuple[str, str | None]]:
    found, problems = statements(text)
    assert problems == []
    return [(statement.text, statement.body) for statement in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a 1\nb 2", [("a 1", None), ("b 2", None)]),
        ("  a   1  \r\n\n\tb\t2 ", [("a   1", None), ("b\t2", None)]),
        ("a 1 # b 2\n! c 3\nd", [("a 1", None), ("d", None)]),
        ("a 1# b", [("a 1", None)]),
        (r"a \#1 \!2", [(r"a \#1 \!2", None)]),
        ('a "# { } !" # "', [('a "# { } !"', None)]),
        ("a {\nb\n}\nc", [("a", "\nb\n"), ("c", None)]),
        ("a{b}c", [("a", "b"), ("c", None)]),
        ("a\n\n# about it\n{ b }", [("a", " b ")]),
        ("a { b { c } d } e", [("a", " b { c } d "), ("e", None)]),
        ("a { # }\n}", [("a", " # }\n")]),
        ("", []),
        ("# nothing", []),
    ],
)
def test_a_text_is_cut_into_statements(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert cut(text) == expected


def test_a_statement_knows_where_it_and_its_body_begin() -> None:
    found, _ = statements("  a { b }\n")
    assert found == [Statement("a", 2, " b ", 5)]


def test_a_brace_without_a_keyword_is_reported() -> None:
    found, problems = statements("{ a }\nb")
    assert [statement.text for statement in found] == ["b"]
    assert [(problem.message, problem.mark.offset) for problem in problems] == [("a block without a keyword", 0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b  c", ["a", "b", "c"]),
        ('a "b c" d', ["a", "b c", "d"]),
        ('a ""', ["a", ""]),
        ('a b"c d"e', ["a", "bc de"]),
        (r"a \#b c\!", ["a", "#b", "c!"]),
        (r'a "say \"yes\""', ["a", 'say "yes"']),
        (r'a "\.html$"', ["a", r"\.html$"]),
        (r"a \d\\", ["a", r"\d\\"]),
        (r"a \"b", ["a", '"b']),
    ],
)
def test_a_statement_is_cut_into_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text(alphabet='ab "\\#!\t', max_size=30))
def test_every_word_has_a_place(text: str) -> None:
    found, _ = statements(text)
    for statement in found:
        spans = word_spans(statement.text)
        assert len(spans) == len(words(statement.text))
        assert all(start < end for start, end in spans)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a "b', [("this quote is not closed on its line", 2, 2)]),
        ('a "b\\"', [("this quote is not closed on its line", 2, 4)]),
        ('a "b" c', []),
        ("a \x00", [("not text: character U+0000 (files are UTF-8)", 2, 1)]),
        ("a b\ufffd", [("not text: character U+FFFD (files are UTF-8)", 3, 1)]),
        ("a\tb é", []),
    ],
)
def test_flaws_of_the_text_itself_are_found(text: str, expected: list[tuple[str, int, int]]) -> None:
    found = flaws(Statement(text, 0))
    assert [(problem.message, problem.mark.offset, problem.mark.length) for problem in found] == expected


@given(st.text(alphabet='a{}"\\#!\n ', max_size=40))
def test_statements_never_raise_and_balanced_braces_never_complain_of_balance(text: str) -> None:
    found, problems = statements(text)
    for statement in found:
        if statement.body is not None:
            assert text[statement.inside : statement.inside + len(statement.body)] == statement.body
            assert not [p for p in statements(statement.body)[1] if "keyword" not in p.message]
        assert text[statement.offset :].startswith(statement.text)
    assert found or problems or not text.translate(str.maketrans("", "", "\n ")) or "#" in text or "!" in text
