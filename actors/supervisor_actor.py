"""The supervisor: starts, restarts, parks and stops children; owns the status board and fans statuses out.

It never sleeps and never waits: a restart is a timed message to itself.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from actors.children import Charge, Child, Step
from actors.core.board import Board
from actors.core.restart import Escalate, Ledger, Restart, crashed
from actors.core.retelling import retold
from actors.core.status import AnyStatus, ChildStatus, Phase
from actors.messages import Died, Lost, Message, Park, Published, Replayed, Revive, Shutdown, Stop, Stopped, Subscribe
from actors.runtime.actor import Context


class Launcher(Protocol):
    """Brings actors to life and abandons those that hang."""

    def start(
        self,
        id: str,
        kind: type,
        args: tuple[Any, ...] = (),
        ports: tuple[str, ...] = (),
        last: AnyStatus | None = None,
        process: str = "main",
    ) -> int:
        """Start an actor and return its incarnation number."""

    def abandon(self, id: str) -> None:
        """Treat an actor as dead."""


class Reload(Message, frozen=True):
    """Asks for another set of children. Equal ones are not touched."""

    children: tuple[Child, ...]


class StopOverdue(Message, frozen=True):
    """A child has had its time to stop."""

    id: str
    incarnation: int


class Calm(Message, frozen=True):
    """A restarted child has lived for its whole period: its crashes are forgiven."""

    id: str
    incarnation: int


class SupervisorActor:
    """Holds the children in start order. ``ended(code)`` is called once the last one has stopped.

    ``remembered`` are statuses of an earlier run: children that have one begin with it.
    """

    def __init__(
        self,
        context: Context,
        children: tuple[Child, ...],
        launcher: Launcher,
        ended: Callable[[int], None],
        remembered: tuple[AnyStatus, ...] = (),
    ) -> None:
        self._context = context
        self._first = children
        self._launcher = launcher
        self._ended = ended
        self._charges: dict[str, Charge] = {}
        self._steps: deque[Step] = deque()
        self._stopping: str | None = None
        self._final = True
        self._next: Reload | None = None
        self._code: int | None = None
        self._rank: dict[str, int] = {}
        self.board = Board()
        for status in remembered:
            self.board.publish(status)

    def on_start(self) -> None:
        """Start every child, in order."""
        self.reload(Reload(self._first))

    def receive(self, message: Any) -> None:
        """Statuses to pass on, subscriptions, deaths, and what the operator wants."""
        rule = _RULES.get(type(message))
        if rule is None:
            self._context.log.error("message not understood", message=message)
        else:
            rule(self, message)

    def on_stop(self, final: bool) -> None:
        """Nothing: the children are stopped by `Shutdown`."""

    def charges(self) -> tuple[Charge, ...]:
        """The children in start order, for status."""
        return tuple(
            sorted(self._charges.values(), key=lambda charge: self._rank.get(charge.child.id, len(self._rank)))
        )

    def charge(self, id: str) -> Charge | None:
        """The child ``id``."""
        return self._charges.get(id)

    @property
    def is_settled(self) -> bool:
        """Whether everybody whom the last configuration wants has been started, and everybody else has ended."""
        return self._stopping is None and not self._steps and self._next is None

    # The board

    def published(self, message: Published) -> None:
        """Retain and pass on, when it is news."""
        self._publish(message.status)

    def subscribe(self, message: Subscribe) -> None:
        """Replay, then pass on whatever comes."""
        for status in self.board.subscribe(message.subscriber, message.pattern):
            self._context.tell(message.subscriber, status)
        self._context.tell(message.subscriber, Replayed(message.pattern))

    def _publish(self, status: AnyStatus) -> None:
        for subscriber in self.board.publish(status):
            self._context.tell(subscriber, status)

    # Lives and deaths

    def died(self, message: Died) -> None:
        """Restart, park or escalate, as the child's ledger says."""
        charge = self._current(message.id, message.incarnation)
        if charge is None:
            return
        self._end(charge)
        if message.id == self._stopping:
            self._report(charge, message, "nothing, it was to stop anyway")
            self._go_on(message.id)
            return
        if charge.held:
            self._report(charge, message, "nothing, it was to be parked anyway")
            return
        charge.ledger, decision = crashed(charge.ledger, charge.child.policy, self._context.now())
        if isinstance(decision, Escalate):
            self._report(charge, message, "it may not be missed: the program ends in order")
            self.shutdown(Shutdown(70))
            return
        self._retry(charge, message, decision)

    def _retry(self, charge: Charge, message: Died, decision: Restart) -> None:
        charge.phase = Phase.PARKED if decision.parked else Phase.RESTARTING
        word = "parked, its last status stands; tried again" if decision.parked else "restarted"
        self._report(charge, message, f"{word} in {decision.delay:g} s")
        self._tell_phase(charge, message.error)
        self._context.after(f"revive {message.id}", decision.delay, Revive(message.id, message.incarnation))

    def revive(self, message: Revive) -> None:
        """Start a child that waits for its restart, was parked, or was stopped by hand."""
        charge = self._charges.get(message.id)
        if charge is None or charge.alive or message.incarnation not in (0, charge.incarnation):
            return
        self._context.cancel(f"revive {message.id}")
        if charge.held:
            charge.held, charge.phase, charge.ledger = False, Phase.RUNNING, Ledger()
        self._start(charge)
        self._context.after(f"calm {message.id}", charge.child.policy.period, Calm(message.id, charge.incarnation))

    def park(self, message: Park) -> None:
        """Stop a child by hand. It leaves everything as it is: a service its servers, a checker its verdict."""
        charge = self._charges.get(message.id)
        if charge is None or charge.held or message.id == self._stopping:
            return
        for timer in ("revive", "calm"):
            self._context.cancel(f"{timer} {message.id}")
        charge.held, charge.phase = True, Phase.PARKED
        self._tell_phase(charge)
        if charge.alive:
            self._stop(charge, final=False)

    def calm(self, message: Calm) -> None:
        """Forgive: a parked child is no longer parked."""
        charge = self._current(message.id, message.incarnation)
        if charge is not None:
            charge.ledger, charge.phase = Ledger(), Phase.RUNNING
            self._tell_phase(charge)

    def stopped(self, message: Stopped) -> None:
        """A child has ended in order: as asked by a step, or by an operator."""
        charge = self._current(message.id, message.incarnation)
        if charge is not None:
            self._end(charge)
            if message.id == self._stopping:
                self._go_on(message.id)
            elif not charge.held:
                charge.phase = Phase.STOPPED
                self._tell_phase(charge)

    def lost(self, message: Lost) -> None:
        """All children that lived in a process are dead, and none of them is to blame: they start again, in order."""
        charges = [each for each in self.charges() if each.child.process == message.process and each.alive]
        self._context.log.warning("children start again", process=message.process, children=len(charges))
        for charge in charges:
            self._end(charge)
            if message.late:
                self.board.forget(charge.child.id)
        stopping = next((each.child.id for each in charges if each.child.id == self._stopping), "")
        for charge in charges:
            if charge.child.id != stopping and not charge.held:
                self._start(charge)
        if stopping:
            self._context.cancel(f"stop {stopping}")
            self._stopping = None
            self._steps.appendleft(Step(stopping, self._final))
            self._go_on()

    def _adopt(self, child: Child) -> None:
        charge = self._charges[child.id] = Charge(child)
        self._start(charge)

    def _start(self, charge: Charge) -> None:
        child = charge.child
        last = self.board.last(child.id)
        charge.incarnation = self._launcher.start(child.id, child.kind, child.args, child.ports, last, child.process)
        charge.alive = True
        charge.restarts += 1
        if charge.phase is not Phase.PARKED:
            charge.phase = Phase.RUNNING
        if self.board.last(f"child/{child.id}") is not None:
            self._tell_phase(charge)

    def _end(self, charge: Charge) -> None:
        charge.alive = False
        self.board.unsubscribe(charge.child.id)

    def _current(self, id: str, incarnation: int) -> Charge | None:
        charge = self._charges.get(id)
        return charge if charge is not None and charge.alive and charge.incarnation == incarnation else None

    def _report(self, charge: Charge, death: Died, next_step: str) -> None:
        """All of a crash once; the same once more is one line."""
        charge.told = retold(charge.told, death.error, death.trace, self._context.now())
        whole = {"handling": death.handling, "trace": death.trace} if charge.told.times == 1 else {}
        self._context.log.error(
            "child crashed",
            child=death.id,
            process=charge.child.process,
            error=death.error,
            crashes=len(charge.ledger.crashes),
            period=charge.child.policy.period,
            times=charge.told.times,
            next=next_step,
            **whole,
        )

    def _tell_phase(self, charge: Charge, error: str = "") -> None:
        error = error or self._last_error(charge)
        self._publish(ChildStatus(f"child/{charge.child.id}", charge.phase, len(charge.ledger.crashes), error))

    def _last_error(self, charge: Charge) -> str:
        last = self.board.last(f"child/{charge.child.id}")
        return last.error if isinstance(last, ChildStatus) else ""

    # Reload and shutdown

    def reload(self, message: Reload) -> None:
        """Compare children by id and value: absent are stopped, new started, different restarted, equal not touched.

        While another reload is still stopping somebody this one waits; of several that wait the last one counts.
        """
        if self._code is not None:
            return
        if self._stopping is not None:
            self._next = message
            return
        wanted = {child.id: child for child in message.children}
        known = {charge.child.id: charge.child for charge in self.charges()}
        stale = [id for id, child in known.items() if wanted.get(id) != child]
        succeeded = {id for id, child in wanted.items() if id in known and known[id].identity == child.identity}
        fresh = [child for id, child in wanted.items() if known.get(id) != child or self._charges[id].held]
        self._rank = {id: rank for rank, id in enumerate(wanted)}
        self._context.log.info(
            "children", stopped=len(known.keys() - wanted), started=len(fresh), kept=len(known) - len(stale)
        )
        self._steps.extend(Step(id, final=id not in succeeded) for id in reversed(stale))
        self._steps.extend(Step(child.id, child=child) for child in fresh)
        self._go_on()

    def shutdown(self, message: Shutdown) -> None:
        """Stop every child, the last started first. A reload that is under way is finished, a waiting one is not begun.

        To break it off would leave behind what a child in the middle of its restart holds.
        """
        if self._code is None:
            self._code = message.code
            if self._stopping is None:
                self._finish()

    def overdue(self, message: StopOverdue) -> None:
        """Give up on a child that does not stop."""
        charge = self._current(message.id, message.incarnation)
        if charge is not None:
            self._context.log.error("child does not stop, abandoned", child=message.id, limit=charge.child.stop_limit)
            self._launcher.abandon(message.id)
            self._end(charge)
            if message.id == self._stopping:
                self._go_on(message.id)

    def _go_on(self, ended: str = "") -> None:
        """Take the next steps, up to one that must be waited for. ``ended`` is the child whose end was waited for."""
        if ended:
            self._context.cancel(f"stop {ended}")
            self._remove(ended)
            self._stopping = None
        while self._steps and self._stopping is None:
            self._take(self._steps.popleft())
        if self._stopping is None:
            self._finish()

    def _finish(self) -> None:
        """All steps have been taken: the program ends, or the reload that waited begins."""
        if self._code is not None and not self._charges:
            self._ended(self._code)
        elif self._code is not None:
            self._steps.extend(Step(charge.child.id) for charge in reversed(self.charges()))
            self._go_on()
        elif self._next is not None:
            message, self._next = self._next, None
            self.reload(message)

    def _take(self, step: Step) -> None:
        if step.child is not None:
            self._adopt(step.child)
            return
        charge = self._charges.get(step.id)
        if charge is None:
            return
        self._final = step.final
        if not charge.alive and step.final and charge.phase is not Phase.STOPPED:
            self._start(charge)  # it crashed; only alive can it clear away what it held
        if not charge.alive:
            self._remove(step.id)
            return
        self._stopping = step.id
        self._stop(charge, step.final)

    def _stop(self, charge: Charge, final: bool) -> None:
        id = charge.child.id
        self._context.tell(id, Stop(final))
        self._context.after(f"stop {id}", charge.child.stop_limit, StopOverdue(id, charge.incarnation))

    def _remove(self, id: str) -> None:
        del self._charges[id]
        for timer in ("revive", "calm"):
            self._context.cancel(f"{timer} {id}")
        self.board.forget(f"child/{id}")
        if self._final:
            self.board.forget(id)


_RULES: dict[type, Callable[[SupervisorActor, Any], None]] = {
    Published: SupervisorActor.published,
    Subscribe: SupervisorActor.subscribe,
    Died: SupervisorActor.died,
    Stopped: SupervisorActor.stopped,
    Revive: SupervisorActor.revive,
    Park: SupervisorActor.park,
    Lost: SupervisorActor.lost,
    Calm: SupervisorActor.calm,
    Reload: SupervisorActor.reload,
    Shutdown: SupervisorActor.shutdown,
    StopOverdue: SupervisorActor.overdue,
}
