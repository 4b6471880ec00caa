"""How the log tells people of a death: a block of lines that can be read at night, and one line for its repetitions.

Programs get the same facts as one object.
"""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

Event = MutableMapping[str, Any]
Render = Callable[[Any, str, Event], str]

DEATHS = ("child crashed", "process ended")
"""Events that are told so."""

BOLD, RED, DIM, PLAIN = "\x1b[1m", "\x1b[1;31m", "\x1b[2m", "\x1b[0m"
WIDE = 9


class Reports:
    """A structlog renderer: deaths as blocks, the rest as ``others`` does."""

    def __init__(self, others: Render, colors: bool) -> None:
        self._others = others
        self._colors = colors

    def __call__(self, logger: Any, name: str, event: Event) -> str:
        """The text of an event."""
        if event.get("event") not in DEATHS:
            return self._others(logger, name, event)
        is_repeated = "child" in event and "trace" not in event
        return self._again(event) if is_repeated else self._block(event)

    def _again(self, event: Event) -> str:
        """One line: the same crash once more."""
        text = f"{self._head(event)}: the same crash, {ordinal(event['times'])} time: {event['error']}"
        return f"{text}; {event['next']}{_lost(event)}"

    def _block(self, event: Event) -> str:
        rows = [f"  {self._in(DIM, f'{name:<{WIDE}}')} {text}" for name, text in facts(event)]
        trace = [f"  {self._in(DIM, '|')} {line}" for line in str(event.get("trace", "")).rstrip().splitlines()]
        return "\n".join([self._head(event) + _lost(event), *rows, *trace])

    def _head(self, event: Event) -> str:
        what, who = str(event["event"]), event.get("child") or event.get("process")
        where = f" in {event['process']}" if "child" in event and "process" in event else ""
        return f"{event['timestamp']} {self._in(RED, what)}: {self._in(BOLD, str(who))}{where}"

    def _in(self, style: str, text: str) -> str:
        return f"{style}{text}{PLAIN}" if self._colors else text


def facts(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of a death, in the order of the questions: what, when, how often, what now."""
    crashes = f"{event['crashes']} in {event['period']:g} s" if "crashes" in event else None
    times = f"{ordinal(event['times'])} time" if "times" in event else None
    known = {
        "pid": event.get("pid"),
        "how": event.get("how"),
        "error": event.get("error"),
        "handling": event.get("handling"),
        "crashes": crashes,
        "ended": None if crashes else times,
        "next": event.get("next"),
    }
    return [(name, str(value)) for name, value in known.items() if value is not None]


def ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``13th``."""
    tens, ones = divmod(number % 100, 10)
    return f"{number}{'th' if tens == 1 else {1: 'st', 2: 'nd', 3: 'rd'}.get(ones, 'th')}"


def _lost(event: Event) -> str:
    return f" (lines lost before: {event['lines_lost_before']})" if "lines_lost_before" in event else ""
