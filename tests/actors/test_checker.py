"""A named checker: when it probes, how long it waits, what it makes of results, and what a crash of its plugin does."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from actors.checker_actor import GRAIN, REVERSED, CheckerActor, CheckerSpec, ProbeNow
from actors.children import Child
from actors.core.health import Debounce
from actors.core.status import CheckStatus, ChildStatus, Phase, PresenceStatus, Verdict
from actors.messages import Begun, Crash, Probed
from actors.supervisor_actor import Reload
from tests.world import Listener, World

UNKNOWN, OK, FAILED = Verdict.UNKNOWN, Verdict.OK, Verdict.FAILED
ID = "check/web"
TRACE = "Traceback (most recent call last):\n  File ...\nKeyError: 'pong'\n"


class ScriptedProbe:
    """A probe that does what its script says: an outcome after so many seconds, or None to hang."""

    def __init__(self, world: "Checked", report: Callable[[Begun | Probed], None]) -> None:
        self._world = world
        self._report = report
        self.busy = False
        self.holds = 0
        self.moved = False
        self.closed = False

    def start(self, run: int) -> bool:
        assert not self.busy
        assert not self.closed
        if wait := self._world.turns.pop(0) if self._world.turns else 0.0:
            self._world.clock.call_at(self._world.clock.now() + wait, self._begin, run, True)
            return False
        self._begin(run)
        return True

    def _begin(self, run: int, tells: bool = False) -> None:
        if tells:
            self._report(Begun(run))
        self.busy = True
        self._world.begun.append(round(self._world.clock.now(), 6))
        outcome, seconds = self._world.script.pop(0) if self._world.script else ("+", 0.0)
        self._world.clock.call_at(self._world.clock.now() + seconds, self._end, run, outcome)

    def _end(self, run: int, outcome: str) -> None:
        if outcome == "hang":
            return
        self.busy = False
        crash = TRACE if outcome == "crash" else ""
        if outcome.isdigit():
            self._report(Probed(run, True, "slow", 0.0, share=int(outcome), metrics=(("lag", 1.5),)))
        elif outcome[:1] == "=":
            self._report(Probed(run, False, f"it is {outcome[1:]}", 0.0, value=int(outcome[1:])))
        else:
            self._report(Probed(run, outcome == "+", "" if outcome == "+" else outcome, 0.0, crash))

    def abandon(self) -> None:
        self._world.abandoned += 1
        self.busy = self._world.hard

    def close(self) -> None:
        self.closed = True


class Checked(World):
    """A world with one checker. ``begun`` are the times of its probes, ``heard`` what it published, ``turns`` how long
    each probe has to wait for its turn.

    ``hard``: an abandoned probe stays busy, as a native thread does.
    """

    def __init__(self, *script: Any, jitter: float = 0.0, hard: bool = False, seed: int = 1, **settings: Any) -> None:
        self.begun: list[float] = []
        self.turns: list[float] = []
        self.script = [step if isinstance(step, tuple) else (step, 0.0) for step in script]
        self.abandoned = 0
        self.hard = hard
        self.probes: list[ScriptedProbe] = []
        self._told: list[Any] = []
        self.children = (
            Child("listener", Listener, (self._told, ID)),
            Child(ID, CheckerActor, (self.spec(jitter=jitter, **settings),), ("probes", "random")),
        )
        super().__init__(self.children, {"probes": self, "random": Random(seed)})

    @property
    def heard(self) -> list[CheckStatus]:
        return [message for message in self._told if isinstance(message, CheckStatus)]

    @staticmethod
    def spec(**settings: Any) -> CheckerSpec:
        defaults = {"interval": 10.0, "warmup": 0.0, "timeout": 3.0, "jitter": 0.0}
        return CheckerSpec(ID, "HTTP_GET", False, "10.0.1.1", 80, **(defaults | settings))

    def open(self, spec: CheckerSpec, report: Callable[[Probed], None]) -> ScriptedProbe:
        self.probes.append(ScriptedProbe(self, report))
        return self.probes[-1]

    def verdicts(self) -> str:
        """First letters of the verdicts that were published."""
        return "".join(status.verdict.value[0] for status in self.heard)

    def play(self) -> None:
        """Let time pass until the script has been used up."""
        while self.script:
            self.advance(0.25)


HERE, ELSEWHERE = (f"presence/10.0.0.{turn}" for turn in (1, 2))


class TestRest:
    def world(self, *script: Any, **settings: Any) -> Checked:
        world = Checked(*script, places=(HERE, ELSEWHERE), interval=2.0, **settings)
        places = (Child(id, Listener, ([],)) for id in (HERE, ELSEWHERE))
        world.tell("supervisor", Reload((*world.children, *places)))
        return world

    def say(self, world: Checked, **here: bool) -> None:
        for place, is_here in here.items():
            context = world.system.find({"one": HERE, "two": ELSEWHERE}[place])
            assert context is not None
            context.publish(PresenceStatus(context.id, is_here))
        world.settle()

    def test_nothing_is_probed_before_an_address_is_known_to_be_here(self) -> None:
        world = self.world()
        world.advance(10.0)
        self.say(world, one=False, two=False)
        world.advance(10.0)
        assert (world.begun, world.verdicts()) == ([], "U")
        assert "it rests: the addresses of its services are not on this machine" in world.actor(ID).explain()
        self.say(world, two=True)
        world.advance(3.0)
        assert (world.begun, world.verdicts()) == ([20.0, 22.0], "UO")
        assert not any("rests" in line for line in world.actor(ID).explain())

    def test_the_verdict_stands_from_when_the_last_address_goes_until_one_is_back(self) -> None:
        world = self.world("+", "no", "no", "no")
        self.say(world, one=True, two=True)
        world.advance(1.0)
        self.say(world, one=False)
        world.advance(1.5)
        assert world.begun == [0.0, 2.0]
        self.say(world, two=False)
        world.advance(30.0)
        assert (world.begun, world.verdicts()) == ([0.0, 2.0], "UO")
        self.say(world, one=True)
        world.advance(3.0)
        assert (world.begun[2:], world.verdicts()) == ([32.5, 34.5], "UOF")

    def test_a_probe_that_runs_when_the_address_goes_may_end_and_is_the_last(self) -> None:
        world = self.world(("+", 0.5))
        self.say(world, one=True)
        world.advance(0.1)
        self.say(world, one=False)
        world.advance(30.0)
        assert (world.begun, world.verdicts()) == ([0.0], "UO")

    def test_an_operator_may_have_it_probe_all_the_same(self) -> None:
        world = self.world()
        world.tell(ID, ProbeNow())
        world.advance(30.0)
        assert (world.begun, world.verdicts()) == ([0.0], "UO")


class TestWhen:
    def test_the_first_probe_is_spread_over_the_warm_up_by_name_alone(self) -> None:
        first = []
        for n in range(40):
            children = (Child(f"check/{n}", CheckerActor, (_named(f"check/{n}"),), ("probes", "random")),)
            world = Checked()
            world.tell("supervisor", Reload(children))
            world.begun.clear()
            world.advance(4.0 + GRAIN)
            first += world.begun[:1]
        assert len(first) == 40
        assert all(0 <= time <= 4.0 + GRAIN for time in first)
        assert {int(time) for time in first} >= {0, 1, 2, 3}
        assert len(set(first)) > 30

    def test_the_interval_lies_on_a_grid_however_long_a_probe_takes(self) -> None:
        world = Checked(*[("+", 0.7 * (n % 3)) for n in range(30)], interval=2.5)
        world.advance(60.0)
        assert world.begun == [pytest.approx(2.5 * n) for n in range(25)]

    def test_a_probe_that_takes_longer_than_the_interval_is_followed_at_once(self) -> None:
        world = Checked(("+", 2.0), "+", interval=1.0)
        world.advance(3.5)
        assert world.begun == [0.0, 2.0, 3.0]

    def test_jitter_moves_each_turn_by_at_most_half_its_share_and_not_always_the_same(self) -> None:
        world = Checked(jitter=0.2)
        world.advance(500.0)
        gaps = [b - a for a, b in zip(world.begun, world.begun[1:], strict=False)]
        assert all(9.0 - GRAIN <= gap <= 11.0 + GRAIN for gap in gaps)
        assert max(gaps) - min(gaps) > 0.5
        assert 480 / 10 * 0.9 < len(gaps) < 500 / 10 * 1.1

    def test_the_same_seed_gives_the_same_times(self) -> None:
        runs = [Checked(jitter=0.5, seed=seed) for seed in (7, 7, 8)]
        for world in runs:
            world.advance(100.0)
        assert runs[0].begun == runs[1].begun != runs[2].begun

    def test_while_up_a_failure_is_tried_again_soon_and_while_down_it_is_not(self) -> None:
        world = Checked("+", *"----", debounce=Debounce(1, 3), retry_interval=1.5)
        world.advance(25.0)
        assert world.begun == [0.0, 10.0, 11.5, 13.0, 23.0]
        assert world.verdicts() == "UOF"

    def test_while_down_a_first_success_is_no_reason_to_hurry(self) -> None:
        world = Checked("-", "+", "+", debounce=Debounce(2, 1), retry_interval=1.0)
        world.advance(25.0)
        assert (world.begun, world.verdicts()) == ([0.0, 10.0, 20.0], "UFO")

    def test_fast_interval_is_for_whatever_speaks_against_the_verdict(self) -> None:
        world = Checked("+", "no", "no", "+", "+", "+", fast_interval=0.5, debounce=Debounce(2, 2))
        world.advance(31.5)
        assert world.begun == [0.0, 10.0, 10.5, 20.5, 21.0, 31.0]

    def test_down_interval_is_for_a_checker_that_is_down_and_not_in_doubt(self) -> None:
        world = Checked("no", "no", "+", "+", "+", down_interval=2.0, debounce=Debounce(2, 1))
        world.play()
        assert world.begun == [0.0, 2.0, 4.0, 14.0, 24.0]

    def test_who_recovers_goes_back_to_the_interval(self) -> None:
        world = Checked("+", "-", "+", debounce=Debounce(1, 2), retry_interval=1.0)
        world.advance(25.0)
        assert (world.begun, world.verdicts()) == ([0.0, 10.0, 11.0, 21.0], "UO")

    def test_an_operator_may_ask_for_a_probe_and_the_next_one_is_an_interval_later(self) -> None:
        world = Checked()
        world.advance(4.0)
        world.tell(ID, ProbeNow())
        world.advance(20.5)
        assert world.begun == [0.0, 4.0, 14.0, 24.0]

    def test_asking_while_a_probe_runs_changes_nothing(self) -> None:
        world = Checked(("+", 2.0))
        world.advance(1.0)
        world.tell(ID, ProbeNow())
        world.advance(9.5)
        assert world.begun == [0.0, 10.0]

    def test_a_probe_that_waits_for_its_turn_has_all_its_time_then(self) -> None:
        world = Checked(("+", 2.5), "+")
        world.turns = []
        world.advance(5.0)
        world.turns, world.script = [8.0], [("+", 2.5)]
        world.advance(5.0 + 8.0 + 2.9)
        assert (world.begun, world.verdicts()) == ([0.0, 18.0, 20.5], "UO")
        assert world.actor(ID).figures()["waits"] == 1
        assert "1 waited for their turn, see checker_concurrency" in world.actor(ID).explain()

    def test_one_that_waited_and_hangs_then_is_abandoned(self) -> None:
        world = Checked()
        world.advance(5.0)
        world.turns, world.script = [8.0], [("hang", 0.0)]
        world.advance(5.0 + 8.0 + 3.2)
        assert world.abandoned == 1


class TestResults:
    def test_reversed_a_success_is_a_failure_and_a_failure_a_success(self) -> None:
        world = Checked("+", "refused", "50", reverse=True, debounce=Debounce(1, 1))
        world.play()
        assert world.heard[1:] == [
            CheckStatus(ID, FAILED, REVERSED),
            CheckStatus(ID, OK, "refused"),
            CheckStatus(ID, FAILED, "slow"),
        ]

    @pytest.mark.parametrize(
        ("results", "rise", "fall", "published"),
        [
            ("+", 3, 3, "UO"),
            ("-", 3, 3, "UF"),
            ("+-+--", 1, 2, "UOF"),
            ("-+-++", 2, 2, "UFO"),
            ("+++++", 1, 1, "UO"),
            ("-----", 1, 1, "UF"),
        ],
    )
    def test_verdicts_rise_and_fall_and_equal_ones_are_published_once(
        self, results: str, rise: int, fall: int, published: str
    ) -> None:
        world = Checked(*results, debounce=Debounce(rise, fall))
        world.play()
        assert world.verdicts() == published

    def test_an_unknown_start_says_so_and_a_new_reason_is_news(self) -> None:
        world = Checked("refused", "refused", "reset")
        world.advance(25.0)
        assert world.heard == [
            CheckStatus(ID, UNKNOWN, "waiting for its first result", assumed=True),
            CheckStatus(ID, FAILED, "refused"),
            CheckStatus(ID, FAILED, "reset"),
        ]

    @pytest.mark.parametrize(
        ("init", "verdict"), [("up", OK), ("down", FAILED), ("unknown", UNKNOWN), ("last", UNKNOWN)]
    )
    @pytest.mark.parametrize(("result", "then"), [("+", OK), ("refused", FAILED)])
    def test_init_is_assumed_until_the_first_result_which_is_final(
        self, init: str, verdict: Verdict, result: str, then: Verdict
    ) -> None:
        world = Checked((result, 1.0), init=init, debounce=Debounce(5, 5))
        assert [(s.verdict, s.assumed) for s in world.heard] == [(verdict, True)]
        world.advance(1.0)
        assert world.heard[1:] == [CheckStatus(ID, then, "" if result == "+" else result)]


class TestLimits:
    def test_a_probe_without_a_result_in_time_is_abandoned_and_counts_as_failed(self) -> None:
        world = Checked("hang")
        world.advance(2.9)
        assert (world.abandoned, world.verdicts()) == (0, "U")
        world.advance(0.3)  # a deadline has a grain of its own
        assert world.abandoned == 1
        assert world.heard[-1] == CheckStatus(ID, FAILED, "no result within 3 s")

    def test_results_that_come_too_late_are_ignored(self) -> None:
        world = Checked(("+", 3.5), ("-", 3.5), "hang")
        world.advance(9.0)
        assert world.verdicts() == "UF"
        world.tell(ID, Probed(12345, True))
        world.advance(8.0)
        assert world.verdicts() == "UF"

    def test_a_probe_that_hangs_on_is_not_joined_by_a_second_one(self) -> None:
        world = Checked("hang", hard=True)
        world.advance(35.0)
        assert world.begun == [0.0]
        tally = world.actor(ID).tally
        assert (tally.runs, tally.failures, tally.hung) == (4, 4, 4)
        assert world.heard[-1] == CheckStatus(ID, FAILED, "an earlier probe still hangs")
        world.probes[-1].busy = False
        world.advance(10.0)
        assert world.begun == [0.0, 40.0]
        assert world.verdicts()[-1] == "O"

    def test_stopping_closes_the_probe(self) -> None:
        world = Checked("hang")
        world.advance(0.5)
        world.shut_down()
        world.advance(60.0)
        assert (world.probes[0].closed, world.begun, world.codes) == (True, [0.0], [0])


class TestCrash:
    def test_a_plugin_that_crashes_once_is_restarted_keeps_its_verdict_and_nobody_flaps(self) -> None:
        world = Checked("+", "crash", "+", "+")
        world.advance(60.0)
        assert world.verdicts() == "UO"
        assert world.begun[:3] == [0.0, 10.0, pytest.approx(10.1)]
        assert world.actor(ID).tally.runs > 1

    @pytest.mark.parametrize(("first", "verdicts"), [("+", "UO"), ("refused", "UF")])
    def test_one_that_always_crashes_is_parked_alone_with_the_last_line_of_its_traceback(
        self, first: str, verdicts: str
    ) -> None:
        world = Checked(first, *["crash"] * 60)
        world.advance(60.0)
        parked = ChildStatus(f"child/{ID}", Phase.PARKED, 6, "PluginCrashed: KeyError: 'pong'")
        assert world.status(f"child/{ID}") == parked
        assert (world.verdicts(), world.status("child/listener"), world.codes) == (verdicts, None, [])
        world.advance(120.0)
        assert world.status(f"child/{ID}") == parked

    def test_a_restarted_checker_needs_as_many_contradictions_as_before(self) -> None:
        world = Checked("+", "crash", "-", "-", "-", debounce=Debounce(1, 3))
        world.advance(11.2)
        assert world.verdicts() == "UO"
        world.advance(1.0)
        assert world.verdicts() == "UOF"

    def test_a_crash_while_its_probe_runs_leaves_the_late_result_to_nobody(self) -> None:
        world = Checked("+", ("-", 1.0), "+", debounce=Debounce(1, 1))
        world.advance(10.0)
        world.tell(ID, Crash())
        world.advance(5.0)
        assert world.verdicts() == "UO"

    def test_an_assumed_verdict_gives_way_to_another_init_a_seen_one_does_not(self) -> None:
        world = Checked("hang", timeout=100.0)
        for init, published in (("up", "UO"), ("down", "UOF")):
            world.tell("supervisor", Reload((world.children[0], _again(world, init=init, warmup=50.0))))
            assert world.verdicts() == published
        seen = Checked("+")
        seen.advance(1.0)
        seen.tell("supervisor", Reload((seen.children[0], _again(seen, init="down", warmup=50.0))))
        assert seen.verdicts() == "UO"


def test_it_explains_itself() -> None:
    world = Checked("+", "refused", debounce=Debounce(2, 3))
    world.advance(10.5)
    assert world.actor(ID).explain() == [
        "RT_HTTP_GET of 10.0.1.1:80 every 10 s, limit 3 s",
        "verdict OK",
        "1 results in a row against it; 2 make OK, 3 FAILED",
        "2 runs, 1 failed, 0 hung; the last took 0.0 ms",
    ]


def _named(id: str) -> CheckerSpec:
    return CheckerSpec(id, "HTTP_GET", False, "10.0.1.1", 80, warmup=4.0, interval=1000.0)


def _again(world: Checked, **settings: Any) -> Child:
    return Child(ID, CheckerActor, (world.spec(**settings),), ("probes", "random"))


def test_a_number_travels_with_the_failure_and_survives_a_crash() -> None:
    world = Checked("+", "=7", "=7", "=-2", "crash", "=-2", "+", debounce=Debounce(1, 1))
    world.play()
    world.advance(20.0)
    assert world.heard[1:5] == [
        CheckStatus(ID, OK),
        CheckStatus(ID, FAILED, "it is 7", value=7),
        CheckStatus(ID, FAILED, "it is -2", value=-2),
        CheckStatus(ID, OK),
    ]


class TestDegraded:
    def test_a_share_travels_with_the_verdict_and_is_debounced(self) -> None:
        world = Checked("+", "50", "50", "+", debounce=Debounce(1, 2))
        world.play()
        world.advance(1.0)
        assert world.heard[1:] == [
            CheckStatus(ID, OK),
            CheckStatus(ID, OK, "slow", share=50),
            CheckStatus(ID, OK),
        ]

    def test_figures_are_kept_beside_and_are_no_news(self) -> None:
        world = Checked("50", "50")
        world.play()
        assert len(world.heard) == 2
        assert world.actor(ID).figures()["metrics"] == {"lag": 1.5}
        assert world.actor(ID).explain()[1] == "verdict OK at 50 percent, slow"
        assert world.actor(ID).explain()[-1] == "lag 1.5"

    def test_a_restarted_checker_goes_on_with_its_share(self) -> None:
        world = Checked("50", "crash", "50")
        world.play()
        world.advance(5.0)
        assert world.heard[1:] == [CheckStatus(ID, OK, "slow", share=50)]
