"""The whole program on a real kernel: the table follows the verdicts, is healed, and real connections follow it."""

import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.core.table import ServiceKey
from actors.planes.ipvs import IpvsPlane
from tests.kernel.inside.judge import counted, ipvsadm, saved
from tests.kernel.inside.street import ADDRESSES, VIP, Call, Server, answered, street
from tests.system.lab import Daemon, until

ONE, TWO, THREE = ADDRESSES
PLAIN, STICKY = 80, 81
KILLS = 50 if "UNDERSTUDY_SLOW" in os.environ else 3
LIMIT = 40.0
"""Seconds that the program may take: it runs some ten times slower than on a machine of its own."""

CONF = """
global_defs {
    router_id guest
}

RT_TCP_CHECK port {
    delay_loop 0.5
    connect_timeout 5
}

virtual_server 10.1.0.100 80 {
    lb_algo wrr
    lb_kind NAT
    protocol TCP
    real_server 10.2.0.11 8080 {
        weight 2
        checkers port
    }
    real_server 10.2.0.12 8080 {
        checkers port
    }
    real_server 10.2.0.13 8080 {
        checkers port
        inhibit_on_failure
    }
}

virtual_server 10.1.0.100 81 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    persistence_timeout 300
    real_server 10.2.0.11 8080 {
        checkers port
    }
    real_server 10.2.0.12 8080 {
        checkers port
    }
    sorry_server 10.2.0.13 8080
}
"""
WHOLE = [
    "-A -t 10.1.0.100:80 -s wrr",
    "-A -t 10.1.0.100:81 -s rr -p 300",
    "-a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m -w 2",
    "-a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m -w 1",
    "-a -t 10.1.0.100:80 -r 10.2.0.13:8080 -m -w 1",
    "-a -t 10.1.0.100:81 -r 10.2.0.11:8080 -m -w 1",
    "-a -t 10.1.0.100:81 -r 10.2.0.12:8080 -m -w 1",
]


class Slow(Daemon):
    """The program, given the time that it needs here."""

    limit = LIMIT


class Scene:
    """The servers, and the program that follows them."""

    def __init__(self, servers: dict[str, Server], daemon: Daemon) -> None:
        self.servers = servers
        self.daemon = daemon

    def becomes(self, table: list[str]) -> None:
        """Wait for a table."""
        until(lambda: saved() == table, LIMIT, 0.2)

    def weight(self, server: str, port: int = PLAIN) -> int | None:
        """What a server weighs, None when it is not in the pool."""
        rows = [row.split() for row in saved() if row.startswith(f"-a -t {VIP}:{port} -r {server}:")]
        return int(rows[0][-1]) if rows else None

    def kill(self) -> None:
        """SIGKILL to the program and whoever it has started."""
        process = self.daemon.process
        assert process is not None
        pids = [process.pid]
        for pid in pids:
            pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module", autouse=True)
def fresh() -> None:
    """All tests here are in one namespace, with one program."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with street() as servers:
        daemon = Slow(tmp_path_factory.mktemp("daemon"), CONF, "--single-process")
        try:
            yield Scene(servers, daemon)
        finally:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.process.kill()
                daemon.process.wait()


@pytest.fixture
def scene(stage: Scene) -> Scene:
    """The program runs, everybody is up, and the table says so."""
    if stage.daemon.process is None or stage.daemon.process.poll() is not None:
        stage.daemon.start()
    stage.becomes(WHOLE)
    return stage


@pytest.fixture
def call() -> Iterator[Callable[[int], Call]]:
    """Makes calls that are hung up at the end."""
    made: list[Call] = []

    def make(port: int) -> Call:
        made.append(Call(port))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_the_table_is_what_the_configuration_and_the_verdicts_say(scene: Scene) -> None:
    assert saved() == WHOLE
    rows = [row for row in scene.daemon.status()["servers"] if row["in_pool"]]
    assert len(rows) == 5


def test_connections_are_shared_by_weight(scene: Scene) -> None:
    assert answered(PLAIN, 12) == {ONE: 6, TWO: 3, THREE: 3}


def test_a_client_stays_with_its_server(scene: Scene) -> None:
    assert list(answered(STICKY, 6).values()) == [6]


def test_what_a_server_has_carried_is_counted_as_ipvsadm_counts_it(scene: Scene) -> None:
    answered(PLAIN, 4)
    plane = IpvsPlane()
    plane.open()

    def told() -> dict[str, tuple[int, ...]]:
        """The kernel sums up every two seconds, so that two looks may differ."""
        loads = plane.loads(ServiceKey(4, VIP, PLAIN, "tcp"))
        return {
            f"{address}:{port}": (load.connections, load.packets_in, load.packets_out, load.bytes_in, load.bytes_out)
            for (address, port), load in loads.servers.items()
        }

    until(lambda: all(numbers[0] for numbers in told().values()) and told() == counted(f"{VIP}:{PLAIN}"), LIMIT, 0.2)
    plane.close()


def test_a_server_that_fails_leaves_the_pool_and_comes_back(scene: Scene) -> None:
    scene.servers[ONE].drop()
    until(lambda: scene.weight(ONE) is None, LIMIT, 0.2)
    assert answered(PLAIN, 4) == {TWO: 2, THREE: 2}
    scene.servers[ONE].open()
    scene.becomes(WHOLE)


def test_an_inhibited_server_drains_and_its_connections_stay(scene: Scene, call: Callable[[int], Call]) -> None:
    calls = [call(PLAIN) for _ in range(4)]
    (standing,) = [each for each in calls if each.server == THREE]
    scene.servers[THREE].drop()
    until(lambda: scene.weight(THREE) == 0, LIMIT, 0.2)
    assert answered(PLAIN, 3) == {ONE: 2, TWO: 1}
    assert standing.echoes()
    scene.servers[THREE].open()
    scene.becomes(WHOLE)


def test_the_sorry_server_serves_alone_when_nobody_is_left(scene: Scene) -> None:
    for server in (ONE, TWO):
        scene.servers[server].drop()
    sorry = "-a -t 10.1.0.100:81 -r 10.2.0.13:8080 -m -w 1"
    until(lambda: [row for row in saved() if ":81 -r" in row] == [sorry], LIMIT, 0.2)
    assert answered(STICKY, 2) == {THREE: 2}
    for server in (ONE, TWO):
        scene.servers[server].open()
    scene.becomes(WHOLE)


def said(scene: Scene, event: str) -> list[dict[str, Any]]:
    """What the log says of an event."""
    lines = [json.loads(line) for line in scene.daemon.logged().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("event") == event]


DRIFTS = {
    "the table is cleared": [["-C"]],
    "servers and a service are changed": [
        ["-d", "-t", "10.1.0.100:80", "-r", "10.2.0.12:8080"],
        ["-e", "-t", "10.1.0.100:80", "-r", "10.2.0.11:8080", "-m", "-w", "9"],
        ["-a", "-t", "10.1.0.100:81", "-r", "10.2.0.99:8080", "-m", "-w", "9"],
        ["-E", "-t", "10.1.0.100:80", "-s", "sh"],
    ],
}


@pytest.mark.parametrize("what", DRIFTS)
def test_a_change_by_hand_is_healed_within_seconds_and_told(scene: Scene, what: str) -> None:
    told = len(said(scene, "drift"))
    for words in DRIFTS[what]:
        ipvsadm(*words)
    assert saved() != WHOLE
    scene.becomes(WHOLE)
    until(lambda: len(said(scene, "drift")) > told, LIMIT)


def test_a_service_that_is_not_ours_is_left_through_reload_and_end(scene: Scene) -> None:
    ipvsadm("-A", "-f", "99", "-s", "rr")
    ipvsadm("-a", "-f", "99", "-r", "10.2.0.77:80", "-g", "-w", "7")
    foreign = ["-A -f 99 -s rr", "-a -f 99 -r 10.2.0.77:80 -g -w 7"]
    scene.daemon.conf.write_text(CONF.replace("weight 2", "weight 5"))
    scene.daemon.reload()
    until(lambda: scene.weight(ONE) == 5, LIMIT, 0.2)
    assert [row for row in saved() if " -f " in row] == foreign
    scene.daemon.conf.write_text(CONF)
    assert scene.daemon.stop() == 0
    assert saved() == foreign
    ipvsadm("-C")


@pytest.mark.timeout(3600)
def test_killed_at_any_point_and_started_again_the_table_is_right_and_connections_live(
    scene: Scene, call: Callable[[int], Call]
) -> None:
    standing = [call(PLAIN) for _ in range(4)]
    chance = random.Random(7)
    for _ in range(KILLS):
        until(lambda: chance.random() < 0.3, LIMIT, 0.2)
        scene.kill()
        assert all(each.echoes() for each in standing)
        scene.servers[TWO].drop()
        scene.daemon.start()
        until(lambda: scene.weight(TWO) is None, LIMIT, 0.2)
        scene.servers[TWO].open()
        scene.becomes(WHOLE)
        assert all(each.echoes() for each in standing if each.server != TWO)
    print(f"MEASURED kills {KILLS}")
