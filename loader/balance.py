"""Which brace closes which, and which line is to blame when the numbers do not agree. Pure."""

import re

from loader.diagnostics import Mark, Problem, error

QUOTED = r'"(?:[^"\\\n]++|\\.)*+(?:"|\\?)'
BRACE = re.compile(rf'[^"\\#!{{}}]*+(?:(?:{QUOTED}|\\.?|[#!][^\n]*+)[^"\\#!{{}}]*+)*+(?:([{{}}])|\Z)')
"""All that hides or cannot be a brace, then a brace or the end: it matches wherever it is tried and skips nothing."""
INDENT = re.compile(r"[ \t]*")


def pair_braces(text: str) -> tuple[dict[int, int], list[Problem]]:
    """Offsets of opening braces with those of their closing ones, and problems when any is without its other.

    Braces in quotes and comments do not count.
    """
    pairs: dict[int, int] = {}
    opened: list[int] = []
    extra: list[int] = []
    for match in BRACE.finditer(text):
        offset = match.end() - 1
        if match[1] == "{":
            opened.append(offset)
        elif match[1] and opened:
            pairs[opened.pop()] = offset
        elif match[1]:
            extra.append(offset)
    return pairs, _blame(text, pairs, opened, extra)


def _blame(text: str, pairs: dict[int, int], opened: list[int], extra: list[int]) -> list[Problem]:
    """One problem at most: after the first misplaced brace the others are guesses."""
    if extra:
        culprit = min([extra[0], *(close for _, close in _crooked(text, pairs) if close < extra[0])])
        return [error("'}' closes nothing", Mark(culprit, 1))]
    if opened:
        suspects = [start for start, _ in _crooked(text, pairs) if start > opened[0]]
        culprit = suspects[0] if suspects else opened[-1]
        return [error("this block is not closed: '}' is missing", _heading(text, culprit))]
    return []


def _crooked(text: str, pairs: dict[int, int]) -> list[tuple[int, int]]:
    """Pairs, by their end, whose closing brace begins a line and is not indented like the line that opens the block.

    Where a brace is missing or too many, the pairs outside it slip by one: the first crooked one is the culprit.
    """
    ordered = sorted(pairs.items(), key=lambda pair: pair[1])
    begins = [(start, close) for start, close in ordered if not text[_line_start(text, close) : close].strip()]
    return [(start, close) for start, close in begins if _indent(text, start) != _indent(text, close)]


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _indent(text: str, offset: int) -> str:
    match = INDENT.match(text, _line_start(text, offset))
    return match[0] if match else ""


def _heading(text: str, brace: int) -> Mark:
    start = _line_start(text, brace) + len(_indent(text, brace))
    return Mark(start, brace + 1 - start)
