"""What holds of the VRRP machine whatever happens to it: random routers, random events in any order."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.vrrp import DUE, TABLE, initial, step
from actors.core.vrrp_election import refusal
from actors.core.vrrp_values import (
    Action,
    AdvertDue,
    Agreed,
    Arm,
    Begun,
    Disarm,
    Event,
    Faulted,
    Heard,
    Hold,
    MasterDown,
    Ousted,
    PreemptDue,
    Recovered,
    Role,
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

ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2", "200.0.0.1", "fe80::1", "fe80::ffff", "", "no address"])
ROUTERS = st.builds(
    Router,
    address=ADDRESSES,
    priority=st.integers(1, 255),
    version=st.sampled_from([2, 3]),
    interval=st.integers(1, 4095),
    preempt_delay=st.sampled_from([0.0, 0.5, 1000.0]),
    down_timer_adverts=st.integers(1, 100),
    start_delay=st.sampled_from([0.0, 10.0]),
    **{
        keyword: st.booleans()
        for keyword in (
            "preempt",
            "lower_prio_no_advert",
            "higher_prio_send_advert",
            "owner_ignore_adverts",
            "strict_mode",
            "grouped",
        )
    },
)
HEARD = st.builds(Heard, st.integers(0, 255), st.sampled_from([0, 1, 100, 4095]) | st.integers(-9, 99999), ADDRESSES)
EVENTS = st.one_of(
    st.builds(Startup, st.booleans()),
    st.sampled_from([Shutdown(), Recovered(), *DUE.values()]),
    st.builds(Faulted, st.text(max_size=3)),
    st.builds(Weighed, st.integers(-999, 999)),
    st.builds(Agreed, st.text(min_size=1, max_size=3)),
    st.builds(Ousted, st.text(min_size=1, max_size=3)),
    HEARD,
)
KINDS = [
    Startup,
    Shutdown,
    Faulted,
    Recovered,
    Weighed,
    Heard,
    StartDue,
    MasterDown,
    AdvertDue,
    PreemptDue,
    Agreed,
    Ousted,
]


class Timers:
    """The timers as an actor has them: what runs, and for how long at least."""

    def __init__(self) -> None:
        self.running: set[Timer] = set()

    def fire(self, event: Event) -> None:
        self.running -= {timer for timer, due in DUE.items() if due == event}

    def obey(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Arm(timer, seconds):
                    assert seconds > 0
                    self.running.add(timer)
                case Disarm(timer):
                    self.running.remove(timer)
                case Shift(timer):
                    assert timer in self.running


def lives(router: Router, events: list[Event]) -> Iterable[tuple[State, Event, State, tuple[Action, ...]]]:
    state = initial(router)
    for event in events:
        after, actions = step(router, state, event)
        yield state, event, after, actions
        state = after


@given(ROUTERS, st.lists(EVENTS, max_size=30))
def test_the_timers_that_run_are_those_of_the_state_and_no_stopped_one_is_stopped(
    router: Router, events: list[Event]
) -> None:
    timers = Timers()
    for _, event, after, actions in lives(router, events):
        timers.fire(event)
        timers.obey(actions)
        assert timers.running == set(after.armed)


@given(ROUTERS, st.lists(EVENTS, max_size=30))
def test_priority_0_is_sent_on_leaving_mastership_for_good_and_never_else(router: Router, events: list[Event]) -> None:
    for before, event, _, actions in lives(router, events):
        farewell = before.role is Role.MASTER and isinstance(event, Shutdown | Faulted)
        assert (Send(0) in actions) == farewell
        assert sum(isinstance(action, Send) for action in actions) <= 1


@given(ROUTERS, st.lists(EVENTS, max_size=30))
def test_only_a_master_or_one_that_becomes_it_or_yields_sends(router: Router, events: list[Event]) -> None:
    for before, _, after, actions in lives(router, events):
        if any(isinstance(action, Send) for action in actions):
            assert Role.MASTER in (before.role, after.role)
        if after.role is Role.MASTER and before.role is not Role.MASTER:
            assert actions[-2:] == (Send(after.priority), Arm(Timer.ADVERT, router.interval / 100))


@given(ROUTERS, st.lists(EVENTS, max_size=30))
def test_every_change_of_role_has_a_reason_and_no_other_event_touches_it(router: Router, events: list[Event]) -> None:
    for before, event, after, _ in lives(router, events):
        if before.role is after.role and not isinstance(event, Startup | StartDue | Shutdown | Faulted):
            assert after.reason == before.reason
        assert after.reason or after.role is Role.INIT or isinstance(event, Faulted) or before.role is Role.FAULT


@given(ROUTERS, st.lists(EVENTS, max_size=20), HEARD)
def test_a_refused_advert_changes_nothing(router: Router, events: list[Event], heard: Heard) -> None:
    state = initial(router)
    for _, _, after, _ in lives(router, events):
        state = after
    if refusal(router, heard):
        assert step(router, state, heard) == (state, ())


@given(ROUTERS, st.lists(EVENTS, max_size=30))
def test_the_effective_priority_stays_in_its_range_and_an_owners_stays_255(router: Router, events: list[Event]) -> None:
    for _, _, after, _ in lives(router, events):
        assert after.priority == 255 if router.owner else 1 <= after.priority <= 254


@given(ROUTERS, st.lists(EVENTS, max_size=30))
def test_a_preemption_delay_runs_in_backup_only(router: Router, events: list[Event]) -> None:
    for _, _, after, _ in lives(router, events):
        assert after.hold is Hold.NONE or after.role is Role.BACKUP


@given(ROUTERS, st.lists(EVENTS, max_size=30))
def test_only_a_backup_in_a_group_is_ready_and_only_its_group_makes_it_master(
    router: Router, events: list[Event]
) -> None:
    for before, event, after, _ in lives(router, events):
        assert not after.ready or (router.grouped and after.role is Role.BACKUP)
        if router.grouped and after.role is Role.MASTER is not before.role:
            assert isinstance(event, Agreed | Startup)
            assert before.ready or isinstance(event, Startup)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("kind", KINDS)
def test_the_table_alone_decides_what_matters_in_a_role(role: Role, kind: type[Event]) -> None:
    begun = {Startup: Begun.NO, StartDue: Begun.DELAYED}.get(kind, Begun.YES)
    told = [Faulted("down"), Weighed(7), Heard(200, 100, "10.0.0.9"), Agreed("all"), Ousted("not all")]
    event = next((event for event in told if type(event) is kind), None) or kind()
    backup = role is Role.BACKUP
    before = State(role, begun=begun, hold=Hold.RUNNING if backup else Hold.NONE, ready=backup)
    changed = step(Router(address="10.0.0.1"), before, event) != (before, ())
    assert changed == ((role, kind) in TABLE)


def test_every_timer_has_its_event() -> None:
    assert list(DUE) == list(Timer)
