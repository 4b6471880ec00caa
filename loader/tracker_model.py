"""keepalived's trackers: what a router follows besides checkers. Frozen values; rules are in `loader.trackers`."""

from dataclasses import dataclass
from typing import Any

from loader.fields import MONTH, TICK, Keyword
from loader.schema import argument, derived, option, position, switch
from loader.scripts import Script
from loader.source import Position

HEAVIEST = 254
"""Most that a tracker may add or take away: more than a priority can change."""
HEAVIEST_SERVER = 2_147_483_647
"""The same of a real server."""
MOST = 65_535
"""Most results in a row."""
OVERWRITE = "overwrite"
LISTS = ("track_scripts", "track_processes", "track_files")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackProcess:
    """Processes that have to run: a PROCESS_CHECK. Delays are in seconds.

    ``quorum_max`` None is any number, and 0 that none may run.
    """

    name: str = argument("str")
    process: tuple[str, ...] = option("words", help="name of the program, and its parameters if these have to match")
    param_match: str = option(
        "str", "", bare="exact", choices=("exact", "initial", "partial"), help="how parameters have to match"
    )
    full_command: bool = option(
        "bool", False, bare=True, help="compare the name with the first word of the command line"
    )
    weight: int = weight(0, "of those who say none, -254..254; 0: FAULT while it fails")
    quorum: int = option("int", 1, min=1, max=65535, help="processes that there must be at least")
    quorum_max: int | None = option("int", None, min=0, max=65535, help="processes that there may be at most")
    delay: float = option("seconds", 0.0, min=0, max=3600, unit="s", help="terminate_delay and fork_delay")
    terminate_delay: float = option("seconds", 0.0, min=0, max=3600, unit="s", help="how long it fails until it counts")
    fork_delay: float = option("seconds", 0.0, min=0, max=3600, unit="s", help="how long it is well until it counts")
    reverse: bool = derived(False)
    at: Position = position()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFile:
    """A file with a number, by which the priority moves: a FILE_CHECK. ``init_file`` "" is that none is made."""

    name: str = argument("str")
    file: str = option("str", pattern="/.*", help="absolute path of the file; its number is 0 while it is not there")
    weight: int = weight(1, "what the number is multiplied with; 0: FAULT while it is not 0")
    init_file: str = option(
        "words",
        "",
        bare=("0",),
        pattern=f"[+-]?[0-9]{{1,19}}|{OVERWRITE}",
        help="a number, 0 if unsaid, to make the file with if it is not there",
    )
    reverse: bool = derived(False)
    at: Position = position()
