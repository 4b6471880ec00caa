"""Adverts and announcements on a real wire between namespaces."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actors.core.packet import gratuitous_arp, neighbour_advertisement
from actors.core.packet_values import PROTOCOL
from actors.planes import PlaneError
from actors.planes.network import Endpoint, Received
from tests.system.inside import Inside
from tests.system.lab import until
from tests.system.netns import Host, Lan, ip, lan

GROUP = {4: "224.0.0.18", 6: "ff02::12"}
LENGTH = 20


def advert(vrid: int, filling: str = "00") -> str:
    """What stands for a VRRP message: only its VRID is looked at."""
    return f"31{vrid:02x}" + filling * LENGTH


def heard(vrid: int, source: str, destination: str, ttl: int = 255) -> Received:
    return Received(bytes.fromhex(advert(vrid)), source, destination, ttl)


def endpoint(family: int, vrid: int = 51, **more: Any) -> Endpoint:
    """On eth0, by multicast unless ``destinations`` says otherwise."""
    return Endpoint("eth0", family, vrid, **{"destinations": (GROUP[family],), **more})


def link_local(host: Host) -> str:
    """The host's own IPv6 address, once it may be used."""

    def ready() -> str:
        words = ip("-n", host.name, "-o", "-6", "addr", "show", "dev", "eth0", "scope", "link", "-tentative").split()
        return words[words.index("inet6") + 1].partition("/")[0] if "inet6" in words else ""

    return str(until(ready))


def source_of(host: Host, family: int) -> str:
    return host.address if family == 4 else link_local(host)


@pytest.fixture
def wire() -> Iterator[Lan]:
    with lan() as made:
        yield made


@pytest.fixture
def ends(wire: Lan) -> Iterator[tuple[Inside, Inside]]:
    """The planes on two hosts of one wire."""
    with ExitStack() as stack:
        yield stack.enter_context(Inside(wire.host())), stack.enter_context(Inside(wire.host()))


@pytest.mark.parametrize("family", [4, 6])
def test_multicast_is_heard_with_source_destination_and_255_hops(
    wire: Lan, ends: tuple[Inside, Inside], family: int
) -> None:
    one, other = ends
    sources = [source_of(host, family) for host in wire.hosts]
    for end, source in zip(ends, sources, strict=True):
        end.do("open", endpoint(family), source)
    one.do("send", endpoint(family), GROUP[family], advert(51))
    other.do("send", endpoint(family), GROUP[family], advert(51))
    assert other.heard(1) == [heard(51, sources[0], GROUP[family])]
    assert one.heard(1) == [heard(51, sources[1], GROUP[family])]
    assert (one.told, other.told) == ([], []), "nobody hears himself"


@pytest.mark.parametrize("family", [4, 6])
def test_unicast_goes_to_each_peer_with_its_ttl_and_joins_no_group(
    wire: Lan, ends: tuple[Inside, Inside], family: int
) -> None:
    one, other = ends
    own, peer = (source_of(host, family) for host in wire.hosts)
    there = endpoint(family, destinations=(peer,), ttl=64)
    back = endpoint(family, destinations=(own,))
    one.do("open", there, own)
    other.do("open", back, peer)
    one.do("send", there, peer, advert(51))
    assert other.heard(1) == [heard(51, own, peer, 64)]
    maddr = ip("-n", wire.hosts[1].name, "maddr", "show", "dev", "eth0")
    assert f" {GROUP[family]}\n" not in maddr


@pytest.mark.parametrize("family", [4, 6])
def test_routers_that_send_alike_share_a_socket_until_the_last_of_them_is_closed(
    wire: Lan, ends: tuple[Inside, Inside], family: int
) -> None:
    def sockets() -> int:
        table = Path(f"/proc/{one.pid}/net/{'raw' if family == 4 else 'raw6'}").read_text()
        return table.count(f":{PROTOCOL:04X} ")

    one, other = ends
    sources = [source_of(host, family) for host in wire.hosts]
    there = {vrid: endpoint(family, vrid, ttl=64 if vrid == 53 else 255) for vrid in (51, 52, 53)}
    for each in there.values():
        one.do("open", each, sources[0])
    assert sockets() == 1 + 2, "one hears, one sends with each TTL"
    one.do("close", there[53])
    assert sockets() == 1 + 1
    other.do("open", endpoint(family, 52), sources[1])
    one.do("close", endpoint(family, 51))
    one.do("send", endpoint(family, 52), GROUP[family], advert(52))
    assert other.heard(1) == [heard(52, sources[0], GROUP[family])]
    one.do("close", endpoint(family, 52))
    assert sockets() == 0
    one.do("open", endpoint(family, 52), sources[0])
    one.do("send", endpoint(family, 52), GROUP[family], advert(52))
    assert other.heard(1) == [heard(52, sources[0], GROUP[family])]


@pytest.mark.parametrize("family", [4, 6])
def test_a_group_is_left_with_the_last_router_that_needs_it(
    wire: Lan, ends: tuple[Inside, Inside], family: int
) -> None:
    def joined() -> bool:
        return f"{GROUP[family]}\n" in ip("-n", wire.hosts[0].name, "maddr", "show", "dev", "eth0")

    source = source_of(wire.hosts[0], family)
    elsewhere = endpoint(family, 53, destinations=(source,))
    for each in (endpoint(family, 51), endpoint(family, 52), elsewhere):
        ends[0].do("open", each, source)
    ends[0].do("close", endpoint(family, 51))
    assert joined()
    ends[0].do("close", endpoint(family, 52))
    assert not joined()


@pytest.mark.parametrize("family", [4, 6])
def test_the_kernel_drops_the_adverts_of_other_routers(wire: Lan, ends: tuple[Inside, Inside], family: int) -> None:
    one, other = ends
    sources = [source_of(host, family) for host in wire.hosts]
    for vrid in (7, 51, 52, 255):
        one.do("open", endpoint(family, vrid), sources[0])
    for vrid in (52, 255):
        other.do("open", endpoint(family, vrid), sources[1])
    for vrid in (7, 255, 51, 52):
        one.do("send", endpoint(family, vrid), GROUP[family], advert(vrid))
    assert other.heard(2) == [heard(vrid, sources[0], GROUP[family]) for vrid in (255, 52)]
    other.do("close", endpoint(family, 52))
    for vrid in (52, 255):
        one.do("send", endpoint(family, vrid), GROUP[family], advert(vrid))
    assert other.heard(1) == [heard(255, sources[0], GROUP[family])]
    assert (other.told, other.errors()) == ([], {"eth0": {}})


def test_one_vrid_in_both_families_is_two_routers(wire: Lan, ends: tuple[Inside, Inside]) -> None:
    one, other = ends
    sources = {family: source_of(wire.hosts[0], family) for family in (4, 6)}
    for family, source in sources.items():
        one.do("open", endpoint(family), source)
        other.do("open", endpoint(family), source_of(wire.hosts[1], family))
    for family, source in sources.items():
        one.do("send", endpoint(family), GROUP[family], advert(51))
        assert other.heard(1) == [heard(51, source, GROUP[family])]
    other.do("close", endpoint(6))
    for family in (6, 4):
        one.do("send", endpoint(family), GROUP[family], advert(51))
    assert other.heard(1) == [heard(51, sources[4], GROUP[4])]


def test_an_ipv4_source_may_be_nobodys_address_and_another_group_is_joined(ends: tuple[Inside, Inside]) -> None:
    own = endpoint(4, destinations=("224.0.0.99",))
    ends[0].do("open", own, "203.0.113.9")
    ends[1].do("open", own, "10.99.0.2")
    ends[0].do("send", own, "224.0.0.99", advert(51))
    assert ends[1].heard(1) == [heard(51, "203.0.113.9", "224.0.0.99")]


@pytest.mark.parametrize("family", [4, 6])
def test_the_wire_looks_as_keepalived_writes_it(wire: Lan, ends: tuple[Inside, Inside], family: int) -> None:
    source = source_of(wire.hosts[0], family)
    ends[0].do("open", endpoint(family), source)
    with capture(wire.hosts[1], "ip proto 112 or ip6 proto 112") as tcpdump:
        ends[0].do("send", endpoint(family), GROUP[family], advert(51))
        text = first(tcpdump)
    words = ("tos 0xc0", "ttl 255", "proto VRRP (112)") if family == 4 else ("class 0xc0", "hlim 255", "VRRP (112)")
    assert [word for word in (*words, f"{source} > {GROUP[family]}") if word not in text] == []


def test_neighbours_believe_the_announcements(wire: Lan, ends: tuple[Inside, Inside]) -> None:
    """The judge is another kernel: it takes the address of the machine into its table of neighbours."""
    there = wire.hosts[1]
    # The kernel keeps for so long what it has just learned, in hundredths of a second: 1 s unless told.
    there.run("sysctl", "-q", "-w", "net.ipv4.neigh.eth0.locktime=0").wait()
    mac = "02:00:00:00:00:99"
    for family, address in (("-4", "10.99.0.77"), ("-6", "fd00::77")):
        stale = ("lladdr", "02:00:00:00:00:01", "nud", "stale", "dev", "eth0")
        ip("-n", there.name, family, "neigh", "replace", address, *stale)
        frame = gratuitous_arp(mac, address) if family == "-4" else neighbour_advertisement(mac, address, router=True)
        ends[0].do("announce", "eth0", frame.hex())
        until(partial(knows, there, address, mac))
    with capture(there, "arp or icmp6") as tcpdump:
        ends[0].do("announce", "eth0", gratuitous_arp(mac, "10.99.0.77").hex())
        assert f"{mac} > ff:ff:ff:ff:ff:ff" in first(tcpdump)


def test_after_a_stall_a_drain_hands_over_all_that_lies_unread(wire: Lan, ends: tuple[Inside, Inside]) -> None:
    one, other = ends
    count = 300
    one.do("open", endpoint(4), "10.99.0.1")
    other.do("open", endpoint(4), "10.99.0.2")
    other.do("pause_and_drain", endpoint(4), 0)
    stalled = Stalled(other)
    for _ in range(count):
        one.do("send", endpoint(4), GROUP[4], advert(51))
    stalled.over()
    other.do("pause_and_drain", endpoint(4), 0)
    assert len(other.told) == count, "handed over before the answer"
    assert other.heard(count) == [heard(51, "10.99.0.1", GROUP[4])] * count


def test_what_goes_wrong_is_told_and_harms_no_other(wire: Lan, ends: tuple[Inside, Inside]) -> None:
    one, other = ends
    host = wire.hosts[0]
    for end, source in ((one, "10.99.0.1"), (other, "10.99.0.2")):
        end.do("open", endpoint(4), source)
    assert refusal(one, "open", Endpoint("eth9", 4, 1, (GROUP[4],)), "10.99.0.1") == (
        "opening VRRP 1 on eth9: no interface with this name"
    )
    assert refusal(one, "open", endpoint(6, 2), "fd00::9") == (
        "opening VRRP 2 on eth0: Cannot assign requested address (EADDRNOTAVAIL)"
    )
    assert refusal(one, "open", endpoint(4, 3, destinations=("nobody",)), "10.99.0.1").startswith(
        "opening VRRP 3 on eth0: 'nobody' does not appear"
    )
    assert refusal(one, "send", endpoint(4, 3), GROUP[4], advert(3)) == "sending on eth0: VRRP 3 is not open"
    frame = gratuitous_arp("02:00:00:00:00:99", "10.99.0.77").hex()
    assert refusal(one, "announce", "eth9", frame) == "announcing on eth9: No such device (ENODEV)"
    ip("-n", host.name, "link", "set", "eth0", "down")
    assert refusal(one, "announce", "eth0", frame) == "announcing on eth0: Network is down (ENETDOWN)"
    assert refusal(one, "send", endpoint(4), GROUP[4], advert(51)).startswith(f"sending to {GROUP[4]} on eth0: Network")
    ip("-n", host.name, "link", "set", "eth0", "up")
    until(lambda: " state UP " in ip("-n", host.name, "link", "show", "eth0"))
    one.do("send", endpoint(4), GROUP[4], advert(51))
    assert other.heard(1) == [heard(51, "10.99.0.1", GROUP[4])]


def test_an_interface_that_comes_again_is_a_new_one(wire: Lan, ends: tuple[Inside, Inside]) -> None:
    """Two routers that learn of it one after the other: neither stays on the old one's sockets."""
    one, other = ends
    host = wire.hosts[0]
    for vrid in (51, 52):
        one.do("open", endpoint(4, vrid), "10.99.0.1")
        other.do("open", endpoint(4, vrid), "10.99.0.2")
    ip("-n", host.name, "link", "del", "eth0")
    assert refusal(one, "send", endpoint(4, 51), GROUP[4], advert(51)).startswith(f"sending to {GROUP[4]} on eth0: ")
    plug_in(wire, host)
    for vrid in (51, 52):
        one.do("open", endpoint(4, vrid), "10.99.0.1")
    for vrid in (51, 52):
        other.do("send", endpoint(4, vrid), GROUP[4], advert(vrid))
        one.do("send", endpoint(4, vrid), GROUP[4], advert(vrid))
    assert one.heard(2) == [heard(vrid, "10.99.0.2", GROUP[4]) for vrid in (51, 52)]
    assert other.heard(2) == [heard(vrid, "10.99.0.1", GROUP[4]) for vrid in (51, 52)]


def knows(host: Host, address: str, mac: str) -> bool:
    return mac in ip("-n", host.name, "neigh", "show", address)


def plug_in(wire: Lan, host: Host) -> None:
    """Give the host an eth0 again."""
    ip("-n", wire.name, "link", "add", host.port, "type", "veth", "peer", "name", "eth0", "netns", host.name)
    ip("-n", wire.name, "link", "set", host.port, "master", "br0", "up")
    ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "eth0")
    ip("-n", host.name, "link", "set", "eth0", "up")
    until(lambda: " state UP " in ip("-n", host.name, "link", "show", "eth0"))


def refusal(end: Inside, *command: Any) -> str:
    with pytest.raises(PlaneError) as caught:
        end.do(*command)
    return str(caught.value)


class Stalled:
    """The program of an end, stopped for a while."""

    def __init__(self, end: Inside) -> None:
        self._pid = end.pid
        os.kill(self._pid, signal.SIGSTOP)

    def over(self) -> None:
        os.kill(self._pid, signal.SIGCONT)


def capture(host: Host, what: str) -> "subprocess.Popen[bytes]":
    """tcpdump on the host's eth0, once it listens."""
    words = ["tcpdump", "-i", "eth0", "-l", "-n", "-e", "-v", "-c", "1", what]
    tcpdump = host.run(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    assert tcpdump.stderr is not None
    assert b"listening on" in tcpdump.stderr.readline()
    return tcpdump


def first(tcpdump: "subprocess.Popen[bytes]") -> str:
    """What the first packet looks like."""
    text = tcpdump.communicate(timeout=10)[0].decode()
    return " ".join(text.split())
