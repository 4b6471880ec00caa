"""The supervisor: order, restarts, parking, escalation, reload by value, and the board that it keeps."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from actors.children import Child
from actors.core.restart import Beyond, Policy
from actors.core.status import CheckStatus, ChildStatus, Phase, Verdict
from actors.messages import Crash, Died, Lost, Park, Replayed, Revive, Shutdown, Stop
from actors.runtime.actor import Context
from actors.supervisor_actor import Reload
from tests.world import Listener, World

POLICY = Policy(burst=3, period=60.0, backoff=0.1, cap=10.0)


class Witness:
    """Writes its starts and stops into a shared diary; ``moods`` tell in which hooks it fails."""

    def __init__(self, context: Context, diary: list[str], *moods: str) -> None:
        self.context = context
        self._diary = diary
        self._moods = moods

    def on_start(self) -> None:
        self._diary.append(f"+{self.context.id}")
        self._fail("start")

    def receive(self, message: Any) -> None:
        if callable(message):
            message(self.context)

    def on_stop(self, final: bool) -> None:
        self._diary.append(f"-{self.context.id}{'' if final else ' for a successor'}")
        self._fail("stop")

    def _fail(self, hook: str) -> None:
        if hook in self._moods:
            raise ValueError(f"in a mood at {hook}")


class Diary(list[str]):
    """What has happened since it was last read."""

    def read(self) -> str:
        text = " ".join(self)
        self.clear()
        return text

    def __eq__(self, other: object) -> bool:  # children that share the diary stay equal whatever it holds
        return self is other

    __hash__ = None  # type: ignore[assignment]


@pytest.fixture
def diary() -> Diary:
    return Diary()


class Maker:
    """Makes children that write into one diary."""

    def __init__(self, diary: Diary) -> None:
        self._diary = diary

    def __call__(self, id: str, *moods: str, policy: Policy = POLICY, **rest: Any) -> Child:
        return Child(id, Witness, (self._diary, *moods), policy=policy, **rest)


@pytest.fixture
def child(diary: Diary) -> Maker:
    return Maker(diary)


def phase(world: World, id: str) -> ChildStatus | None:
    status = world.status(f"child/{id}")
    assert status is None or isinstance(status, ChildStatus)
    return status


class Hung(World):
    """A world in which Stop does not reach the children of ``hung``."""

    def __init__(self, children: tuple[Child, ...], *hung: str) -> None:
        super().__init__(children)
        told = self.system.tell
        self.hung = set(hung)

        def tell(id: str, message: Any) -> None:
            if not (type(message) is Stop and id in self.hung):
                told(id, message)

        self.system.tell = tell  # type: ignore[method-assign]


class TestOrder:
    def test_children_start_in_order_and_stop_in_reverse(self, child: Maker, diary: Diary) -> None:
        world = World((child("a"), child("b"), child("c")))
        assert diary.read() == "+a +b +c"
        world.shut_down()
        assert (diary.read(), world.codes, world.alive()) == ("-c -b -a", [0], [])

    def test_each_stop_is_waited_for_before_the_next(self, child: Maker, diary: Diary) -> None:
        world = Hung((child("a"), child("b", stop_limit=5.0), child("c")), "b")
        diary.clear()
        world.shut_down()
        world.advance(4.9)
        assert (diary.read(), world.alive()) == ("-c", ["a", "b"])
        world.advance(0.1)
        assert (diary.read(), world.alive(), world.codes) == ("-a", [], [0])

    def test_an_empty_world_ends_at_once_and_only_once(self) -> None:
        world = World()
        world.tell("supervisor", Shutdown(3))
        world.tell("supervisor", Shutdown(4))
        assert world.codes == [3]

    def test_a_child_that_crashes_while_it_stops_is_not_waited_for(self, child: Maker, diary: Diary) -> None:
        vital = Policy(burst=0, beyond=Beyond.ESCALATE)
        world = World((child("a"), child("b", "stop", policy=vital)))
        world.shut_down()
        assert (world.codes, world.alive()) == ([0], [])
        assert diary.read() == "+a +b -b -a"

    def test_a_child_that_waits_for_its_restart_is_started_once_more_to_clear_away(
        self, child: Maker, diary: Diary
    ) -> None:
        world = World((child("a"), child("b")))
        world.tell("b", Crash())
        diary.clear()
        world.shut_down()
        world.advance(60.0)
        assert (diary.read(), world.codes) == ("+b -b -a", [0])


class TestCrash:
    def test_it_is_restarted_after_its_backoff_and_no_sooner(self, child: Maker, diary: Diary) -> None:
        world = World((child("a"),))
        for wait in (0.1, 0.2, 0.4):
            diary.clear()
            world.tell("a", Crash())
            assert phase(world, "a").phase is Phase.RESTARTING
            world.advance(wait - 0.001)
            assert diary.read() == ""
            world.advance(0.001)
            assert diary.read() == "+a"
            assert phase(world, "a").phase is Phase.RUNNING

    def test_beyond_the_burst_it_is_parked_and_tried_again_at_the_cap(self, child: Maker, diary: Diary) -> None:
        world = World((child("a", "start"), child("b")))
        world.advance(0.75)
        assert diary.read() == "+a +b +a +a +a"
        error = "ValueError: in a mood at start"
        assert phase(world, "a") == ChildStatus("child/a", Phase.PARKED, 4, error)
        world.advance(30.0)
        assert diary.read() == "+a +a +a"
        assert phase(world, "a") == ChildStatus("child/a", Phase.PARKED, 4, error)
        assert phase(world, "b") is None

    def test_a_parked_child_keeps_its_last_status_and_is_freed_by_a_whole_period_of_calm(self, child: Maker) -> None:
        world = World((child("a"),))
        status = CheckStatus("a", Verdict.OK)
        world.tell("a", lambda context: context.publish(status))
        for wait in (0.1, 0.2, 0.4, 10.0):
            world.tell("a", Crash("again"))
            world.advance(wait)
        assert world.status("a") == status
        assert world.actor("a").context.last == status
        world.advance(59.9)
        assert phase(world, "a").phase is Phase.PARKED
        world.advance(0.2)
        assert phase(world, "a") == ChildStatus("child/a", Phase.RUNNING, 0, "CrashedOnRequest: again")

    def test_after_calm_the_backoff_begins_anew(self, child: Maker, diary: Diary) -> None:
        world = World((child("a"),))
        for wait in (0.1, 60.0, 0.1):
            world.tell("a", Crash()) if wait < 1 else None
            diary.clear()
            world.advance(wait)
        assert diary.read() == "+a"

    def test_a_vital_child_beyond_its_burst_ends_all_in_reverse_with_code_70(self, child: Maker, diary: Diary) -> None:
        vital = Policy(burst=1, beyond=Beyond.ESCALATE)
        world = World((child("a"), child("b", policy=vital), child("c")))
        world.tell("b", Crash())
        world.advance(0.1)
        diary.clear()
        world.tell("b", Crash())
        assert world.codes == [70]
        assert diary.read() == "-c +b -b -a"
        assert world.alive() == []

    def test_a_crash_is_told_in_full_then_in_one_line_and_in_full_after_an_hour(self, child: Maker) -> None:
        world = World((child("a", process="checkers-1"),))
        with capture_logs() as lines:
            for wait in (3600.0, 30.0, 0.1):
                world.tell("a", Crash("again"))
                world.advance(wait)
        told = [{**line, "trace": "..."} if "trace" in line else line for line in lines]
        facts = {
            "event": "child crashed", "log_level": "error", "actor": "supervisor", "child": "a",
            "process": "checkers-1", "error": "CrashedOnRequest: again", "period": 60.0,
        }  # fmt: skip
        whole = {**facts, "times": 1, "handling": "Crash(reason='again')", "trace": "...", "crashes": 1}
        assert told == [{**whole, "next": "restarted in 0.1 s"}] * 2 + [
            {**facts, "times": 2, "crashes": 2, "next": "restarted in 0.2 s"}
        ]

    def test_stale_deaths_are_ignored(self, child: Maker, diary: Diary) -> None:
        world = World((child("a"),))
        old = world.actor("a").context.incarnation
        world.tell("a", Crash())
        world.advance(0.1)
        diary.clear()
        for incarnation in (old, 0, 10**6):
            world.tell("supervisor", Died("a", incarnation, "late", "", ""))
        world.tell("supervisor", Died("unknown", 1, "late", "", ""))
        world.tell("supervisor", Revive("a", old))
        world.advance(20.0)
        assert (diary.read(), phase(world, "a").phase) == ("", Phase.RUNNING)

    def test_a_stale_revival_does_not_cut_the_backoff_short(self, child: Maker, diary: Diary) -> None:
        world = World((child("a"),))
        old = world.actor("a").context.incarnation
        world.tell("a", Crash())
        world.advance(0.1)
        world.tell("a", Crash())
        diary.clear()
        world.tell("supervisor", Revive("a", old))
        assert diary.read() == ""
        world.advance(0.2)
        assert diary.read() == "+a"

    def test_a_restart_loses_the_mail_and_the_subscriptions_of_the_dead(self, child: Maker) -> None:
        heard: list[Any] = []
        world = World((Child("a", Listener, (heard, "*"), policy=POLICY), child("b")))
        world.tell("a", Crash())
        heard.clear()
        world.tell("b", lambda context: context.publish(CheckStatus("b", Verdict.OK)))
        assert world.supervisor.board.audience("b") == ()
        world.advance(0.1)
        assert CheckStatus("b", Verdict.OK) in heard


class TestOperator:
    def test_a_child_stopped_by_hand_stays_so_until_it_is_revived(self, child: Maker, diary: Diary) -> None:
        world = World((child("a"),))
        world.tell("a", Stop())
        world.advance(120.0)
        assert (diary.read(), phase(world, "a")) == ("+a -a", ChildStatus("child/a", Phase.STOPPED))
        world.tell("supervisor", Revive("a"))
        assert (diary.read(), phase(world, "a")) == ("+a", ChildStatus("child/a", Phase.RUNNING))

    def test_reviving_does_not_wait_for_the_backoff_and_touches_nobody_who_lives(
        self, child: Maker, diary: Diary
    ) -> None:
        world = World((child("a"), child("b")))
        world.tell("a", Crash())
        diary.clear()
        for id in ("a", "b", "unknown", "a"):
            world.tell("supervisor", Revive(id))
        world.advance(20.0)
        assert diary.read() == "+a"

    def test_a_child_parked_by_hand_stays_so_until_it_is_revived_and_its_last_status_stands(
        self, child: Maker, diary: Diary
    ) -> None:
        world = World((child("a"),))
        status = CheckStatus("a", Verdict.OK)
        world.tell("a", lambda context: context.publish(status))
        world.tell("a", Crash("once"))
        world.advance(1.0)
        diary.clear()
        world.tell("supervisor", Park("a"))
        world.advance(600.0)
        error = "CrashedOnRequest: once"
        assert (diary.read(), phase(world, "a")) == (
            "-a for a successor",
            ChildStatus("child/a", Phase.PARKED, 1, error),
        )
        assert (world.status("a"), world.supervisor.charge("a").held) == (status, True)
        world.tell("supervisor", Revive("a"))
        assert (diary.read(), phase(world, "a")) == ("+a", ChildStatus("child/a", Phase.RUNNING, 0, error))
        assert (world.actor("a").context.last, world.supervisor.charge("a").held) == (status, False)

    def test_a_child_that_waits_for_its_restart_is_parked_by_hand_without_another_start(
        self, child: Maker, diary: Diary
    ) -> None:
        world = World((child("a"),))
        world.tell("a", Crash())
        for _ in range(2):
            world.tell("supervisor", Park("a"))
        world.tell("supervisor", Park("unknown"))
        diary.clear()
        world.advance(600.0)
        assert (diary.read(), phase(world, "a").phase) == ("", Phase.PARKED)

    def test_a_reload_revives_who_was_parked_by_hand_and_nobody_else(self, child: Maker, diary: Diary) -> None:
        world = World((child("a"), child("b")))
        world.tell("supervisor", Park("a"))
        world.tell("b", Stop())
        diary.clear()
        world.tell("supervisor", Reload((child("a"), child("b"))))
        assert (diary.read(), phase(world, "a").phase) == ("+a", Phase.RUNNING)

    def test_the_loss_of_its_process_does_not_revive_who_is_being_parked(self, child: Maker, diary: Diary) -> None:
        world = Hung((child("a", process="far"), child("b", process="far")), "a")
        world.tell("supervisor", Park("a"))
        diary.clear()
        world.tell("supervisor", Lost("far"))
        world.advance(60.0)
        assert (diary.read(), phase(world, "a").phase) == ("+b", Phase.PARKED)

    def test_one_that_hangs_or_crashes_while_it_is_parked_is_parked_all_the_same(
        self, child: Maker, diary: Diary
    ) -> None:
        world = Hung((child("a", stop_limit=5.0), child("b", "stop")), "a")
        world.tell("supervisor", Park("a"))
        world.tell("supervisor", Park("b"))
        world.advance(600.0)
        assert [phase(world, id).phase for id in "ab"] == [Phase.PARKED] * 2
        assert world.alive() == []
        diary.clear()
        world.tell("supervisor", Revive("a"))
        assert (diary.read(), phase(world, "a").phase) == ("+a", Phase.RUNNING)

    def test_a_stopped_child_leaves_without_another_start(self, child: Maker, diary: Diary) -> None:
        world = World((child("a"),))
        world.tell("a", Stop())
        world.shut_down()
        assert (diary.read(), world.codes) == ("+a -a", [0])

    def test_a_message_that_it_does_not_understand_does_not_end_the_supervisor(self, child: Maker) -> None:
        world = World((child("a"),))
        world.tell("supervisor", "nonsense")
        world.shut_down()
        assert world.codes == [0]


class TestReload:
    def test_absent_are_stopped_new_started_different_restarted_equal_not_touched(
        self, child: Maker, diary: Diary
    ) -> None:
        world = World((child("gone"), child("same"), child("other")))
        world.tell("same", lambda context: context.after("t", 5.0, lambda _: diary.append("timer")))
        diary.clear()
        world.tell("supervisor", Reload((child("new"), child("same"), child("other", "changed"))))
        assert diary.read() == "-other for a successor -gone +new +other"
        world.advance(5.0)
        assert diary.read() == "timer"

    def test_an_equal_set_touches_nobody(self, child: Maker, diary: Diary) -> None:
        world = World((child("a"), child("b")))
        diary.clear()
        world.tell("supervisor", Reload((child("a"), child("b"))))
        assert diary.read() == ""

    @pytest.mark.parametrize("policy", [Policy(burst=4), Policy(backoff=1.0)])
    def test_a_different_policy_is_a_difference(self, child: Maker, diary: Diary, policy: Policy) -> None:
        world = World((child("a"),))
        diary.clear()
        world.tell("supervisor", Reload((child("a", policy=policy),)))
        assert diary.read() == "-a for a successor +a"

    def test_a_child_of_another_identity_is_nobody_s_successor(self, child: Maker, diary: Diary) -> None:
        world = World((child("a", identity="first"), child("b", identity="first")))
        world.tell("a", lambda context: context.publish(CheckStatus("a", Verdict.OK)))
        diary.clear()
        world.tell("supervisor", Reload((child("a", identity="second"), child("b", "other", identity="first"))))
        assert diary.read() == "-b for a successor -a +a +b"
        assert world.status("a") is None

    def test_stop_order_follows_the_last_configuration_not_the_history(self, child: Maker, diary: Diary) -> None:
        world = World((child("a"), child("b"), child("c")))
        world.tell("supervisor", Reload((child("new"), child("a", "changed"), child("b"), child("c"))))
        assert [charge.child.id for charge in world.supervisor.charges()] == ["new", "a", "b", "c"]
        diary.clear()
        world.shut_down()
        assert diary.read() == "-c -b -a -new"

    def test_the_status_of_who_is_gone_is_forgotten_and_of_who_is_restarted_kept(self, child: Maker) -> None:
        world = World((child("a"), child("b")))
        for id in ("a", "b"):
            world.tell(id, lambda context: context.publish(CheckStatus(context.id, Verdict.OK)))
            world.tell(id, Crash())
        world.advance(1.0)
        world.tell("supervisor", Reload((child("b", "changed"),)))
        assert world.supervisor.board.retained() == (CheckStatus("b", Verdict.OK),)
        assert world.actor("b").context.last == CheckStatus("b", Verdict.OK)

    def test_a_child_that_waits_for_its_restart_is_left_waiting_when_equal(self, child: Maker, diary: Diary) -> None:
        world = World((child("a"),))
        world.tell("a", Crash())
        world.tell("supervisor", Reload((child("a"),)))
        diary.clear()
        world.advance(0.1)
        assert diary.read() == "+a"

    def test_a_child_that_waits_for_its_restart_starts_afresh_when_different(self, child: Maker, diary: Diary) -> None:
        world = World((child("a"),))
        world.tell("a", Crash())
        diary.clear()
        world.tell("supervisor", Reload((child("a", "changed"),)))
        assert (diary.read(), phase(world, "a")) == ("+a", None)
        world.advance(20.0)
        assert diary.read() == ""

    def test_a_parked_child_that_is_removed_may_clear_away_and_is_gone(self, child: Maker, diary: Diary) -> None:
        world = World((child("a"), child("b", "start")))
        world.advance(0.75)
        diary.clear()
        world.tell("supervisor", Reload((child("a"),)))
        world.advance(60.0)
        assert (diary.read(), phase(world, "b"), world.alive()) == ("+b", None, ["a"])

    def test_while_one_reload_still_stops_somebody_the_next_waits_and_the_last_counts(
        self, child: Maker, diary: Diary
    ) -> None:
        world = Hung((child("a"), child("b")), "b")
        diary.clear()
        world.tell("supervisor", Reload((child("c"),)))
        world.tell("supervisor", Reload((child("never"),)))
        world.tell("supervisor", Reload((child("a"), child("b"), child("d"))))
        assert diary.read() == ""
        world.advance(5.0)
        assert diary.read() == "-a +c -c +a +b +d"
        assert world.alive() == ["a", "b", "d"]

    def test_a_shutdown_lets_the_reload_that_is_under_way_finish_and_forgets_the_one_that_waits(
        self, child: Maker, diary: Diary
    ) -> None:
        world = Hung((child("a"), child("b")), "b")
        diary.clear()
        world.tell("supervisor", Reload((child("a", "changed"), child("b", "changed"))))
        world.tell("supervisor", Reload((child("never"),)))
        world.hung.clear()
        world.shut_down()
        world.tell("supervisor", Reload((child("never"),)))
        assert (diary.read(), world.codes) == ("", [])
        world.advance(5.0)
        assert diary.read() == "-a for a successor +a +b -b -a"
        assert (world.codes, world.alive()) == ([0], [])

    def test_after_the_end_a_reload_starts_nobody(self, child: Maker, diary: Diary) -> None:
        world = World((child("a"),))
        world.shut_down()
        diary.clear()
        world.tell("supervisor", Reload((child("a"), child("b"))))
        assert (diary.read(), world.alive(), world.codes) == ("", [], [0])


class TestBoard:
    def test_late_subscribers_get_what_is_retained_and_then_the_end_of_it(self, child: Maker) -> None:
        heard: list[Any] = []
        world = World((child("a"), child("b")))
        for id in ("a", "b"):
            world.tell(id, lambda context: context.publish(CheckStatus(context.id, Verdict.OK)))
        world.tell("supervisor", Reload((child("a"), child("b"), Child("late", Listener, (heard, "*", "none")))))
        assert heard == [CheckStatus("a", Verdict.OK), CheckStatus("b", Verdict.OK), Replayed("*"), Replayed("none")]

    def test_equal_values_are_not_forwarded(self, child: Maker) -> None:
        heard: list[Any] = []
        world = World((child("a"), Child("listener", Listener, (heard, "a"))))
        for verdict in (Verdict.OK, Verdict.OK, Verdict.FAILED, Verdict.FAILED):
            world.tell("a", lambda context, verdict=verdict: context.publish(CheckStatus("a", verdict)))
        assert heard == [Replayed("a"), CheckStatus("a", Verdict.OK), CheckStatus("a", Verdict.FAILED)]

    def test_the_phases_of_children_are_statuses_like_others(self, child: Maker) -> None:
        heard: list[Any] = []
        world = World((child("a"), Child("listener", Listener, (heard, "child/*"))))
        world.tell("a", Crash("x"))
        world.advance(0.1)
        error = "CrashedOnRequest: x"
        assert heard == [
            Replayed("child/*"),
            ChildStatus("child/a", Phase.RESTARTING, 1, error),
            ChildStatus("child/a", Phase.RUNNING, 1, error),
        ]
