"""Two routers on a wire of their own, ours or Debian's keepalived, and a third host that records what they say."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.system.capture import Advert, Recording, leaders, silences
from tests.system.lab import until
from tests.system.netns import Host, Keepalived, Lan, Ours, Router, ip, lan

HEALING = 1.5
"""Seconds after a cut is healed in which both may speak: each has led on its side, and unicast adverts that lacked a
neighbour are sent by the kernel when it has found it, which it tries once a second."""

PATIENCE = 25.0
"""Seconds that a step may take on a machine with a lot to do."""

INSTANCE = """
vrrp_instance VI_1 {{
    interface eth0
    state BACKUP
    virtual_router_id 51
    version {version}
    priority {priority}
    advert_int {interval:g}
    {more}
    virtual_ipaddress {{
        {addresses}
    }}
}}
"""
PASSWORD = "authentication {\n auth_type PASS\n auth_pass secret\n }"
TRAILER = "auth_hmac {\n key 7 0123456789abcdef0123456789abcdef\n active_key 7\n }"
PROOFS = {"": "", "header": PASSWORD.replace("PASS", "AH"), "trailer": TRAILER}
"""How routers prove that they are of one group, by what is in their packets for that."""


class Net(NamedTuple):
    """How the routers of an instance talk."""

    version: int = 3
    family: int = 4
    unicast: bool = False
    password: bool = False
    interval: float = 0.25
    proof: str = ""

    @property
    def address(self) -> str:
        """The virtual address by which a leader is known."""
        return "10.99.0.100" if self.family == 4 else "fd00::100"

    def __str__(self) -> str:
        words = (f"v{self.version}", f"IPv{self.family}", "unicast" if self.unicast else "multicast")
        return "-".join((*words, *(["password"] if self.password else []), *filter(None, [self.proof])))

    def own(self, host: Host) -> str:
        """The address of a host that its adverts come from in unicast."""
        return host.address if self.family == 4 else f"fd00::{host.address.rpartition('.')[2]}"

    def conf(self, own: Host, peer: Host, **values: Any) -> str:
        """The configuration of a router; ``values`` are ``priority``, ``interval`` and ``more`` lines."""
        vips = "10.99.0.100/24" if self.family == 4 else "fe80::100/64\n        fd00::100/64"
        talk = f"unicast_src_ip {self.own(own)}\n    unicast_peer {{\n {self.own(peer)}\n }}" if self.unicast else ""
        more = "\n    ".join((values.pop("more", ""), talk, PASSWORD if self.password else "", PROOFS[self.proof]))
        return INSTANCE.format(
            **{"version": self.version, "interval": self.interval} | values, more=more, addresses=vips
        )


Pair = tuple[type[Router], type[Router]]
OURS_FIRST: Pair = (Ours, Keepalived)
OURS_SECOND: Pair = (Keepalived, Ours)
AMONG_OURS: Pair = (Ours, Ours)


class Duel:
    """The better router is on the first host, the worse one on the second. Neither has started."""

    def __init__(self, wire: Lan, folder: Path, pair: Pair, net: Net) -> None:
        self.net = net
        hosts = [self._host(wire) for _ in pair]
        priorities = (150, 100)
        self._confs = [
            lambda own=own, peer=peer, priority=priority, **values: net.conf(
                own, peer, **{"priority": priority} | values
            )
            for own, peer, priority in zip(hosts, reversed(hosts), priorities, strict=True)
        ]
        self.better, self.worse = (
            kind(host, folder, conf()) for kind, host, conf in zip(pair, hosts, self._confs, strict=True)
        )
        self._names = {host.mac: word for host, word in zip(hosts, ("better", "worse"), strict=True)}
        self.recording = Recording(wire.host(), folder / "capture")
        self._healed: list[float] = []

    def _host(self, wire: Lan) -> Host:
        """Frames go to everybody, as by a hub, so that unicast is recorded too; IPv6 addresses are there at once."""
        host = wire.host()
        if self.net.family == 6:
            ip("netns", "exec", host.name, "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0")
            ip("-n", host.name, "addr", "add", f"{self.net.own(host)}/64", "dev", "eth0", "nodad")
        return host

    def configure(self, better: dict[str, Any] | None = None, worse: dict[str, Any] | None = None) -> None:
        """Write the configurations with other values than the usual."""
        for router, conf, values in zip((self.better, self.worse), self._confs, (better, worse), strict=True):
            router.conf.write_text(conf(**(values or {})))

    def leads(self, router: Router) -> None:
        """Wait until it speaks, and the virtual addresses are on its host and not on the other."""
        other = self.worse if router is self.better else self.better
        until(lambda: self.recording.leader() == router.host.mac, limit=PATIENCE, step=0.05)
        until(lambda: self._holds(router) and not self._holds(other), limit=PATIENCE, step=0.1)

    def _holds(self, router: Router) -> bool:
        return router.host.holds(self.net.address)

    def begin(self) -> None:
        """The better router leads, the worse one has heard of it."""
        self.better.start()
        self.leads(self.better)
        self.worse.start()
        self.listens(self.worse)
        self.spoken(1, by=self.better)

    def listens(self, router: Router) -> None:
        """Wait until it has said that it is BACKUP."""
        until(lambda: "Entering BACKUP STATE" in router.log.read_text(), limit=PATIENCE, step=0.05)

    def die(self, router: Router) -> None:
        """SIGKILL; the address goes too, as with a host that dies."""
        router.kill()
        router.host.forget(self.net.address)

    def spoken(self, count: int, by: Router) -> None:
        """Wait for ``count`` more adverts, all of which are by one router."""
        now = time.time()
        until(lambda: len(self.recording.adverts(now)) >= count, limit=PATIENCE, step=0.05)
        others = [advert for advert in self.recording.adverts(now) if advert.source != by.host.mac]
        assert not others, f"somebody else spoke: {others}"

    def healed(self) -> None:
        """A cut ends now."""
        self._healed.append(time.time())

    def led(self) -> list[str]:
        """Who led, in order: ``better`` and ``worse``."""
        calm = [each for each in self.recording.adverts() if not any(0 < each.at - t < HEALING for t in self._healed)]
        return [self._names[source] for source in leaders(calm)]

    def adverts(self, by: Router, since: float = 0.0) -> list[Advert]:
        """What a router has sent after a moment."""
        return [advert for advert in self.recording.adverts(since) if advert.source == by.host.mac]

    def heard(self) -> str:
        """All adverts, a line for those of one router that are alike."""
        lines: list[str] = []
        before = ""
        for each in self.recording.adverts():
            now = f"{self._names[each.source]} priority {each.priority} every {each.interval:g} s"
            lines += [f"{each.at:.3f} {now}"] if now != before else []
            before = now
        return "\n".join(lines)

    def judge(self, *story: str) -> None:
        """There never were two leaders on one wire, and never none for longer than the protocol allows."""
        calm = max(self._healed, default=0.0) + HEALING
        until(lambda: self.recording.adverts(since=calm), limit=PATIENCE, step=0.05)
        led, silent = self.led(), silences(self.recording.adverts())
        assert led == list(story), f"{', '.join(led)} led, in this order\n{self.heard()}"
        assert not silent, "\n".join(silent)


@contextlib.contextmanager
def duel(label: str, folder: Path, pair: Pair, net: Net) -> Iterator[Duel]:
    """A duel for the time of a block."""
    folder.mkdir()
    with lan(label) as wire:
        ip("-n", wire.name, "link", "set", "br0", "type", "bridge", "ageing_time", "0")
        made = Duel(wire, folder, pair, net)
        try:
            yield made
        finally:
            for router in (made.better, made.worse):
                router.kill()
            made.recording.close()


Act = Callable[[Duel], None]


class Scene(NamedTuple):
    """Something that happens to two routers."""

    act: Act
    pair: Pair
    net: Net

    def __str__(self) -> str:
        return f"{self.act.__name__}-{'-'.join(kind.__name__ for kind in self.pair)}-{self.net}"

    def play(self, label: str, folder: Path) -> None:
        """From the empty wire to the empty wire."""
        with duel(label, folder / label, self.pair, self.net) as made:
            self.act(made)
