"""A checker tried by hand: found, given its options as a configuration would have them, and probed."""

import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from errno import ENOENT
from inspect import getfile
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from actors.ctl_view import ASIDE, BAD, GOOD, UNSURE
from loader import Severity, load_from
from loader.diagnostics import render
from loader.fields import Block
from loader.includes import Secret
from loader.model import Checker
from plugins import registry
from plugins.api import Degraded, Failed, Result, Session, Source, Target, Trace, build, describe
from plugins.api.declare import keyword_of
from plugins.registry import Place

NAME = "trial"
TEXT = "options"
"""What the text made of the options is called where something in it is wrong."""

PASSED, NOT_PASSED, CRASHED = 0, 1, 70


class Wrong(Exception):
    """What was asked for cannot be tried; says why."""


@dataclass(frozen=True)
class Kind:
    """A checker that there is."""

    keyword: str
    checker: type
    origin: str

    @property
    def block(self) -> Block:
        """What it declares. Raises `Wrong`."""
        try:
            return msgspec.convert(describe(self.checker), Block)
        except msgspec.ValidationError as error:
            raise Wrong(f"{self.origin} declares what no configuration can have: {error}") from None


def kinds(folder: str = "") -> dict[str, Kind]:
    """All checkers by keyword: those shipped, those of installed packages, those in ``folder``. Raises `Wrong`."""
    found = registry.find([folder] if folder else ())
    if found.blamed:
        raise Wrong("\n".join(map(str, found.blamed)))
    own = registry.shipped()
    return {
        keyword: Kind(keyword, checker, registry.origin_of(checker) if keyword in own else getfile(checker))
        for keyword, checker in found.checkers.items()
    }


def kind_of(name: str, folder: str = "") -> Kind:
    """The checker of a keyword, with ``RT_`` or ``TH_`` or without, or the one in a file. Raises `Wrong`.

    ``FILE.py:KEYWORD`` is one of several in a file.
    """
    path, _, keyword = name.partition(":")
    if path.endswith(".py"):
        return _in_file(Path(path).absolute(), keyword)
    known, bare = kinds(folder), name.removeprefix("RT_").removeprefix("TH_")
    if bare not in known:
        raise Wrong(f"no checker {name!r}; there are {', '.join(sorted(known))}")
    return known[bare]


def _in_file(path: Path, keyword: str) -> Kind:
    try:
        found = {keyword_of(cls): cls for cls in registry.declared(Place(str(path)))}
    except registry.Refused as refusal:
        raise Wrong(str(refusal)) from None
    if keyword and keyword in found:
        return Kind(keyword, found[keyword], str(path))
    if keyword or len(found) != 1:
        there = f"it has {', '.join(sorted(found))}: say {path.name}:KEYWORD" if found else "it declares no checker"
        raise Wrong(f"{path}: {there}")
    ((keyword, checker),) = found.items()
    return Kind(keyword, checker, str(path))


class _OneText:
    """The options as the only file there is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def read(self, path: str) -> str:
        """The text of the options; there is no other."""
        if path != TEXT:
            raise FileNotFoundError(ENOENT, "no file may be included here", path)
        return self._text

    def secret(self, path: str) -> Secret:
        """There are none."""
        raise FileNotFoundError(ENOENT, "no file may be read here", path)

    def find(self, pattern: str) -> list[str]:
        """There are none."""
        return []


def configured(kind: Kind, lines: tuple[str, ...]) -> Checker:
    """The checker with options as lines of a configuration. Raises `Wrong` with all that is wrong in them."""
    text = "\n".join([f"RT_{kind.keyword} {NAME} {{", *lines, "}", ""])
    loaded = load_from(_OneText(text), TEXT, lambda _: {kind.keyword: kind.block})
    if loaded.config is None:
        errors = [each for each in loaded.diagnostics if each.severity is Severity.ERROR]
        raise Wrong("".join(render(each, loaded.sources) for each in errors).rstrip())
    return loaded.config.checkers[0]


def resolved(host: str, trace: Trace) -> str:
    """A host's address; that of a name takes a step. Raises `Wrong`."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0]
    except (OSError, UnicodeError) as error:
        raise Wrong(f"{host}: {getattr(error, 'strerror', None) or error}") from None
    if found != host:
        trace.mark("resolve")
    return str(found)


@dataclass(frozen=True)
class Try:
    """One probe: what came of it (an exception: it crashed), how long it took, and its steps."""

    result: Result | BaseException
    seconds: float
    steps: tuple[tuple[str, float], ...]

    @property
    def status(self) -> int:
        """The exit status that says it."""
        if isinstance(self.result, BaseException) and not isinstance(self.result, Failed):
            return CRASHED
        return NOT_PASSED if isinstance(self.result, Failed) else PASSED


def tries(kind: Kind, checker: Checker, host: str, port: int) -> Iterator[Try]:
    """Probes, one at each step, with a client kept between them if the plugin has one."""
    session = Session(build(kind.checker, checker.options))
    source = Source(checker.bindto or "", checker.bind_port or 0, checker.fwmark, checker.tos, checker.bind_if)
    try:
        while True:
            trace, began = Trace(), monotonic()
            target = Target(resolved(host, trace), port, checker.connect_timeout or 5.0, source, trace=trace)
            result = _outcome(lambda target=target: session.probe(target))  # type: ignore[misc]
            trace.mark("rest")
            yield Try(result, monotonic() - began, tuple(trace.steps))
    finally:
        session.close()


def _outcome(probe: Callable[[], Result]) -> Result | BaseException:
    try:
        return probe()
    except KeyboardInterrupt:
        raise
    except BaseException as crash:  # sys.exit among them: what it would do to the daemon's process is a crash
        return crash


def show(each: Try, screen: Console, is_traced: bool) -> None:
    """A line for the result, its figures, and a table of its steps; of a crash the traceback goes to standard error."""
    word, style, detail = _words(each.result)
    said = f"  {detail}" if detail else ""
    screen.print(Text.assemble((word, style), said, (f"  {each.seconds * 1000:.2f} ms", ASIDE)), soft_wrap=True)
    for name, value in getattr(each.result, "metrics", {}).items():
        screen.print(Text.assemble("  ", (f"{name} ", ASIDE), f"{value:g}"))
    if each.status == CRASHED and isinstance(each.result, BaseException):
        print("".join(traceback.format_exception(each.result)), end="", file=sys.stderr)
    if is_traced:
        table = Table(box=None, show_header=False, pad_edge=False)
        for step, seconds in each.steps:
            table.add_row("", step, Text(f"{seconds * 1000:.2f} ms", UNSURE, justify="right"))
        screen.print(table)


def _words(result: Any) -> tuple[str, str, str]:
    match result:
        case Failed(detail=detail):
            return "FAILED", BAD, detail
        case BaseException():
            return "CRASHED", BAD, f"{type(result).__name__}: {result}"
        case Degraded(weight=weight, detail=detail):
            return f"OK {weight} %", UNSURE, detail
        case _:
            return "OK", GOOD, result.detail
