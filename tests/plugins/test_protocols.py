"""The checkers of protocols that need no library, or only one for their packets: what each makes of every answer, on
the event loop and in a thread; and of servers that mean harm."""

import socket
import threading
from collections.abc import Callable
from itertools import repeat
from time import monotonic
from tracemalloc import get_traced_memory, reset_peak, start, stop
from typing import Any

import dns.flags
import dns.message
import dns.rrset
import pytest

from actors.runtime.dial import NativeDial
from plugins.api import Failed, Passed, Result, Target, build, outcome
from plugins.dns import DnsCheck
from plugins.ping import PingCheck
from plugins.smtp import SmtpCheck
from plugins.tcp import TcpCheck
from plugins.udp import UdpCheck
from tests.plugins.certificates import server_context
from tests.plugins.peers import datagrams, no_leak, peer
from tests.plugins.test_hostile import in_greenlet

HOST = "127.0.0.1"


@pytest.fixture(params=["loop", "thread"])
def probed(request: pytest.FixtureRequest) -> Callable[..., Result]:
    """What comes of a probe of a port, within ``limit`` seconds: in a greenlet, or in a native thread."""

    def probe(kind: type, options: Any, port: int, limit: float = 2.0, address: str = HOST) -> Result:
        plugin = build(kind, tuple(options.items()))
        if request.param == "thread":
            return outcome(plugin, Target(address, port, limit, dial=NativeDial()))
        return in_greenlet(lambda dial: outcome(plugin, Target(address, port, limit, dial=dial)))

    return probe


# TCP_CHECK


def imap(client: socket.socket) -> None:
    client.sendall(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
    assert client.recv(64) == b"a LOGOUT\r\n"
    client.sendall(b"* BYE\r\na OK\r\n")


def pop3(client: socket.socket) -> None:
    client.sendall(b"+OK ready\r\n")
    assert client.recv(64) == b"QUIT\r\n"
    client.sendall(b"+OK\r\n")


def echo(client: socket.socket) -> None:
    client.sendall(client.recv(64))


def both(client: socket.socket) -> None:
    client.sendall(b"one two")


def split(client: socket.socket) -> None:
    for byte in b"hello\x00world":
        client.sendall(bytes([byte]))


IMAP = ((("expect", r"^\* OK"),), (("send", r"a LOGOUT\r\n"), ("expect", r"^a OK")))
TALKS: list[tuple[Any, dict[str, Any], Result]] = [
    (split, {}, Passed()),
    (split, {"expect": "hello"}, Passed()),
    (split, {"expect": r"^hello\x00w"}, Passed()),
    (split, {"expect": "goodbye"}, Failed("closed before 'goodbye' came")),
    (split, {"expect": "(a+)+$"}, Failed("closed before '(a+)+$' came")),
    (
        lambda client: client.sendall(client.recv(9)[::-1]),
        {"send": r"a\r\n\t\0\x41\\b", "expect": r"b\\A\x00\t"},
        Passed(),
    ),
    (imap, {"step": IMAP}, Passed()),
    (pop3, {"step": ((("expect", r"^\+OK"),),), "send": r"QUIT\r\n", "expect": r"^\+OK"}, Passed()),
    (both, {"step": ((("expect", "one"),),), "expect": "two"}, Passed()),
    (both, {"step": ((("expect", "two"),),), "expect": "one"}, Failed("closed before 'one' came")),
    (split, {"step": IMAP}, Failed(r"closed before '^\\* OK' came")),
]


@pytest.mark.parametrize(("script", "options", "result"), TALKS)
def test_a_conversation_goes_as_expected_or_says_what_did_not_come(
    probed: Callable[..., Result], script: Any, options: dict[str, Any], result: Result
) -> None:
    with no_leak(), peer(script) as server:
        assert probed(TcpCheck, options, server.port) == result


def test_a_conversation_may_be_through_tls(probed: Callable[..., Result]) -> None:
    with peer(lambda client: client.sendall(b"220 ftp\r\n"), context=server_context()) as server:
        assert probed(TcpCheck, {"tls": True, "expect": "^220 "}, server.port) == Passed()


# SMTP_CHECK


def mail(greeting: bytes = b"220 mail\r\n", hello: bytes = b"250 mail\r\n", bye: bytes = b"221 bye\r\n") -> Any:
    """A mail server that answers so."""

    def script(client: socket.socket) -> None:
        client.sendall(greeting)
        for answer in (hello, bye):
            if not client.recv(512):
                return
            client.sendall(answer)

    return script


def secure(client: socket.socket) -> None:
    """A mail server that speaks TLS when it is asked to."""
    client.sendall(b"220 mail\r\n")
    assert client.recv(512).startswith(b"EHLO ")
    client.sendall(b"250-mail\r\n250-SIZE 1000\r\n250 STARTTLS\r\n")
    assert client.recv(512) == b"STARTTLS\r\n"
    client.sendall(b"220 go ahead\r\n")
    with server_context().wrap_socket(client, server_side=True) as wrapped:
        assert wrapped.recv(512).startswith(b"HELO ")
        wrapped.sendall(b"250 mail\r\n")
        wrapped.recv(512)
        wrapped.sendall(b"221 bye\r\n")


@pytest.mark.parametrize(
    ("script", "result"),
    [
        (mail(), Passed()),
        (mail(b"220-welcome\r\n220-to\r\n220 mail\r\n"), Passed()),
        (mail(b"220\r\n"), Passed()),
        (mail(b"220 mail\n", b"250 x\n", b"500 what\n"), Passed()),
        (mail(b"554 no\r\n"), Failed("the greeting is 554")),
        (mail(hello=b"502 no\r\n"), Failed("HELO is answered by 502")),
        (mail(b"HTTP/1.0 400 Bad Request\r\n"), Failed("not an SMTP answer")),
        (mail(b"2200 mail\r\n"), Failed("not an SMTP answer")),
        (lambda client: None, Failed("closed without an answer")),
        (lambda client: client.sendall(b"220-mail\r\n"), Failed("closed within the answer")),
    ],
)
def test_a_mail_server_is_judged_by_its_answers(probed: Callable[..., Result], script: Any, result: Result) -> None:
    with no_leak(), peer(script) as server:
        assert probed(SmtpCheck, {}, server.port) == result


def test_helo_says_the_name_and_quit_takes_leave() -> None:
    heard: list[bytes] = []

    def script(client: socket.socket) -> None:
        client.sendall(b"220 mail\r\n")
        for answer in (b"250 hello\r\n", b"221 bye\r\n"):
            heard.append(client.recv(512))
            client.sendall(answer)

    with peer(script) as server:
        assert outcome(SmtpCheck(helo_name="lb.example"), Target(HOST, server.port)) == Passed()
    assert heard == [b"HELO lb.example\r\n", b"QUIT\r\n"]


def test_mail_through_tls_at_once_or_when_asked_for(probed: Callable[..., Result]) -> None:
    with peer(mail(), context=server_context()) as server:
        assert probed(SmtpCheck, {"tls": True}, server.port) == Passed()
    with peer(secure) as server:
        assert probed(SmtpCheck, {"starttls": True}, server.port) == Passed()
        unverified = probed(SmtpCheck, {"starttls": True, "verify": True}, server.port)
    assert str(unverified).startswith("certificate not accepted: ")


# UDP_CHECK and DNS_CHECK


@pytest.mark.parametrize(
    ("options", "answer", "result"),
    [
        ({}, None, Passed()),
        ({}, b"anything", Passed()),
        ({"require_reply": ("",)}, None, Failed("no answer")),
        ({"require_reply": ("",)}, b"x", Passed()),
        ({"require_reply": ("61", "XX63")}, b"abc", Passed()),
        ({"require_reply": ("61X2",)}, b"abc", Passed()),
        ({"require_reply": ("61X3",)}, b"abc", Failed("the answer does not match")),
        ({"require_reply": ("61",), "min_reply_length": 4}, b"abc", Failed("the answer is not of 4 to 255 bytes")),
        ({"require_reply": ("61",), "max_reply_length": 2}, b"abc", Failed("the answer is not of 0 to 2 bytes")),
        ({"payload": ("123",)}, b"", Failed("the payload has an odd number of digits")),
    ],
)
def test_datagrams_are_answered_or_not_as_is_asked_for(
    probed: Callable[..., Result], options: dict[str, Any], answer: bytes | None, result: Result
) -> None:
    with no_leak(), datagrams(lambda packet: [] if answer is None else [answer]) as port:
        assert probed(UdpCheck, options, port, 0.3) == result


def test_what_is_sent_is_the_payload_or_keepaliveds_own() -> None:
    heard: list[bytes] = []
    with datagrams(lambda packet: [heard.append(packet) or b"x"]) as port:  # type: ignore[func-returns-value]
        for payload in ((), ("de", "adBE", "ef")):
            assert outcome(UdpCheck(payload=payload, require_reply=("",)), Target(HOST, port)) == Passed()
    assert heard == [b"keepalived check - keepalived ch", bytes.fromhex("deadbeef")]
    assert len(heard[0]) == 32


def test_a_closed_port_is_told_by_icmp(probed: Callable[..., Result]) -> None:
    with datagrams(lambda packet: []) as port:
        pass
    for kind in (UdpCheck, DnsCheck):
        assert probed(kind, {}, port) == Failed("Connection refused")


def named(packet: bytes, *data: str, rcode: int = 0, id: int = 0, truncated: bool = False) -> bytes:
    """An answer of a name server to ``packet``."""
    question = dns.message.from_wire(packet)
    reply = dns.message.make_response(question)
    reply.set_rcode(rcode)
    reply.id ^= id
    if truncated:
        reply.flags |= dns.flags.TC
    asked = question.question[0]
    if data:
        reply.answer.append(dns.rrset.from_text(asked.name, 60, asked.rdclass, asked.rdtype, *data))
    return reply.to_wire()


A = {"type": "A", "name": "www.example.org"}


@pytest.mark.parametrize(
    ("options", "answers", "result"),
    [
        ({}, lambda packet: [named(packet)], Passed()),
        (A, lambda packet: [named(packet, "192.0.2.1")], Passed()),
        (A | {"expect": ("192.0.2.1",)}, lambda packet: [named(packet, "192.0.2.2", "192.0.2.1")], Passed()),
        (
            A | {"expect": ("192.0.2.1", "192.0.2.9")},
            lambda packet: [named(packet, "192.0.2.1")],
            Failed("not among the answers: 192.0.2.9"),
        ),
        (
            {"type": "MX", "name": "a.b", "expect": ("10 Mail.a.b",)},
            lambda packet: [named(packet, "10 mail.a.b.")],
            Passed(),
        ),
        (
            A | {"type": "TXT", "expect": ("v=Spf1 -all",)},
            lambda packet: [named(packet, '"v=Spf1" " -all"')],
            Passed(),
        ),
        (
            A | {"type": "TXT", "expect": ("V=spf1",)},
            lambda packet: [named(packet, '"v=spf1"')],
            Failed("not among the answers: V=spf1"),
        ),
        ({}, lambda packet: [named(packet, rcode=3)], Failed("the answer is NXDOMAIN")),
        ({}, lambda packet: [named(packet, rcode=2)], Failed("the answer is SERVFAIL")),
        (
            {},
            lambda packet: [b"", b"x", b"\xff" * 400, named(packet, id=1), packet[:2] + b"x", named(packet)],
            Passed(),
        ),
        ({}, lambda packet: [packet], Failed("timed out")),
        ({}, lambda packet: [b"x"] * 100, Failed("only answers to other questions")),
    ],
)
def test_a_name_server_is_judged_by_its_answer_to_this_question(
    probed: Callable[..., Result], options: dict[str, Any], answers: Any, result: Result
) -> None:
    with no_leak(), datagrams(answers) as port:
        assert probed(DnsCheck, options, port, 0.5) == result


def test_what_is_too_long_for_a_datagram_is_asked_for_by_tcp(probed: Callable[..., Result]) -> None:
    def serve(client: socket.socket) -> None:
        packet = client.recv(65536)
        reply = named(packet[2:], "192.0.2.1")
        client.sendall(len(reply).to_bytes(2, "big") + reply)

    with peer(serve) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, server.port))

        def answer() -> None:
            packet, client = sock.recvfrom(65536)
            sock.sendto(named(packet, truncated=True), client)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        assert probed(DnsCheck, A | {"expect": ("192.0.2.1",)}, server.port) == Passed()
        thread.join()


def test_a_name_that_cannot_be_asked_for_is_said(probed: Callable[..., Result]) -> None:
    found = probed(DnsCheck, {"name": "a..b"}, 9)
    assert str(found).startswith("'a..b' cannot be asked for: ")


# PING_CHECK


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_host_that_answers_is_healthy(probed: Callable[..., Result], address: str) -> None:
    with no_leak():
        assert probed(PingCheck, {"payload_size": 64}, 0, 2.0, address) == Passed()


def test_who_does_not_answer_has_its_time() -> None:
    assert outcome(PingCheck(), Target(HOST, 0, 0.2, dial=Deaf())) == Failed("timed out")


class Deaf:
    """A dial whose sockets hear nothing."""

    def connect(self, address: str, port: int, deadline: float, *_: Any) -> Any:
        """A socket of a pair."""
        sock, self._other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.settimeout(deadline - monotonic())
        return sock


# Harm


def flood(piece: bytes) -> Any:
    def script(client: socket.socket) -> None:
        for each in repeat(piece):
            client.sendall(each)

    return script


def drip(client: socket.socket) -> None:
    gone = threading.Event()
    while not gone.wait(0.02):
        client.sendall(b"x")


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


HARM = [flood(b"220-x\r\n"), flood(b"y" * 5000), flood(b"\0"), drip, reset, lambda client: client.recv(1 << 20)]


@pytest.mark.parametrize("script", HARM)
@pytest.mark.parametrize(
    ("kind", "options"), [(SmtpCheck, {}), (SmtpCheck, {"tls": True}), (TcpCheck, {"expect": "^never$"})]
)
def test_every_harm_ends_in_time_with_a_reason_and_in_little_memory(
    probed: Callable[..., Result], kind: type, options: dict[str, Any], script: Any
) -> None:
    with peer(script) as server:
        start()
        reset_peak()
        began = monotonic()
        found = probed(kind, options, server.port, 0.3)
        seconds, peak = monotonic() - began, get_traced_memory()[1]
        stop()
    assert isinstance(found, Failed)
    assert seconds < 2
    assert peak < 1_500_000
