"""TCP through the userspace plane, on real sockets."""

import contextlib
import hashlib
import resource
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import gevent
import gevent.event
import pytest
from structlog.testing import capture_logs

from actors.core.table import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Destination,
    EditDestination,
    EditService,
    Service,
    ServiceKey,
)
from actors.planes import PlaneError
from actors.planes.userspace.pool import LivePool
from actors.planes.userspace.relay import CHUNK, RESERVE
from actors.planes.userspace.tcp import TcpService
from tests.planes.contract import key_of
from tests.planes.loopback import LIMIT, Stage, connect, descriptors, fate, heard, refusing, say, until

MIB = 1 << 20


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    with gevent.Timeout(2 * LIMIT):
        yield stage
    stage.close()


def echo(connection: Any) -> None:
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def wait(connection: Any) -> None:
    """Say hello, then nothing until the client ends."""
    connection.sendall(b"hello")
    heard(connection)


@pytest.mark.parametrize(("family", "address"), [(4, "127.0.0.1"), (6, "::1")])
def test_clients_are_spread_over_the_servers(stage: Stage, family: int, address: str) -> None:
    key = stage.service(*(stage.server(name, address=address) for name in "abc"), family=family)
    assert Counter(say(key) for _ in range(9)) == {b"a": 3, b"b": 3, b"c": 3}


def test_an_ipv6_client_is_served_by_an_ipv4_server(stage: Stage) -> None:
    assert say(stage.service(stage.server(), family=6)) == b"a"


def test_a_client_does_not_notice_servers_that_refuse(stage: Stage) -> None:
    key = stage.service(refusing(), refusing(), stage.server(), refusing())
    assert [say(key) for _ in range(4)] == [b"a"] * 4
    until(lambda: stage.open_connections(key) == 0)


@pytest.mark.parametrize("scheduler", ["sh", "mh"])
def test_hashing_passes_a_server_that_refuses(stage: Stage, scheduler: str) -> None:
    key = stage.service(*(refusing() for _ in range(8)), stage.server(), scheduler=scheduler)
    assert say(key) == b"a"


def test_a_client_is_reset_when_every_server_refuses(stage: Stage) -> None:
    key = stage.service(*(refusing() for _ in range(3)))
    assert fate(connect(key)) == "reset"
    assert stage.open_connections(key) == 0


@pytest.mark.parametrize("servers", [(), (Destination("127.0.0.1", 9, 0),)], ids=["no server", "all drained"])
def test_a_client_is_reset_when_there_is_nobody_to_serve_it(stage: Stage, servers: tuple[Destination, ...]) -> None:
    assert fate(connect(stage.service(*servers))) == "reset"


def test_a_thousand_servers_that_cannot_be_reached_are_tried_without_a_crash(stage: Stage) -> None:
    unreachable = (Destination("255.255.255.255", 1 + turn) for turn in range(1500))
    assert fate(connect(stage.service(*unreachable))) == "reset"


def test_a_server_that_does_not_answer_is_given_up_at_the_limit(stage: Stage) -> None:
    mute, good = stage.mute(), stage.server()
    key = key_of()
    pool = LivePool(Service(key, "rr"), lambda: 0.0)
    service = TcpService(pool, connect_limit=0.02)
    pool.put(mute)
    pool.put(good)
    assert say(key) == b"a"
    until(lambda: pool.open == {mute.key: 0, good.key: 0})
    service.close()


def test_a_client_of_a_server_that_is_removed_while_it_does_not_answer_goes_to_another(stage: Stage) -> None:
    mute, good = stage.mute(), stage.server()
    key = stage.service(mute, good)
    client = gevent.spawn(say, key)
    until(lambda: stage.plane.connections(key)[mute.key] == 1)
    stage.apply(DeleteDestination(key, mute))
    assert client.get() == b"a"
    until(lambda: stage.plane.connections(key) == {good.key: 0})


def test_a_service_that_is_removed_resets_all_its_clients(stage: Stage) -> None:
    key = stage.service(stage.server(talk=wait), stage.mute())
    served, waiting = connect(key), connect(key)
    assert served.recv(5) == b"hello"
    until(lambda: stage.open_connections(key) == 2)
    stage.apply(DeleteService(key))
    assert [fate(served), fate(waiting)] == ["reset", "reset"]
    with pytest.raises(ConnectionRefusedError):
        connect(key)


def test_a_drained_server_keeps_its_clients_and_gets_no_more(stage: Stage) -> None:
    old, new = stage.server(talk=echo), stage.server("new")
    key = stage.service(old)
    client = connect(key)
    client.sendall(b"before ")
    assert client.recv(7) == b"before "
    stage.apply(EditDestination(key, Destination(*old.key, 0)), AddDestination(key, new))
    assert say(key) == b"new"
    client.sendall(b"after")
    client.shutdown(socket.SHUT_WR)
    assert heard(client) == b"after"
    until(lambda: stage.plane.connections(key) == {old.key: 0, new.key: 0})


def test_a_removed_servers_connections_are_reset_at_both_ends(stage: Stage) -> None:
    ends: list[str] = []

    def talk(connection: Any) -> None:
        connection.sendall(b"hello")
        ends.append(fate(connection))

    server = stage.server(talk=talk)
    key = stage.service(server)
    client = connect(key)
    assert client.recv(5) == b"hello"
    stage.apply(DeleteDestination(key, server))
    assert fate(client) == "reset"
    until(lambda: ends == ["reset"])
    assert stage.plane.connections(key) == {}


def test_a_client_may_end_first_and_still_hear_the_answer(stage: Stage) -> None:
    key = stage.service(stage.server(talk=lambda connection: connection.sendall(heard(connection)[::-1])))
    assert say(key, b"drawer") == b"reward"


def test_a_server_may_end_first_and_still_be_told(stage: Stage) -> None:
    told: list[bytes] = []

    def end_first(connection: Any) -> None:
        connection.sendall(b"go on")
        connection.shutdown(socket.SHUT_WR)
        told.append(heard(connection))

    client = connect(stage.service(stage.server(talk=end_first)))
    assert heard(client) == b"go on"
    client.sendall(b"and so on")
    client.close()
    until(lambda: told == [b"and so on"])


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_is_passed_on(stage: Stage, who: str) -> None:
    ends: list[str] = []

    def talk(connection: Any) -> None:
        connection.sendall(b"hello")
        if who == "server":
            break_off(connection)
        else:
            ends.append(fate(connection))

    client = connect(stage.service(stage.server(talk=talk)))
    assert client.recv(5) == b"hello"
    if who == "server":
        assert fate(client) == "reset"
    else:
        break_off(client)
        until(lambda: ends == ["reset"])


def break_off(connection: Any) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def test_eight_mebibytes_both_ways_at_once_arrive_as_they_were(stage: Stage) -> None:
    data = b"".join(hashlib.sha256(bytes([turn])).digest() for turn in range(256)) * 1024
    with connect(stage.service(stage.server(talk=echo))) as client:
        sender = gevent.spawn(lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
        received = heard(client)
        sender.get()
    assert hashlib.sha256(received).digest() == hashlib.sha256(data).digest()


def test_nothing_is_lost_when_both_ends_talk_and_neither_listens_for_a_while(stage: Stage) -> None:
    data = b"".join(turn.to_bytes(4) for turn in range(4 * MIB))
    listen, got = gevent.event.Event(), []

    def talk(connection: Any) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        talker = gevent.spawn(lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
        listen.wait()
        got.append(heard(connection))
        talker.get()

    key = stage.service(stage.server(talk=talk))
    with connect(key) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        talker = gevent.spawn(lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
        service: Any = stage.plane._services[key]
        until(lambda: any(relay._client.backlog and relay._server.backlog for relay in service._relays))
        listen.set()
        until(lambda: bool(got))
        got.append(heard(client))
        talker.get()
    assert [one == data for one in got] == [True, True]


def test_a_client_that_does_not_read_holds_up_its_server_and_nobody_else(stage: Stage) -> None:
    sent: list[int] = []

    def pour(connection: Any) -> None:
        if connection.recv(1) == b"?":
            connection.sendall(b"answer")
            return
        for _ in range(64):
            connection.sendall(bytes(MIB))
            sent.append(MIB)

    key = stage.service(stage.server(talk=pour))
    with connect(key) as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        stalled.sendall(b"!")
        service: Any = stage.plane._services[key]
        until(lambda: any(relay._client.backlog for relay in service._relays))
        (relay,) = service._relays
        assert [say(key)[:6] for _ in range(5)] == [b"answer"] * 5
        assert 0 < len(relay._client.backlog) <= CHUNK
        assert sum(sent) < 32 * MIB
        assert len(heard(stalled)) == 64 * MIB


def test_nothing_is_left_of_connections_whatever_their_fate(stage: Stage) -> None:
    good, closing, mute = stage.server(), stage.server(talk=break_off), stage.mute()
    key = stage.service(good, closing, refusing(), mute)
    gevent.idle()
    before = descriptors()
    clients = [connect(key) for _ in range(60)]
    for client in clients[0::3]:
        client.close()
    for client in clients[1::3]:
        break_off(client)
    stage.apply(DeleteDestination(key, mute))
    for client in clients[2::3]:
        with contextlib.suppress(OSError):  # some are reset by now
            client.shutdown(socket.SHUT_WR)
        fate(client)
        client.close()
    until(lambda: stage.open_connections(key) == 0)
    until(lambda: descriptors() <= before)


def test_accepting_pauses_when_descriptors_run_out_and_goes_on_when_there_are_some(stage: Stage) -> None:
    key = stage.service(stage.server(talk=wait))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with capture_logs() as logs:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() + RESERVE + 12, hard))
        try:
            clients = [connect(key) for _ in range(20)]
            ends = [fate(client) for client in clients]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert {"hello", "reset"} == set(ends)
    assert [log["event"] for log in logs] == ["accepting pauses"]
    for client in clients:
        client.close()
    until(lambda: stage.open_connections(key) == 0)
    assert fate(connect(key)) == "hello"


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_an_address_in_use_is_refused_with_the_reason(stage: Stage, protocol: str) -> None:
    key = stage.service(protocol=protocol)
    other = Stage()
    with pytest.raises(PlaneError, match=rf"^adding service 127.0.0.1:{key.port}:{protocol}: Address already in use$"):
        other.apply(AddService(Service(key)))
    assert other.plane.services() == ()


def test_an_address_can_be_listened_on_again_at_once(stage: Stage) -> None:
    server = stage.server()
    key = stage.service(server)
    assert say(key) == b"a"
    stage.apply(DeleteService(key), AddService(Service(key)), AddDestination(key, server))
    assert say(key) == b"a"


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        (Service(ServiceKey(4, "127.0.0.1", 80, "sctp")), "the userspace plane carries TCP and UDP only"),
        (Service(ServiceKey(4, "127.0.0.1", 0, "tcp")), "the userspace plane needs a port to listen on"),
        (Service(ServiceKey(4, "127.0.0.1", 65536, "tcp")), "this is no address with a port"),
        (Service(ServiceKey(4, "localhost", 80, "tcp")), "this is no address with a port"),
        (Service(ServiceKey(4, "127.0.0.1", 8, "tcp"), "best"), "the userspace plane has no scheduler 'best'"),
        (Service(ServiceKey(4, "192.0.2.1", 8, "tcp")), "Cannot assign requested address"),
    ],
)
def test_what_a_proxy_cannot_do_is_refused_in_words(stage: Stage, service: Service, reason: str) -> None:
    with pytest.raises(PlaneError, match=f": {reason}$"):
        stage.apply(AddService(service))
    assert stage.plane.services() == ()


@pytest.mark.parametrize("server", [Destination("web", 80), Destination("127.0.0.1", 0), Destination("::1", 70000)])
def test_a_server_without_an_address_or_port_is_refused(stage: Stage, server: Destination) -> None:
    key = stage.service()
    with pytest.raises(PlaneError, match="this is no address with a port$"):
        stage.apply(AddDestination(key, server))


def test_a_service_whose_scheduler_changes_keeps_its_connections(stage: Stage) -> None:
    server = stage.server(talk=echo)
    key = stage.service(server)
    client = connect(key)
    until(lambda: stage.open_connections(key) == 1)
    stage.apply(EditService(Service(key, "mh")))
    client.sendall(b"still here")
    assert client.recv(10) == b"still here"
    assert stage.plane.connections(key) == {server.key: 1}
