"""A process that is not the main one: actors on a loop of their own, joined to main by a bridge.

It ends when main does: its actors are stopped in order, the last started first, so that a router leaves with priority
0 and its addresses are released.
"""

import faulthandler
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent
import msgspec
import structlog
from gevent.event import AsyncResult

from actors import logs, ports, scheduling
from actors.address_actor import AddressActor, AddressSpec
from actors.announcer_actor import AnnouncerActor, AnnouncerSpec
from actors.checker_actor import CheckerActor, CheckerSpec
from actors.device_actor import DeviceActor, DeviceSpec
from actors.firewall_actor import FirewallActor, FirewallSpec
from actors.group_actor import GroupActor, GroupSpec
from actors.inside import busiest, explain, figures, internals, network_figures
from actors.link_actor import LinkActor
from actors.messages import Died, Stop, Stopped
from actors.presence_actor import PresenceActor, PresenceSpec
from actors.runtime.bridge import Bridge, adopted
from actors.runtime.collector import Collector
from actors.runtime.engine import Engine
from actors.runtime.frames import Abandon, Adjust, Answer, Ask, Begin, Frame, Here, Letter, Recall, Said
from actors.runtime.lag import Lag
from actors.runtime.post import Post
from actors.scheduling import Scheduling
from actors.station import VrrpSpec
from actors.systemd import UNHEARD, Ear
from actors.vrrp_actor import VrrpActor
from loader.model import GlobalDefs
from plugins import registry

VRRP, CHECKERS = "vrrp", "checkers"

FOLDERS = {
    VRRP: ("firewall/", "link/", "address/", "announcer/", "static/", "device/", "group/", "vrrp/", "presence/"),
    CHECKERS: ("check/",),
}
"""Whose sources live in which process."""

KINDS: dict[str, tuple[type, type]] = {
    kind.__name__: (kind, args)
    for kind, args in (
        (LinkActor, tuple[str]),
        (PresenceActor, tuple[PresenceSpec]),
        (AddressActor, tuple[AddressSpec]),
        (AnnouncerActor, tuple[AnnouncerSpec]),
        (DeviceActor, tuple[DeviceSpec]),
        (FirewallActor, tuple[FirewallSpec]),
        (GroupActor, tuple[GroupSpec]),
        (VrrpActor, tuple[VrrpSpec]),
        (CheckerActor, tuple[CheckerSpec]),
    )
}
"""Actors that can live in another process, and what they are made of."""

FAREWELL = 5.0
"""Seconds that all actors together have for their end."""

EXIT_FORKED = 70
"""Exit status of a process that a plugin has forked all the same."""

LINES = 1 << 20
"""Bytes that may wait for main: beyond, lines of the log are dropped and counted."""


class Orders(msgspec.Struct, frozen=True):
    """What a process is to be. ``ear`` is who wants to hear that it is alive, ``table`` the program's own one of the
    firewall, ``secure`` whether nothing runs as root that others may change, ``concurrency`` how many probes run at
    once (0: any number); the rest is as the command line has it."""

    name: str
    dry_run: bool = False
    log_level: str = "info"
    log_format: str = "json"
    colors: bool = False
    scheduling: Scheduling = Scheduling()
    ear: Ear = UNHEARD
    table: str = ""
    secure: bool = False
    concurrency: int = 0

    @property
    def kind(self) -> str:
        """``checkers-2`` is one of the ``checkers``."""
        return self.name.partition("-")[0]


def scheduling_of(defs: GlobalDefs, name: str) -> Scheduling:
    """How the kernel is to treat a process. VRRP goes before everybody else where that is allowed, and is not swapped:
    that is what it lives apart for."""
    if name == VRRP:
        return Scheduling(defs.vrrp_rt_priority or 1, defs.vrrp_priority, True, defs.vrrp_cpu_affinity)
    return Scheduling(defs.checker_rt_priority, defs.checker_priority, defs.checker_no_swap, defs.checker_cpu_affinity)


def preload() -> None:
    """Load what processes would load one by one: what a nursery has before it forks is in memory once."""
    registry.shipped()


def serve(end: int, told: dict[str, Any]) -> None:
    """Be the process that ``told`` says, until main hangs up the bridge whose descriptor is ``end``."""
    Process(end, msgspec.convert(told, Orders)).run()


class Process:
    """The whole of such a process."""

    def __init__(self, end: int, orders: Orders) -> None:
        _undisturbed(orders.name)
        self._orders = orders
        self._orphaned: AsyncResult = AsyncResult()
        self._ends: dict[str, AsyncResult] = {}
        self._ports: dict[str, Any] = {}
        self._engine = Engine(self._ports)
        self.system = self._engine.system
        self._bridge = Bridge(adopted(end), self._heard, lambda: self._orphaned.set(True))
        self._bridge.send(Here(os.getpid()))
        logs.configure(orders.log_level, orders.log_format, Lines(self._bridge), orders.colors, self._later())
        self._post = Post(self.system, FOLDERS[orders.kind], self._send)
        self._ports |= self._own_ports()
        self._take_its_turn()
        self.lag = Lag(self.system.clock)
        self._collector = Collector(self.system.clock) if orders.kind == VRRP else None
        orders.ear.hear_from(self.system.clock)

    def run(self) -> None:
        """Serve until main is gone, then have everybody end in order."""
        self._orphaned.get()
        logs.configure(self._orders.log_level, self._orders.log_format)
        if self.system.alive():
            structlog.get_logger().error("main is gone: ending in order", process=self._orders.name)
        with gevent.Timeout(FAREWELL, False):
            for context in reversed(self.system.alive()):
                if context.alive:  # nobody starts one again that crashes by now, and nobody hears of its end
                    ended = self._ends[context.id] = AsyncResult()
                    self.system.tell(context.id, Stop(final=True))
                    ended.get()

    def _later(self) -> logs.Later | None:
        """Lines about a failover are not made before the addresses are there."""
        return gevent.get_hub().loop.run_callback if self._orders.kind == VRRP else None

    def _own_ports(self) -> dict[str, Any]:
        if self._orders.kind == VRRP:
            return ports.network(self._orders.table, self._orders.dry_run)
        refuse_forks()
        probing = ports.probing(self._engine, apart=True)
        ports.restrict(probing, self._orders.secure, self._orders.concurrency)
        return probing

    def _take_its_turn(self) -> None:
        for refusal in scheduling.apply(self._orders.scheduling):
            structlog.get_logger().warning("not allowed", process=self._orders.name, what=refusal)
        scheduling.spare_collector()

    def _adjust(self, orders: Orders) -> None:
        """Be as the orders say now. The log stays as the command line had it."""
        before, self._orders = self._orders, orders
        if orders.scheduling != before.scheduling:
            self._take_its_turn()
        ports.restrict(self._ports, orders.secure, orders.concurrency)

    def _send(self, frame: Frame) -> None:
        self._bridge.send(frame)
        if isinstance(frame, Letter) and isinstance(frame.message, Died | Stopped):
            ended = self._ends.get(frame.message.id)
            if ended is not None:
                ended.set(True)

    def _heard(self, frame: Frame) -> None:
        match frame:
            case Letter():
                self._post.deliver(frame)
            case Begin():
                if self._collector is not None:
                    self._collector.expect()
                kind, args = KINDS[frame.kind]
                given = frozen(msgspec.msgpack.decode(frame.args, type=args))
                self.system.start(frame.id, kind, given, frame.ports, frame.last, incarnation=frame.incarnation)
            case Abandon(id):
                self.system.abandon(id)
            case Recall(said):
                self._post.recall(said)
            case Adjust(orders):
                self._adjust(msgspec.convert(orders, Orders))
            case Ask(number, question, about):
                with suppress(OSError):  # who cannot even look at itself, for want of descriptors, says nothing
                    self._bridge.send(Answer(number, ANSWERS[question](self, about)))


def _alive(process: Process, _: str) -> int:
    return len(process.system.alive())


def _vitals(process: Process, _: str) -> dict[str, Any]:
    return {"actors": len(process.system.alive()), "lag": process.lag.figures()}


ANSWERS: dict[str, Callable[[Process, str], Any]] = {
    "alive": _alive,
    "vitals": _vitals,
    "busiest": lambda process, _: busiest(process.system),
    "why": lambda process, id: explain(process.system, id),
    "figures": lambda process, _: figures(process.system),
    "internals": lambda process, _: internals(process.system),
    "network": lambda process, _: network_figures(process.system.ports),
}
"""What main may ask."""


class Lines(logs.Sink):
    """Where the log of this process goes: to main, which alone writes it, so that no disk can hold this process up."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge

    def put(self, line: str) -> bool:
        """Hand a line over, if there is room for it."""
        room = self._bridge.waiting < LINES
        if room:
            self._bridge.send(Said(line))
        return room


def frozen(value: Any) -> Any:
    """Lists, which are how tuples of any kind arrive, as tuples again."""
    if isinstance(value, str):  # as most are, of what many routers know of each other
        return value
    if isinstance(value, msgspec.Struct):
        changed = {name: frozen(getattr(value, name)) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **changed)
    if isinstance(value, list | tuple):
        return tuple(frozen(each) for each in value)
    return value


def refuse_forks() -> None:
    """Let no plugin fork this process: its double would speak to main in its name. Programs that are only executed
    are another matter."""
    os.register_at_fork(after_in_child=lambda: os._exit(EXIT_FORKED))
    for name in ("fork", "forkpty"):
        setattr(os, name, _refuse_fork)


def _refuse_fork() -> int:
    raise RuntimeError("a plugin must not fork")


def _undisturbed(name: str) -> None:
    """A signal to all of the program is for main, which stops the others in order."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    if sys.__stderr__ is not None:
        faulthandler.register(signal.SIGUSR2, file=sys.__stderr__, all_threads=True)
    with open("/proc/self/comm", "w") as comm:
        comm.write(f"us-{name}"[:15])
