"""A named checker: schedules its probe, limits its time, debounces its results, publishes a verdict."""

from collections.abc import Callable
from random import Random
from typing import Any, Protocol
from zlib import crc32

import msgspec

from actors.core.health import Debounce, Health, observe
from actors.core.status import OWN, WHOLE, CheckStatus, PresenceStatus, Verdict
from actors.messages import Begun, Message, Probed
from actors.runtime.actor import Context

GRAIN = 0.01
"""Seconds by which a probe may be late, so that all that are due together are served in one wake-up."""

GRACE = 0.05
"""Seconds that a probe may take beyond its limit: the time-out of its own socket says more than being stopped."""


REVERSED = "it passed, and is reversed"
"""The reason of a failure that has none of its own."""


class CheckerSpec(msgspec.Struct, frozen=True):
    """What is checked, how, and when. Times are seconds, ``jitter`` a share of the interval (0 to 0.5).

    While a result speaks against the verdict the next comes after ``fast_interval``, if that is not 0; else after
    ``retry_interval`` if the verdict is OK. While it is FAILED, and no result speaks against that, they come every
    ``down_interval``, if that is not 0. With ``reverse`` what passes is a failure, and what fails has passed.

    ``init`` is the verdict before the first result: unknown, up, down or last. ``options`` are the plugin's own.
    ``user`` and ``group`` are whose programs run that name nobody; empty: as the daemon does.
    With ``places``, ids of addresses, it rests while none of them is on this machine, and the last verdict stands.
    A plugin that is not shipped has an ``origin`` and an ``edition``, see `plugins.registry.Place`.
    """

    id: str
    keyword: str
    threaded: bool
    address: str
    port: int
    timeout: float = 5.0
    interval: float = 60.0
    retry_interval: float = 1.0
    fast_interval: float = 0.0
    down_interval: float = 0.0
    reverse: bool = False
    warmup: float = 1.0
    jitter: float = 0.1
    debounce: Debounce = Debounce()
    init: str = "unknown"
    bindto: str = ""
    bind_port: int = 0
    fwmark: int = 0
    tos: int = 0
    interface: str = ""
    options: tuple[tuple[str, Any], ...] = ()
    origin: str = ""
    edition: int = 0
    user: str = ""
    group: str = ""
    places: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The keyword as the configuration has it."""
        return f"{'TH' if self.threaded else 'RT'}_{self.keyword}"


class Probe(Protocol):
    """One checker's probe, run apart from its actor. ``holds`` is how often it kept the event loop from all others, and
    ``moved`` whether it therefore runs in a thread now."""

    busy: bool
    holds: int
    moved: bool

    def start(self, run: int) -> bool:
        """Begin; the outcome is reported as `Probed`. False: it has to wait for its turn, and `Begun` is reported."""

    def abandon(self) -> None:
        """The running probe is too late."""

    def close(self) -> None:
        """No more probes."""


class Probes(Protocol):
    """Makes probes: knows the plugins and where they run."""

    def open(self, spec: CheckerSpec, report: "Callable[[Begun | Probed | ProbeNow], None]") -> Probe:
        """The probe for ``spec``, whose outcomes go to ``report``, and the wish for another before its time."""


class ProbeNow(Message, frozen=True):
    """It is time to probe; also the way of an operator, or of what a plugin watches, to ask for it."""


class Overdue(Message, frozen=True):
    """The time of a run may be over."""


class PluginCrashed(Exception):
    """The plugin failed in a way that is no result. The text is the last line of its traceback, the rest is a note."""

    def __init__(self, trace: str) -> None:
        super().__init__(trace.strip().rpartition("\n")[2])
        self.add_note(trace)


class Tally(msgspec.Struct):
    """A checker's counters since its actor started: ``waits`` are for its turn; ``seconds`` is how long the last probe
    took, ``metrics`` are the plugin's own figures of it."""

    runs: int = 0
    failures: int = 0
    hung: int = 0
    waits: int = 0
    seconds: float = 0.0
    at: float = 0.0
    metrics: tuple[tuple[str, float], ...] = ()


class CheckerActor:
    """Probes on a grid of absolute times, so that an interval does not drift; jitter spreads those that would meet."""

    __slots__ = (
        "_context",
        "_due",
        "_guarded",
        "_health",
        "_here",
        "_limit",
        "_probe",
        "_random",
        "_run",
        "_spec",
        "_status",
        "tally",
    )

    def __init__(self, context: Context, spec: CheckerSpec, probes: Probes, random: Random) -> None:
        self._context = context
        self._spec = spec
        self._random = random
        self._probe = probes.open(spec, self._report)
        self._health = _initial(context.last, spec.init)
        self._status = context.last
        self._run = 0
        self._due = 0.0
        self._limit = 0.0
        self._guarded = False
        self._here: frozenset[str] = frozenset()
        self.tally = Tally()

    def on_start(self) -> None:
        """Say what is known, and spread the first probe over the warm-up by the checker's name."""
        self._publish()
        for place in self._spec.places:
            self._context.subscribe(place)
        self._set_out()

    def receive(self, message: Any) -> None:
        """Probe, or judge how a probe ended."""
        kind = type(message)
        if kind is ProbeNow:
            self._begin()
        elif kind is Probed:
            if message.run == self._run:
                self._end(message)
        elif kind is Begun:
            if message.run == self._run:
                self._watch_over()
        elif kind is Overdue:
            self._check_limit()
        elif kind is PresenceStatus:
            self._attend(message)

    def on_stop(self, final: bool) -> None:
        """Run no more probes."""
        self._probe.close()

    def figures(self) -> dict[str, Any]:
        """Runs, failures, probes that hung, that had to wait, that held the loop; of the last one how long it took and
        when it was, in seconds, and what the plugin measured."""
        tally = self.tally
        return {
            "runs": tally.runs,
            "failures": tally.failures,
            "hung": tally.hung,
            "waits": tally.waits,
            "holds": self._probe.holds,
            "moved": self._probe.moved,
            "took": tally.seconds,
            "at": tally.at,
            "metrics": dict(tally.metrics),
        }

    def explain(self) -> list[str]:
        """For an operator: what it checks, what it has seen, and what comes next."""
        spec, health, tally = self._spec, self._health, self.tally
        took = tally.seconds * 1000
        thread = ", and runs in a thread of its own now" if self._probe.moved else ""
        whom = f" of {spec.address}:{spec.port}" if spec.address else ""
        return [
            f"{spec.title}{whom} every {spec.interval:g} s, limit {spec.timeout:g} s",
            f"verdict {self._said()}",
            *(["it rests: the addresses of its services are not on this machine"] if self._rests else []),
            f"{health.streak} results in a row against it; {spec.debounce.rise} make OK, {spec.debounce.fall} FAILED",
            f"{tally.runs} runs, {tally.failures} failed, {tally.hung} hung; the last took {took:.1f} ms",
            *([f"it has held the event loop {self._probe.holds} times{thread}"] if self._probe.holds else []),
            *([f"{tally.waits} waited for their turn, see checker_concurrency"] if tally.waits else []),
            *(f"{name} {value:g}" for name, value in tally.metrics),
        ]

    @property
    def _rests(self) -> bool:
        return bool(self._spec.places) and not self._here

    def _attend(self, status: PresenceStatus) -> None:
        """Rest when the last address goes: a probe that runs may end. Go on when the first one comes."""
        rested = self._rests
        self._here = self._here | {status.source} if status.here else self._here - {status.source}
        if self._rests:
            self._context.cancel("due")
        elif rested:
            self._set_out()

    def _set_out(self) -> None:
        self._wait(self._context.now() + _phase(self._spec.id) * self._spec.warmup)

    def _begin(self) -> None:
        if self._run:
            return
        now = self._context.now()
        if now < self._due - GRAIN:  # asked for: the grid begins anew
            self._due = now
        self.tally.runs += 1
        if self._probe.busy:
            self._hang("an earlier probe still hangs")
            return
        self._run = self._context.incarnation << 32 | self.tally.runs
        if self._probe.start(self._run):
            self._watch_over()
        else:  # its time does not run before its turn has come
            self.tally.waits += 1

    def _watch_over(self) -> None:
        self._limit = self._context.now() + self._spec.timeout + GRACE
        if not self._guarded:
            self._guard()

    def _end(self, message: Probed) -> None:
        self._run = 0
        self.tally.seconds = message.seconds
        if message.crash:
            raise PluginCrashed(message.crash)
        self.tally.metrics = message.metrics
        if self._spec.reverse:
            self._judge(not message.passed, message.detail or REVERSED)
        else:
            self._judge(message.passed, message.detail, message.share, message.weight, message.value)

    def _guard(self) -> None:
        # One timer watches over many runs, since nearly all of them end long before: it is not set for each.
        self._guarded = True
        self._context.at("deadline", self._limit, Overdue(), max(GRAIN, self._spec.timeout / 20))

    def _check_limit(self) -> None:
        self._guarded = False
        if self._run and self._context.now() < self._limit:
            self._guard()
        elif self._run:
            self._give_up()

    def _give_up(self) -> None:
        self._run = 0
        self._probe.abandon()
        self._hang(f"no result within {self._spec.timeout:g} s")

    def _hang(self, detail: str) -> None:
        self.tally.hung += 1
        self._judge(False, detail)

    def _judge(self, passed: bool, detail: str, share: int = WHOLE, weight: int = OWN, value: int = 0) -> None:
        self.tally.failures += not passed
        self.tally.at = self._context.now()
        before = self._health
        self._health = observe(before, self._spec.debounce, passed, detail, share, weight, value)
        if self._health is not before:
            self._publish()
        self._plan()

    def _plan(self) -> None:
        now, spec, health = self._context.now(), self._spec, self._health
        if health.doubted and (spec.fast_interval or health.verdict is Verdict.OK):
            self._wait(now + (spec.fast_interval or spec.retry_interval))
            return
        is_down = health.verdict is Verdict.FAILED and not health.doubted
        interval = (is_down and spec.down_interval) or spec.interval
        self._wait(max(now, self._due + interval * (1 + spec.jitter * (self._random.random() - 0.5))))

    def _wait(self, due: float) -> None:
        self._due = due
        if not self._rests:
            self._context.at("due", due, ProbeNow(), GRAIN)

    def _publish(self) -> None:
        status = self._said()
        if status != self._status:
            self._status = status
            self._context.publish(status)

    def _said(self) -> CheckStatus:
        health = self._health
        return CheckStatus(
            self._spec.id, health.verdict, health.detail, health.assumed, health.share, health.weight, health.value
        )

    def _report(self, message: Begun | Probed | ProbeNow) -> None:
        self._context.tell(self._spec.id, message)


_UNKNOWN = Health(detail="waiting for its first result")
_INITIAL = {
    "unknown": _UNKNOWN,
    "last": _UNKNOWN,  # a last verdict goes before init in any case
    "up": Health(Verdict.OK, detail="assumed up until its first result"),
    "down": Health(Verdict.FAILED, detail="assumed down until its first result"),
}


def _initial(last: Any, init: str) -> Health:
    """A restarted checker goes on from the last verdict that it had from a result, so that nobody flaps."""
    if isinstance(last, CheckStatus) and not last.assumed:
        return Health(last.verdict, last.detail, False, last.share, last.weight, value=last.value)
    return _INITIAL[init]


def _phase(id: str) -> float:
    """A fraction of [0, 1) that belongs to the id: the same after each restart, evenly spread over many."""
    return crc32(id.encode()) / 2**32
