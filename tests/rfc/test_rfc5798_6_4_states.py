"""RFC 5798 6.4: the states of version 3, where a master tells its interval."""

import pytest
from msgspec.structs import replace

from actors.core.vrrp import step
from actors.core.vrrp_values import (
    AdvertDue,
    Arm,
    Disarm,
    Heard,
    MasterDown,
    Reclaim,
    Router,
    Send,
    Shutdown,
    Startup,
    Timer,
)
from tests.rfc.house import HIGHER, LOWER, OURS, V3, advert, backup, first, master, reclaimed, stopped, unmoved

FAST = replace(V3, interval=10)
PATIENT = replace(V3, preempt=False)
SILENT = replace(V3, lower_prio_no_advert=True)
DOWN = Arm(Timer.DOWN, 3.609375)


class TestInitialize:
    """6.4.1"""

    def test_an_owner_is_master_at_once(self) -> None:
        after = master(255, 10, "owner of the addresses, started")
        assert first(replace(FAST, priority=255), Startup()) == (after, (Send(255), Arm(Timer.ADVERT, 0.1)))

    def test_any_other_router_takes_its_own_interval_for_the_masters_and_is_backup(self) -> None:
        assert first(FAST, Startup()) == (backup(100, 10, reason="started"), (Arm(Timer.DOWN, 0.3609375),))


class TestBackup:
    """6.4.2"""

    def test_shutdown_cancels_the_timer_and_sends_nothing(self) -> None:
        before = backup(interval=400, peer=HIGHER, peer_priority=200)
        assert step(V3, before, Shutdown()) == (stopped(), (Disarm(Timer.DOWN),))

    def test_a_new_master_sends_at_its_own_interval_and_not_at_the_one_it_learnt(self) -> None:
        before = backup(interval=400, peer=HIGHER, peer_priority=200)
        after = master(interval=10, reason=f"no advert of {HIGHER} for 14.4 s")
        assert step(FAST, before, MasterDown()) == (after, (Send(100), Arm(Timer.ADVERT, 0.1)))

    def test_a_priority_of_zero_sets_the_timer_to_the_skew_of_the_interval_learnt_before(self) -> None:
        before, after = backup(20, 80, HIGHER, 200), backup(20, 80, HIGHER, 0)
        assert step(FAST, before, advert(0, interval=20)) == (after, (Arm(Timer.DOWN, 236 * 0.8 / 256),))

    @pytest.mark.parametrize(("interval", "down"), [(1, 0.03609375), (100, 3.609375), (4000, 144.375)])
    def test_a_higher_or_equal_priority_sets_the_masters_interval_and_the_timer(
        self, interval: int, down: float
    ) -> None:
        for priority in (100, 101, 255):
            after, actions = step(V3, backup(), advert(priority, LOWER, interval))
            assert after == backup(100, interval, LOWER, priority)
            assert actions == (Arm(Timer.DOWN, down),)

    def test_without_preemption_a_lower_priority_does_the_same(self) -> None:
        after = backup(100, 10, LOWER, 1)
        assert step(PATIENT, backup(), advert(1, LOWER, 10)) == (after, (Arm(Timer.DOWN, 0.3609375),))

    def test_with_preemption_a_lower_priority_teaches_no_interval(self) -> None:
        after, actions = step(V3, backup(interval=70), advert(99, HIGHER, 10))
        assert (after.interval, after.role, actions) == (70, backup().role, ())


class TestMaster:
    """6.4.3"""

    def test_shutdown_cancels_the_timer_and_sends_a_priority_of_zero(self) -> None:
        assert step(V3, master(), Shutdown()) == (stopped(), (Disarm(Timer.ADVERT), Send(0)))

    def test_when_the_timer_fires_it_sends_an_advert_and_sets_it_again(self) -> None:
        expected = master(interval=10), (Send(100), Arm(Timer.ADVERT, 0.1))
        assert step(FAST, master(interval=10), AdvertDue()) == expected

    def test_a_priority_of_zero_is_met_with_an_advert_and_the_timer_begins_anew(self) -> None:
        assert step(V3, master(), advert(0)) == (master(), (Send(100), Arm(Timer.ADVERT, 1.0), Reclaim(0)))

    def test_a_higher_priority_makes_it_backup_with_the_interval_of_that_advert(self) -> None:
        after = backup(100, 40, LOWER, 101, reason=f"priority 101 of {LOWER} is above 100")
        expected = after, (Disarm(Timer.ADVERT), Arm(Timer.DOWN, 1.44375))
        assert step(V3, master(), advert(101, LOWER, 40)) == expected

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [("fe80::1", "fe80::2"), ("fe80::5eff:1", "fe80::ff00:1"), ("fe80::9", "fe80::10"), ("fe80::1%a", "fe80::2")],
    )
    def test_an_equal_priority_from_a_greater_link_local_address_makes_it_backup(self, ours: str, theirs: str) -> None:
        router = Router(address=ours, version=3)
        reason = f"priority 100 of {theirs} is equal, and its address is above {ours}"
        after = backup(peer=theirs, peer_priority=100, reason=reason)
        assert step(router, master(), Heard(100, 100, theirs)) == (after, (Disarm(Timer.ADVERT), DOWN))

    @pytest.mark.parametrize(("priority", "address"), [(99, HIGHER), (100, LOWER), (1, HIGHER)])
    def test_anything_less_is_discarded_and_teaches_no_interval(self, priority: int, address: str) -> None:
        assert reclaimed(SILENT, master(), advert(priority, address, 10), 0.3609375)

    def test_its_own_address_is_nobody_s(self) -> None:
        assert unmoved(SILENT, master(), advert(100, OURS, 10))
