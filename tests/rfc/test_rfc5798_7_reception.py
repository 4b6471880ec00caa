"""RFC 5798 7.1 and RFC 9568 7.1 with its errata: adverts of version 3 that do not count, and those that do."""

import pytest
from msgspec.structs import replace

from actors.core.vrrp import step
from actors.core.vrrp_election import refusal
from actors.core.vrrp_values import Arm, Disarm, Router, Timer
from tests.rfc.house import HIGHER, LOWER, OURS, V3, advert, backup, master, unmoved

OWNER = Router(address=OURS, version=3, priority=255)


@pytest.mark.parametrize("priority", [0, 100, 255])
def test_an_interval_of_zero_is_discarded(priority: int) -> None:
    """RFC 9568 erratum 8301: a master would yield to it, and be back at once."""
    assert unmoved(V3, backup(), advert(priority, interval=0))
    assert unmoved(V3, master(), advert(priority, interval=0))
    assert refusal(V3, advert(priority, interval=0)) == "its interval is 0"


def test_another_interval_than_ours_is_accepted() -> None:
    assert refusal(V3, advert(100, interval=4095)) == ""


@pytest.mark.parametrize("priority", [0, 254, 255])
def test_an_owner_that_keeps_to_the_letter_discards_all_adverts(priority: int) -> None:
    """RFC 5798 7.1."""
    assert unmoved(replace(OWNER, owner_ignore_adverts=True), master(255), advert(priority))


@pytest.mark.parametrize("priority", [1, 254])
def test_no_priority_below_255_moves_an_owner(priority: int) -> None:
    after, _ = step(OWNER, master(255), advert(priority))
    assert after == master(255)


def test_of_two_owners_the_one_with_the_lower_address_yields() -> None:
    """RFC 9568 erratum 8298 lets the advert count, and 6.4.3 decides; keepalived does the same."""
    reason = f"priority 255 of {HIGHER} is equal, and its address is above {OURS}"
    after = backup(255, peer=HIGHER, peer_priority=255, reason=reason)
    assert step(OWNER, master(255), advert(255, HIGHER)) == (after, (Disarm(Timer.ADVERT), Arm(Timer.DOWN, 3.00390625)))
    assert step(OWNER, master(255), advert(255, LOWER))[0] == master(255)


@pytest.mark.parametrize(("own", "carried"), [(1, 1), (10, 10), (4095, 4095), (5000, 4095), (0, 1)])
def test_the_interval_is_carried_in_centiseconds(own: int, carried: int) -> None:
    """RFC 5798 7.2 and 5.2.7."""
    assert replace(V3, interval=own).announced == carried
