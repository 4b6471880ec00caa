"""Measures the userspace plane beside a plain gevent proxy that does the same work, in turns, in one run.

    python -m bench.proxy [--seconds 3]

The plain one is what anybody would write: a greenlet for each direction, recv of 64 KiB, sendall. Client, server and
each proxy are processes of their own; CPU time is that of the proxy alone, as the scheduler counted it.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import gevent
from gevent import socket as gevent_socket
from gevent.server import StreamServer

from actors.core.table import AddDestination, AddService, Destination, Service, ServiceKey
from actors.planes.userspace import UserspacePlane

HOST = "127.0.0.1"
CHUNK = 65536
BATCH = 32
"""Connections that a client has open at once."""
ROUNDS = 3
ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100
MIB = 1 << 20


class Row(NamedTuple):
    """What one round showed: work done a second, and CPU seconds of the proxy for each piece of work."""

    rate: float
    cost: float


def serve() -> None:
    """Answers ``s`` with one short answer, and ``b`` with bytes without end."""
    listener = socket.create_server((HOST, 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    block = bytes(MIB)
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                if connection.recv(100).startswith(b"b"):
                    while True:
                        connection.sendall(block)
                connection.sendall(ANSWER)
            except OSError:
                continue


def plain(server: int) -> None:
    """The proxy to compare with."""

    def pump(source: gevent_socket.socket, sink: gevent_socket.socket) -> None:
        try:
            while data := source.recv(CHUNK):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            sink.close()

    def join(client: gevent_socket.socket, _: object) -> None:
        with gevent_socket.create_connection((HOST, server)) as upstream:
            back = gevent.spawn(pump, upstream, client)
            pump(client, upstream)
            back.join()

    proxy = StreamServer((HOST, 0), join, backlog=1024)
    proxy.start()
    print(proxy.server_port, flush=True)
    gevent.wait()


def ours(server: int) -> None:
    """The plane under test."""
    with socket.create_server((HOST, 0)) as probe:
        key = ServiceKey(4, HOST, probe.getsockname()[1], "tcp")
    plane = UserspacePlane()
    plane.open()
    plane.apply(AddService(Service(key)))
    plane.apply(AddDestination(key, Destination(HOST, server)))
    print(key.port, flush=True)
    gevent.wait()


def short(port: int, until: float) -> int:
    """Connections made, used for one request, and closed."""
    done = 0
    while time.perf_counter() < until:
        open_now = [socket.create_connection((HOST, port)) for _ in range(BATCH)]
        for connection in open_now:
            connection.sendall(b"short\r\n\r\n")
        for connection in open_now:
            while connection.recv(CHUNK):
                pass
            connection.close()
        done += BATCH
    return done


def bulk(port: int, until: float) -> float:
    """MiB received over one connection."""
    received, buffer = 0, bytearray(MIB)
    with socket.create_connection((HOST, port)) as connection:
        connection.sendall(b"bulk\r\n\r\n")
        while time.perf_counter() < until:
            received += connection.recv_into(buffer)
    return received / MIB


def measured(work: Callable[[int, float], float], pid: int, port: int, seconds: float) -> Row:
    """One round of ``work`` through the proxy ``pid``."""
    started, spent = time.perf_counter(), cpu_of(pid)
    done = work(port, started + seconds)
    return Row(done / (time.perf_counter() - started), (cpu_of(pid) - spent) / done)


def cpu_of(pid: int) -> float:
    """Seconds that a process has run, by the scheduler's own nanoseconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


@contextmanager
def process(*words: str) -> Iterator[tuple[int, int]]:
    """A process of this program: its pid and the port that it listens on."""
    child = subprocess.Popen([sys.executable, "-m", "bench.proxy", *words], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield child.pid, int(child.stdout.readline())
    finally:
        child.kill()
        child.wait()


def compare(seconds: float) -> None:
    """Print the table: the median of the rounds."""
    with ExitStack() as stack:
        _, server = stack.enter_context(process("--as", "server"))
        proxies = {name: stack.enter_context(process("--as", name, "--to", str(server))) for name in ("ours", "plain")}
        print(f"{'':22}{'rate':>12} {'':10}{'proxy CPU':>12}   (median of {ROUNDS} rounds, {os.cpu_count()} CPUs)")
        for work, unit, scale, cost in ((short, "requests/s", 1e6, "us/conn"), (bulk, "MiB/s", 1e3, "ms/MiB")):
            rows: dict[str, list[Row]] = {name: [] for name in proxies}
            for _ in range(ROUNDS):
                for name, (pid, port) in proxies.items():
                    rows[name].append(measured(work, pid, port, seconds))
            for name, found in rows.items():
                rate, spent = (statistics.median(column) for column in zip(*found, strict=True))
                print(f"{work.__name__:8}{name:14}{rate:12.0f} {unit:10}{spent * scale:12.2f} {cost}", flush=True)


def main() -> None:
    """Compare, or be one of the processes that are compared."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a round")
    parser.add_argument("--as", dest="part", choices=("server", "ours", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("--to", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part is None:
        compare(arguments.seconds)
    elif arguments.part == "server":
        serve()
    else:
        {"ours": ours, "plain": plain}[arguments.part](arguments.to)


if __name__ == "__main__":
    main()
