"""Greenlets that carry work out, used again and again: an idle actor holds none, a busy one holds one."""

import sys
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
from gevent.hub import Hub
from greenlet import greenlet

IDLE = 64
"""Parked greenlets kept for the next burst of work; more are let go."""

TURN = 256
"""Pieces of work begun in one go before the loop looks at its sockets again."""

Work = tuple[Callable[..., Any], tuple[Any, ...]]


class Workers:
    """Runs callables, each in a greenlet in which it may block cooperatively.

    Work is begun in order, in batches: one callback of the loop begins all that is waiting. What a callable raises is
    reported by the hub, and the others go on.
    """

    def __init__(self) -> None:
        self._hub: Hub = gevent.get_hub()
        self._idle: list[greenlet] = []
        self._waiting: deque[Work] = deque()
        self._turn = 0
        self._called = False
        # Callbacks that add callbacks keep libev from polling; a timer, even of no time, is served after the poll.
        self._after_poll: Any = self._hub.loop.timer(0.0)

    def spawn(self, work: Callable[..., Any], *args: Any) -> None:
        """Have ``work(*args)`` run soon."""
        self._waiting.append((work, args))
        if not self._called:
            self._called = True
            self._hub.loop.run_callback(self._begin)

    @property
    def parked(self) -> int:
        """Greenlets that wait for work."""
        return len(self._idle)

    def _begin(self) -> None:
        # Runs in the hub. A worker takes what waits; when something blocks in it, control comes back here, and the
        # next worker takes the rest.
        self._turn = TURN
        while self._waiting and self._turn:
            worker = self._idle.pop() if self._idle else greenlet(self._work, self._hub)
            worker.switch()
        self._called = bool(self._waiting)
        if self._called:
            self._after_poll.start(self._begin)

    def _work(self) -> None:
        me = gevent.getcurrent()
        while True:
            self._work_off()
            if len(self._idle) >= IDLE:
                return
            self._idle.append(me)
            self._hub.switch()

    def _work_off(self) -> None:
        while self._waiting and self._turn:
            self._turn -= 1
            work, args = self._waiting.popleft()
            try:
                work(*args)
            except BaseException:  # one that got away may not take the batch with it
                self._hub.handle_error(work, *sys.exc_info())
