"""How regular adverts are under load: ours, keepalived, and keepalived as a real-time process, on one wire, at once.

python -m bench.jitter [--seconds 5] [--intervals 0.1 0.01] [--loads idle hog ...]

Late is how much longer than its interval a router was silent between two adverts, by the kernel's time stamps of a
third host's capture, in milliseconds. Loads that keepalived cannot have in itself (checks without IPVS, plugins) it
has beside it, on the same machine. Needs root.
"""

import argparse
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from bench.start import configuration
from tests.system.capture import Advert, Recording
from tests.system.lab import BACKEND, until
from tests.system.netns import Host, Keepalived, Lan, Ours, Router, asked, lan, started

PORT = 8080
SITE = Path(__file__).resolve().parents[1] / "tests/system/faults/site"
SCRIPTS = 255
CHECKS = 5000

ROUTER = """
vrrp_instance VI_1 {{
    interface eth0
    state BACKUP
    virtual_router_id {vrid}
    priority 150
    version 3
    advert_int {interval:g}
    {more}
    virtual_ipaddress {{
        10.99.0.{vrid}/24
    }}
}}
"""
IN_TURN = "    vrrp_rt_priority 1\n    vrrp_rlimit_rttime 1000000\n"
"""By its own limit, 10 ms, a real-time keepalived that has 255 scripts to start is killed by the kernel each time."""

REAL_TIME = "global_defs {\n" + IN_TURN + "}\n"
SCRIPTED = "global_defs {{\n    enable_script_security\n    script_user root\n{0}}}\n"
ODD = """
global_defs {{
    plugin_checker_location {site}
    hang_limit 60
}}
RT_ODD odd {{
    connect_ip 127.0.0.1
    connect_port {port}
    delay_loop 0.1
    mode {mode}
}}
"""
FLIP = """
global_defs {{
    dataplane userspace
    script_user root
}}
RT_TCP_CHECK flip {{
    connect_ip 127.0.0.1
    connect_port {port}
    delay_loop 0.1
    retry 0
}}
virtual_server 127.0.0.1 20000 {{
    protocol TCP
    {servers}
}}
"""


class Place:
    """The wire, who is on it, and what they are told."""

    def __init__(self, wire: Lan, folder: Path, interval: float) -> None:
        self.folder, self.interval = folder, interval
        self.ours = Ours(wire.host(), folder, self.router(51))
        self.theirs = Keepalived(wire.host(), folder, self.router(52))
        self.real = Keepalived(wire.host(), folder, REAL_TIME + self.router(53))
        self.routers: dict[str, Router] = {"ours": self.ours, "keepalived": self.theirs, "its real-time": self.real}
        self.capture = Recording(wire.host(), folder / f"capture-{time.monotonic()}")

    def router(self, vrid: int, more: str = "") -> str:
        """The router's part of a configuration."""
        return ROUTER.format(vrid=vrid, interval=self.interval, more=more)

    def configure(self, ours: str) -> None:
        """Give our program more to do."""
        self.ours.conf.write_text(ours + self.router(51))

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """All three lead, each its own virtual router, for the time of a block."""
        with started(*self.routers.values()):
            for router, vrid in zip(self.routers.values(), (51, 52, 53), strict=True):
                until(lambda router=router, vrid=vrid: router.host.holds(f"10.99.0.{vrid}"), limit=40)
            yield


Load = Callable[[Place], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def idle(place: Place) -> Iterator[None]:
    """Nothing."""
    with place.running():
        yield


@contextlib.contextmanager
def hog(place: Place) -> Iterator[None]:
    """A program on each core that calculates."""
    with place.running(), contextlib.ExitStack() as stack:
        for _ in range(os.cpu_count() or 1):
            stack.enter_context(_ending(subprocess.Popen([sys.executable, "-SE", "-c", "while True: pass"])))
        yield


@contextlib.contextmanager
def checks(place: Place) -> Iterator[None]:
    """5,000 TCP checks a second in our program."""
    place.configure(configuration(CHECKS, "RT_TCP_CHECK", PORT))
    with _backend(place.ours.host), place.running():
        until(lambda: all(row["runs"] for row in asked(place.ours, ask="status")["checkers"]), limit=60, step=0.5)
        yield


@contextlib.contextmanager
def spin(place: Place) -> Iterator[None]:
    """A plugin that calculates in C, on the event loop of its process."""
    mode = place.folder / "mode"
    mode.write_text("")
    place.configure(ODD.format(site=SITE, port=PORT, mode=mode))
    with place.running():
        mode.write_text("spin")
        yield
        mode.write_text("")


@contextlib.contextmanager
def scripts(place: Place) -> Iterator[None]:
    """255 programs to be run at once, again and again: ours by notifications, keepalived's as tracked scripts."""
    notes = 'notify_up "/bin/true"\n        notify_down "/bin/true"'
    one = "real_server 127.2.0.{} 80 {{\n        checkers flip\n        " + notes + "\n    }}"
    place.configure(FLIP.format(port=PORT, servers="\n    ".join(one.format(n) for n in range(SCRIPTS))))
    names = [f"s{n}" for n in range(SCRIPTS)]
    blocks = "".join(f'vrrp_script {name} {{\n    script "/bin/true"\n    interval 1\n}}\n' for name in names)
    track = "track_script {\n" + "\n".join(names) + "\n}"
    for router, vrid, more in ((place.theirs, 52, ""), (place.real, 53, IN_TURN)):
        router.conf.write_text(SCRIPTED.format(more) + blocks + place.router(vrid, track))
    with place.running(), _again_and_again(0.5, lambda: _blink(place.ours.host)):
        yield


@contextlib.contextmanager
def log(place: Place) -> Iterator[None]:
    """Standard error is a pipe that nobody reads. Ours is reloaded again and again, to have something to tell."""
    with contextlib.ExitStack() as stack:
        for router in place.routers.values():
            os.mkfifo(router.log)
            reader = os.open(router.log, os.O_RDONLY | os.O_NONBLOCK)
            stack.callback(os.close, reader)
            fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
        stack.enter_context(place.running())
        stack.enter_context(_again_and_again(0.2, place.ours.reload))
        yield


LOADS: dict[str, Load] = {each.__name__: each for each in (idle, hog, checks, spin, scripts, log)}


@contextlib.contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _backend(host: Host) -> contextlib.AbstractContextManager[None]:
    return _ending(host.run(sys.executable, "-SE", str(BACKEND), str(PORT)))


def _blink(host: Host) -> None:
    """A server comes and goes: every verdict about it changes twice."""
    with _backend(host):
        time.sleep(0.5)


@contextlib.contextmanager
def _again_and_again(pause: float, work: Callable[[], None]) -> Iterator[None]:
    over = threading.Event()

    def run() -> None:
        while not over.wait(pause):
            work()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def lateness(frames: list[Advert], vrid: int, interval: float) -> list[float]:
    """By how much each silence of a router was too long, in milliseconds, the longest last."""
    times = [frame.at for frame in frames if frame.vrid == vrid and frame.priority]
    return sorted(1000 * max(0.0, after - before - interval) for before, after in pairwise(times))


def measured(load: Load, interval: float, seconds: float) -> dict[str, list[float]]:
    """How late each of the routers was."""
    with TemporaryDirectory() as name, lan() as wire:
        place = Place(wire, Path(name), interval)
        try:
            with load(place):
                time.sleep(0.5)
                since = time.time()
                time.sleep(seconds)
                until_then = time.time()
            frames = [frame for frame in place.capture.adverts(since) if frame.at < until_then]
        finally:
            place.capture.close()
    return {who: lateness(frames, vrid, interval) for who, vrid in zip(place.routers, (51, 52, 53), strict=True)}


def quantile(ordered: list[float], share: float) -> float:
    """The value below which a share of them lies; not a number of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--intervals", type=float, nargs="+", default=[0.1, 0.01])
    parser.add_argument("--loads", choices=list(LOADS), nargs="+", default=list(LOADS))
    given = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench.jitter: it makes network namespaces, which only root may")
    table = Table("advert", "load", "router", "adverts", "p50", "p99", "worst", "p99 : keepalived's", title="ms late")
    for interval in given.intervals:
        for name in given.loads:
            found = measured(LOADS[name], interval, given.seconds)
            for who, late in found.items():
                half, most, worst = (quantile(late, share) for share in (0.5, 0.99, 1.0))
                ratio = most / max(0.01, quantile(found["keepalived"], 0.99)) if found["keepalived"] else float("nan")
                cells = (f"{half:.2f}", f"{most:.2f}", f"{worst:.2f}", f"{ratio:.2f}")
                table.add_row(f"{interval:g} s", name, who, str(len(late) + bool(late)), *cells)
            table.add_section()
    Console(width=110 if not sys.stdout.isatty() else None).print(table)


if __name__ == "__main__":
    main()
