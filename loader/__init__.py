"""keepalived-shaped configuration files to frozen values. Knows neither ``actors`` nor ``plugins``.

Only this file opens others; everything else in the package is pure.
"""

import gc
import glob
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from errno import EINVAL
from pathlib import Path

from loader.assemble import Assembly, Schemas
from loader.cache import Cache
from loader.diagnostics import Diagnostic, Mark, Severity, locate, render
from loader.diagnostics import error as problem
from loader.includes import Files, Reader, Secret
from loader.model import COMMON, Config
from loader.source import Source

__all__ = ["COMMON", "Cache", "Diagnostic", "Loaded", "Severity", "load", "load_from"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of a load: a configuration, None when there is any error, and all diagnostics by file and line."""

    config: Config | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, Source] = field(default_factory=dict, repr=False, compare=False)

    def render(self) -> str:
        """All diagnostics with the lines they talk of, as shown to an operator; empty when there are none."""
        return "".join(render(diagnostic, self.sources) for diagnostic in self.diagnostics)


class Disk:
    """The machine's files."""

    def read(self, path: str) -> str:
        """The text of a regular file, bytes that are not UTF-8 as U+FFFD; raises `OSError`."""
        return _regular(path).read_bytes().decode("utf-8-sig", "replace")

    def secret(self, path: str) -> Secret:
        """See `Files.secret`."""
        place = _regular(path)
        return Secret(place.read_bytes(), bool(place.stat().st_mode & 0o077))

    def find(self, pattern: str) -> list[str]:
        """Paths of regular files that match, in order of name."""
        return sorted(path for path in glob.glob(pattern) if Path(path).is_file())


def _regular(path: str) -> Path:
    place = Path(path)
    if place.exists() and not place.is_file():
        raise OSError(EINVAL, "not a regular file")
    return place


def load(
    path: str | Path,
    checkers: Schemas,
    users: frozenset[str] = frozenset(),
    cache: Cache | None = None,
    interfaces: frozenset[str] = frozenset(),
) -> Loaded:
    """Load a configuration file. Never raises for what stands in it.

    ``checkers`` is called once with the resolved ``plugin_checker_location`` ("" if unset) and gives the plugins'
    blocks by bare keyword. ``users`` are the names of the machine's users, ``interfaces`` those of its interfaces
    (both empty: unknown). ``cache`` makes the next load cheap.
    """
    return load_from(Disk(), str(path), checkers, users, cache, interfaces)


def load_from(
    files: Files,
    path: str,
    checkers: Schemas,
    users: frozenset[str] = frozenset(),
    cache: Cache | None = None,
    interfaces: frozenset[str] = frozenset(),
) -> Loaded:
    """`load`, reading from the given files."""
    with _collector_resting():
        reader = Reader(files)
        assembly = Assembly(reader, path, users, interfaces, Cache() if cache is None else cache)
        return _load(reader, assembly, path, checkers)


@contextmanager
def _collector_resting() -> Iterator[None]:
    """Without garbage collection: all that is made here stays, and looking through it takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _load(reader: Reader, assembly: Assembly, path: str, checkers: Schemas) -> Loaded:
    try:
        reader.open(path)
    except OSError as refusal:
        reader.sources[path] = Source(path, "")
        assembly.problems.append(problem(f"cannot read the file: {refusal.strerror or refusal}", Mark(0, 0, path)))
        return _loaded(None, assembly, reader)
    return _loaded(assembly.config(checkers), assembly, reader)


def _loaded(config: Config | None, assembly: Assembly, reader: Reader) -> Loaded:
    order = {path: number for number, path in enumerate(reader.sources)}
    found = [locate(each, reader.sources) for each in dict.fromkeys(assembly.problems)]
    found.sort(key=lambda each: (order[each.span.file], each.span.line, each.span.column))
    return Loaded(config, tuple(found), reader.sources)
