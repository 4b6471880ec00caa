"""Virtual MACs with keepalived as the peer and a neighbour that asks: whatever happens, the wire sees what it should.

The scenes are played several at a time, each on a wire of its own: most of their time is spent waiting.
"""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from scapy.layers.inet import UDP
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
from scapy.layers.l2 import Ether

from tests.system.netns import Keepalived, Ours, ip
from tests.system.vmac_lab import (
    MACS,
    NAME,
    OWN,
    Net,
    Scene,
    Stage,
    a_while,
    conf,
    eventually,
    holds,
    inside,
    real,
    setting,
    there,
    why,
)

AT_ONCE = 6
"""Scenes: more would stall each other while their programs start."""
FOUR, SIX = Net(4), Net(6)
SECOND = (Keepalived, Ours)


def they_lead_in_turn_and_the_virtual_mac_is_all_that_the_wire_sees(stage: Stage) -> None:
    better, worse = stage.routers(conf(150, stage.net.family), conf(100, stage.net.family))
    worse.start()
    stage.leads(worse)
    better.start()
    stage.leads(better)
    better.stop()
    stage.leads(worse)
    better.start()
    stage.leads(better)
    for router in (better, worse):
        assert stage.adverts(router.host) == {(stage.mac, real(router.host, stage.net.family))}
        assert stage.announcements(router.host) == {(stage.mac, stage.mac, vip) for vip in stage.vips}


def a_master_answers_with_the_virtual_mac_alone_and_for_nothing_else(stage: Stage) -> None:
    host = stage.hosts[0]
    ours = stage.ours(conf(100, stage.net.family))
    stage.leads(ours)
    below = real(host, stage.net.family)
    for address in (*stage.vips, below):
        stage.ask(stage.solicitation(address))
        eventually(lambda address=address: stage.answers(host, address))
    for vip in stage.vips:
        stage.ask(stage.echo(vip, stage.mac))
        eventually(lambda vip=vip: vip in {address for address, _ in stage.pongs(host)})
    a_while()
    assert stage.answers(host, below) == {host.mac}
    assert [stage.answers(host, vip) for vip in stage.vips] == [{stage.mac}] * len(stage.vips)


def its_interface_makes_no_address_of_the_mac_and_forwards_like_the_one_below(stage: Stage) -> None:
    host = stage.hosts[0]
    inside(host, "sysctl", "-q", "-w", f"net.ipv{stage.net.family}.conf.eth0.forwarding=1")
    ours = stage.ours(conf(100, stage.net.family))
    stage.leads(ours)
    details = inside(host, "ip", "-d", "link", "show", "dev", NAME)
    assert f"link/ether {stage.mac}" in details
    assert "macvlan mode private" in details
    stage.ask(stage.advertisement("fd77::"))
    a_while()
    shown = inside(host, "ip", "-o", "-6", "addr", "show", "dev", NAME)
    own = {line.split()[3].partition("/")[0] for line in shown.splitlines()}
    random = {each for each in own - set(stage.vips) if each.startswith("fe80::") and "ff:fe" not in each}
    assert (own - random, len(random)) == ((set(stage.vips), 1) if stage.net.family == 6 else (set(), 0))
    assert setting(host, f"ipv{stage.net.family}/conf/{NAME}/forwarding") == "1"
    group = "224.0.0.18" if stage.net.family == 4 else "ff02::12"
    members = [name for name in ("eth0", NAME) if group in inside(host, "ip", "maddr", "show", "dev", name).split()]
    assert members == ["eth0", NAME]
    ours.stop()
    assert (there(host, NAME), setting(host, "ipv4/conf/eth0/arp_ignore")) == ("", "0")


def what_is_forwarded_finds_its_way_out(stage: Stage) -> None:
    """Behind the router there is another network; the one before it is known by the virtual address alone."""
    host = stage.hosts[0]
    inside(host, "sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1")
    for words in ("addr add fd99::1/64 dev eth1 nodad", "link set eth1 up", "link set far up"):
        if words.startswith("addr"):
            ip("-n", host.name, "link", "add", "eth1", "type", "veth", "peer", "name", "far")
        ip("-n", host.name, *words.split())
    ours = stage.ours(conf(100, 6, vips=("fd00::100",)))
    eventually(lambda: holds(host, NAME, "fd00::100"))
    ip("-n", stage.neighbour.name, "addr", "add", "fd00::3/64", "dev", "eth0", "nodad")
    packet = IPv6(src="fd99::2", dst="fd00::3") / UDP(dport=9)
    far = inside(host, "cat", "/sys/class/net/eth1/address").strip()
    stage.put(host, "far", Ether(dst=far, src="02:00:00:00:00:09") / packet)
    eventually(lambda: [f for f in stage.sent(host) if ICMPv6ND_NS in f and f[ICMPv6ND_NS].tgt == "fd00::3"])
    eventually(lambda: [f for f in stage.sent(host) if UDP in f and f[IPv6].src == "fd99::2"])
    ours.stop()


def what_a_crash_leaves_is_taken_over_and_its_own_end_moves_nothing(stage: Stage) -> None:
    host = stage.hosts[0]
    ours = stage.ours(conf(100))
    stage.leads(ours)
    index = there(host, NAME)
    os.kill(next(pid for pid in ours.pids() if Path(f"/proc/{pid}/comm").read_text() == "us-vrrp\n"), signal.SIGKILL)
    eventually(lambda: "resumed" in why(ours))
    assert (there(host, NAME), stage.holders()) == (index, [host])
    ours.kill()
    assert (there(host, NAME), stage.holders()) == (index, [host])
    ours.start()
    eventually(lambda: not stage.holders())
    stage.leads(ours)
    assert there(host, NAME) == index
    ours.stop()
    assert there(host, NAME) == ""


def a_macvlan_that_could_not_hear_its_peers_is_somebody_elses(stage: Stage) -> None:
    host = stage.hosts[0]
    words = ("link", "add", NAME, "link", "eth0", "address", stage.mac, "type", "macvlan", "mode", "bridge")
    ip("-n", host.name, *words)
    before = inside(host, "ip", "-d", "link", "show", "dev", NAME)
    ours = stage.ours(conf(100))
    eventually(lambda: why(ours).startswith(f"FAULT since: an interface {NAME} exists already"))
    ours.stop()
    assert inside(host, "ip", "-d", "link", "show", "dev", NAME) == before


def an_interface_that_is_deleted_is_made_anew_and_answers_alone_again(stage: Stage) -> None:
    host = stage.hosts[0]
    ours = stage.ours(conf(100, stage.net.family))
    stage.leads(ours)
    index = there(host, NAME)
    ip("-n", host.name, "link", "del", NAME)
    eventually(lambda: there(host, NAME) not in ("", index))
    stage.leads(ours)
    host.plug("down")
    eventually(lambda: why(ours).startswith("FAULT since: interface eth0 is down"))
    host.plug("up")
    stage.leads(ours)
    ip("-n", host.name, "link", "del", "eth0")
    eventually(lambda: why(ours).startswith("FAULT"))
    stage.plug_anew(host)
    stage.leads(ours)
    stage.ask(stage.solicitation(stage.vips[-1]))
    eventually(lambda: stage.answers(host, stage.vips[-1]))
    a_while()
    assert stage.answers(host, stage.vips[-1]) == {stage.mac}


def with_xmit_base_adverts_come_from_below_and_peers_are_heard_whatever_their_mac(stage: Stage) -> None:
    """Keepalived's adverts have the virtual MAC, ours that of the interface below."""
    base = f"{OWN}\n    vmac_xmit_base"
    ours_first = stage.net.pair[0] is Ours
    texts = [conf(priority, stage.net.family, more) for priority, more in zip((150, 100), (base, OWN), strict=True)]
    if not ours_first:
        texts = [conf(priority, stage.net.family, more) for priority, more in zip((150, 100), (OWN, base), strict=True)]
    better, worse = stage.routers(*texts)
    better.start()
    stage.leads(better)
    worse.start()
    eventually(lambda: "BACKUP" in worse.log.read_text())
    a_while()
    assert stage.holders() == [better.host]
    better.stop()
    stage.leads(worse)
    better.start()
    stage.leads(better)
    ours = better if ours_first else worse
    assert stage.adverts(ours.host) == {(ours.host.mac, real(ours.host, stage.net.family))}
    assert stage.announcements(ours.host) == {(stage.mac, stage.mac, vip) for vip in stage.vips}


def another_vrid_or_name_is_another_interface_and_the_old_one_goes(stage: Stage) -> None:
    host = stage.hosts[0]
    ours = stage.ours(conf(100))
    stage.leads(ours)
    ours.conf.write_text(conf(100).replace("virtual_router_id 51", "virtual_router_id 52"))
    ours.reload()
    eventually(lambda: MACS[4][:-2] + "34" in inside(host, "ip", "link", "show", "dev", NAME))
    stage.leads(ours)
    ours.conf.write_text(conf(100, more="use_vmac other"))
    ours.reload()
    eventually(lambda: holds(host, "other", stage.vips[0]))
    assert there(host, NAME) == ""
    assert setting(host, "ipv4/conf/eth0/arp_ignore") == "1"
    ours.conf.write_text(conf(100, more=""))
    ours.reload()
    eventually(lambda: holds(host, "eth0", stage.vips[0]))
    assert (there(host, "other"), setting(host, "ipv4/conf/eth0/arp_ignore")) == ("", "0")


def a_dry_run_hears_the_peer_and_makes_nothing(stage: Stage) -> None:
    better, worse = stage.routers(conf(100), conf(150))
    assert isinstance(worse, Ours)
    worse.options = ("--dry-run",)
    better.start()
    stage.leads(better)
    worse.start()
    eventually(lambda: why(worse).startswith("MASTER since: priority 150 is above 100"))
    assert (there(worse.host, NAME), stage.adverts(worse.host)) == ("", set())


BOTH = (FOUR, SIX)
SCENES = [
    *(Scene(they_lead_in_turn_and_the_virtual_mac_is_all_that_the_wire_sees, net) for net in BOTH),
    *(Scene(they_lead_in_turn_and_the_virtual_mac_is_all_that_the_wire_sees, Net(n, SECOND)) for n in (4, 6)),
    *(Scene(a_master_answers_with_the_virtual_mac_alone_and_for_nothing_else, net) for net in BOTH),
    *(Scene(its_interface_makes_no_address_of_the_mac_and_forwards_like_the_one_below, net) for net in BOTH),
    Scene(what_is_forwarded_finds_its_way_out, SIX),
    Scene(what_a_crash_leaves_is_taken_over_and_its_own_end_moves_nothing),
    Scene(a_macvlan_that_could_not_hear_its_peers_is_somebody_elses),
    *(Scene(an_interface_that_is_deleted_is_made_anew_and_answers_alone_again, net) for net in BOTH),
    Scene(with_xmit_base_adverts_come_from_below_and_peers_are_heard_whatever_their_mac),
    Scene(with_xmit_base_adverts_come_from_below_and_peers_are_heard_whatever_their_mac, Net(4, SECOND)),
    Scene(with_xmit_base_adverts_come_from_below_and_peers_are_heard_whatever_their_mac, Net(6, SECOND)),
    Scene(another_vrid_or_name_is_another_interface_and_the_old_one_goes),
    Scene(a_dry_run_hears_the_peer_and_makes_nothing, Net(4, SECOND)),
]

Plays = dict[str, Future[None]]


@pytest.fixture(scope="module")
def plays(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plays]:
    """The scenes that this run wants, begun in order."""
    folder: Path = tmp_path_factory.mktemp("vmac")
    calls = [getattr(item, "callspec", None) for item in request.session.items if item.path == request.path]
    wanted = [call.params["scene"] for call in calls if call is not None]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {str(scene): pool.submit(scene.play, f"v{n}", folder) for n, scene in enumerate(wanted)}
        pool.shutdown(cancel_futures=True)


@pytest.mark.timeout(150)
@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_on_the_wire(scene: Scene, plays: Plays) -> None:
    plays[str(scene)].result()
