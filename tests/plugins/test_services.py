"""The checkers of databases and the like: cut, spoilt and hostile answers, and what no real server is needed for."""

import socket
import threading
from itertools import repeat
from struct import pack
from time import monotonic
from tracemalloc import get_traced_memory, reset_peak, start, stop
from typing import Any

import gevent
import ldap3
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.runtime.dial import CooperativeDial, NativeDial
from plugins.api import Degraded, Failed, Passed, Result, Source, Target, library, outcome
from plugins.grpc import GrpcCheck
from plugins.ldap import LdapCheck
from plugins.mysql import MysqlCheck
from plugins.pgsql import PgsqlCheck
from plugins.redis import RedisCheck
from plugins.services.replication import Replication
from tests.plugins.peers import Script, Wire, no_leak, peer
from tests.plugins.test_hostile import in_greenlet, silence

LIMIT = 0.2

CHECKS = {
    "Redis": RedisCheck(password="sesame", role="read-write"),
    "MySQL": MysqlCheck(user="watcher", password="sesame"),
    "PostgreSQL": PgsqlCheck(user="watcher", password="sesame"),
    "LDAP": LdapCheck(),
    "gRPC over HTTP/2": GrpcCheck(),
}


def mysql_packet(number: int, payload: bytes) -> bytes:
    return pack("<I", len(payload))[:3] + bytes([number]) + payload


def pgsql_message(code: bytes, payload: bytes) -> bytes:
    return code + pack(">I", len(payload) + 4) + payload


def grpc_answer(
    body: bytes = b"\0\0\0\0\2\x08\1", status: str = "200", trailers: dict[str, str] | None = None
) -> bytes:
    server = H2Connection(H2Configuration(client_side=False))
    server.initiate_connection()
    asking = H2Connection()
    asking.initiate_connection()
    request = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "x")]
    asking.send_headers(1, request, end_stream=True)
    server.receive_data(asking.data_to_send())
    server.send_headers(1, [(":status", status), ("content-type", "application/grpc")])
    server.send_data(1, body)
    server.send_headers(1, list((trailers or {"grpc-status": "0"}).items()), end_stream=True)
    return server.data_to_send()


GREETING = b"\x0a8.0.0\0\1\0\0\0abcdefgh\0" + pack("<HBHH", 0xAA0D, 33, 2, 0x0008) + b"\x15" + bytes(10)
GREETING += b"ijklmnopqrst\0mysql_native_password\0"
OK = b"\0\0\0\2\0\0\0"
ANSWERS = {
    "Redis": b"+OK\r\n+PONG\r\n$11\r\nrole:master\r\n",
    "MySQL": mysql_packet(0, GREETING) + mysql_packet(2, OK) + mysql_packet(1, OK) + mysql_packet(1, OK),
    "PostgreSQL": pgsql_message(b"R", bytes(4)) + pgsql_message(b"Z", b"I"),
    "LDAP": bytes.fromhex("300c02010161070a010004000400"),
    "gRPC over HTTP/2": grpc_answer(),
}


def answered(protocol: str, answer: bytes, step: int = 1 << 20) -> Result:
    ldap3.Server._message_counter = 0  # the answer is to the first request
    return outcome(CHECKS[protocol], Target("127.0.0.1", 1, 5.0, dial=Wire(answer, step=step)))


@pytest.mark.parametrize("protocol", CHECKS)
def test_an_answer_is_the_same_in_pieces_of_any_size(protocol: str) -> None:
    whole = ANSWERS[protocol]
    assert {answered(protocol, whole, step) for step in (1, 2, 3, 7, 1 << 20)} == {Passed()}


@pytest.mark.parametrize("protocol", CHECKS)
def test_an_answer_that_is_cut_at_any_byte_says_so(protocol: str) -> None:
    whole = ANSWERS[protocol]
    results = [answered(protocol, whole[:cut]) for cut in range(len(whole))]
    assert results == [Failed("closed without an answer"), *[Failed("closed within the answer")] * (len(whole) - 1)]


@pytest.mark.parametrize("protocol", CHECKS)
@settings(max_examples=150, deadline=None)
@given(where=st.integers(0, 10_000), piece=st.binary(min_size=1, max_size=4))
def test_an_answer_that_is_spoilt_anywhere_is_judged_and_no_crash(protocol: str, where: int, piece: bytes) -> None:
    whole = ANSWERS[protocol]
    where %= len(whole)
    result = answered(protocol, whole[:where] + piece + whole[where + len(piece) :])
    assert isinstance(result, Passed | Failed)


def flood(piece: bytes) -> Script:
    """Send ``piece`` for ever, unasked: some protocols have the server begin."""

    def script(client: socket.socket) -> None:
        for each in repeat(piece):
            client.sendall(each)

    return script


def say(answer: bytes) -> Script:
    """Send ``answer``, then nothing more."""

    def script(client: socket.socket) -> None:
        client.sendall(answer)
        client.shutdown(socket.SHUT_WR)
        silence(client)

    return script


def reset(client: socket.socket) -> None:
    """Break off."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))


def drip(client: socket.socket) -> None:
    """Send a byte now and then."""
    gone = threading.Event()
    while not gone.wait(0.02):
        client.sendall(b"\0")


BROKEN_OFF = {"closed without an answer", "connect: Connection reset", "Connection reset", "Broken pipe"}
LOUD = {"not", "more than 65536 bytes of answers", "more than 8192 bytes of answers"}

HOSTILE: list[tuple[Script, set[str]]] = [
    (silence, {"timed out"}),
    (drip, {"timed out", "not"}),
    (flood(b"\x00\xff" * 500), LOUD),
    (flood(b"\xff\xff\xff\x7f" * 500), LOUD),
    (flood(b"y" * 5000), LOUD),
    (flood(b"$1000000000\r\n" + b"y" * 5000), LOUD),
    (flood(b"*1000000000\r\n" + b"*1\r\n" * 1000), LOUD),
    (flood(b"N\0\0\0\4" * 1000), LOUD),
    (flood(bytes.fromhex("000000040000000000000008060000000000") * 99), LOUD),
    (lambda client: None, BROKEN_OFF),
    (reset, BROKEN_OFF),
    (say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), {"not", "closed within the answer", "more than"}),
    (say(b"220 mail.example ESMTP\r\n"), {"not", "closed within the answer"}),
    (say(b"\x15\x03\x01\0\2\2\x46"), {"not", "closed within the answer"}),
]


@pytest.mark.parametrize("protocol", CHECKS)
@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_hostile_server_gets_a_reason_in_time(protocol: str, number: int) -> None:
    script, reasons = HOSTILE[number]
    limit = LIMIT if "timed out" in reasons else 5.0  # the others end by themselves, if late on a loaded machine
    began = monotonic()
    with peer(script) as server:
        target = ("127.0.0.1", server.port, limit)
        result = in_greenlet(lambda dial: outcome(CHECKS[protocol], Target(*target, dial=dial)))
    assert isinstance(result, Failed)
    detail = "not" if result.detail == f"the answer is not {protocol}" else result.detail
    assert any(detail.startswith(reason) for reason in reasons), result.detail
    assert monotonic() - began < limit + 1.5


def test_a_hostile_server_takes_little_memory() -> None:
    start()
    try:
        for protocol, check in CHECKS.items():
            for script, _ in HOSTILE:
                with peer(script) as server:
                    reset_peak()
                    before = get_traced_memory()[0]
                    outcome(check, Target("127.0.0.1", server.port, 0.1, dial=NativeDial()))
                    assert get_traced_memory()[1] - before < 1 << 20, protocol
    finally:
        stop()


@pytest.mark.parametrize("protocol", CHECKS)
def test_a_silent_server_holds_up_nobody_and_leaks_nothing(protocol: str) -> None:
    ends = []

    def probe(port: int) -> None:
        outcome(CHECKS[protocol], Target("127.0.0.1", port, LIMIT, dial=CooperativeDial()))
        ends.append("probe")

    def tick() -> None:
        for _ in range(10):
            gevent.sleep(0)
        ends.append("ticks")

    with no_leak(), peer(silence) as server:
        gevent.joinall([gevent.spawn(probe, server.port), gevent.spawn(tick)])
    assert ends == ["ticks", "probe"]


@pytest.mark.parametrize("protocol", CHECKS)
def test_a_probe_leaves_from_the_address_it_is_bound_to(protocol: str) -> None:
    with peer(reset) as server:
        outcome(CHECKS[protocol], Target("127.0.0.1", server.port, 5.0, Source(bindto="127.0.0.7")))
        assert [client[0] for client in server.clients] == ["127.0.0.7"]


def test_a_missing_library_is_named_with_the_extra_that_brings_it() -> None:
    with pytest.raises(Failed, match=r"^nolib is not installed: pip install understudyd\[redis\]$"):
        library("nolib.client", "redis")


def test_a_login_does_not_hash_as_long_as_the_server_pleases() -> None:
    asks = pgsql_message(b"R", pack(">I", 10) + b"SCRAM-SHA-256\0\0")
    asks += pgsql_message(b"R", pack(">I", 11) + b"r=x,s=AAAA,i=4000000000")
    assert answered("PostgreSQL", asks) == Failed("asks for more than 100000 iterations at the login")


def test_a_password_is_not_sent_to_mysql_in_clear_text() -> None:
    asks = mysql_packet(0, GREETING) + mysql_packet(2, b"\xfemysql_clear_password\0")
    wire = Wire(asks)
    result = outcome(CHECKS["MySQL"], Target("127.0.0.1", 1, 5.0, dial=wire))
    assert (result, b"sesame" in b"".join(wire.sent)) == (
        Failed("asks for the password in clear text: use `tls`"),
        False,
    )


@pytest.mark.parametrize(
    ("options", "facts", "result"),
    [
        ({}, (False, True, None), Passed()),
        ({"role": "read-write"}, (True, False, None), Passed()),
        ({"role": "read-write"}, (False, True, 0.0), "not writable"),
        ({"role": "replica"}, (True, False, None), "not a replica"),
        ({"role": "replica"}, (False, True, None), Passed()),
        ({"role": "replica", "max_lag": 5.0}, (False, True, 5.0), Passed()),
        ({"role": "replica", "max_lag": 5.0}, (False, True, 5.1), "more than 5 s behind"),
        ({"role": "replica", "max_lag": 5.0}, (False, True, None), "a replica whose lag is not known"),
        ({"max_lag": 5.0}, (True, False, None), Passed()),
        ({"max_lag": 5.0, "degraded_lag": 2.0}, (False, True, 2.0), Passed()),
        ({"max_lag": 5.0, "degraded_lag": 2.0}, (False, True, 2.1), Degraded(50, "more than 2 s behind")),
        ({"degraded_lag": 2.0, "degraded_weight": 0}, (False, True, 99.0), Degraded(0, "more than 2 s behind")),
    ],
)
def test_a_replica_is_judged_by_its_role_and_its_lag(options: Any, facts: Any, result: Any) -> None:
    try:
        judged: object = Replication(**options).judged(*facts)
    except Failed as failed:
        judged = failed.detail
    assert judged == result


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (grpc_answer(status="404"), "HTTP status 404"),
        (grpc_answer(trailers={"grpc-status": "5"}), "gRPC status NOT_FOUND"),
        (grpc_answer(trailers={"grpc-status": "99"}), "gRPC status is missing"),
        (grpc_answer(trailers={"grpc-message": "x"}), "gRPC status is missing"),
        (grpc_answer(b""), "the answer is no message of gRPC"),
        (grpc_answer(bytes(5)), "UNKNOWN"),
        (grpc_answer(b"\0\0\0\0\2\x08\2"), "NOT_SERVING"),
        (grpc_answer(b"\0\0\0\0\2\x08\x7f"), "the answer is no health status"),
        (grpc_answer(b"\1\0\0\0\2\x08\1"), "the answer is no message of gRPC"),
        (grpc_answer(b"\0\0\0\0\2\x08\1" + bytes(2000)), "an answer larger than 1024 bytes"),
        (
            bytes.fromhex("000000040000000000") + bytes.fromhex("000008070000000000 0000000000000002"),
            "the server cancels the request",
        ),
        (
            bytes.fromhex("000000040000000000") + bytes.fromhex("000004030000000001 00000007"),
            "the server cancels the request",
        ),
    ],
)
def test_a_grpc_server_that_is_not_serving_says_why(answer: bytes, failure: str) -> None:
    assert answered("gRPC over HTTP/2", answer) == Failed(failure)


@pytest.mark.parametrize(
    ("protocol", "answer", "failure"),
    [
        ("Redis", b"-LOADING Redis is loading the dataset in memory\r\n", "Redis is loading the dataset in memory"),
        ("Redis", b"+OK\r\n+PINF\r\n", "the answer to PING is not 'PONG'"),
        ("Redis", b"+OK\r\n+PONG\r\n-NOPERM no\r\n", "no"),
        ("Redis", b"+OK\r\n+PONG\r\n$0\r\n\r\n", "the answer is not Redis"),
        ("MySQL", mysql_packet(0, b"\xff" + pack("<H", 1040) + b"Too many connections"), "Too many connections"),
        ("MySQL", mysql_packet(0, b"\xff" + pack("<H", 1129) + b"Host is blocked"), "Host is blocked"),
        ("PostgreSQL", pgsql_message(b"E", b"SFATAL\0Mtoo many clients\0\0"), "too many clients"),
        ("PostgreSQL", pgsql_message(b"E", b"C57P03\0\0"), "57P03"),
        ("PostgreSQL", pgsql_message(b"R", pack(">I", 7)), "Authentication method 7 not supported by pg8000."),
        ("LDAP", bytes.fromhex("300c02010161070a013404000400"), "bind: unavailable"),
    ],
)
def test_a_server_that_refuses_is_quoted(protocol: str, answer: bytes, failure: str) -> None:
    assert answered(protocol, answer) == Failed(failure)
