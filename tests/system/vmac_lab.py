"""The wire of the tests of virtual MACs: routers, a neighbour that asks, and what each host puts on the wire."""

import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from tests.system.lab import until
from tests.system.netns import Host, Keepalived, Lan, Ours, Router, asked, ip, lan
from tests.system.tap import Tap

NAME = "vip51"
MACS = {4: "00:00:5e:00:01:33", 6: "00:00:5e:00:02:33"}
VIPS = {4: ("10.99.0.100",), 6: ("fe80::100", "fd00::100")}
"""What a router of VRID 51 has to itself, by family."""

OWN = f"use_vmac {NAME}"

PATIENCE = 40.0
"""Seconds for anything, on a machine with a lot to do."""

CONF = """
vrrp_instance VI_{vrid} {{
    interface eth0
    state BACKUP
    virtual_router_id {vrid}
    priority {priority}
    version 3
    advert_int 0.2
    {more}
    virtual_ipaddress {{
        {vips}
    }}
}}
"""


def conf(priority: int, family: int = 4, more: str = OWN, vrid: int = 51, vips: tuple[str, ...] = ()) -> str:
    """One instance, that keepalived too understands."""
    lines = "\n        ".join(f"{each}/{24 if family == 4 else 64}" for each in vips or VIPS[family])
    return CONF.format(priority=priority, vrid=vrid, more=more, vips=lines)


def eventually(what: Callable[[], Any]) -> Any:
    """As `until`, for what starts many programs and asks in a program of its own each time."""
    return until(what, limit=PATIENCE, step=0.1)


class Net(NamedTuple):
    """What a scene is about."""

    family: int = 4
    pair: tuple[type[Router], type[Router]] = (Ours, Keepalived)


class Stage:
    """Two hosts for routers, a neighbour with a tap, and for each router's host a tap on the other end of its cable."""

    def __init__(self, wire: Lan, folder: Path, net: Net, stack: ExitStack) -> None:
        self.net, self.folder, self.wire = net, folder, wire
        self.mac, self.vips = MACS[net.family], VIPS[net.family]
        self.hosts = (wire.host(), wire.host())
        self.neighbour = wire.host()
        self._stack = stack
        self._read: dict[Host, list[Packet]] = {}
        self.ear = stack.enter_context(Tap(self.neighbour))
        self._cables = {host: stack.enter_context(Tap(wire, host.port)) for host in self.hosts}
        eventually(lambda: all(map(link_local, (*self.hosts, self.neighbour))))

    def routers(self, better: str, worse: str) -> tuple[Router, Router]:
        """One of each kind on the two hosts, not started."""
        kinds = zip(self.net.pair, self.hosts, (better, worse), strict=True)
        first, second = (kind(host, self.folder, text) for kind, host, text in kinds)
        for each in (first, second):
            self._stack.callback(each.kill)
        return first, second

    def ours(self, text: str) -> Ours:
        """Ours alone on the first host, running."""
        router = Ours(self.hosts[0], self.folder, text)
        self._stack.callback(router.kill)
        router.start()
        return router

    def sent(self, host: Host) -> list[Packet]:
        """All frames that a host has put on the wire."""
        frames, known = self._cables[host].look(), self._read.setdefault(host, [])
        known += [Ether(seen.frame) for seen in frames[len(known) :]]
        return known

    def leads(self, router: Router) -> None:
        """Wait until a router alone holds the addresses."""
        eventually(lambda: self.holders() == [router.host])

    def holders(self) -> list[Host]:
        """Who has the last of the addresses on the interface of its own."""
        return [host for host in self.hosts if holds(host, NAME, self.vips[-1])]

    def ask(self, *frames: Packet) -> None:
        """Have the neighbour put frames on the wire."""
        self.ear.put(*(bytes(each) for each in frames))

    def put(self, host: Host, interface: str, frame: Packet) -> None:
        """Put a frame on a wire, at another place."""
        with Tap(host, interface) as tap:
            tap.put(bytes(frame))

    def plug_anew(self, host: Host) -> None:
        """Give a host that lost its interface a new one."""
        new = ("link", "add", host.port, "type", "veth", "peer", "name", "eth0", "netns", host.name)
        for words in (new, ("link", "set", host.port, "master", "br0", "up")):
            ip("-n", self.wire.name, *words)
        ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "eth0")
        ip("-n", host.name, "link", "set", "eth0", "up")
        self._cables[host] = self._stack.enter_context(Tap(self.wire, host.port))
        self._read.pop(host, None)

    @property
    def own(self) -> str:
        """The neighbour's MAC."""
        return self.neighbour.mac

    def solicitation(self, address: str) -> Packet:
        """Who has it?"""
        if ":" not in address:
            who = ARP(op=1, hwsrc=self.own, psrc=self.neighbour.address, pdst=address)
            return Ether(src=self.own, dst="ff:ff:ff:ff:ff:ff") / who
        group = address.rpartition(":")[2].rjust(4, "0")
        low = bytes.fromhex(ip_bytes(address)[-6:])
        to, mac = f"ff02::1:ff{low[0]:02x}:{group}", f"33:33:ff:{low.hex(':')}"
        from_ = IPv6(src=link_local(self.neighbour), dst=to, hlim=255)
        option = ICMPv6NDOptSrcLLAddr(lladdr=self.own)
        return Ether(src=self.own, dst=mac) / from_ / ICMPv6ND_NS(tgt=address) / option

    def echo(self, address: str, mac: str) -> Packet:
        """A ping."""
        if ":" not in address:
            return Ether(src=self.own, dst=mac) / IP(src=self.neighbour.address, dst=address) / ICMP(id=7)
        return (
            Ether(src=self.own, dst=mac) / IPv6(src=link_local(self.neighbour), dst=address) / ICMPv6EchoRequest(id=7)
        )

    def advertisement(self, prefix: str) -> Packet:
        """Here is a router: make yourself an address of this prefix."""
        info = ICMPv6NDOptPrefixInfo(prefix=prefix, prefixlen=64, L=1, A=1)
        head = IPv6(src=link_local(self.neighbour), dst="ff02::1", hlim=255)
        return Ether(src=self.own, dst="33:33:00:00:00:01") / head / ICMPv6ND_RA() / info

    def answers(self, host: Host, address: str) -> set[str]:
        """The MACs with which a host has said, when asked, that an address is there."""
        found = set()
        for frame in self.sent(host):
            if ARP in frame and frame[ARP].op == 2 and frame[ARP].psrc == address:
                assert frame.src == frame[ARP].hwsrc
                found.add(frame.src)
            if ICMPv6ND_NA in frame and frame[ICMPv6ND_NA].S and frame[ICMPv6ND_NA].tgt == address:
                found |= {frame.src, frame[ICMPv6NDOptDstLLAddr].lladdr}
        return found

    def pongs(self, host: Host) -> set[tuple[str, str]]:
        """From which addresses a host has answered pings, and with which MAC."""
        replies = [frame for frame in self.sent(host) if is_pong(frame)]
        return {(frame[IP].src if IP in frame else frame[IPv6].src, frame.src) for frame in replies}

    def adverts(self, host: Host) -> set[tuple[str, str]]:
        """MAC and address from which a host has sent adverts."""
        return {(frame.src, frame[layer].src) for frame in self.sent(host) if (layer := advert(frame))}

    def announcements(self, host: Host) -> set[tuple[str, str, str]]:
        """Ethernet source, MAC told, and address of what a host has announced unasked."""
        found = set()
        for frame in self.sent(host):
            if ARP in frame and frame[ARP].psrc == frame[ARP].pdst:
                found.add((frame.src, frame[ARP].hwsrc, frame[ARP].psrc))
            if ICMPv6ND_NA in frame and not frame[ICMPv6ND_NA].S and frame[ICMPv6ND_NA].tgt in self.vips:
                found.add((frame.src, frame[ICMPv6NDOptDstLLAddr].lladdr, frame[ICMPv6ND_NA].tgt))
        return found


def is_pong(frame: Packet) -> bool:
    return ICMPv6EchoReply in frame or (ICMP in frame and frame[ICMP].type == 0 and frame[ICMP].id == 7)


def advert(frame: Packet) -> type[Packet] | None:
    """The layer of an advert's addresses; None for any other frame."""
    if IP in frame and frame[IP].proto == 112:
        return IP
    return IPv6 if IPv6 in frame and frame[IPv6].nh == 112 else None


def ip_bytes(address: str) -> str:
    """An IPv6 address as 32 digits."""
    return IPv6(dst=address).build()[24:40].hex()


def link_local(host: Host) -> str:
    """The link-local address of a host's interface; empty while there is none that may be used."""
    text = ip("-n", host.name, "-o", "-6", "addr", "show", "dev", "eth0", "scope", "link")
    return "" if not text or "tentative" in text else text.split()[3].partition("/")[0]


def real(host: Host, family: int) -> str:
    """The address of a host's interface that adverts come from."""
    return host.address if family == 4 else link_local(host)


def inside(host: Host, *words: str) -> str:
    """What a command prints in a host's namespace."""
    done = subprocess.run(["ip", "netns", "exec", host.name, *words], check=False, capture_output=True, text=True)
    return done.stdout


def holds(host: Host, device: str, address: str) -> bool:
    """Whether a device, that need not be there, has an address."""
    return f" {address}/" in inside(host, "ip", "-o", "addr", "show", "dev", device)


def there(host: Host, device: str) -> str:
    """The index of a device; empty when there is none."""
    return inside(host, "ip", "-o", "link", "show", "dev", device).partition(":")[0]


def setting(host: Host, path: str) -> str:
    """What is below /proc/sys/net."""
    return inside(host, "cat", f"/proc/sys/net/{path}").strip()


def why(ours: Ours, vrid: int = 51) -> str:
    """Its router's role, and for what reason."""
    eventually(ours.socket.exists)
    lines = asked(ours, ask="why", id=f"vrrp/VI_{vrid}")["lines"]
    return str(lines[1]) if len(lines) > 1 else ""


class Scene(NamedTuple):
    """Something that is played on a stage of its own."""

    act: Callable[[Stage], None]
    net: Net = Net()

    def __str__(self) -> str:
        pair = "-".join(kind.__name__ for kind in self.net.pair)
        return f"{self.act.__name__}[IPv{self.net.family}-{pair}]"

    def play(self, label: str, folder: Path) -> None:
        """From the first cable to the last."""
        place = folder / label
        place.mkdir()
        with lan(label) as wire, ExitStack() as stack:
            self.act(Stage(wire, place, self.net, stack))


def a_while() -> None:
    """Time for what must not happen to happen."""
    time.sleep(0.5)
