"""The filter that spares a router the adverts of others, judged by the kernel; and reading without a network."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.planes import PlaneError
from actors.planes.network import Endpoint
from actors.planes.wire import RawWire
from actors.planes.wire.listener import is_group
from actors.planes.wire.sockets import NOTHING, attach, vrid_program
from tests.packets import over4

VRIDS = st.integers(1, 255)
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Two ends of a datagram socket: the filter of the second sees the very bytes that the first has sent."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    other.setblocking(False)
    with one, other:
        yield one, other


def packet(family: int, vrid: int, options: bytes = b"") -> bytes:
    """What a raw socket's filter sees: with IPv4 the header too, here with ``options``."""
    pdu = bytes([0x31, vrid]) + bytes(18)
    if family == 6:
        return pdu
    header = over4(b"")
    return bytes([0x45 + len(options) // 4]) + header[1:] + options + pdu


def passed(pair: Pair, packets: list[bytes]) -> list[bytes]:
    for each in packets:
        pair[0].send(each)
    found = []
    while True:
        try:
            found.append(pair[1].recv(100))
        except BlockingIOError:
            return found


@given(wanted=st.sets(VRIDS), sent=st.lists(VRIDS, max_size=8), family=st.sampled_from((4, 6)))
def test_the_filter_passes_the_wanted_vrids_alone(pair: Pair, wanted: set[int], sent: list[int], family: int) -> None:
    attach(pair[1], vrid_program(family, wanted))
    packets = {vrid: packet(family, vrid) for vrid in sent}
    assert passed(pair, [packets[vrid] for vrid in sent]) == [packets[vrid] for vrid in sent if vrid in wanted]


@pytest.mark.parametrize("family", [4, 6])
def test_a_filter_of_every_vrid_there_is_fits(pair: Pair, family: int) -> None:
    attach(pair[1], vrid_program(family, range(1, 256)))
    packets = [packet(family, vrid) for vrid in (1, 128, 255)]
    assert passed(pair, packets) == packets


def test_the_vrid_is_found_behind_the_options_of_an_ipv4_header(pair: Pair) -> None:
    attach(pair[1], vrid_program(4, {51}))
    options = bytes([51] * 8)
    assert passed(pair, [packet(4, 52, options), packet(4, 51, options)]) == [packet(4, 51, options)]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("wanted", [{51}, range(1, 256)])
def test_what_can_be_no_routers_is_passed_to_be_counted(pair: Pair, family: int, wanted: set[int]) -> None:
    attach(pair[1], vrid_program(family, wanted))
    header = 20 if family == 4 else 0
    nobodys = [
        packet(family, 0),
        packet(family, 51)[: header + 1],
        packet(family, 51)[:header],
        packet(family, 51, bytes(4))[:-19],
    ]
    assert passed(pair, nobodys) == nobodys


def test_no_filter_is_left_open_while_a_socket_is_made(pair: Pair) -> None:
    attach(pair[1], NOTHING)
    assert passed(pair, [packet(4, 51)]) == []


@pytest.mark.parametrize(
    ("address", "group"),
    [("224.0.0.18", True), ("ff02::12", True), ("10.0.0.1", False), ("fe80::1", False), ("2001:db8::1", False)],
)
def test_a_group_is_told_from_a_peer(address: str, group: bool) -> None:
    assert is_group(address) is group


def test_what_is_not_open_can_be_closed_and_drained_but_not_sent_on() -> None:
    wire, endpoint = RawWire(), Endpoint("eth0", 4, 51, ("224.0.0.18",))
    wire.close(endpoint)
    wire.drain(endpoint)
    wire.stop()
    with pytest.raises(PlaneError, match="^sending on eth0: VRRP 51 is not open$"):
        wire.send(endpoint, "224.0.0.18", b"")
