"""The router that these tests talk about, and states of it: 10.0.0.2, priority 100, an interval of 1 s."""

from typing import Any

from actors.core.vrrp import initial, step
from actors.core.vrrp_rules import Step
from actors.core.vrrp_values import Begun, Event, Heard, Hold, Reclaim, Role, Router, State

OURS, LOWER, HIGHER = "10.0.0.2", "10.0.0.1", "10.0.0.10"
OLD = "as before"
V2 = Router(address=OURS)
V3 = Router(address=OURS, version=3)


def backup(priority: int = 100, interval: int = 100, peer: str = "", peer_priority: int = 0, hold: Hold = Hold.NONE,
           reason: str = OLD) -> State:  # fmt: skip
    return State(Role.BACKUP, priority, interval, Begun.YES, hold, peer, peer_priority, reason)


def master(priority: int = 100, interval: int = 100, reason: str = OLD) -> State:
    return State(Role.MASTER, priority, interval, Begun.YES, reason=reason)


def fault(priority: int = 100, begun: Begun = Begun.YES, reason: str = "eth0 is down") -> State:
    return State(Role.FAULT, priority, begun=begun, reason=reason)


def stopped(priority: int = 100) -> State:
    return State(priority=priority, reason="stopped")


def advert(priority: int, address: str = HIGHER, interval: int = 100) -> Heard:
    return Heard(priority, interval, address)


def first(router: Router, event: Event) -> Step:
    """The step from before the start."""
    return step(router, initial(router), event)


def unmoved(router: Router, state: State, *events: Any) -> bool:
    """Whether each of the events leaves the state as it is and asks for nothing."""
    return all(step(router, state, event) == (state, ()) for event in events)


def reclaimed(router: Router, state: State, event: Any, seconds: float) -> bool:
    """Whether the event leaves the state as it is, and only has the neighbours told again who has the addresses."""
    return step(router, state, event) == (state, (Reclaim(seconds),))
