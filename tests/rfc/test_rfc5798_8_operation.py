"""RFC 5798 8.3.2 and RFC 9568 8.3.2: what follows from how priorities are set."""

import pytest
from msgspec.structs import replace

from actors.core.vrrp import step
from actors.core.vrrp_election import master_down
from actors.core.vrrp_values import Arm, MasterDown, Send, Startup, Timer
from tests.rfc.house import HIGHER, V3, advert, backup, first, master


@pytest.mark.parametrize("preempt", [True, False])
def test_a_router_with_255_preempts_all_lower_ones_as_soon_as_it_starts(preempt: bool) -> None:
    owner = replace(V3, priority=255, preempt=preempt)
    after = master(255, reason="owner of the addresses, started")
    assert first(owner, Startup()) == (after, (Send(255), Arm(Timer.ADVERT, 1.0)))


def test_an_owner_preempts_also_where_preemption_is_off() -> None:
    owner = replace(V3, priority=255, preempt=False)
    after, actions = step(owner, backup(255), advert(254))
    assert (after.role, actions) == (backup().role, ())
    assert step(owner, after, MasterDown())[0] == master(255, reason=f"priority 255 is above 254 of {HIGHER}")


def test_without_an_owner_and_with_preemption_off_nobody_is_preempted() -> None:
    router = replace(V3, preempt=False, priority=254)
    state, _ = first(router, Startup())
    for _ in range(3):
        state, actions = step(router, state, advert(1))
        assert actions == (Arm(Timer.DOWN, 3.0078125),)
    assert state == backup(254, peer=HIGHER, peer_priority=1, reason="started")


def test_backups_with_priorities_far_apart_take_over_further_apart() -> None:
    near = master_down(V3, backup(99)) - master_down(V3, backup(100))
    far = master_down(V3, backup(50)) - master_down(V3, backup(100))
    assert (near, far) == (1 / 256, 50 / 256)
