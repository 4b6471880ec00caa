"""``understudyctl checker``: what checkers there are, what they take, one tried by hand, and a new one begun."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import click
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from actors.ctl_draft import Draft
from actors.ctl_trial import Kind, Try, Wrong, configured, kind_of, kinds, show, tries
from actors.ctl_view import ASIDE, UNSURE, screen_for_output, show_parts
from loader.fields import Keyword
from loader.model import Checker
from loader.schema import plan_of

INTERVAL = 1.0
"""Seconds from one probe to the next, unless said otherwise."""

folder_option = click.option(
    "--location", default="", metavar="FOLDER", help="Further plugins, as plugin_checker_location names them."
)


@click.group("checker")
def command() -> None:
    """Checkers without a daemon: list, explain, try, begin a new one."""


@command.command("list")
@folder_option
def list_(location: str) -> None:
    """All checkers, and where they are."""
    table = Table(box=None, pad_edge=False)
    for name in ("KEYWORD", "WHAT", "FROM"):
        table.add_column(name, overflow="fold")
    for kind in _known(location).values():
        table.add_row(Text(kind.keyword, "bold"), Text(kind.block.help), Text(kind.origin, ASIDE))
    show_parts([table], screen_for_output())


@command.command("help")
@click.argument("name", metavar="KEYWORD|FILE")
@folder_option
def help_(name: str, location: str) -> None:
    """What a checker looks at, its options, and how it is declared."""
    kind = _kind(name, location)
    own, common = Table(box=None, pad_edge=False), Table(box=None, pad_edge=False)
    for table, title in ((own, "OPTION"), (common, "AS EVERY CHECKER")):
        for column in (title, "DEFAULT", "WHAT"):
            table.add_column(column, overflow="fold")
    for keyword in kind.block.options:
        _explain(own, keyword)
    for keyword in dict.fromkeys(slot.keyword for slot in plan_of(Checker, "checker").slots.values()):
        _explain(common, keyword)
    head = [Text(f"RT_{kind.keyword}, TH_{kind.keyword}", "bold"), Text(kind.block.help), Text(kind.origin, ASIDE)]
    parts: list[RenderableType] = [*head, Text(), *map(Text, _example(kind)), Text()]
    parts += [own, Text(), common] if own.row_count else [common]
    show_parts(parts, screen_for_output())


@command.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", metavar="KEYWORD|FILE")
@click.argument("target", metavar="HOST[:PORT]")
@click.argument("others", nargs=-1, type=click.UNPROCESSED, metavar="[--NAME VALUE]...")
@click.option("-o", "--option", "options", multiple=True, metavar="'NAME VALUE'", help="An option, as in a file.")
@click.option("--repeat", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--times", default=1, type=click.IntRange(1), help="How many probes.")
@click.option("--interval", default=INTERVAL, type=click.FloatRange(0), show_default=True, help="Seconds between them.")
@click.option("--trace", is_flag=True, help="How long each step took: resolve, connect, TLS, first byte.")
@folder_option
def run(
    name: str,
    target: str,
    others: tuple[str, ...],
    options: tuple[str, ...],
    repeat: bool,
    times: int,
    interval: float,
    trace: bool,
    location: str,
) -> None:
    """Probe HOST once, as a daemon would: the exit status is 0 when it passed, 1 when not, 70 when the plugin crashed.

    KEYWORD may be a file with a plugin. Options are those of a configuration: --expect 220, or -o 'url { path / }'.
    """
    try:
        kind = kind_of(name, location)
        checker = configured(kind, (*options, *_lines(others)))
        host, port = _split(target, checker)
        sys.exit(_probe(tries(kind, checker, host, port), 0 if repeat else times, interval, trace))
    except Wrong as wrong:
        _give_up(str(wrong))


@command.command()
@click.argument("name")
@click.option("--folder", default=".", type=click.Path(path_type=Path, file_okay=False), help="Where to write it.")
def new(name: str, folder: Path) -> None:
    """Write a checker that works, NAME.py, and its test."""
    try:
        for path in Draft(name).write(folder):
            click.echo(path)
    except ValueError as error:
        _give_up(str(error))
    except OSError as error:
        _give_up(f"{error.filename}: {error.strerror}")


def _known(location: str) -> dict[str, Kind]:
    try:
        return dict(sorted(kinds(location).items()))
    except Wrong as wrong:
        _give_up(str(wrong))


def _kind(name: str, location: str) -> Kind:
    try:
        return kind_of(name, location)
    except Wrong as wrong:
        _give_up(str(wrong))


def _give_up(reason: str) -> NoReturn:
    click.echo(f"understudyctl: {reason}", err=True)
    sys.exit(2)


# What is explained


def _explain(table: Table, keyword: Keyword, depth: int = 0) -> None:
    default = "required" if keyword.required else _shown(keyword)
    what = ", ".join(filter(None, [keyword.help, *(f"also {alias}" for alias in keyword.aliases)]))
    style = UNSURE if keyword.required else ""
    table.add_row(Text(f"{'  ' * depth}{keyword.usage}", "bold"), Text(default, style), Text(what))
    for inner in keyword.options if keyword.kind == "block" else ():
        _explain(table, inner, depth + 1)


def _shown(keyword: Keyword) -> str:
    if keyword.secret or keyword.default in (None, "", ()):
        return ""
    if isinstance(keyword.default, bool):
        return "on" if keyword.default else "off"
    if keyword.kind == "ranges":
        return " ".join(f"{low}-{high}" if high > low else str(low) for low, high in keyword.default)
    return " ".join(keyword.default) if isinstance(keyword.default, tuple) else f"{keyword.default}"


def _example(kind: Kind) -> Iterator[str]:
    """A declaration with what it cannot be without."""
    yield f"RT_{kind.keyword} NAME {{"
    for keyword in kind.block.options:
        yield from _needed(keyword, "    ")
    yield "}"


def _needed(keyword: Keyword, indent: str) -> Iterator[str]:
    if not keyword.required:
        return
    if keyword.kind != "block":
        yield f"{indent}{keyword.usage}"
        return
    yield f"{indent}{keyword.name} {{"
    for inner in keyword.options:
        yield from _needed(inner, f"{indent}    ")
    yield f"{indent}}}"


# What is tried


def _lines(words: tuple[str, ...]) -> Iterator[str]:
    """``--expect 220 --quick`` as lines of a configuration. Raises `Wrong` for what is neither name nor value."""
    line: list[str] = []
    for word in words:
        if word.startswith("--") and len(word) > 2:
            if line:
                yield " ".join(line)
            name, _, value = word[2:].partition("=")
            line = [name, *([_quoted(value)] if value else [])]
        elif line:
            line.append(_quoted(word))
        else:
            raise Wrong(f"{word!r} is no option: they are --NAME VALUE, or -o 'NAME VALUE'")
    if line:
        yield " ".join(line)


def _quoted(word: str) -> str:
    return f'"{word}"' if any(c in word for c in " \t{}#!") and '"' not in word else word


def _split(target: str, checker: Checker) -> tuple[str, int]:
    """Host and port; ``connect_ip`` and ``connect_port`` go before. Raises `Wrong`."""
    host, colon, port = target.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")) or target.endswith("]"):
        host, port = target, "0"
    if not port.isdecimal() or int(port) > 65535:
        raise Wrong(f"{port!r} is no port")
    return checker.connect_ip or host.strip("[]"), checker.connect_port or int(port)


def _probe(probes: Iterator[Try], times: int, interval: float, is_traced: bool) -> int:
    """Show so many probes, 0: until Ctrl-C; the worst of their statuses."""
    screen, counts, worst, number = screen_for_output(), Counter[int](), 0, 0
    try:
        for each in probes:
            show(each, screen, is_traced)
            counts[each.status] += 1
            worst, number = max(worst, each.status), number + 1
            if number == times:
                break
            time.sleep(interval)
    except KeyboardInterrupt:
        pass
    if times != 1:
        screen.print(Text(f"{number} probes, {counts[0]} passed, {counts[1]} failed, {counts[70]} crashed", ASIDE))
    return worst
