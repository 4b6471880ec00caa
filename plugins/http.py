"""HTTP_GET and SSL_GET: does the web server answer as it should?

Requests and keywords are keepalived's. Unlike there, all urls are fetched in one run and under one time limit, a
chunked body is decoded before it is judged, and a body that ends early is a failure. `httptools` parses; memory is
bounded.
"""

from dataclasses import replace
from hashlib import md5
from typing import Any
from urllib.parse import urljoin, urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from plugins.api import Failed, Passed, Target, Tls, block, checker, explain, option
from plugins.services.patterns import SECONDS, compiled

HEADER_LIMIT = 16 * 1024
"""Bytes that headers, interim answers and trailers may have together; keepalived allows 4095 of headers."""

_CHUNK = 16 * 1024
_LENIENCIES = {"lenient_data_after_close": True, "lenient_optional_cr_before_lf": True}  # neither harms a judgement
_REDIRECTS = (301, 302, 303, 307, 308)
_HOST = r"[A-Za-z0-9._:\[\]-]+"


@block
class Url:
    """One request, and what its answer must be. All that is given must hold."""

    path: str = option(help="what to ask for", pattern=r"/[!-~]*")
    digest: str = option("", help="MD5 of the body in hexadecimal, as genhash prints it", pattern=r"[0-9A-Fa-f]{32}|")
    status_code: tuple[tuple[int, int], ...] = option(((200, 299),), help="accepted answers", min=100, max=599)
    regex: str = option("", help="must be found in the body", kind="pattern", aliases=("regexpect",))
    regex_no_match: bool = option(False, help="the regex must not be found")
    virtualhost: str = option("", help="Host header, instead of the checker's", pattern=_HOST + "|")


@checker("HTTP_GET")
class HttpGet:
    """Healthy when every url is answered with an accepted status, and the digest and regex given for it hold."""

    urls: tuple[Url, ...] = option(block=Url, name="url", help="a request to make, one or more")
    virtualhost: str = option("", help="Host header; the address and port when empty", pattern=_HOST + "|")
    http_protocol: str = option("1.0", help="HTTP version; C asks to close", choices=("1.0", "1.0C", "1.0c", "1.1"))
    follow_redirects: int = option(0, help="redirects followed, always to this same server", min=0, max=20)
    max_body: int = option(256 * 1024, help="largest body", unit="bytes", min=0, max=16 * 1024 * 1024)

    def probe(self, target: Target) -> Passed:
        """Fetch and judge each url in turn; the first that is wrong is the failure."""
        for url in self.urls:
            try:
                _judge(url, self._follow(target, url))
            except Failed as failed:
                raise Failed(f"{url.path}: {failed.detail}") from None
            except OSError as error:
                raise Failed(f"{url.path}: {explain(error)}") from None
        return Passed()

    def tls(self, url: Url) -> Tls | None:
        """How to encrypt: not at all."""
        return None

    def _follow(self, target: Target, url: Url) -> "Reply":
        for _ in range(self.follow_redirects):
            reply = self.fetch(target, url)
            if reply.status not in _REDIRECTS or not reply.location:
                return reply
            url = _redirected(url, reply.location, self.tls(url) is not None)
        return self.fetch(target, url)

    def fetch(self, target: Target, url: Url) -> "Reply":
        """The whole answer to one request, no redirect followed. Raises `Failed` for what is none, and OSError."""
        reply = Reply(self.max_body)
        with target.connect(self.tls(url)) as sock:
            sock.sendall(self._request(target, url))
            while not reply.done:
                reply.feed(sock.recv(_CHUNK))
        return reply

    def _request(self, target: Target, url: Url) -> bytes:
        address = f"[{target.address}]" if ":" in target.address else target.address
        host = url.virtualhost or self.virtualhost or f"{address}:{target.port}"
        close = "" if self.http_protocol == "1.0" else "Connection: close\r\n"
        version = self.http_protocol[:3]
        return f"GET {url.path} HTTP/{version}\r\nUser-Agent: KeepAliveClient\r\n{close}Host: {host}\r\n\r\n".encode()


@checker("SSL_GET")
class SslGet(HttpGet):
    """As HTTP_GET, through TLS. Certificates are accepted unseen, as keepalived does, unless `verify` is given."""

    enable_sni: bool = option(False, help="send the virtualhost as server name")
    sni_name: str = option("", help="server name to send, instead of the virtualhost", pattern=r"[A-Za-z0-9._-]+|")
    verify: bool = option(False, help="the certificate must be valid for the server name, or else the address")
    ca: str = option("", help="file of the authorities to trust, instead of the system's")
    certificate: str = option("", help="file with a certificate to show when asked")
    key: str = option("", help="file with its private key, unless that is in the certificate's file")

    def tls(self, url: Url) -> Tls | None:
        """keepalived's order of names: sni_name, then the url's virtualhost, then the checker's."""
        name = self.sni_name
        if not name and (self.enable_sni or self.verify):
            name = _without_port(url.virtualhost or self.virtualhost)
        return Tls(name, self.verify, self.ca, self.certificate, self.key)


class Reply:
    """An answer while it arrives: the parser's callbacks, and the limits. ``headers`` are in order."""

    def __init__(self, max_body: int) -> None:
        self.status = 0
        self.location = ""
        self.headers: list[tuple[bytes, bytes]] = []
        self.done = False
        self._max_body = max_body
        self._parts: list[bytes] = []
        self._fed = self._size = 0
        self._in_body = self._framed = False
        self._parser: Any = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(**_LENIENCIES)

    @property
    def body(self) -> bytes:
        """What has come of the body, chunks put together."""
        return b"".join(self._parts)

    def feed(self, data: bytes) -> None:
        """Take what was received, nothing at the end of the stream. Raises `Failed` for what is no good answer."""
        if not data:
            self._end()
            return
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.done = True
        except HttpParserError as error:
            if not self.done:  # behind the answer there may be anything
                raise Failed(f"not an HTTP answer: {error}") from None
        self._check_size()

    def on_message_begin(self) -> None:
        if not self.done:
            self._framed, self.location, self.headers = False, "", []

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.done and not self._in_body:
            self.headers.append((name, value))
        name = name.lower()
        if name == b"content-length" or (name == b"transfer-encoding" and b"chunked" in value.lower()):
            self._framed = True
        elif name == b"location" and not self._in_body:
            self.location = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if not self.done:
            self.status = self._parser.get_status_code()
            self._in_body = self.status >= 200

    def on_body(self, data: bytes) -> None:
        if not self.done:
            self._parts.append(data)
            self._size += len(data)

    def on_message_complete(self) -> None:
        # An interim answer (100 Continue, 103 Early Hints) is followed by the real one.
        self.done = self.done or self.status >= 200 or self.status == 101

    def _check_size(self) -> None:
        if self._size > self._max_body:
            raise Failed(f"body larger than {self._max_body} bytes")
        # A chunk of one byte takes six: whatever is beyond eight for each of the body is headers or trailers.
        if not self.done and self._fed > HEADER_LIMIT + 8 * self._size:
            raise Failed(f"more than {HEADER_LIMIT} bytes of headers")

    def _end(self) -> None:
        if not self._fed:
            raise Failed("closed without an answer")
        if not self._in_body:
            raise Failed("closed within the headers")
        if self._framed:
            raise Failed("closed before the end of the body")
        self.done = True


def digest_of(body: bytes) -> str:
    """What ``digest`` stands for: MD5 in hexadecimal, as keepalived has it. It proves nothing; it tells a change."""
    return md5(body, usedforsecurity=False).hexdigest()


def _judge(url: Url, reply: Reply) -> None:
    if not any(low <= reply.status <= high for low, high in url.status_code):
        raise Failed(f"status {reply.status}")
    if url.digest and digest_of(reply.body) != url.digest.lower():
        raise Failed("the body's digest differs")
    if url.regex and _is_found(url.regex, reply.body) == url.regex_no_match:
        raise Failed(f"regex {'found' if url.regex_no_match else 'not found'} in the body")


def _is_found(pattern: str, body: bytes) -> bool:
    try:
        return compiled(pattern).search(body, timeout=SECONDS) is not None
    except TimeoutError:
        raise Failed(f"regex takes more than {SECONDS:g} s on this body: make it simpler") from None


def _redirected(url: Url, location: str, encrypted: bool) -> Url:
    """What to ask this same server for next."""
    scheme = "https" if encrypted else "http"
    try:
        to = urlsplit(urljoin(f"{scheme}://{url.virtualhost or '-'}{url.path}", location))
    except ValueError:
        raise Failed("redirected to what is no location") from None
    path = (to.path or "/") + (f"?{to.query}" if to.query else "")
    if to.scheme != scheme:
        raise Failed(f"redirected to {to.scheme}")
    if not (path + to.netloc).isascii() or not (path + to.netloc).isprintable() or " " in path + to.netloc:
        raise Failed("redirected to what is no location")
    return replace(url, path=path, virtualhost="" if to.netloc == "-" else to.netloc)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, _, port = host.rpartition(":")
    return name if port.isdigit() and ":" not in name else host
