"""The signed trailer: to the byte, what it covers, each reason to refuse it, modes, clocks."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.authentication import Seal, Unsealed
from actors.core.authentication_trailer import TRAILER_BYTES, Mode, SealedTrailer, TrailerKeys
from actors.core.packet import encode_advert
from actors.core.packet_values import Advert, Header, Oddity, Reason, Reject, Remark
from tests.packets import checksum, number

SOURCE, PEER, GROUP = "192.0.2.10", "192.0.2.20", "224.0.0.18"
SOURCE6, GROUP6 = "fe80::a", "ff02::12"
V2 = Advert(2, 51, 100, 100, ("192.0.2.1", "192.0.2.2"))
V3 = Advert(3, 51, 100, 100, ("192.0.2.1", "192.0.2.2"))
V6 = Advert(3, 51, 100, 100, ("fe80::1", "2001:db8::1"), family=6)
ONE, TWO = bytes(range(32)), b"k" * 64
NOW = 1_780_000_000.0
WINDOW = 6


class Clock:
    """Stands where a test puts it."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def router(clock: Clock | None = None, family: int = 4, peers: tuple[str, ...] = (), **how: Any) -> SealedTrailer:
    keys = TrailerKeys(**{"keys": ((1, ONE), (2, TWO)), "active": 1, "window": WINDOW} | how)
    return SealedTrailer(keys, peers, clock or Clock(), family)


def ends(family: int) -> tuple[str, str]:
    return (SOURCE, GROUP) if family == 4 else (SOURCE6, GROUP6)


def said(by: Seal, advert: Advert = V3, destination: str = "") -> bytes:
    source, group = ends(advert.family)
    ((_, packet),) = by.write(advert, source, (destination or group,))
    return packet


def heard(by: Seal, packet: bytes, family: int = 4, source: str = "", destination: str = "") -> Advert | Reject:
    usual = ends(family)
    return by.read(packet, Header(source or usual[0], destination or usual[1], 255))


def hmac_sha256(key: bytes, text: bytes) -> bytes:
    """RFC 2104 2, apart from Python's own."""
    pads = [bytes(byte ^ pad for byte in key.ljust(64, b"\0")) for pad in (0x36, 0x5C)]
    return hashlib.sha256(pads[1] + hashlib.sha256(pads[0] + text).digest()).digest()


@pytest.mark.parametrize(("advert", "first"), [(V2, "04 02 33 00"), (V3, "04 03 33 00"), (V6, "06 03 33 00")])
def test_a_packet_is_the_message_and_28_bytes_of_which_16_are_the_tag(advert: Advert, first: str) -> None:
    source, group = ends(advert.family)
    packet = said(router(family=advert.family), advert)
    message = encode_advert(advert, source, group)
    start = bytes.fromhex("01 01 00 00 6a 18 a5 00 00 00 00 00")
    pseudo_header = bytes.fromhex(first) + number(source).ljust(16, b"\0")
    text = pseudo_header + message[:6] + b"\0\0" + message[8:] + start + bytes(16)
    signed = start + hmac_sha256(ONE, text)[:16]
    if advert.family == 6:
        whole = number(source) + number(group) + (len(message) + 28).to_bytes(4) + (112).to_bytes(4)
        message = message[:6] + b"\0\0" + message[8:]
        message = message[:6] + checksum(whole + message + signed).to_bytes(2) + message[8:]
    assert packet.hex(" ") == (message + signed).hex(" ")
    assert heard(router(family=advert.family), packet, advert.family) == advert


@pytest.mark.parametrize("advert", [V2, V3, V6])
def test_every_bit_is_covered_by_tag_or_checksum(advert: Advert) -> None:
    packet = said(router(family=advert.family), advert)
    for at in range(len(packet)):
        forged = packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1 :]
        assert isinstance(heard(router(family=advert.family), forged, advert.family), Reject), at


def test_a_tag_is_for_its_sender_alone() -> None:
    """Two peers have the same checksum in version 2: nothing but the tag tells them apart."""
    assert heard(router(), said(router(), V2), source=PEER) == Reject(Reason.HMAC_TAG, "key 1")


def put(at: int, *values: int) -> Callable[[bytes], bytes]:
    return lambda p: p[: len(p) + at] + bytes(values) + p[len(p) + at + len(values) :]


REFUSED = [
    (put(-28, 0), Reason.HMAC_MALFORMED, "00 01 00 00"),
    (put(-28, 2), Reason.HMAC_MALFORMED, "02 01 00 00"),
    (put(-26, 1), Reason.HMAC_MALFORMED, "01 01 01 00"),
    (put(-25, 1), Reason.HMAC_MALFORMED, "01 01 00 01"),
    (put(-27, 3), Reason.HMAC_KEY, "key 3"),
    (put(-27, 0), Reason.HMAC_KEY, "key 0"),
    (put(-27, 2), Reason.HMAC_TAG, "key 2"),
    (put(-24, 0), Reason.HMAC_STALE, "-1778384896.000 s, 6 s configured"),
    (put(-16, *bytes(16)), Reason.HMAC_TAG, "key 1"),
    (put(-30, 9), Reason.HMAC_TAG, "key 1"),
    (lambda p: p[:-28], Reason.HMAC_MISSING, ""),
    (lambda p: p[:-1], Reason.LENGTH, "43 bytes, 2 addresses need 16"),
    (lambda p: p + b"\0", Reason.LENGTH, "45 bytes, 2 addresses need 16"),
    (lambda p: p[:7], Reason.LENGTH, "7 bytes, the fixed part has 8"),
    (lambda p: b"", Reason.LENGTH, "0 bytes, the fixed part has 8"),
]


@pytest.mark.parametrize(("change", "reason", "detail"), REFUSED)
def test_a_forged_packet_is_refused_for_its_own_reason_and_is_not_remembered(
    change: Callable[[bytes], bytes], reason: Reason, detail: str
) -> None:
    packet, listener = said(router()), router()
    assert heard(listener, change(packet)) == Reject(reason, detail)
    assert heard(listener, packet) == V3


def test_nothing_is_heard_twice() -> None:
    sender, listener = router(), router()
    first, second = said(sender), said(sender)
    assert [heard(listener, each) for each in (second, second, first)] == [
        V3,
        Reject(Reason.HMAC_REPLAY),
        Reject(Reason.HMAC_REPLAY),
    ]


@pytest.mark.parametrize(
    ("seconds", "answer", "odd"),
    [
        (3.0, V3, ()),
        (-3.0, V3, ()),
        (3.5, V3, (Remark(Oddity.CLOCK, "+3.500 s, 6 s configured"),)),
        (-6.0, V3, (Remark(Oddity.CLOCK, "-6.000 s, 6 s configured"),)),
        (6.0, V3, (Remark(Oddity.CLOCK, "+6.000 s, 6 s configured"),)),
        (6.001, Reject(Reason.HMAC_STALE, "+6.001 s, 6 s configured"), ()),
        (-6.001, Reject(Reason.HMAC_STALE, "-6.001 s, 6 s configured"), ()),
    ],
)
def test_clocks_may_differ_by_the_window_and_beyond_half_of_it_that_is_odd(
    seconds: float, answer: Advert | Reject, odd: tuple[Remark, ...]
) -> None:
    listener = router()
    assert (heard(listener, said(router(Clock(NOW + seconds)))), listener.remarks()) == (answer, odd)


def test_monotonic_looks_at_no_clock_and_a_sender_whose_clock_was_set_back_goes_on() -> None:
    clock = Clock(NOW + 9000)
    sender, listener = router(clock, monotonic=True), router(monotonic=True)
    assert heard(listener, said(sender)) == V3
    clock.now = NOW - 9000
    assert (heard(listener, said(sender)), listener.remarks()) == (V3, ())
    assert heard(listener, said(router(clock, monotonic=True))) == Reject(Reason.HMAC_REPLAY)


@pytest.mark.parametrize("back", [1, 5.9, 7, 86400])
def test_a_clock_that_is_put_right_silences_nobody(back: float) -> None:
    """Those of sender and listener were ahead by so much, until NTP answered."""
    clock = Clock(NOW + back)
    sender, listener = router(clock), router(clock)
    assert heard(listener, said(sender)) == V3
    clock.now = NOW
    assert [heard(listener, said(sender)) for _ in range(3)] == [V3, V3, V3]
    clock.now = NOW + back + 1
    assert heard(listener, said(sender)) == V3


@pytest.mark.parametrize(
    ("mode", "signs", "unsigned", "odd"),
    [
        (Mode.ENFORCE, True, Reject(Reason.HMAC_MISSING), ()),
        (Mode.PERMISSIVE, True, V3, (Remark(Oddity.UNSIGNED, "mode permissive"),)),
        (Mode.RECEIVE_ONLY, False, V3, (Remark(Oddity.UNSIGNED, "mode receive-only"),)),
    ],
)
def test_modes_differ_in_what_they_sign_and_what_unsigned_they_hear(
    mode: Mode, signs: bool, unsigned: Advert | Reject, odd: tuple[Remark, ...]
) -> None:
    one = router(mode=mode)
    assert (said(one) == said(Unsealed()), len(said(one)) - len(said(Unsealed()))) == (not signs, 28 * signs)
    assert (heard(one, said(Unsealed())), one.remarks()) == (unsigned, odd)
    assert heard(one, put(-1, 0)(said(router()))) == Reject(Reason.HMAC_TAG, "key 1")
    assert (heard(one, said(router())), one.remarks()) == (V3, ())


def test_every_key_verifies_and_the_active_one_signs() -> None:
    old, new = router(active=1), router(active=2)
    assert said(new)[-27] == 2
    assert (heard(old, said(new)), heard(new, said(old))) == (V3, V3)
    assert heard(router(keys=((1, ONE),)), said(new)) == Reject(Reason.HMAC_KEY, "key 2")


def test_all_peers_are_told_one_trailer_in_packets_with_checksums_of_their_own() -> None:
    (_, first), (_, second) = router().write(V3, SOURCE, (PEER, "192.0.2.21"))
    assert (first[-TRAILER_BYTES:] == second[-TRAILER_BYTES:], first[6:8] == second[6:8]) == (True, False)
    assert heard(router(peers=(SOURCE,)), first, destination=PEER) == V3


def test_in_unicast_a_sender_has_to_be_a_peer() -> None:
    assert heard(router(peers=(PEER,)), said(router())) == Reject(Reason.SOURCE, SOURCE)


def test_an_unsigned_router_takes_a_signed_packet_for_one_that_is_too_long() -> None:
    assert heard(Unsealed(), said(router())) == Reject(Reason.LENGTH, "44 bytes, 2 addresses need 16")


def test_no_key_is_in_a_repr() -> None:
    assert repr(TrailerKeys(((1, ONE), (2, TWO)), 1, 5)) == "TrailerKeys(active=1, window=5, mode='enforce')"


@given(payload=st.binary(max_size=120), family=st.sampled_from((4, 6)), now=st.floats(-1e10, 1e11))
def test_any_bytes_are_an_advert_or_a_reason(payload: bytes, family: int, now: float) -> None:
    listener = router(Clock(now), family, mode=Mode.PERMISSIVE)
    assert isinstance(heard(listener, payload, family), Advert | Reject)


@given(tail=st.binary(min_size=28, max_size=28), monotonic=st.booleans(), advert=st.sampled_from((V2, V3, V6)))
def test_any_trailer_behind_a_good_message_is_a_reason(tail: bytes, monotonic: bool, advert: Advert) -> None:
    message = said(Unsealed(advert.family), advert)
    listener = router(family=advert.family, monotonic=monotonic, mode=Mode.RECEIVE_ONLY)
    assert isinstance(heard(listener, message + tail, advert.family), Reject)
