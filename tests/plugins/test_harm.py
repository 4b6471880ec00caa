"""Servers that mean harm, and every checker that is shipped: each ends by its deadline with a reason, in little memory.

All checkers meet one kind of harm at once, on the event loop and in threads, as in a daemon with many of them.
"""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import repeat
from time import monotonic, sleep
from tracemalloc import get_traced_memory, reset_peak, start, stop
from typing import Any

import gevent
import pytest

from actors.runtime.dial import CooperativeDial, NativeDial
from plugins.api import Failed, Result, Target, build, outcome
from plugins.registry import shipped
from tests.plugins.peers import datagrams, peer

LIMIT = 1.0
URL = (("url", ((("path", "/"),),)),)
LOGIN = (("user", "watcher"), ("password", "sesame"))
STREAMS: dict[str, tuple[str, Any]] = {
    "TCP_CHECK": ("TCP_CHECK", (("expect", "^never$"),)),
    "TCP_CHECK with TLS": ("TCP_CHECK", (("expect", "^never$"), ("tls", True))),
    "HTTP_GET": ("HTTP_GET", URL),
    "HTTP_GET with keep_alive": ("HTTP_GET", (*URL, ("keep_alive", True))),
    "SSL_GET": ("SSL_GET", URL),
    "SSL_GET that asks for the certificate": ("SSL_GET", (*URL, ("certificate_days", 3), ("tls_compliant", True))),
    "SMTP_CHECK": ("SMTP_CHECK", ()),
    "SMTP_CHECK with STARTTLS": ("SMTP_CHECK", (("starttls", True),)),
    "AGENT_CHECK": ("AGENT_CHECK", (("agent_send", "who\\n"),)),
    "REDIS_CHECK": ("REDIS_CHECK", (("password", "sesame"),)),
    "MYSQL_CHECK": ("MYSQL_CHECK", LOGIN),
    "PGSQL_CHECK": ("PGSQL_CHECK", LOGIN),
    "LDAP_CHECK": ("LDAP_CHECK", ()),
    "GRPC_CHECK": ("GRPC_CHECK", ()),
}
DATAGRAMS: dict[str, tuple[str, Any]] = {
    "DNS_CHECK": ("DNS_CHECK", ()),
    "UDP_CHECK": ("UDP_CHECK", (("require_reply", "ABCD"), ("min_reply_length", 1))),
    "RADIUS_CHECK": ("RADIUS_CHECK", (("secret", "sesame"),)),
}
LOCAL = {"COMBINE", "FILE_CHECK", "MISC_CHECK", "PING_CHECK", "PROCESS_CHECK"}
"""Checkers that talk to no server, or to none that could be hostile here."""


def flood(piece: bytes, first: bytes = b"") -> Callable[[socket.socket], None]:
    def script(client: socket.socket) -> None:
        client.sendall(first)
        for each in repeat(piece):
            client.sendall(each)

    return script


def drip(piece: bytes) -> Callable[[socket.socket], None]:
    def script(client: socket.socket) -> None:
        while True:
            client.sendall(piece)
            sleep(0.05)

    return script


def say(data: bytes) -> Callable[[socket.socket], None]:
    """Say it, and nothing more until the client has gone."""

    def script(client: socket.socket) -> None:
        client.sendall(data)
        while client.recv(4096):
            pass

    return script


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def echo(client: socket.socket) -> None:
    while data := client.recv(4096):
        client.sendall(data)


BOMB = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1000000000\r\n\r\n"
HALF_HELLO = bytes.fromhex("160303007a02000076 0303".replace(" ", "")) + bytes(16)
HARM = {
    "silence": say(b""),
    "closed at once": lambda client: None,
    "reset": reset,
    "closed after the question": lambda client: client.recv(4096),
    "zeros without end": flood(bytes(4096)),
    "letters without end": flood(b"y" * 4096),
    "lines without end": flood(b"220-more\r\n"),
    "headers without end": flood(b"X-More: of them\r\n", b"HTTP/1.1 200 OK\r\n"),
    "chunks without end": flood(b"5\r\nhello\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "a body that never ends": flood(b"\x1f\x8b" + bytes(4094), BOMB),
    "a byte now and then": drip(b"x"),
    "lines now and then": drip(b"220-x\r\n"),
    "half a handshake": say(HALF_HELLO),
    "a handshake without end": flood(b"\x16\x03\x03\x40\x00" + bytes(16384)),
    "an alert": say(b"\x15\x03\x03\x00\x02\x02\x28"),
    "SSH": say(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "a huge length": say(b"\xff" * 64),
    "its own words": echo,
}
ANSWERS = {
    "nothing": b"",
    "one byte": b"\0",
    "zeros": bytes(512),
    "ones": b"\xff" * 512,
    "as much as there can be": b"\xaa" * 65000,
    "text": b"no such thing\r\n",
}


def test_every_checker_that_is_shipped_is_here() -> None:
    assert {keyword for keyword, _ in (*STREAMS.values(), *DATAGRAMS.values())} | LOCAL == set(shipped())


@pytest.fixture(scope="module", autouse=True)
def libraries() -> None:
    """Are loaded by now: they are no probe's memory."""
    list(probed(STREAMS | DATAGRAMS, 1))


@pytest.mark.parametrize("harm", HARM)
def test_a_stream_that_means_harm(harm: str) -> None:
    with peer(HARM[harm]) as server:
        judge(STREAMS, server.port)


@pytest.mark.parametrize("answer", ANSWERS)
def test_datagrams_that_mean_harm(answer: str) -> None:
    with datagrams(lambda _: [ANSWERS[answer]]) as port:
        judge(DATAGRAMS, port)


@pytest.mark.parametrize("checker", STREAMS)
@pytest.mark.parametrize("harm", [harm for harm in HARM if "end" in harm])
def test_no_checker_keeps_much_of_what_never_ends(checker: str, harm: str) -> None:
    with peer(HARM[harm]) as server:
        start()
        reset_peak()
        ends = list(probed({checker: STREAMS[checker]}, server.port, 0.3))
        peak = get_traced_memory()[1]
        stop()
    assert [end for _, end, _ in ends if not isinstance(end, Failed) or not end.detail] == []
    assert peak < 2 * (2 * 256 + 64) * 1024  # two probes: the longest body, which is copied as it grows, and the rest


def judge(checkers: dict[str, tuple[str, Any]], port: int) -> None:
    """Have all of them probe at once, in both ways."""
    start()
    reset_peak()
    ends = list(probed(checkers, port))
    peak = get_traced_memory()[1]
    stop()
    assert [(name, end) for name, end, _ in ends if not isinstance(end, Failed) or not end.detail] == []
    assert [(name, round(seconds, 2)) for name, _, seconds in ends if seconds > 2 * LIMIT] == []
    assert peak / len(ends) < 400_000


def probed(
    checkers: dict[str, tuple[str, Any]], port: int, limit: float = LIMIT
) -> Iterator[tuple[str, Result, float]]:
    """Name, end and seconds of each probe."""
    ends: list[tuple[str, Result, float]] = []

    def probe(name: str, dial: Any) -> None:
        keyword, options = checkers[name]
        plugin, began = build(shipped()[keyword], options), monotonic()
        end = outcome(plugin, Target("127.0.0.1", port, limit, dial=dial))
        ends.append((f"{name} {type(dial).__name__}", end, monotonic() - began))

    threads = [threading.Thread(target=probe, args=(name, NativeDial())) for name in checkers]
    for each in threads:
        each.start()
    dial = CooperativeDial()
    greenlets = [gevent.spawn(probe, name, dial) for name in checkers]
    gevent.joinall(greenlets, raise_error=True, timeout=10 * LIMIT)
    for each in threads:
        with suppress(RuntimeError):
            each.join(10 * LIMIT)
    assert len(ends) == 2 * len(checkers)
    yield from ends
