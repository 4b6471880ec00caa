"""A `System` on the gevent loop of this thread."""

from collections.abc import Mapping
from typing import Any

from actors.runtime.clock import LoopClock
from actors.runtime.system import System
from actors.runtime.workers import Workers


class Engine:
    """Joins clock, workers and system: mail has a worker carry its receiver out."""

    def __init__(self, ports: Mapping[str, Any]) -> None:
        self.workers = Workers()
        self.system = System(LoopClock(), self.workers.spawn, ports)
