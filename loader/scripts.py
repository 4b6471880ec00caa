"""Programs to run: a command line, and whom it runs as. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyparsing as pp

from loader.diagnostics import did_you_mean, shown
from loader.grammar import COMMAND
from loader.values import Fault

SPECIAL = re.compile(r"""['"\\]""")


@dataclass(frozen=True, slots=True)
class Script:
    """A program to run. ``command`` is never empty; an empty ``user`` or ``group`` means the default one's."""

    command: tuple[str, ...]
    user: str = ""
    group: str = ""


def script(words: Sequence[str], is_quoted: bool, users: frozenset[str]) -> object:
    """A `Script` from a statement's values, or a `Fault`.

    A quoted command line is split again, and may be followed by a user and a group. Of plain words the first is the
    command; the others are a user and a group if the first of them is one of ``users``, else arguments.
    """
    command, identity = split_command(words[0]) if is_quoted else (words[0],), list(words[1:])
    if command is None:
        return Fault("a quote within the command is not closed", 1)
    if not command or not command[0]:
        return Fault("the command is empty", 1)
    if not is_quoted and (not identity or identity[0] not in users):
        return Script(tuple(words))
    return _with_identity(command, identity, users)


def _with_identity(command: tuple[str, ...], identity: list[str], users: frozenset[str]) -> object:
    if len(identity) > 2:
        return Fault(f"surplus word {shown(identity[2])}", 4, "after the command only a user and a group")
    if identity and users and identity[0] not in users:
        return Fault(f"no user {shown(identity[0])} on this machine", 2, did_you_mean(identity[0], users))
    user, group = [*identity, "", ""][:2]
    return Script(command, user, group)


def split_command(line: str) -> tuple[str, ...] | None:
    """A command line as its arguments: blanks part them, quotes and backslashes keep them whole. None: open quote."""
    if not SPECIAL.search(line):
        return tuple(line.split())
    try:
        return tuple(COMMAND.parse_string(line))
    except pp.ParseException:
        return None
