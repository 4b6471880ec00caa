"""What the outside may ask of the running program: the requests of the control socket, the words of the console."""

from collections.abc import Callable
from typing import Any

from actors.census import Census
from actors.control import Asks, Request
from actors.messages import Crash, Message, Revive, Stop
from actors.runtime.system import System
from actors.snapshot import Snapshot

ROWS, MOST = 40, 1000
"""Actors that ``top`` tells of unless it is asked for more, and at most."""


def asks(snapshot: Snapshot, census: Census) -> Asks:
    """The requests of the control socket."""
    return {
        "status": lambda request: snapshot.status(),
        "tree": lambda request: census.tree(),
        "top": lambda request: {**snapshot.head(), **census.top(_count(request))},
        "internals": lambda request: snapshot.internals(),
        "why": lambda request: {"id": request["id"], "lines": snapshot.why(str(request["id"]))},
    }


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

    return {"tree": tree, "status": status, "why": why, "tell": tell, "Crash": Crash, "Stop": Stop, "Revive": Revive}
