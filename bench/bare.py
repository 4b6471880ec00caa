"""Peers to measure against: a bare epoll loop that does the work of checks and nothing else, and servers to be checked.

``python bench/bare.py --rate 1000 --kind tcp --seconds 3`` prints CPU microseconds a check for the bare loop, for the
plugins over the cooperative dial in plain greenlets, and for plain gevent sockets. Each peer and each server is a
process of its own. Checks fall due together, `TICK` apart, as they do in the daemon.
"""

import argparse
import json
import select
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, process_time
from typing import Any

ROOT = str(Path(__file__).resolve().parent.parent)
sys.path.insert(0, ROOT) if ROOT not in sys.path else None

HOST = "127.0.0.1"
TICK = 0.005
KINDS = ("tcp", "http", "tls")
PEERS = ("bare", "dial", "gevent")
BODY = b"x" * 100
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n" + BODY
REQUEST = b"GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 127.0.0.1\r\n\r\n"

Start = Callable[[], None]


class Score:
    """Checks that have passed and failed so far."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def count(self, passed: bool) -> None:
        """Enter one result."""
        self.passed += passed
        self.failed += not passed


def measure(peer: str, kind: str, rate: float, seconds: float, port: int) -> dict[str, float]:
    """CPU microseconds per check of ``peer`` at ``rate`` checks a second, with how many passed and failed."""
    command = [sys.executable, __file__, "--peer", peer, "--kind", kind, "--rate", str(rate)]
    command += ["--seconds", str(seconds), "--port", str(port)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


@contextmanager
def serving(kind: str) -> Iterator[int]:
    """A server for ``kind`` in a process of its own; gives its port on loopback. It ends with its standard input."""
    command = [sys.executable, __file__, "--serve", kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.stdin.close()


def make_certificate(folder: str) -> tuple[str, str]:
    """A self-signed P-256 certificate for localhost and 127.0.0.1, by the openssl command: its file and its key's."""
    certificate, key = f"{folder}/certificate.pem", f"{folder}/key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


# ---------------------------------------------------------------- servers


def serve(kind: str) -> None:
    """Accept, answer each request once, close; print the port first. Returns when standard input closes."""
    listener = socket.create_server((HOST, 0), backlog=4096)
    listener.setblocking(False)
    context = _server_context() if kind == "tls" else None
    print(listener.getsockname()[1], flush=True)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    poll.register(sys.stdin, select.EPOLLIN)
    clients: dict[int, socket.socket] = {}
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == listener.fileno():
                _accept(listener, context, poll, clients)
            elif descriptor == sys.stdin.fileno():
                return
            elif _answer(clients[descriptor]):
                clients.pop(descriptor).close()


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        context.load_cert_chain(*make_certificate(folder))
    return context


def _accept(listener: socket.socket, context: Any, poll: "select.epoll", clients: dict[int, socket.socket]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            return
        client.setblocking(False)
        if context is not None:
            client = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        clients[client.fileno()] = client
        poll.register(client, select.EPOLLIN)


def _answer(client: socket.socket) -> bool:
    """Whether all is said to this client."""
    try:
        if isinstance(client, ssl.SSLSocket):
            client.do_handshake()
        if client.recv(4096):
            client.send(ANSWER)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    return True


# ---------------------------------------------------------------- the bare loop


class BareLoop:
    """One epoll object, one dict of sockets, and as little else as the work allows."""

    def __init__(self, kind: str, port: int, score: Score) -> None:
        self._address = (HOST, port)
        self._score = score
        self._poll = select.epoll()
        self._clients: dict[int, tuple[socket.socket, Callable[[Any], bool | None]]] = {}
        self._connected = {"tcp": self._connected_tcp, "http": self._connected_http, "tls": self._connected_tls}[kind]
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE

    def start(self) -> None:
        """Begin one check."""
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        client.connect_ex(self._address)
        descriptor = client.fileno()
        self._clients[descriptor] = (client, self._connected)
        self._poll.register(descriptor, select.EPOLLOUT)

    def run(self, rate: float, seconds: float) -> None:
        """Begin what is due at each tick, serve sockets in between."""
        due = 0.0
        tick = monotonic()
        end = tick + seconds
        while tick < end:
            now = monotonic()
            if now >= tick:
                tick += TICK
                due += rate * TICK
                while due >= 1:
                    due -= 1
                    self.start()
            self._serve(max(0.0, tick - monotonic()))

    def _serve(self, timeout: float) -> None:
        for descriptor, _ in self._poll.poll(timeout):
            client, step = self._clients[descriptor]
            try:
                passed = step(client)
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
            if passed is not None:
                self._score.count(passed)
                self._clients.pop(descriptor)[0].close()

    def _connected_tcp(self, client: socket.socket) -> bool:
        return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0

    def _connected_http(self, client: socket.socket) -> bool | None:
        if client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return False
        client.send(REQUEST)
        self._clients[client.fileno()] = (client, self._received)
        self._poll.modify(client.fileno(), select.EPOLLIN)
        return None

    def _connected_tls(self, client: socket.socket) -> bool | None:
        if client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return False
        descriptor = client.fileno()
        wrapped = self._context.wrap_socket(client, do_handshake_on_connect=False, server_hostname="localhost")
        self._clients[descriptor] = (wrapped, self._shake)
        self._poll.modify(descriptor, select.EPOLLIN)
        self._shake(wrapped)
        return None

    def _shake(self, client: Any) -> bool | None:
        client.do_handshake()
        client.send(REQUEST)
        self._clients[client.fileno()] = (client, self._received)
        return None

    def _received(self, client: socket.socket) -> bool:
        return client.recv(16384).startswith(b"HTTP/1.1 200")


# ---------------------------------------------------------------- greenlets


def run_greenlets(check: Callable[[], bool], rate: float, seconds: float, score: Score) -> None:
    """Run ``check`` in greenlets that are used again and again, as the daemon's are; same ticks as `BareLoop.run`."""
    import gevent
    from greenlet import getcurrent, greenlet

    hub = gevent.get_hub()
    idle: list[greenlet] = []
    due = 0.0

    def work() -> None:
        while True:
            score.count(check())
            idle.append(getcurrent())
            hub.switch()

    def tick() -> None:
        nonlocal due
        due += rate * TICK
        while due >= 1:
            due -= 1
            (idle.pop() if idle else greenlet(work, hub)).switch()

    timer = hub.loop.timer(TICK, TICK)
    timer.start(tick)
    gevent.sleep(seconds)
    timer.close()


def dialled(kind: str, port: int) -> Callable[[], bool]:
    """A check by the plugin of ``kind`` over the cooperative dial."""
    from actors.runtime.dial import CooperativeDial
    from plugins.api import Passed, Target, build, outcome
    from plugins.http import HttpGet, SslGet
    from plugins.tcp import TcpCheck

    dial = CooperativeDial()
    options = () if kind == "tcp" else (("url", ((("path", "/"),),)),)
    sni = (("sni_name", "localhost"),) if kind == "tls" else ()
    plugin = build({"tcp": TcpCheck, "http": HttpGet, "tls": SslGet}[kind], options + sni)
    return lambda: isinstance(outcome(plugin, Target(HOST, port, 5.0, dial=dial)), Passed)


def plain_gevent(kind: str, port: int) -> Callable[[], bool]:
    """The same work by the patched standard library."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    def check() -> bool:
        with socket.create_connection((HOST, port), 5.0) as sock:
            if kind == "tcp":
                return True
            with context.wrap_socket(sock, server_hostname="localhost") if kind == "tls" else sock as stream:
                stream.sendall(REQUEST)
                return stream.recv(16384).startswith(b"HTTP/1.1 200")

    return check


# ---------------------------------------------------------------- command line


def run_peer(peer: str, kind: str, rate: float, seconds: float, port: int) -> dict[str, float]:
    """What `measure` gives, in this process. A quarter of a second goes before the clock starts."""
    score = Score()
    if peer == "bare":
        loop = BareLoop(kind, port, score)
        run: Callable[[float], None] = lambda seconds: loop.run(rate, seconds)  # noqa: E731
    else:
        from gevent import monkey

        monkey.patch_all()
        check = (dialled if peer == "dial" else plain_gevent)(kind, port)
        run = lambda seconds: run_greenlets(check, rate, seconds, score)  # noqa: E731
    run(0.25)
    score.passed = score.failed = 0
    before = process_time()
    run(seconds)
    spent = process_time() - before
    return {
        "cpu_us": spent * 1e6 / max(1, score.passed + score.failed),
        "passed": score.passed,
        "failed": score.failed,
    }


def main() -> None:
    """Measure the peers side by side, or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kind", choices=KINDS, default="tcp")
    parser.add_argument("--rate", type=float, default=1000, help="checks a second")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    parser.add_argument("--serve", choices=KINDS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
    elif given.peer:
        print(json.dumps(run_peer(given.peer, given.kind, given.rate, given.seconds, given.port)))
    else:
        with serving(given.kind) as port:
            for peer in PEERS:
                figure = measure(peer, given.kind, given.rate, given.seconds, port)
                print(f"{peer:7} {figure['cpu_us']:7.1f} us CPU a check, {figure['failed']:.0f} failed", flush=True)


if __name__ == "__main__":
    main()
