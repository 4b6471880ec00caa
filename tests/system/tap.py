"""A tap into a namespace: frames are put on a wire, and others are taken off it, below all protocols of a kernel."""

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from tests.packets import IPV4, IPV6
from tests.system.netns import Host

CLONE_NEWNET, SO_RCVBUFFORCE, SO_TIMESTAMPNS = 0x40000000, 33, 35


class Seen(NamedTuple):
    """A frame that arrived, and when (seconds since the epoch, by the kernel)."""

    at: float
    frame: bytes

    @property
    def kind(self) -> int:
        """The EtherType."""
        return int.from_bytes(self.frame[12:14])

    @property
    def vrid(self) -> int:
        """Of an advert's frame; else 0."""
        start = {IPV4: 34, IPV6: 54}.get(self.kind, len(self.frame))
        place = {IPV4: 23, IPV6: 20}.get(self.kind, 0)
        return self.frame[start + 1] if len(self.frame) > start + 1 and self.frame[place] == 112 else 0

    @property
    def priority(self) -> int:
        """Of an advert's frame."""
        return self.frame[36 if self.kind == IPV4 else 56]


class Tap:
    """An interface of a host, below its kernel's protocols; for use in a ``with`` block."""

    def __init__(self, host: Host, interface: str = "eth0") -> None:
        opened = partial(_packet_socket, interface)
        self._in, self._out = inside(host, lambda: tuple(map(opened, (3, 0))))  # 3: ETH_P_ALL
        self._in.setblocking(False)
        self._in.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._in.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        self.seen: list[Seen] = []

    def __enter__(self) -> "Tap":
        return self

    def __exit__(self, *_: object) -> None:
        self._in.close()
        self._out.close()

    def put(self, *frames: bytes) -> None:
        """Put frames on the wire, as they are."""
        for each in frames:
            self._out.send(each)

    def look(self) -> list[Seen]:
        """All that has arrived since the tap was made, but for what it put there itself."""
        while True:
            try:
                data, ancillary, _, where = self._in.recvmsg(2048, 256)
            except BlockingIOError:
                return self.seen
            if where[2] != 4:  # PACKET_OUTGOING
                seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
                self.seen.append(Seen(seconds + nanoseconds / 1e9, data))

    def adverts(self, vrid: int) -> list[Seen]:
        """Those that have arrived of one virtual router."""
        return [seen for seen in self.look() if seen.vrid == vrid]


def _packet_socket(interface: str, protocol: int) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((interface, protocol))
    return sock


def inside(host: Host, work: Callable[[], Any]) -> Any:
    """What ``work`` gives in the host's namespace: a thread enters it, and ends. A socket stays where it was made."""
    given: list[Any] = []

    def enter() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        where = os.open(f"/run/netns/{host.name}", os.O_RDONLY)
        try:
            assert libc.setns(where, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            given.append(work())
        finally:
            os.close(where)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return given[0]
