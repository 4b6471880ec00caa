"""AH: to the byte, what it covers, what it refuses, and how routers count together."""

import hmac
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.authentication_header import BEGINNING, LATEST, HeaderKey, SealedHeader, first_number
from actors.core.packet import decode_datagram
from actors.core.packet_values import AH_PROTOCOL, Advert, Header, Reason, Reject

SOURCE, PEER, GROUP = "192.0.2.10", "192.0.2.20", "224.0.0.18"
ADVERT = Advert(2, 51, 100, 100, ("192.0.2.1", "192.0.2.2"), ah=True)
KEY = HeaderKey(b"secret")
LONG_AGO = 0.0
NOW = 1_780_000_000.0

# The check value was computed apart from this program, by HMAC of RFC 2104 over the bytes as RFC 2402 3.3.3 lists them.
GOLDEN = (
    "45 c0 00 44 00 01 00 00 ff 33 18 a9 c0 00 02 0a e0 00 00 12 "
    "70 04 00 00 c0 00 02 0a 00 00 00 01 d5 e7 e6 72 c0 6a 0b cc b6 e3 9b 09 "
    "21 33 64 02 02 01 f4 c4 c0 00 02 01 c0 00 02 02 00 00 00 00 00 00 00 00"
)


def router(word: bytes = b"secret", clock: float = LONG_AGO, ttl: int = 255) -> SealedHeader:
    return SealedHeader(HeaderKey(word), ttl, lambda: clock)


def said(by: SealedHeader, destination: str = GROUP, advert: Advert = ADVERT) -> bytes:
    ((there, packet),) = by.write(advert, SOURCE, (destination,))
    assert there == destination
    return packet


def heard(by: SealedHeader, packet: bytes) -> Advert | Reject:
    datagram = decode_datagram(packet, AH_PROTOCOL)
    return datagram if isinstance(datagram, Reject) else by.read(datagram.pdu, datagram.header)


def number(packet: bytes) -> int:
    return int.from_bytes(packet[28:32])


def test_a_datagram_is_these_bytes_and_is_heard() -> None:
    packet = said(router())
    assert packet.hex(" ") == GOLDEN
    assert heard(router(), packet) == ADVERT


def put(at: int, *values: int) -> Callable[[bytes], bytes]:
    def change(packet: bytes) -> bytes:
        return summed(packet[:at] + bytes(values) + packet[at + len(values) :])

    return change


def summed(packet: bytes) -> bytes:
    """With the checksum of what the IPv4 header now says."""
    total = sum(int.from_bytes(packet[at : at + 2]) for at in range(0, 20, 2)) - int.from_bytes(packet[10:12])
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return packet[:10] + (total ^ 0xFFFF).to_bytes(2) + packet[12:]


@pytest.mark.parametrize("destination", [GROUP, PEER])
def test_what_routers_on_the_way_may_change_is_not_covered_and_all_else_is(destination: str) -> None:
    """The TTL of multicast is, as keepalived does it."""
    packet = said(router(), destination)
    free = {1, 10, 11} | ({8} if destination == PEER else set())
    # Other values here are no longer IPv4 without options, a fragment, or a packet of another length or protocol.
    shape = {0, 2, 3, 6, 7, 9}
    for at in set(range(len(packet))) - shape - {10, 11}:
        change = put(at, packet[at] ^ 1)
        is_heard = heard(router(), change(packet)) == ADVERT
        assert is_heard == (at in free), at


REFUSED = [
    (lambda p: summed(p[:2] + (24).to_bytes(2) + p[4:24]), Reason.AH_MALFORMED, "70 04 00 00"),
    (put(20, 6), Reason.AH_MALFORMED, "06 04 00 00"),
    (put(21, 5), Reason.AH_MALFORMED, "70 05 00 00"),
    (put(22, 1), Reason.AH_MALFORMED, "70 04 01 00"),
    (put(24, 192, 0, 2, 11), Reason.AH_SENDER, "c0.00.02.0b"),
    (put(12, 192, 0, 2, 11), Reason.AH_SENDER, "c0.00.02.0a"),
    (put(32, 0), Reason.AH_VALUE, ""),
    (put(43, 0), Reason.AH_VALUE, ""),
    (put(46, 200), Reason.AH_VALUE, ""),
    (put(31, 2), Reason.AH_VALUE, ""),
]


@pytest.mark.parametrize(("change", "reason", "detail"), REFUSED)
def test_a_forged_datagram_is_refused_for_its_own_reason_and_is_not_remembered(
    change: Callable[[bytes], bytes], reason: Reason, detail: str
) -> None:
    packet, listener = said(router()), router()
    assert heard(listener, change(packet)) == Reject(reason, detail)
    assert heard(listener, packet) == ADVERT


def test_another_word_is_not_ours_and_zeros_after_it_are_none() -> None:
    assert heard(router(b"secrets"), said(router())) == Reject(Reason.AH_VALUE)
    assert heard(router(b"secret\0\0"), said(router())) == ADVERT


def test_nothing_is_heard_twice_nor_after_what_came_later() -> None:
    sender, listener = router(), router()
    first, second = said(sender), said(sender)
    assert heard(listener, second) == ADVERT
    assert heard(listener, second) == Reject(Reason.AH_REPLAY, "number 2, 2 was before")
    assert heard(listener, first) == Reject(Reason.AH_REPLAY, "number 1, 2 was before")


def test_routers_continue_from_the_highest_that_was_seen_or_sent() -> None:
    one, other = router(), router()
    for _ in range(5):
        said(one)
    assert heard(other, said(one)) == ADVERT
    assert number(said(other)) == 7
    assert number(said(other)) == 8
    assert heard(other, said(one)) == Reject(Reason.AH_REPLAY, "number 7, 8 was before")


def test_a_right_value_on_a_message_that_is_none_counts_as_seen() -> None:
    """Whoever sent it knows the word: its number is used."""
    packet, listener = said(router()), router()
    start, message = packet[:32], packet[44:46] + bytes(22)
    fixed = packet[:1] + b"\0" + packet[2:10] + b"\0\0" + packet[12:20]
    value = hmac.digest(b"secret", fixed + start[20:] + bytes(12) + message, "md5")[:12]
    assert heard(listener, start + value + message) == Reject(Reason.LENGTH, "24 bytes, 0 addresses need 16")
    assert heard(listener, packet) == Reject(Reason.AH_REPLAY, "number 1, 1 was before")


def test_all_peers_are_told_the_same_number_in_packets_of_their_own() -> None:
    pairs = router(ttl=64).write(ADVERT, SOURCE, (PEER, "192.0.2.21"))
    assert [there for there, _ in pairs] == [PEER, "192.0.2.21"]
    assert [(number(packet), packet[8]) for _, packet in pairs] == [(1, 64), (1, 64)]
    assert [heard(router(), packet) for _, packet in pairs] == [ADVERT, ADVERT]


def test_one_that_begins_anew_is_heard_by_those_who_have_heard_it_before() -> None:
    """Also when it has heard nobody since, as after a crash of which nobody else knows."""
    listener, before = router(clock=NOW), router(clock=NOW)
    for _ in range(100):
        assert heard(listener, said(before)) == ADVERT
    assert heard(listener, said(router(clock=NOW + 51))) == ADVERT


def test_one_that_begins_hears_a_group_whose_numbers_are_small_and_lifts_them() -> None:
    old, new = router(), router(clock=NOW)
    assert heard(new, said(old)) == ADVERT
    assert heard(old, said(new)) == ADVERT
    assert heard(new, said(old)) == ADVERT


@pytest.mark.parametrize(
    ("seconds", "first"),
    [(0.0, 0), (-1e9, 0), (BEGINNING, 0), (BEGINNING + 0.5, 1), (NOW, 404_326_400), (1e18, LATEST)],
)
def test_the_first_number_follows_the_clock_as_far_as_a_clock_can_be_believed(seconds: float, first: int) -> None:
    assert first_number(seconds) == first


def test_the_word_is_in_no_repr() -> None:
    assert "secret" not in repr((KEY, msgspec.structs.replace(ADVERT, ah=False, auth=b"secret")))


@given(payload=st.binary(max_size=80), raw=st.binary(max_size=60), ttl=st.none() | st.integers(0, 255))
def test_any_bytes_are_an_advert_or_a_reason(payload: bytes, raw: bytes, ttl: int | None) -> None:
    assert isinstance(router().read(payload, Header(SOURCE, GROUP, ttl, raw)), Reject)


@given(tail=st.binary(max_size=60), last=st.integers(0, 0xFFFFFFFF))
def test_any_bytes_behind_a_good_beginning_are_a_reason(tail: bytes, last: int) -> None:
    start = bytes.fromhex("70040000c000020a") + last.to_bytes(4)
    assert isinstance(router().read(start + tail, Header(SOURCE, PEER, 255, bytes(20))), Reject)
