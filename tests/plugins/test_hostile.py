"""Servers that mean harm, or know no better: each probe ends in time, with a clear reason, and leaks nothing."""

import threading
from contextlib import suppress
from itertools import repeat
from time import monotonic

import gevent
import pytest

from actors.runtime.dial import CooperativeDial, NativeDial
from plugins.api import Failed, Passed, Target, build, outcome
from plugins.http import HttpGet, SslGet
from tests.plugins.certificates import certificate, server_context
from tests.plugins.peers import no_leak, peer

LIMIT = 0.3
HEAD = b"HTTP/1.1 200 OK\r\n"
URL = (("url", ((("path", "/"),),)),)


def flood(first, piece):
    """Send ``first``, then ``piece`` for ever."""

    def script(client):
        client.recv(1000)
        client.sendall(first)
        for each in repeat(piece):
            client.sendall(each)

    return script


def drip(first):
    """Send ``first``, then a byte now and then."""

    def script(client):
        client.recv(1000)
        client.sendall(first)
        gone = threading.Event()
        while not gone.wait(0.02):
            client.sendall(b"x")

    return script


def say(answer):
    """Send ``answer`` and close."""

    def script(client):
        client.recv(1000)
        client.sendall(answer)

    return script


def silence(client):
    """Accept, read, and never answer."""
    while client.recv(1000):
        pass


def reset(client):
    """Close with the request unread, which the kernel makes a reset."""
    client.recv(1)


HOSTILE = [
    (silence, "/: timed out"),
    (drip(b""), "/: not an HTTP answer: Expected HTTP/, RTSP/ or ICE/"),
    (drip(HEAD + b"X: "), "/: timed out"),
    (drip(HEAD + b"\r\n"), "/: timed out"),
    (drip(HEAD + b"Content-Length: 1000\r\n\r\n"), "/: timed out"),
    (flood(HEAD, b"X: y\r\n" * 1000), "/: more than 16384 bytes of headers"),
    (flood(HEAD + b"X: ", b"y" * 5000), "/: more than 16384 bytes of headers"),
    (flood(HEAD + b"\r\n", b"y" * 5000), "/: body larger than 262144 bytes"),
    (flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\ny\r\n" * 1000), "/: body larger than 262144 bytes"),
    (flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"e" * 5000), "/: more than 16384 bytes of headers"),
    (flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nT: ", b"t" * 5000), "/: more than 16384 bytes of headers"),
    (flood(b"", b"\x00\xff" * 500), "/: not an HTTP answer: Expected HTTP/, RTSP/ or ICE/"),
    (lambda client: None, None),
    (reset, None),
    (say(HEAD + b"Content-Length: 9\r\n\r\nx"), "/: closed before the end of the body"),
    (say(b""), "/: closed without an answer"),
]


def in_greenlet(work):
    """What ``work(dial)`` gives, in a greenlet over the cooperative dial."""
    return gevent.spawn(lambda: work(CooperativeDial())).get()


def in_thread(work):
    """What ``work(dial)`` gives, in a native thread over the native dial."""
    results = []
    thread = threading.Thread(target=lambda: results.append(work(NativeDial())))
    thread.start()
    thread.join(2)
    return results[0]


gevent.get_hub().loop.timer(0)  # the hub's own descriptors are open before any are counted


@pytest.mark.parametrize("run", [in_greenlet, in_thread])
@pytest.mark.parametrize(("script", "failure"), HOSTILE)
def test_a_hostile_server_gets_a_reason_in_time(script, failure, run):
    plugin = build(HttpGet, URL)
    began = monotonic()
    with no_leak(), peer(script) as server:
        result = run(lambda dial: outcome(plugin, Target("127.0.0.1", server.port, LIMIT, dial=dial)))
    assert result == Failed(failure) if failure else isinstance(result, Failed)
    assert monotonic() - began < 1


@pytest.mark.parametrize("run", [in_greenlet, in_thread])
@pytest.mark.parametrize(
    ("script", "failure"),
    [
        (silence, "/: timed out"),
        (say(b"HTTP/1.1 400 Plain\r\n\r\n"), "/: TLS: wrong version number"),
        (say(b""), "/: TLS: unexpected eof while reading"),
    ],
)
def test_a_server_that_speaks_no_tls_gets_a_reason_in_time(script, failure, run):
    plugin = build(SslGet, URL)
    with no_leak(), peer(script) as server:
        result = run(lambda dial: outcome(plugin, Target("127.0.0.1", server.port, LIMIT, dial=dial)))
    assert result == Failed(failure)


@pytest.mark.parametrize("run", [in_greenlet, in_thread])
@pytest.mark.parametrize(
    ("more", "failure"),
    [
        ((), ""),
        ((("verify", True),), "certificate not accepted: self-signed certificate"),
        ((("verify", True), ("ca", "CERTIFICATE")), ""),
        ((("verify", True), ("ca", "CERTIFICATE"), ("sni_name", "localhost")), ""),
        (
            (("verify", True), ("ca", "CERTIFICATE"), ("sni_name", "other.example")),
            "certificate not accepted: Hostname mismatch, certificate is not valid for 'other.example'.",
        ),
        ((("ca", "/nowhere.pem"),), "No such file or directory: /nowhere.pem"),
        ((("sni_name", "." + "x" * 70),), "not a server name for TLS"),
    ],
)
def test_a_certificate_is_judged_only_when_asked(more, failure, run):
    more = tuple((name, certificate()[0] if value == "CERTIFICATE" else value) for name, value in more)
    plugin = build(SslGet, URL + more)
    with no_leak(), peer(say(HEAD + b"\r\nhello"), context=server_context()) as server:
        result = run(lambda dial: outcome(plugin, Target("127.0.0.1", server.port, 1, dial=dial)))
    if failure:
        assert isinstance(result, Failed)
        assert result.detail.startswith(f"/: {failure}")
    else:
        assert result == Passed()


def test_a_hostile_server_holds_up_nobody_else():
    plugin = build(HttpGet, URL)
    ends = []

    def probe(port, name):
        with suppress(Failed):
            outcome(plugin, Target("127.0.0.1", port, LIMIT, dial=CooperativeDial()))
        ends.append(name)

    with peer(silence) as bad, peer(say(HEAD + b"\r\nhello")) as good:
        gevent.joinall([gevent.spawn(probe, bad.port, "bad"), gevent.spawn(probe, good.port, "good")])
    assert ends == ["good", "bad"]
