"""The text of a file, and its places as people name them. Pure."""

import re
from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple

LINE = re.compile(r"[^\n]*\n")


class Position(NamedTuple):
    """Where a block begins: file, line and column, both from 1; a tab is one column.

    In a block within a block ``file`` is empty and the place counts from the outer block's first character (which is
    line 1, column 1), so that blocks that only moved are equal and need no new parsing; see `within`.
    """

    file: str = ""
    line: int = 1
    column: int = 1

    def within(self, outer: "Position") -> "Position":
        """The absolute place of a block inside ``outer``, whose own place is absolute."""
        if self.file:
            return self
        column = self.column + outer.column - 1 if self.line == 1 else self.column
        return Position(outer.file, outer.line + self.line - 1, column)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Span(NamedTuple):
    """A run of characters in a file. Lines and columns count from 1; a tab is one column."""

    file: str
    line: int
    column: int
    length: int


class Source:
    """The text of one file, and where its lines begin."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self._starts: list[int] = []

    @property
    def starts(self) -> list[int]:
        """Offsets at which the lines begin; found when first asked for."""
        if not self._starts:
            self._starts = [0, *accumulate(map(len, LINE.findall(self.text)))]
        return self._starts

    def position(self, offset: int) -> Position:
        """The place of the character at ``offset``."""
        line = bisect_right(self.starts, offset)
        return Position(self.path, line, offset - self.starts[line - 1] + 1)

    def span(self, offset: int, length: int) -> Span:
        """The place of ``length`` characters at ``offset``."""
        return Span(*self.position(offset), length)

    def line(self, number: int) -> str:
        """Line ``number`` (from 1) without its end."""
        start = self.starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")
