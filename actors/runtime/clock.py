"""Clocks: ``now()`` and ``call_at()``. All that is due is served in one wake-up.

Callbacks are not handed back for cancelling: who armed one knows a generation and ignores what is stale.
"""

import heapq
import math
import time
from collections.abc import Callable
from typing import Any, Protocol

import gevent

from actors.runtime.timerfd import TimerFd

READ = 1
"""libev's EV_READ."""

EPOCH = 1_780_000_000.0
"""When manual clocks begin, in seconds since 1970: in May 2026."""


class Clock(Protocol):
    """Time in seconds since an arbitrary start; it never jumps."""

    def now(self) -> float:
        """The time."""

    def wall(self) -> float:
        """Seconds since 1970, for what other machines are told. This may jump."""

    def call_at(self, when: float, callback: Callable[..., None], *args: Any) -> None:
        """Call ``callback(*args)``, which must not raise, once at ``when``; in order of ``when``, then of the calls."""


Call = tuple[Callable[..., None], tuple[Any, ...]]


class Agenda:
    """What is due when: calls for the same instant share one entry of the heap."""

    __slots__ = ("_calls", "_times")

    def __init__(self) -> None:
        self._times: list[float] = []
        self._calls: dict[float, list[Call]] = {}

    def add(self, when: float, call: Call) -> bool:
        """Enter a call; True when it has become the first of all."""
        calls = self._calls.get(when)
        if calls is not None:
            calls.append(call)
            return False
        self._calls[when] = [call]
        heapq.heappush(self._times, when)
        return self._times[0] == when

    def first(self) -> float:
        """The earliest instant, infinity when there is none."""
        return self._times[0] if self._times else math.inf

    def pop(self, now: float) -> list[Call]:
        """Take the calls of the earliest instant, none when it lies after ``now``."""
        if self.first() > now:
            return []
        return self._calls.pop(heapq.heappop(self._times))


class LoopClock:
    """The monotonic clock, served by the gevent loop of the thread that makes it: one timer of the kernel for all."""

    def __init__(self) -> None:
        self._agenda = Agenda()
        self._timer = TimerFd()
        self._armed = math.inf
        self._watcher: Any = gevent.get_hub().loop.io(self._timer.fd, READ)
        self._watcher.start(self._serve)

    def now(self) -> float:
        """Seconds of CLOCK_MONOTONIC."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds of CLOCK_REALTIME."""
        return time.time()

    def call_at(self, when: float, callback: Callable[..., None], *args: Any) -> None:
        """See `Clock.call_at`; never early, and late by what the loop is busy with."""
        if self._agenda.add(when, (callback, args)) and when < self._armed:
            self._arm(when)

    def close(self) -> None:
        """Call nobody any more."""
        self._watcher.stop()
        self._watcher.close()
        self._timer.close()

    def _arm(self, when: float) -> None:
        self._armed = when
        self._timer.arm(when)

    def _serve(self) -> None:
        now = time.monotonic()
        while calls := self._agenda.pop(now):
            for callback, args in calls:
                callback(*args)
        self._arm(self._agenda.first())  # which also takes note that it has fired


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: float = 0.0) -> None:
        self.began = EPOCH
        self._now = now
        self._agenda = Agenda()

    def now(self) -> float:
        """Where the test has moved it."""
        return self._now

    def wall(self) -> float:
        """As much after ``began``, which a test may set."""
        return self.began + self._now

    def call_at(self, when: float, callback: Callable[..., None], *args: Any) -> None:
        """See `Clock.call_at`."""
        self._agenda.add(when, (callback, args))

    def advance(self, seconds: float, settle: Callable[[], None]) -> None:
        """Move on by ``seconds``: settle, then serve each instant due on the way and settle after it."""
        end = self._now + seconds
        settle()
        while (due := self._agenda.first()) <= end:
            self._now = max(self._now, due)
            for callback, args in self._agenda.pop(due):
                callback(*args)
            settle()
        self._now = end
