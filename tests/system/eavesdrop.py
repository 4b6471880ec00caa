"""Who says that it has which address: a program that hears it on an interface, and how a test reads it.

``python3 -S -E eavesdrop.py INTERFACE`` writes a line for each gratuitous ARP and each neighbour advertisement that
comes in: the time, and the whole frame as hexadecimal digits.
"""

import socket
import sys
import time
from typing import Any

if __name__ != "__main__":
    from tests.system.lab import until
    from tests.system.netns import Host

ETH_P_ALL = 3
OUTGOING = 4
"""linux/if_packet.h: PACKET_OUTGOING, a frame of this machine's own."""


def is_announcement(frame: bytes) -> bool:
    """Whether it is an ARP packet about its sender, or a neighbour advertisement (ICMPv6 type 136)."""
    kind = frame[12:14]
    if kind == b"\x08\x06":
        return frame[28:32] == frame[38:42]
    return kind == b"\x86\xdd" and frame[20] == 58 and frame[54] == 136


def listen(interface: str) -> None:
    """Write until killed."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.bind((interface, ETH_P_ALL))
    print("listening", flush=True)
    while True:
        frame, sender = sock.recvfrom(2048)
        if sender[2] != OUTGOING and is_announcement(frame):
            print(f"{time.time():.6f} {frame.hex()}", flush=True)


class Ear:
    """The program on an interface of a host; for use in a ``with`` block, which ends it."""

    def __init__(self, host: "Host", path: Any, interface: str = "eth0") -> None:
        self._file = path / f"{host.name}-{interface}"
        self._host = host
        self._interface = interface

    def __enter__(self) -> "Ear":
        with self._file.open("wb") as out:
            self._process = self._host.run("python3", "-S", "-E", __file__, self._interface, stdout=out)
        until(lambda: self._file.read_text().startswith("listening\n"))
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def heard(self, mac: str = "") -> list[tuple[float, bytes]]:
        """When each frame came, and the frame; of one sender if so asked."""
        lines = (line.split() for line in self._file.read_text().splitlines(keepends=True)[1:] if line.endswith("\n"))
        frames = [(float(at), bytes.fromhex(data)) for at, data in lines]
        own = bytes.fromhex(mac.replace(":", ""))
        return [(at, frame) for at, frame in frames if not mac or frame[6:12] == own]


if __name__ == "__main__":
    listen(sys.argv[1])
