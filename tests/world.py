"""A world for unit tests: actors on a clock that the test owns, with no event loop and no wall clock."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from actors.core.status import AnyStatus
from actors.messages import Shutdown
from actors.runtime.clock import ManualClock
from actors.runtime.system import System
from actors.supervisor_actor import Child, SupervisorActor


class World:
    """The runtime under a manual clock. ``told`` holds what was told to ids that nobody lives under."""

    def __init__(self, children: tuple[Child, ...] = (), ports: Mapping[str, Any] | None = None) -> None:
        self.clock = ManualClock()
        self._work: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self.system = System(self.clock, lambda work, *args: self._work.append((work, args)), dict(ports or {}))
        self.codes: list[int] = []
        self.system.ports = {**self.system.ports, "launcher": self.system, "ended": self.codes.append}
        self.system.start("supervisor", SupervisorActor, (children,), ("launcher", "ended"))
        self.settle()

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
