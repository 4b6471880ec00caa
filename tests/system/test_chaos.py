"""A thousand deaths: random backends are killed and restarted under constant load."""

import random
import threading
from collections import Counter
from pathlib import Path

from tests.system.lab import Backend, Daemon, backends, descriptors, fetch, free_ports, resident, running, until

CYCLES = 1000
BACKENDS = 16
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

    def __init__(self, port: int, clients: int = 2) -> None:
        self._port = port
        self._over = threading.Event()
        self.answers: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
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


def cycle(daemon: Daemon, backend: Backend, count: list[int], rng: random.Random) -> None:
    """Kill and restart one backend, each time waiting for the pool to follow, until all cycles are done."""
    while count[0] < CYCLES:
        count[0] += 1
        backend.kill()
        until(lambda: backend.port not in daemon.pool(), limit=20)
        backend.start()
        until(lambda: backend.port in daemon.pool(), limit=20)
        threading.Event().wait(rng.random() * 0.05)


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
        count = [0]
        victims = [threading.Thread(target=cycle, args=(daemon, each, count, rng)) for each in servers.values()]
        try:
            until(lambda: load.answers["good"] > 200)
            before = descriptors(pid), resident(pid)
            greenlets = daemon.ask(ask="internals")["greenlets"]
            for victim in victims:
                victim.start()
            while any(victim.is_alive() for victim in victims):
                until(lambda: not strays(daemon), limit=0.5)
                victims[0].join(0.1)
        finally:
            count[0] = CYCLES
            for victim in victims:
                victim.join()
            load.stop()
        until(lambda: daemon.pool() == set(ports))
        after = descriptors(pid), resident(pid)
        state = daemon.status()
        assert after[0] <= before[0] + 4, "descriptors leak"
        assert after[1] <= before[1] * 1.25, "memory leaks"
        assert daemon.ask(ask="internals")["greenlets"] <= greenlets + 16, "greenlets leak"
        assert [row["crashes"] for row in state["checkers"] if row["crashes"]] == []
        assert load.answers["good"] > 0.9 * load.answers.total(), load.answers
        assert daemon.stop() == 0
