"""One vrrp_instance: feeds the state machine, arms its timers, sends its adverts, publishes its role.

It decides nothing (that is `actors.core.vrrp`) and touches no address (an address actor follows its role).
"""

from collections import Counter
from typing import Any

import msgspec

from actors.core.status import (
    AddressStatus,
    CheckStatus,
    DeviceStatus,
    GroupStatus,
    LinkStatus,
    Verdict,
    VrrpStatus,
)
from actors.core.tracking import Tracking
from actors.core.vrrp import DUE, initial, step
from actors.core.vrrp_election import advert_seconds, in_step
from actors.core.vrrp_values import (
    Action,
    Agreed,
    Arm,
    Disarm,
    Event,
    Faulted,
    Ousted,
    Reclaim,
    Recovered,
    Role,
    Router,
    Send,
    Shift,
    Shutdown,
    Startup,
    State,
    Timer,
    Weighed,
)
from actors.messages import Contested, Message, Replayed
from actors.planes.network import Received, Wire
from actors.runtime.actor import Context
from actors.station import Station, VrrpSpec

REOPEN = 1.0
"""Seconds until a wire that could not be opened is tried again."""


class Reopen(Message, frozen=True):
    """Try again to open a wire that could not be opened."""


class TimerDue(Message, frozen=True):
    """A timer of the state machine fired."""

    timer: Timer


RINGS = {timer: TimerDue(timer) for timer in Timer}
NAMES = {timer: timer.value for timer in Timer}  # looked up for each advert, where ``value`` is a call


class VrrpActor:
    """Adverts come from the wire's callback as messages, so that all that the machine hears has one order.

    A successor, after a crash or a reload, resumes as MASTER what was MASTER: until it speaks, the role on the board
    stays, and no address moves.
    """

    def __init__(self, context: Context, spec: VrrpSpec, wire: Wire) -> None:
        self._context = context
        self._spec = spec
        self._station = Station(context, spec, wire, self._heard)
        self._router = spec.router
        self._state = initial(spec.router)
        self._again: tuple[Router, State, Event | None, tuple[Action, ...]] = (self._router, self._state, None, ())
        self._tracking = Tracking(spec.follows)
        self._kept: dict[str, str] = {}
        self._sources = [source for source in (spec.group, spec.device, spec.closed) if source]
        self._unread = 1 + len(spec.follows) + len(self._sources)
        self._group: GroupStatus | None = None
        self._due: dict[Timer, float] = {}
        self._read_at = 0.0
        self._told_weight = spec.router.priority
        self._told_fault = self._own_fault = ""
        self._status = context.last if isinstance(context.last, VrrpStatus) else None
        self._fired_at = self._late = 0.0
        self._begun = False
        self._stands = False

    def on_start(self) -> None:
        """Follow the link and whatever is tracked; the machine starts when all of them have been heard."""
        self._context.subscribe(self._spec.link)
        self._context.subscribe(self._spec.addresses)
        for source in (*(follow.source for follow in self._spec.follows), *self._sources):
            self._context.subscribe(source)

    def receive(self, message: Any) -> None:
        """An advert, a timer, or news of what is followed."""
        match message:
            case Received():
                if heard := self._station.hear(message):
                    self._feed(heard)
            case TimerDue(timer):
                self._ring(timer)
            case LinkStatus(source, up):
                self._tracking.learn(source, Verdict.OK if up else Verdict.FAILED)
                if source == self._spec.link:
                    self._move(message)
                self._consider()
            case CheckStatus(source, verdict):
                self._tracking.learn(source, verdict, message.value)
                self._consider()
            case AddressStatus(source):
                self._kept[source] = message.fault
                self._consider()
            case DeviceStatus(source):
                self._build_on(message)
                self._consider()
            case GroupStatus():
                self._group = message
                self._consider()
                self._go_along()
            case Reopen():
                self._reopen()
                self._consider()
            case Replayed():
                self._unread -= 1
                if self._unread < 0:
                    self._begin()

    def on_stop(self, final: bool) -> None:
        """Leave with priority 0, unless a successor follows, and close the wire."""
        if final:
            self._begun = True
            self._stands = self._state.leads
            self._group = None
            self._feed(Shutdown())
            self._notify("STOP")
        self._station.close()

    @property
    def counts(self) -> Counter[str]:
        """Packets by what became of them."""
        return self._station.counts

    def figures(self) -> dict[str, Any]:
        """For an operator: the same."""
        return {"packets": dict(self.counts)}

    def explain(self) -> list[str]:
        """For an operator: the role, its cause, the sum of the priority, and what came over the wire."""
        state, spec = self._state, self._spec
        late = f" (this program was {self._late:.3g} ms late itself)" if self._late else ""
        said = self._tracking.verdict
        follows = [f"  {follow.source}: {said(follow.source).value}, {follow}" for follow in spec.follows]
        return [
            f"{state.role.value} since: {state.reason}{late}",
            f"priority {state.priority}, of which {self._router.priority} is configured",
            *follows,
            f"version {self._router.version}, advert every {advert_seconds(self._router):g} s, on "
            f"{spec.endpoint.interface} as {self._router.address or 'nobody yet'}",
            *self._station.explain(),
        ]

    # What speaks against it

    def _faults(self) -> list[str]:
        kept = [fault for _, fault in sorted(self._kept.items()) if fault]
        return [*self._station.faults(), *kept, *self._tracking.faults()]

    def _consider(self) -> None:
        """Tell the machine what has changed of all that speaks for and against the router."""
        if self._unread >= 0:
            return
        weight = self._router.priority + self._tracking.weight
        if weight != self._told_weight:
            self._told_weight = weight
            self._feed(Weighed(weight))
        self._own_fault = "; ".join(self._faults())
        fault = self._own_fault or self._fault_of_group()
        before, self._told_fault = self._told_fault, fault
        if fault and fault != before:
            self._feed(Faulted(fault))
        elif before and not fault:
            self._feed(Recovered())
        self._publish()

    def _begin(self) -> None:
        """All that is followed has been heard once: what speaks against the router comes before `Startup`."""
        resume = self._status is not None and self._status.role == Role.MASTER.value
        self._consider()
        self._begun = True
        self._feed(Startup(resume))

    # The sync group

    def _fault_of_group(self) -> str:
        if self._group is None or self._group.role != Role.FAULT.value:
            return ""
        return f"{self._spec.group} is in FAULT: {self._group.reason}"

    def _go_along(self) -> None:
        """Lead when the group does, and no longer than it does."""
        if self._group is None or not self._begun:
            return
        leads = self._group.role == Role.MASTER.value
        if leads and self._state.ready:
            self._feed(Agreed(f"{self._spec.group}: {self._group.reason}"))
        elif self._state.role is Role.MASTER and not leads:
            self._feed(Ousted(f"{self._spec.group}: {self._group.reason}"))

    # The wire

    def _heard(self, received: Received) -> None:
        self._context.take_up(received)

    def _move(self, link: LinkStatus) -> None:
        """Take over the link's state."""
        if self._station.move(link):
            self._router = msgspec.structs.replace(self._router, address=self._station.address)
        self._hope()

    def _build_on(self, device: DeviceStatus) -> None:
        """The router's own interface has news; or who keeps others from accepting packets to its addresses has."""
        if device.source == self._spec.device:
            self._station.mount(device)
            self._hope()
        else:
            self._kept[device.source] = device.fault

    def _reopen(self) -> None:
        self._station.reopen()
        self._hope()

    def _hope(self) -> None:
        """A wire that could not be opened is tried again."""
        if self._station.failed:
            self._context.after("reopen", REOPEN, Reopen())

    # Events

    def _ring(self, timer: Timer) -> None:
        """Before a timer that is late by more than an interval is believed, what lies on the wire is read. Once: a
        machine that is late each time must not fall silent."""
        now = self._context.now()
        due = self._due.get(timer, now)
        if now - due > advert_seconds(self._router) and due != self._read_at:
            self._station.note("late", f"{timer.value} timer late", seconds=f"{now - due:.3f}")
            self._station.drain()
            self._read_at = now
            self._arm(timer, now)
            return
        self._fired_at = due
        self._feed(DUE[timer], timer)

    def _feed(self, event: Event, fired: Timer | None = None) -> None:
        before = self._state
        for action in self._decide(event):
            self._perform(action, fired)
        if self._state is before:  # as nearly always: another advert, sent or heard
            return
        if self._state.role is not before.role:
            self._late = 1000 * (self._context.now() - self._fired_at) if fired else 0.0
            late = {"late_ms": round(self._late, 3)} if fired else {}
            log = self._context.log.bind(reason=self._state.reason, priority=self._state.priority, **late)
            log.info(f"Entering {self._state.role.value} STATE")
        self._publish()
        self._go_along()

    def _decide(self, event: Event) -> tuple[Action, ...]:
        """Go to the next state; what is to be done. The machine is pure: when nothing but time has passed since it was
        asked the same, it is not asked again."""
        router, state, known, actions = self._again
        if event is known and self._state is state and self._router is router:
            return actions
        router, state = self._router, self._state
        after, actions = step(router, state, event)
        if after == state:
            self._again = (router, state, event, actions)
        else:
            self._state = after
        return actions

    def _perform(self, action: Action, fired: Timer | None) -> None:
        match action:
            case Arm(timer, seconds):
                when = (self._due[timer] if timer is fired else self._context.now()) + seconds
                # The first advert comes a whole interval after the takeover's; the next ones fall into step.
                self._arm(timer, in_step(when, seconds) if fired is timer is Timer.ADVERT else when)
            case Send(priority):
                self._station.send(priority)
            case Shift(timer, seconds):
                self._arm(timer, max(self._context.now(), self._due[timer] + seconds))
            case Disarm(timer):
                self._due.pop(timer, None)
                self._context.cancel(NAMES[timer])
            case Reclaim(seconds):
                for announcer in self._spec.announcers:
                    self._context.tell(announcer, Contested(self._spec.addresses, seconds))

    def _arm(self, timer: Timer, when: float) -> None:
        self._due[timer] = when
        self._context.at(NAMES[timer], when, RINGS[timer])

    def _publish(self) -> None:
        if not self._begun:
            return
        state, fault = self._state, self._own_fault if self._spec.group else ""
        # One that stops does not speak for the others: they are to lead until they stop, and leave with priority 0.
        ready = state.ready or self._stands
        status = VrrpStatus(self._spec.id, state.role.value, state.priority, state.reason, ready, fault)
        before, self._status = self._status, status
        if status != before:
            self._context.publish(status)
        if state.role is not Role.INIT and (before is None or status.role != before.role):
            self._notify(status.role)

    def _notify(self, state: str) -> None:
        for run in self._spec.programs.runs(self._spec.id, "INSTANCE", state, self._state.priority):
            self._context.tell("notify", run)
