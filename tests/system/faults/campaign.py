"""The campaign: faults at random from a seed, each followed by a look whether all is well again; told as a story."""

import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.system.faults import network_steps, steps
from tests.system.faults.health import Counts, complaints, counts
from tests.system.faults.stage import Stage, members, stage
from tests.system.faults.steps import Scene
from tests.system.netns import lan

HEALED = 30.0
"""Seconds after the last harm by which all must be well."""

LONG = 3.0
"""Seconds after which it is worth telling what was waited for."""

AT_ONCE = 0.15
"""Share of the steps after which nobody waits: the next fault meets a program that is not well yet."""

Step = Callable[[Scene], None]

STEPS: tuple[Step, ...] = (
    steps.kill_a_process,
    steps.kill_a_process,
    steps.kill_two_processes,
    steps.stop_a_process,
    steps.stop_a_process,
    steps.end_a_program,
    steps.crash_an_actor,
    steps.crash_an_actor,
    steps.misbehave,
    steps.misbehave,
    steps.hinder_the_log,
    steps.reload,
    steps.starve_of_descriptors,
    steps.lose_a_server,
    steps.lose_the_peer,
    network_steps.spoil_a_cable,
    network_steps.spoil_a_cable,
    network_steps.unplug,
    network_steps.part,
    network_steps.set_the_interface_down,
    network_steps.take_virtual_addresses,
    network_steps.take_the_own_address,
    network_steps.flood,
)


class NotHealed(AssertionError):
    """Something was not well again in time; the text is the end of the story."""


class Plan(NamedTuple):
    """A campaign to be: ``seconds`` of faults from a ``seed``,."""

    seed: int
    seconds: float
    folder: Path
    tell: Callable[[str], None] = print


class Campaign:
    """One campaign, on a stage."""

    def __init__(self, plan: Plan, place: Stage) -> None:
        self._plan = plan
        self._stage = place
        self._began = time.monotonic()
        self._usual: Counts = {}

    def run(self) -> int:
        """Faults until the time is over; how many there were. Raises `NotHealed`."""
        self._tell(f"seed {self._plan.seed}: everybody starts")
        self._heal()
        time.sleep(2.0)
        self._usual = counts(self._stage)
        number = 0
        while time.monotonic() - self._began < self._plan.seconds:
            number += 1
            self._step(number)
        self._heal()
        self._end()
        return number

    def _step(self, number: int) -> None:
        """Each has random numbers of its own, so that it is the same whatever the earlier ones drew."""
        random = Random(f"{self._plan.seed} {number}")
        step = random.choice(STEPS)
        before = self._stage.client.good, self._stage.client.bad
        step(Scene(self._stage, random, lambda text: self._tell(f"step {number}: {text}")))
        if random.random() < AT_ONCE:
            self._tell("        nobody waits until that is well again")
            return
        took = self._heal()
        good, bad = self._stage.client.good - before[0], self._stage.client.bad - before[1]
        self._tell(f"        all is well after {took:.1f} s; the client had {good} answers, and {bad} times none")

    def _heal(self) -> float:
        """Wait until there is nothing to complain of; the seconds that it took."""
        began = time.monotonic()
        last: list[str] = []
        while found := self._look():
            last = found
            if time.monotonic() - began > HEALED:
                self._tell("        NOT WELL: " + "\n          ".join(found))
                raise NotHealed(f"seed {self._plan.seed}, not well after {HEALED:g} s:\n" + "\n".join(found))
            time.sleep(0.1)
        if time.monotonic() - began > LONG:
            self._tell(f"        it took long until no longer was true: {'; '.join(last)}")
        return time.monotonic() - began

    def _look(self) -> list[str]:
        for program in self._stage.ours:
            status = program.keep()
            if status is not None:
                self._tell(f"        {program.name} has ended with exit status {status}, and is started again")
        return complaints(self._stage, self._usual)

    def _end(self) -> None:
        """The programs are told to end: nothing is left of them."""
        for program in self._stage.ours:
            program.wanted = False
            assert program.process is not None
            program.process.terminate()
            status = program.process.wait(timeout=30)
            left = members(program.host)
            if status or left or program.host.holds():
                raise NotHealed(f"{program.name} ended with exit status {status} and left {left or 'addresses'}")
        self._tell("both programs have ended in order, and nothing is left of them")

    def _tell(self, text: str) -> None:
        self._plan.tell(f"{time.monotonic() - self._began:7.1f} s  {text}")


def play(plan: Plan) -> int:
    """A whole campaign, from the empty wire to the empty wire; how many faults there were. Raises `NotHealed`."""
    with lan("f") as wire, stage(wire, plan.folder) as place:
        return Campaign(plan, place).run()
