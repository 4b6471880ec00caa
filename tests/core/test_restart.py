"""Restart intensity: the ledger of a child's crashes and what follows from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.restart import Beyond, Escalate, Ledger, Policy, Restart, crashed

POLICY = Policy(burst=3, period=60.0, backoff=0.1, cap=10.0)


def decisions(times: list[float], policy: Policy = POLICY) -> list[Restart | Escalate]:
    ledger, seen = Ledger(), []
    for now in times:
        ledger, decision = crashed(ledger, policy, now)
        seen.append(decision)
    return seen


def test_the_wait_doubles_up_to_the_burst_and_then_the_child_is_parked() -> None:
    assert decisions([0, 1, 2, 3, 13]) == [
        Restart(0.1),
        Restart(0.2),
        Restart(0.4),
        Restart(10.0, parked=True),
        Restart(10.0, parked=True),
    ]


def test_the_wait_never_exceeds_the_cap() -> None:
    assert decisions([0, 1, 2, 3], Policy(burst=4, backoff=1.0, cap=3.0)) == [
        Restart(1.0),
        Restart(2.0),
        Restart(3.0),
        Restart(3.0),
    ]


def test_a_vital_child_ends_the_program_beyond_the_burst_and_not_before() -> None:
    vital = Policy(burst=1, beyond=Beyond.ESCALATE)
    assert decisions([0, 1], vital) == [Restart(0.1), Escalate()]
    assert decisions([0, 60, 120], vital) == [Restart(0.1)] * 3


def test_crashes_older_than_the_period_count_no_more() -> None:
    assert decisions([0, 1, 2, 59.9]) == [Restart(0.1), Restart(0.2), Restart(0.4), Restart(10.0, parked=True)]
    assert decisions([0, 1, 2, 60.0])[-1] == Restart(0.4)
    assert decisions([0, 1, 2, 100.0])[-1] == Restart(0.1)


def test_a_burst_of_none_parks_at_once() -> None:
    assert decisions([0], Policy(burst=0)) == [Restart(10.0, parked=True)]


@pytest.mark.parametrize(("burst", "cap", "period"), [(6, 10.0, 60.0), (5, 12.5, 60.0), (1, 60.0, 60.0)])
def test_a_policy_under_which_a_parked_child_unparks_by_arithmetic_is_refused(
    burst: int, cap: float, period: float
) -> None:
    with pytest.raises(ValueError, match=f"cap {cap} x burst {burst} must be below period {period}"):
        Policy(burst=burst, cap=cap, period=period)


policies = st.builds(
    Policy,
    burst=st.integers(0, 5),
    period=st.just(60.0),
    backoff=st.floats(0.01, 5),
    cap=st.floats(0.1, 11.9),
    beyond=st.sampled_from(Beyond),
)
gaps = st.lists(st.floats(0, 70), max_size=40)


@given(policies, gaps)
def test_the_decision_follows_the_number_of_crashes_within_the_period(policy: Policy, gaps: list[float]) -> None:
    ledger, now, times = Ledger(), 0.0, []
    for gap in gaps:
        now += gap
        times.append(now)
        ledger, decision = crashed(ledger, policy, now)
        recent = sum(now - t < policy.period for t in times)
        assert ledger.crashes == tuple(sorted(ledger.crashes))
        assert len(ledger.crashes) == min(recent, policy.burst + 1)
        if recent <= policy.burst:
            assert isinstance(decision, Restart)
            assert not decision.parked
            assert 0 < decision.delay <= policy.cap
        elif policy.beyond is Beyond.PARK:
            assert decision == Restart(policy.cap, parked=True)
        else:
            assert decision == Escalate()


@given(policies)
def test_a_child_that_always_crashes_at_once_stays_parked_once_it_is(policy: Policy) -> None:
    ledger, now, parked = Ledger(), 0.0, False
    for _ in range(40):
        ledger, decision = crashed(ledger, policy, now)
        if isinstance(decision, Escalate):
            return
        assert decision.parked or not parked
        parked = decision.parked
        now += decision.delay
    assert parked
