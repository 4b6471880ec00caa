"""The runtime of one process: who is alive, and how their mail gets read."""

import traceback
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from actors.core.status import AnyStatus
from actors.messages import Crash, Died, Stop, Stopped
from actors.runtime.actor import Context
from actors.runtime.clock import Clock

Spawn = Callable[..., None]
Obituary = Died | Stopped

TURN = 64
"""Messages an actor may handle in one go while others wait."""


class CrashedOnRequest(Exception):
    """What a `Crash` message raises in its receiver."""


def _nowhere(id: str, message: Any) -> bool:
    return False


def _unsupervised(last_message: Obituary) -> None:
    structlog.get_logger().critical("the supervisor has ended", last=last_message)


class System:
    """Actors by id.

    ``spawn(work, *args)`` must have ``work(*args)`` called soon, in order, where it may block: an idle actor that
    gets mail is carried out so. ``ports`` are the things that actors of this process are given by name: planes,
    probers, the spawner. ``unsupervised`` gets the last message of the supervisor itself: nobody is left to restart it.
    ``elsewhere(id, message)`` is tried for who does not live here, and answers whether the message went somewhere.
    """

    def __init__(
        self,
        clock: Clock,
        spawn: Spawn,
        ports: Mapping[str, Any],
        supervisor: str = "supervisor",
        unsupervised: Callable[[Obituary], None] = _unsupervised,
    ) -> None:
        self.clock = clock
        self.ports = ports
        self.supervisor = supervisor
        self.unsupervised = unsupervised
        self.elsewhere: Callable[[str, Any], bool] = _nowhere
        self.undelivered = 0
        self._spawn = spawn
        self._contexts: dict[str, Context] = {}
        self._generation = 0

    def start(
        self,
        id: str,
        kind: type,
        args: tuple[Any, ...] = (),
        ports: tuple[str, ...] = (),
        last: AnyStatus | None = None,
        *,
        incarnation: int = 0,
    ) -> int:
        """Bring actor ``id`` to life and return its incarnation number. Its hooks run later, in order of the starts.

        An earlier incarnation that is still there is abandoned. A port that does not exist is the actor's death.
        Without a number of its own (0) it gets the next one.
        """
        self.abandon(id)
        number = incarnation or self.next_generation()
        context = self._contexts[id] = Context(self, id, kind.__name__, number, last)
        self.deliver(context, _Birth(kind, args, ports))
        return context.incarnation

    def tell(self, id: str, message: Any) -> None:
        """Deliver to the living actor ``id``, else count the loss."""
        context = self._contexts.get(id)
        if context is not None:
            self.deliver(context, message)
        elif not self.elsewhere(id, message):
            self.undelivered += 1

    def deliver(self, context: Context, message: Any) -> None:
        """Put ``message`` into a mailbox and see that it is read. `Stop` jumps the mailbox."""
        if not context.alive:
            return
        context.put(message, first=type(message) is Stop)
        if not context.busy:
            context.busy = True
            self._spawn(self._carry_out, context)

    def abandon(self, id: str) -> None:
        """Treat ``id`` as dead although it hangs in a hook: nothing reaches it, its id is free."""
        context = self._contexts.pop(id, None)
        if context is not None:
            context.die()

    def alive(self) -> tuple[Context, ...]:
        """The living actors, in order of their starts."""
        return tuple(self._contexts.values())

    def find(self, id: str) -> Context | None:
        """The living incarnation of ``id``."""
        return self._contexts.get(id)

    def next_generation(self) -> int:
        """A number never given before, for incarnations."""
        self._generation += 1
        return self._generation

    def _carry_out(self, context: Context) -> None:
        message: Any = None
        try:
            for _ in range(TURN):
                message = context.take()
                if message is None:
                    context.busy = False
                    return
                if not self._handle(context, message):
                    self._bury(context, Stopped(context.id, context.incarnation))
                    return
            self._spawn(self._carry_out, context)
        except BaseException as error:  # a death is a fact that the supervisor hears, whatever its cause
            self._bury(context, _obituary(context, message, error))
            if isinstance(error, KeyboardInterrupt):  # meant for the program
                raise

    def _handle(self, context: Context, message: Any) -> bool:
        """Carry out one message; False when it was the last one."""
        kind = type(message)
        if kind is Stop:
            if context.actor is None:  # Stop jumped even the birth, but who is to leave nothing behind must have lived
                self._handle(context, context.take())
            context.actor.on_stop(message.final)
            return False
        if kind is _Birth:
            ports = {name: self.ports[name] for name in message.ports}
            context.actor = message.kind(context, *message.args, **ports)
            context.actor.on_start()
        elif kind is Crash:
            raise CrashedOnRequest(message.reason)
        else:
            context.actor.receive(message)
        return True

    def _bury(self, context: Context, last_message: Obituary) -> None:
        context.die()
        if self._contexts.get(context.id) is context:
            del self._contexts[context.id]
            if context.id == self.supervisor:
                self.unsupervised(last_message)
                return
        self.tell(self.supervisor, last_message)


class _Birth:
    """The first message of every incarnation: what to make the actor of."""

    def __init__(self, kind: type, args: tuple[Any, ...], ports: tuple[str, ...]) -> None:
        self.kind = kind
        self.args = args
        self.ports = ports


def _obituary(context: Context, message: Any, error: BaseException) -> Died:
    trace = "".join(traceback.format_exception(error))
    handling = "start" if isinstance(message, _Birth) else _text(repr, message)
    reason = f"{type(error).__name__}: {_text(str, error)}"
    return Died(context.id, context.incarnation, reason, trace, handling[:500])


def _text(render: Callable[[Any], str], value: Any) -> str:
    try:
        return render(value)
    except Exception:  # what is broken enough to kill an actor may not be able to say so
        return f"<{type(value).__name__} that cannot be shown>"
