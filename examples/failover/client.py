"""The client: ``client.py ADDRESS`` asks port 8080 every few milliseconds, come what may, and tells what became of it.

A line for each request: when it was sent, when it was answered or given up (monotonic seconds), and by whom; ``-`` is
nobody. Nothing is asked twice: a request that fails is lost.
"""

import sys
import time

import gevent
from gevent import socket

PORT = 8080
EVERY = 0.005
PATIENCE = 0.3
"""Seconds that a request may take from its connection to its answer."""


def main() -> None:
    """Ask until killed. A request that is late does not delay the next."""
    address = sys.argv[1]
    due = time.monotonic()
    while True:
        gevent.spawn(ask, address)
        due += EVERY
        gevent.sleep(max(0.0, due - time.monotonic()))


def ask(address: str) -> None:
    """One request on a connection of its own."""
    sent = time.monotonic()
    try:
        with gevent.Timeout(PATIENCE, OSError("late")):
            name = fetch(address)
    except OSError:
        name = "-"
    print(f"{sent:.6f} {time.monotonic():.6f} {name or '-'}", flush=True)


def fetch(address: str) -> str:
    """The name of who answers."""
    with socket.create_connection((address, PORT)) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    return answer.rpartition(b"\r\n\r\n")[2].decode().strip()


if __name__ == "__main__":
    main()
