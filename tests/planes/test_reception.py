"""Packets of a raw socket: what is as one before it is the same value, and no difference that counts is overlooked."""

import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.packet_values import Reason, Reject
from actors.planes.network import Received
from actors.planes.wire import reception
from actors.planes.wire.reception import Reception, essence, received_4
from tests.packets import GROUP4, over4, v3

PDU = v3(51, 100, "10.0.0.100")


def datagram(identification: int, pdu: bytes = PDU, source: str = "10.0.0.1", ttl: int = 255) -> bytes:
    return over4(pdu, source, identification=identification, ttl=ttl)


class Given:
    """A socket with these packets in it, of the family."""

    def __init__(self, *packets: bytes, hops: int = 255) -> None:
        self.packets = list(packets)
        self.hops = hops

    def recv(self, _: int) -> bytes:
        return self.packets.pop(0)

    def recvmsg(self, *_: int) -> Any:
        hops = (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT, self.hops.to_bytes(4, "little"))
        return self.packets.pop(0), [hops], 0, ("fe80::1%eth0", 0, 0, 2)


def read(*packets: bytes) -> list[Received | Reject]:
    reader = Reception(Given(*packets), 4)
    return [reader.read() for _ in packets]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What has been taken apart."""
    found: list[bytes] = []

    def noted(data: bytes) -> Received | Reject:
        found.append(data)
        return received_4(data)

    monkeypatch.setattr(reception, "received_4", noted)
    return found


def test_adverts_that_the_sender_counts_are_taken_apart_once(decoded: list[bytes]) -> None:
    sent = [datagram(number) for number in (1, 2, 0x1234, 0xFFFF)]
    assert read(*sent) == [Received(PDU, "10.0.0.1", GROUP4, 255)] * 4
    assert decoded == sent[:1]


@given(one=st.integers(1, 0xFFFF), other=st.integers(1, 0xFFFF))
def test_the_identification_makes_no_difference(one: int, other: int) -> None:
    assert essence(datagram(one)) == essence(datagram(other))


@given(place=st.integers(0, len(datagram(1)) - 1), change=st.integers(1, 255), number=st.integers(1, 0xFFFF))
def test_any_other_byte_that_changes_is_seen(place: int, change: int, number: int) -> None:
    known, changed = datagram(7), bytearray(datagram(number))
    changed[place] ^= change
    assert read(known, bytes(changed))[1] == received_4(bytes(changed))


def test_another_sender_ttl_or_message_is_another_advert() -> None:
    other = PDU[:2] + b"\xff" + PDU[3:]
    sent = [datagram(1), datagram(2, source="10.0.0.2"), datagram(3, ttl=254), datagram(4, pdu=other)]
    assert read(*sent) == [received_4(each) for each in sent]


def test_what_is_malformed_is_refused_each_time() -> None:
    broken = datagram(1)[:-1]
    assert [each.reason for each in read(broken, broken) if isinstance(each, Reject)] == [Reason.IP_LENGTH] * 2


def test_a_flood_of_different_packets_is_not_kept(monkeypatch: pytest.MonkeyPatch, decoded: list[bytes]) -> None:
    monkeypatch.setattr(reception, "REMEMBERED", 3)
    sent = [datagram(1, source=f"10.0.1.{n}") for n in range(5)]
    read(*sent, sent[4], sent[0])
    assert decoded == [*sent, sent[0]]


def test_over_ipv6_the_hops_make_a_difference() -> None:
    given = Given(PDU, PDU, PDU)
    reader = Reception(given, 6)
    first, again = reader.read(), reader.read()
    given.hops = 254
    assert first is again
    assert [first, reader.read()] == [Received(PDU, "fe80::1", "::", hops) for hops in (255, 254)]
