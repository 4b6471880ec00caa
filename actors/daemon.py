"""The running program: configuration, engine, planes and sockets joined, from start to exit.

Only ``main`` uses it. What it needs of the command line comes as `Settings`.
"""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import gevent
import msgspec
import structlog
from gevent.event import AsyncResult

from actors import console, control
from actors.messages import Crash, Message, Revive, Shutdown, Stop
from actors.planes import DataPlane, PlaneUnavailable
from actors.planes.ipvs import IpvsPlane
from actors.planes.memory import MemoryPlane
from actors.planes.userspace import UserspacePlane
from actors.probing import PluginProbes
from actors.runtime.engine import Engine
from actors.runtime.lanes import Lanes
from actors.snapshot import Snapshot
from actors.spawner import Spawner
from actors.supervisor_actor import Reload, SupervisorActor
from actors.tree import Tree, grow
from loader import Cache, Loaded, load
from loader.fields import Block
from loader.model import Config
from plugins import registry
from plugins.api import describe

EXIT_FATAL, EXIT_CONFIGURATION = 1, 2
CHECK_GOOD, CHECK_UNREADABLE, CHECK_FAULTY = 0, 4, 5

PLANES: dict[str, Callable[[], DataPlane]] = {"ipvs": IpvsPlane, "userspace": UserspacePlane}

log = structlog.get_logger()


class Settings(msgspec.Struct, frozen=True):
    """The command line."""

    conf: Path
    dry_run: bool = False
    socket: Path | None = None
    console: Path | None = None


class ConfigurationError(Exception):
    """The configuration cannot be used; the text is the rendered diagnostics."""


class Configuration:
    """Reads the file, finds the plugins that it asks for, and keeps what a reload can use again."""

    def __init__(self, conf: Path) -> None:
        self._conf = conf
        self._cache = Cache()
        self._location: str | None = None
        self.found = registry.Found({}, ())

    def read(self) -> Loaded:
        """Load; the plugins that could not be registered are blamed in the log, once."""
        return load(self._conf, self._checkers, users=_users(), cache=self._cache)

    def _checkers(self, location: str) -> Mapping[str, Block]:
        if location != self._location:
            self._location = location
            self.found = registry.find((location,) if location else ())
            for blame in self.found.blamed:
                log.error("plugin refused", file=blame.file, reason=blame.reason)
        return {keyword: msgspec.convert(describe(plugin), Block) for keyword, plugin in self.found.checkers.items()}
