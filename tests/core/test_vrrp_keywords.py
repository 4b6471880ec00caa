"""keepalived's keywords in the VRRP machine: what each changes, from the state before to the state after."""

import pytest
from msgspec.structs import replace

from actors.core.vrrp import step
from actors.core.vrrp_values import (
    Action,
    Arm,
    Disarm,
    Event,
    Heard,
    Hold,
    MasterDown,
    PreemptDue,
    Reclaim,
    Router,
    Send,
    Shift,
    Shutdown,
    StartDue,
    Startup,
    State,
    Timer,
    Weighed,
)
from tests.rfc.house import HIGHER, LOWER, OURS, V2, advert, backup, first, master, stopped, unmoved

DOWN = Arm(Timer.DOWN, 3.609375)
GONE = Reclaim(3.609375)
YIELD = (Disarm(Timer.ADVERT), DOWN)
DELAYED = replace(V2, preempt_delay=30.5)
HOLDING = backup(peer=LOWER, peer_priority=50, hold=Hold.RUNNING)
HELD = replace(HOLDING, hold=Hold.OVER)
YIELDED = backup(peer=HIGHER, peer_priority=200, reason=f"priority 200 of {HIGHER} is above 100")


def router(**keywords: object) -> Router:
    return Router(**{"address": OURS, **keywords})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keywords", "actions"),
    [
        ({}, (Send(100), GONE)),
        ({"lower_prio_no_advert": True}, (GONE,)),
        ({"strict_mode": True}, (GONE,)),
        ({"higher_prio_send_advert": True}, (Send(100), GONE)),
        ({"preempt": False}, (Send(100), GONE)),
        ({"version": 3, "lower_prio_no_advert": True}, (GONE,)),
        ({"down_timer_adverts": 1}, (Send(100), Reclaim(1.609375))),
    ],
)
def test_what_a_master_answers_to_a_lower_priority(keywords: dict[str, object], actions: tuple[Action, ...]) -> None:
    assert step(router(**keywords), master(), advert(99)) == (master(), actions)


@pytest.mark.parametrize(
    ("keywords", "actions"),
    [
        ({}, YIELD),
        ({"higher_prio_send_advert": True}, (Send(100), *YIELD)),
        ({"higher_prio_send_advert": True, "strict_mode": True}, YIELD),
        ({"lower_prio_no_advert": True}, YIELD),
        ({"preempt": False}, YIELD),
    ],
)
def test_what_a_master_does_when_it_yields(keywords: dict[str, object], actions: tuple[Action, ...]) -> None:
    assert step(router(**keywords), master(), advert(200)) == (YIELDED, actions)


@pytest.mark.parametrize(
    ("keywords", "seconds"),
    [
        ({"down_timer_adverts": 1}, 1.609375),
        ({"down_timer_adverts": 10}, 10.609375),
        ({"down_timer_adverts": 100, "interval": 200}, 200.609375),
        ({"down_timer_adverts": 10, "strict_mode": True}, 3.609375),
    ],
)
def test_down_timer_adverts_is_how_many_adverts_may_be_missed(keywords: dict[str, object], seconds: float) -> None:
    state, actions = first(router(**keywords), Startup())
    assert (state.reason, actions) == ("started", (Arm(Timer.DOWN, seconds),))


@pytest.mark.parametrize(
    ("keywords", "moved"),
    [
        ({}, True),
        ({"owner_ignore_adverts": True}, False),
        ({"strict_mode": True}, False),
    ],
)
def test_owner_ignore_adverts_keeps_an_owner_where_another_one_would_win(
    keywords: dict[str, object], moved: bool
) -> None:
    assert unmoved(router(priority=255, **keywords), master(255), advert(255, HIGHER)) is not moved


def test_owner_ignore_adverts_is_nothing_to_a_router_that_is_no_owner() -> None:
    assert step(router(owner_ignore_adverts=True), master(), advert(200)) == (YIELDED, YIELD)


class TestPreemptDelay:
    @pytest.mark.parametrize(
        ("before", "event", "after", "actions"),
        [
            (backup(), advert(50, LOWER), HOLDING, (Arm(Timer.PREEMPT, 30.5), DOWN)),
            (HOLDING, advert(50, LOWER), HOLDING, (DOWN,)),
            (HOLDING, PreemptDue(), HELD, ()),
            (HELD, advert(50, LOWER), HELD, ()),
            (HELD, MasterDown(), master(reason=f"priority 100 is above 50 of {LOWER}"),
             (Send(100), Arm(Timer.ADVERT, 1.0))),
            (HELD, advert(100), backup(peer=HIGHER, peer_priority=100), (DOWN,)),
            (HOLDING, advert(100), backup(peer=HIGHER, peer_priority=100), (Disarm(Timer.PREEMPT), DOWN)),
            (HOLDING, advert(0, LOWER), replace(HOLDING, peer_priority=0), (Arm(Timer.DOWN, 0.609375),)),
            (HOLDING, MasterDown(), master(reason=f"no advert of {LOWER} for 3.61 s"),
             (Disarm(Timer.PREEMPT), Send(100), Arm(Timer.ADVERT, 1.0))),
            (HOLDING, Shutdown(), stopped(), (Disarm(Timer.DOWN), Disarm(Timer.PREEMPT))),
            (backup(), PreemptDue(), backup(), ()),
            (master(), advert(200), YIELDED, YIELD),
        ],
    )  # fmt: skip
    def test_its_life(self, before: State, event: Event, after: State, actions: tuple[Action, ...]) -> None:
        assert step(DELAYED, before, event) == (after, actions)

    @pytest.mark.parametrize("keywords", [{"strict_mode": True}, {"priority": 255}, {"preempt_delay": 0}])
    def test_strict_mode_and_owners_know_none(self, keywords: dict[str, object]) -> None:
        after, actions = step(router(**{"preempt_delay": 30.5, **keywords}), backup(), advert(50, LOWER))
        assert (after, actions) == (backup(peer=LOWER, peer_priority=50, hold=Hold.OVER), ())

    def test_with_nopreempt_it_does_not_begin(self) -> None:
        after, actions = step(replace(DELAYED, preempt=False), backup(), advert(50, LOWER))
        assert (after, actions) == (backup(peer=LOWER, peer_priority=50), (DOWN,))

    def test_a_reload_that_takes_it_away_ends_it_with_the_next_advert(self) -> None:
        assert step(V2, HOLDING, advert(50, LOWER)) == (HELD, (Disarm(Timer.PREEMPT),))

    def test_in_version_3_the_interval_is_learnt_while_it_runs(self) -> None:
        third = replace(DELAYED, version=3)
        learnt = replace(HOLDING, interval=10)
        assert step(third, HOLDING, advert(50, LOWER, 10)) == (learnt, (Arm(Timer.DOWN, 0.3609375),))
        assert step(third, replace(learnt, hold=Hold.OVER), advert(50, LOWER, 400))[0].interval == 10


class TestStartDelay:
    slow = router(start_delay=12.5)

    def test_a_start_waits_for_it_and_hears_nothing_meanwhile(self) -> None:
        waiting, actions = first(self.slow, Startup())
        assert (waiting.reason, actions) == ("waits 12.5 s before it starts", (Arm(Timer.START, 12.5),))
        assert unmoved(self.slow, waiting, advert(0), advert(200), MasterDown())
        assert step(self.slow, waiting, StartDue()) == (backup(reason="started after 12.5 s"), (DOWN,))
        assert step(self.slow, waiting, Shutdown()) == (stopped(), (Disarm(Timer.START),))

    def test_an_owner_waits_too(self) -> None:
        owner = replace(self.slow, priority=255)
        waiting, actions = first(owner, Startup())
        assert actions == (Arm(Timer.START, 12.5),)
        after = master(255, reason="owner of the addresses, started after 12.5 s")
        assert step(owner, waiting, StartDue()) == (after, (Send(255), Arm(Timer.ADVERT, 1.0)))

    def test_who_resumes_does_not_wait(self) -> None:
        after = master(reason="resumed: MASTER until a moment ago")
        assert first(self.slow, Startup(resume=True)) == (after, (Send(100), Arm(Timer.ADVERT, 1.0)))

    def test_without_a_start_its_end_means_nothing(self) -> None:
        assert unmoved(self.slow, stopped(), StartDue())


@pytest.mark.parametrize(
    ("tracked", "effective"), [(150, 150), (254, 254), (255, 254), (9999, 254), (1, 1), (0, 1), (-9999, 1)]
)
def test_a_tracked_priority_is_kept_within_1_and_254(tracked: int, effective: int) -> None:
    assert step(V2, master(), Weighed(tracked)) == (master(effective), ())


@pytest.mark.parametrize("tracked", [-1, 0, 100, 254])
def test_tracking_does_not_move_an_owner(tracked: int) -> None:
    owner = router(priority=255)
    assert unmoved(owner, master(255), Weighed(tracked))
    assert unmoved(owner, backup(255), Weighed(tracked))


@pytest.mark.parametrize(
    ("version", "interval", "tracked", "moved"),
    [(2, 100, 228, -0.5), (2, 100, 36, 0.25), (2, 400, 228, -0.5), (3, 400, 228, -2.0), (3, 25, 36, 0.0625)],
)
def test_a_backups_timer_moves_by_what_the_skew_has_changed(
    version: int, interval: int, tracked: int, moved: float
) -> None:
    third = router(version=version)
    after, actions = step(third, backup(interval=interval), Weighed(tracked))
    assert after == backup(tracked, interval)
    assert actions == (Shift(Timer.DOWN, moved),)


def test_an_equal_priority_asks_for_nothing() -> None:
    assert unmoved(V2, backup(), Weighed(100))
    assert unmoved(V2, master(), Weighed(100))


def test_a_master_that_is_weighed_down_says_so_with_its_next_advert_and_yields_then() -> None:
    down, _ = step(V2, master(), Weighed(40))
    after, actions = step(V2, down, Heard(60, 100, LOWER))
    reason = f"priority 60 of {LOWER} is above 40"
    assert after == backup(40, peer=LOWER, peer_priority=60, reason=reason)
    assert actions == (Disarm(Timer.ADVERT), Arm(Timer.DOWN, 3.84375))
