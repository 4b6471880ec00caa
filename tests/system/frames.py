"""VRRP by hand: frames built byte by byte, right or with a defect, and a tap that puts them on a wire.

Nothing of the program is used here: what it sends and accepts is judged by these bytes.
"""

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from typing import Any, NamedTuple

from tests.system.netns import Host

GROUP4, GROUP6 = "224.0.0.18", "ff02::12"
MACS = {GROUP4: "01005e000012", GROUP6: "333300000012"}
"""Where frames to the groups go (RFC 1112 6.4, RFC 2464 7)."""
IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
CLONE_NEWNET, SO_TIMESTAMPNS = 0x40000000, 35


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def number(address: str) -> bytes:
    return ip_address(address).packed


def v2(vrid: int, priority: int, *addresses: str, first: int = 0x21, count: int | None = None, auth_type: int = 0,
       interval: int = 1, auth: bytes = b"", add: int = 0) -> bytes:  # fmt: skip
    """A VRRPv2 message; ``add`` is added to its checksum."""
    fields = bytes([first, vrid, priority, len(addresses) if count is None else count, auth_type, interval])
    body = b"".join(map(number, addresses)) + auth.ljust(8, b"\0")
    return fields + ((checksum(fields + b"\0\0" + body) + add) & 0xFFFF).to_bytes(2) + body


def v3(vrid: int, priority: int, *addresses: str, first: int = 0x31, count: int | None = None, interval: int = 25,
       source: str = "10.99.0.1", destination: str = "", bare: bool = False, add: int = 0, more: bytes = b""
       ) -> bytes:  # fmt: skip
    """A VRRPv3 message, of IPv6 when ``source`` is; ``bare`` leaves the pseudo-header out of the checksum."""
    fields = bytes([first, vrid, priority, len(addresses) if count is None else count]) + interval.to_bytes(2)
    body = b"".join(map(number, addresses)) + more
    ends = number(source) + number(destination or (GROUP6 if ":" in source else GROUP4))
    before = b"" if bare else ends + struct.pack("!II", 8 + len(body), 112)
    return fields + ((checksum(before + fields + b"\0\0" + body) + add) & 0xFFFF).to_bytes(2) + body


def over4(message: bytes, source: str = "10.99.0.1", destination: str = GROUP4, *, ttl: int = 255, tos: int = 0xC0,
          identification: int = 1, fragment: int = 0, protocol: int = 112, options: bytes = b"", longer: int = 0,
          add: int = 0) -> bytes:  # fmt: skip
    """An IPv4 packet; ``longer`` is what its header tells too much, ``add`` is added to the header's checksum."""
    words = 5 + len(options) // 4
    told = words * 4 + len(message) + longer
    header = struct.pack("!BBHHHBBH", 0x40 | words, tos, told, identification, fragment, ttl, protocol, 0)
    header += number(source) + number(destination) + options
    return header[:10] + ((checksum(header) + add) & 0xFFFF).to_bytes(2) + header[12:] + message


def over6(
    message: bytes, source: str, destination: str = GROUP6, *, hops: int = 255, traffic_class: int = 0xC0
) -> bytes:
    """An IPv6 packet."""
    header = struct.pack("!IHBB", 6 << 28 | traffic_class << 20, len(message), 112, hops)
    return header + number(source) + number(destination) + message


def frame(packet: bytes, to: str = "", sender: str = "020000000001", pad: bytes = b"\0") -> bytes:
    """An Ethernet frame, filled up to 60 bytes with ``pad``; a multicast packet finds its own address."""
    six = packet[0] >> 4 == 6
    place = to or MACS[GROUP6 if six else GROUP4]
    whole = bytes.fromhex(place + sender) + (IPV6 if six else IPV4).to_bytes(2) + packet
    return whole + pad * (60 - len(whole))


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
        self._in.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
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
