"""UDP through the userspace plane, on real sockets; time is the test's own."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent import socket as gsocket
from gevent.server import DatagramServer

from actors.core.table import (
    AddDestination,
    DeleteDestination,
    Destination,
    EditDestination,
    EditService,
    Service,
    ServiceKey,
)
from actors.planes.userspace import udp
from actors.planes.userspace.pool import LivePool
from actors.planes.userspace.udp import IDLE, UdpService
from tests.planes.contract import LOOPBACK, key_of
from tests.planes.loopback import LIMIT, Stage, descriptors, refusing


class Namer(DatagramServer):
    """Answers each datagram with its name and what was said."""

    def __init__(self, name: str, address: str = "127.0.0.1") -> None:
        super().__init__((address, 0))
        self.name = name.encode()
        self.start()
        self.destination = Destination(address, self.server_port)

    def handle(self, data: bytes, address: Any) -> None:
        self.socket.sendto(self.name + b":" + data, address)


class Client:
    """One client address, which waits for each answer."""

    def __init__(self, key: ServiceKey) -> None:
        self.sock = gsocket.socket(gsocket.AF_INET6 if key.family == 6 else gsocket.AF_INET, gsocket.SOCK_DGRAM)
        self.sock.settimeout(LIMIT)
        self.sock.connect((key.address, key.port))

    def ask(self, words: bytes = b"?") -> bytes:
        self.sock.send(words)
        return bytes(self.sock.recv(65535))


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    with gevent.Timeout(2 * LIMIT):
        yield stage
    stage.close()


@pytest.fixture
def servers() -> Iterator[list[Namer]]:
    servers = [Namer("a"), Namer("b")]
    yield servers
    for server in servers:
        server.close()


class Alone:
    """A service by itself, with a clock of its own."""

    def __init__(self, *servers: Namer, **attributes: Any) -> None:
        self.time = 0.0
        self.key = key_of(protocol="udp")
        self.pool = LivePool(Service(self.key, **{"scheduler": "rr", **attributes}), lambda: self.time)
        for server in servers:
            self.pool.put(server.destination)
        self.service = UdpService(self.pool, lambda: self.time)


@pytest.mark.parametrize("family", [4, 6])
def test_a_client_and_its_server_talk_both_ways_and_stay_together(stage: Stage, family: int) -> None:
    servers = [Namer(name, LOOPBACK[family]) for name in "ab"]
    key = stage.service(*(server.destination for server in servers), family=family, protocol="udp")
    first, second = Client(key), Client(key)
    said = [client.ask(words) for words in (b"1", b"2", b"3") for client in (first, second)]
    assert said == [b"a:1", b"b:1", b"a:2", b"b:2", b"a:3", b"b:3"]
    assert stage.plane.connections(key) == {server.destination.key: 1 for server in servers}
    for server in servers:
        server.close()


def test_datagrams_of_any_size_keep_their_bounds(stage: Stage, servers: list[Namer]) -> None:
    key = stage.service(servers[0].destination, protocol="udp")
    client = Client(key)
    assert [len(client.ask(bytes(size))) - 2 for size in (0, 1, 1472, 8000)] == [0, 1, 1472, 8000]


def test_each_datagram_is_scheduled_by_itself_with_ops(stage: Stage, servers: list[Namer]) -> None:
    key = stage.service(*(server.destination for server in servers), protocol="udp", flags=("ops",))
    client = Client(key)
    assert Counter(client.ask() for _ in range(6)) == {b"a:?": 3, b"b:?": 3}


def test_ops_can_be_set_later(stage: Stage, servers: list[Namer]) -> None:
    key = stage.service(*(server.destination for server in servers), protocol="udp")
    client = Client(key)
    assert {client.ask() for _ in range(4)} == {b"a:?"}
    stage.apply(EditService(Service(key, "rr", ("ops",))))
    assert {client.ask() for _ in range(4)} == {b"a:?", b"b:?"}


def test_a_drained_server_keeps_its_flows_and_gets_no_more(stage: Stage, servers: list[Namer]) -> None:
    old, new = (server.destination for server in servers)
    key = stage.service(old, protocol="udp")
    client = Client(key)
    client.ask()
    stage.apply(EditDestination(key, Destination(*old.key, 0)), AddDestination(key, new))
    assert (client.ask(), Client(key).ask()) == (b"a:?", b"b:?")


def test_flows_of_a_removed_server_move_with_their_next_datagram(stage: Stage, servers: list[Namer]) -> None:
    old, new = (server.destination for server in servers)
    key = stage.service(old, protocol="udp")
    client = Client(key)
    client.ask()
    stage.apply(AddDestination(key, new), DeleteDestination(key, old))
    assert client.ask() == b"b:?"
    assert stage.plane.connections(key) == {new.key: 1}


def test_a_datagram_is_dropped_when_nobody_can_serve_it(stage: Stage, servers: list[Namer]) -> None:
    key = stage.service(protocol="udp")
    client = Client(key)
    client.sock.send(b"lost")
    stage.apply(AddDestination(key, servers[0].destination))
    gevent.idle()
    assert client.ask(b"found") in (b"a:found", b"a:lost")


def test_a_server_that_comes_back_gets_the_first_datagram_after_it_refused_one() -> None:
    """The refusal is told on the socket just when the next datagram is sent: the loop has not turned in between."""
    alone = Alone()
    absent = refusing()
    alone.pool.put(absent)
    client = Client(alone.key)
    client.sock.send(b"nobody hears")
    alone.service._read()
    with gsocket.socket(type=gsocket.SOCK_DGRAM) as back:
        back.bind(absent.key)
        back.settimeout(LIMIT)
        client.sock.send(b"heard")
        alone.service._read()
        assert back.recv(100) == b"heard"
    alone.service.close()


def test_a_silent_flow_is_forgotten_after_the_limit(servers: list[Namer]) -> None:
    alone = Alone(*servers)
    quiet, lively = Client(alone.key), Client(alone.key)
    assert (quiet.ask(), lively.ask()) == (b"a:?", b"b:?")
    alone.time = IDLE - 1
    alone.service.sweep()
    assert sum(alone.pool.open.values()) == 2
    assert lively.ask() == b"b:?"
    alone.time = IDLE
    alone.service.sweep()
    assert alone.pool.open == {servers[0].destination.key: 0, servers[1].destination.key: 1}
    alone.service.close()


def test_the_flow_that_was_silent_longest_gives_way_beyond_the_bound(
    servers: list[Namer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udp, "FLOWS", 3)
    alone = Alone(servers[0])
    clients = [Client(alone.key) for _ in range(4)]
    for client in (*clients[:3], clients[0], clients[3]):
        assert client.ask() == b"a:?"
    assert [flow[1] for flow in alone.service._flows] == [clients[turn].sock.getsockname()[1] for turn in (2, 0, 3)]
    assert alone.pool.open == {servers[0].destination.key: 3}
    alone.service.close()


def test_a_client_sticks_to_its_server_while_persistence_lasts(servers: list[Namer]) -> None:
    alone = Alone(*servers, persistence_timeout=60)
    assert [Client(alone.key).ask() for _ in range(4)] == [b"a:?"] * 4
    alone.time = 61
    assert Client(alone.key).ask() == b"b:?"
    alone.service.close()


def test_nothing_is_left_of_flows(servers: list[Namer]) -> None:
    before = descriptors()
    alone = Alone(*servers)
    clients = [Client(alone.key) for _ in range(50)]
    for client in clients:
        client.ask()
        client.sock.close()
    alone.service.close()
    assert sum(alone.pool.open.values()) == 0
    assert descriptors() == before
