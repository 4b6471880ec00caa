"""The bytes on the wire, written out by hand from linux/netlink.h, linux/genetlink.h and linux/ip_vs.h.

Numbers are little endian, as on the machines that run this; addresses and ports are in network order.
"""

import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.generic.ipvs import ipvsmsg

from actors.core.table import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Destination,
    Edit,
    EditDestination,
    EditService,
    Load,
    Pool,
    Service,
    ServiceKey,
    Tunnel,
)
from actors.planes.ipvs import IpvsPlane, codec
from actors.planes.ipvs.codec import HOLES, decode_destination, decode_load, decode_service
from actors.planes.ipvs.messages import encode
from tests.planes.kernel import Kernel

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the bytes are written for little endian")

WEB = ServiceKey(4, "10.0.0.1", 80, "tcp")
DNS = ServiceKey(6, "2001:db8::1", 53, "udp")
MARK = ServiceKey(6, fwmark=7)

IDENTITY_OF_WEB = """
    06000100 02000000                                     # IPVS_SVC_ATTR_AF: AF_INET, 2 bytes of padding
    06000200 06000000                                     # IPVS_SVC_ATTR_PROTOCOL: TCP
    14000300 0a000001 00000000 00000000 00000000          # IPVS_SVC_ATTR_ADDR: 10.0.0.1 in a 16 byte nf_inet_addr
    06000400 00500000                                     # IPVS_SVC_ATTR_PORT: 80
"""
IDENTITY_OF_DNS = """
    06000100 0a000000                                     # IPVS_SVC_ATTR_AF: AF_INET6
    06000200 11000000                                     # IPVS_SVC_ATTR_PROTOCOL: UDP
    14000300 20010db8 00000000 00000000 00000001          # IPVS_SVC_ATTR_ADDR: 2001:db8::1
    06000400 00350000                                     # IPVS_SVC_ATTR_PORT: 53
"""
SERVER = """
    14000100 0a000101 00000000 00000000 00000000          # IPVS_DEST_ATTR_ADDR: 10.0.1.1
    06000200 1f900000                                     # IPVS_DEST_ATTR_PORT: 8080
    06000b00 02000000                                     # IPVS_DEST_ATTR_ADDR_FAMILY: AF_INET
"""


def wire(text: str) -> bytes:
    return b"".join(bytes.fromhex(line.partition("#")[0]) for line in text.splitlines())


def request(command: int, length: int, *parts: str) -> bytes:
    """A whole edit of IPVS, the third over a fresh socket: frame, then ``parts``."""
    frame = struct.pack("<I", length) + wire(
        """
        1e00                                              # nlmsg_type: the family's number
        0500                                              # nlmsg_flags: NLM_F_REQUEST | NLM_F_ACK
        03000000                                          # nlmsg_seq: after GETFAMILY and GET_INFO
        00000000                                          # nlmsg_pid: the kernel
        """
    )
    return frame + struct.pack("<BBH", command, 1, 0) + b"".join(wire(part) for part in parts)


EDITS: list[tuple[str, Edit, bytes]] = [
    (
        "an IPv4 service with everything",
        AddService(Service(WEB, "sh", ("sh-port", "ops"), 360, 24, "sip")),
        request(
            1, 112,                                       # IPVS_CMD_NEW_SERVICE
            "5c000100",                                   # IPVS_CMD_ATTR_SERVICE, 92 bytes
            IDENTITY_OF_WEB,
            "07000600 73680000",                          # IPVS_SVC_ATTR_SCHED_NAME: sh, NUL, 1 byte of padding
            "0c000700 15000000 ffffffff",                 # IPVS_SVC_ATTR_FLAGS: PERSISTENT|ONEPACKET|SCHED2, mask
            "08000800 68010000",                          # IPVS_SVC_ATTR_TIMEOUT: 360
            "08000900 ffffff00",                          # IPVS_SVC_ATTR_NETMASK: 255.255.255.0
            "08000b00 73697000",                          # IPVS_SVC_ATTR_PE_NAME: sip
        ),
    ),
    (
        "an IPv6 service, plain",
        EditService(Service(DNS, "wlc")),
        request(
            2, 104,                                       # IPVS_CMD_SET_SERVICE
            "54000100",                                   # IPVS_CMD_ATTR_SERVICE, 84 bytes
            IDENTITY_OF_DNS,
            "08000600 776c6300",                          # IPVS_SVC_ATTR_SCHED_NAME: wlc
            "0c000700 00000000 ffffffff",                 # IPVS_SVC_ATTR_FLAGS: none
            "08000800 00000000",                          # IPVS_SVC_ATTR_TIMEOUT: 0
            "08000900 80000000",                          # IPVS_SVC_ATTR_NETMASK: prefix length 128
        ),
    ),
    (
        "a firewall mark",
        AddService(Service(MARK, "mh", ("mh-fallback", "mh-port", "flag-3"), 50, 64)),
        request(
            1, 76,
            "38000100",                                   # IPVS_CMD_ATTR_SERVICE, 56 bytes
            "06000100 0a000000",                          # IPVS_SVC_ATTR_AF: AF_INET6
            "08000500 07000000",                          # IPVS_SVC_ATTR_FWMARK: 7; no protocol, address, port
            "07000600 6d680000",                          # IPVS_SVC_ATTR_SCHED_NAME: mh
            "0c000700 39000000 ffffffff",                 # IPVS_SVC_ATTR_FLAGS: PERSISTENT|SCHED1|SCHED2|SCHED3
            "08000800 32000000",                          # IPVS_SVC_ATTR_TIMEOUT: 50
            "08000900 40000000",                          # IPVS_SVC_ATTR_NETMASK: prefix length 64
        ),
    ),
    (
        "the removal of a service",
        DeleteService(WEB),
        request(3, 68, "30000100", IDENTITY_OF_WEB),      # IPVS_CMD_DEL_SERVICE, attribute of 48 bytes
    ),
    (
        "a server reached by direct routing",
        AddDestination(WEB, Destination("10.0.1.1", 8080, 100, "DR", 20, 10)),
        request(
            5, 140, "30000100", IDENTITY_OF_WEB,          # IPVS_CMD_NEW_DEST
            "48000200",                                   # IPVS_CMD_ATTR_DEST, 72 bytes
            SERVER,
            "08000300 03000000",                          # IPVS_DEST_ATTR_FWD_METHOD: IP_VS_CONN_F_DROUTE
            "08000400 64000000",                          # IPVS_DEST_ATTR_WEIGHT: 100
            "08000500 14000000",                          # IPVS_DEST_ATTR_U_THRESH: 20
            "08000600 0a000000",                          # IPVS_DEST_ATTR_L_THRESH: 10
        ),
    ),
    (
        "an IPv4 server of an IPv6 service, tunnelled, draining",
        EditDestination(DNS, Destination("10.0.1.1", 8080, 0, "TUN")),
        request(
            6, 140, "30000100", IDENTITY_OF_DNS,          # IPVS_CMD_SET_DEST
            "48000200",
            SERVER,
            "08000300 02000000",                          # IPVS_DEST_ATTR_FWD_METHOD: IP_VS_CONN_F_TUNNEL
            "08000400 00000000",                          # IPVS_DEST_ATTR_WEIGHT: 0
            "08000500 00000000",
            "08000600 00000000",
        ),
    ),
    (
        "a server behind a tunnel in UDP",
        AddDestination(WEB, Destination("10.0.1.1", 8080, 1, "TUN", tunnel=Tunnel("gue", 6080, "remcsum"))),
        request(
            5, 164, "30000100", IDENTITY_OF_WEB,
            "60000200",
            SERVER,
            "08000300 02000000",                          # IPVS_DEST_ATTR_FWD_METHOD: IP_VS_CONN_F_TUNNEL
            "08000400 01000000",
            "08000500 00000000",
            "08000600 00000000",
            "05000d00 01000000",                          # IPVS_DEST_ATTR_TUN_TYPE: GUE, 3 bytes of padding
            "06000e00 17c00000",                          # IPVS_DEST_ATTR_TUN_PORT: 6080, in the network's order
            "06000f00 02000000",                          # IPVS_DEST_ATTR_TUN_FLAGS: REMCSUM
        ),
    ),
    (
        "a service that follows calls of SIP",
        AddService(Service(WEB, "rr", (), 60, None, "sip")),
        request(
            1, 112,
            "5c000100", IDENTITY_OF_WEB,
            "07000600 72720000",                          # IPVS_SVC_ATTR_SCHED_NAME: rr
            "0c000700 01000000 ffffffff",                 # IPVS_SVC_ATTR_FLAGS: PERSISTENT
            "08000800 3c000000",
            "08000900 ffffffff",
            "08000b00 73697000",                          # IPVS_SVC_ATTR_PE_NAME: sip
        ),
    ),
    (
        "the removal of a server",
        DeleteDestination(WEB, Destination("10.0.1.1", 8080)),
        request(7, 108, "30000100", IDENTITY_OF_WEB, "28000200", SERVER),  # IPVS_CMD_DEL_DEST
    ),
]  # fmt: skip


@pytest.mark.parametrize(("what", "edit", "expected"), EDITS, ids=[what for what, _, _ in EDITS])
def test_an_edit_is_these_bytes(what: str, edit: Edit, expected: bytes) -> None:
    kernel = Kernel()
    plane = IpvsPlane(lambda: kernel)
    plane.open()
    kernel.answers.append([struct.pack("<IHHIIi", 20, 2, 0, 3, 1, 0)])  # NLMSG_ERROR with 0: done
    plane.apply(edit)
    assert kernel.requests[-1].hex(" ", 4) == expected.hex(" ", 4)


def test_opening_asks_for_the_family_then_whether_it_may() -> None:
    kernel = Kernel()
    IpvsPlane(lambda: kernel).open()
    assert [request.hex(" ", 4) for request in kernel.requests] == [
        wire(
            """
            20000000 1000 0500 01000000 00000000          # GENL_ID_CTRL, NLM_F_REQUEST | NLM_F_ACK, the first
            03 01 0000                                    # CTRL_CMD_GETFAMILY, version 1
            09000200 49505653 00000000                    # CTRL_ATTR_FAMILY_NAME: IPVS, NUL, 3 bytes of padding
            """
        ).hex(" ", 4),
        wire(
            """
            14000000 1e00 0500 02000000 00000000          # the family's number, the second
            0f 01 0000                                    # IPVS_CMD_GET_INFO, version 1
            """
        ).hex(" ", 4),
    ]


def test_reading_asks_for_the_service_and_for_a_dump_of_its_servers() -> None:
    kernel = Kernel()
    plane = IpvsPlane(lambda: kernel)
    plane.open()
    plane.apply(AddService(Service(WEB)))
    plane.read(WEB)
    frame = "44000000 1e00 {flags} {turn}000000 00000000 {command}010000 30000100"
    expected = [("04", "0500", "04"), ("08", "0103", "05")]  # GET_SERVICE; GET_DEST with NLM_F_DUMP
    assert [request.hex(" ", 4) for request in kernel.requests[-2:]] == [
        (wire(frame.format(command=command, flags=flags, turn=turn)) + wire(IDENTITY_OF_WEB)).hex(" ", 4)
        for command, flags, turn in expected
    ]


def test_a_service_is_read_from_these_bytes() -> None:
    payload = wire(
        """
        01 01 0000                                        # IPVS_CMD_NEW_SERVICE, version 1
        5c000100                                          # IPVS_CMD_ATTR_SERVICE, 92 bytes
        06000100 02000000
        06000200 06000000
        14000300 0a000001 00000000 00000000 00000000
        06000400 00500000
        08000600 77727200                                 # IPVS_SVC_ATTR_SCHED_NAME: wrr
        08000b00 73697000                                 # IPVS_SVC_ATTR_PE_NAME: sip
        0c000700 0f000000 ffffffff                        # PERSISTENT | HASHED | ONEPACKET | SCHED1
        08000800 2c010000                                 # 300 s
        08000900 ffff0000                                 # 255.255.0.0
        """
    )
    assert decode_service(payload) == Service(WEB, "wrr", ("ops", "flag-1"), 300, 16, "sip")


@pytest.mark.parametrize(
    ("scheduler", "flags"),
    [("7368", ("sh-fallback", "sh-port")), ("6d68", ("mh-fallback", "mh-port")), ("7272", ("flag-1", "flag-2"))],
)
def test_flags_are_named_as_their_scheduler_has_them(scheduler: str, flags: tuple[str, ...]) -> None:
    payload = wire(
        f"""
        01 01 0000
        38000100
        06000100 0a000000
        08000500 07000000
        07000600 {scheduler}0000
        0c000700 1a000000 ffffffff
        08000800 3c000000                                 # a timeout without PERSISTENT means nothing
        08000900 80000000
        """
    )
    assert decode_service(payload) == Service(MARK, bytes.fromhex(scheduler).decode(), flags)


DESTINATION = """
    05 01 0000                                            # IPVS_CMD_NEW_DEST, version 1
    {size} 0200                                           # IPVS_CMD_ATTR_DEST
    14000100 0a000100 00000000 00000000 00000000          # 10.0.1.0
    06000200 00500000
    08000300 {method}                                     # IPVS_DEST_ATTR_FWD_METHOD
    08000400 05000000                                     # weight 5
    08000500 64000000                                     # upper threshold 100
    08000600 50000000                                     # lower threshold 80
    08000700 03000000                                     # IPVS_DEST_ATTR_ACTIVE_CONNS
    08000800 02000000                                     # IPVS_DEST_ATTR_INACT_CONNS
    08000900 01000000                                     # IPVS_DEST_ATTR_PERSIST_CONNS
"""
STATS64 = """
    06000b00 02000000                                     # IPVS_DEST_ATTR_ADDR_FAMILY
    40000c00                                              # IPVS_DEST_ATTR_STATS64
    0c000100 01000000 01000000                            # connections: 2^32 + 1
    0c000200 02000000 01000000                            # packets in
    0c000300 03000000 01000000                            # packets out
    0c000400 04000000 01000000                            # bytes in
    0c000500 05000000 01000000                            # bytes out
"""


@pytest.mark.parametrize(
    ("attributes", "tunnel"),
    [
        ("05000d00 00000000 06000e00 00000000 06000f00 00000000", Tunnel()),
        ("05000d00 01000000 06000e00 17c00000 06000f00 01000000", Tunnel("gue", 6080, "csum")),
        ("05000d00 02000000 06000e00 00000000 06000f00 00000000", Tunnel("gre")),
        ("05000d00 07000000 06000e00 00000000 06000f00 04000000", Tunnel("7", 0, "4")),
    ],
)
def test_a_tunnel_is_read_from_these_bytes(attributes: str, tunnel: Tunnel) -> None:
    payload = wire(DESTINATION.format(size="7000", method="02000000")) + wire(attributes)
    assert decode_destination(payload, 4) == Destination("10.0.1.0", 80, 5, "TUN", 100, 80, tunnel)


@pytest.mark.parametrize(
    ("method", "name"),
    [("00000000", "NAT"), ("01000000", "LOCAL"), ("02000000", "TUN"), ("03000000", "DR"), ("04000000", "BYPASS"),
     ("83010000", "DR")],
)  # fmt: skip
def test_a_server_and_its_load_are_read_from_these_bytes(method: str, name: str) -> None:
    payload = wire(DESTINATION.format(size="a000", method=method)) + wire(STATS64)
    assert decode_load(payload, 6) == (
        Destination("10.0.1.0", 80, 5, name, 100, 80),
        Load(3, 2, 1, 2**32 + 1, 2**32 + 2, 2**32 + 3, 2**32 + 4, 2**32 + 5),
    )


def test_a_server_of_an_old_kernel_has_its_services_family_and_no_totals() -> None:
    payload = wire(DESTINATION.format(size="5800", method="00000000"))
    assert decode_load(payload, 4) == (Destination("10.0.1.0", 80, 5, "NAT", 100, 80), Load(3, 2, 1))
    assert decode_destination(payload, 4) == Destination("10.0.1.0", 80, 5, "NAT", 100, 80)


def marked(rest: str) -> bytes:
    """A reply about the mark 7 of IPv4, scheduled by rr, 60 s; ``rest`` are its last attributes."""
    attributes = wire("06000100 02000000 08000500 07000000 07000600 72720000 08000800 3c000000" + rest)
    return wire("01 01 0000") + struct.pack("=HH", 4 + len(attributes), 1) + attributes


@pytest.mark.parametrize(
    ("mask", "prefix"),
    [("ff00ff00", HOLES), ("00ffffff", HOLES), ("00000000", 0), ("ff000000", 8), ("fffffffe", 31), ("ffffffff", None)],
)
def test_a_netmask_with_holes_is_no_prefix(mask: str, prefix: int | None) -> None:
    service = Service(ServiceKey(4, fwmark=7), "rr", (), 60, prefix)
    assert decode_service(marked(f"0c000700 01000000 ffffffff 08000900 {mask}")) == service


@pytest.mark.parametrize(
    ("rest", "complaint"),
    [
        ("08000900 ffffffff 04000700", "the attribute FLAGS cannot be decoded"),
        ("08000900 ffffffff 08000700 01000000", "the attribute FLAGS cannot be decoded"),
        ("0c000700 01000000 ffffffff 06000900 ffff", "a netmask of 2 bytes"),
        ("0c000700 01000000 ffffffff", "the attribute NETMASK is missing"),
    ],
)
def test_an_attribute_that_is_cut_off_is_named(rest: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        decode_service(marked(rest))


def test_what_was_read_compares_equal_to_what_was_written() -> None:
    kernel = Kernel()
    plane = IpvsPlane(lambda: kernel)
    plane.open()
    service, server = Service(MARK, "mh", ("mh-port",), 50, 64), Destination("::ffff:10.0.0.1", 0, 3, "TUN", 9, 4)
    plane.apply(AddService(service))
    plane.apply(AddDestination(MARK, server))
    assert plane.read(MARK) == Pool(service, (server,))
    assert plane.loads(MARK).servers[server.key] == Load(3, 2, 1, *(turn * 10**10 for turn in range(1, 11)))


@given(
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 65535),
    st.sampled_from(["gue", "gre"]),
    st.sampled_from(["10.0.1.1", "255.0.0.1"]),
)
def test_pyroute2_reads_a_server_as_it_was_written(
    weight: int, upper: int, port: int, tunnel: str, address: str
) -> None:
    server = Destination(address, port, weight, "TUN", upper, 0, Tunnel(tunnel, port, "csum"))
    payload = encode(5, codec.identity(WEB), codec.destination_attributes(server))
    message = ipvsmsg(struct.pack("=IHHII", 16 + len(payload), 0, 0, 0, 0) + payload)
    message.decode()
    service, found = (message.get_attr(f"IPVS_CMD_ATTR_{name}") for name in ("SERVICE", "DEST"))
    assert (message["cmd"], service.get_attr("IPVS_SVC_ATTR_PORT")) == (5, 80)
    read = [
        found.get_attr(f"IPVS_DEST_ATTR_{name}") for name in ("PORT", "WEIGHT", "U_THRESH", "TUN_TYPE", "TUN_FLAGS")
    ]
    assert read == [port, weight, upper, {"gue": 1, "gre": 2}[tunnel], 1]


@pytest.mark.parametrize("weight", [-1, 2**32])
def test_a_number_that_its_attribute_cannot_hold_is_refused(weight: int) -> None:
    with pytest.raises(ValueError, match="^a number is out of range: "):
        encode(5, codec.identity(WEB), codec.destination_attributes(Destination("10.0.1.1", 80, weight)))
