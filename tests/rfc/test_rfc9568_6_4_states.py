"""RFC 9568 6.4: where it says more than RFC 5798. Its Active router is our MASTER."""

import pytest
from msgspec.structs import replace

from actors.core.vrrp import step
from actors.core.vrrp_values import Event, Reclaim, Role, Send
from tests.rfc.house import HIGHER, LOWER, OURS, V2, V3, advert, backup, first, master, unmoved


@pytest.mark.parametrize(("priority", "address"), [(99, HIGHER), (1, LOWER), (100, LOWER)])
def test_a_master_meets_a_lower_priority_or_address_with_one_advert_and_its_timer_runs_on(
    priority: int, address: str
) -> None:
    """6.4.3: to assert itself, and to teach the bridges the way."""
    for router in (V2, V3):
        assert step(router, master(), advert(priority, address)) == (master(), (Send(100), Reclaim(3.609375)))


def test_a_backup_meets_a_lower_priority_with_silence() -> None:
    """6.4.2"""
    assert step(V3, backup(), advert(99))[1] == ()


def test_addresses_are_compared_as_unsigned_numbers_in_network_byte_order() -> None:
    """6.4.3"""
    moved = {}
    for ours, theirs in [("9.0.0.1", "10.0.0.1"), ("10.0.0.1", "200.0.0.1"), ("1.0.0.2", "2.0.0.1")]:
        router = replace(V3, address=ours)
        moved[ours, theirs] = step(router, master(), advert(100, theirs))[0].role
        moved[theirs, ours] = step(replace(V3, address=theirs), master(), advert(100, ours))[0].role
    assert list(moved.values()) == [Role.BACKUP, Role.MASTER] * 3


def test_before_it_starts_a_router_neither_sends_nor_listens() -> None:
    """6.4.1"""
    events: list[Event] = [advert(priority) for priority in (0, 100, 255)]
    assert all(first(V3, event)[1] == () for event in events)
    assert unmoved(V3, first(V3, advert(1, OURS))[0], *events)
