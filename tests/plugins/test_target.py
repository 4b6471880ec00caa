"""A target: its ways to connect, what it closes and what it keeps, and what a trace tells of it."""

import socket
from typing import Any

import pytest

from plugins.api import Target, Tls, Trace
from plugins.api.source import Transport
from tests.plugins.certificates import server_context
from tests.plugins.peers import Wire, no_leak, peer


class Noting(Wire):
    """Notes how it was asked to connect."""

    def connect(self, *asked: Any) -> Any:
        self.asked = asked
        return super().connect(*asked)


@pytest.mark.parametrize(
    ("options", "address", "transport"),
    [
        ({}, "10.0.0.1", Transport.TCP),
        ({"udp": True}, "10.0.0.1", Transport.UDP),
        ({"path": "/run/x"}, "/run/x", Transport.UNIX),
    ],
)
def test_a_probe_says_what_it_wants_a_connection_of(options: Any, address: str, transport: Transport) -> None:
    wire = Noting(b"")
    target = Target("10.0.0.1", 53, dial=wire)
    target.connect(**options)
    assert (wire.asked[0], wire.asked[1], wire.asked[4]) == (address, 53, transport)


@pytest.mark.parametrize("options", [{"tls": Tls()}, {"path": "/run/x"}])
def test_datagrams_go_neither_through_tls_nor_to_a_path(options: Any) -> None:
    with pytest.raises(ValueError, match="datagrams go neither"):
        Target("10.0.0.1", 53, dial=Wire(b"")).connect(udp=True, **options)


def test_what_is_to_keep_outlives_the_probe() -> None:
    wire = Wire(b"", b"")
    target = Target("10.0.0.1", 53, dial=wire)
    target.connect()
    kept = target.connect(keep=True)
    target.close()
    assert (wire.open, target.kept) == (1, [kept])


def test_without_a_daemon_there_are_datagrams_and_unix_sockets_too(tmp_path: Any) -> None:
    door = str(tmp_path / "door")
    with no_leak(), socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(socket.AF_UNIX) as listener:
        server.bind(("127.0.0.1", 0))
        listener.bind(door)
        listener.listen()
        target = Target("127.0.0.1", server.getsockname()[1], timeout=1)
        with target.connect(udp=True) as datagrams, target.connect(path=door) as stream:
            datagrams.send(b"x")
            listener.accept()[0].sendall(b"y")
            assert (server.recv(9), stream.recv(9)) == (b"x", b"y")


def test_a_trace_has_the_time_of_each_step() -> None:
    def greet(client: Any) -> None:
        client.sendall(b"one\ntwo\n")

    with no_leak(), peer(greet, context=server_context()) as server:
        trace = Trace()
        target = Target("127.0.0.1", server.port, 1, trace=trace)
        with target.connect(Tls()) as sock, sock.makefile("rb") as lines:
            assert [lines.readline() for _ in range(2)] == [b"one\n", b"two\n"]
            trace.mark("greeting")
            assert sock.version() == "TLSv1.3"
    assert [step for step, _ in trace.steps] == ["connect", "tls", "first byte", "greeting"]
    assert all(0 <= seconds < 1 for _, seconds in trace.steps)
