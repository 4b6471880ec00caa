"""A combination: follows its parts, decides once for the news of a moment, and takes nobody out for nothing."""

from typing import Any

import pytest

from actors.children import Child
from actors.combine_actor import CombineActor, CombineSpec
from actors.core.combining import Leaf, Some, Term
from actors.core.status import CheckStatus, Verdict
from actors.messages import Crash
from actors.supervisor_actor import Reload
from tests.world import Listener, World

UNKNOWN, OK, FAILED = Verdict.UNKNOWN, Verdict.OK, Verdict.FAILED
ID = "check/both"
A, B, C = (Leaf(f"check/{name}", name) for name in "abc")
BOTH, EITHER = Some(2, (A, B)), Some(1, (A, B))


class Combined(World):
    """A world with one combination of checkers that speak when the test says so."""

    def __init__(self, term: Term = BOTH, init: str = "unknown") -> None:
        self.told: list[Any] = []
        super().__init__(self.children(term, init))
        self.advance(0.0)

    def children(self, term: Term, init: str = "unknown") -> tuple[Child, ...]:
        return (
            Child("listener", Listener, (self.told, ID)),
            *(Child(leaf.id, Listener, ([],)) for leaf in (A, B, C)),
            Child(ID, CombineActor, (CombineSpec(ID, "COMBINE", term, init),)),
        )

    def say(self, at_once: bool = True, **verdicts: Verdict) -> None:
        for name, verdict in verdicts.items():
            context = self.system.find(f"check/{name}")
            assert context is not None
            context.publish(CheckStatus(f"check/{name}", verdict))
            self.settle()
        if at_once:
            self.advance(0.0)

    def verdicts(self) -> list[Verdict]:
        return [message.verdict for message in self.told if isinstance(message, CheckStatus)]


def test_it_follows_its_parts() -> None:
    world = Combined()
    world.say(a=OK)
    world.say(b=OK)
    world.say(a=FAILED)
    world.say(a=OK)
    assert world.verdicts() == [UNKNOWN, UNKNOWN, UNKNOWN, OK, FAILED, OK]
    assert world.status(ID) == CheckStatus(ID, OK)


def test_the_reason_is_told_and_a_part_that_is_not_known_yet() -> None:
    world = Combined()
    world.say(a=FAILED)
    assert world.status(ID) == CheckStatus(ID, FAILED, "a FAILED; b has said nothing yet")
    assert world.actor(ID).explain() == [
        "FAILED, a FAILED; b has said nothing yet, since:",
        "  AND: FAILED",
        "    a FAILED",
        "    b has said nothing yet",
    ]


def test_all_the_news_of_one_moment_are_one_decision() -> None:
    world = Combined()
    world.say(a=OK, b=OK)
    world.told.clear()
    for verdict in (FAILED, OK):
        world.say(at_once=False, a=verdict, b=verdict)
    world.advance(0.0)
    assert world.verdicts() == []


@pytest.mark.parametrize(("init", "first"), [("unknown", UNKNOWN), ("up", OK), ("down", FAILED), ("last", UNKNOWN)])
def test_until_its_parts_are_known_init_speaks(init: str, first: Verdict) -> None:
    world = Combined(init=init)
    assert world.status(ID) == CheckStatus(ID, first, world.status(ID).detail, assumed=True)
    world.say(a=OK, b=OK)
    assert world.status(ID) == CheckStatus(ID, OK)


def test_neither_a_crash_nor_a_part_that_is_new_makes_it_flap() -> None:
    world = Combined()
    world.say(a=OK, b=OK)
    world.told.clear()
    world.tell(ID, Crash())
    world.advance(1.0)
    world.tell("supervisor", Reload(world.children(Some(3, (A, B, C)))))
    world.advance(0.0)
    assert (world.verdicts(), world.status(ID).verdict) == ([], OK)
    world.say(c=FAILED)
    assert world.verdicts() == [FAILED]


def test_another_expression_decides_at_once() -> None:
    world = Combined()
    world.say(a=OK, b=FAILED)
    world.tell("supervisor", Reload(world.children(EITHER)))
    world.advance(0.0)
    assert world.status(ID) == CheckStatus(ID, OK)


def test_what_is_assumed_makes_it_assumed() -> None:
    world = Combined(A)
    context = world.system.find("check/a")
    assert context is not None
    context.publish(CheckStatus("check/a", OK, "", True))
    world.advance(0.0)
    assert world.status(ID) == CheckStatus(ID, OK, "a OK", True)
