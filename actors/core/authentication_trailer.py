"""``auth_hmac``: adverts of both versions with a signed trailer, as keepalived 2.4.2 and later have it.

28 bytes after the message: the type, 1; the number of the key; two zeros; the serial number in eight, of which the
first four are seconds since 1970, the next two a fraction of a second, the last two a count; and a tag of 16, which is
HMAC-SHA-256 cut to 128 bits. The checksum of the message is no part of it: all peers of an advert are sent one trailer.
"""

import hmac
from collections.abc import Callable, Iterable
from enum import Enum

import msgspec

from actors.core.packet import WIDTH, decode_advert, encode_advert
from actors.core.packet_values import AUTH_BYTES, Advert, Header, Oddity, Reason, Reject, Remark, packed
from actors.core.serials import Marks, ahead_of, following, serial_of

TRAILER_BYTES = 28
TAG_BYTES = 16
TYPE = 1
FIXED_BYTES = 8
"""Of a message, before its addresses."""


class Mode(Enum):
    """What a router does with adverts that are not signed; wrong trailers are discarded by all.

    ENFORCE discards them. PERMISSIVE hears them. RECEIVE_ONLY hears them, and signs none itself: the first step of a
    group that is to be signed.
    """

    ENFORCE = "enforce"
    PERMISSIVE = "permissive"
    RECEIVE_ONLY = "receive-only"


class TrailerKeys(msgspec.Struct, frozen=True, tag=True):
    """Keys by their numbers, all of which verify, and the one that signs.

    ``window`` is how many seconds the clocks of two routers may differ. ``monotonic`` looks at no clock: each trailer
    is to be later than the last, and that is all.
    """

    keys: tuple[tuple[int, bytes], ...]
    active: int
    window: int
    monotonic: bool = False
    mode: Mode = Mode.ENFORCE

    def __repr__(self) -> str:
        return f"TrailerKeys(active={self.active}, window={self.window}, mode={self.mode.value!r})"


class SealedTrailer:
    """See `actors.core.authentication.Seal`. ``wall`` is seconds since 1970; ``peers`` are empty with multicast."""

    is_constant = False

    def __init__(
        self,
        keys: TrailerKeys,
        peers: tuple[str, ...],
        wall: Callable[[], float],
        family: int = 4,
        v3_checksum_as_v2: bool = False,
    ) -> None:
        self._keys = dict(keys.keys)
        self._how = keys
        self._window = None if keys.monotonic else keys.window
        self._peers = frozenset(map(packed, peers))
        self._marks = Marks(len(peers))
        self._wall = wall
        self._family = family
        self._as_v2 = v3_checksum_as_v2
        self._last: int | None = None
        self._odd: tuple[Remark, ...] = ()

    def write(self, advert: Advert, source: str, destinations: Iterable[str]) -> list[tuple[str, bytes]]:
        """See `Seal.write`. All destinations are told the same serial number."""
        trailer = b"" if self._how.mode is Mode.RECEIVE_ONLY else self._trailer(advert, source)
        return [(each, encode_advert(advert, source, each, self._as_v2, trailer)) for each in destinations]

    def read(self, payload: bytes, header: Header) -> Advert | Reject:
        """See `Seal.read`. The serial number counts as seen when the tag is right."""
        self._odd = ()
        length = message_length(payload, self._family)
        if len(payload) != length + TRAILER_BYTES:
            return self._unsigned(self._decoded(payload, header))
        message, trailer = payload[:length], payload[length:]
        return self._fault(message, trailer, header) or self._decoded(message, header, trailer)

    def remarks(self) -> tuple[Remark, ...]:
        """See `Seal.remarks`."""
        return self._odd

    def _decoded(self, message: bytes, header: Header, trailer: bytes = b"") -> Advert | Reject:
        return decode_advert(message, header.source, header.destination, self._family, self._as_v2, trailer)

    def _unsigned(self, decoded: Advert | Reject) -> Advert | Reject:
        if isinstance(decoded, Reject):
            return decoded
        if self._how.mode is Mode.ENFORCE:
            return Reject(Reason.HMAC_MISSING)
        self._odd = (Remark(Oddity.UNSIGNED, f"mode {self._how.mode.value}"),)
        return decoded

    def _fault(self, message: bytes, trailer: bytes, header: Header) -> Reject | None:
        """The first check that the trailer fails, in keepalived's order; None when it is remembered."""
        if trailer[0] != TYPE or trailer[2:4] != b"\0\0":
            return Reject(Reason.HMAC_MALFORMED, trailer[:4].hex(" "))
        sender, serial, now = packed(header.source), int.from_bytes(trailer[4:12]), serial_of(self._wall())
        if self._peers and sender not in self._peers:
            return Reject(Reason.SOURCE, header.source)
        seconds = ahead_of(serial, now)
        if self._window is not None and abs(seconds) > self._window:
            return Reject(Reason.HMAC_STALE, f"{seconds:+.3f} s, {self._window} s configured")
        key = self._keys.get(trailer[1])
        if key is None:
            return Reject(Reason.HMAC_KEY, f"key {trailer[1]}")
        if not hmac.compare_digest(tag(key, message, trailer, sender), trailer[-TAG_BYTES:]):
            return Reject(Reason.HMAC_TAG, f"key {trailer[1]}")
        if not self._marks.admit(sender, serial, now, self._window):
            return Reject(Reason.HMAC_REPLAY)
        if self._window is not None and abs(seconds) > self._window / 2:
            self._odd = (Remark(Oddity.CLOCK, f"{seconds:+.3f} s, {self._window} s configured"),)
        return None

    def _trailer(self, advert: Advert, source: str) -> bytes:
        self._last = following(self._last, serial_of(self._wall()), self._window)
        active = self._how.active
        unsigned = bytes([TYPE, active, 0, 0]) + self._last.to_bytes(8) + bytes(TAG_BYTES)
        message = encode_advert(advert, source, source, self._as_v2)
        return unsigned[:-TAG_BYTES] + tag(self._keys[active], message, unsigned, packed(source))


def message_length(payload: bytes, family: int) -> int:
    """How long the message at the beginning of a payload says that it is."""
    if len(payload) < FIXED_BYTES:
        return FIXED_BYTES
    return FIXED_BYTES + payload[3] * WIDTH[family] + (AUTH_BYTES if payload[0] >> 4 == 2 else 0)


def tag(key: bytes, message: bytes, trailer: bytes, source: bytes) -> bytes:
    """What proves that the sender knows the key. Checksum and tag count as zeros."""
    family = 6 if len(source) == 16 else 4
    pseudo_header = bytes([family, message[0] >> 4, message[1], 0]) + source.ljust(16, b"\0")
    zeroed = message[:6] + b"\0\0" + message[8:]
    return hmac.digest(key, pseudo_header + zeroed + trailer[:-TAG_BYTES] + bytes(TAG_BYTES), "sha256")[:TAG_BYTES]
