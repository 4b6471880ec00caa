"""What is wrong with a configuration, where, and how it is shown. Values and text only.

A `Mark` counts characters from the start of the text that was being parsed, so that an unchanged block keeps its
marks when it moves; a `Span` is the same place as people name it.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from loader.source import Source, Span

TAB = 8
STARS = "********"


class Severity(Enum):
    """An error keeps a configuration from being used; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Mark(NamedTuple):
    """``length`` characters from ``offset`` of the enclosing text, or of the file ``origin`` when that is set."""

    offset: int
    length: int
    origin: str = ""

    def within(self, offset: int, origin: str = "") -> "Mark":
        """The same place counted from further out; a mark in a file of its own stays what it is."""
        return self if self.origin else Mark(self.offset + offset, self.length, origin)


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake at a mark. ``related`` are places that belong to it, each with what is to be said there.

    What stands at the marks of a ``secret`` problem, and after them on their lines, is never shown.
    """

    severity: Severity
    message: str
    mark: Mark
    hint: str = ""
    related: tuple[tuple[str, Mark], ...] = ()
    secret: bool = False

    def within(self, offset: int, origin: str = "") -> "Problem":
        """The same problem with its marks counted from further out."""
        related = tuple((text, mark.within(offset, origin)) for text, mark in self.related)
        return replace(self, mark=self.mark.within(offset, origin), related=related)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A problem in its place, as a caller of `load` sees it."""

    severity: Severity
    message: str
    span: Span
    hint: str = ""
    related: tuple[tuple[str, Span], ...] = ()
    secret: bool = False


def error(message: str, mark: Mark, hint: str = "", related: tuple[tuple[str, Mark], ...] = ()) -> Problem:
    """A problem that keeps the configuration from being used."""
    return Problem(Severity.ERROR, message, mark, hint, related)


def warning(message: str, mark: Mark, hint: str = "", related: tuple[tuple[str, Mark], ...] = ()) -> Problem:
    """A problem that is only pointed out."""
    return Problem(Severity.WARNING, message, mark, hint, related)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question that names the closest known word, empty when none is close. Case does not count."""
    folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word[:80].lower(), folded, n=1, cutoff=0.65)
    return f"did you mean {folded[close[0]]!r}?" if close else ""


def shown(word: str) -> str:
    """A word as messages show it: in quotes, harmless to a terminal, cut when very long."""
    return f"'{_printable(word[:60])}{'...' if len(word) > 60 else ''}'"


def locate(problem: Problem, sources: Mapping[str, Source]) -> Diagnostic:
    """The diagnostic for a problem whose marks name their files, all of which are in ``sources``."""

    def span(mark: Mark) -> Span:
        return sources[mark.origin].span(mark.offset, mark.length)

    related = tuple((text, span(mark)) for text, mark in problem.related)
    return Diagnostic(problem.severity, problem.message, span(problem.mark), problem.hint, related, problem.secret)


def render(diagnostic: Diagnostic, sources: Mapping[str, Source]) -> str:
    """The diagnostic with the lines it talks of, as shown to an operator. Ends in a line end."""
    kind, secret = diagnostic.severity.value, diagnostic.secret
    parts = [_place(kind, diagnostic.message, diagnostic.span, diagnostic.hint, sources, secret)]
    parts += [_place("note", text, span, "", sources, secret) for text, span in diagnostic.related]
    return "".join(parts)


def _place(kind: str, message: str, span: Span, hint: str, sources: Mapping[str, Source], secret: bool) -> str:
    head = f"{span.file}:{span.line}:{span.column}: {kind}: {message}\n"
    return head + _excerpt(sources[span.file].line(span.line), span, hint, secret)


def _excerpt(line: str, span: Span, hint: str, secret: bool) -> str:
    start = span.column - 1
    before = _printable(line[:start])
    until = _printable(line[: start + span.length])
    text = before + STARS if secret else _printable(line)
    carets = "^" * (len(STARS) if secret else max(1, len(until) - len(before)))
    pointer = f"{' ' * len(before)}{carets} {hint}".rstrip()
    return f"{span.line:5} | {text}".rstrip() + f"\n      | {pointer}\n"


def _printable(text: str) -> str:
    expanded = text.expandtabs(TAB)
    return expanded if expanded.isprintable() else "".join(c if c.isprintable() else "?" for c in expanded)
