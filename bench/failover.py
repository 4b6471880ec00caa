"""How long a failover takes beyond the protocol's own limit: two of ours and two keepalived, side by side on one wire.

python -m bench.failover [--runs 10] [--intervals 1 0.1 0.05 0.02 0.01]

The master is killed (SIGKILL to all its processes), or told to stop (priority 0). The limit is the last advert heard
from it, plus the master-down interval of the backup, or the farewell plus its skew time. What is told is when, after
the limit, the backup's first advert was on the wire, its address on the interface, and its gratuitous ARP on the wire,
in milliseconds, by the kernel's time stamps of a third host's capture. For a failing checker it is the time from the
verdict to the address on the other router. Needs root.
"""

import argparse
import contextlib
import os
import re
import signal
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from tests.system.lab import until
from tests.system.netns import Host, Keepalived, Lan, Ours, Router, ip, lan

CONF = """
{checker}
vrrp_instance VI_1 {{
    interface eth0
    state BACKUP
    virtual_router_id {vrid}
    priority {priority}
    version {version}
    advert_int {interval}
    {checkers}
    virtual_ipaddress {{
        {vip}/24
    }}
}}
"""
CHECKER = (
    "RT_TCP_CHECK application {\n    connect_ip 127.0.0.1\n    connect_port 8080\n    delay_loop 0.02\n    retry 0\n}"
)
BETTER, WORSE = 150, 100
VRRP, ARP = 112, 0x0806
LATE = 5.0
"""Seconds beyond the limit after which a run is given up."""


class Frame(NamedTuple):
    """What the capture holds of an advert or an announcement: wall time, sender, and the priority (None: ARP)."""

    at: float
    mac: str
    vrid: int
    priority: int | None
    target: str


class Delay(NamedTuple):
    """Of one run, in milliseconds beyond the limit: the first advert, the address, the gratuitous ARP."""

    advert: float
    address: float
    arp: float


class Capture:
    """Adverts and ARP as a host that takes no part hears them."""

    def __init__(self, host: Host, file: Path) -> None:
        self._file = file
        words = ("tcpdump", "-i", "eth0", "-n", "-U", "--immediate-mode", "-w", str(file), "ip proto 112 or arp")
        self._process = host.run(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: file.exists() and file.stat().st_size >= 24)

    def frames(self, since: float) -> list[Frame]:
        """All since a moment of wall time."""
        data, place, found = self._file.read_bytes(), 24, []
        while len(data) >= place + 16:
            seconds, micros, size = struct.unpack_from("<III", data, place)
            frame = data[place + 16 : place + 16 + size]
            if len(frame) == size and seconds + micros / 1e6 >= since:
                found.append(parsed(seconds + micros / 1e6, frame))
            place += 16 + size
        return found

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


def parsed(at: float, frame: bytes) -> Frame:
    """One captured frame."""
    mac = frame[6:12].hex(":")
    if int.from_bytes(frame[12:14], "big") == ARP:
        return Frame(at, mac, 0, None, ".".join(map(str, frame[38:42])))
    pdu = frame[14 + 4 * (frame[14] & 15) :]
    return Frame(at, mac, pdu[1], pdu[2], "")


class Addresses:
    """When addresses came to a host's interface, as the kernel's news tell."""

    def __init__(self, host: Host, file: Path) -> None:
        self._file = file
        with file.open("wb") as out:
            self._process = host.run("ip", "-tshort", "monitor", "address", stdout=out, stderr=subprocess.DEVNULL)

    def came(self, address: str, since: float) -> float | None:
        """The wall time of the first arrival after ``since``."""
        rule = re.compile(rf"^\[([^\]]+)\] *\d+: eth0 +inet {re.escape(address)}/", re.MULTILINE)
        times = (datetime.fromisoformat(text).timestamp() for text in rule.findall(self._file.read_text()))
        return next((at for at in times if at >= since), None)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


class Pair:
    """Two routers of one kind: the better one leads."""

    def __init__(self, wire: Lan, kind: type[Router], vrid: int, folder: Path) -> None:
        self.name = "ours" if kind is Ours else "keepalived"
        self.kind, self.vrid = kind, vrid
        self.vip = f"10.99.0.{vrid + 100}"
        self.better, self.worse = kind(wire.host(), folder, ""), kind(wire.host(), folder, "")
        self.mac = {router: mac_of(router.host) for router in (self.better, self.worse)}
        self.news = Addresses(self.worse.host, folder / f"news-{vrid}")
        self.version, self.interval = 2, 1.0

    def configure(self, interval: float, checked: bool = False) -> None:
        """Write the configurations for another interval."""
        self.version, self.interval = (2 if interval >= 1 else 3), interval
        for router, priority in ((self.better, BETTER), (self.worse, WORSE)):
            mine = checked and self.kind is Ours and router is self.better
            facts = {"vrid": self.vrid, "priority": priority, "version": self.version, "interval": f"{interval:g}"}
            checker, checkers = (CHECKER, "checkers application") if mine else ("", "")
            router.conf.write_text(CONF.format(**facts, vip=self.vip, checker=checker, checkers=checkers))

    def start(self) -> None:
        """Have the better one lead and the other one follow."""
        for router in (self.better, self.worse):
            if router.process is None:
                router.start()
        until(lambda: self.better.host.holds(self.vip) and not self.worse.host.holds(self.vip), limit=20)

    def kill(self) -> None:
        """SIGKILL to all of the better one, what sends its adverts first."""
        self.better.kill()

    def limit(self, frames: list[Frame], farewell: bool) -> float:
        """When the protocol has the other one take over."""
        skew = (256 - WORSE) / 256 * (self.interval if self.version == 3 else 1.0)
        said = [f for f in frames if f.vrid == self.vrid and f.mac == self.mac[self.better]]
        if farewell:
            return next(f.at for f in said if f.priority == 0) + skew
        return said[-1].at + 3 * self.interval + skew

    def delay(self, capture: Capture, since: float, farewell: bool) -> Delay:
        """How late the other one was in what it did."""
        frames = capture.frames(since - 1.5 * self.interval)
        limit = self.limit(frames, farewell)
        theirs = [f for f in frames if f.mac == self.mac[self.worse]]
        advert = next(f.at for f in theirs if f.priority and f.vrid == self.vrid)
        arp = next(f.at for f in theirs if f.priority is None and f.target == self.vip)
        address = self.news.came(self.vip, since)
        assert address is not None
        return Delay(*(1000 * (at - limit) for at in (advert, address, arp)))

    def clear(self) -> None:
        """Remove what the killed one has left."""
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("-n", self.better.host.name, "addr", "del", f"{self.vip}/24", "dev", "eth0")

    def close(self) -> None:
        """End both."""
        self.news.close()
        for router in (self.better, self.worse):
            router.kill()


def mac_of(host: Host) -> str:
    """The hardware address of a host's interface."""
    found = re.search(r"link/ether (\S+)", ip("-n", host.name, "link", "show", "eth0"))
    assert found is not None
    return found[1]


def runs(pairs: list[Pair], capture: Capture, interval: float, count: int, farewell: bool) -> dict[str, list[Delay]]:
    """Failovers of all pairs at once, again and again."""
    found: dict[str, list[Delay]] = {pair.name: [] for pair in pairs}
    for pair in pairs:
        for router in (pair.better, pair.worse):
            router.kill()
        pair.clear()
        pair.configure(interval)
    for number in range(count):
        print(
            f"\r{interval:g} s, {'priority 0' if farewell else 'crash'}: {number + 1}/{count} ", end="", file=sys.stderr
        )
        for pair in pairs:
            pair.start()
        time.sleep(max(0.3, 1.2 * interval))
        since = time.time()
        for pair in pairs:
            if farewell:
                assert pair.better.process is not None
                pair.better.process.terminate()
            else:
                pair.kill()
        until(lambda: all(pair.worse.host.holds(pair.vip) for pair in pairs), limit=4 * interval + LATE)
        time.sleep(0.2)
        for pair in pairs:
            if farewell:
                pair.better.stop()
            found[pair.name].append(pair.delay(capture, since, farewell))
            pair.clear()
    return found


def checked(pair: Pair, count: int) -> list[float]:
    """Milliseconds from a checker's verdict to the address on the other router."""
    found = []
    for router in (pair.better, pair.worse):
        router.kill()
    pair.clear()
    pair.configure(0.05, checked=True)
    for number in range(count):
        print(f"\ra checker fails: {number + 1}/{count} ", end="", file=sys.stderr)
        with application(pair.better.host):
            pair.start()
            since = time.time()
        until(lambda: pair.worse.host.holds(pair.vip), limit=LATE)
        rule = re.compile(r'"reason":"check/application is FAILED".*?"timestamp":"([^"]+)"')
        stamps = [datetime.fromisoformat(text).timestamp() for text in rule.findall(pair.better.log.read_text())]
        came = pair.news.came(pair.vip, since)
        assert came is not None
        found.append(1000 * (came - next(at for at in stamps if at >= since)))
    return found


@contextlib.contextmanager
def application(host: Host) -> Iterator[None]:
    """Something that accepts connections, for the time of a block."""
    quiet = subprocess.DEVNULL
    process = host.run(sys.executable, "-m", "http.server", "8080", "--bind", "127.0.0.1", stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def row(table: Table, what: str, name: str, delays: list[Delay]) -> None:
    """One line of the table: median, 9 of 10, and worst of each."""
    cells = []
    for kind in zip(*delays, strict=True):
        ordered = sorted(kind)
        cells.append(
            f"{statistics.median(ordered):.2f} / {ordered[int(0.9 * (len(ordered) - 1))]:.2f} / {ordered[-1]:.2f}"
        )
    table.add_row(what, name, *cells)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--intervals", type=float, nargs="+", default=[1, 0.1, 0.05, 0.02, 0.01])
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench.failover: it makes network namespaces, which only root may")
    title = "ms beyond the protocol's limit: median / 9 of 10 / worst"
    table = Table("failure", "routers", "first advert", "address", "gratuitous ARP", title=title)
    with TemporaryDirectory() as name, lan() as wire, contextlib.ExitStack() as stack:
        folder = Path(name)
        capture = Capture(wire.host(), folder / "capture")
        stack.callback(capture.close)
        pairs = [Pair(wire, kind, vrid, folder) for kind, vrid in ((Ours, 51), (Keepalived, 52))]
        for pair in pairs:
            stack.callback(pair.close)
        for farewell in (False, True):
            for interval in options.intervals:
                kind = "priority 0" if farewell else "crash"
                for who, delays in runs(pairs, capture, interval, options.runs, farewell).items():
                    row(table, f"{kind}, {interval:g} s", who, delays)
        took = checked(pairs[0], options.runs)
    print(file=sys.stderr)
    Console(width=120 if not sys.stdout.isatty() else None).print(table)
    print(
        f"a checker fails, advert_int 0.05: verdict to address {statistics.median(took):.1f}, worst {max(took):.1f} ms"
        f" (skew {1000 * 0.05 * (256 - WORSE) / 256:.1f} ms of it)"
    )


if __name__ == "__main__":
    main()
