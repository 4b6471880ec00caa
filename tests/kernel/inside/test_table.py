"""The table that a real kernel holds after our edits, told by ipvsadm; and back, what ipvsadm made, as we read it."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.core.table import AddDestination, AddService, Destination, EditService, Pool, Service, ServiceKey, plan
from actors.planes import PlaneError, PlaneUnavailable
from actors.planes.ipvs import IpvsPlane
from tests.kernel.inside.judge import ipvsadm, listed, saved, thresholds

WEB = ServiceKey(4, "10.0.0.1", 80, "tcp")
WEB6 = ServiceKey(6, "2001:db8::1", 80, "tcp")
DNS = ServiceKey(4, "10.0.0.1", 53, "udp")
MARK, MARK6 = ServiceKey(4, fwmark=7), ServiceKey(6, fwmark=7)
ONE = Destination("10.0.1.1", 8080)
ONE6 = Destination("2001:db8:1::1", 8080)
TCP, TCP6, UDP = "-t 10.0.0.1:80", "-t [2001:db8::1]:80", "-u 10.0.0.1:53"

SERVICES = {
    "tcp": (Service(WEB), f"-A {TCP} -s wlc"),
    "udp": (Service(DNS), f"-A {UDP} -s wlc"),
    "sctp": (Service(ServiceKey(4, "10.0.0.1", 80, "sctp")), "-A --sctp-service 10.0.0.1:80 -s wlc"),
    "a mark": (Service(MARK, "rr"), "-A -f 7 -s rr"),
    "a mark of IPv6": (Service(MARK6, "rr"), "-A -f 7 -6 -s rr"),
    "IPv6": (Service(WEB6, "rr"), f"-A {TCP6} -s rr"),
    "every port": (Service(ServiceKey(4, "10.0.0.1", 0, "tcp"), "rr", (), 360), "-A -t 10.0.0.1:0 -s rr -p 360"),
    "persistence": (Service(WEB, "rr", (), 360), f"-A {TCP} -s rr -p 360"),
    "persistence of a net": (Service(WEB, "rr", (), 50, 24), f"-A {TCP} -s rr -p 50 -M 255.255.255.0"),
    "persistence of all": (Service(WEB, "rr", (), 50, 0), f"-A {TCP} -s rr -p 50 -M 0.0.0.0"),
    "persistence of a net of IPv6": (Service(WEB6, "rr", (), 50, 64), f"-A {TCP6} -s rr -p 50 -M 64"),
    "persistence by call": (Service(DNS, "rr", (), 50, None, "sip"), f"-A {UDP} -s rr -p 50 --pe sip"),
    "one packet": (Service(DNS, "rr", ("ops",)), f"-A {UDP} -s rr -o"),
    "flags of sh": (Service(WEB, "sh", ("sh-fallback", "sh-port")), f"-A {TCP} -s sh -b sh-fallback,sh-port"),
    "flags of mh": (Service(WEB, "mh", ("mh-fallback", "mh-port")), f"-A {TCP} -s mh -b mh-fallback,mh-port"),
    "plain flags": (Service(WEB, "rr", ("flag-1", "flag-3")), f"-A {TCP} -s rr -b flag-1,flag-3"),
}
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "mh", "dh", "fo", "ovf", "sed", "nq")
SERVERS = {
    "NAT": (WEB, ONE, f"-a {TCP} -r 10.0.1.1:8080 -m -w 1"),
    "DR": (WEB, Destination("10.0.1.1", 80, 3, "DR"), f"-a {TCP} -r 10.0.1.1:80 -g -w 3"),
    "TUN": (WEB, Destination("10.0.1.1", 80, 1, "TUN"), f"-a {TCP} -r 10.0.1.1:80 -i -w 1 --tun-type ipip"),
    "draining": (WEB, Destination("10.0.1.1", 8080, 0), f"-a {TCP} -r 10.0.1.1:8080 -m -w 0"),
    "heavy": (WEB, Destination("10.0.1.1", 8080, 2**31 - 1), f"-a {TCP} -r 10.0.1.1:8080 -m -w {2**31 - 1}"),
    "IPv6": (WEB6, ONE6, f"-a {TCP6} -r [2001:db8:1::1]:8080 -m -w 1"),
    "IPv6 behind IPv4": (
        WEB,
        Destination("2001:db8:1::1", 80, 1, "TUN"),
        f"-a {TCP} -r [2001:db8:1::1]:80 -i -w 1 --tun-type ipip",
    ),
    "behind a mark": (MARK, Destination("10.0.1.1", 0), "-a -f 7 -r 10.0.1.1:0 -m -w 1"),
    "behind a mark of IPv6": (MARK6, Destination("2001:db8:1::1", 0), "-a -f 7 -6 -r [2001:db8:1::1]:0 -m -w 1"),
}


def hold(plane: IpvsPlane, pool: Pool, before: Pool | None = None) -> None:
    for edit in plan(pool, before):
        plane.apply(edit)


@pytest.mark.parametrize("what", SERVICES)
def test_a_service_is_there_as_ipvsadm_says_it_and_as_we_read_it(plane: IpvsPlane, what: str) -> None:
    service, line = SERVICES[what]
    hold(plane, Pool(service))
    assert (saved(), plane.services(), plane.read(service.key)) == ([line], (service.key,), Pool(service))


def test_every_scheduler_of_the_kernel_is_loaded_when_it_is_wanted(plane: IpvsPlane) -> None:
    for scheduler in SCHEDULERS:
        hold(plane, Pool(Service(WEB, scheduler)), plane.read(WEB))
        assert saved() == [f"-A {TCP} -s {scheduler}"]


@pytest.mark.parametrize("what", SERVERS)
def test_a_server_is_there_as_ipvsadm_says_it_and_as_we_read_it(plane: IpvsPlane, what: str) -> None:
    key, server, line = SERVERS[what]
    pool = Pool(Service(key, "rr"), (server,))
    hold(plane, pool)
    assert ([each for each in saved() if each.startswith("-a")], plane.read(key)) == ([line], pool)


def test_thresholds_are_there(plane: IpvsPlane) -> None:
    hold(plane, Pool(Service(WEB), (Destination("10.0.1.1", 8080, 1, "NAT", 100, 80), Destination("10.0.1.2", 8080))))
    assert thresholds("10.0.0.1:80") == {"10.0.1.1:8080": (100, 80), "10.0.1.2:8080": (0, 0)}


def test_the_kernel_itself_lists_what_was_added(plane: IpvsPlane) -> None:
    hold(plane, Pool(Service(WEB, "wrr"), (Destination("10.0.1.1", 8080, 5),)))
    assert [line.split() for line in listed().splitlines()[3:]] == [
        ["TCP", "0A000001:0050", "wrr"],
        ["->", "0A000101:1F90", "Masq", "5", "0", "0"],
    ]


@pytest.mark.parametrize("what", ["persistence of a net", "persistence", "flags of sh", "plain flags"])
def test_a_service_changes_in_place_and_back(plane: IpvsPlane, what: str) -> None:
    (other, line), plain = SERVICES[what], Pool(Service(WEB, "rr"), (ONE,))
    server = f"-a {TCP} -r 10.0.1.1:8080 -m -w 1"
    hold(plane, plain)
    plane.apply(EditService(other))
    assert saved() == [line, server]
    plane.apply(EditService(plain.service))
    assert saved() == [f"-A {TCP} -s rr", server]


def test_what_ipvsadm_made_is_read_as_it_is_meant(plane: IpvsPlane) -> None:
    ipvsadm("-A", "-t", "10.0.0.1:80", "-s", "sh", "-p", "77", "-M", "255.255.0.0", "-b", "sh-port")
    ipvsadm("-a", "-t", "10.0.0.1:80", "-r", "10.0.1.1:80", "-i", "-w", "4", "-x", "9", "-y", "3")
    ipvsadm("-A", "-f", "7", "-6", "-s", "rr")
    assert set(plane.services()) == {WEB, MARK6}
    server = Destination("10.0.1.1", 80, 4, "TUN", 9, 3)
    assert plane.read(WEB) == Pool(Service(WEB, "sh", ("sh-port",), 77, 16), (server,))
    assert plane.read(MARK6) == Pool(Service(MARK6, "rr"))


def test_services_that_are_not_ours_are_left_as_they_are(plane: IpvsPlane) -> None:
    ipvsadm("-A", "-t", "10.0.0.9:80", "-s", "rr", "-p", "300")
    ipvsadm("-a", "-t", "10.0.0.9:80", "-r", "10.0.1.9:80", "-g", "-w", "7")
    foreign = saved()
    hold(plane, Pool(Service(WEB), (ONE,)))
    hold(plane, Pool(Service(WEB, "rr"), (ONE, Destination("10.0.1.2", 80))), plane.read(WEB))
    for edit in plan(None, plane.read(WEB)):
        plane.apply(edit)
    assert saved() == foreign


@contextlib.contextmanager
def no_more_modules() -> Iterator[None]:
    """The kernel finds no program to load modules with."""
    setting = Path("/proc/sys/kernel/modprobe")
    before = setting.read_text()
    setting.write_text("/bin/false")
    try:
        yield
    finally:
        setting.write_text(before)


def test_a_scheduler_that_the_kernel_lacks_is_named_and_what_was_there_stays(plane: IpvsPlane) -> None:
    hold(plane, Pool(Service(WEB, "rr"), (ONE,)))
    with no_more_modules():
        for edit in (AddService(Service(DNS, "twos")), EditService(Service(WEB, "twos"))):
            with pytest.raises(PlaneError, match=r"\(ENOENT\): the kernel has no module ip_vs_twos$"):
                plane.apply(edit)
    assert saved() == [f"-A {TCP} -s rr", f"-a {TCP} -r 10.0.1.1:8080 -m -w 1"]


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Without the rights of root."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_without_the_right_the_plane_says_which_one(fresh: None) -> None:
    with nobody(), pytest.raises(PlaneUnavailable, match=r"^IPVS: .*\(EPERM\): CAP_NET_ADMIN is missing$"):
        IpvsPlane().open()


def test_a_right_that_is_lost_refuses_the_edit_and_comes_back(plane: IpvsPlane) -> None:
    with nobody(), pytest.raises(PlaneError) as caught:
        plane.apply(AddService(Service(WEB)))
    assert isinstance(caught.value.__cause__, Exception)
    assert caught.value.__cause__.number == errno.EPERM  # type: ignore[attr-defined]
    plane.apply(AddService(Service(WEB)))
    assert saved() == [f"-A {TCP} -s wlc"]


def test_ipv6_behind_ipv4_takes_a_tunnel_and_any_other_way_is_refused_in_words(plane: IpvsPlane) -> None:
    plane.apply(AddService(Service(WEB)))
    with pytest.raises(PlaneError, match=r"^adding real server \[2001:db8:1::1\]:8080 to 10.0.0.1:80:tcp: .*EINVAL"):
        plane.apply(AddDestination(WEB, ONE6))
    assert saved() == [f"-A {TCP} -s wlc"]


def test_a_dump_of_many_servers_is_whole(plane: IpvsPlane) -> None:
    servers = tuple(Destination(f"10.0.{turn // 250}.{turn % 250 + 1}", 80, turn) for turn in range(600))
    hold(plane, Pool(Service(WEB), servers))
    read = plane.read(WEB)
    assert read is not None
    assert (set(read.destinations), len(saved())) == (set(servers), 601)
