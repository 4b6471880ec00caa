"""The rules of the VRRP state machine, which `vrrp.TABLE` puts in their places.

Each is a pure function of router, state and event. Section numbers are those of RFC 3768, 5798 and 9568 alike.
"""

from msgspec.structs import replace

from actors.core.vrrp_election import advert_seconds, learnt, master_down, refusal, skew, superiority, vacancy
from actors.core.vrrp_values import (
    LEAVING,
    OWNER,
    Action,
    AdvertDue,
    Agreed,
    Arm,
    Begun,
    Disarm,
    Faulted,
    Heard,
    Hold,
    MasterDown,
    Ousted,
    PreemptDue,
    Reclaim,
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

Step = tuple[State, tuple[Action, ...]]

BACKUP, MASTER, INIT, FAULT = Role.BACKUP, Role.MASTER, Role.INIT, Role.FAULT


# Entering a role.


def lead(router: Router, state: State, reason: str) -> Step:
    """Be MASTER: an advert at once, the next one an interval later (6.4.1, 6.4.2)."""
    after = State(MASTER, state.priority, router.interval, Begun.YES, reason=reason)
    return after, (Send(state.priority), Arm(Timer.ADVERT, advert_seconds(router)))


def follow(router: Router, state: State, interval: int, reason: str) -> Step:
    """Be BACKUP behind a master that adverts every ``interval`` centiseconds."""
    after = State(BACKUP, state.priority, interval, Begun.YES, reason=reason)
    return after, (Arm(Timer.DOWN, master_down(router, after)),)


def begin(router: Router, state: State, reason: str) -> Step:
    """Leave INIT or FAULT: an owner leads at once, or when its group does; all others listen first (6.4.1)."""
    if router.owner and not router.grouped:
        return lead(router, state, f"owner of the addresses, {reason}")
    after, actions = follow(router, state, router.interval, reason)
    return replace(after, ready=router.owner), actions


def depart(state: State) -> tuple[Action, ...]:
    """What a router does last: stop its timers and, as MASTER, say that it leaves (6.4.3)."""
    farewell = (Send(LEAVING),) if state.role is MASTER else ()
    return (*(Disarm(timer) for timer in state.armed), *farewell)


def release(state: State) -> tuple[Action, ...]:
    """End the preemption delay, if it runs."""
    return (Disarm(Timer.PREEMPT),) if state.hold is Hold.RUNNING else ()


# Start, stop, faults.


def start(router: Router, state: State, event: Startup) -> Step:
    """INIT, `Startup`: resume, or wait for the start delay, or begin. A second one is nothing new."""
    if state.begun is not Begun.NO:
        return state, ()
    if event.resume:
        return lead(router, state, "resumed: MASTER until a moment ago")
    if router.start_delay > 0:
        reason = f"waits {router.start_delay:g} s before it starts"
        return replace(state, begun=Begun.DELAYED, reason=reason), (Arm(Timer.START, router.start_delay),)
    return begin(router, state, "started")


def start_in_fault(router: Router, state: State, event: Startup) -> Step:
    """FAULT, `Startup`: the start delay runs while the fault lasts. Nobody resumes in a fault."""
    if state.begun is not Begun.NO:
        return state, ()
    if router.start_delay > 0:
        return replace(state, begun=Begun.DELAYED), (Arm(Timer.START, router.start_delay),)
    return replace(state, begun=Begun.YES), ()


def end_delay(router: Router, state: State, event: StartDue) -> Step:
    """INIT, `StartDue`: begin, if the delay is what it waited for."""
    if state.begun is not Begun.DELAYED:
        return state, ()
    return begin(router, state, f"started after {router.start_delay:g} s")


def end_delay_in_fault(router: Router, state: State, event: StartDue) -> Step:
    """FAULT, `StartDue`: nothing but the fault holds it back now."""
    return (replace(state, begun=Begun.YES) if state.begun is Begun.DELAYED else state), ()


def stop(router: Router, state: State, event: Shutdown) -> Step:
    """Any role, `Shutdown`: back to INIT, as if never started."""
    return State(INIT, state.priority, router.interval, reason="stopped"), depart(state)


def fail_idle(router: Router, state: State, event: Faulted) -> Step:
    """INIT or FAULT, `Faulted`: note why. A start delay runs on."""
    return replace(state, role=FAULT, reason=event.reason), ()


def fail(router: Router, state: State, event: Faulted) -> Step:
    """BACKUP or MASTER, `Faulted`: let go. Priority 0 hands over within the skew time (keepalived; not in the RFCs)."""
    return State(FAULT, state.priority, router.interval, Begun.YES, reason=event.reason), depart(state)


def recover(router: Router, state: State, event: Recovered) -> Step:
    """FAULT, `Recovered`: begin as after `Startup`, if that and the start delay are past; else go on waiting."""
    reason = f"recovered from: {state.reason}"
    if state.begun is Begun.YES:
        return begin(router, state, reason)
    return replace(state, role=INIT, reason=reason), ()


# Priority.


def weigh(router: Router, state: State, event: Weighed) -> Step:
    """INIT, FAULT or MASTER, `Weighed`: what is sent next carries the new priority."""
    return replace(state, priority=OWNER if router.owner else min(max(event.priority, 1), OWNER - 1)), ()


def weigh_in_backup(router: Router, state: State, event: Weighed) -> Step:
    """BACKUP, `Weighed`: the running timer moves by what the skew has changed (keepalived)."""
    after, _ = weigh(router, state, event)
    moved = master_down(router, after) - master_down(router, state)
    return after, (Shift(Timer.DOWN, moved),) if moved else ()


# BACKUP (6.4.2).


def listen(router: Router, state: State, heard: Heard) -> Step:
    """BACKUP, `Heard`: follow the sender, or let the timer run on because this router is better."""
    if refusal(router, heard):
        return state, ()
    if heard.priority == LEAVING:
        after = replace(state, peer=heard.address, peer_priority=LEAVING)
        return after, (Arm(Timer.DOWN, skew(router, state)),)
    if heard.priority < state.priority and router.preempts:
        return challenge(router, state, heard)
    after, actions = accept(router, state, heard, Hold.NONE)
    return after, (*release(state), *actions)


def challenge(router: Router, state: State, heard: Heard) -> Step:
    """A lower priority leads: ignore its adverts until the timer fires, after the preemption delay if there is one."""
    if router.hold_seconds <= 0 or state.hold is Hold.OVER:
        after = replace(state, hold=Hold.OVER, peer=heard.address, peer_priority=heard.priority)
        return after, release(state)
    after, actions = accept(router, state, heard, Hold.RUNNING)
    if state.hold is Hold.RUNNING:
        return after, actions
    return after, (Arm(Timer.PREEMPT, router.hold_seconds), *actions)


def accept(router: Router, state: State, heard: Heard, hold: Hold) -> Step:
    """The sender is the master: learn its interval, and wait for its next advert."""
    peer, priority = heard.address, heard.priority
    heard_of = {"interval": learnt(router, heard), "peer": peer, "peer_priority": priority}
    after = replace(state, **heard_of, hold=hold, ready=False)
    return after, (Arm(Timer.DOWN, master_down(router, after)),)


def end_hold(router: Router, state: State, event: PreemptDue) -> Step:
    """BACKUP, `PreemptDue`: from now on a lower priority is not followed."""
    return (replace(state, hold=Hold.OVER) if state.hold is Hold.RUNNING else state), ()


def take_over(router: Router, state: State, event: MasterDown) -> Step:
    """BACKUP, `MasterDown`: lead; in a sync group be ready to, and wait for the others, a silence at a time."""
    if router.grouped:
        return replace(state, ready=True), (Arm(Timer.DOWN, master_down(router, state)),)
    after, actions = lead(router, state, vacancy(router, state))
    return after, (*release(state), *actions)


def agree(router: Router, state: State, event: Agreed) -> Step:
    """BACKUP, `Agreed`: lead, unless a better router has been heard meanwhile."""
    if not state.ready:
        return state, ()
    after, actions = lead(router, state, event.reason)
    return after, (Disarm(Timer.DOWN), *release(state), *actions)


# MASTER (6.4.3).


def advertise(router: Router, state: State, event: AdvertDue | Heard) -> Step:
    """MASTER, `AdvertDue`, or another router left: an advert, and the next one an interval later."""
    return state, (Send(state.priority), Arm(Timer.ADVERT, advert_seconds(router)))


def defend(router: Router, state: State, heard: Heard) -> Step:
    """MASTER, `Heard`: yield to a better router, assert itself against a worse one; at most one advert either way."""
    if refusal(router, heard):
        return state, ()
    if heard.priority == LEAVING:
        after, actions = advertise(router, state, heard)
        return after, (*actions, Reclaim(0.0))
    reason = superiority(router, state, heard)
    if not reason:
        return state, (*((Send(state.priority),) if router.answers_lower else ()), reclaim(router, state, heard))
    after, actions = follow(router, state, learnt(router, heard), reason)
    known = replace(after, peer=heard.address, peer_priority=heard.priority)
    return known, (*((Send(state.priority),) if router.answers_higher else ()), Disarm(Timer.ADVERT), *actions)


def reclaim(router: Router, state: State, heard: Heard) -> Reclaim:
    """The rival is gone when a BACKUP would take it for down."""
    return Reclaim(master_down(router, replace(state, interval=learnt(router, heard))))


def abdicate(router: Router, state: State, event: Ousted) -> Step:
    """MASTER, `Ousted`: go along, without priority 0: the other members' master is to take over all of them."""
    after, actions = follow(router, state, router.interval, event.reason)
    return after, (Disarm(Timer.ADVERT), *actions)
