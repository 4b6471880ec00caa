"""A network of VRRP machines in memory: a manual clock, and a wire that loses, doubles, delays and is cut."""

import heapq
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from random import Random

from actors.core.vrrp import DUE, initial, step
from actors.core.vrrp_values import (
    Action,
    AdvertDue,
    Arm,
    Disarm,
    Event,
    Heard,
    Reclaim,
    Role,
    Router,
    Send,
    Shift,
    State,
    Timer,
)


class Node:
    """One router: its configuration, its state, and when its timers are due."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.state = initial(router)
        self.due: dict[Timer, float] = {}
        self.alive = True


class Wire:
    """All routers of a virtual router. Delays are drawn from ``least`` to ``most`` seconds; odds are 0 to 1."""

    def __init__(self, seed: int = 0, least: float = 0.001, most: float = 0.001) -> None:
        self.now = 0.0
        self.least, self.most, self.loss, self.twice = least, most, 0.0, 0.0
        self.nodes: dict[str, Node] = {}
        self.trace: list[str] = []
        self.overlaps: list[tuple[float, float]] = []
        self._random = Random(seed)
        self._islands: list[set[str]] = []
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._since: float | None = None

    def add(self, name: str, router: Router) -> None:
        """A machine that has not been started."""
        self.nodes[name] = Node(router)

    def masters(self) -> list[str]:
        """Names of those that live and are MASTER."""
        return [name for name, node in self.nodes.items() if node.alive and node.state.role is Role.MASTER]

    def tell(self, name: str, event: Event) -> None:
        """Give an event to a machine, and do what it asks for."""
        node = self.nodes[name]
        if not node.alive:
            return
        before = node.state
        node.state, actions = step(node.router, before, event)
        self._note(name, before, node.state, event, actions)
        for action in actions:
            self._perform(name, node, action)
        self._watch()

    def crash(self, name: str) -> None:
        """The machine is gone, without a word."""
        self.nodes[name].alive = False
        self._watch()

    def renew(self, name: str) -> None:
        """The machine is as at the beginning, and lives."""
        self.nodes[name] = Node(self.nodes[name].router)

    def cut(self, *islands: Iterable[str]) -> None:
        """Adverts pass only within an island."""
        self._islands = [set(island) for island in islands]

    def heal(self) -> None:
        """Adverts pass everywhere, once, and none is lost."""
        self._islands, self.loss, self.twice = [], 0.0, 0.0

    def run(self, seconds: float) -> None:
        """Let time pass, and all happen that is due."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, happen = heapq.heappop(self._queue)
            happen()
        self.now = end

    def later(self, seconds: float, happen: Callable[[], None]) -> None:
        """Have something happen."""
        heapq.heappush(self._queue, (self.now + seconds, next(self._order), happen))

    def _perform(self, name: str, node: Node, action: Action) -> None:
        match action:
            case Send(priority):
                self._send(name, Heard(priority, node.router.announced, node.router.address))
            case Arm(timer, seconds):
                self._set(name, node, timer, self.now + seconds)
            case Shift(timer, seconds):
                self._set(name, node, timer, max(node.due[timer] + seconds, self.now))
            case Disarm(timer):
                del node.due[timer]
            case Reclaim():
                pass  # nobody here has neighbours

    def _set(self, name: str, node: Node, timer: Timer, due: float) -> None:
        node.due[timer] = due
        self.later(due - self.now, lambda: self._fire(name, node, timer, due))

    def _fire(self, name: str, node: Node, timer: Timer, due: float) -> None:
        if node.due.get(timer) == due and self.nodes[name] is node:
            del node.due[timer]
            self.tell(name, DUE[timer])

    def _send(self, name: str, advert: Heard) -> None:
        for other in self.nodes:
            copies = (self._random.random() >= self.loss) + (self._random.random() < self.twice)
            for _ in range(copies if other != name else 0):
                self.later(self._random.uniform(self.least, self.most), partial(self._arrive, name, other, advert))

    def _arrive(self, name: str, other: str, advert: Heard) -> None:
        if not self._islands or any({name, other} <= island for island in self._islands):
            self.tell(other, advert)

    def _watch(self) -> None:
        double = len(self.masters()) > 1
        if double and self._since is None:
            self._since = self.now
        elif not double and self._since is not None:
            self.overlaps.append((self._since, self.now))
            self._since = None

    def _note(self, name: str, before: State, after: State, event: Event, actions: tuple[Action, ...]) -> None:
        told = before.role is after.role is Role.MASTER and isinstance(event, Heard) and actions
        kept = ("role", "begun", "hold", "priority")
        if told or any(getattr(before, field) != getattr(after, field) for field in kept):
            words = [f"{self.now:8.3f}  {name}  {after.role.value:6}", *map(spoken, actions)]
            words[0] += f"  {after.reason}" if before.role is not after.role else f"  ({named(event)})"
            self.trace.append("; ".join(words))


def named(event: Event) -> str:
    """An event in a word or two."""
    if isinstance(event, Heard):
        return f"heard {event.priority} of {event.address}"
    return "advert" if isinstance(event, AdvertDue) else type(event).__name__


def spoken(action: Action) -> str:
    """An action in words."""
    match action:
        case Send(priority):
            return f"send {priority}"
        case Arm(timer, seconds):
            return f"arm {timer.value} {seconds:g}"
        case Shift(timer, seconds):
            return f"shift {timer.value} {seconds:+g}"
        case Disarm(timer):
            return f"disarm {timer.value}"
        case Reclaim(seconds):
            return f"reclaim {seconds:g}"
    raise AssertionError(action)
