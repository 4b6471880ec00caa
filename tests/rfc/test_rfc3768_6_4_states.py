"""RFC 3768 6.4: the states of version 2."""

import pytest
from msgspec.structs import replace

from actors.core.vrrp import step
from actors.core.vrrp_values import (
    AdvertDue,
    Arm,
    Disarm,
    MasterDown,
    Reclaim,
    Router,
    Send,
    Shutdown,
    Startup,
    Timer,
)
from tests.rfc.house import HIGHER, LOWER, OURS, V2, advert, backup, first, master, reclaimed, stopped, unmoved

OWNER = Router(address=OURS, priority=255)
SILENT = replace(V2, lower_prio_no_advert=True)
PATIENT = replace(V2, preempt=False)
DOWN = Arm(Timer.DOWN, 3.609375)


class TestInitialize:
    """6.4.1"""

    def test_an_owner_sends_an_advert_and_is_master_at_once(self) -> None:
        reason = "owner of the addresses, started"
        assert first(OWNER, Startup()) == (master(255, reason=reason), (Send(255), Arm(Timer.ADVERT, 1.0)))

    def test_any_other_router_sets_the_master_down_timer_and_is_backup(self) -> None:
        assert first(V2, Startup()) == (backup(reason="started"), (DOWN,))

    def test_nothing_but_a_startup_moves_it(self) -> None:
        assert unmoved(V2, stopped(), advert(255), advert(0), MasterDown(), AdvertDue())


class TestBackup:
    """6.4.2"""

    def test_shutdown_cancels_the_timer_and_sends_nothing(self) -> None:
        assert step(V2, backup(), Shutdown()) == (stopped(), (Disarm(Timer.DOWN),))

    def test_when_the_timer_fires_it_sends_an_advert_and_is_master(self) -> None:
        expected = master(reason="no advert for 3.61 s"), (Send(100), Arm(Timer.ADVERT, 1.0))
        assert step(V2, backup(), MasterDown()) == expected

    @pytest.mark.parametrize("router", [V2, PATIENT])
    def test_a_priority_of_zero_sets_the_timer_to_the_skew_time(self, router: Router) -> None:
        before = backup(peer=HIGHER, peer_priority=200)
        after = backup(peer=HIGHER, peer_priority=0)
        assert step(router, before, advert(0)) == (after, (Arm(Timer.DOWN, 0.609375),))
        assert step(router, after, MasterDown())[0] == master(reason=f"{HIGHER} left with priority 0")

    @pytest.mark.parametrize(("priority", "address"), [(101, LOWER), (255, LOWER), (100, LOWER), (100, HIGHER)])
    def test_a_higher_or_equal_priority_resets_the_timer_whatever_the_addresses(
        self, priority: int, address: str
    ) -> None:
        after = backup(peer=address, peer_priority=priority)
        assert step(V2, backup(), advert(priority, address)) == (after, (DOWN,))

    @pytest.mark.parametrize("priority", [1, 99, 100, 255])
    def test_without_preemption_any_priority_but_zero_resets_the_timer(self, priority: int) -> None:
        after = backup(peer=LOWER, peer_priority=priority)
        assert step(PATIENT, backup(), advert(priority, LOWER)) == (after, (DOWN,))

    @pytest.mark.parametrize("priority", [1, 99])
    def test_with_preemption_a_lower_priority_is_discarded_and_the_timer_runs_on(self, priority: int) -> None:
        after, actions = step(V2, backup(), advert(priority))
        assert (after.role, after.armed, actions) == (backup().role, (Timer.DOWN,), ())
        reason = f"priority 100 is above {priority} of {HIGHER}"
        assert step(V2, after, MasterDown()) == (master(reason=reason), (Send(100), Arm(Timer.ADVERT, 1.0)))

    def test_it_sends_nothing_by_itself(self) -> None:
        assert unmoved(V2, backup(), AdvertDue(), Startup(), Startup(resume=True))


class TestMaster:
    """6.4.3"""

    def test_shutdown_cancels_the_timer_and_sends_a_priority_of_zero(self) -> None:
        assert step(V2, master(), Shutdown()) == (stopped(), (Disarm(Timer.ADVERT), Send(0)))

    def test_when_the_timer_fires_it_sends_an_advert_and_sets_it_again(self) -> None:
        assert step(V2, master(), AdvertDue()) == (master(), (Send(100), Arm(Timer.ADVERT, 1.0)))

    @pytest.mark.parametrize("router", [V2, SILENT])
    def test_a_priority_of_zero_is_met_with_an_advert_and_the_timer_begins_anew(self, router: Router) -> None:
        assert step(router, master(), advert(0)) == (master(), (Send(100), Arm(Timer.ADVERT, 1.0), Reclaim(0)))

    @pytest.mark.parametrize("router", [V2, PATIENT])
    def test_a_higher_priority_makes_it_backup_and_nothing_is_sent(self, router: Router) -> None:
        after = backup(peer=LOWER, peer_priority=101, reason=f"priority 101 of {LOWER} is above 100")
        assert step(router, master(), advert(101, LOWER)) == (after, (Disarm(Timer.ADVERT), DOWN))

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ("10.0.0.2", "10.0.0.10"),
            ("10.0.0.2", "10.0.0.3"),
            ("10.0.0.2", "200.0.0.1"),
            ("9.255.255.255", "10.0.0.0"),
        ],
    )
    def test_an_equal_priority_from_a_greater_address_makes_it_backup(self, ours: str, theirs: str) -> None:
        reason = f"priority 100 of {theirs} is equal, and its address is above {ours}"
        after = backup(peer=theirs, peer_priority=100, reason=reason)
        router = Router(address=ours)
        assert step(router, master(), advert(100, theirs)) == (after, (Disarm(Timer.ADVERT), DOWN))

    @pytest.mark.parametrize(("priority", "address"), [(99, HIGHER), (1, LOWER), (100, LOWER), (100, "9.9.9.9")])
    def test_anything_less_is_discarded(self, priority: int, address: str) -> None:
        assert reclaimed(SILENT, master(), advert(priority, address), 3.609375)

    def test_its_own_address_is_nobody_s(self) -> None:
        assert unmoved(SILENT, master(), advert(100, OURS))

    def test_a_master_down_timer_means_nothing_to_it(self) -> None:
        assert unmoved(V2, master(), MasterDown(), Startup())
