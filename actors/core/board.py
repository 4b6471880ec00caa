"""The status board: the last status of every source, and who wants to hear of it.

Pure: it answers *who* must be told *what*; the supervisor does the telling.
"""

import re
from collections.abc import Iterator

from actors.core.status import AnyStatus


class Board:
    """Retains the last status of each source and matches sources against subscriptions.

    A pattern is a source id in which ``*`` stands for any text: ``check/web``, ``vs/10.0.0.1:80:tcp/rs/*``, ``*``.
    """

    def __init__(self) -> None:
        self._retained: dict[str, AnyStatus] = {}
        self._filed: dict[str, dict[str, AnyStatus]] = {}  # the same, by each folder that a source lies in
        self._exact: dict[str, dict[str, None]] = {}
        self._folders: dict[str, dict[str, None]] = {}
        self._globs: dict[str, tuple[re.Pattern[str], dict[str, None]]] = {}
        self._patterns: dict[str, set[str]] = {}

    def publish(self, status: AnyStatus) -> list[str]:
        """Retain ``status`` and return the subscribers to tell, none when it equals what was retained."""
        if self._retained.get(status.source) == status:
            return []
        self._retained[status.source] = status
        for folder in _folders(status.source):
            self._filed.setdefault(folder, {})[status.source] = status
        return list(self._audience(status.source))

    def subscribe(self, subscriber: str, pattern: str) -> list[AnyStatus]:
        """Add a subscription and return the retained statuses that it matches, for replay."""
        self._patterns.setdefault(subscriber, set()).add(pattern)
        self._room(pattern)[subscriber] = None
        if "*" not in pattern:
            return [self._retained[pattern]] if pattern in self._retained else []
        if _is_folder(pattern):
            return list(self._filed.get(pattern[:-1], {}).values())
        matches = _glob(pattern).fullmatch
        return [status for source, status in self._retained.items() if matches(source)]

    def unsubscribe(self, subscriber: str) -> None:
        """Withdraw every subscription of ``subscriber``; unknown subscribers are fine."""
        for pattern in self._patterns.pop(subscriber, ()):
            self._room(pattern).pop(subscriber, None)
            self._sweep(pattern)

    def forget(self, source: str) -> None:
        """Drop the retained status of a source that exists no more."""
        if self._retained.pop(source, None) is None:
            return
        for folder in _folders(source):
            del self._filed[folder][source]
            if not self._filed[folder]:
                del self._filed[folder]

    def last(self, source: str) -> AnyStatus | None:
        """The retained status of ``source``."""
        return self._retained.get(source)

    def retained(self) -> tuple[AnyStatus, ...]:
        """Every retained status, in order of each source's first publication."""
        return tuple(self._retained.values())

    def audience(self, source: str) -> tuple[str, ...]:
        """The subscribers whose patterns match ``source``."""
        return tuple(self._audience(source))

    def _audience(self, source: str) -> Iterator[str]:
        heard: set[str] = set()
        for room in self._rooms_of(source):
            for subscriber in room:
                if subscriber not in heard:
                    heard.add(subscriber)
                    yield subscriber

    def _rooms_of(self, source: str) -> Iterator[dict[str, None]]:
        if source in self._exact:
            yield self._exact[source]
        for folder in _folders(source):
            if folder in self._folders:
                yield self._folders[folder]
        for glob, room in self._globs.values():
            if glob.fullmatch(source):
                yield room

    def _room(self, pattern: str) -> dict[str, None]:
        if "*" not in pattern:
            return self._exact.setdefault(pattern, {})
        if _is_folder(pattern):
            return self._folders.setdefault(pattern[:-1], {})
        return self._globs.setdefault(pattern, (_glob(pattern), {}))[1]

    def _sweep(self, pattern: str) -> None:
        if self._room(pattern):
            return
        if "*" not in pattern:
            del self._exact[pattern]
        elif _is_folder(pattern):
            del self._folders[pattern[:-1]]
        else:
            del self._globs[pattern]


def _folders(source: str) -> Iterator[str]:
    """``vs/a/rs/b`` lies in ``vs/``, in ``vs/a/`` and in ``vs/a/rs/``."""
    slash = source.find("/") + 1
    while slash:
        yield source[:slash]
        slash = source.find("/", slash) + 1


def _is_folder(pattern: str) -> bool:
    """Whether the only wildcard ends the pattern, after a slash: these are found by prefix, not tried in turn."""
    return pattern.endswith("/*") and pattern.count("*") == 1


def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(piece) for piece in pattern.split("*")), re.DOTALL)
