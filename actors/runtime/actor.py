"""What an actor is, and what it is given: the class that an author writes, and the `Context`, its whole world."""

import math
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from actors.core.status import AnyStatus
from actors.messages import Published, Subscribe

if TYPE_CHECKING:
    from actors.runtime.system import System


class Actor(Protocol):
    """An actor. Hooks run in a greenlet of their own, one at a time; an exception in any of them is the actor's death.

    It is made as ``Kind(context, *args, **ports)``.
    """

    def on_start(self) -> None:
        """Called once, before the first message."""

    def receive(self, message: Any) -> None:
        """Called for each message, in order of arrival; `Stop` never gets here."""

    def on_stop(self, final: bool) -> None:
        """Called once, last, when told to `Stop`; not after a crash. ``final``: no successor follows."""


NEVER = math.inf

NEAR = 0.05
"""Seconds below which the clock is asked for the very instant."""


class Alarm:
    """A timer, and what lies in the mailbox when it has rung; dropped unreceived when it was changed meanwhile.

    The clock calls at ``calls``. A timer that is put off, or cancelled, stays with the clock as it is, and when that
    calls looks at ``when`` it is to ring: a timer that is put off all the time costs the clock next to nothing. Asked
    again, the clock is to call at a round time before that, and so for many such timers at once.
    """

    __slots__ = ("calls", "message", "name", "when")

    def __init__(self, name: str, calls: float) -> None:
        self.name = name
        self.calls = calls
        self.when = calls
        self.message: Any = None


class Context:
    """One incarnation of an actor: its identity, its mailbox, its timers, and its ways to the rest of the world.

    It is small on purpose: idle, it holds neither greenlet nor mailbox, so that fifty thousand of them are cheap.
    """

    __slots__ = ("_mail", "_system", "_timers", "actor", "alive", "busy", "id", "incarnation", "kind", "last")

    def __init__(self, system: "System", id: str, kind: str, incarnation: int, last: AnyStatus | None) -> None:
        self.id = id
        self.kind = kind
        self.incarnation = incarnation
        self.last = last
        self.actor: Any = None
        self.alive = True
        self.busy = False
        self._system = system
        self._mail: deque[Any] | None = None
        self._timers: dict[str, Alarm] | None = None

    @property
    def log(self) -> Any:
        """A structlog logger that names this actor."""
        return structlog.get_logger().bind(actor=self.id)

    def now(self) -> float:
        """Seconds of the runtime's clock."""
        return self._system.clock.now()

    def wall(self) -> float:
        """Seconds since 1970, which may jump: for what other machines are told, never for timers."""
        return self._system.clock.wall()

    def tell(self, id: str, message: Any) -> None:
        """Put ``message`` into the mailbox of actor ``id``; one that does not exist loses it, counted.

        The dead say nothing: an incarnation that was abandoned in a hook and comes to later is not heard.
        """
        if self.alive:
            self._system.tell(id, message)

    def take_up(self, message: Any) -> None:
        """Put ``message`` into the own mailbox: what a callback of the loop has heard comes in its turn."""
        self._system.deliver(self, message)

    def publish(self, status: AnyStatus) -> None:
        """Make ``status`` known to all who subscribed to its source, now or later."""
        self.tell(self._system.supervisor, Published(status))

    def subscribe(self, pattern: str) -> None:
        """Receive every status whose source matches ``pattern``, beginning with the retained ones."""
        self.tell(self._system.supervisor, Subscribe(self.id, pattern))

    def after(self, name: str, delay: float, message: Any, grain: float = 0.0) -> None:
        """Receive ``message`` after ``delay`` seconds. The timer is its name: setting it again replaces it.

        With a ``grain`` it may come up to that much later, together with everything else that is due by then.
        """
        self.at(name, self.now() + delay, message, grain)

    def at(self, name: str, when: float, message: Any, grain: float = 0.0) -> None:
        """As `after`, for an absolute time of `now`."""
        if grain:
            when = -(-when // grain) * grain
        if self._timers is None:
            self._timers = {}
        alarm = self._timers.get(name)
        if alarm is None or alarm.calls > when:
            alarm = self._timers[name] = Alarm(name, when)
            self._system.clock.call_at(when, self._ring, alarm)
        alarm.when = when
        alarm.message = message

    def cancel(self, name: str) -> None:
        """Disarm a timer, also one that has rung and lies in the mailbox; an unknown one is fine."""
        alarm = self._timers.get(name) if self._timers else None
        if alarm is not None and alarm.calls < NEVER:
            alarm.when, alarm.message = NEVER, None
        elif self._timers is not None:
            self._timers.pop(name, None)

    @property
    def mailbox(self) -> int:
        """How many messages wait."""
        return len(self._mail) if self._mail else 0

    def put(self, message: Any, first: bool = False) -> None:
        """For the runtime: add to the mailbox."""
        if self._mail is None:
            self._mail = deque()
        if first:
            self._mail.appendleft(message)
        else:
            self._mail.append(message)

    def take(self) -> Any:
        """For the runtime: the next message that is still wanted, None when there is none."""
        while self._mail:
            message = self._mail.popleft()
            if type(message) is not Alarm:
                return message
            if self._is_armed(message):
                self.cancel(message.name)
                return message.message
        self._mail = None
        return None

    def die(self) -> None:
        """For the runtime: drop timers and mail; nothing reaches this incarnation any more."""
        self.alive = False
        self._mail = self._timers = None

    def _is_armed(self, alarm: Alarm) -> bool:
        return self._timers is not None and self._timers.get(alarm.name) is alarm

    def _ring(self, alarm: Alarm) -> None:
        if not self._is_armed(alarm):
            return
        rang, alarm.calls = alarm.calls, NEVER
        if alarm.when <= rang:
            self._system.deliver(self, alarm)
        elif alarm.when < NEVER:
            alarm.calls = _before(alarm.when, rang)
            self._system.clock.call_at(alarm.calls, self._ring, alarm)
        else:
            self.cancel(alarm.name)


def _before(when: float, now: float) -> float:
    """A round time in the last quarter of what is ahead, up to ``when``; ``when`` itself if that is near."""
    ahead = when - now
    if ahead < NEAR:
        return when
    step = math.ldexp(0.125, math.frexp(ahead)[1])
    return when // step * step


Factory = Callable[..., Any]
