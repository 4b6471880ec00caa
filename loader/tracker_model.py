"""keepalived's trackers: what a router follows besides checkers. Frozen values; rules are in `loader.trackers`."""

from dataclasses import dataclass
from typing import Any

from loader.fields import MONTH, TICK, Keyword
from loader.schema import argument, derived, option, position, switch
from loader.scripts import Script
from loader.source import Position

HEAVIEST = 254
"""Most that a tracker may add or take away: more than a priority can change."""
MOST = 65_535
"""Most results in a row."""
LISTS = ("track_scripts",)
"""The fields of an instance or a group that name trackers."""


@dataclass(frozen=True, slots=True)
class Tracker:
    """A tracker that an instance follows; what is None is as its block has it."""

    name: str = argument("str")
    weight: int | None = option(
        "int", None, min=-HEAVIEST, max=HEAVIEST, help="what it adds while OK, or takes away while not; 0: FAULT"
    )
    reverse: bool | None = switch("reverse", "noreverse", None, help="turns round what it does")


def weight(default: int, text: str) -> Any:
    """The keyword ``weight N [reverse]`` of a tracker's block; rules part the two."""
    words = (
        Keyword("weight", "int", None, True, -HEAVIEST, HEAVIEST),
        Keyword("reverse", "str", "", choices=("reverse", "noreverse")),
    )
    return option("arguments", default, name="weight", options=words, help=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class VrrpScript:
    """A program that is run again and again: a MISC_CHECK. Times are in seconds; ``timeout`` 0 is the interval.

    ``weight`` and ``reverse`` are for those who follow it and do not say them.
    """

    name: str = argument("str")
    script: Script = option("script", help="the program; what ends with 0 is OK")
    interval: float = option("seconds", 1.0, min=TICK, max=MONTH, unit="s", help="time from run to run")
    timeout: float = option("seconds", 0.0, min=TICK, max=MONTH, unit="s", help="limit for a run; interval if unsaid")
    weight: int = weight(0, "of those who say none, -254..254; 0: FAULT while it fails")
    rise: int = option("int", 1, min=1, max=MOST, help="successes in a row before it is OK again")
    fall: int = option("int", 1, min=1, max=MOST, help="failures in a row before it is FAILED")
    user: tuple[str, ...] = option("words", (), help="user and group that it runs as; script_user if unsaid")
    init_fail: bool = option("bool", False, bare=True, help="FAILED until its first result, instead of UNKNOWN")
    reverse: bool = derived(False)
    at: Position = position()
