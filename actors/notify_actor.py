"""Runs the programs of notifications: in order within a source, sources side by side."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from actors.core.repeats import Repeats
from actors.messages import Ran, Run

if TYPE_CHECKING:
    from actors.runtime.actor import Context

QUEUED = 100
"""Programs of one source that may wait; beyond, old news gives way to new."""

FAREWELL = 5.0
"""Seconds that a stop waits for what is still queued."""

QUIET = 60.0
"""Seconds between two warnings about the same program of the same source."""


class Programs(Protocol):
    """What runs programs: the spawner, or a test's own."""

    def start(self, run: Run, reply: Callable[[Ran], None]) -> None:
        """Have it run; ``reply`` is called once, when it has ended, however that came about."""

    def drain(self, limit: float) -> bool:
        """Wait until nothing runs, at most ``limit`` seconds; whether that came about."""


class Source:
    """The programs of one source: ``running``, those that wait behind it, and its end if that is still to be read."""

    __slots__ = ("ended", "running", "waiting")

    def __init__(self, running: Run) -> None:
        self.running = running
        self.waiting: deque[Run] = deque()
        self.ended: Ran | None = None

    def add(self, run: Run) -> Run | None:
        """Queue; the one that had to give way: the oldest that is asked for again later, else the oldest.

        So the last word of a source is always spoken, and of what happened in between the newest part.
        """
        self.waiting.append(run)
        if len(self.waiting) <= QUEUED:
            return None
        later = [each.argv for each in self.waiting]
        for place, each in enumerate(self.waiting):
            if each.argv in later[place + 1 :]:
                del self.waiting[place]
                return each
        return self.waiting.popleft()


class NotifyActor:
    """Answers no one: a failed program is a warning in the log, and a figure.

    No greenlet waits for a program: its end comes back as a `Ran` message, and then the next of its source is started.
    """

    def __init__(self, context: "Context", spawner: Programs) -> None:
        self._context = context
        self._programs = spawner
        self._sources: dict[str, Source] = {}
        self._warnings = Repeats(QUIET)
        self._stopping = False
        self.started = self.failed = self.superseded = 0

    def on_start(self) -> None:
        """Nothing: it waits to be asked. What a crashed predecessor had queued is lost."""

    def receive(self, message: Any) -> None:
        """A program is wanted, or one has ended."""
        match message:
            case Run():
                self._want(message)
            case Ran():
                self._ended(message)

    def on_stop(self, final: bool) -> None:
        """Run what is still queued, within `FAREWELL` seconds; what is left then is lost, with a warning."""
        self._stopping = True
        for source in tuple(self._sources.values()):
            if source.ended is not None:
                self._ended(source.ended)
        if not self._programs.drain(FAREWELL):
            lost = sum(1 + len(source.waiting) for source in self._sources.values())
            self._context.log.warning("programs given up at the stop", lost=lost, seconds=FAREWELL)

    def explain(self) -> list[str]:
        """For an operator: what runs, what waits, and the counts."""
        now = [
            f"  {name}: {source.running.event} runs {' '.join(source.running.argv)}, {len(source.waiting)} wait"
            for name, source in self._sources.items()
        ]
        return [f"started {self.started}, failed {self.failed}, superseded {self.superseded}", *now]

    def _want(self, run: Run) -> None:
        source = self._sources.get(run.source)
        if source is None:
            self._sources[run.source] = Source(run)
            self._start(run)
        elif source.add(run):
            self.superseded += 1

    def _start(self, run: Run) -> None:
        self.started += 1
        self._context.log.debug("program", source=run.source, happened=run.event, argv=run.argv)
        self._programs.start(run, self._reply)

    def _reply(self, ran: Ran) -> None:
        # Called from outside. Once the mailbox is no longer read, what is queued is carried on from here.
        self._sources[ran.source].ended = ran
        if self._stopping:
            self._ended(ran)
        else:
            self._context.tell(self._context.id, ran)

    def _ended(self, ran: Ran) -> None:
        source = self._sources.get(ran.source)
        if source is None or source.ended is not ran:
            return  # a program of a predecessor that crashed: not in this queue
        source.ended = None
        if ran.error or ran.status:
            self._warn(source.running, ran)
        if source.waiting:
            source.running = source.waiting.popleft()
            self._start(source.running)
        else:
            del self._sources[ran.source]

    def _warn(self, run: Run, ran: Ran) -> None:
        self.failed += 1
        more = self._warnings.admit(f"{run.source} {run.argv}", self._context.now())
        if more is None:
            return
        also = {"more_like_it": more} if more else {}
        reason = ran.error or (f"ended by signal {-ran.status}" if ran.status < 0 else f"exit status {ran.status}")
        news = {"source": run.source, "happened": run.event, "argv": run.argv, "reason": reason}
        self._context.log.warning("program failed", **news, **also)
