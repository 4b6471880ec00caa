"""How adverts are made into packets and packets into adverts, by what proves that their sender is one of us."""

from collections.abc import Callable, Iterable
from typing import Protocol

from actors.core.authentication_header import HeaderKey, SealedHeader
from actors.core.authentication_trailer import SealedTrailer, TrailerKeys
from actors.core.packet import decode_advert, encode_advert
from actors.core.packet_checks import Expected
from actors.core.packet_values import Advert, Header, Reject, Remark

Authentication = HeaderKey | TrailerKeys
"""How a router authenticates; a password in clear text is part of the advert itself."""


class Seal(Protocol):
    """One router's side of it. No clock, no wire: whoever has them asks.

    ``is_constant``: the same advert gives the same packets, and the same packet means the same, again and again.
    """

    is_constant: bool

    def write(self, advert: Advert, source: str, destinations: Iterable[str]) -> list[tuple[str, bytes]]:
        """The packets that tell the advert to each destination, in their order."""

    def read(self, payload: bytes, header: Header) -> Advert | Reject:
        """The advert in a packet, or why it does not count; what was seen of its sender is remembered."""

    def remarks(self) -> tuple[Remark, ...]:
        """What was odd about the proof of the last advert that `read` gave."""


class Unsealed:
    """See `Seal`. Adverts as they are; a password may be in them."""

    is_constant = True

    def __init__(self, family: int = 4, v3_checksum_as_v2: bool = False) -> None:
        self._family = family
        self._as_v2 = v3_checksum_as_v2

    def write(self, advert: Advert, source: str, destinations: Iterable[str]) -> list[tuple[str, bytes]]:
        """See `Seal.write`."""
        return [(each, encode_advert(advert, source, each, self._as_v2)) for each in destinations]

    def read(self, payload: bytes, header: Header) -> Advert | Reject:
        """See `Seal.read`."""
        return decode_advert(payload, header.source, header.destination, self._family, self._as_v2)

    def remarks(self) -> tuple[Remark, ...]:
        """Nothing is odd."""
        return ()


def seal(
    how: Authentication | None, expected: Expected, peers: tuple[str, ...], ttl: int, wall: Callable[[], float]
) -> Seal:
    """A new seal. ``peers`` are those of unicast, ``ttl`` is that of adverts to them; ``wall`` gives the seconds since
    1970."""
    if isinstance(how, HeaderKey):
        return SealedHeader(how, ttl, wall)
    if isinstance(how, TrailerKeys):
        return SealedTrailer(how, peers, wall, expected.family, expected.v3_checksum_as_v2)
    return Unsealed(expected.family, expected.v3_checksum_as_v2)
