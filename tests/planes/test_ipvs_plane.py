"""The IPVS plane when the kernel is absent, unwilling, late, or talks nonsense."""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.table import (
    AddDestination,
    AddService,
    Destination,
    EditService,
    Load,
    Service,
    ServiceKey,
    Tunnel,
    in_use,
)
from actors.planes import PlaneError, PlaneUnavailable
from actors.planes.channel import Channel, Refused, frames
from actors.planes.ipvs import IpvsPlane, _missing
from actors.planes.ipvs.codec import decode_load, decode_service
from tests.planes.kernel import (
    DONE,
    ERROR,
    FAMILY,
    GET_INFO,
    GET_SERVICE,
    MULTI,
    NEW_DEST,
    NEW_SERVICE,
    Kernel,
    message,
)

WEB = ServiceKey(4, "10.0.0.1", 80, "tcp")
SERVER = Destination("10.0.1.1", 80)
FIRST = 3
"""Sequence number of the first request after the two of `open`."""


def opened(kernel: Kernel, limit: float = 0.02) -> IpvsPlane:
    plane = IpvsPlane(lambda: kernel, limit)
    plane.open()
    return plane


def why_unavailable(connect: Callable[[], object]) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(PlaneUnavailable) as caught:
        IpvsPlane(connect, 0.02).open()
    return str(caught.value), caught.value.remedies


def test_without_the_family_the_module_is_missing() -> None:
    kernel = Kernel()
    kernel.has_ipvs = False
    reason, remedies = why_unavailable(lambda: kernel)
    assert reason.startswith("IPVS is not in the running kernel: ")
    assert remedies == (
        "load the kernel module: modprobe ip_vs",
        "or let this program carry the traffic itself: `dataplane userspace` in global_defs",
    )
    assert kernel.is_closed


def test_without_the_right_it_is_said_which() -> None:
    kernel = Kernel()
    kernel.refuse[GET_INFO] = errno.EPERM
    assert why_unavailable(lambda: kernel) == (
        "IPVS: Operation not permitted (EPERM): CAP_NET_ADMIN is missing",
        (
            "run as root, or give the program CAP_NET_ADMIN",
            "or let this program carry the traffic itself: `dataplane userspace` in global_defs",
        ),
    )


def test_without_a_netlink_socket_it_is_said_why() -> None:
    def refused() -> object:
        raise OSError(errno.EAFNOSUPPORT, "no")

    reason, _ = why_unavailable(refused)
    assert reason == "IPVS: no netlink socket: Address family not supported by protocol (EAFNOSUPPORT)"


def test_a_silent_kernel_is_not_waited_for_for_ever() -> None:
    kernel = Kernel()
    kernel.answers.append(None)
    assert why_unavailable(lambda: kernel)[0] == "IPVS does not answer as it should: no answer within 0.02 s"


def test_a_module_that_waits_to_be_loaded_is_told_from_one_that_is_not_there(tmp_path: Path) -> None:
    release = os.uname().release
    assert _missing(tmp_path) == f"no module ip_vs was found for {release} under {tmp_path}"
    (tmp_path / release).mkdir()
    (tmp_path / release / "modules.dep").write_text("kernel/net/netfilter/ipvs/ip_vs.ko.xz: x.ko\n")
    assert _missing(tmp_path) == f"the module ip_vs is there for {release}, but not loaded"


def test_a_real_kernel_knows_its_own_control_family() -> None:
    channel = Channel()
    assert channel.family("nlctrl") == 0x10
    with pytest.raises(Refused, match=r"ENOENT"):
        channel.family("nosuch")
    channel.close()


def test_a_plane_that_is_not_open_says_so() -> None:
    with pytest.raises(PlaneError, match=r"^adding service 10.0.0.1:80:tcp: the plane is not open$"):
        IpvsPlane(Kernel).apply(AddService(Service(WEB)))


@pytest.mark.parametrize("number", [errno.EPERM, errno.EINVAL, errno.EBUSY, errno.ENOMEM, errno.ENOBUFS, 3999])
def test_an_errno_is_told_with_what_was_tried_and_the_next_edit_works(number: int) -> None:
    kernel = Kernel()
    plane = opened(kernel)
    kernel.refuse[NEW_SERVICE] = number
    with pytest.raises(PlaneError) as caught:
        plane.apply(AddService(Service(WEB)))
    name = errno.errorcode.get(number, number)
    assert str(caught.value) == f"adding service 10.0.0.1:80:tcp: {os.strerror(number)} ({name})"
    kernel.refuse.clear()
    plane.apply(AddService(Service(WEB)))
    assert plane.services() == (WEB,)


def test_an_unknown_scheduler_is_told_from_a_missing_server() -> None:
    plane = opened(Kernel())
    plane.apply(AddService(Service(WEB)))
    with pytest.raises(PlaneError, match=r"\(ENOENT\): the kernel has no module ip_vs_best, or ip_vs_pe_sip$"):
        plane.apply(EditService(Service(WEB, "best", persistence_engine="sip")))


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (AddService(Service(ServiceKey(4, "10.0.0.300", 80, "tcp"))), "'10.0.0.300' is not an IPv4 address"),
        (AddService(Service(ServiceKey(6, "10.0.0.1", 80, "tcp"))), "'10.0.0.1' is not an IPv6 address"),
        (AddService(Service(ServiceKey(4, "10.0.0.1", 80, "dccp"))), "the protocol 'dccp' is none of tcp, udp, sctp"),
        (AddService(Service(ServiceKey(4, "10.0.0.1", 65536, "tcp"))), "a number is out of range"),
        (AddService(Service(WEB, flags=("fast",))), "there is no flag 'fast'"),
        (AddService(Service(WEB, persistence_prefix=33)), "an IPv4 prefix has at most 32 bits, not 33"),
        (AddDestination(WEB, Destination("10.0.1.1", 80, -1)), "a number is out of range"),
        (AddDestination(WEB, Destination("10.0.1.1", 80, tunnel=Tunnel("vxlan"))), "there is no tunnel vxlan"),
        (AddDestination(WEB, Destination("10.0.1.1", 80, method="MASQ")), "the forwarding method 'MASQ' is none of"),
    ],
)
def test_what_ipvs_has_no_word_for_is_refused_before_it_is_sent(edit: AddService, complaint: str) -> None:
    kernel = Kernel()
    plane = opened(kernel)
    with pytest.raises(PlaneError) as caught:
        plane.apply(edit)
    assert complaint in str(caught.value)
    assert len(kernel.requests) == 2


def ack(sequence: int) -> bytes:
    return message(ERROR, 0, sequence, struct.pack("=i", 0))


BAD = {
    "silence": (None, "no answer within 0.02 s"),
    "a cut header": ([b"\x14\0\0"], "the answer ends within a header"),
    "a cut message": ([ack(FIRST)[:-2]], "the answer holds 18 bytes of a message of 20"),
    "a length of nothing": ([struct.pack("=IHHII", 0, FAMILY, 0, FIRST, 0)], "bytes of a message of 0"),
    "an error of no number": ([message(ERROR, 0, FIRST, b"")], "the answer ends within an error"),
    "an overrun": ([message(4, 0, FIRST, b"")], "a part of the answer was lost"),
    "only another's answer": ([ack(FIRST + 1), ack(FIRST - 1)], "no answer within 0.02 s"),
    "only another family's": ([message(0x1F, 0, FIRST, b"")], "no answer within 0.02 s"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_answer_is_an_error_and_the_next_request_works(what: str) -> None:
    datagrams, complaint = BAD[what]
    kernel = Kernel()
    plane = opened(kernel)
    kernel.answers.append(datagrams)
    with pytest.raises(PlaneError) as caught:
        plane.apply(AddService(Service(WEB)))
    assert str(caught.value).startswith("adding service 10.0.0.1:80:tcp: ")
    assert complaint in str(caught.value)
    plane.apply(AddService(Service(WEB)))
    assert plane.services() == (WEB,)


def test_an_answer_that_comes_too_late_is_skipped() -> None:
    kernel = Kernel()
    plane = opened(kernel)
    kernel.answers.append(None)
    with pytest.raises(PlaneError, match="no answer"):
        plane.apply(AddService(Service(WEB)))
    kernel.queue([message(ERROR, 0, FIRST, struct.pack("=i", -errno.EINVAL))])
    plane.apply(AddService(Service(WEB)))
    assert plane.services() == (WEB,)


def test_another_process_on_the_socket_is_not_believed() -> None:
    kernel = Kernel()
    plane = opened(kernel)
    kernel.queue([message(ERROR, 0, FIRST, struct.pack("=i", -errno.EINVAL))], sender=4711)
    plane.apply(AddService(Service(WEB)))
    assert plane.services() == (WEB,)


def test_a_datagram_that_did_not_fit_is_an_error() -> None:
    kernel = Kernel()
    plane = opened(kernel)
    kernel.answers.append(None)
    kernel.queue([ack(FIRST)], flags=socket.MSG_TRUNC)
    with pytest.raises(PlaneError, match=r"was cut off$"):
        plane.apply(AddService(Service(WEB)))


def test_a_dump_over_many_datagrams_is_read_whole() -> None:
    plane = opened(Kernel(), 5.0)
    plane.apply(AddService(Service(WEB)))
    servers = {Destination(f"10.0.{turn // 250}.{turn % 250}", 80, turn) for turn in range(600)}
    for server in servers:
        plane.apply(AddDestination(WEB, server))
    pool = plane.read(WEB)
    assert pool is not None
    assert (pool.service, set(pool.destinations)) == (Service(WEB), servers)


def test_the_rest_of_a_dump_that_broke_does_not_stand_in_the_way_of_the_next() -> None:
    kernel = Kernel()
    plane = opened(kernel)
    plane.apply(AddService(Service(WEB)))
    kernel.queue([b"\x14\0\0"])
    with pytest.raises(PlaneError, match="the answer ends within a header"):
        plane.services()
    assert plane.services() == (WEB,)


def test_a_greenlet_that_is_killed_while_it_waits_leaves_nothing_to_the_next() -> None:
    kernel = Kernel()
    plane = opened(kernel, 5.0)
    kernel.answers.append(None)
    killed = gevent.spawn(plane.services)
    gevent.idle()
    kernel.queue([message(DONE, MULTI, FIRST, b"")])
    killed.kill()
    assert (plane.services(), kernel.is_closed) == ((), True)


def test_a_socket_that_fails_is_replaced_and_an_errno_keeps_it() -> None:
    made: list[Kernel] = []

    def connect() -> Kernel:
        made.append(Kernel())
        return made[-1]

    plane = IpvsPlane(connect, 0.02)
    plane.open()
    made[0].refuse[NEW_SERVICE] = errno.EINVAL
    with pytest.raises(PlaneError, match="EINVAL"):
        plane.apply(AddService(Service(WEB)))
    assert (len(made), made[0].is_closed) == (1, False)
    made[0].answers.append(None)
    with pytest.raises(PlaneError, match="no answer"):
        plane.services()
    assert (len(made), made[0].is_closed) == (1, True)
    assert (plane.services(), len(made), made[1].is_closed) == ((), 2, False)


@pytest.mark.parametrize("number", [errno.EINTR, errno.ENOMEM])
def test_a_dump_that_ends_in_an_error_is_not_taken_for_the_whole(number: int) -> None:
    kernel = Kernel()
    plane = opened(kernel)
    kernel.answers.append([message(DONE, MULTI, FIRST, struct.pack("=i", -number))])
    with pytest.raises(PlaneError, match=errno.errorcode[number]):
        plane.services()


def test_an_answer_without_the_service_is_an_error() -> None:
    kernel = Kernel()
    plane = opened(kernel)
    kernel.answers.append([ack(FIRST)])
    with pytest.raises(PlaneError, match="^reading service 10.0.0.1:80:tcp: the kernel gave no answer$"):
        plane.read(WEB)


def test_a_service_that_lacks_an_attribute_is_an_error_that_names_it() -> None:
    kernel = Kernel()
    plane = opened(kernel)
    payload = struct.pack("=BBH", NEW_SERVICE, 1, 0) + bytes.fromhex("0c000100 06000100 02000000")
    kernel.answers.append([message(FAMILY, 0, FIRST, payload) + ack(FIRST)])
    with pytest.raises(PlaneError, match="is not understood: the attribute .* is missing$"):
        plane.read(WEB)


def test_greenlets_that_ask_at_once_get_each_its_own_answer() -> None:
    plane = opened(Kernel(), 5.0)
    keys = [ServiceKey(4, "10.0.0.1", port, "tcp") for port in range(1, 40)]
    for key in keys:
        plane.apply(AddService(Service(key)))
    readers = [gevent.spawn(plane.read, key) for key in keys]
    gevent.joinall(readers, timeout=5, raise_error=True)
    assert [reader.value.service.key for reader in readers] == keys


def test_connections_are_the_active_ones_for_datagrams_the_flows_for_marks_both() -> None:
    plane = opened(Kernel())
    dns, mark = ServiceKey(4, "10.0.0.1", 53, "udp"), ServiceKey(4, fwmark=7)
    for key in (WEB, dns, mark):
        plane.apply(AddService(Service(key)))
        plane.apply(AddDestination(key, SERVER))
    assert [in_use(key, plane.loads(key).servers[SERVER.key]) for key in (WEB, dns, mark)] == [3, 2, 5]
    assert plane.loads(WEB).total == Load(3, 2, 1)


def test_a_refused_reading_is_not_taken_for_an_absent_service() -> None:
    kernel = Kernel()
    plane = opened(kernel)
    kernel.refuse[GET_SERVICE] = errno.EPERM
    with pytest.raises(PlaneError, match=r"^reading service 10.0.0.1:80:tcp: Operation not permitted \(EPERM\)$"):
        plane.read(WEB)


@given(st.binary(max_size=200))
def test_no_datagram_raises_anything_but_a_refusal(data: bytes) -> None:
    with contextlib.suppress(Refused):
        list(frames(data))


@given(st.binary(max_size=200), st.sampled_from([0x0001, 0x0002]))
def test_no_payload_raises_anything_but_a_value_error(data: bytes, attribute: int) -> None:
    payload = struct.pack("=BBHHH", NEW_DEST, 1, 0, 4 + len(data), attribute) + data
    for decode in (decode_service, lambda given: decode_load(given, 4)):
        with contextlib.suppress(ValueError):
            decode(payload)
