"""A timer of the kernel that is a descriptor: it fires to the microsecond; the loop itself counts milliseconds."""

import ctypes
import math
import os
import time
from array import array

CLOCK_MONOTONIC, TFD_TIMER_ABSTIME = time.CLOCK_MONOTONIC, 1
"""sys/timerfd.h; Python has no name for them before 3.13."""

NANO = 1_000_000_000

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.timerfd_settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class TimerFd:
    """One instant of `time.monotonic`, at which ``fd`` becomes readable. Raises OSError when made."""

    def __init__(self) -> None:
        self.fd: int = LIBC.timerfd_create(CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        # struct itimerspec: the interval, which is none, and the instant; each in seconds and nanoseconds.
        self._times = array("l", (0, 0, 0, 0))
        self._at = self._times.buffer_info()[0]

    def arm(self, when: float) -> None:
        """Fire at ``when``, at once if that has passed, and not when it was to fire before. Infinity is never.

        That it has fired already is forgotten: until ``when``, ``fd`` is not readable.
        """
        at = 0 if when == math.inf else max(1, round(when * NANO))
        self._times[2], self._times[3] = divmod(at, NANO)
        LIBC.timerfd_settime(self.fd, TFD_TIMER_ABSTIME, self._at, None)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)
