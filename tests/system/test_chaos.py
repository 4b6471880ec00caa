"""A thousand deaths: random backends are killed and restarted under constant load."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.system.lab import Backend, Daemon, backends, descriptors, fetch, free_ports, resident, running, until

CYCLES = 1000
BACKENDS = 16
AT_ONCE = 6
CLIENTS = 2
SEED = 20


def configuration(service: int, ports: list[int]) -> str:
    """One service, two checkers, many servers."""
    settings = "\n    ".join(
        ["delay_loop 0.1", "connect_timeout 0.5", "retry 1", "delay_before_retry 0.02", "warmup 0.1"]
    )
    servers = "\n".join(f"real_server 127.0.0.1 {port} {{\n weight 1\n checkers web port\n}}" for port in ports)
    return f"""
global_defs {{
    dataplane userspace
}}
RT_HTTP_GET web {{
    {settings}
    url {{
        path /
    }}
}}
TH_TCP_CHECK port {{
    {settings}
}}
virtual_server 127.0.0.1 {service} {{
    lb_algo rr
    protocol TCP
    {servers}
}}
"""


class Load:
    """Clients that ask without a pause until told to stop; what they got is counted."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self.answers: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every client finish its last request."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.002):
            try:
                fetch(self._port)
                self.answers["good"] += 1
            except OSError as error:
                self.answers[type(error).__name__] += 1


class Killer(threading.Thread):
    """Kills and restarts random backends, each time waiting for the pool to follow, until the cycles are used up."""

    def __init__(self, daemon: Daemon, standing: list[Backend], cycles: Iterator[int], rng: random.Random) -> None:
        super().__init__()
        self._daemon = daemon
        self._standing = standing
        self._cycles = cycles
        self._rng = rng
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            for _ in self._cycles:
                self._cycle(self._standing.pop(self._rng.randrange(len(self._standing))))
        except BaseException as error:  # told by the test in its own thread
            self.error = error

    def _cycle(self, backend: Backend) -> None:
        backend.kill()
        until(lambda: backend.port not in self._daemon.pool(), limit=20)
        backend.start()
        until(lambda: backend.port in self._daemon.pool(), limit=20)
        self._standing.append(backend)


def strays(daemon: Daemon) -> list[dict[str, object]]:
    """Servers whose place in the pool is not what their verdict says; none but for the moment of a change."""
    return [row for row in daemon.status()["servers"] if row["in_pool"] != (row["verdict"] == "OK")]


def test_a_thousand_kills_and_restarts_leak_nothing_and_the_pool_follows_every_verdict(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    service, *ports = free_ports(1 + BACKENDS)
    with backends(ports) as servers, running(tmp_path, configuration(service, ports)) as daemon:
        assert daemon.process is not None
        pid = daemon.process.pid
        until(lambda: daemon.pool() == set(ports))
        load = Load(service)
        try:
            until(lambda: load.answers["good"] > 200)
            before = descriptors(pid), resident(pid), daemon.ask(ask="internals")["greenlets"]
            standing, cycles = list(servers.values()), iter(range(CYCLES))
            killers = [Killer(daemon, standing, cycles, rng) for _ in range(AT_ONCE)]
            for killer in killers:
                killer.start()
            while any(killer.is_alive() for killer in killers):
                until(lambda: not strays(daemon), limit=2)
                killers[0].join(0.1)
        finally:
            load.stop()
        assert [killer.error for killer in killers if killer.error] == []
        assert next(cycles, None) is None
        until(lambda: daemon.pool() == set(ports))
        until(lambda: descriptors(pid) <= before[0] + 2)
        assert resident(pid) <= before[1] * 1.25, "memory leaks"
        assert daemon.ask(ask="internals")["greenlets"] <= before[2] + 16, "greenlets leak"
        assert [row for row in daemon.status()["checkers"] if row["crashes"]] == []
        lost = load.answers.total() - load.answers["good"]
        assert lost <= CYCLES * CLIENTS / 2, f"more than the requests in flight were lost: {load.answers}"
        assert "appears to be blocked" not in daemon.logged(), "something held the event loop"
        assert daemon.stop() == 0
