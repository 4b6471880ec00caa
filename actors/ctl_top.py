"""``understudyctl top``: how all of it fares, once a second, the sickest first; ``q`` or Ctrl-C ends it."""

import contextlib
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from actors.control_client import Refused, Unreachable
from actors.ctl_view import ASIDE, BAD, heading, lag, show_parts, size, state, symptoms, table_of

INTERVAL = 1.0
"""Seconds between two looks."""

ONCE = 0.5
"""Seconds between the two looks that the use of a CPU is seen by, when there is only one picture."""

AROUND = 6
"""Lines that are neither of a process nor of an actor."""

Reply = Mapping[str, Any]
Look = Callable[[int], Reply]
"""Asks for so many actors; raises `Unreachable` and `Refused`."""


class Usage:
    """Which part of a CPU each process used between two looks."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._at = 0.0
        self._used: dict[int, float] = {}
        self.share: dict[int, float] = {}

    def look(self, reply: Reply) -> None:
        """Enter what each has used up to now."""
        now = self._now()
        used = {row["pid"]: row["cpu"] for row in reply["processes"] if row["cpu"] is not None}
        passed = max(now - self._at, 0.001)
        self.share = {pid: max(0.0, cpu - self._used[pid]) / passed for pid, cpu in used.items() if pid in self._used}
        self._at, self._used = now, used


def once(look: Look, screen: Console, rows: int, sleep: Callable[[float], None] = time.sleep) -> None:
    """One picture, for scripts."""
    usage = Usage()
    usage.look(look(0))
    sleep(ONCE)
    reply = look(rows)
    usage.look(reply)
    show_parts(parts(reply, usage), screen)


def live(look: Look, screen: Console) -> None:
    """The picture of now, until the user has seen enough or the terminal is gone. While nobody answers the last one
    stays, and that is said."""
    usage, last = Usage(), Group()
    full = Live(console=screen, screen=True, auto_refresh=False)
    with contextlib.suppress(KeyboardInterrupt, OSError), _keys() as pressed, full as picture:
        while True:
            try:
                last = _picture(look, usage, screen.height)
                picture.update(last, refresh=True)
            except (Unreachable, Refused) as error:
                picture.update(Group(Text(str(error), BAD), last), refresh=True)
            if pressed(INTERVAL) == "q":
                return


def _picture(look: Look, usage: Usage, height: int) -> Group:
    reply = look(height)
    usage.look(reply)
    shown = {**reply, "actors": reply["actors"][: max(1, height - AROUND - len(reply["processes"]))]}
    return Group(*(_unfolded(part) for part in parts(shown, usage)))


def parts(reply: Reply, usage: Usage) -> list[Text | Table]:
    """Headline, processes, actors."""
    return [heading(reply), counts(reply["tally"]), Text(), processes(reply, usage), Text(), actors(reply)]


def counts(tally: Mapping[str, Mapping[str, int]]) -> Text:
    """``routers 2 MASTER, 1 BACKUP   services 3 quorum   checkers 10 OK``; who has not spoken yet is in none."""
    line = Text()
    for name, words in tally.items():
        if words:
            line.append(f"{name} ", ASIDE)
            for place, (word, count) in enumerate(sorted(words.items())):
                line.append(", " if place else "")
                line.append_text(Text(f"{count} ") + state(word))
            line.append("   ")
    line.rstrip()
    return line


def processes(reply: Reply, usage: Usage) -> Table:
    """One line a process."""
    table = table_of("PROCESS", "PID>", "CPU>", "MEMORY>", "LAG>", "WORST>", "UNREAD>", "REPLACED>", "ACTORS>", "")
    for row in reply["processes"]:
        share = usage.share.get(row["pid"])
        table.add_row(
            Text(row["name"], "bold"),
            str(row["pid"]),
            "-" if share is None else f"{share:.0%}",
            size(row["memory"]),
            *lag(row["lag"]),
            size(row["waiting"]),
            *symptoms(row, "replaced"),
            "" if row["actors"] is None else str(row["actors"]),
            state("SILENT") if row["silent"] else Text(""),
        )
    return table


def actors(reply: Reply) -> Table:
    """One line an actor, the sickest first."""
    table = table_of("ACTOR", "PROCESS", "PHASE", "CRASHES>", "RESTARTS>", "MAIL>", "STATE", "DETAIL")
    for row in reply["actors"]:
        counted = symptoms(row, "crashes", "restarts", "mailbox")
        detail = row["detail"].strip().partition("\n")[0]
        table.add_row(Text(row["id"]), row["process"], state(row["phase"]), *counted, state(row["state"]), Text(detail))
    return table


def _unfolded(part: Text | Table) -> Text | Table:
    """On a live screen each row is one line."""
    for column in part.columns if isinstance(part, Table) else ():
        column.no_wrap, column.overflow = True, "ellipsis"
    return part


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """What gives the key that is pressed within so many seconds, if one is; the terminal is put right at the end.

    Who reads a terminal that is gone gets an OSError, or nothing at once, and so for ever: that is ``q``.
    """
    if not sys.stdin.isatty():
        yield lambda limit: time.sleep(limit) or ""  # type: ignore[func-returns-value]
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield lambda limit: (sys.stdin.read(1) or "q") if select.select([sys.stdin], [], [], limit)[0] else ""
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
