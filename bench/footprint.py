"""How much memory the program takes, process by process: one router and ten checkers, one router and ten thousand.

python -m bench.footprint [--checkers 10 10000]

PSS is what the kernel counts as a process' own, and its share of what several have in common: the sum over all
processes is what the machine has less. Keepalived, with the same router and no checker (it would need the kernel's
IPVS), is measured beside. Needs root.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from bench.start import configuration
from tests.system.lab import BACKEND, until
from tests.system.netns import Host, Keepalived, Ours, Router, asked, ip, lan, started

AIMS = {10: 90, 10_000: 250}
"""MiB for all processes together, by the number of checkers."""

SETTLED = 7.0
"""Seconds after which everybody has arranged itself."""

PORT = 8080
VRRP = """
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 150
    virtual_ipaddress {
        10.99.0.100/24
    }
}
"""


class Footprint(NamedTuple):
    """Of one process, in MiB: its part of everything, what is its own alone, and all that it can see."""

    name: str
    pss: float
    own: float
    resident: float


def footprint(pid: int) -> Footprint:
    """As the kernel counts it. Raises OSError when there is no such process."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kib = {name: int(count) for name, count in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)}
    own = kib["Private_Clean"] + kib["Private_Dirty"]
    return Footprint(name_of(pid), *(each / 1024 for each in (kib["Pss"], own, kib["Rss"])))


def name_of(pid: int) -> str:
    """What a process is called, or where two are called the same, what it is."""
    name = Path(f"/proc/{pid}/comm").read_text().strip()
    command = Path(f"/proc/{pid}/cmdline").read_text()
    if not name.startswith("python"):
        return name
    return "scripts" if "scripts.py" in command else "main"


def of_host(host: Host, besides: Iterable[int] = ()) -> list[Footprint]:
    """All processes of a host, the eldest first, without some."""
    pids = sorted(set(map(int, ip("netns", "pids", host.name).split())) - set(besides))
    return [footprint(pid) for pid in pids]


def ours(folder: Path, checkers: int) -> list[Footprint]:
    """Our processes, once every checker has run."""
    with lan() as wire:
        host = wire.host()
        router = Ours(host, folder, configuration(checkers, "RT_TCP_CHECK", PORT) + VRRP)
        backend = host.run(sys.executable, "-SE", str(BACKEND), str(PORT))
        try:
            with started(router):
                until(lambda: all(row["runs"] for row in asked(router, ask="status")["checkers"]), limit=60, step=0.5)
                time.sleep(SETTLED)
                return of_host(host, [backend.pid])
        finally:
            backend.kill()
            backend.wait()


def keepalived(folder: Path) -> list[Footprint]:
    """Its processes, once it leads."""
    with lan() as wire:
        router: Router = Keepalived(wire.host(), folder, VRRP)
        with started(router):
            until(router.is_master, limit=20)
            return of_host(router.host)


def show(title: str, found: list[Footprint], aim: int | None = None) -> None:
    """One table: each process, and the sum."""
    table = Table("process", "PSS", "own", "resident", title=f"{title}: MiB", title_justify="left")
    for each in found:
        table.add_row(each.name, *(f"{value:.1f}" for value in each[1:]))
    total = sum(each.pss for each in found)
    aimed = "" if aim is None else f" (aim: below {aim})"
    table.add_section()
    table.add_row(f"together{aimed}", f"{total:.1f}", f"{sum(each.own for each in found):.1f}", "")
    Console(width=100).print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkers", type=int, nargs="+", default=list(AIMS))
    given = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench.footprint: it makes network namespaces, which only root may")
    for count in given.checkers:
        with TemporaryDirectory() as folder:
            show(f"ours, one router and {count} checkers", ours(Path(folder), count), AIMS.get(count))
    with TemporaryDirectory() as folder:
        show("keepalived, one router", keepalived(Path(folder)))


if __name__ == "__main__":
    main()
