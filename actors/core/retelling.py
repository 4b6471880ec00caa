"""Crashes told again: whether one is the same as the last, and how often it has come. Pure; times are seconds."""

import re

import msgspec

PEACE = 3600.0
"""After so many seconds without it the same crash is told in full again."""

PLACE = re.compile(r'^  File "(.*?)", line (\d+)', re.MULTILINE)


class Told(msgspec.Struct, frozen=True):
    """The last crash of an actor: where it was, how often in a row it was there, and when last."""

    place: str = ""
    times: int = 0
    at: float = 0.0


def retold(last: Told, error: str, trace: str, now: float) -> Told:
    """Enter a crash at ``now``.

    It is the same as ``last`` when the same kind of error came from the same lines of code, whatever the numbers in its
    text, less than an hour after it.
    """
    place = "\n".join([error.partition(":")[0], *(f"{file}:{line}" for file, line in PLACE.findall(trace))])
    same = place == last.place and now - last.at < PEACE
    return Told(place, last.times + 1 if same else 1, now)
