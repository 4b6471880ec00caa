"""Who lives where, and how they are: the processes of the program with their actors, for ``tree`` and ``top``."""

import heapq
import os
import time
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import gevent

from actors.children import Charge
from actors.core.standing import LEAST, examined, standing
from actors.core.status import ChildStatus
from actors.fleet import MAIN, Fleet
from actors.inside import busiest, figures
from actors.process import VRRP
from actors.runtime.lag import Lag
from actors.runtime.system import System
from actors.spawner import DryRunSpawner, Spawner
from actors.supervisor_actor import SupervisorActor

NURSERY, SCRIPTS = "nursery", "scripts"
TICKS: int = os.sysconf("SC_CLK_TCK")
PAGE: int = os.sysconf("SC_PAGE_SIZE")

TURN = 0.01
"""Seconds for which a long answer may hold the event loop at a time."""

Row = dict[str, Any]
Answers = Mapping[str, Any]
Item = TypeVar("Item")


def supervisor_of(system: System) -> SupervisorActor:
    """The supervisor of main; raises LookupError when it does not run."""
    context = system.find(system.supervisor)
    if context is None or context.actor is None:
        raise LookupError("the supervisor is not running")
    return context.actor  # type: ignore[no-any-return]


def in_turns(items: Iterable[Item]) -> Iterator[Item]:
    """All of them, but others run in between."""
    began = time.monotonic()
    for item in items:
        if time.monotonic() - began > TURN:
            gevent.sleep(0)
            began = time.monotonic()
        yield item


def usage(pid: int) -> Row:
    """Seconds of CPU and bytes of memory that a process has used; null of one that is not there."""
    try:
        with open(f"/proc/{pid}/stat") as stat, open(f"/proc/{pid}/statm") as memory:
            words = stat.read().rpartition(")")[2].split()
            pages = memory.read().split()[1]
    except OSError:
        return {"cpu": None, "memory": None}
    return {"cpu": (int(words[11]) + int(words[12])) / TICKS, "memory": int(pages) * PAGE}


def together(system: System, counted: Answers) -> Mapping[str, Mapping[str, Any]]:
    """The figures of all actors that have any, wherever they live, by their ids."""
    return ChainMap(figures(system), *(said for said in counted.values() if said))


def lag_of_vrrp(processes: list[Row]) -> Row | None:
    """How late the loop is that the routers live on; None while it does not answer."""
    by_name = {row["name"]: row["lag"] for row in processes}
    return by_name.get(VRRP, by_name[MAIN])  # type: ignore[no-any-return]


class Census:
    """Looks at all processes. Reading changes nothing; a process that does not answer costs a second."""

    def __init__(self, system: System, fleet: Fleet, spawner: Spawner | DryRunSpawner, lag: Lag) -> None:
        self._system = system
        self._fleet = fleet
        self._spawner = spawner
        self._lag = lag

    def tree(self) -> Row:
        """Every process, and every actor in start order with its phase, crashes, restarts and waiting messages."""
        counted, vitals = self._fleet.ask("figures", "vitals")
        known = together(self._system, counted)
        charges = supervisor_of(self._system).charges()
        actors = [self._supervisor(), *(_actor(each, known.get(each.child.id, {})) for each in charges)]
        return {"processes": self.processes(vitals), "tree": actors}

    def top(self, limit: int) -> Row:
        """In figures how all of it fares, the processes, and at most ``limit`` actors: the sickest first, then those
        with the most mail that waits, then the first started."""
        waiting, vitals = self._fleet.ask("busiest", "vitals")
        mail: dict[str, int] = {**busiest(self._system), **dict(ChainMap(*(said for said in waiting.values() if said)))}
        supervisor = supervisor_of(self._system)
        tally, ails = examined(in_turns(supervisor.board.retained()))
        found = heapq.nsmallest(limit, {*ails, *mail}, key=lambda id: (ails.get(id, LEAST), -mail.get(id, 0), id))
        shown = {id: charge for id in found if (charge := supervisor.charge(id))}
        if len(shown) < limit:
            shown |= {
                charge.child.id: charge for charge in supervisor.charges()[:limit] if charge.child.id not in shown
            }
        actors = [self._shown(shown[id], mail.get(id, 0), supervisor) for id in tuple(shown)[:limit]]
        return {"tally": tally, "processes": self.processes(vitals), "actors": actors}

    def _shown(self, charge: Charge, mail: int, supervisor: SupervisorActor) -> Row:
        last = supervisor.board.last(f"child/{charge.child.id}")
        error = last.error if isinstance(last, ChildStatus) and last.crashes else ""
        state, detail = standing(supervisor.board.last(charge.child.id))
        return {**_actor(charge, {"mailbox": mail}), "state": state, "detail": error or detail}

    def processes(self, vitals: Answers) -> list[Row]:
        """One row a process: main, those of actors by ``vitals`` that they have said, those without actors."""
        own = {"actors": len(self._system.alive()), "lag": self._lag.figures()}
        others = sorted(self._fleet.processes(vitals).items(), key=lambda item: (item[0] != VRRP, item[0]))
        known = {MAIN: {"pid": os.getpid(), **own}, **dict(others)}
        return [_process(name, said) for name, said in {**known, **self._helpers()}.items()]

    def _helpers(self) -> dict[str, Row]:
        """The processes that no actor lives in."""
        found: dict[str, Row] = {}
        if pid := self._fleet.nursery_pid:
            found[NURSERY] = {"pid": pid}
        if isinstance(self._spawner, Spawner):
            found[SCRIPTS] = {"pid": self._spawner.pid, "ends": self._spawner.deaths, "programs": self._spawner.pending}
        return found

    def _supervisor(self) -> Row:
        context = self._system.find(self._system.supervisor)
        mail = context.mailbox if context else 0
        return _row(self._system.supervisor, "SupervisorActor", 0, "RUNNING", 0, 0, mail, MAIN)


def _process(name: str, said: Row) -> Row:
    """``lag`` and ``actors`` are null where there is no event loop, or no answer from it."""
    return {
        "name": name,
        "pid": said["pid"],
        "replaced": said.get("ends", 0),
        "silent": said.get("silent", False),
        "actors": said.get("actors"),
        "waiting": said.get("waiting", 0),
        "programs": said.get("programs"),
        "lag": said.get("lag"),
        **usage(said["pid"]),
    }


def _actor(charge: Charge, counted: Answers) -> Row:
    child = charge.child
    crashes, mail = len(charge.ledger.crashes), counted.get("mailbox", 0)
    return _row(child.id, child.kind.__name__, 1, charge.phase.value, crashes, charge.restarts, mail, child.process)


def _row(id: str, kind: str, depth: int, phase: str, crashes: int, restarts: int, mailbox: int, process: str) -> Row:
    return {
        "id": id,
        "kind": kind,
        "depth": depth,
        "phase": phase,
        "crashes": crashes,
        "restarts": restarts,
        "process": process,
        "mailbox": mailbox,
    }
