"""The TCP relay on real sockets: who is served by whom, how connections end, and that nothing is left behind."""

import errno
import gc
import hashlib
import os
import re
import resource
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gevent
import pytest
from gevent import socket as green
from gevent.queue import Queue

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
from actors.planes.userspace import UserspacePlane, relay, tcp
from actors.planes.userspace.sockets import READ, WRITE, break_off
from tests.planes.userspace_lab import (
    Address,
    Front,
    Server,
    bounded,
    descriptors,
    echoing,
    free_port,
    holding,
    naming,
    read,
    until,
)

REFUSING: Address = ("127.0.0.1", 1)
MIB = 1 << 20


@pytest.fixture(autouse=True)
def _no_test_hangs() -> Iterator[None]:
    with bounded():
        yield


@pytest.fixture
def front() -> Iterator[Front]:
    with Front() as front:
        yield front


@pytest.fixture
def deaf() -> Iterator[Address]:
    """An address where a connection is neither made nor refused: its queue is full."""
    with green.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()
        for filler in fillers:
            filler.close()


def reset(sock: Any) -> None:
    """Break a connection off."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def is_reset(work: Callable[[], object]) -> bool:
    """Whether work met a reset."""
    try:
        work()
    except ConnectionResetError:
        return True
    return False


# Who is served by whom


def test_clients_are_shared_out_and_counted_until_they_end(front: Front) -> None:
    with naming(b"a") as a, naming(b"b") as b:
        front.add(a.address, b.address)
        assert Counter(front.fetch() for _ in range(10)) == {b"a": 5, b"b": 5}
        until(lambda: front.open() == {a.address: 0, b.address: 0})


def test_a_server_that_refuses_is_made_good_without_the_client_noticing(front: Front) -> None:
    with naming(b"a") as a:
        front.add(REFUSING, ("127.0.0.1", 2), a.address)
        assert [front.fetch() for _ in range(6)] == [b"a"] * 6
        until(lambda: set(front.open().values()) == {0})


def test_a_server_that_does_not_answer_is_made_good_in_time(
    front: Front, deaf: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "CONNECT_LIMIT", 0.05)
    with naming(b"a") as a:
        front.add(deaf, a.address)
        assert [front.fetch() for _ in range(2)] == [b"a"] * 2
        until(lambda: front.open() == {deaf: 0, a.address: 0})


@pytest.mark.parametrize("servers", [(), (REFUSING,), (REFUSING, ("127.0.0.1", 2)), (("255.255.255.255", 80),)])
def test_a_client_whom_nobody_serves_is_reset(front: Front, servers: tuple[Address, ...]) -> None:
    front.add(*servers)
    assert is_reset(front.fetch)
    assert front.open() == dict.fromkeys(servers, 0)


def test_hundreds_of_servers_that_fail_at_once_are_all_tried(front: Front) -> None:
    with naming(b"a") as a:
        front.add(*(("255.255.255.255", number) for number in range(1, 1500)), a.address)
        assert front.fetch() == b"a"


def test_a_draining_server_keeps_its_clients_and_gets_no_more(front: Front) -> None:
    with echoing() as a, naming(b"b") as b:
        front.add(a.address)
        with front.client() as old:
            until(lambda: a.met == 1)
            front.add(b.address)
            front.plane.apply(EditDestination(front.key, Destination(*a.address, weight=0)))
            assert {front.fetch() for _ in range(4)} == {b"b"}
            old.sendall(b"still here")
            assert old.recv(100) == b"still here"
            until(lambda: front.open() == {a.address: 1, b.address: 0})


def test_a_removed_server_takes_its_clients_with_it_and_its_count(front: Front) -> None:
    with holding() as a, holding() as b:
        front.add(a.address, b.address)
        clients = [front.client() for _ in range(4)]
        until(lambda: (a.met, b.met) == (2, 2))
        front.plane.apply(DeleteDestination(front.key, Destination(*a.address)))
        assert front.open() == {b.address: 2}
        assert [is_reset(partial(sock.recv, 1)) for sock in clients[::2]] == [True, True]
        front.plane.apply(AddDestination(front.key, Destination(*a.address)))
        assert front.open() == {a.address: 0, b.address: 2}


def test_a_client_on_its_way_to_a_removed_server_is_given_another_at_once(
    front: Front, deaf: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "CONNECT_LIMIT", 3600.0)
    with naming(b"a") as a:
        front.add(deaf)
        with front.client() as client:
            until(lambda: front.open() == {deaf: 1})
            front.add(a.address)
            front.plane.apply(DeleteDestination(front.key, Destination(*deaf)))
            assert read(client) == b"a"
        until(lambda: front.open() == {a.address: 0})


def test_counts_and_connections_outlive_a_change_of_scheduler(front: Front) -> None:
    with echoing() as a, echoing() as b:
        front.add(a.address, b.address)
        clients = [front.client() for _ in range(3)]
        until(lambda: front.open() == {a.address: 2, b.address: 1})
        front.plane.apply(EditService(Service(front.key, "wlc")))
        clients.append(front.client())
        until(lambda: front.open() == {a.address: 2, b.address: 2})
        for client in clients:
            client.sendall(b"x")
            assert client.recv(1) == b"x"


# How connections end


def test_either_side_may_end_first_and_still_be_answered(front: Front) -> None:
    def last(sock: Any) -> None:
        sock.sendall(b"hello")
        sock.shutdown(socket.SHUT_WR)
        heard.append(read(sock))
        sock.close()

    heard: list[bytes] = []
    with echoing() as a, Server(last) as b:
        front.add(a.address, b.address)
        with front.client() as first:
            first.sendall(b"question")
            first.shutdown(socket.SHUT_WR)
            assert read(first) == b"question"
        with front.client() as second:
            assert read(second) == b"hello"
            second.sendall(b"afterwards")
        until(lambda: heard == [b"afterwards"] and set(front.open().values()) == {0})


def test_a_reset_of_the_server_reaches_the_client(front: Front) -> None:
    with Server(reset) as a:
        front.add(a.address)
        assert is_reset(front.fetch)


def test_a_reset_of_the_client_reaches_the_server(front: Front) -> None:
    broken = []
    with Server(lambda sock: broken.append(is_reset(lambda: sock.recv(1)))) as a:
        front.add(a.address)
        client = front.client()
        until(lambda: a.met == 1)
        reset(client)
        until(lambda: broken == [True] and front.open() == {a.address: 0})


def test_a_client_that_resets_while_its_server_is_dialled_leaves_nothing(
    front: Front, deaf: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "CONNECT_LIMIT", 0.05)
    with holding() as a:
        front.add(deaf, a.address)
        client = front.client()
        until(lambda: front.open()[deaf] == 1)
        reset(client)
        until(lambda: set(front.open().values()) == {0})
        assert a.met == 0


def test_an_answer_to_a_request_nobody_read_arrives_before_the_reset() -> None:
    gone: list[relay.Relay] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client, server = (green.create_connection(listener.getsockname()) for _ in range(2))
        inner_client, inner_server = (listener.accept()[0] for _ in range(2))
    for inner in (inner_client, inner_server):
        inner.setblocking(False)
    joined = relay.Relay(gevent.get_hub().loop, inner_client, inner_server, gone.append)
    inner_server.send(b"x")
    client.sendall(b"too long")
    server.sendall(b"413")
    server.close()  # with a byte unread: the kernel resets
    joined._client._ready()  # the client's next bytes meet the reset before the answer was read
    assert gone == [joined]
    assert client.recv(100) == b"413"
    assert is_reset(lambda: client.recv(1))
    client.close()


def test_closing_the_plane_resets_clients_wherever_they_are(deaf: Address) -> None:
    with Front() as front, holding() as a:
        front.add(a.address, deaf)
        clients = [front.client() for _ in range(2)]
        until(lambda: a.met == 1 and front.open() == {a.address: 1, deaf: 1})
        front.close()
        assert [is_reset(partial(sock.recv, 1)) for sock in clients] == [True, True]
        with pytest.raises(ConnectionRefusedError):
            front.client()


# Bulk and back pressure


def test_bulk_arrives_intact_both_ways_at_once(front: Front) -> None:
    sent = os.urandom(8 * MIB)
    with echoing() as a:
        front.add(a.address)
        with front.client() as client:
            writer = gevent.spawn(lambda: (client.sendall(sent), client.shutdown(socket.SHUT_WR)))
            received = read(client)
            writer.join()
    assert hashlib.sha256(received).digest() == hashlib.sha256(sent).digest()


def test_a_slow_reader_holds_one_buffer_and_nobody_else(front: Front) -> None:
    def flood(sock: Any) -> None:
        while True:
            progress[0] += sock.send(bytes(MIB))

    progress = [0]
    with Server(flood) as a, naming(b"b") as b:
        front.add(a.address)
        with front.client() as slow:
            (joined,) = _relays(front)
            until(lambda: len(joined._client.backlog) > 0)
            front.add(b.address)
            front.plane.apply(EditDestination(front.key, Destination(*a.address, weight=0)))
            assert [front.fetch() for _ in range(20)] == [b"b"] * 20
            assert 0 < len(joined._client.backlog) <= relay.CHUNK
            assert not joined._server.backlog
            assert (joined._client._events, joined._server._events) == (READ | WRITE, 0)  # nothing spins
            stuck = progress[0]
            for _ in range(64):
                slow.recv(MIB)
            until(lambda: progress[0] > stuck)


def test_a_server_that_reads_nothing_is_still_heard(front: Front) -> None:
    def talk(sock: Any) -> None:
        for word in words:
            sock.sendall(word)

    words: Queue[bytes] = Queue()
    with Server(talk) as a:
        front.add(a.address)
        with front.client() as client:
            (joined,) = _relays(front)
            writer = gevent.spawn(client.sendall, bytes(64 * MIB))
            until(lambda: len(joined._server.backlog) > 0)
            for word in (b"one", b"two", b"three"):
                words.put(word)
                assert client.recv(100) == word
            writer.kill()


def test_bulk_does_not_starve_a_small_request(front: Front) -> None:
    def flood(sock: Any) -> None:
        while True:
            sock.sendall(bytes(MIB))

    def drain(sock: Any) -> None:
        while sock.recv(MIB):
            pass

    with Server(flood) as a, naming(b"b") as b:
        front.add(a.address)
        greedy = [front.client() for _ in range(3)]
        readers = [gevent.spawn(drain, sock) for sock in greedy]
        until(lambda: a.met == 3)
        front.add(b.address)
        front.plane.apply(EditDestination(front.key, Destination(*a.address, weight=0)))
        assert [front.fetch() for _ in range(50)] == [b"b"] * 50
        gevent.killall(readers)
        for sock in greedy:
            sock.close()


def _relays(front: Front) -> tuple[relay.Relay, ...]:
    """The service's relays, as soon as there is one."""
    listener = front.plane._services[front.key]
    assert isinstance(listener, tcp.TcpService)
    until(lambda: bool(listener._relays))
    return tuple(listener._relays)


# Nothing is left behind


def _fates() -> dict[str, Callable[[Front], object]]:
    def gone_at_once(front: Front) -> None:
        reset(front.client())

    def half_closed(front: Front) -> None:
        with front.client() as sock:
            sock.shutdown(socket.SHUT_WR)
            read(sock)

    return {"served": Front.fetch, "reset": gone_at_once, "half-closed": half_closed}


@pytest.mark.parametrize("fate", _fates())
@pytest.mark.parametrize("server", ["naming", "resetting", "refusing"])
def test_no_descriptor_is_left_after_many_connections(front: Front, fate: str, server: str) -> None:
    with naming(b"a") if server == "naming" else Server(reset) as a:
        front.add(REFUSING if server == "refusing" else a.address)
        gc.collect()
        before = descriptors()
        for _ in range(200):
            is_reset(lambda: _fates()[fate](front))
        a.held.clear()
        until(lambda: descriptors() == before and set(front.open().values()) == {0})


def test_no_descriptor_is_left_by_a_plane(deaf: Address) -> None:
    with holding() as a:
        gc.collect()
        before = descriptors()
        with Front() as front:
            front.add(a.address, deaf)
            clients = [front.client() for _ in range(6)]
            until(lambda: a.met == 3 and front.open() == {a.address: 3, deaf: 3})
            front.plane.apply(DeleteService(front.key))
        for sock in (*clients, *a.held):
            sock.close()
        a.held.clear()
        until(lambda: descriptors() == before)


def test_running_out_of_descriptors_is_a_pause_not_an_end(front: Front) -> None:
    with naming(b"a") as a:
        front.add(a.address)
        usual = resource.getrlimit(resource.RLIMIT_NOFILE)
        client = green.socket()
        spare = os.dup(0)
        os.close(spare)
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare, usual[1]))
        try:
            client.connect(front.address)
            listener = front.plane._services[front.key]
            assert isinstance(listener, tcp.TcpService)
            until(lambda: listener._pause is not None)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, usual)
        assert read(client) == b"a"
        client.close()


def test_without_a_descriptor_for_the_server_the_client_is_reset_and_no_server_is_blamed(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starved(destination: Destination, kind: int) -> None:
        tried.append(destination.key)
        raise OSError(errno.EMFILE, "too many open files")

    tried: list[Address] = []
    monkeypatch.setattr(tcp, "dial", starved)
    front.add(REFUSING, ("127.0.0.1", 2))
    assert is_reset(front.fetch)
    assert (len(tried), set(front.open().values())) == (1, {0})


def test_breaking_off_twice_is_breaking_off() -> None:
    ours, theirs = socket.socketpair()
    break_off(ours)
    break_off(ours)
    assert theirs.recv(1) == b""
    theirs.close()


# Addresses


def test_a_busy_address_is_refused_with_the_reason_and_nothing_changes() -> None:
    with holding() as a:
        gc.collect()
        before = descriptors()
        plane = UserspacePlane()
        key = ServiceKey(4, *a.address, "tcp")
        with pytest.raises(PlaneError, match=f"{a.address[1]}.*: Address already in use"):
            plane.apply(AddService(Service(key)))
        assert (plane.services(), plane.read(key), descriptors()) == ((), None, before)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_an_address_that_is_not_here_is_listened_on_for_when_it_comes(address: str) -> None:
    plane = UserspacePlane()
    key = ServiceKey(6 if ":" in address else 4, address, free_port(), "tcp")
    plane.apply(AddService(Service(key)))
    assert plane.services() == (key,)
    plane.close()


def test_an_address_of_an_interface_that_is_not_here_is_refused() -> None:
    plane = UserspacePlane()
    with pytest.raises(PlaneError, match=re.escape("fe80::1%nowhere")):
        plane.apply(AddService(Service(ServiceKey(6, "fe80::1%nowhere", free_port(), "tcp"))))
    assert plane.services() == ()


def test_a_port_can_be_listened_on_again_at_once() -> None:
    with Front() as front, naming(b"a") as a:
        front.add(a.address)
        for _ in range(3):
            assert front.fetch() == b"a"
            until(lambda: front.open() == {a.address: 0})
            front.plane.apply(DeleteService(front.key))
            front.plane.apply(AddService(front.service))
            front.add(a.address)


def test_any_address_of_one_family_leaves_the_other_to_others() -> None:
    with Front(host="::") as six:
        four = ServiceKey(4, "0.0.0.0", six.address[1], "tcp")
        six.plane.apply(AddService(Service(four)))
        assert six.plane.services() == (six.key, four)


def test_it_speaks_ipv6_on_either_side() -> None:
    with Front(host="::1") as front, echoing("::1") as six, echoing() as four:
        front.add(six.address, four.address)
        for _ in range(2):
            with front.client() as client:
                client.sendall(b"x")
                assert client.recv(1) == b"x"
        until(lambda: (six.met, four.met) == (1, 1))
