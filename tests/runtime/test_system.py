"""The runtime under a manual clock: mailboxes, timers, births and deaths."""

from typing import Any

import gevent
import pytest

from actors.core.status import CheckStatus, Verdict
from actors.messages import Crash, Died, Published, Stop, Stopped, Subscribe
from actors.runtime.actor import Context
from actors.runtime.system import TURN
from tests.world import Bench as EmptyBench
from tests.world import Listener


class Bench(EmptyBench):
    """A bench whose supervisor only listens; ``heard`` is what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []
        self.system.start("supervisor", Listener, (self.heard,))
        self.settle()


class Recorder:
    """Writes down what happens to it; does on `str` messages what they say."""

    def __init__(self, context: Context, story: list[Any], **ports: Any) -> None:
        self.context = context
        self.story = story
        self.ports = ports

    def on_start(self) -> None:
        self.story.append("start")

    def receive(self, message: Any) -> None:
        self.story.append(message)
        if callable(message):
            message(self.context)

    def on_stop(self, final: bool) -> None:
        self.story.append(f"stop final={final}")


class Failing(Recorder):
    """Fails in the hook that ``story`` begins with the name of."""

    def on_start(self) -> None:
        if self.story[0] == "on_start":
            raise ValueError("cannot start")

    def on_stop(self, final: bool) -> None:
        raise ValueError("cannot stop")


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def story(bench: Bench) -> list[Any]:
    """What has happened to the actor ``a``, which lives."""
    story: list[Any] = []
    bench.system.start("a", Recorder, (story,))
    return story


def deaths(bench: Bench) -> list[tuple[str, str]]:
    return [(m.id, m.error if isinstance(m, Died) else "stopped") for m in bench.heard if isinstance(m, Died | Stopped)]


def test_messages_come_one_by_one_in_order_of_arrival_after_the_start(bench: Bench, story: list[Any]) -> None:
    for n in range(3 * TURN):
        bench.system.tell("a", n)
    assert story == []
    bench.settle()
    assert story == ["start", *range(3 * TURN)]


def test_actors_start_in_order_and_are_listed_so(bench: Bench) -> None:
    story: list[Any] = []
    for id in ("b", "a", "c"):
        bench.system.start(id, Recorder, (story,))
    bench.settle()
    assert [context.id for context in bench.system.alive() if context.id != "supervisor"] == ["b", "a", "c"]


def test_an_actor_with_much_mail_lets_others_in_between(bench: Bench, story: list[Any]) -> None:
    other: list[Any] = []
    bench.system.start("b", Recorder, (other,))
    for n in range(10 * TURN):
        bench.system.tell("a", n)
    bench.system.tell("b", lambda _: other.append(len(story)))
    bench.settle()
    assert other[2] <= TURN + 1
    assert len(story) == 10 * TURN + 1


def test_stop_jumps_the_mailbox_and_nothing_is_received_after_it(bench: Bench, story: list[Any]) -> None:
    bench.settle()
    for message in ("one", Stop(final=False), "two"):
        bench.system.tell("a", message)
    bench.settle()
    assert story == ["start", "stop final=False"]
    assert deaths(bench) == [("a", "stopped")]
    assert bench.system.find("a") is None


def test_stop_does_not_jump_the_birth(bench: Bench, story: list[Any]) -> None:
    bench.system.tell("a", "mail")
    bench.system.tell("a", Stop())
    bench.settle()
    assert story == ["start", "stop final=True"]
    assert deaths(bench) == [("a", "stopped")]


def test_telling_nobody_is_counted_and_harms_nobody(bench: Bench) -> None:
    bench.system.tell("nobody", "hello")
    bench.settle()
    assert (bench.system.undelivered, bench.heard) == (1, [])


def test_publishing_and_subscribing_are_messages_to_the_supervisor(bench: Bench, story: list[Any]) -> None:
    status = CheckStatus("a", Verdict.OK)
    bench.system.tell("a", lambda context: (context.publish(status), context.subscribe("check/*")))
    bench.settle()
    assert bench.heard == [Published(status), Subscribe("a", "check/*")]


class TestTimers:
    def test_a_timer_rings_once_at_its_time(self, bench: Bench, story: list[Any]) -> None:
        bench.system.tell("a", lambda context: context.after("t", 2.0, "ding"))
        bench.advance(1.99)
        assert "ding" not in story
        bench.advance(10.0)
        assert story.count("ding") == 1

    def test_setting_a_timer_again_replaces_it(self, bench: Bench, story: list[Any]) -> None:
        bench.system.tell("a", lambda context: context.after("t", 1.0, "old"))
        bench.system.tell("a", lambda context: context.after("t", 3.0, "new"))
        bench.advance(2.9)
        assert "new" not in story
        bench.advance(0.1)
        assert (story.count("old"), story.count("new")) == (0, 1)

    def test_timers_of_two_names_do_not_meet(self, bench: Bench, story: list[Any]) -> None:
        bench.system.tell("a", lambda context: (context.after("t", 1.0, "t"), context.after("u", 1.0, "u")))
        bench.system.tell("a", lambda context: (context.cancel("t"), context.cancel("unknown")))
        bench.advance(2.0)
        assert (story.count("t"), story.count("u")) == (0, 1)

    @pytest.mark.parametrize(
        ("change", "rings"),
        [
            (lambda context: context.cancel("t"), []),
            (lambda context: context.after("t", 5.0, "new"), [("new", 6.0)]),
            (lambda context: context.after("t", 0.0, "new"), [("new", 1.0)]),
        ],
        ids=["cancelled", "replaced", "replaced at once"],
    )
    def test_a_timer_that_lies_in_the_mailbox_is_dropped_when_it_is_changed_before_it_is_read(
        self, bench: Bench, story: list[Any], change: Any, rings: list[tuple[str, float]]
    ) -> None:
        bench.clock.call_at(1.0, bench.system.tell, "a", change)
        bench.system.tell("a", lambda context: context.after("t", 1.0, "old"))
        bench.settle()
        rung: list[tuple[str, float]] = []
        for _ in range(20):
            bench.advance(0.5)
            rung += [(m, bench.clock.now()) for m in story if isinstance(m, str) and m in ("old", "new")]
            story.clear()
        assert rung == rings

    def test_one_that_is_put_off_again_and_again_costs_the_clock_a_call_each_time_that_it_would_have_rung(
        self, bench: Bench, story: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[float] = []
        call_at = bench.clock.call_at

        def noted(when: float, *call: Any) -> None:
            asked.append(when)
            call_at(when, *call)

        monkeypatch.setattr(bench.clock, "call_at", noted)
        for _ in range(50):
            bench.system.tell("a", lambda context: context.after("t", 1.0, "ding"))
            bench.advance(0.125)
        assert asked == [1.0, 1.875, 2.75, 3.625, 4.5, 5.375, 6.25, 7.125]
        bench.advance(0.874)
        assert "ding" not in story
        bench.advance(0.001)
        assert story.count("ding") == 1

    def test_the_clock_is_asked_for_round_times_on_the_way_to_one_that_was_put_off(
        self, bench: Bench, story: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[float] = []
        call_at = bench.clock.call_at
        monkeypatch.setattr(bench.clock, "call_at", lambda when, *call: (asked.append(when), call_at(when, *call)))
        for _ in range(10):
            bench.system.tell("a", lambda context: context.after("t", 3.61, "silence"))
            bench.advance(1.0)
        bench.advance(2.5)
        assert (asked, story.count("silence")) == ([3.61, 6.5, 9.5, 12.5, 12.609375], 0)
        bench.advance(0.12)
        assert (asked[5:], story.count("silence")) == ([12.61], 1)

    @pytest.mark.parametrize(("delay", "rings_at"), [(0.25, 0.75), (0.5, 1.0), (3.0, 3.5)])
    def test_one_that_was_cancelled_and_is_set_again_rings_at_the_new_time_alone(
        self, bench: Bench, story: list[Any], delay: float, rings_at: float
    ) -> None:
        bench.system.tell("a", lambda context: context.after("t", 1.0, "old"))
        bench.advance(0.5)
        bench.system.tell("a", lambda context: (context.cancel("t"), context.after("t", delay, "new")))
        bench.advance(rings_at - 0.5 - 0.125)
        assert "new" not in story
        bench.advance(0.125)
        assert story.count("new") == 1
        bench.advance(10.0)
        assert (story.count("old"), story.count("new")) == (0, 1)

    def test_one_that_was_cancelled_is_forgotten_by_the_clock_in_the_end(self, bench: Bench, story: list[Any]) -> None:
        bench.system.tell("a", lambda context: (context.after("t", 1.0, "old"), context.cancel("t")))
        bench.advance(5.0)
        bench.system.tell("a", lambda context: context.after("t", 1.0, "new"))
        bench.advance(5.0)
        assert (story.count("old"), story.count("new")) == (0, 1)

    def test_with_a_grain_it_rings_at_the_next_multiple_with_all_the_others(
        self, bench: Bench, story: list[Any]
    ) -> None:
        rung: list[float] = []
        note = lambda context: rung.append(context.now())  # noqa: E731
        for name, when in (("t", 0.301), ("u", 0.349), ("v", 0.35)):
            bench.system.tell("a", lambda context, name=name, when=when: context.at(name, when, note, grain=0.05))
        bench.advance(1.0)
        assert rung == [pytest.approx(0.35)] * 3
        assert all(time >= 0.35 for time in rung)

    def test_death_cancels_timers_and_the_next_incarnation_hears_none_of_them(
        self, bench: Bench, story: list[Any]
    ) -> None:
        bench.system.tell("a", lambda context: context.after("t", 1.0, "old"))
        bench.system.tell("a", Crash())
        bench.system.tell("a", "mail")
        bench.settle()
        bench.system.start("a", Recorder, (story,))
        bench.system.tell("a", lambda context: context.after("t", 2.0, "new"))
        bench.advance(5.0)
        assert (story.count("old"), story.count("mail"), story.count("new")) == (0, 0, 1)


class TestDeath:
    @pytest.mark.parametrize(
        ("hook", "messages", "error", "handling"),
        [
            ("on_start", [], "ValueError: cannot start", "start"),
            ("receive", [Crash("asked")], "CrashedOnRequest: asked", "Crash(reason='asked')"),
            ("on_stop", [Stop()], "ValueError: cannot stop", "Stop(final=True)"),
        ],
    )
    def test_a_crash_in_a_hook_is_told_with_what_and_where(
        self, bench: Bench, hook: str, messages: list[Any], error: str, handling: str
    ) -> None:
        incarnation = bench.system.start("a", Failing, ([hook],))
        for message in messages:
            bench.system.tell("a", message)
        bench.settle()
        (died,) = bench.heard
        assert died == Died("a", incarnation, error, died.trace, handling)
        assert error in died.trace
        assert "Traceback" in died.trace
        assert bench.system.find("a") is None

    @pytest.mark.parametrize("error", [gevent.Timeout(1), SystemExit(3), GeneratorExit(), MemoryError()])
    def test_an_exception_of_any_kind_is_a_death(self, bench: Bench, story: list[Any], error: BaseException) -> None:
        bench.system.tell("a", lambda _: raise_(error))
        bench.system.start("b", Recorder, (story,))
        bench.settle()
        assert [id for id, _ in deaths(bench)] == ["a"]
        assert bench.heard[0].error.startswith(type(error).__name__)
        assert bench.alive() == ["b"]

    def test_an_interrupt_from_the_keyboard_goes_on_to_the_program(self, bench: Bench, story: list[Any]) -> None:
        bench.system.tell("a", lambda _: raise_(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            bench.settle()
        bench.settle()
        assert deaths(bench) == [("a", "KeyboardInterrupt: ")]

    def test_a_death_is_told_even_when_error_and_message_cannot_be_shown(self, bench: Bench, story: list[Any]) -> None:
        class Unshowable(Exception):
            def __str__(self) -> str:
                raise RuntimeError

            def __repr__(self) -> str:
                raise RuntimeError

            def __call__(self, context: Context) -> None:
                raise self

        bench.system.tell("a", Unshowable())
        bench.settle()
        (died,) = bench.heard
        text = "<Unshowable that cannot be shown>"
        assert (died.error, died.handling) == (f"Unshowable: {text}", text)

    def test_a_port_that_does_not_exist_is_the_death_of_who_asked_for_it(self, bench: Bench) -> None:
        bench.system.start("a", Recorder, ([],), ("plane",))
        bench.settle()
        assert deaths(bench) == [("a", "KeyError: 'plane'")]

    def test_ports_are_given_by_name(self, bench: Bench) -> None:
        bench.ports["plane"] = "the plane"
        bench.system.start("a", Recorder, ([],), ("plane",))
        bench.settle()
        assert bench.actor("a").ports == {"plane": "the plane"}

    def test_one_who_dies_takes_nobody_along(self, bench: Bench, story: list[Any]) -> None:
        bench.system.start("b", Failing, (["on_start"],))
        bench.system.tell("a", "before")
        bench.settle()
        bench.tell("a", "after")
        assert story == ["start", "before", "after"]

    def test_an_abandoned_one_is_deaf_and_dumb_and_its_id_is_free(self, bench: Bench, story: list[Any]) -> None:
        bench.settle()
        old = bench.system.find("a")
        bench.system.abandon("a")
        bench.system.abandon("nobody")
        successor: list[Any] = []
        bench.system.start("a", Recorder, (successor,))
        assert old is not None
        old.publish(CheckStatus("a", Verdict.OK))
        old.subscribe("*")
        old.tell("a", "from the grave")
        old.after("t", 1.0, "from the grave")
        bench.advance(2.0)
        assert (story, successor, bench.heard) == (["start"], ["start"], [])

    def test_a_start_under_a_living_id_abandons_who_lives_there(self, bench: Bench, story: list[Any]) -> None:
        bench.tell("a", lambda context: context.after("t", 1.0, "old"))
        bench.system.start("a", Recorder, ([],))
        bench.advance(2.0)
        assert "old" not in story
        assert bench.alive() == ["a"]

    def test_the_end_of_the_supervisor_itself_is_told_to_the_program(self, bench: Bench) -> None:
        told: list[Any] = []
        bench.system.unsupervised = told.append
        bench.tell("supervisor", Crash("worst case"))
        (died,) = told
        assert (died.id, died.error) == ("supervisor", "CrashedOnRequest: worst case")


def test_incarnations_and_what_was_last_published_are_handed_on(bench: Bench) -> None:
    last = CheckStatus("a", Verdict.FAILED, "refused")
    first = bench.system.start("a", Recorder, ([],))
    bench.tell("a", Stop())
    second = bench.system.start("a", Recorder, ([],), last=last)
    bench.settle()
    context = bench.system.find("a")
    assert context is not None
    assert (context.incarnation, context.last, context.kind) == (second, last, "Recorder")
    assert second > first


def test_an_idle_actor_holds_no_mailbox_and_no_greenlet(bench: Bench, story: list[Any]) -> None:
    bench.tell("a", lambda context: context.after("t", 60.0, "later"))
    context = bench.system.find("a")
    assert context is not None
    assert (context.mailbox, context._mail, context.busy) == (0, None, False)


def raise_(error: BaseException) -> None:
    raise error
