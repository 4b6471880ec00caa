"""The wire of the conformance tests: one running program with a router of every kind, and a neighbour that forges."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.system.lab import until
from tests.system.netns import Host, Lan, Ours, asked, ip, lan, started
from tests.system.tap import Tap

THEIRS, OTHERS, OURS = "10.99.0.1", "10.99.0.9", "10.99.0.20"
"""Two addresses of the neighbour, and the first one of the program's host. Beside eth0 both have an idle eth1."""
BESIDE = ("10.99.0.5/24", "10.99.1.7/24", "10.98.0.1/32")
"""More addresses of the program's host, none of which is a source: smaller ones, of its network and of others."""

PLAIN, PASS, THREE, SIX, PEER, CHOOSY, FAST, BARE, QUIET, OWNER, STRICT = range(51, 62)
"""Virtual router ids, by what is special about each router."""

V3 = "version 3\n    advert_int 0.25"
PEERS = "unicast_peer {{\n        {}\n    }}".format
ROUTERS = {
    PLAIN: ("priority 100", "10.99.0.3/24 10.99.0.4/32"),
    PASS: ("authentication {\n        auth_type PASS\n        auth_pass secret\n    }", "10.99.0.52"),
    THREE: (V3, "10.99.0.53 10.99.0.63"),
    SIX: (V3, "fe80::54 fd00::54"),
    PEER: (f"{V3}\n    unicast_ttl 64\n    " + PEERS(f"{THEIRS}\n        {OTHERS}"), "10.99.0.55"),
    CHOOSY: (f"{V3}\n    " + PEERS(f"{THEIRS} min_ttl 60 max_ttl 64"), "10.99.0.56"),
    FAST: ("version 3\n    advert_int 0.1\n    priority 255", "10.99.0.57"),
    BARE: (f"{V3}\n    v3_checksum_as_v2", "10.99.0.58"),
    QUIET: ("version 3\n    advert_int 0.2", "10.99.0.59"),
    OWNER: ("priority 255", "10.99.0.60"),
    STRICT: (f"{V3}\n    strict_mode", "fe80::61 fd00::61"),
}


def conf() -> str:
    """All of them on eth0, R51 to R61."""
    return "\n".join(
        f"vrrp_instance R{vrid} {{\n    interface eth0\n    virtual_router_id {vrid}\n    {more}\n"
        f"    virtual_ipaddress {{\n        {chr(10).join(vips.split())}\n    }}\n}}"
        for vrid, (more, vips) in ROUTERS.items()
    )


class Scene:
    """The running program and the neighbour's tap. ``began`` is when the program was started, since the epoch."""

    def __init__(self, wire: Lan, folder: Path) -> None:
        self.neighbour, self.host = wire.host(), wire.host()
        ip("-n", self.neighbour.name, "addr", "add", f"{OTHERS}/24", "dev", "eth0")
        ip("-n", self.host.name, "addr", "flush", "dev", "eth0", "scope", "global")
        for address in (f"{OURS}/24", *BESIDE):
            ip("-n", self.host.name, "addr", "add", address, "dev", "eth0")
        peer = ("type", "veth", "peer", "name", "eth1", "netns", self.host.name)
        ip("-n", self.neighbour.name, "link", "add", "eth1", *peer)
        for host in (self.neighbour, self.host):
            ip("-n", host.name, "link", "set", "eth1", "up")
        self.mac = mac(self.host)
        self.own6, self.their6 = link_local(self.host), link_local(self.neighbour)
        self.program = Ours(self.host, folder, conf())
        self.began = 0.0

    def row(self, vrid: int) -> dict[str, Any]:
        """What the program's status says of a router."""
        rows = asked(self.program, ask="status")["routers"]
        return next(row for row in rows if row["vrid"] == vrid)  # type: ignore[no-any-return]

    def network(self) -> dict[str, int]:
        """What the program has read for no router."""
        found = asked(self.program, ask="status")["network"]["discarded"]
        return dict(found.get("eth0", {}))

    def leads(self, vrid: int) -> None:
        """Wait until the router is MASTER."""
        until(lambda: self.row(vrid)["role"] == "MASTER", limit=30)


@contextmanager
def scene(folder: Path) -> Iterator[tuple[Scene, Tap]]:
    """The wire for the time of a block, from a moment before the program starts."""
    with lan() as wire:
        made = Scene(wire, folder)
        with Tap(made.neighbour) as tap:
            made.began = time.time()
            with started(made.program):
                yield made, tap


def mac(host: Host, interface: str = "eth0") -> str:
    """The hardware address of an interface, as twelve digits."""
    words = ip("-n", host.name, "-o", "link", "show", "dev", interface).split()
    return words[words.index("link/ether") + 1].replace(":", "")


def link_local(host: Host) -> str:
    """The host's own IPv6 address, once it may be used."""

    def ready() -> str:
        words = ip("-n", host.name, "-o", "-6", "addr", "show", "dev", "eth0", "scope", "link", "-tentative").split()
        return words[words.index("inet6") + 1].partition("/")[0] if "inet6" in words else ""

    return str(until(ready))
