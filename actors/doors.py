"""What the outside may ask of the running program: the requests of the control socket, the words of the console."""

from collections.abc import Callable
from typing import Any

import structlog

from actors.census import Census
from actors.children import Charge
from actors.control import Asks, Request
from actors.core.restart import Beyond
from actors.messages import Crash, Message, Park, Revive, Stop
from actors.runtime.system import System
from actors.snapshot import BY_HAND, Snapshot

DEEDS: dict[str, Callable[[str], tuple[str, Message, str]]] = {
    "crash": lambda id: (id, Crash("crashed by hand"), "is told to crash"),
    "park": lambda id: ("", Park(id), f"is {BY_HAND}"),
    "revive": lambda id: ("", Revive(id), "is started"),
}
"""What can be done to an actor by hand: who is told what (empty: the supervisor), and what is said of it."""

log = structlog.get_logger()

ROWS, MOST = 40, 1000
"""Actors that ``top`` tells of unless it is asked for more, and at most."""


def asks(snapshot: Snapshot, census: Census, system: System) -> Asks:
    """The requests of the control socket."""
    return {
        "status": lambda request: snapshot.status(),
        "tree": lambda request: census.tree(),
        "top": lambda request: {**snapshot.head(), **census.top(_count(request))},
        "actor": lambda request: {"id": request["id"], "lines": [meddle(snapshot, system, request)]},
        "internals": lambda request: snapshot.internals(),
        "why": lambda request: {"id": request["id"], "lines": snapshot.why(str(request["id"]))},
    }


def meddle(snapshot: Snapshot, system: System, request: Request) -> str:
    """Crash, park or revive an actor by hand: what was done, in a sentence; ValueError says why it was not."""
    id, deed = str(request["id"]), request["do"]
    charge = snapshot.charge(id)
    if deed not in DEEDS:
        raise ValueError(f"nothing is known of {deed!r}; known: {', '.join(DEEDS)}")
    to, message, said = DEEDS[deed](id)
    _agree(deed, charge)
    log.warning("by hand", id=id, deed=deed)
    system.tell(to or system.supervisor, message)
    return f"{id} {said}"


def _agree(deed: str, charge: Charge) -> None:
    """Raises ValueError where a deed makes no sense."""
    id = charge.child.id
    if deed == "crash" and not charge.alive:
        raise ValueError(f"{id} cannot crash: it is {charge.phase.value}")
    if deed == "revive" and charge.alive:
        raise ValueError(f"{id} lives: it is {charge.phase.value}")
    if deed == "park" and charge.held:
        raise ValueError(f"{id} is parked by hand already")
    if deed == "park" and charge.child.policy.beyond is Beyond.ESCALATE:
        raise ValueError(f"{id} cannot be parked: the program cannot do without it")


def _count(request: Request) -> int:
    rows = request.get("rows", ROWS)
    if not isinstance(rows, int) or isinstance(rows, bool) or not 0 <= rows <= MOST:
        raise ValueError(f"rows must be a number from 0 to {MOST}")
    return rows


def words(snapshot: Snapshot, census: Census, system: System) -> dict[str, Callable[..., Any]]:
    """What an operator finds in the console to look around with, and to meddle."""

    def tree() -> None:
        """Every actor, its process, its phase, its crashes and its waiting messages."""
        for row in census.tree()["tree"]:
            place = f"{'  ' * row['depth']}{row['id']} in {row['process']}"
            print(f"{place}  {row['phase']}  crashes {row['crashes']}  mail {row['mailbox']}")

    def status() -> dict[str, Any]:
        """The whole state as data."""
        return snapshot.status()

    def why(id: str) -> None:
        """How the actor ``id`` came to its status."""
        print("\n".join(snapshot.why(id)))

    def tell(id: str, message: Message) -> str:
        """Put a message into the mailbox of an actor, wherever it lives."""
        before = system.undelivered
        system.tell(id, message)
        return f"told {id}" if system.undelivered == before else f"nobody is called {id!r}"

    kinds = {kind.__name__: kind for kind in (Crash, Park, Revive, Stop)}
    return {"tree": tree, "status": status, "why": why, "tell": tell, **kinds}
