"""Faults, starts and stops of the VRRP machine, in every role."""

import pytest
from msgspec.structs import replace

from actors.core.vrrp import initial, step
from actors.core.vrrp_values import (
    Action,
    Arm,
    Begun,
    Disarm,
    Faulted,
    Hold,
    MasterDown,
    Recovered,
    Role,
    Send,
    Shutdown,
    StartDue,
    Startup,
    State,
    Timer,
    Weighed,
)
from tests.rfc.house import V2, advert, backup, fault, first, master, stopped, unmoved

DOWN = Arm(Timer.DOWN, 3.609375)
LATE = replace(V2, start_delay=10.0)
OWNER = replace(V2, priority=255)
CARRIER = Faulted("eth0 is down")


@pytest.mark.parametrize(
    ("before", "after", "actions"),
    [
        (master(), fault(), (Disarm(Timer.ADVERT), Send(0))),
        (backup(), fault(), (Disarm(Timer.DOWN),)),
        (backup(hold=Hold.RUNNING), fault(), (Disarm(Timer.DOWN), Disarm(Timer.PREEMPT))),
        (fault(reason="another"), fault(), ()),
        (fault(), fault(), ()),
        (initial(V2), fault(begun=Begun.NO), ()),
    ],
)
def test_a_fault_ends_every_role_and_a_master_says_that_it_leaves(
    before: State, after: State, actions: tuple[Action, ...]
) -> None:
    assert step(V2, before, CARRIER) == (after, actions)


def test_in_fault_nothing_is_heard_and_no_timer_of_before_counts() -> None:
    assert unmoved(V2, fault(), advert(0), advert(255), MasterDown(), StartDue())


def test_a_recovered_router_listens_for_a_whole_master_down_time() -> None:
    assert step(V2, fault(), Recovered()) == (backup(reason="recovered from: eth0 is down"), (DOWN,))


def test_a_recovered_owner_leads_at_once() -> None:
    after = master(255, reason="owner of the addresses, recovered from: eth0 is down")
    assert step(OWNER, fault(255), Recovered()) == (after, (Send(255), Arm(Timer.ADVERT, 1.0)))


def test_what_was_learnt_of_a_master_is_forgotten_in_fault() -> None:
    learnt = backup(interval=4000, peer="10.0.0.9", peer_priority=200)
    assert step(replace(V2, version=3), learnt, CARRIER)[0] == fault()


def test_a_priority_given_in_fault_counts_afterwards() -> None:
    weighed, actions = step(V2, fault(), Weighed(50))
    assert (weighed, actions) == (fault(50), ())
    after = backup(50, reason="recovered from: eth0 is down")
    assert step(V2, weighed, Recovered()) == (after, (Arm(Timer.DOWN, 3.8046875),))


class TestAFaultBeforeTheStart:
    faulty = fault(begun=Begun.NO)

    def test_the_start_comes_first(self) -> None:
        begun, actions = step(V2, self.faulty, Startup())
        assert (begun, actions) == (fault(), ())
        assert step(V2, begun, Recovered())[0].role is Role.BACKUP

    def test_the_recovery_comes_first(self) -> None:
        recovered, actions = step(V2, self.faulty, Recovered())
        assert (recovered, actions) == (State(reason="recovered from: eth0 is down"), ())
        assert step(V2, recovered, Startup()) == (backup(reason="started"), (DOWN,))

    def test_a_router_in_fault_does_not_resume(self) -> None:
        assert step(V2, self.faulty, Startup(resume=True)) == (fault(), ())


class TestAFaultDuringTheStartDelay:
    delayed = fault(begun=Begun.DELAYED)

    def test_the_delay_runs_on(self) -> None:
        waiting, _ = first(LATE, Startup())
        assert step(LATE, waiting, CARRIER) == (self.delayed, ())
        assert step(LATE, fault(begun=Begun.NO), Startup()) == (self.delayed, (Arm(Timer.START, 10.0),))

    def test_a_recovery_waits_for_the_rest_of_it(self) -> None:
        waiting, actions = step(LATE, self.delayed, Recovered())
        assert (waiting, actions) == (State(begun=Begun.DELAYED, reason="recovered from: eth0 is down"), ())
        assert step(LATE, waiting, StartDue()) == (backup(reason="started after 10 s"), (DOWN,))

    def test_a_second_start_is_nothing_new(self) -> None:
        waiting, _ = first(LATE, Startup())
        assert unmoved(LATE, waiting, Startup(), Startup(resume=True))
        assert unmoved(LATE, self.delayed, Startup(), Startup(resume=True))

    def test_its_end_leaves_the_fault_alone(self) -> None:
        assert step(LATE, self.delayed, StartDue()) == (fault(), ())

    def test_a_stop_ends_it(self) -> None:
        assert step(LATE, self.delayed, Shutdown()) == (stopped(), (Disarm(Timer.START),))


@pytest.mark.parametrize("before", [stopped(), fault(), fault(begun=Begun.NO)])
def test_a_stop_where_nothing_runs_asks_for_nothing(before: State) -> None:
    assert step(V2, before, Shutdown()) == (stopped(), ())


def test_a_stopped_router_can_be_started_again() -> None:
    assert step(V2, stopped(), Startup()) == (backup(reason="started"), (DOWN,))


def test_a_resumed_router_that_a_better_one_has_replaced_yields_at_its_first_advert() -> None:
    resumed, actions = first(V2, Startup(resume=True))
    assert actions == (Send(100), Arm(Timer.ADVERT, 1.0))
    assert step(V2, resumed, advert(150))[0].role is Role.BACKUP
