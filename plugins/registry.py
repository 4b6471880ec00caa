"""Finding checker plugins: those shipped here, files in folders that the operator names, and installed packages.

What is broken is blamed by file and line and left out; everything else is found all the same. To list `places` runs
nobody's code; to look what one has `declared` does.
"""

import os
import stat
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import blake2s
from importlib import import_module
from importlib.metadata import EntryPoint
from importlib.metadata import entry_points as installed
from importlib.util import module_from_spec, spec_from_file_location
from inspect import getsourcelines
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

import plugins
from plugins.api.declare import keyword_of
from plugins.api.options import BadPlugin

GROUP = "understudy.checkers"
POINT = "entry point "
ASIDE = ("_", ".", "test_", "conftest.")
"""How the names of files begin that are no plugins."""


@dataclass(frozen=True)
class Place:
    """Where checkers may be declared: the path of a file, or ``entry point NAME = VALUE`` of an installed package.

    The ``edition`` of a file changes when it is written.
    """

    origin: str
    edition: int = 0


@dataclass(frozen=True)
class Blame:
    """Why a file, or what an entry point names, is not a plugin. ``line`` is 0 when no line is to blame."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}" if self.line else f"{self.path}: {self.reason}"


class Refused(Exception):
    """A place has no plugins that could be used; says why."""

    def __init__(self, blame: Blame) -> None:
        super().__init__(str(blame))
        self.blame = blame


@dataclass(frozen=True)
class Found:
    """The checker classes by keyword, and what was left out."""

    checkers: dict[str, type]
    blamed: tuple[Blame, ...]


def find(folders: Iterable[str | Path] = (), entry_points: bool = True) -> Found:
    """All checkers, loaded into this process: of this package first, then of `places`, see there.

    The first to declare a keyword keeps it. A user's file is run anew at each call, under a private module name.
    """
    checkers = shipped()
    origins = {keyword: origin_of(cls) for keyword, cls in checkers.items()}
    found, blamed = places(folders, entry_points)
    for place in found:
        try:
            classes = declared(place)
        except Refused as refusal:
            blamed.append(refusal.blame)
            continue
        for cls in classes:
            keyword = keyword_of(cls)
            if keyword in checkers:
                blamed.append(Blame(place.origin, line_of(cls), twin(keyword, origins[keyword])))
            else:
                checkers[keyword], origins[keyword] = cls, place.origin
    return Found(checkers, tuple(blamed))


def twin(keyword: str, origin: str) -> str:
    """What is wrong with a second plugin of one keyword."""
    return f"{keyword} is declared in {origin} too"


def shipped() -> dict[str, type]:
    """The checkers of this package by keyword."""
    return dict(_shipped())


@cache
def _shipped() -> dict[str, type]:
    names = [module.name for module in iter_modules(plugins.__path__) if not module.ispkg]
    modules = [import_module(f"plugins.{name}") for name in names]
    return {keyword_of(cls): cls for module in modules for cls in _checkers_of(module)}


def origin_of(cls: type) -> str:
    """The file of a checker that is shipped: ``plugins/tcp.py``."""
    return f"{cls.__module__.replace('.', '/')}.py"


def places(folders: Iterable[str | Path] = (), entry_points: bool = True) -> tuple[list[Place], list[Blame]]:
    """Where others than this package may declare checkers: files in ``folders`` in their order, installed packages.

    A file whose name begins with ``_`` or ``test_`` is left alone. Folders and files have to be root's, or the
    user's as whom this runs, and nobody else's to write: what is in them will be run.
    """
    found: list[Place] = []
    blamed: list[Blame] = []
    for folder in folders:
        for path in _files(Path(folder).absolute(), blamed):
            try:
                found.append(_safe(path))
            except Refused as refusal:
                blamed.append(refusal.blame)
    if entry_points:
        found += [Place(_named(point)) for point in installed(group=GROUP)]
    return found, blamed


def _files(folder: Path, blamed: list[Blame]) -> list[Path]:
    try:
        if folder.resolve() == Path(plugins.__path__[0]).resolve():
            return []
        reason = _danger(folder.stat())
        if not reason:
            return sorted(path for path in folder.iterdir() if path.suffix == ".py" and not path.name.startswith(ASIDE))
        reason = f"not used: {reason}"
    except OSError as error:
        reason = f"cannot look for plugins here: {error.strerror}"
    blamed.append(Blame(str(folder), 0, reason))
    return []


def _safe(path: Path) -> Place:
    """A file that may be run, by whatever links it is reached."""
    try:
        real = path.resolve(strict=True)
        for each in (real, real.parent):
            if reason := _danger(each.stat()):
                raise Refused(Blame(str(path), 0, f"not used: {reason if each == path else f'{each} {reason}'}"))
        return Place(str(path), real.stat().st_mtime_ns)
    except (OSError, RuntimeError) as error:
        raise Refused(Blame(str(path), 0, f"cannot be read: {getattr(error, 'strerror', error)}")) from None


def _danger(about: os.stat_result) -> str:
    if about.st_uid not in (0, os.geteuid()):
        return f"belongs to user {about.st_uid}: it has to be root's, or the user's as whom this runs"
    if about.st_mode & stat.S_IWOTH:
        return "may be written by everybody"
    if about.st_mode & stat.S_IWGRP and about.st_gid != 0:
        return f"may be written by group {about.st_gid}"
    return ""


def declared(place: Place) -> tuple[type, ...]:
    """The checkers of ``place``, whose code is run for that. Raises `Refused`, whatever that code does."""
    try:
        if place.origin.startswith(POINT):
            return _of_point(place.origin)
        return tuple(_checkers_of(_load(Path(_safe(Path(place.origin)).origin))))
    except Refused:
        raise
    except BaseException as error:  # of code that nobody knows anything can come
        raise Refused(Blame(place.origin, _line_in(error, place.origin), _reason(error))) from error


class Library:
    """The checkers of this process. Those that are not shipped are loaded when they are first asked for, with what
    else their place declares; another edition is loaded anew."""

    def __init__(self) -> None:
        self._loaded: dict[Place, dict[str, type]] = {}

    def checker(self, keyword: str, place: Place | None = None) -> type:
        """The class of ``keyword`` from ``place``, None for one that is shipped. Raises `BadPlugin`."""
        if place is None:
            known = _shipped()
        elif (known := self._loaded.get(place, {})) == {}:
            try:
                known = self._loaded[place] = {keyword_of(cls): cls for cls in declared(place)}
            except Refused as refusal:
                raise BadPlugin(str(refusal)) from refusal.__cause__
        if keyword not in known:
            raise BadPlugin(f"{keyword} is not declared in {place.origin if place else 'this package'}")
        return known[keyword]


def _named(point: EntryPoint) -> str:
    return f"{POINT}{point.name} = {point.value}"


def _of_point(origin: str) -> tuple[type, ...]:
    point = next((each for each in installed(group=GROUP) if _named(each) == origin), None)
    named = point.load() if point else None
    if isinstance(named, ModuleType):
        return tuple(_checkers_of(named))
    if isinstance(named, type) and keyword_of(named):
        return (named,)
    raise Refused(Blame(origin, 0, "names neither a module nor a class made by @checker"))


def _load(path: Path) -> ModuleType:
    name = f"_understudy_plugin_{blake2s(str(path.resolve()).encode(), digest_size=6).hexdigest()}_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no Python module: {path}")
    module = sys.modules[name] = module_from_spec(spec)
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # nothing is written into an operator's folder
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.dont_write_bytecode = writes
    return module


def _checkers_of(module: ModuleType) -> Iterator[type]:
    """The classes that ``module`` itself declares, not those that it imports."""
    for value in dict.fromkeys(each for each in vars(module).values() if isinstance(each, type)):
        if value.__module__ == module.__name__ and keyword_of(value):
            yield value


def _line_in(error: BaseException, path: str) -> int:
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno or 0
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return (lines[-1] or 0) if lines else 0


def line_of(cls: type) -> int:
    """The line at which a class is declared, 0 if that cannot be told."""
    try:
        return getsourcelines(cls)[1]
    except (OSError, TypeError):
        return 0


def _reason(error: BaseException) -> str:
    kind = type(error).__name__
    if kind == "BadPlugin":
        return str(error)
    if isinstance(error, SyntaxError):
        return f"{kind}: {error.msg}"
    return f"{kind}: {error}"
