"""Finding checker plugins: those shipped here, files in folders that the operator names, and installed packages.

What is broken is blamed by file and line and left out; everything else is found all the same.
"""

import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2s
from importlib import import_module
from importlib.metadata import entry_points as installed
from importlib.util import module_from_spec, spec_from_file_location
from inspect import getsourcelines
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

import plugins
from plugins.api.declare import keyword_of

GROUP = "understudy.checkers"


@dataclass(frozen=True)
class Blame:
    """Why a file, or what an entry point names, is not a plugin. ``line`` is 0 when no line is to blame."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}" if self.line else f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class Found:
    """The checker classes by keyword, and what was left out."""

    checkers: dict[str, type]
    blamed: tuple[Blame, ...]


class _Search:
    """A search under way."""

    def __init__(self) -> None:
        self.checkers: dict[str, type] = {}
        self.places: dict[str, str] = {}
        self.blamed: list[Blame] = []

    def blame(self, path: str, line: int, reason: str) -> None:
        self.blamed.append(Blame(path, line, reason))

    def enter(self, cls: type, place: str) -> None:
        keyword = keyword_of(cls)
        if keyword in self.checkers:
            line = _line_of(cls)
            self.blame(place, line, f"{keyword} is declared in {self.places[keyword]} already; that one is used")
        else:
            self.checkers[keyword] = cls
            self.places[keyword] = place

    def enter_all(self, module: ModuleType, place: str) -> None:
        for cls in _checkers_of(module):
            self.enter(cls, place)


def find(folders: Iterable[str | Path] = (), entry_points: bool = True) -> Found:
    """All checkers: of this package first, then of ``folders`` in their order, then of installed packages.

    The first to declare a keyword keeps it. A user's file is run anew at each call, under a private module name; one
    whose name begins with ``_`` is left alone.
    """
    search = _Search()
    for module in iter_modules(plugins.__path__):
        if not module.ispkg:
            search.enter_all(import_module(f"plugins.{module.name}"), f"plugins/{module.name}.py")
    for folder in folders:
        _find_in(search, Path(folder))
    if entry_points:
        _find_installed(search)
    return Found(search.checkers, tuple(search.blamed))


def _find_in(search: _Search, folder: Path) -> None:
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".py" and path.name[0] not in "_.")
    except OSError as error:
        search.blame(str(folder), 0, f"cannot look for plugins here: {error.strerror}")
        return
    for path in files:
        if path.parent.resolve() != Path(plugins.__path__[0]).resolve():
            _find_in_file(search, path)


def _find_in_file(search: _Search, path: Path) -> None:
    try:
        module = _load(path)
    except (Exception, SystemExit) as error:
        search.blame(str(path), _line_in(error, str(path)), _reason(error))
    else:
        search.enter_all(module, str(path))


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


def _find_installed(search: _Search) -> None:
    for point in installed(group=GROUP):
        place = f"entry point {point.name} = {point.value}"
        try:
            named = point.load()
        except (Exception, SystemExit) as error:
            search.blame(place, 0, _reason(error))
            continue
        if isinstance(named, ModuleType):
            search.enter_all(named, place)
        elif isinstance(named, type) and keyword_of(named):
            search.enter(named, place)
        else:
            search.blame(place, 0, "names neither a module nor a class made by @checker")


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


def _line_of(cls: type) -> int:
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
