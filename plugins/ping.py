"""PING_CHECK: does the host answer to ICMP?"""

from os import urandom
from socket import AF_INET6, SOCK_RAW
from typing import Any

from dpkt.icmp import ICMP
from dpkt.icmp6 import ICMP6

from plugins.api import Failed, Passed, Target, checker, option

REQUEST, REPLY = 8, 0
REQUEST6, REPLY6 = 128, 129
MOST_FOREIGN = 1000
"""Answers to look at that are to others: root's sockets hear them all, and a flood would let nothing else run."""


@checker("PING_CHECK", aims="host")
class PingCheck:
    """Healthy when an echo request is answered, with the same payload."""

    payload_size: int = option(128, help="bytes sent", unit="bytes", min=16, max=1400)

    def probe(self, target: Target) -> Passed:
        """Ask once, and wait for that answer."""
        with target.connect(icmp=True) as sock:
            six, raw = sock.family == AF_INET6, sock.type & 0xF == SOCK_RAW
            mine = urandom(self.payload_size)  # by which the answer is known
            sock.send(_request(six, mine))
            for _ in range(MOST_FOREIGN):
                if _answered(sock.recv(65536), six, raw) == mine:
                    return Passed()
        raise Failed("only answers to others")


def _request(six: bool, payload: bytes) -> bytes:
    """An echo request; the kernel fills in what it knows better: the id, and of IPv6 the checksum."""
    kind: Any = ICMP6 if six else ICMP
    echo = kind.Echo(id=int.from_bytes(payload[:2], "big"), seq=1, data=payload)
    return bytes(kind(type=REQUEST6 if six else REQUEST, data=echo))


def _answered(packet: bytes, six: bool, raw: bool) -> bytes:
    """The payload of an echo reply, nothing of any other packet."""
    if raw and not six:
        packet = packet[4 * (packet[0] & 0xF) :] if packet else b""
    is_reply = len(packet) >= 8 and packet[0] == (REPLY6 if six else REPLY) and packet[1] == 0
    return packet[8:] if is_reply else b""
