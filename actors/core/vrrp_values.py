"""What the VRRP machine works on: a router's configuration, its state, the events it is told, the actions it asks for.

Only frozen values live here. Durations are seconds, except advertisement intervals: those are centiseconds, as on
the wire of version 3. Priorities are 0 (leaving) to 255 (owner of the addresses).
"""

from enum import Enum

import msgspec

OWNER = 255
LEAVING = 0


class Role(Enum):
    """Where a virtual router stands. INIT and FAULT neither send nor listen."""

    INIT = "INIT"
    BACKUP = "BACKUP"
    MASTER = "MASTER"
    FAULT = "FAULT"

    __hash__ = object.__hash__  # a member is one object; Enum's own is written in Python, and rules are looked up a lot


class Begun(Enum):
    """How far the start has come. DELAYED: asked to start, and waiting for the start delay."""

    NO = "NO"
    DELAYED = "DELAYED"
    YES = "YES"


class Hold(Enum):
    """What a BACKUP does about a lower priority: nothing heard of one (NONE), follow it while the preemption delay is
    RUNNING, or ignore it (OVER)."""

    NONE = "NONE"
    RUNNING = "RUNNING"
    OVER = "OVER"


class Timer(Enum):
    """A timer's name; `vrrp.DUE` says which event it brings when it fires."""

    START = "start"
    DOWN = "master-down"
    ADVERT = "advert"
    PREEMPT = "preempt"

    __hash__ = object.__hash__


class Router(msgspec.Struct, frozen=True, kw_only=True):
    """One virtual router as configured. After a reload the machine goes on with another one, and the same state.

    ``address`` is the source of its adverts, in canonical text form. ``start_delay`` and ``preempt_delay`` are
    seconds, 0 is none. ``down_timer_adverts`` is how many adverts may be missed. The other keywords are keepalived's.
    """

    address: str
    priority: int = 100
    version: int = 2
    interval: int = 100
    preempt: bool = True
    preempt_delay: float = 0.0
    down_timer_adverts: int = 3
    lower_prio_no_advert: bool = False
    higher_prio_send_advert: bool = False
    owner_ignore_adverts: bool = False
    strict_mode: bool = False
    start_delay: float = 0.0
    grouped: bool = False
    """Whether it is in a sync group: then it leads when the group does, and not by itself."""

    @property
    def owner(self) -> bool:
        """Whether it owns the addresses: it leads whenever it can, and no tracking moves its priority."""
        return self.priority == OWNER

    @property
    def preempts(self) -> bool:
        """Whether it takes over from a lower priority; an owner always does (RFC 5798 6.1)."""
        return self.preempt or self.owner

    @property
    def hold_seconds(self) -> float:
        """How long it follows a lower priority before it preempts. Strict mode knows no such delay."""
        return 0.0 if self.strict_mode or self.owner else self.preempt_delay

    @property
    def missed(self) -> int:
        """How many adverts may be missed before the master counts as down; 3 in strict mode, as in the RFCs."""
        return 3 if self.strict_mode else self.down_timer_adverts

    @property
    def answers_lower(self) -> bool:
        """Whether a MASTER meets a lower priority with an advert (RFC 9568 6.4.3; older RFCs and strict mode: no)."""
        return not (self.lower_prio_no_advert or self.strict_mode)

    @property
    def answers_higher(self) -> bool:
        """Whether a MASTER sends one more advert before it yields."""
        return self.higher_prio_send_advert and not self.strict_mode

    @property
    def deaf(self) -> bool:
        """Whether it is an owner that listens to nobody (RFC 3768 7.1, RFC 5798 7.1)."""
        return self.owner and (self.owner_ignore_adverts or self.strict_mode)

    @property
    def announced(self) -> int:
        """The interval that its adverts carry, in centiseconds: whole seconds 1..255 in version 2, 1..4095 in 3."""
        if self.version == 2:
            return min(max((self.interval + 50) // 100, 1), 255) * 100
        return min(max(self.interval, 1), 4095)


class State(msgspec.Struct, frozen=True):
    """Where the machine stands. ``reason`` is why it took its role, with the numbers.

    ``priority`` is the effective one. ``interval`` is the master's, learnt from its adverts in version 3.
    ``peer`` and ``peer_priority`` are of the last advert heard as BACKUP; empty and 0 before any. ``ready`` is a
    BACKUP in a sync group that would lead, were it alone.
    """

    role: Role = Role.INIT
    priority: int = 100
    interval: int = 100
    begun: Begun = Begun.NO
    hold: Hold = Hold.NONE
    peer: str = ""
    peer_priority: int = 0
    reason: str = ""
    ready: bool = False

    @property
    def leads(self) -> bool:
        """Whether it is MASTER, or would be if its sync group were."""
        return self.role is Role.MASTER or self.ready

    @property
    def armed(self) -> tuple[Timer, ...]:
        """The timers that run in this state, and no others do."""
        if self.role is Role.MASTER:
            return (Timer.ADVERT,)
        if self.role is Role.BACKUP:
            return (Timer.DOWN, Timer.PREEMPT) if self.hold is Hold.RUNNING else (Timer.DOWN,)
        return (Timer.START,) if self.begun is Begun.DELAYED else ()


class Event(msgspec.Struct, frozen=True, tag=True):
    """A fact that the machine is told."""


class Startup(Event, frozen=True):
    """The program runs. ``resume``: this router was MASTER until a moment ago, and the peers have not missed it.

    What speaks against the router is told before, by `Faulted`.
    """

    resume: bool = False


class Shutdown(Event, frozen=True):
    """The program ends, or the router is no longer configured."""


class Faulted(Event, frozen=True):
    """Something speaks against the router: the text says what, for operators. May be repeated with another text."""

    reason: str


class Recovered(Event, frozen=True):
    """Nothing speaks against the router any more."""


class Weighed(Event, frozen=True):
    """The priority that tracking gives; kept within 1..254, and without effect on an owner."""

    priority: int


class Heard(Event, frozen=True):
    """A well-formed advert of our virtual router arrived: priority, interval in centiseconds, source address."""

    priority: int
    interval: int
    address: str


class Agreed(Event, frozen=True):
    """All members of the sync group would lead: now they do."""

    reason: str


class Ousted(Event, frozen=True):
    """Another member of the sync group no longer leads: then nobody of it does."""

    reason: str


class StartDue(Event, frozen=True):
    """The start delay is over."""


class MasterDown(Event, frozen=True):
    """The master-down timer fired."""


class AdvertDue(Event, frozen=True):
    """The advertisement timer fired."""


class PreemptDue(Event, frozen=True):
    """The preemption delay is over."""


class Action(msgspec.Struct, frozen=True, tag=True):
    """Something to be done, in the order given."""


class Send(Action, frozen=True):
    """Multicast one advert (or one to each unicast peer) with this priority; 0 says that the router leaves."""

    priority: int


class Arm(Action, frozen=True):
    """Let the timer fire in ``seconds``, and not when it was to fire before.

    Asked for by a timer's own event, the seconds count from when that timer was due, so that adverts do not drift.
    """

    timer: Timer
    seconds: float


class Shift(Action, frozen=True):
    """Let the running timer fire ``seconds`` later, or earlier where negative; at once if that has passed."""

    timer: Timer
    seconds: float


class Disarm(Action, frozen=True):
    """Let the timer not fire."""

    timer: Timer


class Reclaim(Action, frozen=True):
    """Tell the neighbours again who has the addresses: a rival claims them too, or did until now.

    It counts as gone when it has not been heard for ``seconds``.
    """

    seconds: float
