"""Bytes per idle actor, and messages per second.

python -m bench.actors [--actors 50000]
"""

import argparse
import gc
import time
from typing import Any

import gevent
import psutil

from actors.children import Child
from actors.core.status import CheckStatus, Verdict
from actors.fleet import Fleet
from actors.messages import Settle
from actors.runtime.actor import Context
from actors.runtime.engine import Engine
from actors.supervisor_actor import SupervisorActor

AIM = 4096


class Idle:
    """Follows one source, waits for one timer, has published once: what a quiet checker or server is."""

    __slots__ = ("_context", "heard")

    def __init__(self, context: Context) -> None:
        self._context = context
        self.heard = 0

    def on_start(self) -> None:
        """Subscribe, publish, arm."""
        self._context.subscribe("check/none")
        self._context.publish(CheckStatus(self._context.id, Verdict.OK))
        self._context.after("due", 3600.0, Settle())

    def receive(self, message: Any) -> None:
        """Count."""
        self.heard += 1

    def on_stop(self, final: bool) -> None:
        """Nothing."""


def grow(actors: int) -> tuple[Engine, float, float]:
    """Start them under a supervisor; bytes of memory and seconds of CPU for each."""
    ports: dict[str, Any] = {}
    engine = Engine(ports)
    ports |= {"launcher": Fleet(engine.system), "ended": print}
    gc.collect()
    memory, cpu = psutil.Process().memory_info().rss, time.process_time()
    children = tuple(Child(f"check/{n}", Idle) for n in range(actors))
    engine.system.start("supervisor", SupervisorActor, (children,), ("launcher", "ended"))
    settle(engine, actors)
    gc.collect()
    return engine, (psutil.Process().memory_info().rss - memory) / actors, (time.process_time() - cpu) / actors


def settle(engine: Engine, actors: int) -> None:
    """Wait until everybody has heard the answer to its subscription."""
    while sum(c.actor.heard for c in engine.system.alive() if isinstance(c.actor, Idle)) < actors:
        gevent.sleep(0.01)


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actors", type=int, default=50_000)
    actors = parser.parse_args().actors
    engine, size, start = grow(actors)
    print(f"{actors} idle actors: {size:.0f} bytes each (aim: below {AIM}), {start * 1e6:.1f} us CPU each to start")
    cpu = time.process_time()
    for n in range(actors):
        engine.system.tell(f"check/{n}", Settle())
    settle(engine, 2 * actors)
    print(f"one message to each: {(time.process_time() - cpu) / actors * 1e6:.2f} us CPU a message")


if __name__ == "__main__":
    main()
