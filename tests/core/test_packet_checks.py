"""What a receiver makes of a well-formed advert: each check alone, their order, and what is only remarked on."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest

from actors.core.packet_checks import CHECKS, Expected, Peer, remarks, validate
from actors.core.packet_values import Advert, Header, Oddity, Reason, Reject, Remark

GROUP, GROUP6 = "224.0.0.18", "ff02::12"
TWO = ("192.0.2.1", "192.0.2.2")
LISTED6 = ("fe80::1", "2001:db8::1")

V2 = Advert(2, 51, 100, 100, TWO)
V3 = Advert(3, 51, 100, 100, TWO)
V6 = Advert(3, 51, 100, 100, LISTED6, family=6)
HEADER, HEADER6 = Header("192.0.2.10", GROUP, 255), Header("fe80::a", GROUP6, 255)
WANTED2, WANTED3 = Expected(2, 51, 100, TWO, GROUP), Expected(3, 51, 100, TWO, GROUP)
WANTED6 = Expected(3, 51, 100, LISTED6, GROUP6, family=6)
UNICAST = msgspec.structs.replace(WANTED3, group="")
OWN = Header("192.0.2.10", "192.0.2.20", 64)

change = msgspec.structs.replace


@pytest.mark.parametrize(
    ("advert", "header", "expected"),
    [
        (V2, HEADER, WANTED2),
        (V3, HEADER, WANTED3),
        (V6, HEADER6, WANTED6),
        (V3, OWN, UNICAST),
        (V3, change(OWN, source="223.255.255.255"), UNICAST),
        (V3, change(OWN, source="240.0.0.1"), UNICAST),
        (change(V2, auth=b"secret"), HEADER, change(WANTED2, auth=b"secret")),
        (change(V2, auth=b"secret"), HEADER, change(WANTED2, auth=b"secret\0\0")),
        (change(V3, priority=0), HEADER, WANTED3),
        (change(V3, priority=255), HEADER, WANTED3),
        (V6, HEADER6, change(WANTED6, link_local_first=True, own="fe80::b")),
        (V3, HEADER, change(WANTED3, link_local_first=True)),
        (V3, Header("192.0.2.10", "239.1.1.1", 255), change(WANTED3, group="239.1.1.1")),
        (V6, HEADER6, change(WANTED6, group="ff02:0::12")),
    ],
)
def test_an_advert_as_configured_is_heard(advert: Advert, header: Header, expected: Expected) -> None:
    assert (validate(advert, header, expected), remarks(advert, expected)) == (None, ())


MISFITS = [
    (change(V3, vrid=52), HEADER, WANTED3, Reason.VRID, "vrid 52 over IPv4, 51 configured"),
    (change(V3, vrid=52, priority=0), HEADER, WANTED3, Reason.VRID, "vrid 52 over IPv4, 51 configured"),
    (V6, HEADER6, WANTED3, Reason.VRID, "vrid 51 over IPv6, 51 configured"),
    (V3, change(HEADER, ttl=254), WANTED3, Reason.TTL, "254"),
    (V3, change(HEADER, ttl=1), WANTED3, Reason.TTL, "1"),
    (V6, change(HEADER6, ttl=None), WANTED6, Reason.TTL, "unknown"),
    (V2, HEADER, WANTED3, Reason.VERSION, "version 2, 3 configured"),
    (V3, HEADER, WANTED2, Reason.VERSION, "version 3, 2 configured"),
    (V2, HEADER, change(WANTED2, auth=b"secret"), Reason.AUTH_TYPE, "type 0, 1 configured"),
    (change(V2, auth=b"secret"), HEADER, WANTED2, Reason.AUTH_TYPE, "type 1, 0 configured"),
    (change(V2, auth=b"\0"), HEADER, WANTED2, Reason.AUTH_TYPE, "type 1, 0 configured"),
    (change(V2, ah=True), HEADER, WANTED2, Reason.AUTH_TYPE, "type 2, 0 configured"),
    (change(V2, ah=True), HEADER, change(WANTED2, auth=b"secret"), Reason.AUTH_TYPE, "type 2, 1 configured"),
    (V2, HEADER, change(WANTED2, ah=True), Reason.AUTH_TYPE, "type 0, 2 configured"),
    (change(V2, auth=b"secre"), HEADER, change(WANTED2, auth=b"secret"), Reason.AUTH_WORD, ""),
    (change(V2, auth=b"secrets"), HEADER, change(WANTED2, auth=b"secret"), Reason.AUTH_WORD, ""),
    (change(V2, auth=b"\0"), HEADER, change(WANTED2, auth=b"secret"), Reason.AUTH_WORD, ""),
    (change(V2, interval_cs=200), HEADER, WANTED2, Reason.INTERVAL, "200 cs, 100 cs configured"),
    (V3, change(HEADER, destination="192.0.2.20"), WANTED3, Reason.DESTINATION, f"192.0.2.20, {GROUP} configured"),
    (V3, change(HEADER, destination="224.0.0.1"), WANTED3, Reason.DESTINATION, f"224.0.0.1, {GROUP} configured"),
    (V6, change(HEADER6, destination="ff02::1"), WANTED6, Reason.DESTINATION, f"ff02::1, {GROUP6} configured"),
    (V3, HEADER, UNICAST, Reason.DESTINATION, f"{GROUP}, unicast configured"),
    (V6, HEADER6, change(WANTED6, group=""), Reason.DESTINATION, f"{GROUP6}, unicast configured"),
    (V3, HEADER, change(WANTED3, own="192.0.2.10"), Reason.OWN, "192.0.2.10"),
    (V6, HEADER6, change(WANTED6, own="fe80:0::a"), Reason.OWN, "fe80::a"),
    (V3, HEADER, change(WANTED3, owner_ignores=True), Reason.OWNER, "priority 100"),
    (change(V3, priority=255), HEADER, change(WANTED3, owner_ignores=True), Reason.OWNER, "priority 255"),
    (V3, change(HEADER, source="224.0.0.5"), WANTED3, Reason.SOURCE, "224.0.0.5"),
    (V3, change(HEADER, source="239.0.0.5"), WANTED3, Reason.SOURCE, "239.0.0.5"),
    (V6, change(HEADER6, source="ff02::5"), WANTED6, Reason.SOURCE, "ff02::5"),
    (V3, OWN, change(UNICAST, peers=(Peer("192.0.2.11"),)), Reason.SOURCE, "192.0.2.10"),
]


@pytest.mark.parametrize(("advert", "header", "expected", "reason", "detail"), MISFITS)
def test_an_advert_that_does_not_fit_is_refused_for_its_own_reason(
    advert: Advert, header: Header, expected: Expected, reason: Reason, detail: str
) -> None:
    assert validate(advert, header, expected) == Reject(reason, detail)


OTHERS = [
    (("192.0.2.1",), "192.0.2.1, 192.0.2.1 192.0.2.2 configured"),
    (("192.0.2.1", "192.0.2.3"), "192.0.2.1 192.0.2.3, 192.0.2.1 192.0.2.2 configured"),
    (("192.0.2.1", "192.0.2.1"), "192.0.2.1 192.0.2.1, 192.0.2.1 192.0.2.2 configured"),
    ((*TWO, "192.0.2.3"), "192.0.2.1 192.0.2.2 192.0.2.3, 192.0.2.1 192.0.2.2 configured"),
    ((), "no address, 192.0.2.1 192.0.2.2 configured"),
]


@pytest.mark.parametrize(("addresses", "detail"), OTHERS)
def test_other_addresses_are_heard_and_remarked_on_unless_that_is_not_wanted(
    addresses: tuple[str, ...], detail: str
) -> None:
    advert, silent = change(V2, addresses=addresses), change(WANTED2, any_addresses=True)
    assert validate(advert, HEADER, WANTED2) is None
    assert remarks(advert, WANTED2) == (Remark(Oddity.ADDRESSES, detail),)
    assert (validate(advert, HEADER, silent), remarks(advert, silent)) == (None, ())


def test_the_order_and_the_spelling_of_addresses_do_not_matter() -> None:
    expected = change(WANTED6, addresses=("2001:0DB8::0:1", "fe80:0::1"))
    assert (validate(V6, HEADER6, expected), remarks(V6, expected)) == (None, ())


@pytest.mark.parametrize(("priority", "remarked"), [(0, False), (254, False), (255, True)])
def test_an_owner_remarks_on_another_owner(priority: int, remarked: bool) -> None:
    advert, owner = change(V3, priority=priority), change(WANTED3, owns=True)
    assert validate(advert, HEADER, owner) is None
    assert remarks(advert, WANTED3) == ()
    assert remarks(advert, owner) == ((Remark(Oddity.OWNER, "two routers have priority 255"),) if remarked else ())


def test_another_interval_is_heard_and_remarked_on_in_version_3() -> None:
    slower = change(V3, interval_cs=4095)
    assert validate(slower, HEADER, WANTED3) is None
    assert remarks(slower, WANTED3) == (Remark(Oddity.INTERVAL, "4095 cs, 100 cs configured"),)


@pytest.mark.parametrize(
    ("first", "refused"), [("fe80::1", False), ("febf::1", False), ("fec0::1", True), ("2001:db8::1", True)]
)
def test_the_first_ipv6_address_must_be_link_local_only_on_request(first: str, refused: bool) -> None:
    advert, strict = change(V6, addresses=(first, "2001:db8::2")), change(WANTED6, link_local_first=True)
    assert validate(advert, HEADER6, WANTED6) is None
    assert validate(advert, HEADER6, strict) == (Reject(Reason.LINK_LOCAL, first) if refused else None)


@pytest.mark.parametrize("ttl", [None, 0, 1, 64, 255])
def test_unicast_adverts_may_have_passed_routers(ttl: int | None) -> None:
    known = change(UNICAST, peers=(Peer("192.0.2.11"), Peer("192.0.2.10")))
    assert validate(V3, change(OWN, ttl=ttl), UNICAST) is None
    assert validate(V3, change(OWN, ttl=ttl), known) is None


@pytest.mark.parametrize(("ttl", "detail"), [(62, "62"), (66, "66"), (None, "unknown")])
def test_a_peer_is_held_to_its_range_of_ttl(ttl: int | None, detail: str) -> None:
    near = change(UNICAST, peers=(Peer("192.0.2.10", 63, 65), Peer("192.0.2.11", 1, 254)))
    refused = Reject(Reason.TTL_RANGE, f"{detail}, 63 to 65 configured")
    assert validate(V3, change(OWN, ttl=ttl), near) == refused
    assert [validate(V3, change(OWN, ttl=good), near) for good in (63, 64, 65)] == [None, None, None]
    assert validate(V3, change(OWN, source="192.0.2.11", ttl=62), near) is None


def test_peers_mean_nothing_in_multicast_mode() -> None:
    assert validate(V3, HEADER, change(WANTED3, peers=(Peer("192.0.2.11", 1, 2),))) is None


STEPS: list[tuple[Reason, dict[str, object], dict[str, object], dict[str, object]]] = [
    (Reason.VRID, {"vrid": 51}, {}, {}),
    (Reason.TTL, {}, {"ttl": 255}, {}),
    (Reason.VERSION, {}, {}, {"version": 2}),
    (Reason.AUTH_TYPE, {"auth": b"public"}, {}, {}),
    (Reason.AUTH_WORD, {"auth": b"secret"}, {}, {}),
    (Reason.INTERVAL, {"interval_cs": 100}, {}, {}),
    (Reason.DESTINATION, {}, {"destination": GROUP}, {}),
    (Reason.OWN, {}, {}, {"own": "192.0.2.20"}),
    (Reason.OWNER, {}, {}, {"owner_ignores": False}),
    (Reason.SOURCE, {}, {"source": "192.0.2.10"}, {}),
]
"""Each fault, and what puts it right in the advert, in the header, in what is expected."""


def test_the_first_fault_in_keepalived_s_order_is_named() -> None:
    advert, header = Advert(2, 52, 100, 300, ()), Header("224.0.0.5", "192.0.2.20", 1)
    expected = Expected(3, 51, 100, TWO, GROUP, b"secret", own="224.0.0.5", owner_ignores=True)
    seen = []
    for _, better_advert, better_header, better_expected in STEPS:
        seen.append(getattr(validate(advert, header, expected), "reason", None))
        advert, header = change(advert, **better_advert), change(header, **better_header)
        expected = change(expected, **better_expected)
    assert seen == [reason for reason, *_ in STEPS]
    assert validate(advert, header, expected) is None


def test_reasons_stand_in_the_order_of_the_checks() -> None:
    order = list(Reason)
    assert all(order.index(one[0]) < order.index(other[0]) for one, other in pairwise(STEPS))


def test_every_check_is_shown_to_matter() -> None:
    """A check that is taken away lets a misfit of this file pass or blames another."""
    shown: list[Any] = [*MISFITS]
    shown.append((change(V6, addresses=("2001:db8::1",)), HEADER6, change(WANTED6, link_local_first=True), 0, 0))
    shown.append((V3, OWN, change(UNICAST, peers=(Peer("192.0.2.10", 1, 2),)), 0, 0))
    silent = {check.__name__ for check in CHECKS if not any(check(*facts[:3]) for facts in shown)}
    assert silent == set()
