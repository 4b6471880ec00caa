"""Packets to the byte: strings derived by hand from the RFCs, and scapy as a judge that shares no code with us."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vrrp import VRRP, VRRPv3
from scapy.packet import Packet

from actors.core.packet import (
    Datagram,
    decode_advert,
    decode_datagram,
    encode_advert,
    gratuitous_arp,
    neighbour_advertisement,
)
from actors.core.packet_values import Advert, Header, packed, unpacked
from tests.packets import over4

SOURCE, GROUP = "192.0.2.10", "224.0.0.18"
SOURCE6, GROUP6 = "fe80::a", "ff02::12"
MAC = "02:00:00:00:00:0a"
TWO = ("192.0.2.1", "192.0.2.2")

V2 = Advert(2, 51, 100, 100, TWO)
PASS = Advert(2, 51, 100, 100, TWO, b"secret")
V3 = Advert(3, 51, 100, 100, TWO)
LEAVING = Advert(3, 51, 0, 100, TWO)
V6 = Advert(3, 51, 100, 100, ("fe80::1", "2001:db8::1"), family=6)

# Each word was added up on paper, RFC 1071: what the layouts of RFC 3768 5.1 and RFC 9568 5.1 say, in their order.
GOLDEN = [
    (V2, False, "21 33 64 02 00 01 f6 c4 c0 00 02 01 c0 00 02 02 00 00 00 00 00 00 00 00"),
    (PASS, False, "21 33 64 02 01 01 b9 78 c0 00 02 01 c0 00 02 02 73 65 63 72 65 74 00 00"),
    (Advert(2, 1, 254, 25500, ()), False, "21 01 fe 00 00 ff df fe 00 00 00 00 00 00 00 00"),
    (V2, True, "21 33 64 02 00 01 f6 c4 c0 00 02 01 c0 00 02 02 00 00 00 00 00 00 00 00"),
    (V3, False, "31 33 64 02 00 64 43 c4 c0 00 02 01 c0 00 02 02"),
    (V3, True, "31 33 64 02 00 64 e6 61 c0 00 02 01 c0 00 02 02"),
    (LEAVING, False, "31 33 00 02 00 64 a7 c4 c0 00 02 01 c0 00 02 02"),
    (
        V6,
        False,
        "31 33 64 02 00 64 3f f2 fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01"
        "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01",
    ),
]


def ends(family: int) -> tuple[str, str]:
    return (SOURCE, GROUP) if family == 4 else (SOURCE6, GROUP6)


@pytest.mark.parametrize(("advert", "as_v2", "expected"), GOLDEN)
def test_an_advert_is_these_bytes_and_these_bytes_are_the_advert(advert: Advert, as_v2: bool, expected: str) -> None:
    pdu = bytes.fromhex(expected)
    assert encode_advert(advert, *ends(advert.family), as_v2).hex(" ") == pdu.hex(" ")
    assert decode_advert(pdu, *ends(advert.family), advert.family, as_v2) == advert


def test_ipv6_sums_its_pseudo_header_whatever_ipv4_does() -> None:
    assert encode_advert(V6, SOURCE6, GROUP6, True) == encode_advert(V6, SOURCE6, GROUP6)


def test_a_scope_on_a_link_local_source_is_not_summed() -> None:
    assert encode_advert(V6, "fe80::a%eth0", GROUP6) == encode_advert(V6, SOURCE6, GROUP6)


def test_each_unicast_peer_has_a_checksum_of_its_own_in_version_3() -> None:
    first, second = encode_advert(V3, SOURCE, "192.0.2.20"), encode_advert(V3, SOURCE, "192.0.2.21")
    assert first[:6] + first[8:] == second[:6] + second[8:]
    assert int.from_bytes(first[6:8]) - int.from_bytes(second[6:8]) == 1
    assert encode_advert(V2, SOURCE, "192.0.2.20") == encode_advert(V2, SOURCE, "192.0.2.21")


def test_the_datagram_of_an_advert_is_these_bytes() -> None:
    pdu = encode_advert(V2, SOURCE, GROUP)
    datagram = bytes.fromhex("45 c0 00 2c 00 01 00 00 ff 70 18 84 c0 00 02 0a e0 00 00 12") + pdu
    assert datagram == over4(pdu, SOURCE)
    assert decode_datagram(datagram) == Datagram(Header(SOURCE, GROUP, 255), pdu)


def test_a_gratuitous_arp_is_these_bytes() -> None:
    assert gratuitous_arp(MAC, "192.0.2.1").hex(" ") == (
        "ff ff ff ff ff ff 02 00 00 00 00 0a 08 06 00 01 08 00 06 04 00 01 "
        "02 00 00 00 00 0a c0 00 02 01 ff ff ff ff ff ff c0 00 02 01"
    )


@pytest.mark.parametrize(("router", "flags", "checksum"), [(True, "a0", "79 21"), (False, "20", "f9 21")])
def test_a_neighbour_advertisement_is_these_bytes(router: bool, flags: str, checksum: str) -> None:
    own = "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01"
    assert neighbour_advertisement(MAC, "2001:db8::1", router).hex(" ") == (
        f"33 33 00 00 00 01 02 00 00 00 00 0a 86 dd 60 00 00 00 00 20 3a ff {own} "
        f"ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01 "
        f"88 00 {checksum} {flags} 00 00 00 {own} 02 01 02 00 00 00 00 0a"
    )


# Scapy fills in counts, lengths and checksums itself where they are not given.


def by_scapy(advert: Advert) -> IP | IPv6:
    """The packet that scapy makes of the same facts, IP header included."""
    source, destination = ends(advert.family)
    facts: dict[str, Any] = {"vrid": advert.vrid, "priority": advert.priority, "addrlist": list(advert.addresses)}
    if advert.version == 2:
        word = advert.auth.ljust(8, b"\0")
        facts |= {"auth1": int.from_bytes(word[:4]), "auth2": int.from_bytes(word[4:])}
        message: Packet = VRRP(**facts, authtype=1 if advert.auth else 0, adv=advert.interval_cs // 100)
    else:
        message = VRRPv3(**facts, adv=advert.interval_cs)
    if advert.family == 6:
        return IPv6(src=source, dst=destination, nh=112, hlim=255) / message
    return IP(src=source, dst=destination, proto=112, tos=0xC0, ttl=255, id=7) / message


def ours(advert: Advert) -> bytes:
    return encode_advert(advert, *ends(advert.family))


numbers4 = st.binary(min_size=4, max_size=4).map(unpacked)
numbers6 = st.binary(min_size=16, max_size=16).map(unpacked)
words = st.binary(max_size=8).map(lambda word: word.rstrip(b"\0"))
common = {"vrid": st.integers(1, 255), "priority": st.integers(0, 255)}
adverts2 = st.builds(
    Advert,
    version=st.just(2),
    interval_cs=st.integers(1, 255).map(lambda seconds: seconds * 100),
    addresses=st.lists(numbers4, max_size=20).map(tuple),
    auth=words,
    **common,
)
adverts3 = st.sampled_from([(4, numbers4), (6, numbers6)]).flatmap(
    lambda kind: st.builds(
        Advert,
        version=st.just(3),
        interval_cs=st.integers(1, 4095),
        addresses=st.lists(kind[1], min_size=1, max_size=20).map(tuple),
        family=st.just(kind[0]),
        **common,
    )
)
adverts = adverts2 | adverts3


@given(adverts)
def test_scapy_makes_the_same_bytes_of_an_advert(advert: Advert) -> None:
    assert ours(advert) == bytes(by_scapy(advert))[20 if advert.family == 4 else 40 :]


@given(adverts)
def test_an_advert_of_scapy_is_read_as_it_was_meant(advert: Advert) -> None:
    packet = bytes(by_scapy(advert))
    taken = decode_datagram(packet) if advert.family == 4 else Datagram(Header(SOURCE6, GROUP6, 255), packet[40:])
    assert isinstance(taken, Datagram)
    assert taken.header == Header(*ends(advert.family), 255)
    assert decode_advert(taken.pdu, *ends(advert.family), advert.family) == advert


@given(adverts)
def test_scapy_reads_an_advert_as_it_was_meant(advert: Advert) -> None:
    source, destination = ends(advert.family)
    if advert.family == 4:
        message = IP(over4(ours(advert), source, destination)).payload
    else:
        message = (IPv6(src=source, dst=destination, nh=112) / VRRPv3(ours(advert))).payload
    seconds = advert.interval_cs // 100 if advert.version == 2 else advert.interval_cs
    assert (message.version, message.type, message.vrid, message.priority) == (
        advert.version, 1, advert.vrid, advert.priority,
    )  # fmt: skip
    assert (message.adv, message.ipcount) == (seconds, len(advert.addresses))


@given(adverts)
def test_an_advert_comes_back_as_it_was_sent(advert: Advert) -> None:
    assert decode_advert(ours(advert), *ends(advert.family), advert.family) == advert


@given(adverts3.filter(lambda advert: advert.family == 4))
def test_without_the_pseudo_header_the_ends_do_not_matter(advert: Advert) -> None:
    pdu = encode_advert(advert, SOURCE, GROUP, v3_checksum_as_v2=True)
    assert decode_advert(pdu, "10.0.0.1", "10.0.0.2", 4, v3_checksum_as_v2=True) == advert


@given(st.binary(min_size=6, max_size=6), numbers4, numbers6, st.booleans())
def test_scapy_makes_the_same_announcements(mac: bytes, address4: str, address6: str, router: bool) -> None:
    text, everyone = mac.hex(":"), "ff:ff:ff:ff:ff:ff"
    request = ARP(op=1, hwsrc=text, psrc=address4, hwdst=everyone, pdst=address4)
    assert gratuitous_arp(text, address4) == bytes(Ether(dst=everyone, src=text) / request)
    message = ICMPv6ND_NA(R=int(router), S=0, O=1, tgt=address6) / ICMPv6NDOptDstLLAddr(lladdr=text)
    frame = Ether(dst="33:33:00:00:00:01", src=text) / IPv6(src=address6, dst="ff02::1", hlim=255) / message
    assert neighbour_advertisement(text, address6, router) == bytes(frame)


def summed(data: bytes) -> int:
    """RFC 1071, word by word, the carry brought round at once."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2])
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(adverts2)
def test_a_message_and_its_checksum_sum_to_all_ones(advert: Advert) -> None:
    assert summed(ours(advert)) == 0xFFFF


def test_many_carries_are_brought_round() -> None:
    pdu = ours(Advert(2, 255, 255, 25500, ("255.255.255.255",) * 255, b"\xff" * 8))
    assert summed(pdu) == 0xFFFF
    assert decode_advert(pdu, SOURCE, GROUP) == Advert(
        2, 255, 255, 25500, ("255.255.255.255",) * 255, b"\xff" * 8
    )  # fmt: skip


def test_a_checksum_of_zero_is_sent_as_zero_and_accepted() -> None:
    # The last word of the password is what the message without it lacks to all ones.
    bare = ours(Advert(2, 51, 100, 100, TWO, b"secret"))
    advert = Advert(2, 51, 100, 100, TWO, b"secret" + bare[6:8])
    assert ours(advert)[6:8] == b"\0\0"
    assert decode_advert(ours(advert), SOURCE, GROUP) == advert


def test_reserved_bits_are_ignored_and_the_interval_is_that_of_twelve_bits() -> None:
    # The first golden packet of version 3 with 0xf000 more in the third word, so 0xf000 less in the sum: 43c4 - f000.
    pdu = bytes.fromhex("31 33 64 02 f0 64 53 c3 c0 00 02 01 c0 00 02 02")
    assert decode_advert(pdu, SOURCE, GROUP) == V3


def test_a_password_of_zeros_is_not_the_absence_of_one() -> None:
    zeros = Advert(2, 51, 100, 100, TWO, b"\0")
    assert ours(zeros)[4:5] + ours(zeros)[-8:] == b"\1" + bytes(8)
    assert decode_advert(ours(zeros), SOURCE, GROUP) == zeros


def test_authentication_data_is_not_examined_without_authentication() -> None:
    pdu = bytearray(ours(PASS))
    pdu[4] = 0
    pdu[6:8] = (int.from_bytes(pdu[6:8]) + 0x0100).to_bytes(2)
    assert decode_advert(bytes(pdu), SOURCE, GROUP) == V2


@pytest.mark.parametrize("text", ["fe80::1", "::", "2001:db8::1:0:0:1", "0.0.0.0", "255.255.255.255"])
def test_an_address_is_read_and_written_in_canonical_text(text: str) -> None:
    assert unpacked(packed(text)) == text


IMPOSSIBLE = [
    ({"version": 4}, "there is no VRRPv4 over IPv4"),
    ({"version": 2, "family": 6}, "there is no VRRPv2 over IPv6"),
    ({"family": 5}, "there is no VRRPv3 over IPv5"),
    ({"vrid": 0}, "vrid 0 is not within 1 to 255"),
    ({"vrid": 256}, "vrid 256 is not within 1 to 255"),
    ({"priority": 256}, "priority 256 is not within 0 to 255"),
    ({"priority": -1}, "priority -1 is not within 0 to 255"),
    ({"addresses": ()}, "count of addresses 0 is not within 1 to 255"),
    ({"version": 2, "addresses": ("10.0.0.1",) * 256}, "count of addresses 256 is not within 0 to 255"),
    ({"interval_cs": 0}, "interval_cs 0 is not within 1 to 4095"),
    ({"interval_cs": 4096}, "interval_cs 4096 is not within 1 to 4095"),
    ({"version": 2, "interval_cs": 25600}, "interval_cs 25600 is not within 1 to 25500"),
    ({"version": 2, "interval_cs": 150}, "interval_cs 150 is not whole seconds, as VRRPv2 needs"),
    ({"auth": b"secret"}, "length of auth 6 is not within 0 to 0"),
    ({"version": 2, "auth": b"ninebytes"}, "length of auth 9 is not within 0 to 8"),
]


@pytest.mark.parametrize(("change", "message"), IMPOSSIBLE)
def test_an_advert_that_no_packet_can_carry_is_not_made(change: dict[str, Any], message: str) -> None:
    facts: dict[str, Any] = {"version": 3, "vrid": 51, "priority": 100, "interval_cs": 100, "addresses": TWO} | change
    with pytest.raises(ValueError, match=f"^{message}$"):
        Advert(**facts)


@pytest.mark.parametrize(
    ("encode", "message"),
    [
        (lambda: encode_advert(V3, SOURCE6, GROUP), "'fe80::a' is not an IPv4 address"),
        (lambda: encode_advert(V6, SOURCE6, GROUP), "'224.0.0.18' is not an IPv6 address"),
        (lambda: encode_advert(Advert(3, 1, 1, 1, ("fe80::1",)), SOURCE, GROUP), "'fe80::1' is not an IPv4 address"),
        (lambda: encode_advert(Advert(3, 1, 1, 1, ("host",)), SOURCE, GROUP), "'host' does not appear to be an IPv4"),
        (lambda: gratuitous_arp(MAC, "fe80::1"), "'fe80::1' is not an IPv4 address"),
        (lambda: gratuitous_arp("02:00:00:00:00", "10.0.0.1"), "'02:00:00:00:00' is not an Ethernet address"),
        (lambda: neighbour_advertisement(MAC, "10.0.0.1", True), "'10.0.0.1' is not an IPv6 address"),
        (lambda: neighbour_advertisement("eth0", "fe80::1", True), "'eth0' is not an Ethernet address"),
    ],
)
def test_what_cannot_be_encoded_is_said_by_name(encode: Callable[[], bytes], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        encode()
