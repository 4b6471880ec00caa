"""How long a failover takes beyond the protocol's own limit: two of ours and two keepalived, side by side on one wire.

python -m bench.failover [--runs 10] [--intervals 1 0.1 0.05 0.02 0.01]

The master is killed (SIGKILL to all its processes), told to stop (it leaves with priority 0), or has a checker that
fails (keepalived: a script that makes the same connection). The limit is the last advert heard from it, plus the
master-down interval of the backup; or the farewell, plus the backup's skew time; or the refused connection, plus that
skew time. What is told is when, after the limit, the backup's first advert was on the wire, its address on the
interface, and its gratuitous ARP on the wire, in milliseconds. Frames are stamped by the kernel, as a host that takes
no part receives them; the address when this program, which goes before all others, hears of it. Both programs run
with the same real-time priority, and fail one after the other, so that none is in the other's way; keepalived writes
no log, which would hold it up. Needs root.
"""

import argparse
import contextlib
import math
import os
import random
import select
import signal
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from tests.packets import IPV4
from tests.system.lab import until
from tests.system.netns import Host, Keepalived, Lan, Ours, Router, lan
from tests.system.tap import Seen, Tap, inside

CONF = """
global_defs {{
    vrrp_rt_priority 1
    {globals}
}}
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
PORT = 8080


class Silent(Keepalived):
    """Writing its log to a file holds it up for milliseconds; as it is run, it need not."""

    def command(self) -> list[str]:
        """See `Router.command`."""
        return [word for word in super().command() if word not in ("-l", "-D")]


GLOBALS: dict[type[Router], str] = {
    Ours: "",
    # Without it the kernel may kill a process of real-time priority after 10 ms of work.
    Silent: "vrrp_rlimit_rttime 1000000\n    script_user root\n    enable_script_security",
}
CHECKED: dict[type[Router], tuple[str, str]] = {
    Ours: (
        f"RT_TCP_CHECK app {{\n    connect_ip 127.0.0.1\n    connect_port {PORT}\n    delay_loop 0.1\n    retry 0\n}}",
        "checkers app",
    ),
    Silent: (
        f"vrrp_script app {{\n    script \"/bin/bash -c '</dev/tcp/127.0.0.1/{PORT}'\"\n    interval 1\n    fall 1\n}}",
        "track_script {\n        app\n    }",
    ),
}
"""A check of the same connection, and who follows it."""

BETTER, WORSE = 150, 100
ARP = 0x0806
TCP, REFUSED = 6, 0x14
"""A connection to a port where nobody listens is answered with RST and ACK, and the sequence number 0."""

RTMGRP_IPV4_IFADDR, RTM_NEWADDR = 0x10, 20
LATE = 5.0
"""Seconds beyond the limit after which a run is given up."""

WHAT = ("first advert", "address", "gratuitous ARP")
Delays = tuple[float, float, float]
"""Of one run, each of these in milliseconds beyond the limit."""


class Arrivals:
    """When addresses come to the interfaces of a host: its kernel tells, and who listens is woken at once."""

    def __init__(self, host: Host) -> None:
        self._socket = inside(host, _address_news)

    def wait(self, address: str, limit: float) -> float:
        """The wall time at which ``address`` came, of all news that has not been looked at; raises TimeoutError."""
        wanted, end = socket.inet_aton(address), time.monotonic() + limit
        while select.select([self._socket], [], [], max(0.0, end - time.monotonic()))[0]:
            data, at = self._socket.recv(65536), time.time()
            if int.from_bytes(data[4:6], sys.byteorder) == RTM_NEWADDR and wanted in data:
                return at
        raise TimeoutError(f"{address} has not come within {limit:g} s")

    def forget(self) -> None:
        """Look at what has been told until now."""
        with contextlib.suppress(BlockingIOError):
            while self._socket.recv(65536, socket.MSG_DONTWAIT):
                pass

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


def _address_news() -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    sock.bind((0, RTMGRP_IPV4_IFADDR))
    return sock


class Pair:
    """Two routers of one kind: the better one leads."""

    def __init__(self, wire: Lan, kind: type[Router], vrid: int, folder: Path) -> None:
        self.name = "ours" if kind is Ours else "keepalived"
        self.kind, self.vrid = kind, vrid
        self.vip = f"10.99.0.{vrid + 100}"
        self.better, self.worse = kind(wire.host(), folder, ""), kind(wire.host(), folder, "")
        self._macs = {router: bytes.fromhex(router.host.mac.replace(":", "")) for router in (self.better, self.worse)}
        self.arrivals = Arrivals(self.worse.host)
        self._application: socket.socket | None = None
        self.version, self.interval = 2, 1.0

    def configure(self, interval: float, checked: bool) -> None:
        """End both, and write their configurations for another interval."""
        self.version, self.interval = (2 if interval >= 1 else 3), interval
        for router, priority in ((self.better, BETTER), (self.worse, WORSE)):
            router.kill()
            router.host.forget(self.vip)
            facts = {"vrid": self.vrid, "priority": priority, "version": self.version, "interval": f"{interval:g}"}
            checker, checkers = CHECKED[self.kind] if checked and router is self.better else ("", "")
            facts |= {"globals": GLOBALS[self.kind], "checker": checker, "checkers": checkers, "vip": self.vip}
            router.conf.write_text(CONF.format(**facts))

    def start(self) -> None:
        """Have the better one lead and the other one follow."""
        self.better.host.forget(self.vip)
        if self._application is None:
            self._application = inside(self.better.host, lambda: socket.create_server(("127.0.0.1", PORT)))
        for router in (self.better, self.worse):
            if router.process is None:
                router.start()
        until(lambda: self.better.host.holds(self.vip) and not self.worse.host.holds(self.vip), limit=20)

    def crash(self) -> None:
        """SIGKILL to all processes of the better one, those that send adverts first."""
        self.better.kill()

    def leave(self) -> None:
        """SIGTERM to the better one."""
        assert self.better.process is not None
        self.better.process.terminate()

    def fail_check(self) -> None:
        """Nobody takes the better one's connections any more."""
        assert self._application is not None
        self._application.close()
        self._application = None

    @property
    def skew(self) -> float:
        """The backup's skew time in seconds (RFC 3768 6.1, RFC 5798 6.1)."""
        return (256 - WORSE) / 256 * (self.interval if self.version == 3 else 1.0)

    def said(self, seen: list[Seen], router: Router) -> list[Seen]:
        """The adverts of one of the two."""
        return [each for each in seen if each.vrid == self.vrid and each.frame[6:12] == self._macs[router]]

    def announced(self, seen: list[Seen]) -> list[Seen]:
        """What the worse one has told of the address."""
        mac, own = self._macs[self.worse], socket.inet_aton(self.vip)
        return [each for each in seen if each.kind == ARP and each.frame[6:12] == mac and each.frame[28:32] == own]

    def close(self) -> None:
        """End both."""
        for router in (self.better, self.worse):
            router.kill()
        self.arrivals.close()
        if self._application is not None:
            self._application.close()


class Failure(NamedTuple):
    """A way to fail: how it is done, and when by the protocol the other one takes over."""

    name: str
    cause: Callable[[Pair], None]
    limit: Callable[[Pair, list[Seen], list[Seen]], float]
    """Of the pair, what was seen on the wire, and what on the better one's loopback."""


def _after_silence(pair: Pair, seen: list[Seen], local: list[Seen]) -> float:
    return pair.said(seen, pair.better)[-1].at + 3 * pair.interval + pair.skew


def _after_farewell(pair: Pair, seen: list[Seen], local: list[Seen]) -> float:
    return next(each.at for each in pair.said(seen, pair.better) if each.priority == 0) + pair.skew


def _after_refusal(pair: Pair, seen: list[Seen], local: list[Seen]) -> float:
    return next(each.at for each in local if _is_refusal(each)) + pair.skew


def _is_refusal(seen: Seen) -> bool:
    """Whether it is the answer to a connection where nobody listens."""
    frame = seen.frame
    port, sequence = frame[34:36], frame[38:42]
    is_tcp = seen.kind == IPV4 and frame[23] == TCP
    return is_tcp and port == PORT.to_bytes(2) and frame[47] == REFUSED and sequence == bytes(4)


CRASH = Failure("crash", Pair.crash, _after_silence)
LEAVE = Failure("priority 0", Pair.leave, _after_farewell)
CHECK = Failure("failing check", Pair.fail_check, _after_refusal)


def measure(pair: Pair, witness: Tap, failure: Failure) -> Delays:
    """One failover, at a moment of the master's interval that is as good as any other."""
    time.sleep(max(0.2, pair.interval) + random.uniform(0, pair.interval))
    pair.arrivals.forget()
    since = time.time() - 2 * pair.interval
    with Tap(pair.better.host, "lo") as loopback:
        failure.cause(pair)
        address = pair.arrivals.wait(pair.vip, 4 * pair.interval + LATE)
        until(lambda: pair.announced([each for each in witness.look() if each.at > since]), limit=LATE)
        local = loopback.look()
    seen = [each for each in witness.look() if each.at > since]
    witness.seen.clear()
    limit = failure.limit(pair, seen, local)
    advert = next(each.at for each in pair.said(seen, pair.worse) if each.priority)
    first, came, told = (1000 * (at - limit) for at in (advert, address, pair.announced(seen)[0].at))
    return first, came, told


def runs(pairs: list[Pair], witness: Tap, failure: Failure, interval: float, count: int) -> Iterator[list[Delays]]:
    """Failovers of one pair after the other, again and again: of each run what was measured of every pair."""
    for pair in pairs:
        pair.configure(interval, failure is CHECK)
    for number in range(count):
        print(f"\r{failure.name}, {interval:g} s: {number + 1}/{count} ", end="", file=sys.stderr, flush=True)
        for pair in pairs:
            pair.start()
        found = []
        for pair in pairs:
            witness.look()
            found.append(measure(pair, witness, failure))
        for pair in pairs:
            if failure is LEAVE:
                pair.better.stop()
        yield found


def told(delays: list[float]) -> str:
    """Median, 9 of 10, and worst."""
    ordered = sorted(delays)
    nine_of_ten = ordered[math.ceil(0.9 * len(ordered)) - 1]
    return f"{statistics.median(ordered):.2f} / {nine_of_ten:.2f} / {ordered[-1]:.2f}"


def rows(table: Table, failure: Failure, interval: float, found: list[list[Delays]]) -> None:
    """Three lines of the table; the last cell is how many times as late as keepalived ours is, at the median."""
    for place, what in enumerate(WHAT):
        ours, theirs = ([delays[place] for delays in mine] for mine in zip(*found, strict=True))
        ratio = f"{statistics.median(ours) / statistics.median(theirs):.1f}" if statistics.median(theirs) > 0 else ""
        title = "" if place else f"{failure.name}, {interval:g} s"
        table.add_row(title, what, told(ours), told(theirs), ratio, end_section=place == len(WHAT) - 1)


def go_first() -> None:
    """Before routers and all others, so that what is heard is stamped at once; what is started does not inherit it."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(2))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--intervals", type=float, nargs="+", default=[1, 0.1, 0.05, 0.02, 0.01])
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench.failover: it makes network namespaces, which only root may")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    go_first()
    title = "ms beyond the protocol's limit: median / 9 of 10 / worst"
    table = Table("failure", "until", "ours", "keepalived", "ratio", title=title)
    with TemporaryDirectory() as name, lan() as wire, Tap(wire.host()) as witness, contextlib.ExitStack() as stack:
        pairs = [Pair(wire, kind, vrid, Path(name)) for kind, vrid in ((Ours, 51), (Silent, 52))]
        for pair in pairs:
            stack.callback(pair.close)
        for failure in (CRASH, LEAVE, CHECK):
            for interval in options.intervals:
                rows(table, failure, interval, list(runs(pairs, witness, failure, interval, options.runs)))
    print(file=sys.stderr)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    main()
