"""The grammar: how text is cut into statements and words, and how typed values are written. Pure.

Statements are scanned by the compiled expressions alone, since a parse by pyparsing costs 31 us against 0.5; values
that have a structure of their own are pyparsing expressions. A block's inside is kept as text until someone who
knows the block wants its statements: unknown, unchanged and repeated blocks are never looked into twice.
"""

import re
from typing import NamedTuple

import pyparsing as pp

from loader.balance import pair_braces
from loader.diagnostics import Mark, Problem, error

QUOTED = r'"(?:[^"\\\n]++|\\.)*+(?:"|\\?)'
GAP = r"\s*+(?:[#!][^\n]*+\s*+)*+"
TEXT = rf'(?:[^"\\#!{{}}\n]++|{QUOTED}|\\.?)++'
STATEMENT = re.compile(rf"{GAP}(?:({TEXT})({GAP}\{{)?|(\{{))")
"""After blanks and comments: a statement's text, then perhaps the brace that opens its block; or a brace alone."""
WORD = re.compile(rf'(?:[^\s"\\]++|{QUOTED}|\\.?)++')
PIECE = re.compile(rf'(?P<quoted>{QUOTED})|\\(?P<literal>[#!"])|(?P<plain>[^"\\]++|\\)')
UNTEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufffd\ud800-\udfff]")

NUMBER = pp.Regex(r"[0-9]{1,20}").set_parse_action(lambda tokens: int(tokens[0]))
SPAN = pp.Group(NUMBER("first") + pp.Optional(pp.Suppress("-") + NUMBER("last")))
RANGES = pp.DelimitedList(SPAN) + pp.StringEnd()
SINGLE = pp.Regex(r"'[^']*'").set_parse_action(lambda tokens: tokens[0][1:-1])
DOUBLE = pp.Regex(r'"(?:[^"\\]|\\.)*"').set_parse_action(lambda tokens: re.sub(r"\\(.)", r"\1", tokens[0][1:-1]))
ESCAPED = pp.Regex(r"\\.").set_parse_action(lambda tokens: tokens[0][1])
ARGUMENT = pp.Combine(pp.OneOrMore(SINGLE | DOUBLE | ESCAPED | pp.Regex(r"[^\s'\"\\]+")))
COMMAND = pp.ZeroOrMore(ARGUMENT) + pp.StringEnd()
COMMAND.parse_with_tabs()


class Statement(NamedTuple):
    """A keyword with its words as written, and the text between its braces, None without them.

    ``offset`` and ``inside`` (of the body's first character) count in the text that was parsed. ``origin`` is set on
    what an ``include`` brought: the chain of files, the statement's own last.
    """

    text: str
    offset: int
    body: str | None = None
    inside: int = 0
    origin: tuple[str, ...] = ()

    @property
    def keyword(self) -> str:
        """The first word."""
        return words(self.text)[0]

    @property
    def mark(self) -> Mark:
        """The place of the keyword."""
        return self.mark_of(0)

    @property
    def file(self) -> str:
        """The file this stands in, empty for the file of the enclosing text."""
        return self.origin[-1] if self.origin else ""

    def mark_of(self, index: int, last: int | None = None) -> Mark:
        """The place of the word ``index`` (from 0), up to the word ``last``; beyond the end, of the last one."""
        spans = word_spans(self.text)
        start, end = spans[min(index, len(spans) - 1)]
        if last is not None:
            end = spans[last][1]
        return Mark(self.offset + start, end - start, self.file)


def statements(text: str) -> tuple[list[Statement], list[Problem]]:
    """The statements of a text, outermost level only. With unbalanced braces there are problems and no statements."""
    closing, problems = pair_braces(text) if "{" in text or "}" in text else ({}, [])
    found: list[Statement] = []
    position = len(text) if problems else 0
    while match := STATEMENT.match(text, position):
        position = match.end()
        if match.lastindex == 1:
            found.append(Statement(match[1].rstrip(), match.start(1)))
            continue
        closed = closing[position - 1]
        if match.lastindex == 2:
            found.append(Statement(match[1].rstrip(), match.start(1), text[position:closed], position))
        else:
            problems.append(error("a block without a keyword", Mark(position - 1, 1)))
        position = closed + 1
    return found, problems


def list_parts(statement: Statement) -> list[Statement]:
    """A statement, and the statements in its braces as they count in the same text."""
    inner = statements(statement.body)[0] if statement.body else []
    shift = statement.inside
    return [statement, *(p._replace(offset=p.offset + shift, origin=statement.origin) for p in inner)]


def words(text: str) -> list[str]:
    """The words of a statement: unquoted, ``\\#``, ``\\!`` and ``\\"`` made plain, other backslashes kept."""
    if '"' not in text and "\\" not in text:
        return text.split()
    return [_unquoted(word) for word in WORD.findall(text)]


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where the words of a statement begin and end, with their quotes."""
    return [match.span() for match in WORD.finditer(text)]


def flaws(statement: Statement) -> list[Problem]:
    """What is wrong with the text of a statement as such: an open quote, characters that are not text."""
    text = statement.text
    if text.isprintable() and "\\" not in text and "\ufffd" not in text and text.count('"') % 2 == 0:
        return []
    bad = UNTEXT.search(text)
    if bad:
        message = f"not text: character U+{ord(bad[0]):04X} (files are UTF-8)"
        return [error(message, Mark(statement.offset + bad.start(), 1, statement.file))]
    opened = [m for m in PIECE.finditer(text) if m["quoted"] and not _is_closed(m["quoted"])]
    where = [Mark(statement.offset + m.start(), m.end() - m.start(), statement.file) for m in opened]
    return [error("this quote is not closed on its line", mark) for mark in where]


def _unquoted(word: str) -> str:
    """A word as it is meant. The usual ones, wholly in quotes or without any, need no look at their pieces."""
    if "\\" not in word and (quotes := word.count('"')) in (0, 2):
        if not quotes:
            return word
        if word[0] == word[-1] == '"':
            return word[1:-1]
    return PIECE.sub(_plain, word)


def _is_closed(quoted: str) -> bool:
    return re.fullmatch(r'"(?:[^"\\]|\\.)*"', quoted) is not None


def _plain(piece: re.Match[str]) -> str:
    if quoted := piece["quoted"]:
        return quoted[1:-1].replace('\\"', '"') if _is_closed(quoted) else quoted[1:]
    return piece["literal"] or piece["plain"]
