"""The garbage collector of a process that must never be late: it comes when it is called, and has little to look at.

Python's own comes when enough objects were made, which is when there is most to do, and looks at everything now and
then: 10,000 actors hold it up for a quarter of a second.
"""

import gc
from time import perf_counter

from actors.runtime.clock import Clock

PERIOD = 10.0
"""Seconds from one coming to the next."""


class Collector:
    """Takes the collector's place. What has come to stay is never looked at again; what is garbage among that, is
    garbage for ever: it came with the start or a reload, so that is bounded. ``slowest`` is in seconds."""

    def __init__(self, clock: Clock) -> None:
        self.slowest = 0.0
        self.found = 0
        self._clock = clock
        self._fresh = True
        gc.disable()
        self._come_again()

    def expect(self) -> None:
        """Something comes to stay."""
        self._fresh = True

    def come(self) -> None:
        """Set apart what has come, or else collect what is younger."""
        if self._fresh:
            self._fresh = False
            gc.freeze()
        else:
            began = perf_counter()
            self.found += gc.collect()
            self.slowest = max(self.slowest, perf_counter() - began)
        self._come_again()

    def _come_again(self) -> None:
        self._clock.call_at(self._clock.now() + PERIOD, self.come)
