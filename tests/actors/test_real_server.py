"""A real server: its checkers' verdicts to one status, told once, also across restarts and reloads."""

from typing import Any

import pytest

from actors.children import Child
from actors.core.status import OWN, CheckStatus, ServerStatus, Verdict
from actors.core.tracking import Follow
from actors.messages import Crash, Program
from actors.real_server_actor import RealServerActor, RealServerSpec
from actors.supervisor_actor import Reload
from tests.world import Listener, World, events

UNKNOWN, OK, FAILED = Verdict.UNKNOWN, Verdict.OK, Verdict.FAILED
ID = "vs/10.0.0.1:80:tcp/rs/10.0.1.1:80"
A, B = "check/a", "check/b"
UP, DOWN = Program(("/bin/up",), "nobody"), Program(("/bin/down",))


class Served(World):
    """A world with one real server. ``told`` is its story; verdicts come from the test."""

    def __init__(self, *checks: str, **settings: Any) -> None:
        self.told: list[Any] = []
        self.programs: list[Any] = []
        self._checks = checks
        super().__init__(self.children(**settings))
        self.advance(0.0)

    def children(self, **settings: Any) -> tuple[Child, ...]:
        checks = settings.pop("checks", self._checks)
        spec = RealServerSpec(ID, checks=checks, notify_up=UP, notify_down=DOWN, **settings)
        return (
            Child("notify", Listener, (self.programs,)),
            Child("listener", Listener, (self.told, ID)),
            *(Child(check, Listener, ([],)) for check in (A, B)),
            Child(ID, RealServerActor, (spec,)),
        )

    def check(
        self,
        id: str,
        verdict: Verdict,
        detail: str = "",
        assumed: bool = False,
        share: int = 100,
        weight: int = OWN,
        value: int = 0,
    ) -> None:
        """A checker speaks; nobody has decided yet."""
        context = self.system.find(id)
        assert context is not None
        context.publish(CheckStatus(id, verdict, detail, assumed, share, weight, value))
        self.settle()

    def decide(self, **verdicts: Verdict) -> None:
        """Checkers ``a`` and ``b`` speak, and time for a decision passes."""
        for name, verdict in verdicts.items():
            self.check(f"check/{name}", verdict)
        self.advance(0.0)

    def reload(self, **settings: Any) -> None:
        self.tell("supervisor", Reload(self.children(**settings)))
        self.advance(0.0)

    def statuses(self) -> list[ServerStatus]:
        return [message for message in self.told if isinstance(message, ServerStatus)]

    def verdicts(self) -> str:
        return "".join(status.verdict.value[0] for status in self.statuses())

    def events(self) -> str:
        return " ".join(event for _, event in events(self.programs))


def test_a_server_without_checkers_is_up() -> None:
    world = Served(weight=3)
    assert world.statuses() == [ServerStatus(ID, OK, 3)]
    assert world.events() == "up"


def test_it_is_unknown_until_all_checkers_are_ok() -> None:
    world = Served(A, B)
    world.decide(a=OK)
    world.decide(b=OK)
    assert world.statuses() == [
        ServerStatus(ID, UNKNOWN, 1, f"{A}: has said nothing yet; {B}: has said nothing yet"),
        ServerStatus(ID, UNKNOWN, 1, f"{B}: has said nothing yet"),
        ServerStatus(ID, OK, 1),
    ]
    assert world.events() == "up"


def test_one_failure_takes_it_down_with_the_reason_and_its_end_brings_it_back() -> None:
    world = Served(A, B)
    world.decide(a=OK, b=OK)
    world.check(A, FAILED, "refused")
    world.advance(0.0)
    assert world.status(ID) == ServerStatus(ID, FAILED, 1, f"{A}: FAILED, refused")
    world.decide(b=FAILED)
    world.decide(a=OK)
    assert world.status(ID) == ServerStatus(ID, FAILED, 1, f"{B}: FAILED")
    world.decide(b=OK)
    assert (world.status(ID), world.events()) == (ServerStatus(ID, OK, 1), "up down up")


def test_of_its_weight_it_has_the_least_share_that_a_checker_leaves_it() -> None:
    world = Served(A, B, weight=10)
    world.check(A, OK, "slow", share=50)
    world.check(B, OK, "busy", share=25)
    world.advance(0.0)
    assert world.status(ID) == ServerStatus(ID, OK, 3, f"{A}: OK at 50 percent, slow; {B}: OK at 25 percent, busy")
    assert world.actor(ID).explain()[0] == "OK with weight 3 of 10, since all of these must be OK:"
    world.decide(b=OK)
    assert world.status(ID) == ServerStatus(ID, OK, 5, f"{A}: OK at 50 percent, slow")
    world.decide(a=OK)
    assert (world.status(ID), world.events()) == (ServerStatus(ID, OK, 10), "up")


def test_a_weight_that_a_checker_asks_for_goes_before_its_own() -> None:
    world = Served(A, B, weight=10)
    world.check(A, OK, "by itself", weight=30)
    world.check(B, OK)
    world.advance(0.0)
    assert world.status(ID) == ServerStatus(ID, OK, 30, f"{A}: OK with weight 30, by itself")
    world.check(B, OK, "slow", share=50)
    world.advance(0.0)
    reasons = f"{A}: OK with weight 30, by itself; {B}: OK at 50 percent, slow"
    assert world.status(ID) == ServerStatus(ID, OK, 15, reasons)
    world.decide(a=OK, b=OK)
    assert (world.status(ID), world.events()) == (ServerStatus(ID, OK, 10), "up")


def test_all_the_news_of_one_moment_are_one_decision() -> None:
    world = Served(A, B)
    world.decide(a=OK, b=OK)
    world.told.clear()
    for verdict in (FAILED, OK, FAILED, OK):
        world.check(A, verdict)
        world.check(B, verdict)
    world.advance(0.0)
    assert (world.verdicts(), world.events()) == ("", "up")


def test_programs_are_asked_for_with_their_words_their_user_and_their_source() -> None:
    world = Served(A)
    world.decide(a=OK)
    world.decide(a=FAILED)
    assert world.programs == [UP.run(ID, "up"), DOWN.run(ID, "down")]


@pytest.mark.parametrize(("alpha", "verdict"), [(False, OK), (True, UNKNOWN)])
def test_with_alpha_an_assumed_verdict_does_not_count(alpha: bool, verdict: Verdict) -> None:
    world = Served(A, alpha=alpha)
    world.check(A, OK, assumed=True)
    world.advance(0.0)
    status = world.status(ID)
    assert isinstance(status, ServerStatus)
    assert status.verdict is verdict
    world.decide(a=OK)
    assert world.status(ID) == ServerStatus(ID, OK, 1)


@pytest.mark.parametrize("verdict", [OK, FAILED])
def test_a_restart_says_nothing_new_and_runs_no_program_again(verdict: Verdict) -> None:
    world = Served(A, B)
    world.decide(a=OK, b=verdict)
    before = (list(world.statuses()), world.events())
    world.tell(ID, Crash())
    world.advance(5.0)
    assert (world.statuses(), world.events()) == before
    world.decide(b=OK if verdict is FAILED else FAILED)
    assert len(world.statuses()) == len(before[0]) + 1


def test_what_changed_while_it_was_dead_is_told_once() -> None:
    world = Served(A)
    world.decide(a=OK)
    world.tell(ID, Crash())
    world.decide(a=FAILED)
    world.advance(5.0)
    assert (world.verdicts(), world.events()) == ("UOF", "up down")


def test_a_new_weight_is_news_but_no_event() -> None:
    world = Served(A)
    world.decide(a=OK)
    world.reload(weight=5)
    assert world.statuses()[-2:] == [ServerStatus(ID, OK, 1), ServerStatus(ID, OK, 5)]
    assert world.events() == "up"


def test_a_checker_that_is_added_does_not_take_it_out_before_it_has_spoken() -> None:
    world = Served(A)
    world.decide(a=OK)
    world.reload(checks=(A, B))
    assert world.verdicts() == "UO"
    world.decide(b=FAILED)
    assert (world.verdicts(), world.events()) == ("UOF", "up down")


def test_a_failing_checker_that_is_removed_lets_it_back() -> None:
    world = Served(A, B)
    world.decide(a=OK, b=FAILED)
    world.reload(checks=(A,))
    assert (world.verdicts(), world.events()) == ("UFO", "down up")


@pytest.mark.parametrize(
    ("omega", "verdict", "told"), [(True, OK, "up down"), (True, FAILED, "down"), (False, OK, "up")]
)
def test_with_omega_the_end_of_a_server_in_service_counts_as_going_down(
    omega: bool, verdict: Verdict, told: str
) -> None:
    world = Served(A, omega=omega)
    world.decide(a=verdict)
    world.shut_down()
    assert (world.events(), world.codes) == (told, [0])


def test_with_omega_a_restart_by_reload_is_no_end() -> None:
    world = Served(A, omega=True)
    world.decide(a=OK)
    world.reload(omega=True, weight=2)
    assert world.events() == "up"


def test_it_explains_itself() -> None:
    world = Served(A, B)
    world.check(A, FAILED, "refused")
    world.advance(0.0)
    assert world.actor(ID).explain() == [
        "FAILED with weight 1, since all of these must be OK:",
        f"  {A}: FAILED, refused",
        f"  {B}: has said nothing yet",
    ]
    world.reload(checks=())
    assert world.actor(ID).explain() == [
        "OK with weight 1, since all of these must be OK:",
        "  no checkers: always up",
    ]


@pytest.mark.parametrize(
    ("follow", "value", "verdict", "weight"),
    [
        (Follow(A, 5, counts=True), 3, OK, 25),
        (Follow(A, 5, counts=True), -1, OK, 5),
        (Follow(A, 5, counts=True), -3, OK, 0),
        (Follow(A, 5, True, counts=True), 1, OK, 5),
        (Follow(A, -2_147_483_647, counts=True), 1, FAILED, 10),
        (Follow(A, 0, counts=True), 1, FAILED, 10),
        (Follow(A, 0, True, counts=True), 1, OK, 10),
    ],
)
def test_a_number_in_a_file_times_its_weight_is_added_to_the_servers(
    follow: Follow, value: int, verdict: Verdict, weight: int
) -> None:
    served = Served(A, weight=10, files=(follow,))
    served.check(A, FAILED, f"/run/a is {value}", value=value)
    served.advance(0.0)
    assert [(each.verdict, each.weight) for each in served.statuses()[-1:]] == [(verdict, weight)]


def test_without_a_number_the_check_of_a_file_is_its_verdict() -> None:
    served = Served(A, B, weight=10, files=(Follow(A, 5, counts=True),))
    served.decide(a=OK, b=OK)
    served.check(A, FAILED, "stopped at its deadline")
    served.advance(0.0)
    assert [(each.verdict, each.weight) for each in served.statuses()[-2:]] == [(OK, 10), (FAILED, 10)]
