"""The running program: configuration, engine, planes and sockets joined, from start to exit.

Only ``main`` uses it. What it needs of the command line comes as `Settings`.
"""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import msgspec
import structlog
from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore

from actors import scheduling
from actors.census import Census, supervisor_of
from actors.checker_actor import CheckerActor
from actors.configuration import Configuration, ConfigurationError, default_identity
from actors.console import Console
from actors.control import ControlServer
from actors.control_client import default_path
from actors.core.status import CheckStatus
from actors.doors import asks, words
from actors.dump import Dump
from actors.fleet import Fleet
from actors.ipvs_view import IpvsView
from actors.logs import is_terminal
from actors.messages import Died, Shutdown, Stopped
from actors.nursery import Nursery
from actors.planes import DataPlane, PlaneError
from actors.planes.ipvs import IpvsPlane
from actors.planes.memory import DryRunPlane
from actors.planes.userspace import UserspacePlane
from actors.ports import network, probing, restrict, table_of
from actors.process import VRRP, Orders, scheduling_of
from actors.runtime.engine import Engine
from actors.runtime.lag import Lag
from actors.snapshot import Snapshot
from actors.spawner import DryRunSpawner, Spawner
from actors.supervisor_actor import Reload, SupervisorActor
from actors.systemd import UNHEARD, Ear, Herald, summary
from actors.tree import Tree, grow
from actors.verdicts import Verdicts
from loader.model import Config, GlobalDefs

EXIT_FATAL, EXIT_CONFIGURATION, EXIT_INTERNAL = 1, 2, 70

PLANES: dict[str, Callable[[], DataPlane]] = {"ipvs": IpvsPlane, "userspace": UserspacePlane}

KEEP = 5.0
"""Seconds between two looks at verdicts that must outlive the program."""

log = structlog.get_logger()


class Settings(msgspec.Struct, frozen=True):
    """The command line."""

    conf: Path
    dry_run: bool = False
    socket: Path | None = None
    console: Path | None = None
    log_level: str = "info"
    log_format: str = "auto"


class Daemon:
    """The whole program in this process, and the spawner beside it."""

    def __init__(self, settings: Settings, nursery: Nursery | None = None, ear: Ear = UNHEARD) -> None:
        """Read the configuration; raises `ConfigurationError` with every diagnostic.

        Other processes come out of the ``nursery``; without one everything is in this process.
        The ``ear`` is told how it fares.
        """
        self._settings = settings
        self._ear = ear
        self._nursery = nursery
        self._configuration = Configuration(settings.conf)
        loaded = self._configuration.read()
        if loaded.config is None:
            raise ConfigurationError(loaded.render())
        if loaded.diagnostics:
            log.warning("configuration", diagnostics=loaded.render())
        self._config = loaded.config
        self.tree: Tree = self._grown(loaded.config)
        self._spared: Tree | None = None
        self._ended: AsyncResult = AsyncResult()
        self._reloading = BoundedSemaphore()
        self._balances = False

    def run(self) -> int:
        """Run until told to end; the exit code. Raises `PlaneError` before anything is touched."""
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)  # what is asked for before it can be carried out is no end
        dry = self._settings.dry_run
        self._plane: DataPlane = DryRunPlane() if dry else PLANES[self._config.global_defs.dataplane]()
        self._open_plane(self._config)
        spawner = DryRunSpawner() if dry else Spawner()
        try:
            return self._serve(self._plane, spawner)
        finally:
            self._plane.close()
            spawner.close()

    def _open_plane(self, config: Config) -> None:
        """A router that balances no load needs no data plane."""
        if config.virtual_servers and not self._balances:
            self._plane.open()
            if config.global_defs.lvs_flush and self._plane.whole is not None:
                self._plane.whole.flush()
            self._balances = True

    def _serve(self, plane: DataPlane, spawner: Spawner | DryRunSpawner) -> int:
        ports: dict[str, Any] = {}
        engine = Engine(ports)
        self._ports = ports
        self._spawner = spawner
        self._system = engine.system
        self._system.unsupervised = self._leaderless
        defs = self._config.global_defs
        self._fleet = Fleet(engine.system, self._nursery, self._orders, defs.hang_limit)
        ports |= {"plane": plane, "ipvs": plane.whole, "spawner": spawner}
        ports |= {"launcher": self._fleet, "ended": self._ended.set}
        if self._nursery is None:
            ports |= network(table_of(self._door), self._settings.dry_run) | probing(engine)
        self._restrict(defs)
        self._census = Census(engine.system, self._fleet, spawner, Lag(engine.system.clock))
        told = partial(self._facts, plane)
        self._snapshot = Snapshot(engine.system, self._fleet, self._census, told, self.tree.names)
        self._verdicts = Verdicts(self._door.with_name("verdicts.json"))
        self._herald = self._announced()
        with self._doors():
            ports["remembered"] = self._remembered()
            given = ("launcher", "ended", "remembered")
            self._system.start("supervisor", SupervisorActor, (self.tree.children,), given)
            self._listen_to_signals()
            log.info("started", children=len(self.tree.children), dataplane=plane.name)
            try:
                return self._wait()
            finally:
                self._herald.stopping()
                self._fleet.close()

    def _announced(self) -> Herald:
        """Have the service manager told how things are. VRRP's loop is the one to be watched, where it is apart."""
        self._ear.hear_from(self._system.clock, lambda: VRRP not in self._fleet.companies)
        return Herald(self._ear, self._system.clock, self._is_settled, self._summary)

    def _is_settled(self) -> bool:
        context = self._system.find("supervisor")
        has_read = context is not None and context.actor is not None and not context.busy
        return has_read and supervisor_of(self._system).is_settled and self._fleet.is_complete

    def _summary(self) -> str:
        context = self._system.find("supervisor")
        return summary(context.actor.board.retained()) if context and context.actor else "the supervisor has ended"

    def _grown(self, config: Config) -> Tree:
        shards = (config.global_defs.checker_processes or os.cpu_count() or 1) if self._nursery else 0
        return grow(config, default_identity(), shards, self._configuration.catalogue.places)

    def _orders(self, name: str) -> Orders:
        settings, defs = self._settings, self._config.global_defs
        return Orders(
            name,
            settings.dry_run,
            settings.log_level,
            settings.log_format,
            is_terminal(),
            scheduling_of(defs, name),
            self._ear if name == VRRP else UNHEARD,
            table_of(self._door),
            defs.enable_script_security,
            defs.checker_concurrency,
        )

    def _wait(self) -> int:
        """Until the supervisor has ended; meanwhile verdicts that must outlive the program are kept."""
        self._ended.wait(KEEP)
        while not self._ended.ready():
            self._keep_verdicts()
            self._spare_collector()
            self._ended.wait(KEEP)
        return int(self._ended.get())

    def _spare_collector(self) -> None:
        """Once after the start and once after each reload: what has come to stay is not looked through again.

        With 10,000 servers a full collection holds the event loop for 0.26 s, and comes every ten seconds. What was
        there before the other processes were forked is left alone the first time: to look at it is to write to it, and
        so to have it alone.
        """
        if self._spared is not self.tree:
            if self._spared is not None:
                gc.unfreeze()
            self._spared = self.tree
            gc.collect()
            gc.freeze()
            scheduling.give_back()

    def _leaderless(self, last_message: Died | Stopped) -> None:
        log.critical("the supervisor has ended", last=last_message)
        self._ended.set(EXIT_INTERNAL)

    def _remembered(self) -> tuple[CheckStatus, ...]:
        lasting = self._lasting()
        return tuple(status for status in self._verdicts.read() if status.source in lasting)

    def _keep_verdicts(self) -> None:
        if lasting := self._lasting():
            self._verdicts.write(self._snapshot.checks(lasting))

    def _lasting(self) -> frozenset[str]:
        specs = (child.args[0] for child in self.tree.children if child.kind is CheckerActor)
        return frozenset(spec.id for spec in specs if spec.init == "last")

    @property
    def _door(self) -> Path:
        return self._settings.socket or default_path()

    # What the outside may ask

    def reload(self) -> None:
        """Read the configuration again and tell the supervisor who shall live; an error changes nothing."""
        with self._reloading, self._herald.reloading():  # one asked for meanwhile comes after it
            # In a native thread: thousands of lines take longer than the event loop may be held.
            self._take_over(*gevent.get_hub().threadpool.apply(self._read_again))

    def _read_again(self) -> tuple[Config, Tree, str]:
        """What is wanted now, or what is wrong with it."""
        loaded = self._configuration.read()
        if loaded.config is None:
            return self._config, self.tree, loaded.render()
        return loaded.config, self._grown(loaded.config), _fixed(self._config, loaded.config)

    def _take_over(self, config: Config, tree: Tree, refusal: str) -> None:
        try:
            if not refusal:
                self._open_plane(config)
        except PlaneError as error:
            refusal = str(error)
        if refusal:
            log.error("reload failed, nothing has changed", diagnostics=refusal)
            return
        self._config, self.tree = config, tree
        self._restrict(config.global_defs)
        self._fleet.adjust(config.global_defs.hang_limit)
        self._snapshot.names = self.tree.names
        self._system.tell("supervisor", Reload(self.tree.children))

    def _restrict(self, defs: GlobalDefs) -> None:
        """What whoever runs programs or probes in this process may do."""
        self._spawner.secure = defs.enable_script_security
        restrict(self._ports, defs.enable_script_security, defs.checker_concurrency)

    @contextmanager
    def _doors(self) -> Iterator[None]:
        """The control socket, and the console when asked for."""
        with ExitStack() as stack:
            table = IpvsView(self._system, self._plane, self._snapshot.head)
            known = asks(self._snapshot, self._census, self._system)
            stack.enter_context(ControlServer(self._door, {**known, "ipvs": lambda request: table.table()}))
            if self._settings.console is not None:
                told = words(self._snapshot, self._census, self._system)
                stack.enter_context(Console(self._settings.console, told))
            yield

    def _listen_to_signals(self) -> None:
        dump = Dump(self._door.parent, lambda: {**self._snapshot.status(), **self._census.tree()})
        gevent.signal_handler(signal.SIGHUP, self.reload)
        gevent.signal_handler(signal.SIGUSR1, dump.data)
        gevent.signal_handler(signal.SIGUSR2, dump.statistics)
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self._shut_down)

    def _shut_down(self) -> None:
        self._herald.stopping()
        self._keep_verdicts()
        if self._config.global_defs.lvs_keep_on_stop:
            self._plane.leave()
        self._system.tell("supervisor", Shutdown())

    def _facts(self, plane: DataPlane) -> dict[str, Any]:
        return {
            "router_id": self._config.global_defs.router_id or os.uname().nodename,
            "pid": os.getpid(),
            "dataplane": plane.name,
            "config": str(self._settings.conf),
        }


def _fixed(running: Config, wanted: Config) -> str:
    """What a reload cannot change, as a sentence; empty when nothing of it has changed."""
    if running.global_defs.dataplane != wanted.global_defs.dataplane:
        return "dataplane cannot change while running: restart to change it"
    return ""
