"""What a host that takes no part hears of VRRP, and the laws that hold for all of it, whatever happens to routers."""

import struct
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tests.system.lab import until
from tests.system.netns import Host

LEEWAY = 0.8
"""Seconds that an advert may be late on a machine with a lot to do."""

CROSSING = 0.3
"""Seconds in which an advert is on its way at most, on such a machine."""

IPV4, IPV6, AH = 0x0800, 0x86DD, 51


class Advert(NamedTuple):
    """An advert on the wire: wall time and interval in seconds. ``source`` is the Ethernet address of its sender."""

    at: float
    source: str
    version: int
    vrid: int
    priority: int
    interval: float


class Recording:
    """All VRRP that reaches a host, from now on; it can be read at any time."""

    def __init__(self, host: Host, file: Path) -> None:
        self._file = file
        self._read = 24  # the header of the file
        self._adverts: list[Advert] = []
        words = ("tcpdump", "-i", "eth0", "-n", "-U", "--immediate-mode", "-w", str(file))
        quiet = subprocess.DEVNULL
        self._process = host.run(*words, "ip proto 112 or ip6 proto 112 or ip proto 51", stdout=quiet, stderr=quiet)
        until(lambda: file.exists() and file.stat().st_size >= self._read)

    def adverts(self, since: float = 0.0) -> list[Advert]:
        """Every advert so far that was sent after a moment of wall time."""
        with self._file.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        place = 0
        while len(data) >= place + 16:
            seconds, micros, size = struct.unpack_from("<III", data, place)
            frame = data[place + 16 : place + 16 + size]
            if len(frame) < size:
                break  # it is being written
            self._adverts.append(_parsed(seconds + micros / 1e6, frame))
            place += 16 + size
        self._read += place
        return [advert for advert in self._adverts if advert.at >= since]

    def leader(self) -> str:
        """Who sent the last advert, if it was no farewell."""
        adverts = self.adverts()
        return adverts[-1].source if adverts and adverts[-1].priority else ""

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


def _parsed(at: float, frame: bytes) -> Advert:
    source, kind = frame[6:12].hex(":"), int.from_bytes(frame[12:14], "big")
    behind = 24 if kind == IPV4 and frame[23] == AH else 0
    pdu = frame[14 + 4 * (frame[14] & 15) + behind :] if kind == IPV4 else frame[54:]
    version = pdu[0] >> 4
    interval = float(pdu[5]) if version == 2 else (int.from_bytes(pdu[4:6], "big") & 0xFFF) / 100
    return Advert(at, source, version, pdu[1], pdu[2], interval)


def leaders(adverts: list[Advert]) -> list[str]:
    """Who led, in order. Farewells do not count, nor does one advert of a leader that crossed its successor's first."""
    kept: list[Advert] = []
    spoken = [advert for advert in adverts if advert.priority]
    for this, following in zip(spoken, [*spoken[1:], None], strict=True):
        kept += [] if following and _crossed(kept[-2:], this, following) else [this]
    return [
        each.source for before, each in pairwise([None, *kept]) if each and (not before or before.source != each.source)
    ]


def _crossed(before: list[Advert], this: Advert, following: Advert) -> bool:
    """Whether an advert was sent before its successor's first had arrived."""
    speakers = [advert.source for advert in (*before, this, following)]
    old, new = this.source, following.source
    return speakers == [old, new, old, new] and this.at - before[-1].at < CROSSING


def silences(adverts: list[Advert]) -> list[str]:
    """Every time without adverts that was longer than the protocol allows."""
    return [
        f"{after.at - before.at:.2f} s between {before} and {after}: {_longest(before, after):.2f} s are allowed"
        for before, after in pairwise(adverts)
        if after.at - before.at > _longest(before, after) + LEEWAY
    ]


def _longest(before: Advert, after: Advert) -> float:
    """Seconds until the next advert, by the rules of RFC 3768 6.1 and RFC 5798 6.1."""
    skew = (256 - after.priority) / 256 * (1.0 if before.version == 2 else before.interval)
    if before.priority == 0:
        return skew
    return before.interval if before.source == after.source else 3 * before.interval + skew
