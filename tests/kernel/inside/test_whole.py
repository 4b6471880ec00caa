"""What a real kernel makes of tunnels, timeouts and sync daemons, told by ipvsadm; and our printing beside its own."""

import re
import subprocess

import pytest

from actors.core.table import AddDestination, AddService, Destination, Pool, Service, ServiceKey, Tunnel, plan
from actors.core.whole import BACKUP, MASTER, Daemon, Timeouts
from actors.ctl_ipvs import lines
from actors.ipvs_view import server_row, service_row
from actors.planes import PlaneError
from actors.planes.ipvs import IpvsPlane
from tests.kernel.inside.judge import ipvsadm, saved
from tests.system.netns import ip

WEB = ServiceKey(4, "10.0.0.1", 80, "tcp")
TCP = "-t 10.0.0.1:80"
TUNNELS = {
    "ipip": (Tunnel(), "--tun-type ipip"),
    "gue": (Tunnel("gue", 6080), "--tun-type gue --tun-port 6080 --tun-nocsum"),
    "gue with checksums": (Tunnel("gue", 6080, "csum"), "--tun-type gue --tun-port 6080 --tun-csum"),
    "gue with remote checksums": (Tunnel("gue", 6080, "remcsum"), "--tun-type gue --tun-port 6080 --tun-remcsum"),
    "gre": (Tunnel("gre"), "--tun-type gre --tun-nocsum"),
    "gre with checksums": (Tunnel("gre", 0, "csum"), "--tun-type gre --tun-csum"),
}


@pytest.mark.parametrize("what", TUNNELS)
def test_a_tunnel_is_there_as_ipvsadm_says_it_and_as_we_read_it(plane: IpvsPlane, what: str) -> None:
    tunnel, words = TUNNELS[what]
    pool = Pool(Service(WEB, "rr"), (Destination("10.0.1.1", 80, 1, "TUN", tunnel=tunnel),))
    for edit in plan(pool, None):
        plane.apply(edit)
    assert ([each for each in saved() if each.startswith("-a")], plane.read(WEB)) == (
        [f"-a {TCP} -r 10.0.1.1:80 -i -w 1 {words}"],
        pool,
    )


def test_a_tunnel_changes_in_place(plane: IpvsPlane) -> None:
    held = None
    for tunnel, _ in (*TUNNELS.values(), TUNNELS["ipip"]):
        pool = Pool(Service(WEB, "rr"), (Destination("10.0.1.1", 80, 1, "TUN", tunnel=tunnel),))
        for edit in plan(pool, held):
            plane.apply(edit)
        held = plane.read(WEB)
        assert held == pool


def test_timeouts_are_set_and_what_is_nought_stays(plane: IpvsPlane) -> None:
    plane.whole.set_timeouts(Timeouts(100, 20, 30))
    plane.whole.set_timeouts(Timeouts(udp=7))
    assert re.findall(r"\d+", ipvsadm("-Ln", "--timeout")) == ["100", "20", "7"]
    assert plane.whole.timeouts() == Timeouts(100, 20, 7)


def test_the_table_is_emptied(plane: IpvsPlane) -> None:
    subprocess.run(["ipvsadm", "-A", "-f", "9", "-s", "rr"], check=True)
    plane.whole.flush()
    assert saved() == []


@pytest.mark.parametrize(
    "daemon",
    [
        Daemon(MASTER, "d0", 7),
        Daemon(BACKUP, "d0", 0),
        Daemon(MASTER, "d0", 255, 1400, 9000, 4, "224.0.0.99"),
        Daemon(MASTER, "d0", 3, group="ff02::99"),
    ],
    ids=["master", "backup", "all said", "IPv6"],
)
def test_a_sync_daemon_runs_as_ipvsadm_says_it_and_as_we_read_it(plane: IpvsPlane, daemon: Daemon) -> None:
    ip("link", "add", "d0", "type", "dummy")
    ip("addr", "add", "10.9.9.1/24", "dev", "d0")
    ip("addr", "add", "fd99::1/64", "dev", "d0", "nodad")
    ip("link", "set", "d0", "up")
    assert plane.whole.daemons() == ()
    plane.whole.start(daemon)
    told = ipvsadm("-L", "--daemon")
    assert f"{daemon.state} sync daemon (mcast=d0, syncid={daemon.id}" in told, told
    (running,) = plane.whole.daemons()
    assert daemon.is_met_by(running), running
    with pytest.raises(PlaneError, match="one runs already"):
        plane.whole.start(daemon)
    plane.whole.stop(daemon.state)
    assert plane.whole.daemons() == ()
    with pytest.raises(PlaneError, match="none runs"):
        plane.whole.stop(daemon.state)


def test_a_sync_daemon_on_no_interface_is_refused_with_its_name(plane: IpvsPlane) -> None:
    with pytest.raises(PlaneError, match="there is no interface none0"):
        plane.whole.start(Daemon(MASTER, "none0"))


FORMS = {"": (), "stats": ("--stats",), "rate": ("--rate",), "thresholds": ("--thresholds",)}
FORMS["persistent-conn"] = ("--persistent-conn",)


@pytest.mark.parametrize("form", FORMS)
def test_we_print_the_table_as_ipvsadm_does(plane: IpvsPlane, form: str) -> None:
    services = [
        Service(WEB, "wlc", (), 360, 24),
        Service(ServiceKey(4, "10.0.0.1", 5060, "udp"), "sh", ("ops", "sh-fallback", "sh-port"), 60, None, "sip"),
        Service(ServiceKey(6, "fd00::1", 53, "udp"), "rr", (), 30, 64),
        Service(ServiceKey(4, fwmark=7), "nq"),
        Service(ServiceKey(6, fwmark=7), "mh", ("mh-port",)),
        Service(ServiceKey(4, "10.0.0.1", 80, "sctp"), "rr", ("flag-1",)),
    ]
    for service in services:
        plane.apply(AddService(service))
    plane.apply(AddDestination(WEB, Destination("10.0.1.1", 8080, 5, "NAT", 20, 10)))
    plane.apply(AddDestination(WEB, Destination("fd00::9", 80, 1, "TUN")))
    rows = []
    for key in plane.services():
        pool = plane.read(key)
        assert pool is not None
        loads = plane.loads(key)
        rows.append(service_row(pool, loads, "", [server_row(d, loads.servers[d.key], "") for d in pool.destinations]))
    theirs = [line.rstrip() for line in ipvsadm("-Ln", *FORMS[form]).splitlines()[3:]]
    ours = [line.rstrip() for line in list(lines(rows, form))[2:]]
    assert ours == theirs
