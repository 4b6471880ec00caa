"""The stage of the campaign: two routers of ours and a keepalived, two servers, a client, all on one wire."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from actors.control_client import Refused, Unreachable, ask
from tests.system.faults.observers import Client, Glances
from tests.system.lab import BACKEND, until
from tests.system.netns import VIP, Host, Keepalived, Lan, Ours, ip

HERE = Path(__file__).parent
SECOND = "10.99.0.101"
SERVERS = ("10.99.0.4", "10.99.0.5")
CHECKS = ("web", "port", "odd", "strange")

# The refresh is for the end of a split: who led all the time need not notice that somebody else told the neighbours.
ROUTER = """
vrrp_instance VI_1 {{
    interface eth0
    state BACKUP
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 0.1
    garp_master_refresh 1
    {notify}
    virtual_ipaddress {{
        {first}/24
        {second}/24
    }}
}}
"""

BALANCER = """
global_defs {{
    dataplane userspace
    hang_limit 2
    checker_processes 2
    plugin_checker_location {site}
    script_user root
}}
RT_HTTP_GET web {{
    {pace}
    url {{
        path /
    }}
}}
TH_TCP_CHECK port {{
    {pace}
}}
RT_ODD odd {{
    {pace}
    mode {folder}/odd
}}
TH_ODD strange {{
    {pace}
    mode {folder}/strange
}}
virtual_server {vip} 80 {{
    lb_algo {algorithm}
    protocol TCP
    {servers}
}}
"""
PACE = "delay_loop 0.2\n    connect_timeout 1\n    retry 1\n    delay_before_retry 0.05\n    warmup 0.1"
SERVER = "real_server {} 80 {{\n        weight {}\n        checkers " + " ".join(CHECKS) + "\n    }}"


class Program(Ours):
    """One of our routers, looked at all the time, and started again when it has ended, as a service manager would.

    Its log goes to a file on a disk of its own that is soon full.
    """

    def __init__(self, name: str, host: Host, folder: Path, priority: int) -> None:
        super().__init__(host, folder, "")
        self.name = name
        self.priority = priority
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(self.disk)], check=True)
        self.log = self.disk / "log"
        self.console = self.folder / "console.sock"
        self.options = ("--console", str(self.console))
        for check in ("odd", "strange"):
            (self.folder / check).write_text("")
        self.configure()
        self.wanted = True
        self.glances = Glances(self.socket)

    def configure(self, algorithm: str = "rr", weight: int = 1, more: str = "") -> None:
        """Write the configuration; what is told is what a reload changes."""
        servers = "\n    ".join(SERVER.format(each, weight) for each in (*SERVERS, *([more] if more else [])))
        given = {"site": HERE / "site", "pace": PACE, "folder": self.folder, "vip": VIP, "servers": servers}
        notify = f'notify "/bin/sh {HERE / "note.sh"} {self.folder / "notes"}"'
        router = ROUTER.format(priority=self.priority, first=VIP, second=SECOND, notify=notify)
        self.conf.write_text(BALANCER.format(**given, algorithm=algorithm) + router)

    def keep(self) -> int | None:
        """Start it again if it has ended; its exit status if so."""
        if self.process is None or not self.wanted or (status := self.process.poll()) is None:
            return None
        self.start()
        return status

    def says(self, **request: Any) -> Any:
        """Its answer; None when it has none."""
        with contextlib.suppress(Unreachable, Refused):
            return ask(self.socket, request)
        return None

    def processes(self) -> dict[str, int]:
        """The pids of its processes by name, main and its helpers among them; only of those that there are."""
        assert self.process is not None
        main = self.process.pid
        found = {"main": main} if self.process.poll() is None else {}
        with contextlib.suppress(OSError):
            for pid in map(int, Path(f"/proc/{main}/task/{main}/children").read_text().split()):
                found[_part(Path(f"/proc/{pid}/cmdline").read_text())] = pid
        others = (self.says(ask="internals") or {}).get("processes", {})
        return found | {name: each["pid"] for name, each in others.items() if each["pid"]}

    def close(self) -> None:
        """End it at once, and clear away."""
        self.wanted = False
        self.glances.stop()
        for pid in members(self.host):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        shutil.copy(self.log, self.folder / "log")
        subprocess.run(["umount", "--lazy", str(self.disk)], check=False)


class Piped(Program):
    """One whose log goes through a pipe to a reader."""

    def __init__(self, name: str, host: Host, folder: Path, priority: int) -> None:
        super().__init__(name, host, folder, priority)
        with self.log.open("ab") as log:
            self.reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log)

    def start(self) -> "Piped":
        """See `Router.start`."""
        pipe = self.reader.stdin
        self.process = self.host.run(*self.command(), stdout=pipe, stderr=pipe)
        return self

    def close(self) -> None:
        """See `Program.close`."""
        self.reader.kill()
        super().close()


class Stage:
    """All of it. The hosts are ``one``, ``two`` and ``three`` (keepalived), then the servers, then the client."""

    def __init__(self, wire: Lan, folder: Path) -> None:
        self.wire = wire
        self.folder = folder
        hosts = [wire.host() for _ in range(6)]
        self.one, self.two = Program("one", hosts[0], folder, 150), Piped("two", hosts[1], folder, 140)
        conf = ROUTER.format(priority=100, first=VIP, second=SECOND, notify="")
        self.three = Keepalived(hosts[2], folder, conf)
        self.ours = (self.one, self.two)
        self.routers = (self.one, self.two, self.three)
        self.servers = dict(zip(SERVERS, hosts[3:5], strict=True))
        self._serving: dict[str, subprocess.Popen[bytes]] = {}
        for host in hosts[:3]:
            self._lay_cable(host)
        for address in SERVERS:
            self.serve(address)
        self.client = Client(hosts[5])

    def serve(self, address: str) -> None:
        """Start a server."""
        self._serving[address] = self.servers[address].run(sys.executable, "-SE", str(BACKEND), "80", address)

    def fell(self, address: str) -> None:
        """Kill a server."""
        self._serving.pop(address).kill()

    @property
    def serving(self) -> set[str]:
        """The addresses of the servers that live."""
        return set(self._serving)

    @contextlib.contextmanager
    def bad_cable(self, host: Host, random: Random, loss: float, delay: float, twice: float) -> Iterator[None]:
        """For the time of a block what a host sends and hears goes through a cable that loses, delays and repeats."""
        spare = f"{host.port}c"
        words = (sys.executable, "-SE", str(HERE / "cable.py"), host.port, spare)
        host.part()
        shares = (random.getrandbits(32), loss, delay, twice)
        inside = ("ip", "netns", "exec", self.wire.name)
        cable = subprocess.Popen((*inside, *words, *map(str, shares)))
        try:
            yield
        finally:
            cable.kill()
            cable.wait()
            host.join()

    def _lay_cable(self, host: Host) -> None:
        spare, plugged = f"{host.port}c", f"{host.port}d"
        ip("-n", self.wire.name, "link", "add", spare, "up", "type", "veth", "peer", "name", plugged)
        ip("-n", self.wire.name, "link", "set", plugged, "master", "br0", "up")

    def close(self) -> None:
        """End everybody."""
        self.client.stop()
        self.three.kill()
        for program in self.ours:
            program.close()
        for address in tuple(self._serving):
            self.fell(address)


def _part(command: str) -> str:
    """What a child of main is, by its command line, which the dead have not."""
    if not command:
        return "dead"
    return "scripts" if "scripts.py" in command else "nursery"


def members(host: Host) -> set[int]:
    """All processes in the namespace of a host."""
    return {int(pid) for pid in ip("netns", "pids", host.name).split()}


@contextlib.contextmanager
def stage(wire: Lan, folder: Path) -> Iterator[Stage]:
    """Everybody in place, for the time of a block."""
    made = Stage(wire, folder)
    try:
        for router in made.routers:
            router.start()
        until(lambda: all(each.says(ask="internals") for each in made.ours), limit=30)
        yield made
    finally:
        made.close()
