"""Those who look on all the time: a client of the service, and somebody who asks a program whether its loop turns."""

import json
import socket
import threading
import time
from pathlib import Path

from tests.system.netns import VIP, Host
from tests.system.tap import inside

REQUEST = b"GET / HTTP/1.0\r\n\r\n"
PAUSE = 0.005
"""Seconds between two requests of the client."""

GLANCE = 0.05
"""Seconds between two questions to a program."""

QUESTION = json.dumps({"ask": "why", "id": "notify"}).encode() + b"\n"
"""Answered by main alone: no other process is waited for."""


class Client:
    """Asks the virtual address all the time, from a host of its own."""

    def __init__(self, host: Host) -> None:
        self.good = self.bad = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=inside, args=(host, self._ask))
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(PAUSE):
            if fetch():
                self.good += 1
            else:
                self.bad += 1


def fetch() -> bool:
    """Whether there is an answer at the virtual address."""
    try:
        with socket.create_connection((VIP, 80), timeout=0.5) as client:
            client.sendall(REQUEST)
            return b"200 OK" in client.recv(4096)
    except OSError:
        return False


class Glances:
    """How long a program took to answer; a program that is not there is not asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._over = threading.Event()
        self._slow: list[tuple[float, float]] = []
        self._excused: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def excuse(self, began: float) -> None:
        """From ``began`` (monotonic) until now it could not answer: it was stopped."""
        self._excused.append((began, time.monotonic()))

    def stalls(self, limit: float) -> list[float]:
        """Every time without an answer for longer than ``limit`` seconds, in which it was not excused."""
        return [
            until - since
            for since, until in self._slow
            if until - since > limit and not any(began < until and ended > since for began, ended in self._excused)
        ]

    def _look(self) -> None:
        while not self._over.is_set():
            try:
                with socket.socket(socket.AF_UNIX) as line:
                    line.settimeout(30)
                    line.connect(str(self._path))
                    self._keep_asking(line)
            except OSError:
                self._over.wait(GLANCE)

    def _keep_asking(self, line: socket.socket) -> None:
        reader = line.makefile("rb")
        while not self._over.is_set():
            began = time.monotonic()
            self._over.wait(GLANCE)
            late = time.monotonic() - began - GLANCE  # this program was not served for that long either
            asked = time.monotonic()
            line.sendall(QUESTION)
            if not reader.readline():
                raise ConnectionResetError("it has ended")
            self._slow.append((asked, time.monotonic() - 2 * late))
            self._slow = [each for each in self._slow if each[1] - each[0] > GLANCE]
