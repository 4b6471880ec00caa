"""A real server: the verdicts of its checkers, combined into one status with a weight."""

from typing import Any

import msgspec

from actors.core.health import combine, weighed
from actors.core.status import OWN, CheckStatus, ServerStatus, Verdict
from actors.core.tracking import Follow, counted
from actors.messages import Program, Replayed, Settle
from actors.runtime.actor import Context


class RealServerSpec(msgspec.Struct, frozen=True):
    """A real server: the ids of the checkers that it follows, its weight, its programs.

    Of its weight, or of what a checker asks for instead, it has the least share that any of its checkers leaves it, as
    soon as that is said.
    ``files`` are those of the checks that are numbers: each, times its weight, is added to the server's; with a weight
    of 0 any but 0 takes the server out.
    With ``alpha`` a verdict that is only assumed does not count. With ``omega`` a stop counts as going down.
    """

    id: str
    weight: int = 1
    checks: tuple[str, ...] = ()
    alpha: bool = False
    omega: bool = False
    notify_up: Program | None = None
    notify_down: Program | None = None
    files: tuple[Follow, ...] = ()


class RealServerActor:
    """In the pool while every checker is OK; decides once for all the news of one moment."""

    __slots__ = ("_context", "_heard", "_numbers", "_spec", "_status")

    def __init__(self, context: Context, spec: RealServerSpec) -> None:
        self._context = context
        self._spec = spec
        self._heard: dict[str, CheckStatus] = {}
        self._numbers = {follow.source: follow for follow in spec.files}
        self._status: ServerStatus | None = context.last if isinstance(context.last, ServerStatus) else None

    def on_start(self) -> None:
        """Follow the checkers, and decide once all have said what they know; without any, be up."""
        for check in self._spec.checks:
            self._context.subscribe(check)
        if not self._spec.checks:
            self._settle()

    def receive(self, message: Any) -> None:
        """A checker has news."""
        if isinstance(message, CheckStatus):
            self._heard[message.source] = message
        if isinstance(message, CheckStatus | Replayed):
            self._context.after("settle", 0.0, Settle())
        elif isinstance(message, Settle):
            self._settle()

    def on_stop(self, final: bool) -> None:
        """With ``omega``, tell that a server in service goes down."""
        if final and self._spec.omega and self._verdict is Verdict.OK:
            self._notify(Verdict.FAILED)

    def explain(self) -> list[str]:
        """For an operator: its verdict, and what each checker says."""
        checks = [f"  {check}: {self._says(check)}" for check in self._spec.checks] or ["  no checkers: always up"]
        weight = self._status.weight if self._status else self._spec.weight
        less = f" of {self._spec.weight}" if weight != self._spec.weight else ""
        return [f"{self._verdict.value} with weight {weight}{less}, since all of these must be OK:", *checks]

    @property
    def _verdict(self) -> Verdict:
        return self._status.verdict if self._status else Verdict.UNKNOWN

    def _says(self, check: str) -> str:
        heard = self._heard.get(check)
        return "has said nothing yet" if heard is None else str(heard)

    def _verdict_of(self, check: str) -> Verdict:
        heard = self._heard.get(check)
        if heard is None or (heard.assumed and self._spec.alpha):
            return Verdict.UNKNOWN
        return counted(self._numbers[check], heard)[0] if check in self._numbers else heard.verdict

    def _settle(self) -> None:
        verdicts = {check: self._verdict_of(check) for check in self._spec.checks}
        verdict = combine(verdicts.values(), held=self._verdict)
        if verdict is Verdict.OK:
            status = self._serving()
        else:
            reasons = [f"{c}: {self._says(c)}" for c, v in verdicts.items() if v is not Verdict.OK]
            status = ServerStatus(self._spec.id, verdict, self._spec.weight, "; ".join(reasons))
        self._become(status)

    def _serving(self) -> ServerStatus:
        """Healthy, with the least of what its checkers leave it, and why."""
        speak = {check: heard for check, heard in self._heard.items() if not heard.is_plain or heard.value}
        asked = [heard.weight for heard in speak.values() if heard.weight != OWN]
        asked += [
            self._spec.weight + counted(f, speak[f.source])[1] for f in self._numbers.values() if f.source in speak
        ]
        weight = weighed(self._spec.weight, (heard.share for heard in speak.values()), asked)
        return ServerStatus(self._spec.id, Verdict.OK, weight, "; ".join(f"{c}: {self._says(c)}" for c in speak))

    def _become(self, status: ServerStatus) -> None:
        if status == self._status:
            return
        verdict, weight = self._verdict, self._status and self._status.weight
        self._status = status
        self._context.publish(status)
        news = {"verdict": status.verdict.value, "reason": status.detail or "all checkers OK"}
        if status.verdict is not verdict:
            self._context.log.info("server", **news)
            self._notify(status.verdict)
        elif weight is not None and status.weight != weight:
            self._context.log.info("server", weight=status.weight, **news)

    def _notify(self, verdict: Verdict) -> None:
        programs = {Verdict.OK: self._spec.notify_up, Verdict.FAILED: self._spec.notify_down}
        program = programs.get(verdict)
        if program is not None:
            event = "up" if verdict is Verdict.OK else "down"
            self._context.tell("notify", program.run(self._spec.id, event))
