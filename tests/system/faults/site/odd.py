"""A site plugin that does whatever a file says: the worst of what a user's plugin may do."""

import ctypes
import os
import sys
import time
from pathlib import Path

from plugins.api import Passed, Target, checker, option

MEGABYTES = 256
eaten: list[bytearray] = []


@checker("ODD")
class Odd:
    """Healthy, unless the file ``mode`` has a word in it."""

    mode: str = option(help="path of the file that says how to misbehave")

    def probe(self, target: Target) -> Passed:
        eaten.clear()
        word = Path(self.mode).read_text().strip()
        if word:
            MODES[word](Path(self.mode))
        return Passed(word)


def spin(mode: Path) -> None:
    """Calculate, and let nobody else have a turn."""
    while mode.read_text():
        sum(range(100_000))


def block(mode: Path) -> None:
    """Wait in C with the interpreter's lock held: no thread and no greenlet of the process goes on."""
    while mode.read_text():
        ctypes.PyDLL(None).usleep(200_000)


def eat(mode: Path) -> None:
    """Take a lot of memory, for as long as nothing else is asked for."""
    eaten.extend(bytearray(1 << 20) for _ in range(MEGABYTES))


def fail(mode: Path) -> None:
    """A bug."""
    raise ZeroDivisionError("on purpose")


def leave(mode: Path) -> None:
    """What no plugin should call."""
    sys.exit("on purpose")


def vanish(mode: Path) -> None:
    """End the whole process."""
    os._exit(3)


def linger(mode: Path) -> None:
    """Take longer than it may, politely."""
    time.sleep(3)


MODES = {each.__name__: each for each in (spin, block, eat, fail, leave, vanish, linger)}
