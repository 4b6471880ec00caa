"""What must hold once a fault has been healed: each thing that does not is told in a sentence."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.system.faults.observers import fetch
from tests.system.faults.stage import CHECKS, SECOND, SERVERS, Program, Stage, members
from tests.system.lab import resident
from tests.system.netns import VIP
from tests.system.tap import inside

STALL = 1.0
"""Seconds for which the loop of main may be held."""

LEEWAY = {"actors": 0, "greenlets": 12, "threads": 4, "descriptors": 8}
"""By how much counts may differ from the first ones: a client is being served, a pool has grown."""

HEAVY = 160 << 10
"""KiB of memory that no process of the program needs."""

Counts = dict[str, dict[str, dict[str, int]]]


def counts(stage: Stage) -> Counts:
    """What each process has of what could leak."""
    return {each.name: _counts(each.says(ask="internals")) for each in stage.ours}


def _counts(said: dict[str, Any] | None) -> dict[str, dict[str, int]]:
    if said is None:
        return {}
    everybody = {"main": said, **said["processes"]}
    return {name: {kind: each.get(kind, -1) for kind in LEEWAY} for name, each in everybody.items()}


def complaints(stage: Stage, usual: Counts) -> list[str]:
    """All that is wrong."""
    found = list(_of_leaders(stage))
    for program in stage.ours:
        found += [f"{program.name}: {each}" for each in _of(program, stage, usual.get(program.name, {}))]
    found += [] if inside(stage.wire.hosts[5], fetch) else ["the client has no answer"]
    return found


def _of_leaders(stage: Stage) -> Iterator[str]:
    """The best router leads, and all of the virtual addresses are on its host and on no other."""
    wanted = (True, False, False)
    for address in (VIP, SECOND):
        holders = tuple(router.host.holds(address) for router in stage.routers)
        if holders != wanted:
            yield f"{address} is held as {holders}"


def _of(program: Program, stage: Stage, usual: dict[str, dict[str, int]]) -> Iterator[str]:
    said = program.says(ask="status")
    if said is None:
        yield "does not answer"
        return
    yield from _of_role(program, said, stage)
    yield from _of_pool(said, stage)
    yield from _of_checkers(said)
    yield from _of_processes(program)
    yield from _of_memory(program)
    yield from _of_counts(_counts(program.says(ask="internals")), usual)
    yield from (f"its loop was held for {each:.1f} s" for each in program.glances.stalls(STALL))


def _of_role(program: Program, said: dict[str, Any], stage: Stage) -> Iterator[str]:
    role = "MASTER" if program is stage.one else "BACKUP"
    for row in said["routers"]:
        if (row["role"], row["holds_addresses"]) != (role, role == "MASTER"):
            yield f"is {row['role']} ({row['reason']})"


def _of_pool(said: dict[str, Any], stage: Stage) -> Iterator[str]:
    """Whoever lives is in the pool, and nobody else."""
    pool = {row["address"] for row in said["servers"] if row["in_pool"] and row["weight"] > 0}
    if pool != stage.serving or len(said["servers"]) != len(SERVERS):
        yield f"has {sorted(pool)} of {len(said['servers'])} in the pool, alive are {sorted(stage.serving)}"
    yield from (f"{row['address']} is in the pool against its verdict" for row in said["servers"] if _is_stray(row))


def _is_stray(row: dict[str, Any]) -> bool:
    return bool(row["in_pool"] != (row["verdict"] == "OK"))


def _of_checkers(said: dict[str, Any]) -> Iterator[str]:
    """Each probes: what is known is not from long ago."""
    if len(said["checkers"]) != len(CHECKS) * len(SERVERS):
        yield f"has {len(said['checkers'])} checkers"
    for row in said["checkers"]:
        if row["phase"] != "PARKED" and not (row["age"] is not None and row["age"] < 2):
            yield f"{row['id']} has not probed for {row['age']} s"


def _of_processes(program: Program) -> Iterator[str]:
    """All that there are, and nobody else: no child of a program that is dead."""
    known, living = program.processes(), members(program.host)
    strangers = living - set(known.values())
    if strangers:
        yield f"unknown processes: {', '.join(f'{pid} ({_name(pid)})' for pid in sorted(strangers))}"
    if "dead" in known:
        yield "a child that has ended is not collected"
    if missing := {"main", "nursery", "vrrp", "checkers-1", "checkers-2"} - set(known):
        yield f"no process {', '.join(sorted(missing))}"


def _of_memory(program: Program) -> Iterator[str]:
    for name, pid in program.processes().items():
        with contextlib.suppress(OSError, StopIteration):  # it has just ended
            if (size := resident(pid)) > HEAVY:
                yield f"{name} has {size >> 10} MiB of memory"


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return "gone"


def _of_counts(now: dict[str, dict[str, int]], usual: dict[str, dict[str, int]]) -> Iterator[str]:
    for process, wanted in usual.items():
        for kind, count in wanted.items():
            found = now.get(process, {}).get(kind, -1)
            if found < 0 or found - count > LEEWAY[kind] or (kind == "actors" and found != count):
                yield f"{process} has {found} {kind}, it had {count}"
