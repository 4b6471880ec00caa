"""What an actor is, and what it is given: the class that an author writes, and the `Context`, its whole world."""

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


class Due:
    """A timer that has rung and lies in a mailbox; dropped unreceived when it was cancelled or replaced meanwhile."""

    __slots__ = ("generation", "message", "name")

    def __init__(self, name: str, generation: int, message: Any) -> None:
        self.name = name
        self.generation = generation
        self.message = message


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
        self._timers: dict[str, int] | None = None

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
        generation = self._timers[name] = self._system.next_generation()
        self._system.clock.call_at(when, self._ring, name, generation, message)

    def cancel(self, name: str) -> None:
        """Disarm a timer, also one that has rung and lies in the mailbox; an unknown one is fine."""
        if self._timers is not None:
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
            if type(message) is not Due:
                return message
            if self._is_armed(message.name, message.generation):
                self.cancel(message.name)
                return message.message
        self._mail = None
        return None

    def die(self) -> None:
        """For the runtime: drop timers and mail; nothing reaches this incarnation any more."""
        self.alive = False
        self._mail = self._timers = None

    def _is_armed(self, name: str, generation: int) -> bool:
        return self._timers is not None and self._timers.get(name) == generation

    def _ring(self, name: str, generation: int, message: Any) -> None:
        if self._is_armed(name, generation):
            self._system.deliver(self, Due(name, generation, message))


Factory = Callable[..., Any]
