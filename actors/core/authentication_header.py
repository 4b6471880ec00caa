"""``auth_type AH``: adverts of VRRPv2 behind an IPsec authentication header, as keepalived has them.

RFC 2338 5.3.6.3 with HMAC-MD5-96 (RFC 2402, RFC 2403). keepalived's departures are the format: routers of one group
count in one sequence, and the check value covers the TTL of multicast.
"""

import hmac
from collections.abc import Callable, Iterable

import msgspec

from actors.core.packet import Ipv4, decode_advert, encode_advert, encode_datagram
from actors.core.packet_values import AH_PROTOCOL, PROTOCOL, Advert, Header, Reason, Reject, Remark, packed

AH_BYTES = 24
"""The header: next header, length, reserved, index of 4 bytes, sequence number of 4, check value of 12."""

VALUE_BYTES = 12
"""HMAC-MD5 is cut to 96 bits."""

START = bytes([PROTOCOL, AH_BYTES // 4 - 2, 0, 0])
"""What follows, and the length of the header in words less 2."""

BEGINNING = 1_577_836_800
"""1 January 2020, in seconds since 1970: what first numbers are counted from."""

PACE = 2
"""Numbers a second. VRRPv2 sends one advert a second, and now and then one more."""

LATEST = 1 << 31
"""The largest first number, reached in 2054 and by clocks that are wrong: half of all numbers are left after it."""


class HeaderKey(msgspec.Struct, frozen=True, tag=True):
    """The word, of which 8 bytes count."""

    word: bytes

    def __repr__(self) -> str:
        return "HeaderKey()"


class SealedHeader:
    """See `actors.core.authentication.Seal`. ``wall`` is seconds since 1970, and looked at once.

    The routers of a group share one sequence: each continues from the highest number that it has seen or sent, and
    hears nothing at or below it. A router that begins anew has seen nothing; what it says first counts from the clock,
    so that it does not depend on having heard what the others, or it itself before a crash, have sent.
    """

    is_constant = False

    def __init__(self, key: HeaderKey, ttl: int, wall: Callable[[], float]) -> None:
        self._word = key.word
        self._ttl = ttl
        self._first = first_number(wall())
        self._last = 0

    def write(self, advert: Advert, source: str, destinations: Iterable[str]) -> list[tuple[str, bytes]]:
        """Whole datagrams, one for each destination, all with the same number."""
        self._last = max(self._last, self._first) + 1 & 0xFFFFFFFF
        return [(each, self._datagram(advert, source, each)) for each in destinations]

    def read(self, payload: bytes, header: Header) -> Advert | Reject:
        """The number counts as seen when the check value is right, whatever else speaks against the advert."""
        start, message = payload[:AH_BYTES], payload[AH_BYTES:]
        if len(start) < AH_BYTES or start[:4] != START:
            return Reject(Reason.AH_MALFORMED, start[:4].hex(" "))
        if start[4:8] != packed(header.source):
            return Reject(Reason.AH_SENDER, start[4:8].hex("."))
        value = check_value(self._word, header.raw, start, message, is_group(header.destination))
        if not hmac.compare_digest(value, start[12:]):
            return Reject(Reason.AH_VALUE)
        number = int.from_bytes(start[8:12])
        if number <= self._last:
            return Reject(Reason.AH_REPLAY, f"number {number}, {self._last} was before")
        self._last = number
        return decode_advert(message, header.source, header.destination)

    def remarks(self) -> tuple[Remark, ...]:
        """Nothing is odd."""
        return ()

    def _datagram(self, advert: Advert, source: str, destination: str) -> bytes:
        message = encode_advert(advert, source, destination)
        start = START + packed(source) + self._last.to_bytes(4) + bytes(VALUE_BYTES)
        multicast = is_group(destination)
        identification = self._last & 0xFFFF or 1
        ttl = 255 if multicast else self._ttl
        whole = encode_datagram(start + message, (source, destination), AH_PROTOCOL, identification, ttl)
        head = whole[: Ipv4.__hdr_len__]
        return head + start[:-VALUE_BYTES] + check_value(self._word, head, start, message, multicast) + message


def check_value(word: bytes, head: bytes, start: bytes, message: bytes, multicast: bool) -> bytes:
    """What proves that the sender knows the word: over the IPv4 header, the authentication header and the message.

    Routers on the way may change the type of service, the flags and the checksum; and the TTL, which keepalived leaves
    out in unicast alone: multicast passes no router.
    """
    ttl = head[8:9] if multicast else b"\0"
    fixed = head[:1] + b"\0" + head[2:6] + b"\0\0" + ttl + head[9:10] + b"\0\0" + head[12:]
    return hmac.digest(word, fixed + start[:-VALUE_BYTES] + bytes(VALUE_BYTES) + message, "md5")[:VALUE_BYTES]


def first_number(seconds: float) -> int:
    """Where a router's sequence begins at this time: above what it has sent before, unless the clock was set back."""
    return min(max(int((seconds - BEGINNING) * PACE), 0), LATEST)


def is_group(address: str) -> bool:
    """Whether an IPv4 address is that of a group."""
    return packed(address)[0] & 0xF0 == 0xE0
