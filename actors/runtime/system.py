"""The runtime of one process: who is alive, and how their mail gets read."""

import traceback
from collections.abc import Callable, Mapping
from typing import Any

from actors.core.status import AnyStatus
from actors.messages import Crash, Died, Stop, Stopped
from actors.runtime.actor import Context
from actors.runtime.clock import Clock

Spawn = Callable[..., None]

TURN = 64
"""Messages an actor may handle in one go while others wait."""


class CrashedOnRequest(Exception):
    """What a `Crash` message raises in its receiver."""


class System:
    """Actors by id.

    ``spawn(work, *args)`` must have ``work(*args)`` called soon, in order, where it may block: an idle actor that
    gets mail is carried out so. ``ports`` are the things that actors of this process are given by name: planes,
    probers, the spawner.
    """

    def __init__(self, clock: Clock, spawn: Spawn, ports: Mapping[str, Any], supervisor: str = "supervisor") -> None:
        self.clock = clock
        self.ports = ports
        self.supervisor = supervisor
        self.undelivered = 0
        self._spawn = spawn
        self._contexts: dict[str, Context] = {}
        self._generation = 0

    def start(
        self, id: str, kind: type, args: tuple[Any, ...] = (), ports: tuple[str, ...] = (), last: AnyStatus | None = None
    ) -> int:
        """Bring actor ``id`` to life and return its incarnation number. Its hooks run later, in order of the starts."""
        context = Context(self, id, kind.__name__, self.next_generation(), last)
        given = {name: self.ports[name] for name in ports}
        self._contexts[id] = context
        self.deliver(context, _Birth(kind, args, given))
        return context.incarnation

    def tell(self, id: str, message: Any) -> None:
        """Deliver to the living actor ``id``, else count the loss."""
        context = self._contexts.get(id)
        if context is None:
            self.undelivered += 1
            return
        self.deliver(context, message)

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
        """A number never given before, for timers and incarnations."""
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
                if not _handle(context, message):
                    self._bury(context, Stopped(context.id, context.incarnation))
                    return
            self._spawn(self._carry_out, context)
        except Exception as error:  # an actor's death is a fact that the supervisor hears, whatever its cause
            self._bury(context, _obituary(context, message, error))

    def _bury(self, context: Context, last_message: Any) -> None:
        context.die()
        if self._contexts.get(context.id) is context:
            del self._contexts[context.id]
        self.tell(self.supervisor, last_message)


class _Birth:
    """The first message of every incarnation: what to make the actor of."""

    def __init__(self, kind: type, args: tuple[Any, ...], ports: Mapping[str, Any]) -> None:
        self.kind = kind
        self.args = args
        self.ports = ports


def _handle(context: Context, message: Any) -> bool:
    """Carry out one message; False when it was the last one."""
    kind = type(message)
    if kind is Stop:
        if context.actor is not None:
            context.actor.on_stop(message.final)
        return False
    if kind is _Birth:
        context.actor = message.kind(context, *message.args, **message.ports)
        context.actor.on_start()
    elif kind is Crash:
        raise CrashedOnRequest(message.reason)
    else:
        context.actor.receive(message)
    return True


def _obituary(context: Context, message: Any, error: Exception) -> Died:
    trace = "".join(traceback.format_exception(error))
    handling = "start" if isinstance(message, _Birth) else repr(message)
    return Died(context.id, context.incarnation, f"{type(error).__name__}: {error}", trace, handling[:500])
