"""The service manager's ear: datagrams that tell systemd how the program fares (sd_notify(3)). Nothing here ever waits.

Who runs the program without systemd has no ``NOTIFY_SOCKET``, and nothing is sent.
"""

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import msgspec
from gevent import monkey

from actors.core.status import ServiceStatus, VrrpStatus
from actors.runtime.clock import Clock
from actors.runtime.lag import Metronome

TICK = 0.5
"""Seconds between two looks whether there is something to tell."""

NativeSocket = monkey.get_original("socket", "socket")


class Ear(msgspec.Struct, frozen=True):
    """Where the service manager listens, and within how many seconds it wants to hear from us (0: it does not)."""

    address: str = ""
    watchdog: float = 0.0

    def tell(self, *lines: str) -> bool:
        """Send; whether that was taken. A queue that is full, or nobody there, takes nothing."""
        if not self.address.startswith(("/", "@")):
            return False
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with NativeSocket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as port:
            try:
                port.sendto("\n".join(lines).encode(), name)
            except OSError:
                return False
        return True

    def hear_from(self, clock: Clock, when: Callable[[], bool] = lambda: True) -> None:
        """Let the loop of ``clock`` prove twice in each period that it turns, for as long as ``when()``."""
        if self.watchdog:
            Metronome(clock, self.watchdog / 2, lambda late: self._prove(when))

    def _prove(self, when: Callable[[], bool]) -> None:
        if when():
            self.tell("WATCHDOG=1")


UNHEARD = Ear()
"""Nobody listens."""


def found(environ: MutableMapping[str, str], pid: int) -> Ear:
    """What the service manager has left in the environment of the process ``pid``.

    It is taken out: nobody whom we start is to speak for us.
    """
    address = environ.pop("NOTIFY_SOCKET", "")
    period, whose = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
    watched = address and period.isdecimal() and whose in ("", str(pid))
    return Ear(address, int(period) / 1e6 if watched else 0.0)


class Herald:
    """Tells the service manager when the program is ready, reloads and ends, and in a line how it fares.

    It is ready when ``is_settled()``. ``summary()`` is that line.
    """

    def __init__(self, ear: Ear, clock: Clock, is_settled: Callable[[], bool], summary: Callable[[], str]) -> None:
        self._ear = ear
        self._is_settled = is_settled
        self._summary = summary
        self._reloads = 0
        self._ready = self._ends = False
        self._said = ""
        if ear.address:
            Metronome(clock, TICK, self._look)

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Within the block the configuration is read and taken over; then `ready` is told once all is settled."""
        self._reloads += 1
        self._ear.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self._reloads -= 1
            self._ready = False

    def stopping(self) -> None:
        """The program ends: the last thing that is told."""
        self._ends = True
        self._ear.tell("STOPPING=1", "STATUS=ending in order")

    def _look(self, late: float) -> None:
        if self._ends or self._reloads or not (self._ready or self._is_settled()):
            return
        line = self._summary()
        news = [*([] if self._ready else ["READY=1"]), *([] if line == self._said else [f"STATUS={line}"])]
        if news and self._ear.tell(*news):
            self._ready, self._said = True, line


def summary(statuses: Iterable[Any]) -> str:
    """``2 routers MASTER, 1 BACKUP; 3 of 4 services have quorum``."""
    roles: Counter[str] = Counter()
    services: Counter[bool] = Counter()
    for status in statuses:
        if isinstance(status, VrrpStatus):
            roles[status.role] += 1
        elif isinstance(status, ServiceStatus):
            services[status.quorum] += 1
    parts = [", ".join(_counted(roles)), _quorums(services)]
    return "; ".join(part for part in parts if part) or "nothing to do yet"


def _counted(roles: Counter[str]) -> Iterator[str]:
    held = [role for role in ("MASTER", "BACKUP", "FAULT", "INIT") if roles[role]]
    for role in held:
        noun = ("router " if roles[role] == 1 else "routers ") if role is held[0] else ""
        yield f"{roles[role]} {noun}{role}"


def _quorums(services: Counter[bool]) -> str:
    if not services.total():
        return ""
    noun = "service has" if services.total() == 1 else "services have"
    return f"{services[True]} of {services.total()} {noun} quorum"
