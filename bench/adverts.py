"""What 255 routers on one interface cost, and how far apart they fail over: two of ours, then two keepalived.

python -m bench.adverts [--instances 255] [--intervals 1 0.1] [--seconds 10] [--settle 7] [--only ours]

The better one starts; when it leads everywhere, the worse one starts. Once both have settled, CPU time is counted for
some seconds in the process that does VRRP, and divided by the adverts that a host which takes no part has received
meanwhile: for the better one this is what an advert costs to send, for the worse one what it costs to receive. A
kernel that delivers through virtual interfaces does the work of the bridge and of the receivers within the call that
sends, and counts it to the sender. Then the better one is killed (SIGKILL to all its processes). The worse one's first
advert of each router is held against that router's own limit, the last advert heard of it plus the master-down
interval; how far the first advert of all and the last are apart is told too. Intervals of a second and more are VRRPv2,
shorter ones VRRPv3. Both programs run with the same real-time priority and keepalived without a log. Needs root.
"""

import argparse
import os
import signal
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from bench.failover import GLOBALS, Silent, go_first
from bench.footprint import footprint
from bench.kills import vrrp_process
from tests.system.lab import until
from tests.system.netns import Ours, Router, lan
from tests.system.tap import Seen, Tap

CONF = """
global_defs {{
    vrrp_rt_priority 1
    {globals}
}}
"""
INSTANCE = """
vrrp_instance VI_{vrid} {{
    interface eth0
    state BACKUP
    virtual_router_id {vrid}
    priority {priority}
    version {version}
    advert_int {interval:g}
    virtual_ipaddress {{
        10.99.1.{vrid}/32
    }}
}}
"""
BETTER, WORSE = 150, 100
KINDS: dict[str, type[Router]] = {"ours": Ours, "keepalived": Silent}
PATIENCE = 60.0
"""Seconds that the start, or a failover, may take."""


class Measured(NamedTuple):
    """What a kind of router has shown."""

    start: float
    """Seconds until the last instance has sent its first advert."""
    leading: float
    """Milliseconds between the first of these adverts and the last."""
    sending: float
    """Microseconds of CPU time for an advert sent."""
    hearing: float
    """The same, received."""
    spread: float
    """Milliseconds between the first advert after the failure and the last instance's first."""
    late: float
    """Milliseconds by which an instance missed its own limit: the median."""
    latest: float
    """The worst."""
    vrrp: float
    """MiB (PSS) of the process that does VRRP, of the one that leads."""
    memory: float
    """The same, of all its processes."""


NAMES = (
    "start to all MASTER, s",
    "from first to last, ms",
    "CPU for an advert sent, us",
    "CPU for an advert received, us",
    "takeover, from first to last, ms",
    "beyond own limit, median, ms",
    "beyond own limit, worst, ms",
    "PSS of the VRRP process, MiB",
    "PSS of all, MiB",
)


class Field:
    """Two routers of one kind with ``count`` instances each, and a witness."""

    def __init__(self, routers: tuple[Router, Router], witness: Tap, count: int, interval: float) -> None:
        self.better, self.worse = routers
        self.count = count
        self.interval = interval
        self._witness = witness
        self._macs = [bytes.fromhex(router.host.mac.replace(":", "")) for router in routers]

    def adverts(self, router: Router) -> list[Seen]:
        """What one of the two has said since the last `forget`."""
        mac = self._macs[(self.better, self.worse).index(router)]
        return [each for each in self._witness.look() if each.vrid and each.priority and each.frame[6:12] == mac]

    def forget(self) -> None:
        """Look at what was said until now."""
        self._witness.look()
        self._witness.seen.clear()

    def wait(self, seconds: float) -> None:
        """Let time pass, and nothing be lost that is said meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._witness.look()
            time.sleep(0.02)

    def first_adverts(self, router: Router) -> dict[int, float]:
        """When each instance of it spoke first; waits until all have."""
        until(lambda: len({each.vrid for each in self.adverts(router)}) == self.count, limit=PATIENCE, step=0.05)
        return {each.vrid: each.at for each in reversed(self.adverts(router))}

    def down(self) -> float:
        """The worse one's master-down interval in seconds (RFC 3768 6.1, RFC 5798 6.1)."""
        return 3 * self.interval + (256 - WORSE) / 256 * (self.interval if self.interval < 1 else 1.0)


def configuration(kind: type[Router], count: int, interval: float, priority: int) -> str:
    """So many instances, VRID 1 and up."""
    facts = {"interval": interval, "version": 2 if interval >= 1 else 3, "priority": priority}
    instances = (INSTANCE.format(vrid=vrid, **facts) for vrid in range(1, count + 1))
    return CONF.format(globals=GLOBALS[kind]) + "".join(instances)


@contextmanager
def field(kind: type[Router], folder: Path, count: int, interval: float) -> Iterator[Field]:
    """A wire of their own for two routers, which do not run yet."""
    with lan() as wire, Tap(wire.host()) as witness:
        better, worse = (
            kind(wire.host(), folder, configuration(kind, count, interval, priority)) for priority in (BETTER, WORSE)
        )
        try:
            yield Field((better, worse), witness, count, interval)
        finally:
            better.kill()
            worse.kill()


def speaker(router: Router) -> int:
    """The pid of the process that does VRRP: keepalived's is its parent's only child."""
    return vrrp_process(router) if isinstance(router, Ours) else router.pids()[-1]


def cpu(pid: int) -> float:
    """Seconds that all threads of a process have run."""
    return sum(int(each.read_text().split()[0]) for each in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def costs(ground: Field, seconds: float) -> tuple[float, float]:
    """Microseconds for an advert sent, and for one received."""
    pids = [speaker(router) for router in (ground.better, ground.worse)]
    ground.forget()
    before = [cpu(pid) for pid in pids]
    ground.wait(seconds)
    spent = [cpu(pid) - earlier for pid, earlier in zip(pids, before, strict=True)]
    sent, heard = (1e6 * each / len(ground.adverts(ground.better)) for each in spent)
    return sent, heard


def failover(ground: Field) -> tuple[float, float, float]:
    """Milliseconds: from the first takeover to the last, and how late they were, the median and the worst."""
    ground.forget()
    ground.wait(1.5 * ground.interval)
    ground.better.kill()
    last = {each.vrid: each.at for each in ground.adverts(ground.better)}
    first = ground.first_adverts(ground.worse)
    late = [1000 * (at - last[vrid] - ground.down()) for vrid, at in first.items()]
    return apart(first), statistics.median(late), max(late)


def apart(times: dict[int, float]) -> float:
    """Milliseconds from the first to the last."""
    return 1000 * (max(times.values()) - min(times.values()))


def measure(ground: Field, seconds: float, settle: float) -> Measured:
    """All of it, once."""
    began = time.time()
    ground.better.start()
    first = ground.first_adverts(ground.better)
    ground.worse.start()
    ground.wait(settle)
    sending, hearing = costs(ground, seconds)
    all_of_them = [footprint(pid).pss for pid in ground.better.pids()]
    vrrp = footprint(speaker(ground.better)).pss
    starting = (max(first.values()) - began, apart(first))
    return Measured(*starting, sending, hearing, *failover(ground), vrrp, sum(all_of_them))


def show(title: str, found: dict[str, Measured]) -> None:
    """A table; its last column is how many times as much as keepalived ours needs."""
    table = Table("", *found, "ratio", title=title, title_justify="left")
    for place, name in enumerate(NAMES):
        values = [each[place] for each in found.values()]
        ratio = f"{values[0] / values[1]:.2f}" if len(values) == 2 and values[1] > 0 else ""
        table.add_row(name, *(f"{value:.2f}" for value in values), ratio)
    Console(width=100).print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=255)
    parser.add_argument("--intervals", type=float, nargs="+", default=[1, 0.1])
    parser.add_argument("--seconds", type=float, default=10, help="for which CPU time is counted")
    parser.add_argument("--settle", type=float, default=7, help="seconds before; announcements come again after 5")
    parser.add_argument("--only", choices=KINDS, help="leave the other one out")
    given = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench.adverts: it makes network namespaces, which only root may")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    go_first()
    for interval in given.intervals:
        found = {}
        for name in [given.only] if given.only else KINDS:
            with TemporaryDirectory() as folder, field(KINDS[name], Path(folder), given.instances, interval) as ground:
                found[name] = measure(ground, given.seconds, given.settle)
        show(f"{given.instances} instances, an advert every {interval:g} s", found)


if __name__ == "__main__":
    main()
