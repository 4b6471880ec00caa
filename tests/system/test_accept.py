"""Accept mode and silent interfaces on a real kernel: what is answered, what is not, and what never leaves."""

import json
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.planes.network import Rules
from tests.packets import checksum
from tests.system.inside import Inside
from tests.system.lab import until
from tests.system.netns import Host, Lan, Ours, asked, ip, lan, started
from tests.system.tap import Tap, inside

PATIENCE = 0.4
"""Seconds for an answer on a wire that takes microseconds; where none may come, it is waited for as long."""


@pytest.fixture
def wire() -> Iterator[Lan]:
    with lan() as made:
        yield made


def nft(host: Host, *words: str) -> str:
    """What ``nft WORDS`` says on a host."""
    words = ("ip", "netns", "exec", host.name, "nft", *words)
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def tables(host: Host) -> list[str]:
    return [line.split()[-1] for line in nft(host, "list", "tables").splitlines()]


def ruleset(host: Host, table: str) -> dict[str, list[Any]]:
    """The elements of each set, and the rules of each chain as (what is compared with what, the verdict)."""
    found: dict[str, list[Any]] = {}
    for item in json.loads(nft(host, "-j", "list", "table", "inet", table))["nftables"]:
        if "set" in item:
            found[item["set"]["name"]] = sorted(item["set"]["elem"], key=str)
        elif "rule" in item:
            *matches, verdict = item["rule"]["expr"]
            row = [(_short(each["match"]["left"]), each["match"]["right"]) for each in matches]
            found.setdefault(item["rule"]["chain"], []).append((row, *verdict))
    return found


def _short(left: Any) -> str:
    """``{"payload": {"protocol": "ip", "field": "daddr"}}`` is ``ip daddr``."""
    if "concat" in left:
        return " . ".join(map(_short, left["concat"]))
    return " ".join((left.get("payload") or left.get("meta")).values())


def test_the_kernel_and_nft_understand_the_rules_as_they_are_meant(wire: Lan) -> None:
    host = wire.host()
    nft(host, "add table inet others")
    with Inside(host) as planes:
        planes.do("apply", Rules(("192.0.2.9",)))
        planes.do("apply", Rules(("192.0.2.1", "192.0.2.2", "fd00::1", "fe80::1%eth0"), ("vrrp.51", "vrrp6.51")))
        neighbours = {"range": ["nd-neighbor-solicit", "nd-neighbor-advert"]}
        listeners = {"range": ["mld-listener-query", "mld-listener-done"]}
        assert ruleset(host, "understudy") == {
            "closed4": ["192.0.2.1", "192.0.2.2"],
            "closed6": ["fd00::1"],
            "closed_at": [{"concat": ["eth0", "fe80::1"]}],
            "silent": ["vrrp.51", "vrrp6.51"],
            "input": [
                ([("ip daddr", "@closed4")], "drop"),
                ([("icmpv6 type", neighbours)], "accept"),
                ([("ip6 daddr", "@closed6")], "drop"),
                ([("iifname . ip6 daddr", "@closed_at")], "drop"),
            ],
            "output": [
                ([("oifname", "@silent"), ("l4proto", "igmp")], "drop"),
                ([("oifname", "@silent"), ("icmpv6 type", listeners)], "drop"),
                ([("oifname", "@silent"), ("icmpv6 type", "mld2-listener-report")], "drop"),
            ],
        }
        assert planes.stands()
        nft(host, "delete table inet understudy")
        assert not planes.stands()
        planes.do("apply", Rules(("192.0.2.1",)))
        planes.do("apply", Rules())
    assert tables(host) == ["others"]


def test_there_may_be_more_addresses_than_fit_into_one_message(wire: Lan) -> None:
    host = wire.host()
    many = {f"10.{place >> 8}.{place & 255}.1" for place in range(20_000)}
    with Inside(host) as planes:
        planes.do("apply", Rules(tuple(many)))
    assert set(ruleset(host, "understudy")["closed4"]) == many


# Who is reached

CONF = """
vrrp_instance shut {
    interface eth0
    virtual_router_id 51
    version 3
    priority 150
    advert_int 0.1
    no_accept
    virtual_ipaddress {
        10.99.0.100/24
    }
}
vrrp_instance shut6 {
    interface eth0
    virtual_router_id 51
    version 3
    priority 150
    advert_int 0.1
    no_accept
    virtual_ipaddress {
        fe80::100/64
        fd00::100/64
    }
}
vrrp_instance open {
    interface eth0
    virtual_router_id 52
    version 3
    priority 150
    advert_int 0.1
    virtual_ipaddress {
        10.99.0.101/24
    }
    virtual_ipaddress_excluded {
        fd00::101/64
    }
}
vrrp_instance owner {
    interface eth0
    virtual_router_id 53
    version 3
    priority 255
    advert_int 0.1
    no_accept
    virtual_ipaddress {
        10.99.0.102/24
    }
}
"""
SHUT = ("10.99.0.100", "fd00::100", "fe80::100")
OPEN = ("10.99.0.101", "fd00::101", "10.99.0.102")


def connects(address: str) -> bool:
    """Whether anybody answers to TCP: that nobody listens on the port is an answer too."""
    family, _, _, _, place = socket.getaddrinfo(address, 9)[0]
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE)
        try:
            sock.connect(place)
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            return False
    return True


def echoes(address: str) -> bool:
    """Whether a ping is answered."""
    family, _, _, _, place = socket.getaddrinfo(address, None, type=socket.SOCK_RAW)[0]
    six = family == socket.AF_INET6
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP) as sock:
        sock.settimeout(PATIENCE)
        request = struct.pack("!BBHHH", 128 if six else 8, 0, 0, 4242, 1)
        request = request if six else request[:2] + checksum(request).to_bytes(2) + request[4:]
        sock.sendto(request, place)
        reply = (129 if six else 0).to_bytes(1)
        try:
            while True:
                data, sender = sock.recvfrom(2048)
                if sender[0].partition("%")[0] == place[0] and (data if six else data[20:])[:1] == reply:
                    return True
        except TimeoutError:
            return False


def reached(host: Host, address: str) -> tuple[bool, bool]:
    """Whether a host gets an answer to a ping, and to TCP."""
    whole = f"{address}%eth0" if address.startswith("fe80:") else address
    return inside(host, lambda: (echoes(whole), connects(whole)))  # type: ignore[no-any-return]


def neighbour(host: Host, address: str) -> dict[str, Any]:
    """What a host knows of a neighbour."""
    found = json.loads(ip("-n", host.name, "-j", "neigh", "show", address, "dev", "eth0") or "[]")
    return found[0] if found else {}


def confirms(host: Host, address: str, mac: str) -> None:
    """See that an address is found, and that a question sent to the address itself is answered too."""
    assert neighbour(host, address).get("lladdr") == mac
    ip("-n", host.name, "neigh", "change", address, "lladdr", mac, "dev", "eth0", "nud", "probe")
    until(lambda: neighbour(host, address)["state"] == ["REACHABLE"])


def test_only_who_accepts_or_owns_its_addresses_is_reached_and_neighbours_find_them_all(
    wire: Lan, tmp_path: Path
) -> None:
    ours, other = Ours(wire.host(), tmp_path, CONF), wire.host()
    for host in (ours.host, other):
        ip("-n", host.name, "addr", "add", f"fd00::{host.address[-1]}/64", "dev", "eth0", "nodad")
    with started(ours):
        until(lambda: all(ours.host.holds(address) for address in (*SHUT, *OPEN)))
        assert {address: reached(other, address) for address in OPEN} == dict.fromkeys(OPEN, (True, True))
        assert {address: reached(other, address) for address in SHUT} == dict.fromkeys(SHUT, (False, False))
        for address in (*SHUT, *OPEN):
            confirms(other, address, ours.host.mac)
        assert reached(other, ours.host.address) == (True, True)


# The table's life


def test_the_table_goes_with_the_program_and_one_of_a_killed_program_is_replaced(wire: Lan, tmp_path: Path) -> None:
    ours = Ours(wire.host(), tmp_path, CONF)
    with started(ours):
        (table,) = until(lambda: tables(ours.host))
        until(ours.is_master)
        assert ruleset(ours.host, table)["closed4"] == ["10.99.0.100"]
        ours.kill()
    assert tables(ours.host) == [table]
    ours.conf.write_text(CONF.replace("10.99.0.100", "10.99.0.99"))
    with started(ours):
        until(lambda: ruleset(ours.host, table)["closed4"] == ["10.99.0.99"])
        ours.conf.write_text(CONF.replace("no_accept", "accept"))
        until(ours.socket.exists)
        ours.reload()
        until(lambda: tables(ours.host) == [])
        ours.conf.write_text(CONF)
        ours.reload()
        until(lambda: tables(ours.host) == [table])
        ours.stop()
    assert tables(ours.host) == []


# Who is silent

GROUPS4, GROUPS6 = ("239.1.1.1", "239.1.1.2"), ("ff15::1:1", "ff15::1:2")
MAC, LOUD_MAC = "00:00:5e:00:01:33", "02:00:00:00:00:01"
IPV4, IPV6 = 0x0800, 0x86DD


def macvlan(host: Host, name: str, mac: str) -> None:
    ip("-n", host.name, "link", "add", name, "link", "eth0", "address", mac, "type", "macvlan", "mode", "private")
    ip("-n", host.name, "link", "set", name, "up")


def join(host: Host, interface: str) -> list[socket.socket]:
    """Sockets in groups of both families on an interface."""

    def joined() -> list[socket.socket]:
        four, six = (socket.socket(family, socket.SOCK_DGRAM) for family in (socket.AF_INET, socket.AF_INET6))
        index = socket.if_nametoindex(interface)
        for group in GROUPS4:
            place = socket.inet_aton(group) + bytes(4) + struct.pack("=i", index)
            four.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, place)
        for group in GROUPS6:
            place = socket.inet_pton(socket.AF_INET6, group) + struct.pack("=i", index)
            six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, place)
        return [four, six]

    return inside(host, joined)  # type: ignore[no-any-return]


def reports(tap: Tap) -> set[tuple[str, int]]:
    """Who has sent something of IGMP or of MLD, and of which type."""
    found = set()
    for _, frame in tap.look():
        kind, mac = int.from_bytes(frame[12:14]), frame[6:12].hex(":")
        if kind == IPV4 and frame[23] == socket.IPPROTO_IGMP:
            found.add((mac, frame[14 + 4 * (frame[14] & 15)]))
        if kind == IPV6 and frame[20] == 0:  # MLD is behind a hop-by-hop header of eight bytes (RFC 3810 5)
            found.add((mac, frame[62]))
    return found


OLD = ("net.ipv4.conf.default.force_igmp_version=2", "net.ipv6.conf.default.force_mld_version=1")


@pytest.mark.parametrize(
    ("settings", "joined", "left"),
    [((), {0x22, 143}, {0x22, 143}), (OLD, {0x16, 131}, {0x17, 132})],
    ids=["IGMPv3 and MLDv2", "IGMPv2 and MLDv1"],
)
def test_no_report_of_a_group_leaves_through_a_silent_interface(
    wire: Lan, settings: tuple[str, ...], joined: set[int], left: set[int]
) -> None:
    host, other = wire.host(), wire.host()
    for setting in settings:
        host.run("sysctl", "-q", "-w", setting).wait()
    with Inside(host) as planes, Tap(other) as tap:
        planes.do("apply", Rules(silent=("quiet",)))
        macvlan(host, "quiet", MAC)
        macvlan(host, "loud", LOUD_MAC)
        sockets = [*join(host, "quiet"), *join(host, "loud")]
        until(lambda: {(LOUD_MAC, kind) for kind in joined} <= reports(tap))
        for sock in sockets:
            sock.close()
        until(lambda: {(LOUD_MAC, kind) for kind in left} <= reports(tap))
        assert [kind for mac, kind in reports(tap) if mac == MAC] == []


VMAC = """
vrrp_instance VI_1 {
    interface eth0
    use_vmac
    virtual_router_id 51
    version 3
    advert_int 0.25
    virtual_ipaddress {
        10.99.0.100/24
    }
}
"""


def test_of_a_router_with_a_virtual_mac_adverts_are_heard_and_no_report(wire: Lan, tmp_path: Path) -> None:
    ours, other = Ours(wire.host(), tmp_path, VMAC), wire.host()
    with Tap(other) as tap, started(ours):
        until(lambda: len(tap.adverts(51)) > 8)
        assert {seen.frame[6:12].hex(":") for seen in tap.adverts(51)} == {MAC}
        assert [kind for mac, kind in reports(tap) if mac == MAC] == []
        whole = ["firewall/rules is RUNNING", "in force", "no group is reported through vrrp.51"]
        assert asked(ours, ask="why", id="firewall/rules")["lines"] == whole
