"""HTTP_GET and SSL_GET: does the web server answer as it should?

Requests and keywords are keepalived's, and more. Unlike there, all urls are fetched in one run and under one time
limit, a chunked body is decoded before it is judged, and a body that ends early is a failure.
"""

from base64 import b64encode
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from plugins.api import Degraded, Failed, Passed, Result, Target, Tls, checker, explain, option
from plugins.web.certificate import not_after
from plugins.web.page import HOST, Url, judge, redirected
from plugins.web.reply import Reply

_CHUNK = 16 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
DAY = 86400.0


class Lines:
    """What is kept from one request to the next: connections, by the way they are encrypted, and when the first of the
    certificates expires that were seen."""

    def __init__(self) -> None:
        self.open: dict[Tls | None, Any] = {}
        self.expires: datetime | None = None


@checker("HTTP_GET")
class HttpGet:
    """Healthy when every url is answered with an accepted status, and all else that is given for it holds."""

    urls: tuple[Url, ...] = option(block=Url, name="url", help="a request to make, one or more")
    virtualhost: str = option("", help="Host header; the address and port when empty", pattern=HOST + "|")
    http_protocol: str = option("1.0", help="HTTP version; C asks to close", choices=("1.0", "1.0C", "1.0c", "1.1"))
    keep_alive: bool = option(False, bare=True, help="speak HTTP 1.1 and keep the connection for the next check")
    username: str = option("", help="of basic authentication", pattern=r"[^:\r\n]*")
    password: str = option("", help="of basic authentication", secret=True)
    latency_limit: float = option(0.0, kind="seconds", min=0, help="slower answers degrade; 0: none do", unit="s")
    degraded_weight: int = option(50, min=0, max=100, help="what degraded servers keep of their weight", unit="percent")
    follow_redirects: int = option(0, help="redirects followed, always to this same server", min=0, max=20)
    max_body: int = option(256 * 1024, help="largest body", unit="bytes", min=0, max=16 * 1024 * 1024)

    def setup(self) -> Lines:
        """What is kept."""
        return Lines()

    def probe(self, target: Target, lines: Lines) -> Result:
        """Fetch and judge each url in turn; the first that is wrong is the failure."""
        slowest, slow = 0.0, ""
        for url in self.urls:
            began = monotonic()
            try:
                judge(url, self._follow(target, url, lines))
            except Failed as failed:
                raise Failed(f"{url.path}: {failed.detail}") from None
            except OSError as error:
                raise Failed(f"{url.path}: {explain(error)}") from None
            if (took := monotonic() - began) > slowest:
                slowest, slow = took, url.path
        return self.weighed(slowest, slow, lines)

    def weighed(self, slowest: float, path: str, lines: Lines) -> Result:
        """What it means that the slowest answer took so many seconds."""
        metrics = {"slowest_seconds": slowest}
        if self.latency_limit and slowest > self.latency_limit:
            return Degraded(self.degraded_weight, f"{path}: slower than {self.latency_limit:g} s", metrics)
        return Passed(metrics=metrics)

    def tls(self, url: Url) -> Tls | None:
        """How to encrypt: not at all."""
        return None

    def look_at(self, sock: Any, url: Url, lines: Lines) -> None:
        """Nothing to see at a connection that has answered."""

    def _follow(self, target: Target, url: Url, lines: Lines) -> Reply:
        for _ in range(self.follow_redirects):
            reply = self.fetch(target, url, lines)
            if reply.status not in _REDIRECTS or not reply.location:
                return reply
            url = redirected(url, reply.location, self.tls(url) is not None)
        return self.fetch(target, url, lines)

    def fetch(self, target: Target, url: Url, lines: Lines | None = None) -> Reply:
        """The whole answer to one request, no redirect followed. Raises `Failed` for what is none, and OSError."""
        tls, lines = self.tls(url), lines or Lines()
        kept = lines.open.pop(tls, None)
        if kept is not None and _is_idle(target.resume(kept)):
            reply = Reply(self.max_body, url.method == "HEAD")
            try:
                return self._exchange(target, url, target.resume(kept), reply, lines)
            except (Failed, OSError) as error:
                if reply.begun or isinstance(error, TimeoutError):
                    raise
        if kept is not None:
            kept.close()  # as the server did meanwhile, or has said what nobody asked for
        reply = Reply(self.max_body, url.method == "HEAD")
        return self._exchange(target, url, target.connect(tls, keep=self.keep_alive), reply, lines)

    def _exchange(self, target: Target, url: Url, sock: Any, reply: Reply, lines: Lines) -> Reply:
        sock.sendall(self._request(target, url))
        while not reply.done:
            reply.feed(sock.recv(_CHUNK))
        self.look_at(sock, url, lines)
        if self.keep_alive and reply.keeps:
            lines.open[self.tls(url)] = sock
        else:
            sock.close()
        return reply

    def _request(self, target: Target, url: Url) -> bytes:
        address = f"[{target.address}]" if ":" in target.address else target.address
        host = url.virtualhost or self.virtualhost or f"{address}:{target.port}"
        close = [] if self.keep_alive or self.http_protocol == "1.0" else ["Connection: close"]
        version = "1.1" if self.keep_alive else self.http_protocol[:3]
        body = url.body.encode()
        lines = [
            f"{url.method} {url.path} HTTP/{version}",
            "User-Agent: KeepAliveClient",
            *close,
            f"Host: {host}",
            *self._authorization(),
            *url.header,
            *([f"Content-Length: {len(body)}"] if body or url.method in ("POST", "PUT", "PATCH") else []),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def _authorization(self) -> list[str]:
        if not self.username:
            return []
        return [f"Authorization: Basic {b64encode(f'{self.username}:{self.password}'.encode()).decode()}"]


@checker("SSL_GET")
class SslGet(HttpGet):
    """As HTTP_GET, through TLS. Certificates are accepted unseen, as keepalived does, unless `verify` is given."""

    enable_sni: bool = option(False, bare=True, help="send the virtualhost as server name")
    sni_name: str = option("", help="server name to send, instead of the virtualhost", pattern=r"[A-Za-z0-9._-]+|")
    verify: bool = option(False, help="the certificate must be valid for the server name, or else the address")
    ca: str = option("", help="file of the authorities to trust, instead of the system's")
    certificate: str = option("", help="file with a certificate to show when asked")
    key: str = option("", help="file with its private key, unless that is in the certificate's file")
    certificate_days: int = option(0, min=0, max=3650, help="degrades when the server's is valid for less", unit="days")
    tls_compliant: bool = option(False, help="the end of each answer must be TLS's own, no broken connection")

    def tls(self, url: Url) -> Tls | None:
        """keepalived's order of names: sni_name, then the url's virtualhost, then the checker's."""
        name = self.sni_name
        if not name and (self.enable_sni or self.verify):
            name = _without_port(url.virtualhost or self.virtualhost)
        return Tls(name, self.verify, self.ca, self.certificate, self.key)

    def look_at(self, sock: Any, url: Url, lines: Lines) -> None:
        """See how long the certificate is valid, and how the answer ended."""
        if self.certificate_days:
            expires = not_after(sock.getpeercert(binary_form=True) or b"")
            lines.expires = min(expires, lines.expires or expires)
        if (self.tls_compliant or url.tls_compliant) and not self.keep_alive:
            while sock.recv(_CHUNK):
                pass
            if not sock.ended_well:
                raise Failed("the connection broke off instead of ending TLS")

    def weighed(self, slowest: float, path: str, lines: Lines) -> Result:
        """The certificate speaks first."""
        expires, lines.expires = lines.expires, None
        result = super().weighed(slowest, path, lines)
        if expires is None:
            return result
        days = (expires - datetime.now(UTC)).total_seconds() / DAY
        result.metrics["certificate_days"] = days
        if days >= self.certificate_days:
            return result
        until = f"{expires:%Y-%m-%d}"
        return Degraded(self.degraded_weight, f"the certificate expires on {until}", result.metrics)


def _is_idle(sock: Any) -> bool:
    """Whether a kept connection is open and silent, as it should be."""
    sock.settimeout(0.0)
    try:
        sock.recv(1)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, _, port = host.rpartition(":")
    return name if port.isdigit() and ":" not in name else host
