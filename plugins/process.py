"""PROCESS_CHECK: does a program run on this machine?"""

import os
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

from plugins.api import Failed, Passed, Result, Target, checker, option

SHARED = 0.1
"""Seconds for which one look at all processes serves every checker."""

GONE = (b"Z", b"X")
"""States of what has ended and was not collected yet."""

SHORT = 15
"""Characters of a name that the kernel keeps."""

HELD = 32
"""Processes whose end is watched for; with more of them the death of one is seen at the next look."""


class Process(NamedTuple):
    """One that runs: its number, and the kernel's name for it."""

    pid: int
    name: str


class Look:
    """All processes, looked at not more often than need be. What a thread and the loop do at once is done twice."""

    def __init__(self) -> None:
        self._until = 0.0
        self._seen: tuple[Process, ...] = ()

    def processes(self) -> tuple[Process, ...]:
        """Those that ran at most `SHARED` seconds ago."""
        if monotonic() > self._until:
            found = (running(int(entry)) for entry in os.listdir("/proc") if entry.isdecimal())
            self._seen, self._until = tuple(filter(None, found)), monotonic() + SHARED
        return self._seen


LOOK = Look()


def running(pid: int) -> Process | None:
    """A process, if it runs."""
    with suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
        head, _, rest = file.read(512).rpartition(b") ")
        if rest[:1] not in GONE:
            return Process(pid, head.partition(b"(")[2].decode(errors="replace"))
    return None


def words_of(pid: int) -> list[str]:
    """The command line of a process; of the kernel's own, and of what has ended, it is empty."""
    with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read(65536).decode(errors="replace").rstrip("\0").split("\0")
    return []


class Hold:
    """Handles of the processes that were found: each can be read when its process has ended."""

    def __init__(self) -> None:
        self._handles: dict[int, int] = {}

    def keep(self, pids: list[int]) -> None:
        """Hold these, as far as they still run, and no others."""
        for pid in self._handles.keys() - set(pids):
            os.close(self._handles.pop(pid))
        for pid in pids[:HELD]:
            if pid not in self._handles:
                with suppress(OSError):
                    self._handles[pid] = os.pidfd_open(pid)

    def descriptors(self) -> tuple[int, ...]:
        """The handles."""
        return tuple(self._handles.values())

    def close(self) -> None:
        """Hold none."""
        self.keep([])


@checker("PROCESS_CHECK", aims="never")
class ProcessCheck:
    """Healthy while as many processes of a name run as should; the death of one is seen at once.

    Without ``full_command`` the name is the kernel's, of at most 15 characters. A new one is found at the next look,
    every ``delay_loop`` (1 s unless said).
    """

    process: tuple[str, ...] = option(help="name of the program, and its parameters if these have to match")
    param_match: str = option(
        "",
        choices=("exact", "initial", "partial"),
        bare="exact",
        help="how parameters have to match: all, the beginning of their text, the first of them; exact if any",
    )
    full_command: bool = option(False, bare=True, help="compare the name with the first word of the command line")
    quorum: int = option(1, min=0, max=65535, help="processes that there must be at least")
    quorum_max: int = option(0, min=0, max=65535, help="processes that there may be at most; 0: any number")

    def setup(self) -> Hold:
        """What watches them between two looks."""
        return Hold()

    def watch(self, hold: Hold) -> tuple[int, ...]:
        """What can be read after a death."""
        return hold.descriptors()

    def probe(self, target: Target, hold: Hold) -> Result:
        """Count them."""
        meant = (each.pid for each in LOOK.processes() if self._is_meant(each))
        found = [pid for pid in meant if running(pid)]  # still, since others may have looked a while ago
        hold.keep(found)
        if len(found) < self.quorum:
            return Failed(f"{len(found)} of {self.quorum} {self.process[0]} run", {"processes": len(found)})
        if self.quorum_max and len(found) > self.quorum_max:
            return Failed(
                f"{len(found)} {self.process[0]} run, at most {self.quorum_max} may", {"processes": len(found)}
            )
        return Passed(metrics={"processes": len(found)})

    def _is_meant(self, process: Process) -> bool:
        name, *wanted = self.process
        if not self.full_command and process.name != name[:SHORT]:
            return False
        if not (self.full_command or wanted or self.param_match):
            return True
        own, *given = words_of(process.pid) or [""]
        if self.full_command and own != name:
            return False
        return self._fit(wanted, given) if wanted or self.param_match else True

    def _fit(self, wanted: list[str], given: list[str]) -> bool:
        """As keepalived compares them. None are wanted, and that is said: there must be none."""
        if self.param_match == "initial" and wanted:
            return " ".join(given).startswith(" ".join(wanted))
        return (given[: len(wanted)] if self.param_match == "partial" and wanted else given) == wanted
