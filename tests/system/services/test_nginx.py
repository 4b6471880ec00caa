"""HTTP_GET and SSL_GET against Debian's nginx: pages, credentials, JSON, virtual hosts by SNI, kept connections."""

import base64
import hashlib
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import SHUT_WR
from typing import Any, NamedTuple

import pytest

from plugins.api import Degraded, Failed, Passed, Session, Target, build
from plugins.http import HttpGet, SslGet
from tests.plugins.certificates import certificate
from tests.system.lab import free_ports
from tests.system.services.cutting import judge_cuts
from tests.system.services.servers import accepts, asked, folder, own, server

CONF = """
worker_processes 1;
daemon off;
pid {home}/pid;
error_log {home}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log {home}/access.log combined;
    client_body_temp_path {home}/a; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c;
    uwsgi_temp_path {home}/d; scgi_temp_path {home}/e;
    default_type text/plain;
    server {{
        listen 127.0.0.1:{plain};
        location = / {{ return 200 "welcome\\n"; }}
        location = /json {{ return 200 '{{"status": {{"db": [{{"up": true, "name": "one"}}, {{"up": false}}]}}}}'; }}
        location = /agent {{ return 200 "$request_method $http_x_team $http_host"; }}
        location = /posted {{ client_max_body_size 1m; return 200 "$content_length"; }}
        location = /down {{ return 503; }}
        location = /private {{ auth_basic "staff"; auth_basic_user_file {home}/users; try_files /page =404; }}
        location /old {{ return 302 /json; }}
        root {home};
    }}
    server {{
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {home}/cert.pem; ssl_certificate_key {home}/key.pem;
        location / {{ return 200 "first"; }}
    }}
    server {{
        listen 127.0.0.1:{tls} ssl;
        server_name second.example;
        ssl_certificate {home}/second.pem; ssl_certificate_key {home}/second.key;
        location / {{ return 200 "second"; }}
    }}
}}
"""


class Ports(NamedTuple):
    """Of plain HTTP, of TLS, and one where nobody listens."""

    plain: int
    tls: int
    none: int


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    with folder() as home:
        at = Ports(*free_ports(3))
        (home / "nginx.conf").write_text(CONF.format(home=home, **at._asdict()))
        digest = base64.b64encode(hashlib.sha1(b"sesame", usedforsecurity=False).digest()).decode()
        (home / "users").write_text(f"alice:{{SHA}}{digest}\n")
        (home / "page").write_text("for staff\n")
        _short_lived(home)
        own(home)
        with server(["nginx", "-p", str(home), "-c", str(home / "nginx.conf")], home, lambda: accepts(at.tls)):
            yield at


def _short_lived(home: Path) -> None:
    """A certificate that is valid for three days."""
    files = ["-keyout", str(home / "second.key"), "-out", str(home / "second.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run([*command, "-subj", "/CN=second.example", "-days", "3", *files], check=True, capture_output=True)


def url(path: str = "/", **options: Any) -> tuple[tuple[str, Any], ...]:
    return (("path", path), *options.items())


def json(path: str, value: str = "") -> tuple[tuple[str, str], ...]:
    return (("path", path), ("value", value))


WELCOME = hashlib.md5(b"welcome\n", usedforsecurity=False).hexdigest()
STAFF = {"username": "alice", "password": "sesame"}


@pytest.mark.parametrize(
    ("page", "options", "result"),
    [
        (url(), {}, Passed()),
        (url(digest=WELCOME), {}, Passed()),
        (url(digest="0" * 32), {}, Failed("/: the body's digest differs")),
        (url(method="HEAD"), {}, Passed()),
        (url("/down"), {}, Failed("/down: status 503")),
        (url("/down", status_code=((503, 503),)), {}, Passed()),
        (url("/private"), {}, Failed("/private: status 401")),
        (url("/private", regex="for staff"), STAFF, Passed()),
        (url("/private"), STAFF | {"password": "guessed"}, Failed("/private: status 401")),
        (url("/json", json=(json(".status.db[0].up"), json("status.db[0].name", "one"))), {}, Passed()),
        (url("/json", json=(json(".status.db[1].up"),)), {}, Failed("/json: .status.db[1].up is false")),
        (url("/json", json=(json(".status.db[1].up", "false"),)), {}, Passed()),
        (
            url("/json", json=(json(".status.db[0].name[0]"),)),
            {},
            Failed("/json: .status.db[0].name[0] is not in the body's JSON"),
        ),
        (url("/json", json=(json("status.cache"),)), {}, Failed("/json: status.cache is not in the body's JSON")),
        (url(json=(json("status"),)), {}, Failed("/: the body is no JSON")),
        (url("/agent", method="OPTIONS", header=("X-Team: red",), regex="^OPTIONS red "), {}, Passed()),
        (url("/posted", method="POST", body="0123456789", regex="^10$"), {}, Passed()),
        (url(regex="WELCOME", regex_options=("caseless",)), {}, Passed()),
        (url(regex="elcome", regex_options=("anchored",)), {}, Failed("/: regex not found in the body")),
        (url(regex="welcome", regex_options=("anchored",)), {}, Passed()),
        (url(regex="welcom", regex_options=("endanchored",)), {}, Failed("/: regex not found in the body")),
        (url(regex="welc.me", regex_options=("literal",)), {}, Failed("/: regex not found in the body")),
        (url(regex="welcome", regex_min_offset=1), {}, Failed("/: regex not found in the body")),
        (url(regex="welcome", regex_max_offset=3), {}, Failed("/: regex not found in the body")),
        (url("/old"), {}, Failed("/old: status 302")),
        (url("/old", regex="status"), {"follow_redirects": 1}, Passed()),
        (url(), {"latency_limit": 5.0}, Passed()),
        (
            url(),
            {"latency_limit": 0.000001, "degraded_weight": 10},
            Degraded(10, "/: slower than 1e-06 s"),
        ),
    ],
)
@pytest.mark.parametrize("keeps", [False, True])
def test_a_page_is_as_it_should_be(ports: Ports, page: Any, options: dict[str, Any], result: Any, keeps: bool) -> None:
    assert asked(HttpGet, ports.plain, url=(page,), keep_alive=keeps, **options) == result


@pytest.mark.parametrize(
    ("page", "options", "result"),
    [
        (url(regex="first"), {}, Passed()),
        (url(regex="second", virtualhost="second.example"), {"sni_name": "second.example"}, Passed()),
        (url(regex="second", virtualhost="second.example"), {"enable_sni": True}, Passed()),
        (url(), {"verify": True}, Failed("/: certificate not accepted: self-signed certificate")),
        (url(), {"verify": True, "ca": certificate()[0]}, Passed()),
        (url(), {"tls_compliant": True}, Passed()),
        (url(), {"certificate_days": 1, "sni_name": "second.example"}, Passed()),
    ],
)
@pytest.mark.parametrize("keeps", [False, True])
def test_a_page_through_tls(ports: Ports, page: Any, options: dict[str, Any], result: Any, keeps: bool) -> None:
    assert asked(SslGet, ports.tls, url=(page,), keep_alive=keeps, **options) == result


def test_a_certificate_that_is_about_to_expire_degrades(ports: Ports) -> None:
    end = asked(SslGet, ports.tls, url=(url(),), certificate_days=14, sni_name="second.example")
    assert end == Degraded(50, f"the certificate expires on {datetime.now(UTC) + timedelta(3):%Y-%m-%d}")
    assert 2.5 < end.metrics["certificate_days"] <= 3


def test_down_is_down(ports: Ports) -> None:
    refused = Failed("/: connect: Connection refused")
    assert asked(HttpGet, ports.none, url=(url(),)) == refused


@pytest.mark.parametrize("kind", [HttpGet, SslGet])
def test_a_kept_connection_serves_every_check_until_the_server_closes_it(ports: Ports, kind: type) -> None:
    port = ports.plain if kind is HttpGet else ports.tls
    session = Session(build(kind, (("url", (url(), url("/x", status_code=((200, 404),)))), ("keep_alive", True))))
    sources = []
    for _ in range(3):
        target = Target("127.0.0.1", port)
        assert session.probe(target) == Passed()
        ((_, sock),) = session._client.open.items()
        sources.append(sock.getsockname())
    assert len(set(sources)) == 1
    (getattr(sock, "_sock", sock)).shutdown(SHUT_WR)
    assert session.probe(Target("127.0.0.1", port)) == Passed()
    session.close()


def test_cut_off_at_any_byte_it_fails_until_all_that_is_needed_has_come(ports: Ports) -> None:
    judge_cuts(HttpGet, ports.plain, url=(url("/json", json=(json(".status.db[0].up"),)),))
    judge_cuts(SslGet, ports.tls, 60, url=(url(),))
