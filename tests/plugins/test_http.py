"""HTTP_GET and SSL_GET: what is sent, and one table of replies; `test_hostile` has those that need a network."""

import gzip
import socket
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from time import sleep
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.api import Failed, Passed, Session, Target, Tls, build, outcome
from plugins.http import HttpGet, SslGet, _without_port
from plugins.web.certificate import not_after
from tests.plugins.certificates import certificate
from tests.plugins.peers import Wire, peer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
HELLO = md5(b"hello").hexdigest()


def http(*options: tuple[str, Any], urls: tuple[Any, ...] = ((("path", "/"),),)) -> HttpGet:
    made: HttpGet = build(HttpGet, (("url", urls), *options))
    return made


def probe(plugin: HttpGet, wire: Wire, address: str = "10.0.0.1") -> Passed | Failed:
    result = outcome(plugin, Target(address, 80, dial=wire))
    assert wire.open == 0
    return result


def answered(reply: bytes, *url: tuple[str, Any], step: int = 1 << 20) -> Passed | Failed:
    return probe(http(urls=((("path", "/"), *url),)), Wire(reply, step=step))


NONE = "/: not an HTTP answer: "
REPLIES = [
    # what is answered, what the url asks for, the failure ("" for none)
    (OK, (), ""),
    (b"HTTP/1.0 204 No Content\r\n\r\n", (), ""),
    (b"HTTP/1.1 299\r\nContent-Length: 0\r\n\r\n", (), ""),
    (b"HTTP/1.1 200 OK\n\nline feeds alone", (), ""),
    (b"HTTP/1.1 302 Found\r\nLocation: /in\r\nContent-Length: 0\r\n\r\n", (), "/: status 302"),
    (b"HTTP/1.1 503 Sorry\r\nContent-Length: 0\r\n\r\n", (), "/: status 503"),
    (b"HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n", (("status_code", ((200, 200), (401, 403))),), ""),
    (OK, (("status_code", ((401, 403),)),), "/: status 200"),
    (OK, (("digest", HELLO),), ""),
    (OK, (("digest", HELLO.upper()),), ""),
    (OK, (("digest", "0" * 32),), "/: the body's digest differs"),
    (b"HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\nhello", (("digest", HELLO),), "/: status 500"),
    (OK, (("regex", "^hel+o$"),), ""),
    (OK, (("regex", "HTTP"),), "/: regex not found in the body"),
    (OK, (("regex", "hell"), ("regex_no_match", True)), "/: regex found in the body"),
    (OK, (("regex", "heaven"), ("regex_no_match", True)), ""),
    (b"HTTP/1.1 200 OK\r\n\r\ntill closed", (("regex", "closed$"),), ""),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello more", (("digest", HELLO),), ""),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: t\r\n\r\n",
        (("digest", HELLO),),
        "",
    ),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK, (("digest", HELLO),), ""),
    (b"HTTP/1.1 101 Switch\r\nUpgrade: ws\r\nConnection: upgrade\r\n\r\n\x81\x05", (), "/: status 101"),
    (b"", (), "/: closed without an answer"),
    (b"HTTP/1.1 200 OK\r\nContent-", (), "/: closed within the headers"),
    (b"HTTP/1.1 100 Continue\r\n\r\n", (), "/: closed within the headers"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", (), "/: closed before the end of the body"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", (), "/: closed before the end of the body"),
    (b"SSH-2.0-OpenSSH_9\r\n", (), NONE + "Expected HTTP/, RTSP/ or ICE/"),
    (b"HTTP/1.1 2000 OK\r\n\r\n", (), NONE + "Invalid response status"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", (), NONE + "Invalid character in Content-Length"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", (), NONE + "Invalid character in chunk size"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"h" * 17000 + b"\r\n\r\n", (), "/: more than 16384 bytes of headers"),
    (b"HTTP/1.1 100 C\r\n\r\n" * 3000 + OK, (), "/: more than 16384 bytes of headers"),
    (b"HTTP/1.1 200 OK\r\n\r\n" + b"b" * 262145, (), "/: body larger than 262144 bytes"),
    (b"HTTP/1.1 200 OK\r\n\r\n" + b"b" * 262144, (), ""),
]


@pytest.mark.parametrize("step", [1 << 20, 1000, 1], ids=["whole", "pieces", "bytes"])
@pytest.mark.parametrize(("reply", "url", "failure"), REPLIES)
def test_a_reply_is_judged_alike_however_it_is_cut(reply, url, failure, step):
    if step == 1 and len(reply) > 100_000:
        step = 100
    assert answered(reply, *url, step=step) == (Failed(failure) if failure else Passed())


@given(st.integers(0, 200), st.binary(max_size=300), st.integers(1, 300))
def test_any_bytes_are_a_result(kept, junk, step):
    begin = b"HTTP/1.1 302 Found\r\nLocation: //x\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\nT: u\r\n\r\n"
    plugin = http(("follow_redirects", 1), urls=((("path", "/"), ("regex", "x+")),))
    wire = Wire(begin[:kept] + junk, OK, step=step)
    assert isinstance(probe(plugin, wire), (Passed, Failed))


def test_a_regex_that_would_take_years_is_a_failure_within_a_second():
    reply = b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 50_000
    failure = "/: regex takes more than 0.05 s on this body: make it simpler"
    assert answered(reply, ("regex", "(a+)+b")) == Failed(failure)


def test_a_regex_that_only_other_engines_know_is_a_failure_and_no_crash():
    result = answered(OK, ("regex", "(?P<n>"))
    assert isinstance(result, Failed)
    assert result.detail.startswith("/: regex cannot be used:")


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b"[" * 60_000, "the body's JSON is too deep"),
        (b"[" * 200_000, "more than 65536 bytes of JSON"),
        (b'{"a":' * 5000, "the body's JSON is too deep"),
        (b"[" + b"[]," * 30_000 + b"0]", "more than 65536 bytes of JSON"),
        (b'{"a": "' + b"[" * 1000 + b'"}', ""),
        (b"[1, 2", "the body is no JSON"),
        (b"\xff\xfe", "the body is no JSON"),
        (b"[" + b"[], " * 1000 + b"0]", ".a is not in the body's JSON"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "the body is no JSON"),
        (b'{"a": [1]}', ""),
    ],
)
def test_a_body_that_is_meant_to_hurt_whoever_reads_json_is_a_failure(body: bytes, failure: str) -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    expected = Failed(f"/: {failure}") if failure else Passed()
    assert answered(reply, ("json", ((("path", ".a"),),))) == expected


@pytest.mark.parametrize(
    ("page", "options", "request_"),
    [
        ((("method", "POST"), ("body", "é")), (), b"POST / HTTP/1.0\r\n%sContent-Length: 2\r\n\r\n\xc3\xa9"),
        ((("header", ("X-A: 1", "X-B:2")),), (), b"GET / HTTP/1.0\r\n%sX-A: 1\r\nX-B:2\r\n\r\n"),
        ((), (("keep_alive", True), ("http_protocol", "1.0C")), b"GET / HTTP/1.1\r\n%s\r\n"),
        ((), (("username", "a"), ("password", "b")), b"GET / HTTP/1.0\r\n%sAuthorization: Basic YTpi\r\n\r\n"),
    ],
)
def test_what_is_asked_for_beyond_keepaliveds_request(page: Any, options: Any, request_: bytes) -> None:
    wire = Wire(OK)
    outcome(http(*options, urls=((("path", "/"), *page),)), Target("10.0.0.1", 80, dial=wire))
    assert wire.sent == [request_ % b"User-Agent: KeepAliveClient\r\nHost: 10.0.0.1:80\r\n"]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_certificate_or_a_failure(data: bytes) -> None:
    with suppress(Failed):
        not_after(data)


@pytest.mark.parametrize("length", [0, 1, 5, 100, 300])
def test_a_certificate_that_is_cut_short_is_a_failure(length: int) -> None:
    der = PEM_cert_to_DER_cert(Path(certificate()[0]).read_text())
    assert not_after(der) > datetime.now(UTC)
    with pytest.raises(Failed, match="cannot be read"):
        not_after(der[:length])


def test_a_compressed_body_is_judged_as_it_came():
    body = gzip.compress(b"hello")
    reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + body
    assert answered(reply, ("digest", md5(body).hexdigest())) == Passed()


@pytest.mark.parametrize(
    ("protocol", "close", "version"),
    [("1.0", b"", b"1.0"), ("1.0C", b"Connection: close\r\n", b"1.0"), ("1.1", b"Connection: close\r\n", b"1.1")],
)
def test_the_request_is_keepaliveds(protocol, close, version):
    wire = Wire(OK)
    assert probe(http(("http_protocol", protocol)), wire) == Passed()
    head = b"GET / HTTP/" + version + b"\r\nUser-Agent: KeepAliveClient\r\n"
    assert wire.sent == [head + close + b"Host: 10.0.0.1:80\r\n\r\n"]


@pytest.mark.parametrize(
    ("address", "checker", "url", "host"),
    [
        ("10.0.0.1", "", "", b"10.0.0.1:80"),
        ("2001:db8::1", "", "", b"[2001:db8::1]:80"),
        ("10.0.0.1", "web.example", "", b"web.example"),
        ("10.0.0.1", "web.example", "www.example:8080", b"www.example:8080"),
    ],
)
def test_the_host_is_the_urls_then_the_checkers_then_the_address(address, checker, url, host):
    wire = Wire(OK)
    probe(http(("virtualhost", checker), urls=((("path", "/"), ("virtualhost", url)),)), wire, address)
    assert wire.sent[0].split(b"Host: ")[1] == host + b"\r\n\r\n"


def test_all_urls_must_be_right_and_the_first_that_is_not_is_named():
    urls = tuple((("path", path),) for path in ("/a", "/b", "/c"))
    wire = Wire(OK, b"HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n", OK)
    assert probe(http(urls=urls), wire) == Failed("/b: status 404")
    assert [request.split()[1] for request in wire.sent] == [b"/a", b"/b"]


def moved(location: bytes) -> bytes:
    return b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        (b"/in?a=b#c", (b"/in?a=b", b"10.0.0.1:80")),
        (b"in", (b"/deep/in", b"10.0.0.1:80")),
        (b"http://other.example/x", (b"/x", b"other.example")),
        (b"http://other.example", (b"/", b"other.example")),
    ],
)
def test_a_redirect_is_followed_on_the_same_server(location, asked):
    wire = Wire(moved(location), OK)
    assert probe(http(("follow_redirects", 1), urls=((("path", "/deep/a"),),)), wire) == Passed()
    words = wire.sent[1].split()
    assert (words[1], words[-1]) == asked


@pytest.mark.parametrize(
    ("answers", "failure"),
    [
        ((moved(b"/1"), moved(b"/2"), moved(b"/3")), "/: status 302"),
        ((moved(b"https://x/"),), "/: redirected to https"),
        ((moved(b"/a b"),), "/: redirected to what is no location"),
        ((moved(b"http://[::1"),), "/: redirected to what is no location"),
        ((moved(b"/\xe9"),), "/: redirected to what is no location"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_a_failure(answers, failure):
    assert probe(http(("follow_redirects", 2)), Wire(*answers)) == Failed(failure)


@pytest.mark.parametrize(
    ("options", "url_host", "name"),
    [
        ((), "", ""),
        ((("virtualhost", "a.example"),), "", ""),
        ((("enable_sni", True), ("virtualhost", "a.example:443")), "", "a.example"),
        ((("enable_sni", True), ("virtualhost", "a.example")), "b.example", "b.example"),
        ((("sni_name", "c.example"), ("enable_sni", True)), "b.example", "c.example"),
        ((("verify", True), ("virtualhost", "[::1]:443")), "", "::1"),
    ],
)
def test_the_server_name_is_chosen_as_keepalived_does(options, url_host, name):
    plugin = build(SslGet, (("url", ((("path", "/"), ("virtualhost", url_host)),)), *options))
    assert plugin.tls(plugin.urls[0]) == Tls(name, verify=dict(options).get("verify", False))


def test_a_host_loses_its_port_only():
    hosts = ("a", "a:1", "::1", "[::1]", "[::1]:1", "1.2.3.4:5")
    assert [_without_port(host) for host in hosts] == ["a", "a", "::1", "::1", "::1", "1.2.3.4"]


BAD = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"


def answers(*parts: bytes, pause: float = 0.0) -> Any:
    """A server that answers each question of a connection with the next of ``parts``."""

    def script(client: socket.socket) -> None:
        for part in parts:
            client.recv(4096)
            client.sendall(part)
            if pause:
                sleep(pause)
                client.sendall(OK)

    return script


@pytest.mark.parametrize("late", [False, True], ids=["with the first", "after it"])
def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one(late: bool) -> None:
    script = answers(OK, BAD, pause=0.05) if late else answers(OK + OK, BAD)
    session = Session(http(("keep_alive", True)))
    with peer(script) as server:
        assert session.probe(Target("127.0.0.1", server.port)) == Passed()
        sleep(0.2)
        # The connection that says too much is not used again; on a new one the first answer is good.
        assert session.probe(Target("127.0.0.1", server.port)) == Passed()
        assert len(server.clients) == 2
    session.close()


def test_on_a_kept_connection_each_question_has_its_answer() -> None:
    session = Session(http(("keep_alive", True)))
    with peer(answers(OK, BAD, OK)) as server:
        ends = [session.probe(Target("127.0.0.1", server.port)) for _ in range(2)]
        assert (ends, len(server.clients)) == ([Passed(), Failed("/: status 500")], 1)
    session.close()
