"""How the kernel treats a process: its turn, its memory, its cores. What is not allowed is said, and done without."""

import ctypes
import gc
import os
from collections.abc import Callable

import msgspec
import structlog

MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4
"""sys/mman.h. On fault: what a fork shares with others stays shared until it is written to."""

log = structlog.get_logger()


class Scheduling(msgspec.Struct, frozen=True):
    """``rt_priority`` 1..99 is a turn before everybody else (SCHED_RR), 0 the usual one with ``nice`` (-20..19).

    ``no_swap`` keeps all memory in memory, ``cpus`` are the cores to run on (none: any).
    """

    rt_priority: int = 0
    nice: int = 0
    no_swap: bool = False
    cpus: tuple[int, ...] = ()


def apply(wanted: Scheduling) -> list[str]:
    """Ask the kernel for all of it; what it refuses, in words."""
    steps: tuple[tuple[bool, str, Callable[[Scheduling], None]], ...] = (
        (bool(wanted.cpus), "cpu affinity", _bind),
        (bool(wanted.nice), "nice", _be_nice),
        (True, "real-time scheduling", _take_turn),
        (wanted.no_swap, "memory that is never swapped", _lock),
    )
    refused = []
    for is_wanted, what, step in steps:
        try:
            if is_wanted:
                step(wanted)
        except OSError as error:
            refused.append(f"{what}: {error.strerror}")
    return refused


def spare_collector() -> None:
    """Have the collector look at nothing that is there now: it stays as long as the process does."""
    gc.collect()
    gc.freeze()
    give_back()


def give_back() -> None:
    """Return memory that is free to the kernel: what a start or a reload needed for a moment."""
    ctypes.CDLL(None).malloc_trim(0)


def _bind(wanted: Scheduling) -> None:
    os.sched_setaffinity(0, wanted.cpus)


def _be_nice(wanted: Scheduling) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, wanted.nice)


def _take_turn(wanted: Scheduling) -> None:
    # What this process starts does not inherit it.
    policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK if wanted.rt_priority else os.SCHED_OTHER
    if wanted.rt_priority or os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, policy, os.sched_param(wanted.rt_priority))


def _lock(wanted: Scheduling) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
