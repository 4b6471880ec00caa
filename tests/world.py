"""Worlds for unit tests: actors on a clock that the test owns, with no event loop and no wall clock."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from actors.children import Child
from actors.core.status import AnyStatus
from actors.messages import Run, Shutdown
from actors.runtime.actor import Context
from actors.runtime.clock import ManualClock
from actors.runtime.system import System
from actors.supervisor_actor import SupervisorActor


class Bench:
    """The runtime under a manual clock, with nobody in it. ``ports`` may be added to until they are asked for."""

    def __init__(self, ports: Mapping[str, Any] | None = None) -> None:
        self.clock = ManualClock()
        self.ports = dict(ports or {})
        self._work: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self.system = System(self.clock, lambda work, *args: self._work.append((work, args)), self.ports)

    def settle(self) -> None:
        """Carry out all that can be without time passing."""
        while self._work:
            work, args = self._work.popleft()
            work(*args)

    def advance(self, seconds: float) -> None:
        """Let time pass, serving whatever falls due on the way."""
        self.clock.advance(seconds, self.settle)

    def tell(self, id: str, message: Any) -> None:
        """Tell and settle."""
        self.system.tell(id, message)
        self.settle()

    def actor(self, id: str) -> Any:
        """The living actor object."""
        context = self.system.find(id)
        assert context is not None, f"{id} is not alive"
        return context.actor

    def alive(self) -> list[str]:
        """Ids of all who live, but for the supervisor, in order of their starts."""
        return [context.id for context in self.system.alive() if context.id != "supervisor"]


class Here:
    """Brings everybody to life in one system, wherever they belong. ``homes`` tells where that was."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.homes: dict[str, str] = {}

    def start(
        self,
        id: str,
        kind: type,
        args: tuple[Any, ...] = (),
        ports: tuple[str, ...] = (),
        last: AnyStatus | None = None,
        process: str = "main",
    ) -> int:
        self.homes[id] = process
        return self._system.start(id, kind, args, ports, last)

    def abandon(self, id: str) -> None:
        self._system.abandon(id)


class World(Bench):
    """A bench with a supervisor and its children. ``codes`` are the exit codes that it has ended with."""

    def __init__(self, children: tuple[Child, ...] = (), ports: Mapping[str, Any] | None = None) -> None:
        super().__init__(ports)
        self.codes: list[int] = []
        self.ports |= {"launcher": Here(self.system), "ended": self.codes.append}
        self.system.start("supervisor", SupervisorActor, (children,), ("launcher", "ended"))
        self.settle()

    @property
    def supervisor(self) -> SupervisorActor:
        """The supervisor itself."""
        return self.actor("supervisor")  # type: ignore[no-any-return]

    def status(self, source: str) -> AnyStatus | None:
        """What the board retains of ``source``."""
        return self.supervisor.board.last(source)

    def shut_down(self) -> None:
        """Stop everything in order."""
        self.tell("supervisor", Shutdown())


class Listener:
    """An actor that subscribes to ``patterns`` and appends what it hears, and what it is told, to ``heard``."""

    def __init__(self, context: Context, heard: list[Any], *patterns: str) -> None:
        self._context = context
        self._heard = heard
        self._patterns = patterns

    def on_start(self) -> None:
        """Subscribe."""
        for pattern in self._patterns:
            self._context.subscribe(pattern)

    def receive(self, message: Any) -> None:
        """Write it down."""
        self._heard.append(message)

    def on_stop(self, final: bool) -> None:
        """Nothing."""


def events(heard: list[Any]) -> list[tuple[str, str]]:
    """The programs asked for, as (source, event)."""
    return [(message.source, message.event) for message in heard if isinstance(message, Run)]
