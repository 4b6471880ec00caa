"""Clocks: ``now()`` and ``call_at()``. All that is due is served in one wake-up.

Callbacks are not handed back for cancelling: who armed one knows a generation and ignores what is stale.
"""

import heapq
import math
import time
from collections.abc import Callable
from typing import Any, Protocol

import gevent


class Clock(Protocol):
    """Time in seconds since an arbitrary start; it never jumps."""

    def now(self) -> float:
        """The time."""

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
    """The monotonic clock, served by one timer of the gevent loop of the thread that makes it."""

    def __init__(self) -> None:
        self._agenda = Agenda()
        self._loop = gevent.get_hub().loop
        self._timer: Any = None
        self._armed = math.inf

    def now(self) -> float:
        """Seconds of CLOCK_MONOTONIC."""
        return time.monotonic()

    def call_at(self, when: float, callback: Callable[..., None], *args: Any) -> None:
        """See `Clock.call_at`; libev may be up to 1 ms early or late."""
        if self._agenda.add(when, (callback, args)):
            self._arm()

    def _arm(self) -> None:
        first = self._agenda.first()
        if first >= self._armed:
            return
        if self._timer is not None:
            self._timer.close()
        self._armed = first
        self._timer = self._loop.timer(max(0.0, first - time.monotonic()))
        self._timer.start(self._serve, update=True)

    def _serve(self) -> None:
        # libev counts in whole milliseconds: what is due within the next one is due now.
        now = time.monotonic() + 0.001
        while calls := self._agenda.pop(now):
            for callback, args in calls:
                callback(*args)
        self._armed = math.inf
        self._arm()


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: float = 0.0) -> None:
        self._now = now
        self._agenda = Agenda()

    def now(self) -> float:
        """Where the test has moved it."""
        return self._now

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
