"""One vrrp_instance: feeds the state machine, arms its timers, sends its adverts, publishes its role.

It decides nothing (that is `actors.core.vrrp`) and touches no address (an address actor follows its role).
"""

from collections import Counter
from typing import Any

import msgspec

from actors.core.packet import decode_advert, encode_advert
from actors.core.packet_checks import Expected, remarks, validate
from actors.core.packet_values import Advert, Header, Reject
from actors.core.repeats import Repeats
from actors.core.status import (
    AddressStatus,
    CheckStatus,
    GroupStatus,
    LinkStatus,
    Verdict,
    VrrpStatus,
)
from actors.core.tracking import Follow, faults, verdict, weigh
from actors.core.vrrp import DUE, initial, step
from actors.core.vrrp_election import advert_seconds
from actors.core.vrrp_values import (
    Action,
    Agreed,
    Arm,
    Disarm,
    Event,
    Faulted,
    Heard,
    Ousted,
    Reclaim,
    Recovered,
    Role,
    Router,
    Send,
    Shift,
    Shutdown,
    Startup,
    Timer,
    Weighed,
)
from actors.messages import Contested, Message, Replayed, RolePrograms
from actors.planes import PlaneError
from actors.planes.network import Endpoint, Received, Wire
from actors.runtime.actor import Context

REOPEN = 1.0
"""Seconds until a wire that could not be opened is tried again."""

QUIET = 60.0
"""Seconds between two log lines about the same fault of received packets."""


class VrrpSpec(msgspec.Struct, frozen=True):
    """A vrrp_instance. ``router`` lacks its address, which the link tells unless ``source`` is configured.

    ``group`` is the id of its sync group, empty if it is in none. ``virtual`` are all addresses that routers here may
    hold: adverts come from none of them, but for an owner's (RFC 3768 5.2.1), in whatever order the kernel lists them.
    """

    id: str
    router: Router
    endpoint: Endpoint
    advert: Advert
    expected: Expected
    source: str = ""
    virtual: tuple[str, ...] = ()
    follows: tuple[Follow, ...] = ()
    follows_link: bool = True
    group: str = ""
    programs: RolePrograms = RolePrograms()
    announcers: tuple[str, ...] = ()
    """The ids of who announces its addresses, one for each interface."""
    tracks_source: bool = False
    """Whether it is in FAULT while ``source`` is not on the interface."""

    @property
    def addresses(self) -> str:
        """The id of who holds its addresses."""
        return f"address/{self.id.partition('/')[2]}"


class Reopen(Message, frozen=True):
    """Try again to open a wire that could not be opened."""


class TimerDue(Message, frozen=True):
    """A timer of the state machine fired."""

    timer: Timer


class VrrpActor:
    """Adverts come from the wire's callback as messages, so that all that the machine hears has one order.

    A successor, after a crash or a reload, resumes as MASTER what was MASTER: until it speaks, the role on the board
    stays, and no address moves.
    """

    def __init__(self, context: Context, spec: VrrpSpec, wire: Wire) -> None:
        self._context = context
        self._spec = spec
        self._wire = wire
        self._router = spec.router
        self._expected = spec.expected
        self._state = initial(spec.router)
        self._link: LinkStatus | None = None
        self._seen: dict[str, Verdict] = {}
        self._address_fault = ""
        self._wire_fault = ""
        self._unread = 1 + len(spec.follows) + bool(spec.group)
        self._group: GroupStatus | None = None
        self._due: dict[Timer, float] = {}
        self._read_at = 0.0
        self._warnings = Repeats(QUIET)
        self._open = False
        self._told_weight = spec.router.priority
        self._told_fault = self._own_fault = ""
        self._status = context.last if isinstance(context.last, VrrpStatus) else None
        self._begun = False
        self._stands = False
        self.counts: Counter[str] = Counter()

    def on_start(self) -> None:
        """Follow the link and whatever is tracked; the machine starts when all of them have been heard."""
        self._context.subscribe(self._link_id)
        self._context.subscribe(self._spec.addresses)
        for source in (*(follow.source for follow in self._spec.follows), self._spec.group):
            if source:
                self._context.subscribe(source)

    def receive(self, message: Any) -> None:
        """An advert, a timer, or news of what is followed."""
        match message:
            case Received():
                self._hear(message)
            case TimerDue(timer):
                self._ring(timer)
            case LinkStatus(source, up):
                self._seen[source] = Verdict.OK if up else Verdict.FAILED
                if source == self._link_id:
                    self._move(message)
                self._consider()
            case CheckStatus(source, verdict):
                self._seen[source] = verdict
                self._consider()
            case AddressStatus():
                self._address_fault = message.fault
                self._consider()
            case GroupStatus():
                self._group = message
                self._consider()
                self._go_along()
            case Reopen():
                self._reopen(self._can_speak(self._router.address))
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
        if self._open:
            self._wire.close(self._spec.endpoint)

    def figures(self) -> dict[str, Any]:
        """Packets by what became of them."""
        return {"packets": dict(self.counts)}

    def explain(self) -> list[str]:
        """For an operator: the role, its cause, the sum of the priority, and what came over the wire."""
        state, spec = self._state, self._spec
        rejected = [f"  {reason}: {count}" for reason, count in sorted(self.counts.items())]
        follows = [f"  {f.source}: {verdict(f, self._seen).value}, weight {f.weight}" for f in spec.follows]
        return [
            f"{state.role.value} since: {state.reason}",
            f"priority {state.priority}, of which {self._router.priority} is configured",
            *follows,
            f"version {self._router.version}, advert every {advert_seconds(self._router):g} s, on "
            f"{spec.endpoint.interface} as {self._router.address or 'nobody yet'}",
            *(["packets:", *rejected] if rejected else []),
            *self._nobodys(),
        ]

    def _nobodys(self) -> list[str]:
        interface = self._spec.endpoint.interface
        found = self._wire.discarded(interface)
        rows = [f"  {reason}: {count}" for reason, count in sorted(found.items())]
        return [f"read on {interface} for no router:", *rows] if rows else []

    # What speaks against it

    @property
    def _link_id(self) -> str:
        return f"link/{self._spec.endpoint.interface}"

    def _faults(self) -> list[str]:
        found = []
        if self._link is None:
            found.append(f"interface {self._spec.endpoint.interface} is unknown")
        elif self._spec.follows_link and not self._link.up:
            found.append(f"interface {self._spec.endpoint.interface} is down")
        if not self._router.address:
            found.append("no source address")
        elif self._link is not None and not self._has_source(self._link):
            found.append(f"source address {self._spec.source} is not on {self._spec.endpoint.interface}")
        found += [fault for fault in (self._wire_fault, self._address_fault) if fault]
        return [*found, *faults(self._spec.follows, self._seen)]

    def _consider(self) -> None:
        """Tell the machine what has changed of all that speaks for and against the router."""
        if self._unread >= 0:
            return
        weight = weigh(self._router.priority, self._spec.follows, self._seen)
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

    def _move(self, link: LinkStatus) -> None:
        """Take over the link's state; with another source address, the wire is opened anew."""
        self._link = link
        address = self._spec.source or self._source_on(link)
        if address == self._router.address and self._can_speak(address) == self._open:
            return
        self._router = msgspec.structs.replace(self._router, address=address)
        self._expected = msgspec.structs.replace(self._expected, own=address)
        self._reopen(self._can_speak(address))

    def _can_speak(self, address: str) -> bool:
        link = self._link
        return bool(address) and link is not None and link.up and self._has_source(link)

    def _has_source(self, link: LinkStatus) -> bool:
        return not self._spec.tracks_source or self._spec.source in link.addresses

    def _source_on(self, link: LinkStatus) -> str:
        family = self._spec.endpoint.family
        real = link.source_of(family, self._spec.virtual)
        return real or (link.source_of(family) if self._router.owner else "")

    def _reopen(self, wanted: bool) -> None:
        if self._open:
            self._wire.close(self._spec.endpoint)
            self._open = False
        if not wanted:
            return
        try:
            self._wire.open(self._spec.endpoint, self._router.address, self._heard)
            self._open, self._wire_fault = True, ""
        except PlaneError as error:
            self._wire_fault = str(error)
            self._context.after("reopen", REOPEN, Reopen())

    # Events

    def _heard(self, received: Received) -> None:
        self._context.tell(self._spec.id, received)

    def _hear(self, received: Received) -> None:
        """Adverts that do not count change nothing but a counter."""
        expected, ends = self._expected, (received.source, received.destination)
        advert = decode_advert(received.pdu, *ends, expected.family, expected.v3_checksum_as_v2)
        fault = advert if isinstance(advert, Reject) else validate(advert, Header(*ends, received.ttl), expected)
        if fault is not None:
            self._note("advert discarded", fault.reason.value, detail=fault.detail, peer=received.source)
        elif isinstance(advert, Advert):
            self._heed(advert, received.source)

    def _heed(self, advert: Advert, source: str) -> None:
        self.counts["heard"] += 1
        for remark in remarks(advert, self._expected):
            self._note("advert is odd", remark.oddity.value, detail=remark.detail, peer=source)
        self._feed(Heard(advert.priority, advert.interval_cs, source))

    def _note(self, event: str, reason: str, **facts: str) -> None:
        """Counted each time, told once in a while."""
        self.counts[reason] += 1
        more = self._warnings.admit(reason, self._context.now())
        if more is not None:
            self._context.log.warning(event, reason=reason, **facts, more_like_it=more)

    def _ring(self, timer: Timer) -> None:
        """Before a timer that is late by more than an interval is believed, what lies on the wire is read. Once: a
        machine that is late each time must not fall silent."""
        now = self._context.now()
        due = self._due.get(timer, now)
        if now - due > advert_seconds(self._router) and due != self._read_at:
            self._note("late", f"{timer.value} timer late", seconds=f"{now - due:.3f}")
            self._wire.drain(self._spec.endpoint)
            self._read_at = now
            self._arm(timer, now)
            return
        self._feed(DUE[timer], timer)

    def _feed(self, event: Event, fired: Timer | None = None) -> None:
        before = self._state
        self._state, actions = step(self._router, self._state, event)
        for action in actions:
            self._perform(action, fired)
        if self._state.role is not before.role:
            log = self._context.log.bind(reason=self._state.reason, priority=self._state.priority)
            log.info(f"Entering {self._state.role.value} STATE")
        self._publish()
        self._go_along()

    def _perform(self, action: Action, fired: Timer | None) -> None:
        match action:
            case Send(priority):
                self._send(priority)
            case Arm(timer, seconds):
                start = self._due[timer] if timer is fired else self._context.now()
                self._arm(timer, start + seconds)
            case Shift(timer, seconds):
                self._arm(timer, max(self._context.now(), self._due[timer] + seconds))
            case Disarm(timer):
                self._due.pop(timer, None)
                self._context.cancel(timer.value)
            case Reclaim(seconds):
                for announcer in self._spec.announcers:
                    self._context.tell(announcer, Contested(self._spec.addresses, seconds))

    def _arm(self, timer: Timer, when: float) -> None:
        self._due[timer] = when
        self._context.at(timer.value, when, TimerDue(timer))

    def _send(self, priority: int) -> None:
        """To each destination, whatever became of the one before: a peer that hears nothing takes over."""
        if not self._open:
            return
        advert = msgspec.structs.replace(self._spec.advert, priority=priority)
        as_v2 = self._spec.expected.v3_checksum_as_v2
        for destination in self._spec.endpoint.destinations:
            pdu = encode_advert(advert, self._router.address, destination, as_v2)
            try:
                self._wire.send(self._spec.endpoint, destination, pdu)
                self.counts["sent"] += 1
            except PlaneError as error:
                self._note("advert not sent", f"not sent to {destination}", detail=str(error), peer=destination)

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
