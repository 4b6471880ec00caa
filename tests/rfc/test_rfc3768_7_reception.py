"""RFC 3768 7.1: adverts of version 2 that must be discarded although they are well formed. 7.2: what is sent."""

import pytest
from msgspec.structs import replace

from actors.core.vrrp import step
from actors.core.vrrp_election import refusal
from actors.core.vrrp_values import Arm, Router, Timer
from tests.rfc.house import HIGHER, OURS, V2, advert, backup, master, unmoved

OWNER = Router(address=OURS, priority=255, owner_ignore_adverts=True)


@pytest.mark.parametrize("interval", [0, 1, 99, 101, 200, 25500])
@pytest.mark.parametrize("priority", [0, 100, 255])
def test_an_interval_that_is_not_ours_is_discarded(interval: int, priority: int) -> None:
    heard = advert(priority, HIGHER, interval)
    assert unmoved(V2, backup(), heard)
    assert unmoved(V2, master(), heard)
    assert refusal(V2, heard) == f"its interval of {interval / 100:g} s is not ours of 1 s"


@pytest.mark.parametrize(("ours", "carried"), [(10, 100), (50, 100), (149, 100), (150, 200), (99900, 25500)])
def test_the_interval_is_carried_in_whole_seconds_and_compared_so(ours: int, carried: int) -> None:
    router = replace(V2, interval=ours)
    assert router.announced == carried
    assert refusal(router, advert(200, HIGHER, carried)) == ""
    after = backup(interval=ours, peer=HIGHER, peer_priority=200)
    down = 3 * ours / 100 + 0.609375
    assert step(router, backup(interval=ours), advert(200, HIGHER, carried)) == (after, (Arm(Timer.DOWN, down),))


@pytest.mark.parametrize("priority", [0, 100, 255])
def test_an_owner_that_keeps_to_the_letter_discards_all_adverts(priority: int) -> None:
    assert unmoved(OWNER, master(255), advert(priority))
    assert refusal(OWNER, advert(priority)) == "an owner of the addresses listens to nobody"


def test_what_comes_from_our_own_address_is_discarded() -> None:
    assert unmoved(V2, master(), advert(200, OURS), advert(0, OURS))
    assert unmoved(V2, backup(), advert(200, OURS), advert(0, OURS))
    assert refusal(V2, advert(200, OURS)) == "it comes from our own address"
