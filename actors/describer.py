"""``python -m actors.describer SECONDS``: tells what checkers declare, so that others need not run their code.

Its standard input are the places to look at, as JSON; for each it writes a line of JSON to its standard output. Each
place has a process of its own, forked from this one, and so many seconds: what its code does there harms nobody.
"""

import os
import select
import signal
import sys
from time import monotonic
from typing import Any, NoReturn

import msgspec

from plugins.api import describe
from plugins.registry import Blame, Place, Refused, declared, line_of

CHUNK = 1 << 16

EXIT_UNHEARD = 70
"""Exit status of a process that could not say what it has found; nobody asks for that of one that could."""

FORKS = frozenset({"os.fork", "os.forkpty", "os.exec"})
"""Events of the interpreter that a plugin may not cause while it is imported: it would be there twice."""


class Described(msgspec.Struct, frozen=True):
    """A checker: what `plugins.api.describe` says of it, and the line at which it is declared."""

    schema: dict[str, Any]
    line: int


class Report(msgspec.Struct, frozen=True):
    """The checkers of a place, or why it has none."""

    checkers: tuple[Described, ...] = ()
    blame: Blame | None = None


def main() -> None:
    """Report every place in turn."""
    seconds = float(sys.argv[1])
    with open(0, "rb", closefd=False) as told:
        places = msgspec.json.decode(told.read(), type=tuple[Place, ...])
    report = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    for place in places:
        said = memoryview(msgspec.json.encode(examined(place, seconds, report)) + b"\n")
        while said:
            said = said[os.write(report, said) :]


def examined(place: Place, seconds: float, hidden: int) -> Report:
    """What ``place`` declares; what its code has started by then is killed. The descriptor ``hidden`` is not its."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(ours)
        os.close(hidden)
        _examine(place, theirs)
    os.close(theirs)
    deadline = monotonic() + seconds
    handle = os.pidfd_open(pid)
    said = _heard(ours, deadline)
    is_late = not said.endswith(b"\n") and not _is_ready(handle, deadline)
    for end in (ours, handle):
        os.close(end)
    _kill(pid)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if said.endswith(b"\n"):
        return _read(place, said)
    if is_late:
        return _blamed(place, f"is not imported within {seconds:g} s")
    how = f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
    return _blamed(place, f"ends its process {how} while it is imported")


def _read(place: Place, said: bytes) -> Report:
    try:
        return msgspec.json.decode(said, type=Report)
    except msgspec.MsgspecError:
        return _blamed(place, "writes where it should not while it is imported")


def _heard(end: int, deadline: float) -> bytes:
    """A line, or what there is of it at the end or the deadline."""
    said = b""
    while not said.endswith(b"\n") and _is_ready(end, deadline):
        more = os.read(end, CHUNK)
        if not more:
            break
        said += more
    return said


def _is_ready(end: int, deadline: float) -> bool:
    """Whether there is something to read, or a process has ended, by then."""
    waiting = select.poll()
    waiting.register(end, select.POLLIN)
    left = deadline - monotonic()
    return left > 0 and bool(waiting.poll(left * 1000))


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # its group, unless it had no time to become one
        try:
            kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


# In the process of a place.


def _examine(place: Place, end: int) -> NoReturn:
    os.setpgid(0, 0)
    output = os.memfd_create("output")
    os.dup2(output, 1)
    try:
        report = _describe(place, output)
        said = msgspec.json.encode(report)
    except BaseException as error:
        said = msgspec.json.encode(_blamed(place, f"cannot be described: {error}"))
    try:
        with open(end, "wb") as reader:
            reader.write(said + b"\n")
    finally:
        os._exit(EXIT_UNHEARD)


def _describe(place: Place, output: int) -> Report:
    forked: list[str] = []

    def forbid(event: str, _: Any) -> None:
        if event in FORKS:
            forked.append(event)
            raise RuntimeError(f"{event} while it is imported")

    sys.addaudithook(forbid)
    try:
        classes = declared(place)
    except Refused as refusal:
        return Report(blame=refusal.blame)
    if forked:
        return _blamed(place, f"RuntimeError: {forked[0]} while it is imported")
    sys.stdout.flush()
    if written := os.pread(output, 200, 0):
        text = written.decode(errors="replace").partition("\n")[0]
        return _blamed(place, f"writes to standard output while it is imported: {text[:80]!r}")
    return Report(tuple(Described(describe(cls), line_of(cls)) for cls in classes))


def _blamed(place: Place, reason: str) -> Report:
    return Report(blame=Blame(place.origin, 0, reason))


if __name__ == "__main__":
    main()
