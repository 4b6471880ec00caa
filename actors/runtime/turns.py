"""Turns: of many that want to run, only so many at once do; the rest wait in the order in which they came."""

from collections.abc import Callable, Hashable


class Turns:
    """At most ``limit`` at once; 0 is no limit. For one event loop."""

    def __init__(self, limit: int = 0) -> None:
        self._limit = limit
        self._inside: set[Hashable] = set()
        self._waiting: dict[Hashable, Callable[[], None]] = {}

    @property
    def limit(self) -> int:
        """See the class; when it is raised, those that wait come in."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._admit()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def enter(self, who: Hashable, go: Callable[[], None]) -> bool:
        """Whether ``who`` may begin; if not, ``go`` is called as soon as it is its turn."""
        if self._is_free:
            self._inside.add(who)
            return True
        self._waiting[who] = go
        return False

    def leave(self, who: Hashable) -> None:
        """``who`` has ended, or does not want to begin any more."""
        self._waiting.pop(who, None)
        self._inside.discard(who)
        self._admit()

    @property
    def _is_free(self) -> bool:
        return not self._limit or len(self._inside) < self._limit

    def _admit(self) -> None:
        while self._waiting and self._is_free:
            who = next(iter(self._waiting))
            go = self._waiting.pop(who)
            self._inside.add(who)
            go()
