"""``understudyctl genhash`` beside keepalived's own, on the same pages of one server, plain and through TLS."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from plugins.api import Failed, Passed, Target, build, outcome
from plugins.http import HttpGet, SslGet
from tests.plugins.certificates import server_context
from tests.system.lab import ROOT

BODIES = {
    "/": b"<html>hello</html>\n",
    "/empty": b"",
    "/one": b"x",
    "/crlf": b"a\r\n\r\nb\r\n\r\n",
    "/nul": bytes(range(256)),
    "/head": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "/query?a=b&c=%20d": b"asked",
    "/4095": b"y" * 4095,
    "/4096": b"y" * 4096,
    "/4097": b"y" * 4097,
    "/64k": sha256(b"1").digest() * 2048,
    "/200k": sha256(b"2").digest() * 6400,
    "/missing": b"there is nothing here",
    "/broken": b"it is not you",
    "/moved": b"elsewhere",
    "/utf8": "grüße\n".encode(),
    "/close": b"until the end\n",
    "/close-64k": sha256(b"3").digest() * 2048,
    "/close-empty": b"",
    "/host": b"",
}
STATUS = {"/missing": 404, "/broken": 500, "/moved": 302}


class Pages(BaseHTTPRequestHandler):
    """Answers with `BODIES`; ``/host`` with the Host header. Pages that begin with ``/close`` have no length."""

    def do_GET(self) -> None:
        body = self.headers["Host"].encode() if self.path == "/host" else BODIES[self.path]
        self.send_response(STATUS.get(self.path, 200))
        self.send_header("Content-Type", "text/html")
        if not self.path.startswith("/close"):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module", params=["plain", "TLS"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, ...]]:
    """The words by which either genhash finds it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as made:
        if request.param == "TLS":
            made.socket = server_context().wrap_socket(made.socket, server_side=True)
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield ("-s", "127.0.0.1", "-p", str(made.server_port), *(["-S"] if request.param == "TLS" else []))
        made.shutdown()
        thread.join()


def said(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout


def ours(*words: str) -> str:
    return said(sys.executable, "-m", "actors.ctl", "genhash", *words)


@pytest.mark.parametrize("path", BODIES)
def test_both_say_the_same_digest(server: tuple[str, ...], path: str) -> None:
    theirs = said("genhash", *server, "-u", path)
    assert len(theirs) == 33
    assert ours(*server, "-u", path) == theirs


def test_both_say_the_same_with_a_virtual_host_and_another_protocol(server: tuple[str, ...]) -> None:
    for more in (
        ("-V", "www.example.org"),
        ("-P", "1.1"),
        ("-P", "1.0c"),
        ("--use-virtualhost", "a.b", "--protocol", "1.1"),
    ):
        assert ours(*server, "-u", "/host", *more) == said("genhash", *server, "-u", "/host", *more)


def test_a_checker_takes_the_digest_that_keepalived_says_and_no_other(server: tuple[str, ...]) -> None:
    said_digest = said("genhash", *server, "-u", "/nul").strip()
    checker = SslGet if "-S" in server else HttpGet
    for digest, expected in ((said_digest, Passed()), ("0" * 32, Failed("/nul: the body's digest differs"))):
        made = build(checker, (("url", ((("path", "/nul"), ("digest", digest)),)),))
        assert outcome(made, Target("127.0.0.1", int(server[3]), timeout=5)) == expected


def test_verbose_shows_the_answer_and_what_to_paste(server: tuple[str, ...]) -> None:
    lines = ours(*server, "-v", "-u", "/missing", "-V", "www.example.org").splitlines()
    keyword = "SSL_GET" if "-S" in server else "HTTP_GET"
    digest = said("genhash", *server, "-u", "/missing").strip()
    assert lines[0] == "status 404"
    assert "Content-Type: text/html" in lines
    assert any(line.startswith("0000  74 68 65 72 65") and line.endswith("  there is nothing") for line in lines)
    inside = [
        "    url {",
        "        path /missing",
        "        status_code 404",
        "        virtualhost www.example.org",
        f"        digest {digest}",
        "    }",
        "}",
    ]
    named = [f"RT_{keyword} NAME {{", *inside, ""]
    assert lines[-18:] == [
        *named,
        "    # or, within a real_server:",
        f"    {keyword} {{",
        *(f"    {line}" for line in inside),
    ]


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (("-s", "127.0.0.1", "-p", "1", "-u", "/"), 1, "genhash: Connection refused\n"),
        (("-s", "nowhere", "-p", "1", "-u", "/"), 1, "genhash: "),
        (("-s", "127.0.0.1", "-p", "1", "-u", "no-slash"), 2, "a path begins with a slash and has no blanks"),
        (("-s", "127.0.0.1", "-p", "1"), 2, "Missing option '-u'"),
    ],
)
def test_what_cannot_be_asked_for_is_an_error(words: tuple[str, ...], status: int, reason: str) -> None:
    command = [sys.executable, "-m", "actors.ctl", "genhash", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, reason in done.stderr, done.stdout) == (status, True, ""), done.stderr
