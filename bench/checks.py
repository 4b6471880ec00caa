"""CPU of one check, side by side: the whole daemon's path (supervisor, board, checker actors, plugin), the plugin alone
in plain greenlets, plain gevent, and a bare epoll loop of the same work.

    python -m bench.checks [--seconds 3] [--rates 100 1000 5000] [--kinds tcp http tls]

``keepalived`` is what keepalived 2.4.3 was seen to cost on a machine like this one; it cannot run its checkers
without a kernel that has IPVS.
"""

import argparse
import gc
import json
import subprocess
import sys
from random import Random
from time import process_time
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.bare import HOST, measure, serving

KEYWORDS = {"tcp": "TCP_CHECK", "http": "HTTP_GET", "tls": "SSL_GET"}
KEEPALIVED = {("tcp", 1000): "85-100", ("tcp", 5000): "64", ("http", 1000): "131"}
WARM = 1.5
"""Seconds before the clock starts: every checker has run once."""


def main() -> None:
    """Print the table, or be the daemon's side of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rates", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--kinds", choices=sorted(KEYWORDS), nargs="+", default=["tcp", "http", "tls"])
    parser.add_argument("--daemon", nargs=4, metavar=("KIND", "RATE", "SECONDS", "PORT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.daemon:
        kind, rate, seconds, port = given.daemon
        print(json.dumps(run_daemon(kind, int(rate), float(seconds), int(port))))
        return
    console = Console()
    table = Table("check", "per s", "daemon", "bare", "ratio", "plugin", "gevent", "keepalived", "failed")
    for kind in given.kinds:
        with serving(kind) as port:
            for rate in given.rates:
                with console.status(f"{KEYWORDS[kind]} at {rate} a second"):
                    table.add_row(*row(kind, rate, given.seconds, port))
    console.print(table)


def row(kind: str, rate: int, seconds: float, port: int) -> list[str]:
    """One line of the table: every peer in turn."""
    command = [sys.executable, "-m", "bench.checks", "--daemon", kind, str(rate), str(seconds), str(port)]
    ours: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    peers = {peer: measure(peer, kind, rate, seconds, port) for peer in ("bare", "dial", "gevent")}
    bare, dial, plain = (peers[peer]["cpu_us"] for peer in ("bare", "dial", "gevent"))
    figures = [f"{ours['cpu_us']:.0f}", f"{bare:.0f}", f"{ours['cpu_us'] / bare:.2f}", f"{dial:.0f}", f"{plain:.0f}"]
    return [KEYWORDS[kind], str(rate), *figures, KEEPALIVED.get((kind, rate), ""), f"{ours['failed']:.0f}"]


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
        CheckerSpec(f"check/{n}", KEYWORDS[kind], False, HOST, port, interval=1.0, options=options) for n in range(rate)
    )
    children = tuple(Child(spec.id, CheckerActor, (spec,), ("probes", "random")) for spec in specs)
    engine.system.start("supervisor", SupervisorActor, (children,), ("launcher", "ended"))
    return engine.system


def tally(system: Any) -> tuple[int, int]:
    """Runs and failures of all checkers so far."""
    actors = [context.actor for context in system.alive() if context.kind == "CheckerActor"]
    return sum(actor.tally.runs for actor in actors), sum(actor.tally.failures for actor in actors)


if __name__ == "__main__":
    main()
