"""What processes ask of the kernel. It is tried in a child of its own: the test's own turn stays as it is."""

import json
import os
import subprocess
import sys

import msgspec
import pytest

from actors.process import scheduling_of
from actors.scheduling import Scheduling
from loader.model import GlobalDefs

ASK = """
import json, os, re, sys
from pathlib import Path
import msgspec
from actors.scheduling import Scheduling, apply

refused = [line for each in msgspec.json.decode(sys.argv[1], type=list[Scheduling]) for line in apply(each)]
locked = re.search(r"VmLck:\\s+(\\d+)", Path("/proc/self/status").read_text())
policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
turn = (policy, os.sched_getparam(0).sched_priority, os.nice(0))
print(json.dumps([*turn, sorted(os.sched_getaffinity(0)), locked[1] != "0", refused]))
"""


def tried(*wanted: Scheduling) -> list[object]:
    """Policy, priority, nice value, cores, whether memory is locked, of a process that asked; and what was refused."""
    command = [sys.executable, "-c", ASK, msgspec.json.encode(wanted).decode()]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # type: ignore[no-any-return]


CORES = sorted(os.sched_getaffinity(0))


def test_without_a_wish_nothing_is_asked_of_the_kernel() -> None:
    assert tried(Scheduling()) == [os.SCHED_OTHER, 0, os.nice(0), CORES, False, []]


def test_every_wish_is_granted_to_root() -> None:
    wanted = Scheduling(rt_priority=7, no_swap=True, cpus=(CORES[0],))
    assert tried(wanted) == [os.SCHED_RR, 7, os.nice(0), CORES[:1], True, []]
    assert tried(Scheduling(nice=5))[:3] == [os.SCHED_OTHER, 0, 5]


def test_a_turn_that_is_no_longer_wanted_is_given_back() -> None:
    assert tried(Scheduling(rt_priority=7), Scheduling())[:2] == [os.SCHED_OTHER, 0]


def test_what_the_kernel_refuses_is_said_and_the_rest_is_done() -> None:
    found = tried(Scheduling(rt_priority=7, cpus=(4095,)))
    assert found[:2] == [os.SCHED_RR, 7]
    assert found[-1] == ["cpu affinity: Invalid argument"]


@pytest.mark.parametrize(
    ("defs", "name", "expected"),
    [
        (GlobalDefs(), "vrrp", Scheduling(1, 0, True, ())),
        (
            GlobalDefs(vrrp_rt_priority=50, vrrp_priority=-5, vrrp_cpu_affinity=(1,)),
            "vrrp",
            Scheduling(50, -5, True, (1,)),
        ),
        (GlobalDefs(), "checkers-1", Scheduling()),
        (
            GlobalDefs(checker_rt_priority=2, checker_priority=3, checker_no_swap=True, checker_cpu_affinity=(0,)),
            "checkers-2",
            Scheduling(2, 3, True, (0,)),
        ),
    ],
)
def test_each_process_is_treated_as_the_configuration_says(defs: GlobalDefs, name: str, expected: Scheduling) -> None:
    assert scheduling_of(defs, name) == expected
