"""What a router makes of what it receives and of where it sends from: counted, told once in a while, never believed."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from actors.core.packet import encode_advert
from actors.core.packet_values import Advert
from actors.planes.network import LinkEvent, Received
from tests.actors.test_vrrp import GROUP, VIP, Lan

GOOD = Advert(2, 51, 200, 100, (VIP,))


def forged(advert: Advert = GOOD, source: str = "10.0.0.2", destination: str = GROUP, ttl: int = 255) -> Received:
    return Received(encode_advert(advert, source, destination), source, destination, ttl)


def hear(lan: Lan, *received: Received) -> None:
    for each in received:
        assert lan.wire.heard is not None
        lan.wire.heard(each)
    lan.world.settle()


def counts(lan: Lan) -> Counter[str]:
    found = lan.world.actor("vrrp/VI_1").counts
    return Counter({reason: count for reason, count in found.items() if reason != "sent"})


ANYTHING = Lan()
"""A router for examples that leave it as it was."""


FORGED = [
    (forged(ttl=254), "the TTL or hop limit is not 255"),
    (forged(destination="10.0.0.1"), "sent to another destination"),
    (forged(source="10.0.0.1"), "sent from our own address"),
    (forged(Advert(2, 51, 200, 200, (VIP,))), "another advertisement interval"),
    (forged(Advert(2, 51, 200, 100, (VIP,), b"secret")), "another authentication type"),
    (forged(Advert(3, 51, 200, 100, (VIP,))), "another VRRP version"),
    (Received(b"", "10.0.0.2", GROUP, 255), "the length does not fit the content"),
    (Received(bytes([0x11]) + forged().pdu[1:], "10.0.0.2", GROUP, 255), "another VRRP version"),
    (Received(forged().pdu[:-1] + b"\1", "10.0.0.2", GROUP, 255), "wrong checksum"),
]


@pytest.mark.parametrize(("received", "reason"), FORGED)
@pytest.mark.parametrize("seconds", [1.0, 4.0], ids=["BACKUP", "MASTER"])
def test_a_forged_packet_leaves_role_and_timers_as_they_were_and_is_counted_by_its_reason(
    received: Received, reason: str, seconds: float
) -> None:
    """The same world without it is the measure."""
    lans = Lan(), Lan()
    for lan in lans:
        lan.world.advance(seconds)
    hear(lans[0], received)
    lives = []
    for lan in lans:
        lan.world.advance(2.8)
        lives.append((lan.role, lan.reason, len(lan.wire.sent), lan.addresses.held))
    assert lives[0] == lives[1]
    assert counts(lans[0]) == {reason: 1}
    assert f"  {reason}: 1" in lans[0].world.actor("vrrp/VI_1").explain()


@given(
    pdu=st.binary(max_size=64),
    start=st.sampled_from((b"", b"\x21\x33", b"\x31\x33")),
    ttl=st.sampled_from((None, 1, 255)),
    destination=st.sampled_from((GROUP, "10.0.0.1", "ff02::12")),
)
def test_any_bytes_are_discarded_for_one_reason_or_heard(
    pdu: bytes, start: bytes, ttl: int | None, destination: str
) -> None:
    hear(ANYTHING, Received(start + pdu, "10.0.0.2", destination, ttl))
    found = counts(ANYTHING)
    assert found.total() == 1
    ANYTHING.world.actor("vrrp/VI_1").counts.clear()


def test_an_advert_with_other_addresses_is_heard_and_remarked_on() -> None:
    lan = Lan()
    lan.world.advance(4.0)
    hear(lan, forged(Advert(2, 51, 200, 100, ("10.0.0.99",))))
    assert (lan.role, counts(lan)) == ("BACKUP", {"heard": 1, "heard with other addresses": 1})


def test_an_advert_as_the_one_before_it_is_heard_until_what_it_is_held_against_is_another() -> None:
    lan = Lan()
    hear(lan, forged(), forged(), forged(ttl=254), forged())
    assert counts(lan) == {"heard": 3, "the TTL or hop limit is not 255": 1}
    lan.links.become(LinkEvent("eth0", True, UP.mac, ("10.0.0.2",)))
    lan.world.advance(0)
    hear(lan, forged())
    assert counts(lan) == {"heard": 3, "the TTL or hop limit is not 255": 1, "sent from our own address": 1}


def test_an_odd_advert_is_remarked_on_each_time() -> None:
    lan = Lan()
    lan.world.advance(4.0)
    hear(lan, *[forged(Advert(2, 51, 200, 100, ("10.0.0.99",)))] * 3)
    assert counts(lan) == {"heard": 3, "heard with other addresses": 3}


def test_with_another_address_adverts_are_summed_anew() -> None:
    lan = Lan(version=3)
    lan.world.advance(4.0)
    lan.links.become(LinkEvent("eth0", True, UP.mac, ("10.0.0.5",)))
    lan.world.advance(2.0)  # the wire takes no advert whose checksum is not of its source
    assert {advert.priority for advert in lan.wire.sent} == {100}


def warned(lines: list[Any]) -> list[tuple[str, ...]]:
    """The warnings among log lines: what, why, of whom, and how many were held back."""
    told = ("event", "reason", "detail", "peer", "more_like_it")
    return [tuple(line[name] for name in told) for line in lines if line["log_level"] == "warning"]


def test_a_flood_of_bad_packets_is_one_line_a_minute_for_each_reason() -> None:
    lan = Lan()
    with capture_logs() as lines:
        hear(lan, *([forged(ttl=254)] * 5000), *([forged(source="10.0.0.1")] * 5000))
        lan.world.advance(60.0)
        hear(lan, forged(ttl=254))
    assert warned(lines) == [
        ("advert discarded", "the TTL or hop limit is not 255", "254", "10.0.0.2", 0),
        ("advert discarded", "sent from our own address", "10.0.0.1", "10.0.0.1", 0),
        ("advert discarded", "the TTL or hop limit is not 255", "254", "10.0.0.2", 4999),
    ]


def test_an_operator_sees_what_was_read_for_no_router() -> None:
    lines = Lan().world.actor("vrrp/VI_1").explain()
    assert lines[-2:] == ["read on eth0 for no router:", "  unknown virtual router id: 7"]


UP = LinkEvent("eth0", True, "02:00:00:00:00:01", ("10.0.0.1",))


@pytest.mark.parametrize(
    "addresses", [(VIP, "10.0.0.1"), ("10.0.0.1", "10.0.0.3", "10.0.0.200"), (VIP, "fe80::1", "10.0.0.1", "10.0.0.0")]
)
def test_adverts_come_from_the_first_address_that_is_not_virtual(addresses: tuple[str, ...]) -> None:
    lan = Lan()
    lan.links.become(LinkEvent("eth0", True, UP.mac, addresses))
    lan.world.advance(0)
    assert lan.wire.source == "10.0.0.1"


@pytest.mark.parametrize("addresses", [(), (VIP,), ("fe80::1",)])
def test_without_an_address_of_its_own_it_is_silent_and_begins_when_one_comes(addresses: tuple[str, ...]) -> None:
    lan = Lan()
    lan.links.become(LinkEvent("eth0", True, UP.mac, addresses))
    lan.world.advance(0)
    assert (lan.role, lan.reason, lan.wire.heard, lan.wire.sent) == ("FAULT", "no source address", None, [])
    lan.world.advance(10.0)
    lan.links.become(UP)
    lan.world.advance(0)
    assert (lan.role, lan.wire.sent) == ("BACKUP", [])
    lan.world.advance(3.62)
    assert (lan.role, len(lan.wire.sent)) == ("MASTER", 1)


def test_a_configured_source_is_sent_from_and_compared_with() -> None:
    lan = Lan(source="10.0.0.7")
    lan.world.advance(4.0)
    assert lan.wire.source == "10.0.0.7"
    hear(lan, forged(Advert(2, 51, 100, 100, (VIP,)), "10.0.0.6"))
    assert lan.role == "MASTER"
    hear(lan, forged(Advert(2, 51, 100, 100, (VIP,)), "10.0.0.8"))
    assert lan.role == "BACKUP"


def test_who_cannot_be_reached_costs_nobody_else_an_advert_and_is_told_of_once() -> None:
    lan = Lan(destinations=("10.0.0.7", "10.0.0.8", "10.0.0.9"))
    lan.wire.unreachable = {"10.0.0.8"}
    with capture_logs() as lines:
        lan.world.advance(5.0)
    assert lan.world.actor("vrrp/VI_1").counts == {"sent": 4, "not sent to 10.0.0.8": 2}
    error = "sending to 10.0.0.8 on eth0: no"
    assert warned(lines) == [("advert not sent", "not sent to 10.0.0.8", error, "10.0.0.8", 0)]


def test_an_owner_sends_from_the_address_that_it_owns() -> None:
    lan = Lan(priority=255)
    lan.links.become(LinkEvent("eth0", True, UP.mac, (VIP,)))
    lan.world.advance(0)
    assert (lan.role, lan.wire.source) == ("MASTER", VIP)


def test_a_link_that_is_down_at_the_start_is_a_fault_and_its_coming_is_a_start() -> None:
    lan = Lan()
    lan.links.become(LinkEvent("eth0", False))
    lan.world.advance(0)
    assert (lan.role, lan.wire.sent) == ("FAULT", [])
    lan.links.become(UP)
    lan.world.advance(3.60)
    assert (lan.role, lan.wire.sent) == ("BACKUP", [])
    lan.world.advance(0.02)
    assert (lan.role, len(lan.wire.sent)) == ("MASTER", 1)
