"""The catalogue: what checkers there are and what they declare, told by a process that ends, so that no code runs here.

Those of this package are imported; every other plugin is described by `actors.describer`.
"""

import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

import msgspec
from gevent import monkey

from actors.describer import CHUNK, Report
from loader.fields import Block
from plugins.api import describe
from plugins.registry import Blame, Place, origin_of, places, shipped, twin

LIMIT = 10.0
"""Seconds that a plugin's import may take."""

START = 20.0
"""Seconds that the process that describes them has besides."""

ROOT = str(Path(__file__).resolve().parents[1])

# This waits in a native thread, or before there is an event loop: never by way of gevent's, whose ``os.close`` even
# waits for a loop that turns.
poll = monkey.get_original("select", "poll")
close, spawn, waitpid = monkey.get_original("os", ["close", "posix_spawn", "waitpid"])


class Catalogue(msgspec.Struct, frozen=True):
    """What checkers declare, by bare keyword; where those are that are not of this package; and what was refused."""

    blocks: dict[str, Block] = {}
    places: dict[str, Place] = {}
    blamed: tuple[Blame, ...] = ()


def catalogue(found: tuple[Place, ...], limit: float = LIMIT) -> Catalogue:
    """The checkers of this package and of all places ``found``; each place has ``limit`` seconds for its import.

    Raises ValueError, naming both, when two declare one keyword, and OSError when the places cannot be looked at.
    """
    own = shipped()
    blocks = {keyword: msgspec.convert(describe(cls), Block) for keyword, cls in own.items()}
    origins = {keyword: origin_of(cls) for keyword, cls in own.items()}
    homes: dict[str, Place] = {}
    blamed: list[Blame] = []
    twins: list[Blame] = []
    for place, report in zip(found, _reports(found, limit) if found else (), strict=True):
        blamed += [report.blame] if report.blame else []
        for each in report.checkers:
            block = _block(each.schema)
            if isinstance(block, str):
                blamed.append(Blame(place.origin, each.line, block))
            elif block.keyword in blocks:
                twins.append(Blame(place.origin, each.line, twin(block.keyword, origins[block.keyword])))
            else:
                blocks[block.keyword], homes[block.keyword] = block, place
                origins[block.keyword] = place.origin
    if twins:
        raise ValueError("; ".join(map(str, twins)))
    return Catalogue(blocks, homes, tuple(blamed))


class Catalogues:
    """The catalogue of a folder, made anew when any of the files there has changed."""

    def __init__(self) -> None:
        self._of: tuple[list[Place], list[Blame]] | None = None
        self.latest = Catalogue()
        self.is_new = False

    def of(self, location: str) -> Catalogue:
        """See `catalogue`: of the files in ``location`` ("": none) and of installed packages."""
        asked = places((location,) if location else ())
        self.is_new = asked != self._of
        if self.is_new:
            made = catalogue(tuple(asked[0]))
            self.latest = msgspec.structs.replace(made, blamed=(*asked[1], *made.blamed))
            self._of = asked
        return self.latest


def _block(schema: object) -> Block | str:
    """A plugin's description, or what is wrong with it."""
    try:
        return msgspec.convert(schema, Block)
    except msgspec.ValidationError as error:
        return f"declares what no configuration can have: {error}"


def _reports(asked: tuple[Place, ...], limit: float) -> list[Report]:
    told = os.memfd_create("places")
    os.write(told, msgspec.json.encode(asked))
    os.lseek(told, 0, os.SEEK_SET)
    ours, theirs = os.pipe()
    try:
        pid = spawn(
            sys.executable,
            [sys.executable, "-P", "-m", "actors.describer", str(limit)],
            os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))},
            file_actions=[(os.POSIX_SPAWN_DUP2, told, 0), (os.POSIX_SPAWN_DUP2, theirs, 1)],
            setpgroup=0,
        )
    except OSError:
        close(ours)
        raise
    finally:
        close(told)
        close(theirs)
    said = _heard(ours, monotonic() + START + limit * len(asked))
    close(ours)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ChildProcessError):  # libev reaps too, when anything made it watch for children
        waitpid(pid, 0)
    if len(said) != len(asked):
        raise OSError(f"the process that describes plugins has ended after {len(said)} of {len(asked)} places")
    return [msgspec.json.decode(line, type=Report) for line in said]


def _heard(end: int, deadline: float) -> list[bytes]:
    """Whole lines, until the other end is closed or it takes too long."""
    said = bytearray()
    waiting = poll()
    waiting.register(end, select.POLLIN)
    while (left := deadline - monotonic()) > 0:
        if waiting.poll(left * 1000):
            more = os.read(end, CHUNK)
            if not more:
                break
            said += more
    return bytes(said).splitlines()
