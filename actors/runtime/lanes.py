"""Lanes: where the probes of one checker run, one at a time, apart from its actor.

A greenlet lane runs a probe on the event loop, a thread lane in a native thread of its own. Both take a callable and
report how it ended; neither ever has a second one begun while the first still runs.
"""

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol
from weakref import WeakValueDictionary

import gevent
from gevent import monkey
from gevent._hub_local import get_hub_if_exists

from actors.runtime.workers import Workers

# Threads and queues of the operating system, also where the standard library is patched to be cooperative.
NativeQueue = monkey.get_original("queue", "SimpleQueue")
start_thread, native_id = monkey.get_original("_thread", ["start_new_thread", "get_native_id"])


class DeadlinePassed(BaseException):
    """Thrown into a probe whose time is over. Not an `Exception`, so that a probe's own handlers let it pass."""


class Ended:
    """How a probe ended: ``value`` or ``error``, and the seconds that it took."""

    __slots__ = ("error", "run", "seconds", "value")

    def __init__(self, run: int, value: Any, error: BaseException | None, seconds: float) -> None:
        self.run = run
        self.value = value
        self.error = error
        self.seconds = seconds


Report = Callable[[Ended], None]
Last = tuple[Callable[[], Any], Report]

LAST = -1
"""The run of what is no probe, but what is left to do when there are no more."""


class Lane(Protocol):
    """One probe at a time."""

    @property
    def busy(self) -> bool:
        """Whether the last probe has not ended, maybe long after it was abandoned."""

    def start(self, run: int, probe: Callable[[], Any], report: Report) -> None:
        """Run ``probe()``; then call ``report`` on the event loop. Must not be called while busy."""

    def abandon(self) -> None:
        """The running probe is too late: stop it where that is possible. It is still reported, whenever it ends."""

    def close(self, *last: Last) -> None:
        """No more probes; a running one is abandoned. May be called again.

        Each ``last`` is something to call where the probes ran, when none runs any more, and who hears of its end; in
        a thread only if that was begun.
        """


class GreenletLane:
    """Runs probes on the event loop; a late one has `DeadlinePassed` thrown into it."""

    __slots__ = ("__weakref__", "_greenlet", "_last", "_late", "_run", "_workers")

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._run: int | None = None
        self._late: int | None = None
        self._greenlet: Any = None
        self._last: tuple[Last, ...] = ()

    @property
    def busy(self) -> bool:
        """See `Lane.busy`."""
        return self._run is not None

    def start(self, run: int, probe: Callable[[], Any], report: Report) -> None:
        """See `Lane.start`."""
        self._run = run
        self._workers.spawn(self._carry_out, run, probe, report)

    def abandon(self) -> None:
        """Throw, or do not even begin; a probe that catches even that stays busy."""
        if self._run is not None:
            self._late = self._run
            gevent.get_hub().loop.run_callback(self._throw, self._run)

    def close(self, *last: Last) -> None:
        """See `Lane.close`."""
        self.abandon()
        self._last += last
        if not self.busy:
            self._finish()

    def _throw(self, run: int) -> None:
        if self._run == run and self._greenlet is not None:
            self._greenlet.throw(DeadlinePassed())

    def _carry_out(self, run: int, probe: Callable[[], Any], report: Report) -> None:
        self._greenlet = gevent.getcurrent()
        ended = Ended(run, None, DeadlinePassed(), 0.0) if self._late == run else _timed(run, probe)
        self._greenlet = self._run = None
        self._finish()
        report(ended)

    def _finish(self) -> None:
        last, self._last = self._last, ()
        for work, report in last:
            self._workers.spawn(lambda work=work, report=report: report(_timed(LAST, work)))


class ThreadLane:
    """Runs probes in one native thread, begun with the first probe."""

    __slots__ = ("__weakref__", "_hand_in", "_last", "_queue", "busy", "closed", "started", "thread")

    def __init__(self, hand_in: Callable[["ThreadLane | None", Ended, Report], None]) -> None:
        self._hand_in = hand_in
        self._queue = NativeQueue()
        self.started = False
        self.thread = 0
        self.busy = False
        self.closed = False
        self._last: tuple[Last, ...] = ()

    def start(self, run: int, probe: Callable[[], Any], report: Report) -> None:
        """See `Lane.start`."""
        if not self.started:
            start_thread(self._work, ())
            self.started = True
        self.busy = True
        self._queue.put((run, probe, report))

    def abandon(self) -> None:
        """A native thread cannot be stopped: it stays busy until its probe returns."""

    def close(self, *last: Last) -> None:
        """Let the thread end, at once or when its probe has returned."""
        self.closed = True
        self._last += last
        if not self.busy:
            self._finish()

    def ended(self) -> None:
        """For `Lanes`, on the event loop: the probe has returned."""
        self.busy = False
        self._finish()

    def _finish(self) -> None:
        """Have done what was to be last; then the thread ends, unless it was given to a restarted checker."""
        last, self._last = self._last, ()
        for work, report in last if self.started else ():
            self._queue.put((LAST, work, report))
        if self.closed:
            self._queue.put(None)

    def _work(self) -> None:
        self.thread = native_id()
        while (job := self._queue.get()) is not None:
            run, probe, report = job
            self._hand_in(None if run == LAST else self, _timed(run, probe), report)
            del job, probe, report  # a thread that waits keeps nothing alive
        hub = get_hub_if_exists()
        if hub is not None:  # left by a probe that used the patched standard library
            hub.destroy(destroy_loop=True)


class Lanes:
    """The lanes of a process, by checker id: a restarted checker finds its thread again, also a hanging one.

    A lane is known for as long as anybody has it: its checker, or its own thread.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._lanes: WeakValueDictionary[str, Lane] = WeakValueDictionary()
        self._inbox: deque[tuple[ThreadLane | None, Ended, Report]] = deque()
        self._async = gevent.get_hub().loop.async_()
        self._async.start(self._read)

    def open(self, id: str, threaded: bool) -> Lane:
        """The lane of checker ``id``. A thread that still hangs from before is given again, a greenlet is replaced."""
        lane = self._lanes.get(id)
        if isinstance(lane, ThreadLane) and threaded and lane.busy:
            lane.closed = False
            return lane
        if lane is not None:
            lane.close()
        self._lanes[id] = lane = ThreadLane(self._hand_in) if threaded else GreenletLane(self._workers)
        return lane

    def known(self) -> tuple[str, ...]:
        """Ids of the checkers whose lanes are still known."""
        return tuple(self._lanes)

    def threads(self) -> set[int]:
        """The kernel's numbers of the lanes' threads."""
        return {lane.thread for lane in self._lanes.values() if isinstance(lane, ThreadLane)}

    def _hand_in(self, lane: ThreadLane | None, ended: Ended, report: Report) -> None:
        self._inbox.append((lane, ended, report))
        self._async.send()

    def _read(self) -> None:
        while self._inbox:
            lane, ended, report = self._inbox.popleft()
            if lane is not None:
                lane.ended()
            self._workers.spawn(report, ended)


def _timed(run: int, probe: Callable[[], Any]) -> Ended:
    began = monotonic()
    try:
        value, error = probe(), None
    except BaseException as caught:  # whatever a plugin does, its actor decides what it means
        value, error = None, caught
    return Ended(run, value, error, monotonic() - began)
