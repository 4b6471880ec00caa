"""The VRRP state machine: ``step(router, state, event) -> (state, actions)``, from one literal table.

Pure and total: no clock, no I/O, nothing raised. Here stands what happens when; how, in `vrrp_rules`; with what
numbers, in `vrrp_election`; on what, in `vrrp_values`. What has no row changes nothing.
"""

from collections.abc import Callable
from typing import Any

from actors.core import vrrp_rules as rule
from actors.core.vrrp_values import (
    AdvertDue,
    Agreed,
    Event,
    Faulted,
    Heard,
    MasterDown,
    Ousted,
    PreemptDue,
    Recovered,
    Role,
    Router,
    Shutdown,
    StartDue,
    Startup,
    State,
    Timer,
    Weighed,
)

INIT, BACKUP, MASTER, FAULT = Role.INIT, Role.BACKUP, Role.MASTER, Role.FAULT

Rule = Callable[[Router, State, Any], rule.Step]

TABLE: dict[tuple[Role, type[Event]], Rule] = {
    (INIT, Startup): rule.start,
    (INIT, StartDue): rule.end_delay,
    (INIT, Shutdown): rule.stop,
    (INIT, Faulted): rule.fail_idle,
    (INIT, Weighed): rule.weigh,
    (FAULT, Startup): rule.start_in_fault,
    (FAULT, StartDue): rule.end_delay_in_fault,
    (FAULT, Shutdown): rule.stop,
    (FAULT, Faulted): rule.fail_idle,
    (FAULT, Recovered): rule.recover,
    (FAULT, Weighed): rule.weigh,
    (BACKUP, Shutdown): rule.stop,
    (BACKUP, Faulted): rule.fail,
    (BACKUP, Weighed): rule.weigh_in_backup,
    (BACKUP, Heard): rule.listen,
    (BACKUP, PreemptDue): rule.end_hold,
    (BACKUP, MasterDown): rule.take_over,
    (BACKUP, Agreed): rule.agree,
    (MASTER, Shutdown): rule.stop,
    (MASTER, Faulted): rule.fail,
    (MASTER, Weighed): rule.weigh,
    (MASTER, Heard): rule.defend,
    (MASTER, AdvertDue): rule.advertise,
    (MASTER, Ousted): rule.abdicate,
}
"""All that ever happens. A timer that fires late, in a role that is over, has no row and does nothing."""

DUE: dict[Timer, Event] = {
    Timer.START: StartDue(),
    Timer.DOWN: MasterDown(),
    Timer.ADVERT: AdvertDue(),
    Timer.PREEMPT: PreemptDue(),
}
"""The event that a timer brings when it fires."""


def initial(router: Router) -> State:
    """The state before `Startup`: INIT, with the configured priority."""
    return State(priority=router.priority, interval=router.interval)


def step(router: Router, state: State, event: Event) -> rule.Step:
    """The state after ``event``, and what is to be done, in order. Never raises."""
    known = TABLE.get((state.role, type(event)))
    return known(router, state, event) if known else (state, ())
