"""A sync group's role from what its members say, and what a member does about it."""

import pytest

from actors.core.status import VrrpStatus
from actors.core.sync_group import agreed
from actors.core.vrrp import initial, step
from actors.core.vrrp_values import (
    Agreed,
    Arm,
    Disarm,
    Event,
    Heard,
    MasterDown,
    Ousted,
    Role,
    Router,
    Send,
    Startup,
    State,
    Timer,
)

MEMBERS = ("vrrp/a", "vrrp/b")
ROUTER = Router(address="10.0.0.1", grouped=True)
DOWN = Arm(Timer.DOWN, 3 + 156 / 256)


def said(**members: VrrpStatus) -> dict[str, VrrpStatus]:
    return {f"vrrp/{name}": status for name, status in members.items()}


def member(leads: bool, fault: str = "") -> VrrpStatus:
    return VrrpStatus("vrrp/x", "BACKUP", 100, ready=leads, fault=fault)


@pytest.mark.parametrize(
    ("known", "role", "reason"),
    [
        (said(), Role.BACKUP, "vrrp/a, vrrp/b would not lead"),
        (said(a=member(True)), Role.BACKUP, "vrrp/b would not lead"),
        (said(a=member(True), b=member(False)), Role.BACKUP, "vrrp/b would not lead"),
        (said(a=member(True), b=member(True)), Role.MASTER, "all members would lead"),
        (said(a=member(True), b=member(False, "eth1 is down")), Role.FAULT, "vrrp/b: eth1 is down"),
        (said(a=member(False, "x"), b=member(False, "y")), Role.FAULT, "vrrp/a: x; vrrp/b: y"),
        (said(a=member(True), b=member(True), c=member(False, "not ours")), Role.MASTER, "all members would lead"),
    ],
)
def test_a_group_is_in_fault_with_any_member_and_master_with_all(
    known: dict[str, VrrpStatus], role: Role, reason: str
) -> None:
    assert agreed(MEMBERS, known) == (role, reason)


def after(*events: Event, router: Router = ROUTER) -> tuple[State, tuple[object, ...]]:
    state, actions = initial(router), ()
    for event in events:
        state, actions = step(router, state, event)
    return state, actions


def test_a_member_whose_master_is_silent_is_ready_and_waits_one_silence_more_at_a_time() -> None:
    state, actions = after(Startup(), MasterDown())
    assert (state.role, state.ready, state.leads, actions) == (Role.BACKUP, True, True, (DOWN,))
    again, actions = step(ROUTER, state, MasterDown())
    assert (again, actions) == (state, (DOWN,))


def test_a_ready_member_leads_when_its_group_agrees_and_says_why() -> None:
    state, actions = after(Startup(), MasterDown(), Agreed("group/G: all"))
    assert state == State(Role.MASTER, 100, 100, state.begun, reason="group/G: all")
    assert actions == (Disarm(Timer.DOWN), Send(100), Arm(Timer.ADVERT, 1.0))


def test_a_member_that_is_not_ready_stays_backup_when_its_group_agrees() -> None:
    before, _ = after(Startup())
    assert after(Startup(), Agreed("group/G: all")) == (before, ())


def test_a_ready_member_that_hears_a_better_router_is_no_longer_ready() -> None:
    state, actions = after(Startup(), MasterDown(), Heard(200, 100, "10.0.0.2"), Agreed("too late"))
    assert (state.role, state.ready, actions) == (Role.BACKUP, False, ())


def test_a_ready_member_that_hears_a_lower_priority_stays_ready() -> None:
    state, _ = after(Startup(), MasterDown(), Heard(50, 100, "10.0.0.2"))
    assert state.ready


def test_a_ready_member_without_preemption_follows_whoever_leads() -> None:
    polite = Router(address="10.0.0.1", grouped=True, preempt=False)
    state, _ = after(Startup(), MasterDown(), Heard(50, 100, "10.0.0.2"), router=polite)
    assert not state.ready


def test_a_master_whose_group_yields_is_backup_at_once_without_priority_0() -> None:
    state, actions = after(Startup(), MasterDown(), Agreed("all"), Ousted("b would not lead"))
    assert state == State(Role.BACKUP, 100, 100, state.begun, reason="b would not lead")
    assert actions == (Disarm(Timer.ADVERT), DOWN)


def test_an_owner_in_a_group_is_ready_at_once_and_leads_when_all_do() -> None:
    owner = Router(address="10.0.0.1", priority=255, grouped=True)
    state, actions = after(Startup(), router=owner)
    assert (state.role, state.ready, actions) == (Role.BACKUP, True, (Arm(Timer.DOWN, 3 + 1 / 256),))
    state, actions = step(owner, state, Agreed("all"))
    assert (state.role, actions) == (Role.MASTER, (Disarm(Timer.DOWN), Send(255), Arm(Timer.ADVERT, 1.0)))


def test_a_member_that_was_master_a_moment_ago_resumes() -> None:
    state, _ = after(Startup(resume=True))
    assert (state.role, state.leads) == (Role.MASTER, True)
