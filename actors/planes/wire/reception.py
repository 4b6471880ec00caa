"""What a raw socket receives, taken apart; nearly every advert is as one before it, and is not taken apart again."""

import socket
from collections.abc import Hashable
from typing import Any

from actors.core.packet import decode_datagram
from actors.core.packet_values import AH_PROTOCOL, PROTOCOL, Reject
from actors.planes.network import Received

LENGTH = 8192
"""Bytes read of a packet: more than an advert of 255 addresses has. What is cut off fits no length that it tells."""

ANCILLARY = 256

REMEMBERED = 1024
"""Packets kept in mind: of each router on the wire one or two, but for floods of forged ones, which push them out."""


class Reception:
    """Reads the packets of one family from a socket, which gives the IP header too when that is IPv4."""

    def __init__(self, sock: Any, family: int, protocol: int = PROTOCOL) -> None:
        self._socket = sock
        self._family = family
        self._protocol = protocol
        self._known: dict[Hashable, Received] = {}

    def read(self) -> Received | Reject:
        """The next packet. Raises OSError, BlockingIOError when there is none."""
        if self._family == 4:
            datagram = self._socket.recv(LENGTH)
            if self._protocol == AH_PROTOCOL:  # no two are alike
                return received_4(datagram, AH_PROTOCOL)
            key = essence(datagram)
            return self._known.get(key) or self._learn(key, received_4(datagram))
        data, ancillary, _, sender = self._socket.recvmsg(LENGTH, ANCILLARY)
        key = (data, sender[0], *ancillary)
        return self._known.get(key) or self._learn(key, received_6(data, ancillary, sender[0]))

    def _learn(self, key: Hashable, received: Received | Reject) -> Received | Reject:
        if isinstance(received, Received):
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = received
        return received


def essence(datagram: bytes) -> Hashable:
    """What is equal for IPv4 datagrams that differ in their identification and in nothing else.

    The header's checksum loses what the identification gains: their sum is the same as long as the checksum is right.
    """
    counted = int.from_bytes(datagram[4:6]) + int.from_bytes(datagram[10:12])
    return counted % 0xFFFF, datagram[:4] + datagram[6:10] + datagram[12:]


def received_4(datagram: bytes, protocol: int = PROTOCOL) -> Received | Reject:
    """A datagram with its header, whole where that is authenticated too."""
    found = decode_datagram(datagram, protocol)
    if isinstance(found, Reject):
        return found
    header = found.header
    raw = header.raw if protocol == AH_PROTOCOL else b""
    return Received(found.pdu, header.source, header.destination, header.ttl, raw)


def received_6(data: bytes, ancillary: list[tuple[int, int, bytes]], sender: str) -> Received:
    """A payload, and what the socket tells of its header."""
    facts = {kind: value for level, kind, value in ancillary if level == socket.IPPROTO_IPV6}
    hops = facts.get(socket.IPV6_HOPLIMIT)
    destination = facts.get(socket.IPV6_PKTINFO, b"")[:16].ljust(16, b"\0")
    return Received(
        data,
        sender.partition("%")[0],
        socket.inet_ntop(socket.AF_INET6, destination),
        int.from_bytes(hops, "little") if hops else None,
    )
