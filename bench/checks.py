"""CPU of one check, side by side: the whole daemon's path (supervisor, board, checker actors, plugin), the plugin alone
in plain greenlets, plain gevent, and a bare epoll loop of the same work. And many checks at once by the whole program.

    python -m bench.checks [--seconds 3] [--rates 100 1000 5000] [--kinds tcp http tls ping]
    python -m bench.checks --together 10000 [--seconds 20]
    python -m bench.checks --guest

``keepalived`` is what keepalived 2.4.3 was seen to cost on a machine like this one; it cannot run its checkers
without a kernel that has IPVS. With ``--guest`` both do the same in Debian's kernel, under emulation, which is some
ten times slower: there the ratio counts.
"""

import argparse
import gc
import json
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.bare import HOST, measure, serving
from bench.inside import run_inside
from bench.together import Found, measured

KEYWORDS = {"tcp": "TCP_CHECK", "http": "HTTP_GET", "tls": "SSL_GET", "ping": "PING_CHECK"}
KEEPALIVED = {("tcp", 1000): "85-100", ("tcp", 5000): "64", ("http", 1000): "131"}
WARM = 1.5
"""Seconds before the clock starts: every checker has run once."""

INSIDE = ("tests/kernel/inside/test_checks.py",)
TOLD = re.compile(r"MEASURED checks (\w+) (\d+) (.+)")


def main() -> None:
    """Print the table, or be the daemon's side of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rates", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--kinds", choices=sorted(KEYWORDS), nargs="+", default=["tcp", "http", "tls"])
    parser.add_argument("--daemon", nargs=4, metavar=("KIND", "RATE", "SECONDS", "PORT"), help=argparse.SUPPRESS)
    parser.add_argument("--together", type=int, metavar="N", help="so many at a second each, by the whole program")
    parser.add_argument("--guest", action="store_true", help="the same beside keepalived, in the emulated kernel")
    given = parser.parse_args()
    if given.together:
        alone(given.together, given.seconds)
        return
    if given.guest:
        sys.exit(beside())
    if given.daemon:
        kind, rate, seconds, port = given.daemon
        print(json.dumps(run_daemon(kind, int(rate), float(seconds), int(port))))
        return
    console = Console()
    table = Table("check", "per s", "daemon", "bare", "ratio", "plugin", "gevent", "keepalived", "failed")
    for kind in given.kinds:
        with nullcontext(0) if kind == "ping" else serving(kind) as port:
            for rate in given.rates:
                with console.status(f"{KEYWORDS[kind]} at {rate} a second"):
                    table.add_row(*row(kind, rate, given.seconds, port))
    console.print(table)


def alone(checks: int, seconds: float) -> None:
    """Print what our program does with so many."""
    console = Console()
    with TemporaryDirectory() as folder, console.status(f"{checks} TCP_CHECKs of a second each"):
        found = measured("ours", checks, seconds, Path(folder), "dataplane userspace")
    show(console, checks, {"ours": found})


def beside() -> int:
    """Print what both programs do in the guest; the exit status."""
    console = Console()
    status, text = run_inside(INSIDE, console)
    found = {name: (int(checks), Found(*map(float, rest.split()))) for name, checks, rest in TOLD.findall(text)}
    if found:
        checks = next(iter(found.values()))[0]
        show(console, checks, {name: each for name, (_, each) in found.items()})
    return status


def show(console: Console, checks: int, found: dict[str, Found]) -> None:
    """The table of programs, and the ratio of the first to the second."""
    columns = ("probes/s", "CPU us each", "late ms p50", "p99", "worst", "MiB")
    table = Table("", *columns, title=f"{checks} TCP_CHECKs of a second each")
    for name, each in found.items():
        table.add_row(name, f"{each.rate:.0f}", f"{each.cpu:.0f}", *(f"{value:.1f}" for value in each[2:]))
    if len(found) == 2:
        first, second = found.values()
        table.add_row(
            "ratio", *(f"{mine / other:.2f}" if other else "" for mine, other in zip(first, second, strict=True))
        )
    console.print(table)


def row(kind: str, rate: int, seconds: float, port: int) -> list[str]:
    """One line of the table: every peer in turn."""
    command = [sys.executable, "-m", "bench.checks", "--daemon", kind, str(rate), str(seconds), str(port)]
    ours: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    figures = [
        f"{ours['cpu_us']:.0f}",
        *(["", "", "", ""] if kind == "ping" else against(ours, kind, rate, seconds, port)),
    ]
    return [KEYWORDS[kind], str(rate), *figures, KEEPALIVED.get((kind, rate), ""), f"{ours['failed']:.0f}"]


def against(ours: dict[str, float], kind: str, rate: int, seconds: float, port: int) -> list[str]:
    """What the peers need, and the ratio to the first of them."""
    peers = {peer: measure(peer, kind, rate, seconds, port) for peer in ("bare", "dial", "gevent")}
    bare, dial, plain = (peers[peer]["cpu_us"] for peer in ("bare", "dial", "gevent"))
    return [f"{bare:.0f}", f"{ours['cpu_us'] / bare:.2f}", f"{dial:.0f}", f"{plain:.0f}"]


def run_daemon(kind: str, rate: int, seconds: float, port: int) -> dict[str, float]:
    """``rate`` checkers of one second each under a supervisor, all of the daemon but its sockets."""
    from gevent import monkey

    monkey.patch_all()
    import gevent

    from actors.logs import configure

    configure("error", "json")
    system = grow(kind, rate, port)
    gevent.sleep(WARM)
    gc.collect()
    gc.freeze()
    before, began = tally(system), process_time()
    gevent.sleep(seconds)
    spent, after = process_time() - began, tally(system)
    runs = after[0] - before[0]
    return {"cpu_us": spent * 1e6 / max(1, runs), "runs": runs, "failed": after[1] - before[1]}


def grow(kind: str, rate: int, port: int) -> Any:
    """A system of ``rate`` checkers."""
    from actors.checker_actor import CheckerActor, CheckerSpec
    from actors.children import Child
    from actors.fleet import Fleet
    from actors.probing import PluginProbes
    from actors.runtime.engine import Engine
    from actors.runtime.lanes import Lanes
    from actors.supervisor_actor import SupervisorActor
    from plugins import registry
    from plugins.api import describe

    plugins = registry.find(entry_points=False).checkers
    names = [option["name"] for option in describe(plugins[KEYWORDS[kind]])["options"]]
    given = {"url": ((("path", "/"),),), "sni_name": "localhost"}
    options = tuple((name, value) for name, value in given.items() if name in names)
    ports: dict[str, Any] = {}
    engine = Engine(ports)
    ports |= {"launcher": Fleet(engine.system), "ended": print, "random": Random(1)}
    ports["probes"] = PluginProbes(Lanes(engine.workers))
    specs = (
        CheckerSpec(f"check/{n}", KEYWORDS[kind], False, address(kind, n), port, interval=1.0, options=options)
        for n in range(rate)
    )
    children = tuple(Child(spec.id, CheckerActor, (spec,), ("probes", "random")) for spec in specs)
    engine.system.start("supervisor", SupervisorActor, (children,), ("launcher", "ended"))
    return engine.system


def address(kind: str, number: int) -> str:
    """Whom a checker probes: a ping has no port by which one could be told from another."""
    return f"127.1.{number // 250}.{number % 250 + 1}" if kind == "ping" else HOST


def tally(system: Any) -> tuple[int, int]:
    """Runs and failures of all checkers so far."""
    actors = [context.actor for context in system.alive() if context.kind == "CheckerActor"]
    return sum(actor.tally.runs for actor in actors), sum(actor.tally.failures for actor in actors)


if __name__ == "__main__":
    main()
