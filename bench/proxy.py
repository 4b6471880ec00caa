"""The userspace plane beside a plain gevent proxy: short connections, and bulk, through each, to the same server.

    python -m bench.proxy [--seconds 3]

Client, server and both proxies are processes of their own. CPU is the proxy's, user and system. A short connection
carries one small request and one small answer; bulk goes from server to client over four connections at once.
"""

import argparse
import resource
import selectors
import socket
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

SHORT, BULK = b"s", b"b"
ANSWER = b"x" * 512
CLIENTS = 16
STREAMS = 4
BLOCK = bytes(1 << 18)
MIB = 1 << 20


class Row(NamedTuple):
    """What one proxy did in one round."""

    rate: float
    cpu: float


def serve(ready: Connection) -> None:
    """The server: answers a short request and closes, or sends bulk until the client goes. One thread, epoll."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setblocking(False)
    ready.send(listener.getsockname()[1])
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            _attend(selector, listener, key.fileobj)


def _attend(selector: selectors.BaseSelector, listener: socket.socket, sock: Any) -> None:
    try:
        if sock is listener:
            sock = listener.accept()[0]
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ)
        elif selector.get_key(sock).events == selectors.EVENT_WRITE:
            sock.send(BLOCK)
        elif sock.recv(64) == BULK:
            selector.modify(sock, selectors.EVENT_WRITE)
        else:
            sock.send(ANSWER)
            selector.unregister(sock)
            sock.close()
    except BlockingIOError:
        return
    except OSError:
        selector.unregister(sock)
        sock.close()


def plain(ready: Connection, server: int) -> None:
    """A gevent proxy as it is usually written: two greenlets a connection, recv and sendall."""
    from gevent import monkey

    monkey.patch_all()
    import gevent
    from gevent.server import StreamServer

    def copy(source: Any, target: Any) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def handle(client: Any, address: Any) -> None:
        upstream = socket.create_connection(("127.0.0.1", server))
        for sock in (client, upstream):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        other = gevent.spawn(copy, client, upstream)
        copy(upstream, client)
        other.join()
        upstream.close()

    listener = StreamServer(("127.0.0.1", 0), handle, backlog=1024)
    listener.start()
    _answer_for_cpu(ready, listener.server_port)


def ours(ready: Connection, server: int) -> None:
    """The userspace plane with one service and one server."""
    from gevent import monkey

    monkey.patch_all()
    from actors.core.table import AddDestination, AddService, Destination, Service, ServiceKey
    from actors.planes.userspace import UserspacePlane

    plane = UserspacePlane()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    key = ServiceKey(4, "127.0.0.1", port, "tcp")
    plane.apply(AddService(Service(key)))
    plane.apply(AddDestination(key, Destination("127.0.0.1", server)))
    _answer_for_cpu(ready, port)


def _answer_for_cpu(ready: Connection, port: int) -> None:
    """Tell the port, then seconds of CPU whenever asked."""
    import gevent
    from gevent.socket import wait_read

    gevent.get_hub()
    ready.send(port)
    while True:
        wait_read(ready.fileno())
        ready.recv()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        ready.send(usage.ru_utime + usage.ru_stime)


def short(port: int, seconds: float) -> float:
    """Connections a second, `CLIENTS` at once: connect, ask, read to the end, close."""
    selector, done, end = selectors.DefaultSelector(), 0, time.monotonic() + seconds
    for _ in range(CLIENTS):
        _ask(selector, port)
    while time.monotonic() < end:
        for key, _ in selector.select():
            sock: Any = key.fileobj
            if not sock.recv(4096):
                selector.unregister(sock)
                sock.close()
                done += 1
                _ask(selector, port)
    _close_all(selector)
    return done / seconds


def _ask(selector: selectors.BaseSelector, port: int) -> None:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.send(SHORT)
    selector.register(sock, selectors.EVENT_READ)


def bulk(port: int, seconds: float) -> float:
    """MiB a second over `STREAMS` connections."""
    selector, size, end = selectors.DefaultSelector(), 0, time.monotonic() + seconds
    for _ in range(STREAMS):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.send(BULK)
        selector.register(sock, selectors.EVENT_READ)
    buffer = bytearray(1 << 20)
    while time.monotonic() < end:
        for key, _ in selector.select():
            size += key.fileobj.recv_into(buffer)  # type: ignore[union-attr]
    _close_all(selector)
    return size / MIB / seconds


def _close_all(selector: selectors.BaseSelector) -> None:
    for key in tuple(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    selector.close()


class Running(NamedTuple):
    """A process of the bench, its pipe, and the port it listens on."""

    process: Any
    pipe: Connection
    port: int

    def cpu(self) -> float:
        """Seconds of CPU it has used."""
        self.pipe.send(None)
        seconds: float = self.pipe.recv()
        return seconds


def start(target: Callable[..., None], *arguments: int) -> Running:
    """Start a process and wait until it listens."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=target, args=(there, *arguments), daemon=True)
    process.start()
    return Running(process, here, here.recv())


def measure(proxy: Running, work: Callable[[int, float], float], seconds: float) -> Row:
    """Rate of the work through the proxy, and the proxy's seconds of CPU for each unit of it."""
    before = proxy.cpu()
    rate = work(proxy.port, seconds)
    return Row(rate, (proxy.cpu() - before) / (rate * seconds))


def main() -> None:
    """Print the table: two rounds each way round, the better of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    seconds = parser.parse_args().seconds
    server = start(serve)
    proxies = {"ours": start(ours, server.port), "plain": start(plain, server.port)}
    print(f"{'':36}{'ours':>10}{'plain':>10}")
    for work, rate, cpu, scale in (
        (short, "short connections/s", "CPU us per short connection", 1e6),
        (bulk, "bulk MiB/s", "CPU ms per MiB", 1e3),
    ):
        rounds = {name: [] for name in proxies}  # type: dict[str, list[Row]]
        for names in (tuple(proxies), tuple(reversed(proxies))):
            for name in names:
                rounds[name].append(measure(proxies[name], work, seconds))
        fastest = [max(row.rate for row in rounds[name]) for name in proxies]
        cheapest = [min(row.cpu for row in rounds[name]) * scale for name in proxies]
        print(f"{rate:36}{fastest[0]:10.0f}{fastest[1]:10.0f}\n{cpu:36}{cheapest[0]:10.3f}{cheapest[1]:10.3f}")
    for running in (server, *proxies.values()):
        running.process.terminate()


if __name__ == "__main__":
    main()
