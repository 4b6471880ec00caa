"""Files as statements: every ``include`` replaced by what it brings. Reads through a given `Files`, itself pure."""

import re
from pathlib import PurePath
from typing import NamedTuple, Protocol

from loader.diagnostics import Problem, error, shown
from loader.grammar import Statement, statements, words
from loader.source import Source

INCLUDES = {
    "include": "",
    "includer": "r",
    "includem": "m",
    "includew": "w",
    "includeb": "b",
    "includea": "rmwb",
}
"""What each keyword insists on, by keepalived's letters: r every file readable, m something matches, w every wildcard
matches, b every alternative in braces matches. A plain name has to be there in any case."""

WILD = re.compile(r"[*?\[]")
ALTERNATIVES = re.compile(r"\{([^{}]*)\}")


class Files(Protocol):
    """Where text comes from."""

    def read(self, path: str) -> str:
        """The text of a regular file; raises `OSError`."""

    def secret(self, path: str) -> "Secret":
        """A regular file with a key, as it is; raises `OSError`."""

    def find(self, pattern: str) -> list[str]:
        """Paths of the regular files that a pattern with ``*``, ``?`` and ``[...]`` matches, in order of name."""


class Secret(NamedTuple):
    """The bytes of a file, and whether others than its owner may read or change it."""

    content: bytes
    exposed: bool


class Reader:
    """Gives the statements of texts, and keeps the `sources` that it read."""

    def __init__(self, files: Files) -> None:
        self.sources: dict[str, Source] = {}
        self.is_whole = True
        self._files = files

    def open(self, path: str) -> str:
        """The text of a file; raises `OSError`."""
        self.sources[path] = Source(path, self._files.read(path))
        return self.sources[path].text

    def secret(self, path: str, beside: str) -> Secret:
        """A file with a key, whose path counts from the folder of the file ``beside``; raises `OSError`."""
        return self._files.secret(str(PurePath(beside).parent / path))

    def inside(self, text: str, chain: tuple[str, ...]) -> tuple[list[Statement], list[Problem]]:
        """The outermost statements of a text from the last file of ``chain``; each of those before included the next.

        When anything could not be read, ``is_whole`` is false from then on.
        """
        found, problems = statements(text)
        self.is_whole = self.is_whole and not problems
        if "include" not in text:
            return found, problems
        expanded: list[Statement] = []
        for statement in found:
            if statement.text.startswith("include") and statement.keyword in INCLUDES:
                brought, wrong = self._included(statement, chain)
                expanded += brought
                problems += wrong
                self.is_whole = self.is_whole and not wrong
            else:
                expanded.append(statement)
        return expanded, problems

    def _included(self, statement: Statement, chain: tuple[str, ...]) -> tuple[list[Statement], list[Problem]]:
        target = words(statement.text)[1:]
        if statement.body is not None:
            hint = "put a path with {a,b} in quotes"
            return [], [error("an include takes a path, not a block", statement.mark, hint)]
        if len(target) != 1:
            return [], [error(f"{shown(statement.keyword)} takes one path", statement.mark_of(2))]
        paths, complaint = self._resolve(statement.keyword, str(PurePath(chain[-1]).parent / target[0]))
        if complaint:
            return [], [error(complaint, statement.mark_of(1))]
        results = [self._file(statement, path, chain) for path in paths]
        return [s for found, _ in results for s in found], [p for _, wrong in results for p in wrong]

    def _resolve(self, keyword: str, target: str) -> tuple[list[str], str]:
        """The paths that are meant, or a complaint."""
        strict, paths = INCLUDES[keyword], dict[str, None]()
        for pattern in _alternatives(target):
            matches = self._files.find(pattern) if WILD.search(pattern) else [pattern]
            if not matches and ("w" in strict or ("b" in strict and pattern != target)):
                return [], f"nothing matches {shown(pattern)}"
            paths.update(dict.fromkeys(matches))
        if not paths and "m" in strict:
            return [], f"nothing matches {shown(target)}"
        return list(paths), ""

    def _file(self, statement: Statement, path: str, chain: tuple[str, ...]) -> tuple[list[Statement], list[Problem]]:
        if path in chain:
            route = " -> ".join([*chain[chain.index(path) :], path])
            return [], [error("this include leads back to itself", statement.mark_of(1), route)]
        try:
            text = self.open(path)
        except OSError as refusal:
            return [], [error(f"cannot read {shown(path)}: {refusal.strerror or refusal}", statement.mark_of(1))]
        longer = (*chain, path)
        found, problems = self.inside(text, longer)
        own = [s if s.origin else s._replace(origin=longer) for s in found]
        return own, [problem.within(0, path) for problem in problems]


def _alternatives(target: str) -> list[str]:
    """``a{b,c}`` as ``ab`` and ``ac``; nested braces from the inside out."""
    found = ALTERNATIVES.search(target)
    if not found:
        return [target]
    choices = [target[: found.start()] + choice + target[found.end() :] for choice in found[1].split(",")]
    return [path for choice in choices for path in _alternatives(choice)]
