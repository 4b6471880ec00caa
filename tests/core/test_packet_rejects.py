"""Malformed packets: each is discarded for its own reason, and no bytes at all make decoding raise."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.packet import Datagram, decode_advert, decode_datagram, encode_advert
from actors.core.packet_values import Advert, Header, Reason, Reject
from tests.packets import over4

SOURCE, GROUP = "192.0.2.10", "224.0.0.18"
SOURCE6, GROUP6 = "fe80::a", "ff02::12"
TWO = ("192.0.2.1", "192.0.2.2")

V2 = Advert(2, 51, 100, 100, TWO)
V3 = Advert(3, 51, 100, 100, TWO)
V6 = Advert(3, 51, 100, 100, ("fe80::1", "2001:db8::1"), family=6)
PDU2, PDU3, PDU6 = (
    encode_advert(V2, SOURCE, GROUP),
    encode_advert(V3, SOURCE, GROUP),
    encode_advert(V6, SOURCE6, GROUP6),
)
PDU_PASS = encode_advert(Advert(2, 51, 100, 100, TWO, b"secret"), SOURCE, GROUP)
IPV4 = over4(PDU3, SOURCE)

Change = Callable[[bytes], bytes]


def summed(data: bytes) -> int:
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"))
        total = (total & 0xFFFF) + (total >> 16)
    return total


def put(at: int, *values: int) -> Change:
    return lambda data: data[:at] + bytes(values) + data[at + len(values) :]


def corrected(pdu: bytes, family: int = 4) -> bytes:
    """With the checksum of what it now says: a test of another check must not be passed by this one."""
    before = b""
    if pdu[0] >> 4 != 2:
        ends = bytes.fromhex("c000020a e0000012" if family == 4 else "fe80" + "00" * 13 + "0a ff02" + "00" * 13 + "12")
        before = ends + len(pdu).to_bytes(4) + (112).to_bytes(4)
    rest = pdu[:6] + b"\0\0" + pdu[8:]
    return pdu[:6] + (0xFFFF - summed(before + rest)).to_bytes(2) + pdu[8:]


def decoded(pdu: bytes, family: int = 4, as_v2: bool = False) -> Advert | Reject:
    ends = (SOURCE, GROUP) if family == 4 else (SOURCE6, GROUP6)
    return decode_advert(pdu, *ends, family, as_v2)


def cut(length: int) -> Change:
    return lambda data: data[:length]


def longer(count: int) -> Change:
    return lambda data: data + bytes(count)


MALFORMED = [
    (PDU2, cut(0), Reason.LENGTH, "0 bytes, the fixed part has 8"),
    (PDU2, cut(7), Reason.LENGTH, "7 bytes, the fixed part has 8"),
    (PDU2, cut(16), Reason.LENGTH, "16 bytes, 2 addresses need 24"),
    (PDU2, cut(23), Reason.LENGTH, "23 bytes, 2 addresses need 24"),
    (PDU2, longer(8), Reason.LENGTH, "32 bytes, 2 addresses need 24"),
    (PDU2, put(3, 255), Reason.LENGTH, "24 bytes, 255 addresses need 1036"),
    (PDU2, put(3, 1), Reason.LENGTH, "24 bytes, 1 addresses need 20"),
    (PDU3, cut(8), Reason.LENGTH, "8 bytes, 2 addresses need 16"),
    (PDU3, cut(12), Reason.LENGTH, "12 bytes, 2 addresses need 16"),
    (PDU3, longer(1), Reason.LENGTH, "17 bytes, 2 addresses need 16"),
    (PDU3, longer(8), Reason.LENGTH, "24 bytes, 2 addresses need 16"),
    (PDU3, put(1, 0), Reason.VRID, "vrid 0"),
    (PDU2, put(0, 0x11), Reason.VERSION, "version 1 over IPv4"),
    (PDU3, put(0, 0x41), Reason.VERSION, "version 4 over IPv4"),
    (PDU3, put(0, 0x01), Reason.VERSION, "version 0 over IPv4"),
    (PDU2, put(0, 0x31), Reason.LENGTH, "24 bytes, 2 addresses need 16"),
    (PDU3, put(0, 0x21), Reason.LENGTH, "16 bytes, 2 addresses need 24"),
    (PDU2, put(4, 3), Reason.AUTH_TYPE_UNKNOWN, "type 3"),
    (PDU2, put(4, 255), Reason.AUTH_TYPE_UNKNOWN, "type 255"),
    (PDU2, put(5, 0), Reason.INTERVAL_ZERO, ""),
    (PDU3, put(4, 0, 0), Reason.INTERVAL_ZERO, ""),
    (PDU3, put(4, 0xF0, 0), Reason.INTERVAL_ZERO, ""),
    (PDU2, put(0, 0x22), Reason.TYPE, "type 2"),
    (PDU3, put(0, 0x30), Reason.TYPE, "type 0"),
    (PDU3, put(0, 0x3F), Reason.TYPE, "type 15"),
    (PDU3, lambda pdu: put(3, 0)(pdu[:8]), Reason.COUNT, ""),
]


@pytest.mark.parametrize(("pdu", "change", "reason", "detail"), MALFORMED)
def test_a_malformed_message_is_refused_for_its_own_reason(
    pdu: bytes, change: Change, reason: Reason, detail: str
) -> None:
    changed = change(pdu)
    whole = corrected(changed) if len(changed) >= 8 else changed
    assert decoded(whole) == Reject(reason, detail)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (cut(39), Reject(Reason.LENGTH, "39 bytes, 2 addresses need 40")),
        (put(0, 0x21), Reject(Reason.VERSION, "version 2 over IPv6")),
        (put(0, 0x32), Reject(Reason.TYPE, "type 2")),
        (lambda pdu: put(3, 0)(pdu[:8]), Reject(Reason.COUNT)),
        (put(1, 52), Advert(3, 52, 100, 100, V6.addresses, family=6)),
    ],
)
def test_ipv6_messages_are_held_to_the_same_rules(change: Change, expected: Reject | Advert) -> None:
    assert decoded(corrected(change(PDU6), 6), 6) == expected


@pytest.mark.parametrize(("pdu", "family"), [(PDU2, 4), (PDU_PASS, 4), (PDU3, 4), (PDU6, 6)])
def test_any_single_bit_that_flips_is_noticed(pdu: bytes, family: int) -> None:
    for bit in range(len(pdu) * 8):
        flipped = put(bit // 8, pdu[bit // 8] ^ 1 << bit % 8)(pdu)
        assert isinstance(decoded(flipped, family), Reject), f"bit {bit}"


WRONG_SUMS = [(PDU2, "0x0000"), (PDU2, "0xf6c5"), (PDU3, "0x0000"), (PDU3, "0x43c3"), (PDU3, "0xffff")]


@pytest.mark.parametrize(("pdu", "checksum"), WRONG_SUMS)
@pytest.mark.parametrize("as_v2", [False, True])
def test_a_wrong_checksum_is_refused_with_either_rule(pdu: bytes, checksum: str, as_v2: bool) -> None:
    changed = put(6, *int(checksum, 16).to_bytes(2))(pdu)
    assert decoded(changed, as_v2=as_v2) == Reject(Reason.CHECKSUM, checksum)


def test_of_the_two_ways_to_sum_version_3_over_ipv4_the_configured_one_is_demanded() -> None:
    alone = encode_advert(V3, SOURCE, GROUP, v3_checksum_as_v2=True)
    assert decoded(alone) == Reject(Reason.CHECKSUM, "0xe661")
    assert decoded(alone, as_v2=True) == V3
    assert decoded(PDU3, as_v2=True) == Reject(Reason.CHECKSUM, "0x43c4")
    assert decoded(PDU3) == V3


def test_the_checksum_of_the_message_alone_is_never_ipv6s() -> None:
    alone = put(6, *(0xFFFF - summed(put(6, 0, 0)(PDU6))).to_bytes(2))(PDU6)
    assert decoded(alone, 6, as_v2=True) == Reject(Reason.CHECKSUM, f"{int.from_bytes(alone[6:8]):#06x}")


def test_another_source_or_destination_than_was_summed_is_a_wrong_checksum() -> None:
    wrong = Reject(Reason.CHECKSUM, "0x43c4")
    assert (decode_advert(PDU3, "192.0.2.11", GROUP), decode_advert(PDU3, SOURCE, "192.0.2.20")) == (wrong, wrong)


def test_a_message_with_several_faults_is_blamed_for_the_first_in_order() -> None:
    """Length, version, authentication, type, checksum: the worse fault is put right each time."""
    faulty = put(0, 0x12, 51, 100, 2, 9, 1, 0, 0)(PDU2)
    found = [decoded(step) for step in (faulty[:5], faulty, put(0, 0x22)(faulty), put(0, 0x22, 51, 100, 2, 0)(faulty))]
    found += [decoded(put(0, 0x21, 51, 100, 2, 0)(faulty)), decoded(PDU2)]
    assert [step.reason.name if isinstance(step, Reject) else "heard" for step in found] == [
        "LENGTH", "VERSION", "AUTH_TYPE_UNKNOWN", "TYPE", "CHECKSUM", "heard",
    ]  # fmt: skip


def test_version_2_may_list_no_address() -> None:
    none = Advert(2, 51, 100, 100, ())
    assert decoded(encode_advert(none, SOURCE, GROUP)) == none


def headed(change: Change) -> bytes:
    """The datagram with a change in its header, whose checksum is put right."""
    changed = change(IPV4)
    size = (changed[0] & 15) * 4
    header = put(10, 0, 0)(changed)[:size]
    return put(10, *(0xFFFF - summed(header)).to_bytes(2))(changed)


OPTIONS = headed(lambda data: b"\x46" + data[1:3] + bytes([40]) + data[4:20] + b"\x01\x01\x01\x00" + data[20:])

HEADERS = [
    (b"", Reason.IP_HEADER, "0 bytes, an IPv4 header has 20"),
    (IPV4[:19], Reason.IP_HEADER, "19 bytes, an IPv4 header has 20"),
    (headed(put(0, 0x65)), Reason.IP_HEADER, "version 6, header length 5 words"),
    (headed(put(0, 0x44)), Reason.IP_HEADER, "version 4, header length 4 words"),
    (headed(put(0, 0x4F)), Reason.IP_HEADER, "version 4, header length 15 words"),
    (headed(put(6, 0x20, 0)), Reason.IP_HEADER, "a fragment"),
    (headed(put(6, 0, 1)), Reason.IP_HEADER, "a fragment"),
    (put(10, 0x18, 0x8B)(IPV4), Reason.IP_HEADER, "checksum 0x188b"),
    (headed(put(9, 17)), Reason.IP_HEADER, "protocol 17"),
    (headed(put(9, 51)), Reason.AUTH_HEADER, "protocol 51"),
    (headed(put(2, 0, 37)), Reason.IP_LENGTH, "37 told, header of 20, 36 received"),
    (headed(put(2, 0, 19)), Reason.IP_LENGTH, "19 told, header of 20, 36 received"),
    (IPV4[:35], Reason.IP_LENGTH, "36 told, header of 20, 35 received"),
]


@pytest.mark.parametrize(("datagram", "reason", "detail"), HEADERS)
def test_a_malformed_ipv4_header_is_refused_for_its_own_reason(datagram: bytes, reason: Reason, detail: str) -> None:
    assert decode_datagram(datagram) == Reject(reason, detail)


IRRELEVANT = {
    "type of service": headed(put(1, 0)),
    "don't fragment": headed(put(6, 0x40, 0)),
    "identification": headed(put(4, 0xAB, 0xCD)),
    "options": OPTIONS,
    "padding of the frame": IPV4 + bytes(60 - 14 - len(IPV4)),
}


@pytest.mark.parametrize("datagram", IRRELEVANT.values(), ids=IRRELEVANT)
def test_what_does_not_matter_in_an_ipv4_header_is_not_looked_at(datagram: bytes) -> None:
    assert decode_datagram(datagram) == Datagram(Header(SOURCE, GROUP, 255), PDU3)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_datagram_or_a_reason(datagram: bytes) -> None:
    assert isinstance(decode_datagram(datagram), Datagram | Reject)


@given(st.binary(max_size=80), st.sampled_from([4, 6]), st.booleans())
def test_any_bytes_are_an_advert_or_a_reason(pdu: bytes, family: int, as_v2: bool) -> None:
    assert isinstance(decoded(pdu, family, as_v2), Advert | Reject)


fields = st.tuples(
    st.sampled_from([0x21, 0x31, 0x32, 0x11]),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 3),
    st.integers(0, 2),
    st.integers(0, 3),
)


@given(
    fields, st.sampled_from([0, 4, 8, 12, 16, 20, 32, 48]).flatmap(lambda size: st.binary(min_size=size, max_size=size))
)
def test_what_is_heard_is_sent_again_as_the_same_advert(first: tuple[int, ...], rest: bytes) -> None:
    """Right checksums, so that the fields and not the sum decide; families in turn."""
    for family in (4, 6):
        found = decoded(corrected(bytes(first) + b"\0\0" + rest, family), family)
        if isinstance(found, Advert):
            ends = (SOURCE, GROUP) if family == 4 else (SOURCE6, GROUP6)
            assert decoded(encode_advert(found, *ends), family) == found
        else:
            assert found.reason not in (Reason.CHECKSUM, Reason.IP_LENGTH, Reason.IP_HEADER)
