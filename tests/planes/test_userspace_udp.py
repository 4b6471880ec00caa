"""The UDP forwarder on real sockets: flows there and back, their bounds, and when they are forgotten."""

import gc
import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent import socket as green

from actors.core.table import AddService, DeleteDestination, DeleteService, Destination, EditService, Service
from actors.planes import PlaneError
from actors.planes.userspace import UserspacePlane, udp
from actors.planes.userspace.pool import LivePool
from tests.planes.userspace_lab import Address, Front, bounded, descriptors, until


@pytest.fixture(autouse=True)
def _no_test_hangs() -> Iterator[None]:
    with bounded():
        yield


class Namer:
    """A server that answers each datagram with its own name and the datagram; ``heard`` are those that came."""

    def __init__(self, name: bytes, host: str = "127.0.0.1", deaf: bool = False) -> None:
        self.name = name
        self.heard: list[bytes] = []
        self._sock = green.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind((host, 0))
        self.address: Address = self._sock.getsockname()[:2]
        self._task = gevent.spawn(self._serve, deaf)

    def _serve(self, deaf: bool) -> None:
        while True:
            data, client = self._sock.recvfrom(65535)
            self.heard.append(data)
            if not deaf:
                self._sock.sendto(self.name + data, client)

    def close(self) -> None:
        """Serve no more."""
        self._task.kill()
        self._sock.close()


@pytest.fixture
def name() -> Iterator[Callable[..., Namer]]:
    """Makes servers that are closed after the test."""
    namers: list[Namer] = []

    def make(*arguments: Any, **attributes: Any) -> Namer:
        namers.append(Namer(*arguments, **attributes))
        return namers[-1]

    yield make
    for namer in namers:
        namer.close()


@pytest.fixture
def front() -> Iterator[Front]:
    with Front("udp") as front:
        yield front


def caller(front: Front) -> Any:
    """A client's socket."""
    sock = green.socket(socket.AF_INET6 if front.key.family == 6 else socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(front.address)
    return sock


def ask(sock: Any, data: bytes = b"?") -> bytes:
    """One datagram there, one back."""
    sock.send(data)
    answer: bytes = sock.recv(65535)
    return answer


def flows(front: Front) -> dict[Address, int]:
    """Flows of each server that has any."""
    return {key: number for key, number in front.open().items() if number}


def test_a_client_keeps_its_server_and_the_next_one_gets_another(front: Front, name: Callable[..., Namer]) -> None:
    a, b = name(b"a"), name(b"b")
    front.add(a.address, b.address)
    with caller(front) as one, caller(front) as two:
        assert [ask(one), ask(two), ask(one), ask(two)] == [b"a?", b"b?", b"a?", b"b?"]
        assert front.open() == {a.address: 1, b.address: 1}


@pytest.mark.parametrize("size", [0, 1, 1472, 65000])
def test_datagrams_of_any_size_pass_whole(front: Front, name: Callable[..., Namer], size: int) -> None:
    front.add(name(b"").address)
    with caller(front) as one:
        assert ask(one, bytes(size)) == bytes(size)


def test_persistence_brings_a_client_back_to_its_server(name: Callable[..., Namer]) -> None:
    with Front("udp", persistence_timeout=60) as front:
        front.add(name(b"a").address, name(b"b").address)
        answers = set()
        for _ in range(4):
            with caller(front) as sock:
                answers.add(ask(sock))
        assert answers == {b"a?"}


def test_with_ops_each_datagram_is_scheduled_and_every_answer_arrives(name: Callable[..., Namer]) -> None:
    with Front("udp", flags=("ops",)) as front:
        a, b = name(b"a"), name(b"b")
        front.add(a.address, b.address)
        with caller(front) as sock:
            for number in range(6):
                sock.send(b"%d" % number)
            answers = {sock.recv(100) for _ in range(6)}
        assert answers == {b"a0", b"b1", b"a2", b"b3", b"a4", b"b5"}
        assert front.open() == {a.address: 1, b.address: 1}


def test_only_so_many_flows_are_kept_and_the_longest_silent_one_goes(
    front: Front, name: Callable[..., Namer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udp, "FLOWS", 2)
    a, b, c = name(b"a"), name(b"b"), name(b"c")
    front.add(a.address, b.address, c.address)
    with caller(front) as one, caller(front) as two, caller(front) as three:
        assert [ask(one), ask(two), ask(one), ask(three)] == [b"a?", b"b?", b"a?", b"c?"]
        assert flows(front) == {a.address: 1, c.address: 1}
        assert ask(one) == b"a?"


def test_a_silent_flow_is_forgotten_in_time(name: Callable[..., Namer]) -> None:
    now = [1.0]
    with Front("udp") as front:
        front.plane.apply(DeleteService(front.key))
        service = udp.UdpService(LivePool(front.service, lambda: now[0]), lambda: now[0])
        a, b = name(b"a"), name(b"b")
        for namer in (a, b):
            service.pool.put(Destination(*namer.address))
        with caller(front) as one, caller(front) as two:
            ask(one)
            ask(two)
            now[0] = 200.0
            ask(two)
            story = []
            for now[0] in (300.9, 301.0, 499.9, 500.0):
                service.sweep()
                story.append((service.pool.open[a.address], service.pool.open[b.address]))
        service.close()
    assert story == [(1, 1), (0, 1), (0, 1), (0, 0)]


def test_a_removed_server_loses_its_flows_and_their_clients_go_on_elsewhere(
    front: Front, name: Callable[..., Namer]
) -> None:
    a, b = name(b"a"), name(b"b")
    front.add(a.address, b.address)
    with caller(front) as one:
        assert ask(one) == b"a?"
        front.plane.apply(DeleteDestination(front.key, Destination(*a.address)))
        assert (front.open(), ask(one), front.open()) == ({b.address: 0}, b"b?", {b.address: 1})


@pytest.mark.parametrize("port", [1, 2])
def test_a_server_that_nobody_listens_on_loses_its_datagrams_and_harms_nobody_else(
    front: Front, name: Callable[..., Namer], port: int
) -> None:
    server = ("127.0.0.1", port)
    front.add(server, name(b"b").address)
    with caller(front) as one, caller(front) as two:
        one.send(b"lost")
        one.send(b"lost")
        assert ask(two) == b"b?"
        front.plane.apply(DeleteDestination(front.key, Destination(*server)))
        assert ask(one) == b"b?"


def test_a_server_without_a_way_to_it_is_made_good(front: Front, name: Callable[..., Namer]) -> None:
    front.add(("255.255.255.255", 53), name(b"b").address)
    with caller(front) as one, caller(front) as two:
        assert [ask(one), ask(two), ask(one)] == [b"b?"] * 3


def test_without_servers_datagrams_are_dropped_until_there_is_one(front: Front, name: Callable[..., Namer]) -> None:
    with caller(front) as one:
        one.send(b"lost")
        gevent.sleep(0)
        b = name(b"b")
        until(lambda: not _pending(front))
        front.add(b.address)
        assert (ask(one), b.heard) == (b"b?", [b"?"])


def _pending(front: Front) -> bool:
    """Whether datagrams still wait at the service's socket."""
    listener: Any = front.plane._services[front.key]
    try:
        return bool(listener._socket.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


def test_flows_outlive_a_change_of_the_service(front: Front, name: Callable[..., Namer]) -> None:
    a, b = name(b"a"), name(b"b")
    front.add(a.address, b.address)
    with caller(front) as one, caller(front) as two:
        assert ask(one) == b"a?"
        front.plane.apply(EditService(Service(front.key, "lc")))
        assert (ask(one), ask(two), front.open()) == (b"a?", b"b?", {a.address: 1, b.address: 1})


def test_no_descriptor_is_left_by_many_flows(name: Callable[..., Namer]) -> None:
    a, b = name(b"a"), name(b"b", deaf=True)
    gc.collect()
    before = descriptors()
    with Front("udp") as front:
        front.add(a.address, b.address)
        callers = [caller(front) for _ in range(200)]
        for sock in callers:
            sock.send(b"?")
        until(lambda: flows(front) == {a.address: 100, b.address: 100})
    for sock in callers:
        sock.close()
    assert descriptors() == before


def test_a_busy_address_is_refused_with_the_reason(front: Front) -> None:
    plane = UserspacePlane()
    with pytest.raises(PlaneError, match=f"{front.address[1]}.*: Address already in use"):
        plane.apply(AddService(front.service))
    assert plane.services() == ()


def test_it_speaks_ipv6_on_either_side(name: Callable[..., Namer]) -> None:
    with Front("udp", "::1") as front:
        front.add(name(b"six", "::1").address, name(b"four").address)
        with caller(front) as one, caller(front) as two:
            assert [ask(one), ask(two)] == [b"six?", b"four?"]
