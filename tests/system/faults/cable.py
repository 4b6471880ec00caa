"""A bad cable: ``cable.py ONE OTHER SEED LOSS DELAY TWICE`` carries frames between two interfaces, until killed.

Run by itself in the namespace of the interfaces; it stands in for netem, which not every kernel has. ``LOSS`` and
``TWICE`` are shares of the frames, ``DELAY`` is the longest wait in seconds: frames that wait overtake each other.
"""

import heapq
import select
import socket
import sys
import time
from random import Random

SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
ETH_P_ALL = 3


class Cable:
    """Both directions of it."""

    def __init__(self, one: str, other: str, random: Random, loss: float, delay: float, twice: float) -> None:
        ends = plug(one), plug(other)
        self._across = {ends[0]: ends[1], ends[1]: ends[0]}
        self._random = random
        self._loss, self._delay, self._twice = loss, delay, twice
        self._waiting: list[tuple[float, int, socket.socket, bytes]] = []
        self._count = 0

    def run(self) -> None:
        """Carry frames."""
        while True:
            patience = max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None
            for end in select.select(list(self._across), [], [], patience)[0]:
                self._take(end.recv(1 << 17), self._across[end])
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, _, end, frame = heapq.heappop(self._waiting)
                put(end, frame)

    def _take(self, frame: bytes, to: socket.socket) -> None:
        copies = 0 if self._random.random() < self._loss else 1 + (self._random.random() < self._twice)
        for _ in range(copies):
            self._count += 1
            due = time.monotonic() + self._random.random() * self._delay
            heapq.heappush(self._waiting, (due, self._count, to, frame))


def plug(interface: str) -> socket.socket:
    """An end in an interface. Frames come and go with what the kernel notes of them: checksums may be still to do."""
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    for name in (PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING):
        end.setsockopt(SOL_PACKET, name, 1)
    end.bind((interface, ETH_P_ALL))
    return end


def put(end: socket.socket, frame: bytes) -> None:
    """What does not fit is lost, as it is on a cable."""
    try:
        end.send(frame)
    except OSError:
        return


if __name__ == "__main__":
    first, second, seed, *shares = sys.argv[1:]
    Cable(first, second, Random(seed), *map(float, shares)).run()
