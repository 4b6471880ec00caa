"""Holds: who keeps the event loop from everybody else. A native thread looks now and then at what the loop's one does.

Nothing is counted or noted while probes run: whose code it is that runs is read from the stack of the loop's thread.
"""

import sys
import time
import traceback
from collections.abc import Callable
from time import monotonic
from types import CodeType, FrameType
from typing import Any

import gevent
from gevent import monkey

LOOK = 0.04
"""Seconds from one look to the next."""

HOLD = 0.1
"""Seconds of the same work without a break that are a hold."""

SHOWN = 6
"""Frames of the stack that are shown."""

native_sleep = monkey.get_original("time", "sleep")
start_thread, get_ident = monkey.get_original("_thread", ["start_new_thread", "get_ident"])

Told = Callable[[Any, float, str], None]


class Watchdog:
    """Calls ``told(owner, seconds, stack)`` on the loop after each hold by a call of ``code``, a method of ``owner``.

    ``number`` tells one call of an owner from its next. To be made in the loop's thread; it lives as long as that.
    """

    def __init__(self, code: CodeType, number: Callable[[Any], int], told: Told) -> None:
        self._code = code
        self._number = number
        self._told = told
        self._thread = get_ident()
        self._clock = time.pthread_getcpuclockid(self._thread)
        self._loop = gevent.get_hub().loop
        start_thread(self._watch, ())

    def _watch(self) -> None:
        held: tuple[Any, int] | None = None
        since, stack = 0.0, ""
        while True:
            before, work = monotonic(), time.clock_gettime(self._clock)
            native_sleep(LOOK)
            now = monotonic()
            seen, frame = self._seen()
            if held is not None and seen != held:
                if stack:
                    self._loop.run_callback_threadsafe(self._told, held[0], now - since, stack)
                held, stack = None, ""
            if seen is not None and held is None:
                # A call in C that lets no other thread run is only seen at its end: then what it took is what was late.
                late = now - before - LOOK
                worked = time.clock_gettime(self._clock) - work
                held, since = seen, now - (late if worked > late / 2 else 0.0)
            if held is not None and not stack and now - since >= HOLD and frame is not None:
                stack = "".join(traceback.format_stack(frame)[-SHOWN:])
            del frame  # which would keep all its values alive

    def _seen(self) -> tuple[tuple[Any, int] | None, FrameType | None]:
        """Whose call runs now, and the innermost frame."""
        top = frame = sys._current_frames().get(self._thread)
        while frame is not None and frame.f_code is not self._code:
            frame = frame.f_back
        owner = frame.f_locals.get("self") if frame is not None else None
        return (None, None) if owner is None else ((owner, self._number(owner)), top)
