"""Virtual MACs on a real wire: where adverts come from, who answers for the addresses, and what is left."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.lab import until
from tests.system.netns import (
    Host,
    Keepalived,
    Lan,
    Ours,
    Router,
    Witness,
    asked,
    becomes_master,
    ip,
    lan,
    masters,
    started,
)

CONF = """
vrrp_instance VI_1 {{
    interface eth0
    state BACKUP
    virtual_router_id 51
    priority {priority}
    {more}
    virtual_ipaddress {{
        {vip}
    }}
}}
"""
VIP4, VIP6 = "10.99.0.100/24", "fe80::100/64"
NEWS = {4: "arp src host 10.99.0.100", 6: "icmp6[0] == 136 and src host fe80::100"}
"""What is announced, and answered, of the virtual address."""

MAC = {4: "00:00:5e:00:01:33", 6: "00:00:5e:00:02:33"}


@pytest.fixture
def wire() -> Iterator[Lan]:
    with lan() as made:
        yield made


FAST = "\n    version 3\n    advert_int 0.2"


def conf(priority: int, more: str = "use_vmac" + FAST, vip: str = VIP4) -> str:
    return CONF.format(priority=priority, more=more, vip=vip)


def devices(host: Host) -> dict[str, str]:
    """The macvlans of a host and their hardware addresses."""
    found = json.loads(ip("-n", host.name, "-d", "-j", "link", "show", "type", "macvlan") or "[]")
    return {each["ifname"]: each["address"] for each in found if each}


def holds(host: Host, device: str, address: str) -> bool:
    with contextlib.suppress(subprocess.CalledProcessError):
        return f" {address} " in ip("-n", host.name, "-o", "addr", "show", "dev", device)
    return False


class Sniffer:
    """What a host that takes no part sees of a kind of packet, with the Ethernet addresses."""

    def __init__(self, host: Host, what: str) -> None:
        words = ("tcpdump", "--immediate-mode", "-i", "eth0", "-e", "-l", "-n", what)
        self._process = host.run(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        assert b"listening" in self._process.stderr.readline() + self._process.stderr.readline()

    def senders(self) -> set[str]:
        """The hardware addresses that sent any."""
        self._process.terminate()
        text = self._process.communicate(timeout=10)[0].decode()
        return set(re.findall(r"^\S+ (\S+) >", text, re.MULTILINE))


def ask_for(host: Host, address: str) -> None:
    """Have a host send something to an address, for which it needs to know where that is."""
    say = "import socket, sys; a = socket.getaddrinfo(sys.argv[1], 9)[0]; socket.socket(a[0], 2).sendto(b'x', a[4])"
    host.run(sys.executable, "-c", say, address + ("%eth0" if ":" in address else "")).wait()


def neighbour(host: Host, address: str) -> str:
    """The hardware address that a host has found for an address."""
    found = re.search(r"lladdr (\S+)", ip("-n", host.name, "neigh", "show", address, "dev", "eth0"))
    return found[1] if found else ""


@pytest.mark.parametrize(("family", "vip", "version"), [(4, VIP4, 2), (6, VIP6, 3)])
def test_adverts_announcements_and_answers_come_from_the_virtual_mac_alone(
    wire: Lan, tmp_path: Path, family: int, vip: str, version: int
) -> None:
    ours = Ours(wire.host(), tmp_path, conf(150, f"use_vmac\n    version {version}", vip))
    other = wire.host()
    name = "vrrp.51" if family == 4 else "vrrp6.51"
    adverts = Sniffer(other, "ip proto 112 or ip6 proto 112")
    news = Sniffer(wire.host(), NEWS[family])
    with started(ours):
        until(lambda: holds(ours.host, name, vip))
        assert devices(ours.host) == {name: MAC[family]}
        address = vip.partition("/")[0]
        ask_for(other, address)
        until(lambda: neighbour(other, address) == MAC[family])
        made_of_it = "::200:5eff:fe00:233"
        assert made_of_it not in ip("-n", ours.host.name, "addr", "show", "dev", name)
        ours.stop()
    assert devices(ours.host) == {}
    assert adverts.senders() == {MAC[family]}
    assert news.senders() == {MAC[family]}


@pytest.mark.parametrize("pair", [(Ours, Keepalived), (Keepalived, Ours)], ids=lambda p: p[0].__name__)
def test_a_failover_between_virtual_macs_both_ways(
    wire: Lan, tmp_path: Path, pair: tuple[type[Router], type[Router]]
) -> None:
    better, worse = pair[0](wire.host(), tmp_path, conf(150)), pair[1](wire.host(), tmp_path, conf(100))
    witness = Witness(wire.host())
    with started(better):
        until(lambda: holds(better.host, "vrrp.51", VIP4))
        with started(worse):
            until(lambda: "BACKUP" in worse.log.read_text())
            better.stop()
            until(lambda: holds(worse.host, "vrrp.51", VIP4))
            better.start()
            until(lambda: holds(better.host, "vrrp.51", VIP4))
            until(lambda: not holds(worse.host, "vrrp.51", VIP4))
    assert masters(witness.adverts()) == [better.host.address, worse.host.address, better.host.address]


def test_with_vmac_xmit_base_adverts_come_from_the_interface_below_and_the_rest_does_not(
    wire: Lan, tmp_path: Path
) -> None:
    ours = Ours(wire.host(), tmp_path, conf(150, "use_vmac vip0\n    vmac_xmit_base" + FAST))
    other = wire.host()
    adverts = Sniffer(other, "ip proto 112")
    with started(ours):
        until(lambda: holds(ours.host, "vip0", VIP4))
        ask_for(other, "10.99.0.100")
        until(lambda: neighbour(other, "10.99.0.100") == MAC[4])
        ours.stop()
    found = adverts.senders()
    assert len(found) == 1
    assert MAC[4] not in found


def test_an_interface_that_is_somebody_else_s_is_left_alone_and_is_a_fault(wire: Lan, tmp_path: Path) -> None:
    ours = Ours(wire.host(), tmp_path, conf(150))
    ip("-n", ours.host.name, "link", "add", "vrrp.51", "type", "bridge")
    with started(ours):
        until(lambda: "exists already" in "".join(asked(ours, ask="why", id="vrrp/VI_1")["lines"]))
        ip("-n", ours.host.name, "link", "del", "vrrp.51")
        until(lambda: holds(ours.host, "vrrp.51", VIP4))


def test_what_a_crash_left_is_taken_over_and_what_somebody_removes_is_made_again(wire: Lan, tmp_path: Path) -> None:
    ours = Ours(wire.host(), tmp_path, conf(150))
    with started(ours):
        until(lambda: holds(ours.host, "vrrp.51", VIP4))
        ours.kill()
        assert devices(ours.host) == {"vrrp.51": MAC[4]}
        ours.start()
        until(lambda: not holds(ours.host, "vrrp.51", VIP4))  # a leftover goes first
        until(lambda: holds(ours.host, "vrrp.51", VIP4))
        ip("-n", ours.host.name, "link", "del", "vrrp.51")
        until(lambda: holds(ours.host, "vrrp.51", VIP4))
        becomes_master_again = asked(ours, ask="why", id="vrrp/VI_1")["lines"]
        assert becomes_master_again[1].startswith("MASTER")
        ours.stop()
    assert devices(ours.host) == {}


def test_a_reload_with_another_vrid_or_name_makes_another_interface_and_leaves_none_behind(
    wire: Lan, tmp_path: Path
) -> None:
    ours = Ours(wire.host(), tmp_path, conf(150, "use_vmac own"))
    with started(ours):
        until(lambda: holds(ours.host, "own", "10.99.0.100/24"))
        for vrid, name, mac in ((52, "own", "00:00:5e:00:01:34"), (52, "other", "00:00:5e:00:01:34")):
            text = conf(150, f"use_vmac {name}").replace("router_id 51", f"router_id {vrid}")
            ours.conf.write_text(text)
            ours.reload()
            until(lambda name=name, mac=mac: devices(ours.host) == {name: mac})
            until(lambda name=name: holds(ours.host, name, "10.99.0.100/24"))


def test_becoming_master_needs_no_vmac_where_none_is_asked_for(wire: Lan, tmp_path: Path) -> None:
    ours = Ours(wire.host(), tmp_path, conf(150, ""))
    with started(ours):
        becomes_master(ours)
        assert devices(ours.host) == {}
