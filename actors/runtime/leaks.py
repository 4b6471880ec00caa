"""Leaks: which plugin leaves descriptors or threads behind. Now and then one probe is looked at.

What is there after a probe and was not before may be of another that ran meanwhile; so it only counts when it is still
there much later, and only when there is much of it.
"""

import os
from collections.abc import Callable
from time import monotonic
from typing import Any

import structlog
from gevent import monkey

close = monkey.get_original("os", "close")  # gevent's closes later

EVERY = 5.0
"""Seconds from one probe that is looked at to the next."""

GRACE = 30.0
"""Seconds after which what another probe had open is closed."""

MANY = 12
"""Left-overs that are a leak. A client library may keep some connections, and gevent's resolver up to ten threads."""

DESCRIPTORS, THREADS = "/proc/self/fd", "/proc/self/task"

log = structlog.get_logger()

Thing = tuple[str, str, int]
"""Where it is listed, under which number, and what tells it from another that gets the number later."""


class Look:
    """What there was before a probe, and what more after it."""

    __slots__ = ("_before", "left", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.left: set[Thing] = set()
        self._before = _listed()

    def end(self) -> None:
        """The probe has ended. May be called in the probe's own thread."""
        self.left = {thing for where, number in _listed() - self._before if (thing := _thing(where, number))}


class Leaks:
    """Keeps what probes left, by the plugin's name, and warns of those that leave more and more.

    ``spared`` are the threads of this program itself.
    """

    def __init__(
        self, spared: Callable[[], set[int]] = set, every: float = EVERY, grace: float = GRACE, many: int = MANY
    ) -> None:
        self._spared = spared
        self._every, self._grace, self._many = every, grace, many
        self._next = 0.0
        self._left: dict[str, dict[Thing, float]] = {}
        self._warned: dict[str, int] = {}

    def look(self, name: str) -> Look | None:
        """To be called before a probe: the look at it, if it is one to be looked at."""
        now = monotonic()
        if now < self._next:
            return None
        self._next = now + self._every
        return Look(name)

    def note(self, look: Look) -> None:
        """On the event loop: the look has ended."""
        now, spared = monotonic(), {(THREADS, str(tid)) for tid in self._spared()}
        known = self._left.setdefault(look.name, {})
        known |= {thing: now for thing in look.left if thing[:2] not in spared}
        for thing in [thing for thing in known if _thing(*thing[:2]) != thing]:
            del known[thing]
        old = [where for (where, _, _), since in known.items() if now - since >= self._grace]
        if len(old) >= max(self._many, 2 * self._warned.get(look.name, 0)):
            self._warned[look.name] = len(old)
            counts: dict[str, Any] = {"descriptors": old.count(DESCRIPTORS), "threads": old.count(THREADS)}
            log.warning("plugin leaks: of the probes looked at, this much was left", keyword=look.name, **counts)


def _listed() -> set[tuple[str, str]]:
    listed = {(where, number) for where in (DESCRIPTORS, THREADS) for number in os.listdir(where)}
    free = os.dup(0)  # the lowest number that is free, and so the one by which the folders were read
    close(free)
    return listed - {(DESCRIPTORS, str(free))}


def _thing(where: str, number: str) -> Thing | None:
    """None for what is gone. A thread's number is not given again for long, and its inode may change."""
    try:
        inode = os.stat(f"{where}/{number}").st_ino
        return where, number, inode if where == DESCRIPTORS else 0
    except OSError:
        return None
