"""FILE_CHECK: what a file on this machine says."""

import os
import re
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from time import time

from plugins.api import Counted, Failed, Passed, Result, Target, checker, option
from plugins.services import inotify
from plugins.services.inotify import Inotify
from plugins.services.patterns import SECONDS, compiled

LONGEST = 64 * 1024
"""Bytes of the file that are looked at."""

NUMBER = re.compile(rb"\s{0,99}([+-]?)(?:0[xX]([0-9A-Fa-f]{1,40})|0([0-7]{1,40})|([1-9][0-9]{0,39}|0))")
FARTHEST = 2_147_483_647

FOLDER = inotify.CREATE | inotify.DELETE | inotify.MOVED_FROM | inotify.MOVED_TO
FILE = inotify.MODIFY | inotify.CLOSE_WRITE | inotify.ATTRIB
ITSELF = inotify.DELETE_SELF | inotify.MOVE_SELF


class Eye:
    """Notices when a path may look different: the file, its folder, and those of what it is a link to."""

    def __init__(self) -> None:
        self._inotify: Inotify | None = None

    def descriptors(self) -> tuple[int, ...]:
        """What can be read when something has happened; nothing where the kernel has no more of them."""
        return () if self._inotify is None else (self._inotify.descriptor,)

    def follow(self, path: Path) -> None:
        """Begin to watch, or watch what the path leads to by now. Comes before a look at the file."""
        if self._inotify is not None and not self._inotify.drain():
            return
        self.close()
        with suppress(OSError):  # the limit of watches is reached: the next look comes in its time
            self._inotify = Inotify()
            for each in (path, path.resolve()):
                self._inotify.watch(_existing(each.parent), FOLDER | ITSELF)
                with suppress(FileNotFoundError):
                    self._inotify.watch(each, FILE | ITSELF)

    def close(self) -> None:
        """Watch no more."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None


def _existing(folder: Path) -> Path:
    """The folder, or what there is of its way."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def number(content: bytes) -> int:
    """The number at the beginning, decimal, octal after ``0``, hexadecimal after ``0x``, as C reads it; 0 without one.

    It is kept within 32 bits.
    """
    found = NUMBER.match(content)
    if not found:
        return 0
    sign, hexadecimal, octal, decimal = (part or b"" for part in found.groups())
    value = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal or b"0")
    return max(-FARTHEST, min(FARTHEST, -value if sign == b"-" else value))


@checker("FILE_CHECK", aims="never")
class FileCheck:
    """Healthy when a file is there and is as it should be; a change is seen at once, by inotify.

    What tells of no changes, as network file systems and /proc, is looked at every ``delay_loop``. A file system that
    may hang is for ``TH_FILE_CHECK``.
    """

    path: str = option(name="file", pattern="/.*", help="absolute path of the file")
    absent: bool = option(False, bare=True, help="healthy when it is not there, else down")
    contains: str = option("", kind="pattern", help="regular expression that its beginning must match")
    zero: bool = option(
        False, name="number", bare=True, help="it has a number; healthy at 0, as keepalived's track_file"
    )
    counts: bool = option(
        False, bare=True, help="as number, but 0 if it is not there or has none; routers may count with the number"
    )
    create: str = option("", pattern="[+-]?[0-9]+", help="number to make it with at the beginning, if it is not there")
    max_age: float = option(0.0, kind="seconds", min=0, help="longest time since it was written; 0: any", unit="s")

    def setup(self) -> Eye:
        """What watches it between two looks; the file is made first, where that is wanted and can be."""
        with suppress(OSError):
            if self.create:
                with open(self.path, "x", encoding="ascii") as file:
                    file.write(f"{self.create}\n")
        return Eye()

    def watch(self, eye: Eye) -> tuple[int, ...]:
        """What can be read after a change."""
        return eye.descriptors()

    def probe(self, target: Target, eye: Eye) -> Result:
        """Look at it."""
        path = Path(self.path)
        eye.follow(path)
        if self.counts:
            return self._counted(path)
        try:
            problem = self._problem(path)
        except OSError as error:
            problem = f"{self.path}: {error.strerror}"
        if self.absent:
            return Failed(f"{self.path} is there") if os.path.lexists(path) else Passed()
        return Failed(problem) if problem else Passed()

    def _counted(self, path: Path) -> Result:
        """The number in it, which is 0 where there is none."""
        content = b""
        with suppress(OSError):
            if S_ISREG(path.stat().st_mode):
                with path.open("rb") as file:
                    content = file.read(LONGEST)
        value = number(content)
        return Counted(value, f"{self.path} is {value}") if value else Passed()

    def _problem(self, path: Path) -> str:
        """What is wrong with the file; empty for nothing."""
        about = path.stat()
        if self.max_age and time() - about.st_mtime > self.max_age:
            return f"{self.path} was not written for {self.max_age:g} s"
        if not (self.contains or self.zero):
            return ""
        if not S_ISREG(about.st_mode):
            return f"{self.path} is no plain file"
        with path.open("rb") as file:
            content = file.read(LONGEST)
        return self._said(content)

    def _said(self, content: bytes) -> str:
        if self.contains:
            try:
                found = compiled(self.contains).search(content, timeout=SECONDS)
            except TimeoutError:
                return "contains took too long"
            if not found:
                return f"{self.path} does not contain {self.contains!r}"
        if self.zero:
            word = content.strip()[:20].decode(errors="replace")
            number = int(word) if word.lstrip("+-").isdecimal() else 0 if not word else None
            if number != 0:
                return f"{self.path} is {number}" if number is not None else f"{self.path} has no number: {word!r}"
        return ""
