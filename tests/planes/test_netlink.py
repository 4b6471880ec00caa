"""Messages of rtnetlink to the byte, the table that they fill, and many requests in one datagram."""

import errno
import socket
import struct
from collections import deque
from typing import Any

import gevent
import pytest
from gevent.event import Event

from actors.planes.channel import Broken, Channel
from actors.planes.netlink.codec import Held, Link, decode_held, decode_link, encode_address
from actors.planes.netlink.table import LinkTable
from actors.planes.network import Address, LinkEvent

ETH0 = Link(2, "eth0", True, "02:00:00:00:00:01")
OWN, VIP = Held(2, "10.0.0.1", 24, True), Held(2, "10.0.0.100", 24, True)
PLAIN = 6
"""A message type, here of no meaning."""


def attribute(kind: int, value: bytes) -> bytes:
    """linux/netlink.h's nlattr, filled up to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while data:
        length, kind = struct.unpack_from("=HH", data)
        found[kind] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def number(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


LOCAL, ADDRESS, LABEL, BROADCAST, CACHE = 2, 1, 3, 4, 6  # linux/if_addr.h: IFA_*
NODAD = 0x02


@pytest.mark.parametrize(
    ("item", "head", "more"),
    [
        (Address("10.0.0.1", 24), (socket.AF_INET, 24, 0, 0), {}),
        (Address("10.0.0.1", 32, label="eth0:1"), (socket.AF_INET, 32, 0, 0), {LABEL: b"eth0:1\0"}),
        (Address("10.0.0.1", 24, scope="link", broadcast="+"), (socket.AF_INET, 24, 0, 253), "10.0.0.255"),
        (Address("10.0.0.1", 24, scope="201", broadcast="-"), (socket.AF_INET, 24, 0, 201), "10.0.0.0"),
        (Address("10.0.0.1", 24, broadcast="10.9.9.9"), (socket.AF_INET, 24, 0, 0), "10.9.9.9"),
        (Address("fd00::1", 64, label="x", broadcast="+"), (socket.AF_INET6, 64, NODAD, 0), {}),
        (
            Address("fd00::1", 128),
            (socket.AF_INET6, 128, NODAD, 0),
            {CACHE: struct.pack("=IIII", 0, 0xFFFFFFFF, 0, 0)},
        ),
    ],
)
def test_an_address_goes_to_the_kernel_as_it_is_configured(
    item: Address, head: tuple[int, ...], more: dict[int, bytes] | str
) -> None:
    payload = encode_address(item, 7)
    told = {BROADCAST: number(more)} if isinstance(more, str) else more
    own = number(item.address)
    assert struct.unpack("=BBBBI", payload[:8]) == (*head, 7)
    assert attributes(payload[8:]) == {LOCAL: own, ADDRESS: own, **told}


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        (Address("10.0.0", 24), "'10.0.0' does not appear to be an IPv4 or IPv6 address"),
        (Address("10.0.0.1", 24, scope="wide"), "'wide' is not a scope"),
        (Address("10.0.0.1", 24, scope="256"), "'256' is not a scope"),
        (Address("10.0.0.1", 24, broadcast="all"), "Expected 4 octets in 'all'"),
        (Address("10.0.0.1", 33, broadcast="+"), "'33' is not a valid netmask"),
    ],
)
def test_what_is_no_address_is_refused_by_name(item: Address, complaint: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text is what matters
        encode_address(item, 7)
    assert str(caught.value) == complaint


def link_message(family: int, flags: int, *attributes: bytes) -> bytes:
    return struct.pack("=BxHiII", family, 1, 2, flags, 0) + b"".join(attributes)


NAME, MAC = attribute(3, b"eth0\0"), attribute(1, bytes.fromhex("020000000001"))
UP, RUNNING, LOWER_UP = 0x1, 0x40, 0x10000


@pytest.mark.parametrize(
    ("message", "link"),
    [
        (link_message(0, UP | RUNNING | LOWER_UP, NAME, MAC), ETH0),
        (link_message(0, UP, NAME, MAC), Link(2, "eth0", False, "02:00:00:00:00:01")),
        (link_message(0, RUNNING, NAME), Link(2, "eth0", False, "")),
        (link_message(socket.AF_BRIDGE, UP | RUNNING, NAME, MAC), None),
    ],
)
def test_a_link_is_up_when_it_is_up_and_running(message: bytes, link: Link | None) -> None:
    assert decode_link(message) == link


@pytest.mark.parametrize(("flags", "usable"), [(0x80, True), (0x02, True), (0x40, False), (0x08, False)])
def test_an_address_under_doubt_is_not_usable(flags: int, usable: bool) -> None:
    message = struct.pack("=BBBBI", socket.AF_INET6, 64, flags, 0, 2) + attribute(ADDRESS, number("fd00::1"))
    assert decode_held(message) == Held(2, "fd00::1", 64, usable)


def test_the_own_address_of_a_point_to_point_link_is_told_not_the_peers() -> None:
    ends = attribute(ADDRESS, number("10.0.0.2")) + attribute(LOCAL, number("10.0.0.1"))
    assert decode_held(struct.pack("=BBBBI", socket.AF_INET, 32, 0, 0, 2) + ends) == Held(2, "10.0.0.1", 32, True)


def event(table: LinkTable, interface: str = "eth0") -> LinkEvent:
    return table.event(interface, table.indices().get(interface))


def told(*addresses: str, up: bool = True) -> LinkEvent:
    return LinkEvent("eth0", up, ETH0.mac, addresses)


def test_the_table_follows_links_and_addresses() -> None:
    table = LinkTable()
    assert event(table) == LinkEvent("eth0", False)
    table.put_link(ETH0)
    table.put_address(OWN)
    table.put_address(VIP)
    table.put_address(OWN)
    assert event(table) == told("10.0.0.1", "10.0.0.100"), "what is known keeps its place"
    table.drop_address(VIP)
    table.drop_address(VIP)
    assert event(table) == told("10.0.0.1")
    table.put_link(Link(2, "lan", False, ETH0.mac))
    assert (event(table), event(table, "lan").addresses) == (LinkEvent("eth0", False), ("10.0.0.1",))
    table.drop_link(2)
    table.drop_link(2)
    table.put_link(ETH0)
    assert event(table) == told(), "its addresses have gone with it"


def test_an_address_with_two_prefixes_goes_with_the_last() -> None:
    table = LinkTable()
    table.fill([ETH0], [OWN, Held(2, "10.0.0.1", 32, True)])
    assert event(table) == told("10.0.0.1")
    table.drop_address(OWN)
    assert event(table) == told("10.0.0.1")


def test_an_address_that_turns_out_to_be_anothers_is_taken_back() -> None:
    table = LinkTable()
    table.fill([ETH0], [Held(2, "fe80::1", 64, False), OWN])
    assert event(table) == told("10.0.0.1")
    table.put_address(Held(2, "fe80::1", 64, True))
    assert event(table) == told("10.0.0.1", "fe80::1")
    table.put_address(Held(2, "fe80::1", 64, False))
    assert event(table) == told("10.0.0.1")


def test_a_dump_replaces_all_and_brings_the_oldest_first() -> None:
    table = LinkTable()
    table.fill([Link(9, "old", True, "")], [Held(9, "10.9.9.9", 8, True)])
    six = [Held(2, address, 64, True) for address in ("fd00::2", "fd00::1", "fe80::100", "fe80::1")]
    table.fill([ETH0], [OWN, VIP, *six])
    assert event(table) == told("10.0.0.1", "10.0.0.100", "fe80::1", "fe80::100", "fd00::1", "fd00::2")
    assert event(table, "old") == LinkEvent("old", False)


class Wire:
    """A netlink socket whose kernel answers every request with the next of ``errors`` (0 acknowledges)."""

    def __init__(self, errors: list[int], piece: int = 1) -> None:
        self.sent: list[list[tuple[int, int, bytes]]] = []
        self._errors = deque(errors)
        self._piece = piece
        self._queue: deque[bytes] = deque()
        self.closed = False

    def send(self, data: bytes) -> None:
        requests, answers = [], []
        while data:
            length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data)
            requests.append((kind, flags, data[16:length]))
            if self._errors:
                answers.append(struct.pack("=IHHIIi", 20, 2, 0, sequence, 0, -self._errors.popleft()))
            data = data[(length + 3) & ~3 :]
        self.sent.append(requests)
        for start in range(0, len(answers), self._piece):
            self._queue.append(b"".join(answers[start : start + self._piece]))

    def recvmsg(self, size: int) -> tuple[bytes, list[Any], int, tuple[int, int]]:
        if not self._queue:
            Event().wait()
        return self._queue.popleft(), [], 0, (0, 0)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("piece", [1, 2, 3])
def test_many_requests_go_in_one_datagram_and_each_has_its_answer(piece: int) -> None:
    wire = Wire([0, errno.EEXIST, 0], piece)
    refusals = Channel(lambda: wire).ask_each(PLAIN, [b"abcde", b"", b"abcd"])
    assert wire.sent == [[(PLAIN, 5, b"abcde"), (PLAIN, 5, b""), (PLAIN, 5, b"abcd")]]
    assert [refusal and (str(refusal), refusal.number) for refusal in refusals] == [
        None,
        ("File exists (EEXIST)", errno.EEXIST),
        None,
    ]


def test_when_an_answer_is_missing_the_socket_is_not_used_again() -> None:
    wires = [Wire([0]), Wire([0, 0])]
    rest = iter(wires)
    channel = Channel(lambda: next(rest), 0.02)
    with pytest.raises(Broken, match="^no answer within 0.02 s$"):
        channel.ask_each(PLAIN, [b"", b""])
    assert wires[0].closed
    assert channel.ask_each(PLAIN, [b"", b""]) == [None, None]


def test_a_request_whose_greenlet_is_killed_leaves_room_for_the_next() -> None:
    wires = [Wire([]), Wire([0])]
    rest = iter(wires)
    channel = Channel(lambda: next(rest))
    killed = gevent.spawn(channel.ask_each, PLAIN, [b""])
    gevent.idle()
    killed.kill()
    assert channel.ask_each(PLAIN, [b""]) == [None]
    assert wires[0].closed
