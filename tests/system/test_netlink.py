"""Addresses and links of a real kernel, in a namespace of their own."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from actors.planes import PlaneError
from actors.planes.network import Address, LinkEvent
from tests.system.inside import Inside
from tests.system.lab import until
from tests.system.netns import Host, ip, lan

OWN = Address("10.99.0.1", 24)


@pytest.fixture
def host() -> Iterator[Host]:
    """A host without IPv6 addresses of its own, so that what is there is what the test has put there."""
    with lan() as wire:
        made = wire.host()
        for which in ("default", "eth0"):
            made.run("sysctl", "-q", "-w", f"net.ipv6.conf.{which}.addr_gen_mode=1").wait()
        ip("-n", made.name, "-6", "addr", "flush", "dev", "eth0")
        yield made


@pytest.fixture
def planes(host: Host) -> Iterator[Inside]:
    with Inside(host) as inside:
        yield inside


def seen(host: Host, *keys: str, interface: str = "eth0") -> list[dict[str, Any]]:
    """Addresses as ``ip`` tells of them, less what is there from the beginning."""
    (link,) = json.loads(ip("-n", host.name, "-j", "addr", "show", "dev", interface))
    found = [{key: each.get(key) for key in ("local", "prefixlen", *keys)} for each in link["addr_info"]]
    return [each for each in found if each["local"] not in (OWN.address, "127.0.0.1", "::1")]


def mac_of(host: Host, interface: str = "eth0") -> str:
    (link,) = json.loads(ip("-n", host.name, "-j", "link", "show", "dev", interface))
    return str(link["address"])


def up(host: Host, *addresses: str, interface: str = "eth0") -> LinkEvent:
    return LinkEvent(interface, True, mac_of(host, interface), addresses)


def down(host: Host, *addresses: str, interface: str = "eth0") -> LinkEvent:
    return LinkEvent(interface, False, mac_of(host, interface), addresses)


def refusal(planes: Inside, *command: Any) -> str:
    with pytest.raises(PlaneError) as caught:
        planes.do(*command)
    return str(caught.value)


def test_addresses_come_with_all_their_attributes_and_go(host: Host, planes: Inside) -> None:
    items = (
        Address("10.99.0.100", 24, label="eth0:vip", broadcast="+"),
        Address("192.0.2.1", 32, scope="link"),
        Address("fd00::100", 64),
        Address("fd00::101", 128),
        Address("127.0.0.9", 32, "lo"),
    )
    planes.do("add", "eth0", items)
    keys = ("label", "scope", "broadcast", "nodad", "deprecated", "tentative")
    expected = [
        ("192.0.2.1", 32, "eth0", "link", None, None, None, None),
        ("10.99.0.100", 24, "eth0:vip", "global", "10.99.0.255", None, None, None),
        ("fd00::101", 128, None, "global", None, True, True, None),
        ("fd00::100", 64, None, "global", None, True, None, None),
    ]
    assert [tuple(each.values()) for each in seen(host, *keys)] == expected
    assert seen(host, interface="lo") == [{"local": "127.0.0.9", "prefixlen": 32}]
    planes.do("add", "eth0", items)
    planes.do("remove", "eth0", items)
    assert (seen(host), seen(host, interface="lo")) == ([], [])
    planes.do("remove", "eth0", items)
    assert OWN.address in ip("-n", host.name, "addr"), "the host keeps its own"


def test_a_refusal_names_the_address_and_keeps_none_of_the_others_out(host: Host, planes: Inside) -> None:
    bad = (
        Address("10.99.0.7", 33),
        Address("10.99.0.8", 32, "eth9"),
        Address("nobody", 32),
        Address("10.99.0.9", 32, scope="wide"),
    )
    good = tuple(Address(f"10.98.{turn // 200}.{turn % 200 + 1}", 32) for turn in range(300))
    assert refusal(planes, "add", "eth0", (*bad, *good)) == (
        "adding 10.99.0.8/32 on eth9: No such device (ENODEV); "
        "nobody/32 on eth0: 'nobody' does not appear to be an IPv4 or IPv6 address; "
        "10.99.0.9/32 on eth0: 'wide' is not a scope; and 1 more"
    )
    assert {each["local"] for each in seen(host)} == {each.address for each in good}
    planes.do("remove", "eth0", (*good, Address("10.99.0.8", 32, "eth9")))
    assert seen(host) == []


def test_a_link_is_told_of_through_its_whole_life(host: Host, planes: Inside) -> None:
    planes.do("watch", "veth9")
    assert planes.link() == LinkEvent("veth9", False)
    ip("-n", host.name, "link", "add", "veth9", "type", "veth", "peer", "name", "far", "address", "02:00:00:00:00:02")
    planes.link_until(down(host, interface="veth9"))
    ip("-n", host.name, "link", "set", "veth9", "up")
    ip("-n", host.name, "link", "set", "far", "up")
    planes.link_until(up(host, interface="veth9"))
    ip("-n", host.name, "addr", "add", "198.51.100.1/24", "dev", "veth9")
    planes.link_until(up(host, "198.51.100.1", interface="veth9"))
    ip("-n", host.name, "link", "set", "far", "down")
    assert planes.link() == down(host, "198.51.100.1", interface="veth9"), "up, but not running"
    ip("-n", host.name, "link", "set", "far", "up")
    assert planes.link() == up(host, "198.51.100.1", interface="veth9")
    ip("-n", host.name, "link", "set", "veth9", "down")
    ip("-n", host.name, "link", "set", "veth9", "name", "veth8")
    planes.link_until(LinkEvent("veth9", False))
    ip("-n", host.name, "link", "set", "veth8", "name", "veth9")
    planes.link_until(down(host, "198.51.100.1", interface="veth9"))
    ip("-n", host.name, "link", "del", "veth9")
    planes.link_until(LinkEvent("veth9", False))


def test_a_link_that_another_of_its_name_replaces_was_down_in_between(host: Host, planes: Inside) -> None:
    ip("-n", host.name, "link", "set", "eth0", "address", "02:00:00:00:00:01")
    planes.do("watch", "eth0")
    planes.link_until(up(host, OWN.address))
    os.kill(planes.pid, signal.SIGSTOP)
    batch(host, "link del eth0\nlink add eth0 address 02:00:00:00:00:01 type veth peer name far\n")
    batch(host, f"link set far up\nlink set eth0 up\naddr add {OWN.address}/24 dev eth0\n")
    os.kill(planes.pid, signal.SIGCONT)
    replaced = LinkEvent("eth0", True, "02:00:00:00:00:01", (OWN.address,))
    assert planes.link_until(replaced) == [LinkEvent("eth0", False), replaced]


def test_a_port_that_leaves_a_bridge_is_still_there(host: Host, planes: Inside) -> None:
    batch(host, "link add br9 type bridge\nlink set eth0 master br9\n")
    planes.do("watch", "eth0")
    assert planes.link() == up(host, OWN.address)
    batch(host, "link set eth0 nomaster\naddr add 192.0.2.9/32 dev eth0\n")
    assert planes.link() == up(host, OWN.address, "192.0.2.9")


def test_an_ipv6_address_is_told_of_when_it_may_be_used_and_the_oldest_comes_first(host: Host, planes: Inside) -> None:
    planes.do("watch", "eth0")
    assert planes.link() == up(host, OWN.address)
    ip("-n", host.name, "addr", "add", "fe80::1/64", "dev", "eth0")
    assert planes.link() == up(host, OWN.address, "fe80::1")
    assert "tentative" not in ip("-n", host.name, "addr", "show", "dev", "eth0")
    planes.do("add", "eth0", (Address("fe80::100", 64),))
    oldest_first = up(host, OWN.address, "fe80::1", "fe80::100")
    assert planes.link() == oldest_first
    planes.do("watch", "eth0")
    assert planes.link() == oldest_first
    planes.do("narrow")
    planes.do("watch", "eth0")
    assert planes.link() == oldest_first, "also when all is read at once"


def test_after_an_overflow_all_is_read_anew(host: Host, planes: Inside) -> None:
    planes.do("narrow")
    planes.do("watch", "eth0")
    assert planes.link() == up(host, OWN.address)
    many = [f"10.98.{turn // 200}.{turn % 200 + 1}" for turn in range(600)]
    os.kill(planes.pid, signal.SIGSTOP)
    batch(host, "".join(f"addr add {each}/32 dev eth0\n" for each in many))
    os.kill(planes.pid, signal.SIGCONT)
    planes.link_until(up(host, OWN.address, *many))
    assert planes.resyncs() == 1
    ip("-n", host.name, "addr", "del", f"{many[0]}/32", "dev", "eth0")
    assert planes.link() == up(host, OWN.address, *many[1:]), "and news are believed again"


def test_a_thousand_addresses_at_once_fit_the_buffer(host: Host, planes: Inside) -> None:
    planes.do("watch", "eth0")
    assert planes.link() == up(host, OWN.address)
    many = tuple(Address(f"10.98.{turn // 200}.{turn % 200 + 1}", 32) for turn in range(1000))
    planes.do("add", "eth0", many)
    planes.link_until(up(host, OWN.address, *(each.address for each in many)))
    planes.do("remove", "eth0", many)
    planes.link_until(up(host, OWN.address))
    assert planes.resyncs() == 0


def test_where_ipv6_is_off_the_kernel_says_so(host: Host, planes: Inside) -> None:
    host.run("sysctl", "-q", "-w", "net.ipv6.conf.eth0.disable_ipv6=1").wait()
    until(lambda: seen(host) == [])
    assert refusal(planes, "add", "eth0", (Address("fd00::1", 64),)) == (
        "adding fd00::1/64 on eth0: Permission denied (EACCES)"
    )


def batch(host: Host, commands: str) -> None:
    """Commands of ``ip``, all in one go."""
    subprocess.run(["ip", "-n", host.name, "-batch", "-"], input=commands, text=True, check=True, capture_output=True)


@pytest.mark.parametrize("address", ["192.0.2.7", "fd00::7"])
def test_an_address_is_found_on_whatever_interface_it_comes_and_goes(host: Host, planes: Inside, address: str) -> None:
    planes.do("seek", address)
    assert planes.places(1) == [False]
    for interface in ("eth0", "lo"):
        item = (Address(address, 32 if ":" not in address else 128, interface),)
        planes.do("add", interface, item)
        assert planes.places(1) == [True]
        planes.do("add", "lo", (Address("192.0.2.8", 32, "lo"),))
        planes.do("remove", interface, item)
        assert planes.places(1) == [False]
    planes.do("unseek", address)
    planes.do("add", "lo", (Address(address, 32 if ":" not in address else 128, "lo"),))
    planes.do("seek", address)
    while planes.places(1) != [True]:
        pass  # the news of it may be on its way
