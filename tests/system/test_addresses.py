"""Addresses and announcements of the program on a real kernel, as other hosts and ``ip`` see them."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.core.packet import encode_advert, gratuitous_arp, neighbour_advertisement
from actors.core.packet_values import Advert
from actors.planes.network import Endpoint
from tests.system.eavesdrop import Ear
from tests.system.inside import Inside
from tests.system.lab import until
from tests.system.netns import VIP, Host, Lan, Ours, asked, becomes_master, ip, lan, started

GROUP = "224.0.0.18"
CONF = """
vrrp_instance a {{
    interface eth0
    virtual_router_id 51
    priority {priority}
    version 3
    advert_int {interval}
    {more}
    virtual_ipaddress {{
        {vips}
    }}
}}
"""


def conf(*vips: str, more: str = "", priority: int = 150, interval: float = 0.1) -> str:
    """One instance, MASTER after some 0.4 s if it is alone."""
    return CONF.format(vips="\n        ".join(vips), more=more, priority=priority, interval=interval)


@pytest.fixture
def wire() -> Iterator[Lan]:
    with lan() as made:
        yield made


def second_interface(host: Host) -> None:
    """``eth1``, and ``far`` at its other end."""
    ip("-n", host.name, "link", "add", "eth1", "type", "veth", "peer", "name", "far")
    for name in ("eth1", "far"):
        ip("-n", host.name, "link", "set", name, "up")


def sysctl(host: Host, name: str, value: str = "") -> str:
    words = ["-w", f"{name}={value}"] if value else [name]
    run = ["ip", "netns", "exec", host.name, "sysctl", "-n", *words]
    return subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()


def mac(host: Host, interface: str = "eth0") -> str:
    (link,) = json.loads(ip("-n", host.name, "-j", "link", "show", "dev", interface))
    return str(link["address"])


def addresses(host: Host, interface: str = "eth0") -> dict[str, dict[str, Any]]:
    """What is on an interface, by address, as ``ip`` tells of it; less what is there without us."""
    (link,) = json.loads(ip("-n", host.name, "-j", "addr", "show", "dev", interface))
    own = (host.address, "127.0.0.1", "::1")
    found = {each["local"]: each for each in link["addr_info"]}
    return {name: each for name, each in found.items() if name not in own and not name.startswith("fe80:")}


def test_neighbours_hear_of_each_address_from_its_own_interface_and_once_more_after_the_delay(
    wire: Lan, tmp_path: Path
) -> None:
    host, witness = wire.host(), wire.host()
    second_interface(host)
    sysctl(host, "net.ipv6.conf.eth0.forwarding", "1")
    more = "garp_master_repeat 2\n    garp_master_delay 1\n    virtual_ipaddress_excluded fd00::100/64"
    text = conf(f"{VIP}/24", "10.99.0.101", "10.98.0.1/24 dev eth1", more=more)
    router = Ours(host, tmp_path, text)
    with Ear(witness, tmp_path) as ear, Ear(host, tmp_path, "far") as far, started(router):
        becomes_master(router)
        until(lambda: len(ear.heard()) == 12, limit=5)
        until(lambda: len(far.heard()) == 4, limit=5)
        arps, nas = ([each for each in ear.heard() if len(each[1]) == size] for size in (42, 86))
    wanted = [gratuitous_arp(mac(host), each) for each in (VIP, "10.99.0.101")]
    assert [frame for _, frame in arps] == wanted * 4
    assert [frame for _, frame in nas] == [neighbour_advertisement(mac(host), "fd00::100", router=True)] * 4
    assert [frame for _, frame in far.heard()] == [gratuitous_arp(mac(host, "eth1"), "10.98.0.1")] * 4
    for burst in (arps, nas):
        middle = len(burst) // 2
        assert 0.9 < burst[middle][0] - burst[middle - 1][0] < 2.0


def test_announcements_of_all_routers_of_an_interface_keep_their_distance(wire: Lan, tmp_path: Path) -> None:
    host, witness = wire.host(), wire.host()
    more = "garp_interval 0.05\n    garp_master_repeat 2\n    garp_master_delay 0"
    text = conf(*(f"10.99.0.{number}" for number in range(100, 105)), more=more)
    other = conf("10.99.0.200", "10.99.0.201", more=more).replace("instance a", "instance b").replace("51", "52")
    router = Ours(host, tmp_path, text + other)
    with Ear(witness, tmp_path) as ear, started(router):
        until(lambda: len(ear.heard()) == 14)
    times, frames = zip(*ear.heard(), strict=True)
    gaps = [after - before for before, after in zip(times, times[1:], strict=False)]
    assert min(gaps) > 0.02, "a capture may be late for one, but not for all"
    assert times[-1] - times[0] > 13 * 0.049
    assert set(frames[:7]) == set(frames[7:])
    assert len(set(frames)) == 7


def test_when_a_rival_is_heard_and_again_when_it_has_gone_neighbours_are_told_who_has_the_address(
    wire: Lan, tmp_path: Path
) -> None:
    host, rival, witness = wire.host(), wire.host(), wire.host()
    more = "garp_master_repeat 1\n    garp_master_delay 0\n    garp_lower_prio_repeat 2\n    garp_lower_prio_delay 0"
    router = Ours(host, tmp_path, conf(f"{VIP}/24", more=more))
    there = Endpoint("eth0", 4, 51, (GROUP,))
    advert = encode_advert(Advert(3, 51, 100, 10, (VIP,)), rival.address, GROUP).hex()
    with Ear(witness, tmp_path) as ear, Inside(rival) as claims, started(router):
        becomes_master(router)
        claims.do("open", there, rival.address)
        claims.do("announce", "eth0", gratuitous_arp(mac(rival), VIP).hex())
        claims.do("send", there, GROUP, advert)
        until(lambda: len(ear.heard()) == 2 + 2 + 2)
        times, frames = zip(*ear.heard(), strict=True)
    ours, theirs = gratuitous_arp(mac(host), VIP), gratuitous_arp(mac(rival), VIP)
    assert list(frames) == [ours, theirs, ours, ours, ours, ours]
    assert 0.9 < times[4] - times[3] < 2.0


VIPS = (f"{VIP}/24 label eth0:vip brd +", "192.0.2.1/32 scope link", "192.0.2.7/29 brd 192.0.2.6 dev eth1")
EXCLUDED = "virtual_ipaddress_excluded {\n        fd00::100/64\n        fd00::101\n    }"


def test_addresses_have_their_attributes_are_put_back_and_a_crash_s_leftovers_are_removed(
    wire: Lan, tmp_path: Path
) -> None:
    host = wire.host()
    second_interface(host)
    router = Ours(host, tmp_path, conf(*VIPS, more=EXCLUDED))
    with started(router):
        becomes_master(router)
        keys = ("prefixlen", "label", "scope", "broadcast", "nodad", "deprecated")
        assert {name: tuple(map(each.get, keys)) for name, each in addresses(host).items()} == {
            VIP: (24, "eth0:vip", "global", "10.99.0.255", None, None),
            "192.0.2.1": (32, "eth0", "link", None, None, None),
            "fd00::100": (64, None, "global", None, True, None),
            "fd00::101": (128, None, "global", None, True, True),
        }
        assert [each["broadcast"] for each in addresses(host, "eth1").values()] == ["192.0.2.6"]
        for address, interface in (("192.0.2.7/29", "eth1"), ("fd00::100/64", "eth0"), ("192.0.2.1/32", "eth0")):
            ip("-n", host.name, "addr", "del", address, "dev", interface)
            until(lambda where=interface, what=address: what.split("/")[0] in addresses(host, where), limit=3)
        router.kill()
        assert len(addresses(host)) == 4
        router.conf.write_text(conf(*VIPS, more=EXCLUDED, interval=10))
        router.start()
        until(lambda: not addresses(host) and not addresses(host, "eth1"))
        assert asked(router, ask="status")["routers"][0]["role"] == "BACKUP"


def test_of_addresses_that_cannot_all_be_held_none_is_and_the_status_says_why(wire: Lan, tmp_path: Path) -> None:
    host = wire.host()
    sysctl(host, "net.ipv6.conf.eth0.disable_ipv6", "1")
    router = Ours(host, tmp_path, conf(f"{VIP}/24", more=EXCLUDED))
    with started(router):
        until(lambda: "Entering FAULT STATE" in router.log.read_text())
        (row,) = asked(router, ask="status")["addresses"]
        assert addresses(host) == {}
    refusals = "; ".join(f"fd00::{each} on eth0: Permission denied (EACCES)" for each in ("100/64", "101/128"))
    assert row == {
        "id": "address/a",
        "router": "vrrp/a",
        "held": False,
        "fault": f"adding {refusals}",
        "addresses": [],
        "phase": "RUNNING",
    }


def static(*lines: str) -> str:
    return "static_ipaddress {\n" + "\n".join(lines) + "\n}\n"


def test_static_addresses_are_there_as_long_as_the_program_and_a_reload_touches_the_difference(
    wire: Lan, tmp_path: Path
) -> None:
    host = wire.host()
    stays, goes = "192.0.2.1/24 dev eth0 label eth0:s", "192.0.2.2/24 dev eth0"
    router = Ours(host, tmp_path, static(stays, goes, "192.0.2.3/32 dev late"))
    news = host.run("ip", "-o", "monitor", "address", stdout=subprocess.PIPE)
    with started(router):
        until(lambda: addresses(host).keys() == {"192.0.2.1", "192.0.2.2"})
        ip("-n", host.name, "link", "add", "late", "type", "veth", "peer", "name", "later")
        until(lambda: addresses(host, "late").keys() == {"192.0.2.3"})
        router.conf.write_text(static(stays, "192.0.2.4/24 dev eth0", "192.0.2.3/32 dev late"))
        router.reload()
        until(lambda: addresses(host).keys() == {"192.0.2.1", "192.0.2.4"})
        ip("-n", host.name, "addr", "del", "192.0.2.4/24", "dev", "eth0")
        until(lambda: addresses(host).keys() == {"192.0.2.1", "192.0.2.4"})
        router.stop()
    assert (addresses(host), addresses(host, "late")) == ({}, {})
    news.terminate()
    told = [line.split() for line in news.communicate(timeout=5)[0].decode().splitlines() if "192.0.2." in line]
    deleted = [words[words.index("inet") + 1] for words in told if words[0] == "Deleted"]
    assert deleted.count("192.0.2.1/24") == 1, "at the stop"
    assert len(told) == 5 * 2


def test_other_people_s_addresses_stay_when_ours_go(wire: Lan, tmp_path: Path) -> None:
    host = wire.host()
    router = Ours(host, tmp_path, conf(f"{VIP}/24", "192.0.2.1/24", "192.0.2.2/24"))
    sysctl(host, "net.ipv4.conf.eth0.promote_secondaries", "0")
    with started(router):
        becomes_master(router)
        ip("-n", host.name, "addr", "add", "192.0.2.77/24", "dev", "eth0")
        assert addresses(host)["192.0.2.77"]["secondary"]
        router.stop()
    assert addresses(host).keys() == {"192.0.2.77"}
    assert sysctl(host, "net.ipv4.conf.eth0.promote_secondaries") == "0"
    assert "192.0.2.0/24" in ip("-n", host.name, "route")


def test_of_250_addresses_each_is_announced_and_none_is_missed(wire: Lan, tmp_path: Path) -> None:
    host, witness = wire.host(), wire.host()
    many = [f"10.98.0.{number}/24" for number in range(1, 251)]
    router = Ours(host, tmp_path, conf(f"{VIP}/24", *many, more="garp_master_delay 0"))
    with Ear(witness, tmp_path) as ear, started(router):
        becomes_master(router)
        until(lambda: len(ear.heard()) == 5 * 251)
        wanted = [gratuitous_arp(mac(host), each.split("/")[0]) for each in (VIP, *many)]
        assert [frame for _, frame in ear.heard()] == wanted * 5
        assert len(addresses(host)) == 251
        router.stop()
    assert addresses(host) == {}
    assert "put back" not in router.log.read_text()
