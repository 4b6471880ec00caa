"""What a process knows of itself: what its actors say and count, and how much of everything there is."""

import gc
import heapq
import os
from collections.abc import Mapping
from typing import Any

from greenlet import greenlet

from actors.runtime.system import System


def explain(system: System, id: str) -> list[str]:
    """What an actor says of itself."""
    context = system.find(id)
    return context.actor.explain() if context and hasattr(context.actor, "explain") else []


def figures(system: System) -> dict[str, dict[str, Any]]:
    """How much mail waits for every actor, and what those that count have counted."""
    return {each.id: {"mailbox": each.mailbox, **_counted(each.actor)} for each in system.alive()}


def busiest(system: System, limit: int = 50) -> dict[str, int]:
    """The actors with the most mail that waits, and how much."""
    waiting = ((each.mailbox, each.id) for each in system.alive() if each.mailbox)
    return {id: mail for mail, id in heapq.nlargest(limit, waiting)}


def internals(system: System) -> dict[str, int]:
    """Counts of what could leak; of the greenlets those that are younger than the last start or reload.

    Finding the greenlets looks at every object that the collector does: not for polling.
    """
    return {
        "actors": len(system.alive()),
        "greenlets": sum(isinstance(each, greenlet) for each in gc.get_objects()),
        "threads": len(os.listdir("/proc/self/task")),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "undelivered": system.undelivered,
    }


def network_figures(ports: Mapping[str, Any]) -> dict[str, Any]:
    """What was read from the network for nobody, and how often news of links were lost; empty where it is not used."""
    if "wire" not in ports:
        return {}
    return {"discarded": dict(ports["wire"].errors), "link_resyncs": ports["links"].resyncs}


def _counted(actor: Any) -> dict[str, Any]:
    return actor.figures() if hasattr(actor, "figures") else {}
