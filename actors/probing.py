"""Joins plugins to lanes: what a checker actor is given to probe with, and what a probe's end means."""

import sys
import traceback
from collections import deque
from collections.abc import Callable
from itertools import islice
from operator import attrgetter
from time import monotonic
from typing import Any

import gevent
import structlog

from actors.checker_actor import CheckerSpec, ProbeNow
from actors.core.status import OWN, WHOLE
from actors.messages import Begun, Probed
from actors.programs import Programs
from actors.runtime.dial import CooperativeDial, NativeDial
from actors.runtime.holds import Watchdog
from actors.runtime.lanes import DeadlinePassed, Ended, Lane, Lanes
from actors.runtime.leaks import Leaks, Look
from actors.runtime.turns import Turns
from plugins.api import Counted, Degraded, Failed, Result, Session, Source, Target, Weighed, build
from plugins.registry import Library, Place

Report = Callable[[Begun | Probed | ProbeNow], None]

RUN = attrgetter("run")

OFTEN, PERIOD = 3, 60.0
"""So many holds of the event loop within so many seconds are too often."""

READ = 1
"""libev's number."""

PAUSE = 0.05
"""Seconds from the beginning of a probe to that of one that news bring: what changes all the time is not looked at more
often."""

WATCHED = 64
"""Descriptors of one checker; more are not watched."""

log = structlog.get_logger()

LONGEST = 300
"""Characters of a detail; a plugin that quotes a whole page is cut short."""

METRICS = 32
"""Figures of its own that a probe may give; more are left out."""


class Watch:
    """Calls ``wake`` once, when one of ``descriptors`` can be read, but not before ``earliest`` (`time.monotonic`)."""

    __slots__ = ("_earliest", "_readers", "_timer", "_wake")

    def __init__(self, descriptors: tuple[int, ...], earliest: float, wake: Callable[[], None]) -> None:
        loop = gevent.get_hub().loop
        self._earliest = earliest
        self._wake = wake
        self._timer: Any = None
        self._readers = [loop.io(each, READ) for each in descriptors[:WATCHED]]
        for reader in self._readers:
            reader.start(self._readable)

    def close(self) -> None:
        """Look no more; the descriptors may be closed then."""
        for each in (*self._readers, *filter(None, (self._timer,))):
            each.stop()
            each.close()
        self._readers, self._timer = [], None

    def _readable(self) -> None:
        self.close()
        early = self._earliest - monotonic()
        if early <= 0:
            self._wake()
            return
        self._timer = gevent.get_hub().loop.timer(early)
        self._timer.start(self._wake)


class Record:
    """What is known of a check, whoever runs it: when it held the loop last, and whether it was ``moved`` for that."""

    __slots__ = ("holds", "moved", "times")

    def __init__(self) -> None:
        self.holds = 0
        self.moved = False
        self.times: deque[float] = deque(maxlen=OFTEN)

    def hold(self, now: float) -> bool:
        """It has held the loop again; whether that is too often."""
        self.holds += 1
        self.times.append(now)
        return len(self.times) == OFTEN and now - self.times[0] <= PERIOD


class PluginProbe:
    """One checker's plugin in its lane, and what it watches between two probes.

    One that holds the event loop too often goes on in a lane of ``elsewhere``, a thread.
    """

    __slots__ = (
        "_began",
        "_closed",
        "_dial",
        "_elsewhere",
        "_lane",
        "_leaks",
        "_look",
        "_plugin",
        "_record",
        "_report",
        "_run",
        "_session",
        "_source",
        "_spec",
        "_turns",
        "_watch",
    )

    def __init__(
        self,
        spec: CheckerSpec,
        plugin: Any,
        lane: Lane,
        dial: Any,
        report: Report,
        turns: Turns,
        leaks: Leaks | None = None,
        record: Record | None = None,
        elsewhere: Callable[[], tuple[Lane, Any]] | None = None,
    ) -> None:
        self._spec = spec
        self._turns = turns
        self._run = 0
        self._leaks = leaks
        self._look: Look | None = None
        self._source = Source(spec.bindto, spec.bind_port, spec.fwmark, spec.tos, spec.interface)
        self._plugin = plugin
        self._record = record or Record()
        self._elsewhere = elsewhere
        self._session = Session(plugin)
        self._lane = lane
        self._dial = dial
        self._report = report
        self._watch: Watch | None = None
        self._began = 0.0
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether the last probe has not ended, maybe long after it was abandoned."""
        return self._lane.busy

    @property
    def holds(self) -> int:
        """How often it has held the event loop."""
        return self._record.holds

    @property
    def moved(self) -> bool:
        """Whether it runs in a thread, though it was not declared so."""
        return self._record.moved

    @property
    def run(self) -> int:
        """The number of its last run."""
        return self._run

    def hold(self, seconds: float, stack: str) -> None:
        """It has held the event loop."""
        too_often = self._record.hold(monotonic())
        seen = {"actor": self._spec.id, "seconds": round(seconds, 2), "times": self._record.holds}
        log.warning("plugin holds the event loop", **seen, stack=stack)
        if too_often and not self._record.moved and self._elsewhere is not None:
            self._record.moved = True
            log.warning("checker goes on in a thread of its own", actor=self._spec.id, declared=self._spec.title)

    def start(self, run: int) -> bool:
        """Have the plugin probe, when it is its turn; the deadline counts from when it really begins."""
        self._look_away()
        self._run = run
        begins = self._turns.enter(self, self._go)
        if begins:
            self._begin()
        return begins

    def _go(self) -> None:
        self._begin()
        self._report(Begun(self._run))

    def _begin(self) -> None:
        self._began = monotonic()
        if self._record.moved and self._elsewhere is not None:
            self._move(*self._elsewhere())
        self._lane.start(self._run, self._probe, self._ended)

    def abandon(self) -> None:
        """The running probe is too late; another may have its turn, also if it cannot be stopped."""
        self._turns.leave(self)
        self._lane.abandon()

    def close(self) -> None:
        """No more probes; a client that was kept is closed where it was used."""
        self._closed = True
        self._look_away()
        self._turns.leave(self)
        self._lane.close((self._session.close, self._parted))

    def _move(self, lane: Lane, dial: Any) -> None:
        self._lane.close((self._session.close, self._parted))
        self._session = Session(self._plugin)
        self._lane, self._dial, self._elsewhere = lane, dial, None

    def _probe(self) -> Result:
        spec = self._spec
        identity = (spec.user, spec.group)
        target = Target(spec.address, spec.port, spec.timeout, self._source, self._dial, identity=identity)
        if self._leaks is None or not self._session.is_set_up:  # a client that is made may well keep something
            return self._session.probe(target)
        look = self._leaks.look(spec.keyword)
        try:
            return self._session.probe(target)
        finally:
            if look is not None:
                look.end()
                self._look = look

    def _parted(self, ended: Ended) -> None:
        if ended.error is not None:
            trace = "".join(traceback.format_exception(ended.error))
            log.warning("plugin crashed while it closed its client", actor=self._spec.id, trace=trace)

    def _ended(self, ended: Ended) -> None:
        self._turns.leave(self)
        if self._leaks is not None and self._look is not None:
            look, self._look = self._look, None
            self._leaks.note(look)
        self._report(judge(ended))
        if not self._closed:  # else the client is about to be closed, and its descriptors with it
            self._keep_watch()

    def _keep_watch(self) -> None:
        """Whatever the plugin's watch() throws is no worse than not to watch: the next probe comes in its time."""
        try:
            news = self._session.news()
        except Exception as error:
            trace = "".join(traceback.format_exception(error))
            log.warning("plugin crashed in its watch", actor=self._spec.id, trace=trace)
            return
        if news:
            self._watch = Watch(news, self._began + PAUSE, self._wake)

    def _wake(self) -> None:
        self._report(ProbeNow())

    def _look_away(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None


class PluginProbes:
    """Makes probes of plugins, whose code is loaded when the first checker that uses it comes to live here.

    ``programs`` runs what they want to be run, ``turns`` is how many of them probe at once.
    """

    def __init__(self, lanes: Lanes, leaks: Leaks | None = None) -> None:
        """With ``leaks``, what plugins leave behind is looked for."""
        self.programs = Programs()
        self.turns = Turns()
        self._library = Library()
        self._leaks = leaks
        self._lanes = lanes
        self._cooperative = CooperativeDial(self.programs.run)
        self._native = NativeDial(self.programs.run_from_thread)
        self._moved: dict[CheckerSpec, Record] = {}
        self._watchdog: Watchdog | None = None

    def open(self, spec: CheckerSpec, report: Report) -> PluginProbe:
        """See `actors.checker_actor.Probes`."""
        place = Place(spec.origin, spec.edition) if spec.origin else None
        plugin = build(self._library.checker(spec.keyword, place), spec.options)
        dial = self._native if spec.threaded else self._cooperative
        lane = self._lanes.open(spec.id, spec.threaded)
        if spec.threaded:
            return PluginProbe(spec, plugin, lane, dial, report, self.turns, self._leaks)
        if self._watchdog is None:
            self._watchdog = Watchdog(PluginProbe._probe.__code__, RUN, PluginProbe.hold)
        record = self._moved.get(spec) or Record()

        def elsewhere() -> tuple[Lane, Any]:
            self._moved[spec] = record
            return self._lanes.open(spec.id, True), self._native

        return PluginProbe(spec, plugin, lane, dial, report, self.turns, self._leaks, record, elsewhere)


def judge(ended: Ended) -> Probed:
    """What the end of a probe means: a result, a stop at the deadline, or a crash of the plugin."""
    result = ended.value
    if ended.error is None:
        share = result.weight if isinstance(result, Degraded) else WHOLE
        weight = result.weight if isinstance(result, Weighed) else OWN
        value = result.value if isinstance(result, Counted) else 0
        passed, detail, metrics = not isinstance(result, Failed), _told(result.detail), _numbers(result.metrics)
        return Probed(ended.run, passed, detail, ended.seconds, "", share, weight, value, metrics)
    if isinstance(ended.error, DeadlinePassed):
        return Probed(ended.run, False, "stopped at its deadline", ended.seconds)
    trace = "".join(traceback.format_exception(ended.error))
    return Probed(ended.run, False, "the plugin crashed", ended.seconds, crash=trace)


def _numbers(metrics: Any) -> tuple[tuple[str, float], ...]:
    """Figures that JSON can carry: so many, and of them what has a name and is a finite number."""
    if type(metrics) is not dict:
        return ()
    given = ((name, value) for name, value in islice(metrics.items(), METRICS) if isinstance(value, int | float))
    return tuple((_told(name), float(value)) for name, value in given if abs(value) <= sys.float_info.max)


def _told(detail: Any) -> str:
    """A detail that logs, JSON and terminals can carry: one short line of printable text; what is no text is named."""
    if not isinstance(detail, str):
        return f"<{type(detail).__name__}>"
    text = detail[:LONGEST]
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
