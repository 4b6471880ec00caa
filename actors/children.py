"""Children as the supervisor sees them: what they are, how they fare, and what is to be done with them."""

from typing import Any

import msgspec

from actors.core.restart import Ledger, Policy
from actors.core.retelling import Told
from actors.core.status import Phase


class Child(msgspec.Struct, frozen=True):
    """A supervised actor as data: made as ``kind(context, *args, **ports)``.

    ``process`` names where it lives. A child that has not stopped ``stop_limit`` seconds after being told is abandoned.
    One with another ``identity`` shares no more than the id with its predecessor, which leaves nothing to it.
    """

    id: str
    kind: type
    args: tuple[Any, ...] = ()
    ports: tuple[str, ...] = ()
    process: str = "main"
    policy: Policy = Policy()
    stop_limit: float = 5.0
    identity: str = ""


class Charge:
    """A child in the supervisor's care, ``alive`` while an incarnation of it is, ``held`` while parked by hand."""

    __slots__ = ("alive", "child", "held", "incarnation", "ledger", "phase", "restarts", "told")

    def __init__(self, child: Child) -> None:
        self.child = child
        self.incarnation = 0
        self.ledger = Ledger()
        self.phase = Phase.RUNNING
        self.alive = False
        self.held = False
        self.restarts = -1
        self.told = Told()


class Step(msgspec.Struct, frozen=True):
    """One step of a reload or a shutdown: start ``child``, or stop ``id`` and wait until it has."""

    id: str
    final: bool = True
    child: Child | None = None
