"""What concerns IPVS as a whole: alike in every plane that has it, and in these bytes to the kernel."""

import struct
from collections.abc import Callable

import pytest

from actors.core.table import AddService, Service, ServiceKey
from actors.core.whole import BACKUP, MASTER, Daemon, Timeouts
from actors.planes import DataPlane, PlaneError
from actors.planes.ipvs import IpvsPlane
from actors.planes.ipvs.whole_codec import decode_daemon, decode_timeouts
from actors.planes.memory import DryRunPlane, MemoryPlane
from actors.planes.userspace import UserspacePlane
from tests.planes.kernel import Kernel
from tests.planes.test_ipvs_wire import wire

MAKERS: list[Callable[[], DataPlane]] = [MemoryPlane, DryRunPlane, lambda: IpvsPlane(Kernel, limit=1.0)]


def opened(make: Callable[[], DataPlane]) -> DataPlane:
    plane = make()
    plane.open()
    return plane


@pytest.mark.parametrize("make", MAKERS)
class TestEveryPlane:
    def test_it_is_emptied_of_all_services(self, make: Callable[[], DataPlane]) -> None:
        plane = opened(make)
        assert plane.whole is not None
        plane.apply(AddService(Service(ServiceKey(4, fwmark=7))))
        plane.whole.flush()
        assert plane.services() == ()

    def test_timeouts_that_are_nought_stay(self, make: Callable[[], DataPlane]) -> None:
        whole = opened(make).whole
        assert whole is not None
        assert whole.timeouts() == Timeouts(900, 120, 300)
        whole.set_timeouts(Timeouts(tcp=60, udp=5))
        assert whole.timeouts() == Timeouts(60, 120, 5)

    def test_one_daemon_of_each_state_runs_at_most(self, make: Callable[[], DataPlane]) -> None:
        whole = opened(make).whole
        assert whole is not None
        assert whole.daemons() == ()
        wanted = [Daemon(MASTER, "eth0", 7, 0, 9000, 4, "ff02::99"), Daemon(BACKUP, "eth0", 7)]
        for daemon in wanted:
            whole.start(daemon)
        assert [one.is_met_by(other) for one, other in zip(wanted, whole.daemons(), strict=True)] == [True, True]
        with pytest.raises(PlaneError, match=r"^starting the sync daemon \(master\): .*one runs already"):
            whole.start(wanted[0])
        whole.stop(MASTER)
        with pytest.raises(PlaneError, match=r"^stopping the sync daemon \(master\): .*none runs"):
            whole.stop(MASTER)
        assert [daemon.state for daemon in whole.daemons()] == [BACKUP]


def test_a_plane_without_ipvs_has_none_of_it() -> None:
    assert UserspacePlane().whole is None


def test_an_interface_that_is_not_there_is_named() -> None:
    plane = IpvsPlane(Kernel, limit=1.0)
    plane.open()
    with pytest.raises(PlaneError, match=r"\(ENODEV\): there is no interface none0$"):
        plane.whole.start(Daemon(MASTER, "none0"))


def sent(deed: Callable[[IpvsPlane], None]) -> bytes:
    """The attributes of the last request, with its command before them."""
    kernel = Kernel()
    plane = IpvsPlane(lambda: kernel)
    plane.open()
    kernel.answers.append([struct.pack("<IHHIIi", 20, 2, 0, 3, 1, 0)])
    deed(plane)
    return kernel.requests[-1][16:]


@pytest.mark.parametrize(
    ("deed", "expected"),
    [
        (lambda plane: plane.whole.flush(), "11 01 0000"),
        (
            lambda plane: plane.whole.set_timeouts(Timeouts(60, 0, 5)),
            "0c 01 0000  08000400 3c000000  08000600 05000000",  # IPVS_CMD_ATTR_TIMEOUT_TCP, _UDP
        ),
        (
            lambda plane: plane.whole.start(Daemon(MASTER, "eth0", 7, 1000, 9000, 4, "224.0.0.99")),
            "09 01 0000 40000300"  # IPVS_CMD_ATTR_DAEMON, 64 bytes
            "08000100 01000000"  # STATE: master
            "09000200 65746830 00000000"  # MCAST_IFN: eth0, NUL
            "08000300 07000000"  # SYNC_ID
            "06000400 e8030000"  # SYNC_MAXLEN: 1000
            "06000700 28230000"  # MCAST_PORT: 9000
            "05000800 04000000"  # MCAST_TTL
            "08000500 e0000063",  # MCAST_GROUP
        ),
        (
            lambda plane: plane.whole.start(Daemon(BACKUP, "eth0", group="ff02::1")),
            "09 01 0000 34000300 08000100 02000000 09000200 65746830 00000000 08000300 00000000"
            "14000600 ff020000 00000000 00000000 00000001",  # MCAST_GROUP6
        ),
        (lambda plane: plane.whole.stop(BACKUP), "0a 01 0000 0c000300 08000100 02000000"),
    ],
    ids=["flush", "timeouts", "master", "backup", "stop"],
)
def test_a_deed_is_these_bytes(deed: Callable[[IpvsPlane], None], expected: str) -> None:
    assert sent(deed).hex(" ", 4) == wire(expected).hex(" ", 4)


def test_what_the_kernel_says_is_read_from_these_bytes() -> None:
    timeouts = wire("0c 01 0000 08000400 84030000 08000500 78000000 08000600 2c010000")
    assert decode_timeouts(timeouts) == Timeouts(900, 120, 300)
    daemon = wire(
        "09 01 0000 40000300 08000100 02000000 09000200 65746830 00000000 08000300 07000000"
        "06000400 c0050000 06000700 90220000 05000800 01000000 08000500 e0000051"
    )
    assert decode_daemon(daemon) == Daemon(BACKUP, "eth0", 7, 1472, 8848, 1, "224.0.0.81")


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        ("09 01 0000", "the attribute DAEMON is missing"),
        ("09 01 0000 0c000300 08000100 09000000", "the state 9 of a daemon is unknown"),
        ("09 01 0000 0c000300 08000100 01000000", "the attribute MCAST_IFN is missing"),
    ],
)
def test_an_answer_without_sense_is_named(payload: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        decode_daemon(wire(payload))
    with pytest.raises(ValueError, match="the attribute TIMEOUT_TCP is missing"):
        decode_timeouts(wire(payload))
