"""How late an event loop is: what measures it, and what is kept of it."""

from collections import deque
from collections.abc import Callable
from typing import Any

from actors.runtime.clock import Clock

PERIOD = 0.25
"""Seconds between two looks."""

BUCKETS = 28
"""Powers of two of a microsecond, up to two minutes."""

MINUTE = 60


class Metronome:
    """Calls ``beat(late)`` every ``period`` seconds of ``clock``, with how many seconds it comes late.

    Beats that were missed meanwhile are left out.
    """

    def __init__(self, clock: Clock, period: float, beat: Callable[[float], None]) -> None:
        self._clock = clock
        self._period = period
        self._beat = beat
        self._due = clock.now() + period
        clock.call_at(self._due, self._tick)

    def _tick(self) -> None:
        now = self._clock.now()
        late = max(0.0, now - self._due)
        self._due = (self._due if late < self._period else now) + self._period
        self._clock.call_at(self._due, self._tick)
        self._beat(late)


class Lag:
    """How late the calls of ``clock`` are served, from now on: a histogram of it all, and the worst of each second of
    the last minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts = [0] * BUCKETS
        self._recent: deque[tuple[int, float]] = deque()
        Metronome(clock, PERIOD, self.note)

    def note(self, late: float) -> None:
        """Enter a lateness in seconds."""
        self._counts[min(int(late * 1e6).bit_length(), BUCKETS - 1)] += 1
        second = int(self._clock.now())
        if self._recent and self._recent[-1][0] == second:
            late = max(late, self._recent.pop()[1])
        self._recent.append((second, late))
        self._forget(second)

    def figures(self) -> dict[str, Any]:
        """In seconds ``median``, rounded up to a power of two of a microsecond, and ``worst`` of the last minute;
        ``histogram``: how often it was less than so many microseconds, and not less than half of that."""
        self._forget(int(self._clock.now()))
        return {
            "median": self._median() / 1e6,
            "worst": round(max((late for _, late in self._recent), default=0.0), 6),
            "histogram": {str(1 << place): count for place, count in enumerate(self._counts) if count},
        }

    def _median(self) -> int:
        half, seen = sum(self._counts) / 2, 0
        for place, count in enumerate(self._counts):
            seen += count
            if count and seen >= half:
                return 1 << place
        return 0

    def _forget(self, now: int) -> None:
        while self._recent and self._recent[0][0] <= now - MINUTE:
            self._recent.popleft()
