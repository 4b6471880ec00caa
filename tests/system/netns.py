"""Routers in network namespaces: ours, and keepalived as the peer, on a wire that a third namespace can listen to."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from actors.control_client import ask
from tests.system.lab import ROOT, until

VIP = "10.99.0.100"


def ip(*words: str) -> str:
    """``ip WORDS``; raises when it fails."""
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


class Host:
    """A namespace with one interface ``eth0`` on the common bridge."""

    def __init__(self, lan: "Lan", number: int) -> None:
        self.name = f"{lan.name}-{number}"
        self._wire = lan.name
        self.address = f"10.99.0.{number}"
        ip("netns", "add", self.name)
        self.port = f"{lan.name}p{number}"
        ip("-n", lan.name, "link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("-n", lan.name, "link", "set", self.port, "master", "br0", "up")
        ip("-n", self.name, "addr", "add", f"{self.address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            ip("-n", self.name, "link", "set", link, "up")

    def holds(self, address: str = VIP) -> bool:
        """Whether the address is on the interface."""
        return f"{address}/" in ip("-n", self.name, "-o", "addr", "show", "dev", "eth0")

    @property
    def mac(self) -> str:
        """The link layer address of its interface, as ``00:11:22:33:44:55``."""
        return ip("-n", self.name, "-o", "link", "show", "dev", "eth0").partition("link/ether ")[2].split()[0]

    def forget(self, address: str) -> None:
        """Remove an address that somebody who was killed has left behind."""
        ip("-n", self.name, "addr", "flush", "to", address, "dev", "eth0")

    def plug(self, state: str) -> None:
        """Set the link ``up`` or ``down``: the host notices."""
        ip("-n", self._wire, "link", "set", self.port, state)

    def part(self) -> None:
        """Cut it off from the others: its link stays up."""
        ip("-n", self._wire, "link", "set", self.port, "nomaster")

    def join(self) -> None:
        """Let it and the others see each other again."""
        ip("-n", self._wire, "link", "set", self.port, "master", "br0")

    def run(self, *words: str, **more: Any) -> subprocess.Popen[bytes]:
        """Start a program inside."""
        return subprocess.Popen(["ip", "netns", "exec", self.name, *words], **more)


class Lan:
    """A bridge in a namespace of its own, with hosts on it; everything is removed at the end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.hosts: list[Host] = []
        ip("netns", "add", name)
        ip("-n", name, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
        ip("-n", name, "link", "set", "br0", "up")

    def host(self) -> Host:
        """One more host."""
        self.hosts.append(Host(self, len(self.hosts) + 1))
        return self.hosts[-1]

    def close(self) -> None:
        """Remove all namespaces, and with them all interfaces."""
        for name in (*(host.name for host in self.hosts), self.name):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextlib.contextmanager
def lan(label: str = "") -> Iterator[Lan]:
    """A wire for the time of a block; with labels of up to five characters there may be several at a time."""
    wire = Lan(f"us{os.getpid() % 100000}{label}")
    try:
        yield wire
    finally:
        wire.close()


class Router:
    """A router program on a host: ours or keepalived, on the same configuration text."""

    def __init__(self, host: Host, folder: Path, conf: str) -> None:
        self.host = host
        self.folder = folder / f"{type(self).__name__}-{host.name}"
        self.folder.mkdir(exist_ok=True)
        self.conf = self.folder / "test.conf"
        self.conf.write_text(conf)
        self.log = self.folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """How it is started."""
        raise NotImplementedError

    def start(self) -> "Router":
        """Run it."""
        with self.log.open("ab") as log:
            self.process = self.host.run(*self.command(), cwd=ROOT, stdout=log, stderr=log)
        return self

    def kill(self) -> None:
        """SIGKILL to the program and its children, by pid: stopped first, so that none sees another one's end."""
        pids = self.pids()
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        if self.process is not None:
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(timeout=15)
        self.process = None

    def reload(self) -> None:
        """SIGHUP."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def pids(self) -> list[int]:
        """The program and its children, the eldest first."""
        found = [self.process.pid] if self.process is not None else []
        for pid in found:
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    def is_master(self) -> bool:
        """Whether the virtual address is on its host."""
        return self.host.holds()


class Ours(Router):
    """``python -m actors.main``, with more ``options``."""

    options: tuple[str, ...] = ()

    @property
    def socket(self) -> Path:
        """Its control socket."""
        return self.folder / "control.sock"

    def command(self) -> list[str]:
        """See `Router.command`."""
        program = [sys.executable, "-m", "actors.main", str(self.conf), "--socket", str(self.socket)]
        return [*program, "--log-format", "json", *self.options]


class Keepalived(Router):
    """Debian's keepalived. A pid file that a killed one left can keep the next from starting: it is removed."""

    def start(self) -> Router:
        """See `Router.start`."""
        for left in self.folder.glob("*pid"):
            left.unlink()
        return super().start()

    def command(self) -> list[str]:
        """See `Router.command`."""
        pids = ["-p", str(self.folder / "pid"), "-r", str(self.folder / "vrrp.pid"), "-c", str(self.folder / "c.pid")]
        return ["keepalived", "-n", "-l", "-D", "-P", "-f", str(self.conf), *pids]


class Witness:
    """Captures the adverts on the wire from a host that takes no part."""

    def __init__(self, host: Host) -> None:
        command = ["tcpdump", "-i", "eth0", "-l", "-n", "-tt", "-vv", "ip proto 112 or ip6 proto 112 or arp"]
        pipe = subprocess.PIPE
        self._process = host.run(*command, stdout=pipe, stderr=subprocess.DEVNULL)
        time.sleep(0.3)

    def adverts(self) -> list[tuple[float, str, int]]:
        """Time, source and priority of every advert, once stopped."""
        time.sleep(1.0)  # what was sent last is on its way through the capture
        self._process.terminate()
        text = self._process.communicate(timeout=10)[0].decode()
        joined = re.sub(r"\n\s+", " ", text)
        rule = re.compile(r"^([\d.]+) IP6? .*?(\S+) > \S+: .*?vrid \d+, prio (\d+)", re.MULTILINE)
        return [(float(at), source, int(prio)) for at, source, prio in rule.findall(joined)]


@contextlib.contextmanager
def started(*routers: Router) -> Iterator[None]:
    """Routers for the time of a block, killed after it."""
    try:
        for router in routers:
            router.start()
        yield
    finally:
        for router in routers:
            router.kill()


def becomes_master(router: Router, limit: float = 10.0) -> None:
    """Wait until it holds the address."""
    until(router.is_master, limit=limit)


def masters(adverts: list[tuple[float, str, int]]) -> list[str]:
    """The sources in the order in which they spoke, repetitions and farewells left out."""
    speakers = [source for _, source, priority in adverts if priority]
    return [source for place, source in enumerate(speakers) if place == 0 or speakers[place - 1] != source]


def asked(ours: Ours, **request: Any) -> Any:
    """What our control socket says."""
    until(ours.socket.exists)
    return ask(ours.socket, request)
