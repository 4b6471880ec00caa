"""The stage: hosts in network namespaces on one bridge, and the programs on them. All of it is gone at the end."""

import ctypes
import os
import re
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

PR_SET_PDEATHSIG = 1
OWN = re.compile(r"^understudy-(\d+)-\w+", re.MULTILINE)
"""The names of our namespaces, with the process that made them."""

_LIBC = ctypes.CDLL(None)


def ip(*words: str) -> str:
    """``ip WORDS``; raises `subprocess.CalledProcessError` with what it says."""
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


class Stage:
    """A bridge and hosts on it, for the time of a ``with`` block: whatever ends the block removes them.

    Programs on it end with this process, even when that is killed; the namespaces that such an end leaves behind are
    removed by the next stage.
    """

    def __init__(self) -> None:
        self._hosts: list[str] = []
        self._programs: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Stage":
        self._sweep()
        try:
            self._add("wire")
            ip("-n", self.name("wire"), "link", "add", "br0", "type", "bridge", "forward_delay", "0")
            ip("-n", self.name("wire"), "link", "set", "br0", "up")
        except BaseException:
            self._clear()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Another Ctrl-C must not leave half of it.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        self._clear()

    def name(self, host: str) -> str:
        """The namespace of a host, as ``ip netns`` knows it."""
        return f"understudy-{os.getpid()}-{host}"

    def host(self, host: str, address: str) -> None:
        """One more host, with ``address`` on its ``eth0``."""
        self._add(host)
        name, wire = self.name(host), self.name("wire")
        ip("-n", wire, "link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("-n", wire, "link", "set", host, "master", "br0", "up")
        ip("-n", name, "addr", "add", address, "dev", "eth0")
        for link in ("lo", "eth0"):
            ip("-n", name, "link", "set", link, "up")

    def run(self, host: str, *words: str | Path, **more: Any) -> subprocess.Popen[bytes]:
        """Start a program on a host."""
        command = ["ip", "netns", "exec", self.name(host), *map(str, words)]
        program = subprocess.Popen(command, preexec_fn=_end_with_parent, **more)
        self._programs.append(program)
        return program

    def _add(self, host: str) -> None:
        self._hosts.append(host)  # first: an interrupt may come in between
        ip("netns", "add", self.name(host))

    def _clear(self) -> None:
        for program in self._programs:
            program.kill()
            program.wait()
        for host in self._hosts:
            _remove(self.name(host))

    def _sweep(self) -> None:
        for found in OWN.finditer(ip("netns", "list")):
            if not Path("/proc", found[1]).exists():
                _remove(found[0])


def _remove(name: str) -> None:
    subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _end_with_parent() -> None:
    """In a program that is about to begin: have the kernel kill it when this process ends."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The terminal's interrupt is for the demo, which ends the others in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
