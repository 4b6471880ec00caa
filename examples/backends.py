"""Backends to balance: ``python examples/backends.py 8001 8002 8003`` serves HTTP, with ``--tcp`` lines.

Each is a process of its own on 127.0.0.1, so that one can be killed: the others serve on, and all end with the process
that started them.
"""

import argparse
import contextlib
import ctypes
import os
import signal
import socket
import socketserver
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NoReturn

PR_SET_PDEATHSIG = 1


class Page(BaseHTTPRequestHandler):
    """Every page says who serves it. A connection is for one page, so that the next may come from another backend."""

    def do_GET(self) -> None:
        """Answer."""
        body = b"hello from backend %d\n" % port_of(self.server)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: checkers ask every second."""


class Lines(socketserver.StreamRequestHandler):
    """Every line comes back with the name of who read it."""

    def handle(self) -> None:
        """Serve one connection until it is closed or reset."""
        with contextlib.suppress(ConnectionError):
            for line in self.rfile:
                self.wfile.write(b"backend %d: %b" % (port_of(self.server), line))


class HttpServer(ThreadingHTTPServer):
    """Takes a burst of connections."""

    request_queue_size = 128


class LineServer(socketserver.ThreadingTCPServer):
    """Takes a burst of connections."""

    request_queue_size = 128
    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    """Serve until all backends have ended, or this process is told to end."""
    parser = argparse.ArgumentParser(description="Demo backends on 127.0.0.1, one process a port.")
    parser.add_argument("ports", type=int, nargs="+", metavar="PORT")
    parser.add_argument("--tcp", action="store_true", help="a plain line server instead of HTTP")
    parser.add_argument("--free", action="store_true", help="only say which of the ports are taken: exit code 1")
    words = parser.parse_args()
    if words.free:
        sys.exit(taken(words.ports))
    end_with_parent()
    pids = {serve(server): port_of(server) for server in listening(words.ports, words.tcp)}
    for number in (signal.SIGTERM, signal.SIGINT):
        # A shell that starts this in its background has the terminal's interrupt ignored: then the parent ends it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: end(*pids))
    for pid, port in pids.items():
        print(f"backend {port}: pid {pid}", flush=True)
    while pids:
        pid, _ = os.wait()
        print(f"backend {pids.pop(pid)} has ended", flush=True)


def taken(ports: list[int]) -> str | None:
    """A sentence that names the ports that somebody listens on; None when all are free."""
    found = []
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                found.append(str(port))
    return f"taken on 127.0.0.1 by another program: port {', '.join(found)}" if found else None


def end(*pids: int) -> None:
    """Tell the backends to end."""
    for pid in pids:
        os.kill(pid, signal.SIGTERM)


def port_of(server: socketserver.BaseServer) -> int:
    """Where it listens."""
    return int(server.server_address[1])  # type: ignore[index]


def listening(ports: list[int], tcp: bool) -> list[socketserver.TCPServer]:
    """A server for each port; exits with a sentence if one cannot be had."""
    kind, answers = (LineServer, Lines) if tcp else (HttpServer, Page)
    servers: list[socketserver.TCPServer] = []
    for port in ports:
        try:
            servers.append(kind(("127.0.0.1", port), answers))
        except (OSError, OverflowError) as error:
            sys.exit(f"backends: cannot listen on 127.0.0.1:{port}: {error}")
    return servers


def serve(server: socketserver.TCPServer) -> int:
    """Fork a process that serves; its id."""
    pid = os.fork()
    if pid == 0:
        run(server)
    server.socket.close()
    return pid


def run(server: socketserver.TCPServer) -> NoReturn:
    """In the forked process: serve until told to end."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server.serve_forever()
    os._exit(0)


def end_with_parent() -> None:
    """Have the kernel send TERM when the parent ends, however it does."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("backends: the parent has ended already")


if __name__ == "__main__":
    main()
