"""What a VRRP packet says, as values: the advert, the facts of the IP header beside it, and why one was refused.

Only frozen values and the two spellings of an address live here; `packet` turns them into bytes and back,
`packet_checks` holds them against a configuration.
"""

from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

import msgspec

PROTOCOL = 112
"""IP protocol number of VRRP (RFC 9568 5.1.1.4)."""

AH_PROTOCOL = 51
"""IP protocol number of the authentication header (RFC 2402 2), behind which an advert may stand."""

GROUPS = {4: "224.0.0.18", 6: "ff02::12"}
"""The multicast group that adverts go to, by family (RFC 9568 5.1.1.2, 5.1.2.2)."""

OWNER = 255
"""Priority of the router that owns the addresses."""

AUTH_BYTES = 8
"""Room for the PASS word in a VRRPv2 advert (RFC 2338 5.3.10)."""

FULL_SECOND = 100
"""Centiseconds; VRRPv2 knows whole seconds only."""

LONGEST_INTERVAL = {2: 255 * FULL_SECOND, 3: 4095}
"""In centiseconds, by version: 8 bits of seconds, 12 bits of centiseconds."""


class Advert(msgspec.Struct, frozen=True):
    """A VRRP advertisement; raises ValueError where a field cannot be carried by its version.

    ``vrid`` is 1 to 255, ``priority`` 0 (leaving) to 255 (owner), ``interval_cs`` centiseconds: 1 to 4095, in version
    2 whole seconds up to 25500. ``auth`` is the PASS word of version 2, up to 8 bytes; empty is no authentication.
    ``ah``: it stands behind an authentication header, as it may in version 2. ``family`` is 4 or 6 and that of every
    address; version 2 is IPv4 alone. Only version 2 may have no address.
    """

    version: int
    vrid: int
    priority: int
    interval_cs: int
    addresses: tuple[str, ...]
    auth: bytes = b""
    family: int = 4
    ah: bool = False

    def __post_init__(self) -> None:
        if self.version not in LONGEST_INTERVAL or self.family not in (4, 6) or (self.version, self.family) == (2, 6):
            raise ValueError(f"there is no VRRPv{self.version} over IPv{self.family}")
        _demand("vrid", self.vrid, 1, 255)
        _demand("priority", self.priority, 0, OWNER)
        _demand("count of addresses", len(self.addresses), self.version - 2, 255)
        _demand("interval_cs", self.interval_cs, 1, LONGEST_INTERVAL[self.version])
        if self.version == 2 and self.interval_cs % FULL_SECOND:
            raise ValueError(f"interval_cs {self.interval_cs} is not whole seconds, as VRRPv2 needs")
        if self.auth:
            _demand("length of auth", len(self.auth), 0, AUTH_BYTES if self.version == 2 else 0)
        if self.ah and (self.version == 3 or self.auth):
            raise ValueError("an authentication header is for VRRPv2, and in the place of a password")

    def __repr__(self) -> str:
        return without_secrets(self)


class Header(msgspec.Struct, frozen=True):
    """Facts that the IP header (or the socket, for IPv6) told of a received advert.

    ``ttl`` is the TTL or hop limit; None where it is not known, which passes no check of it. ``raw`` is the whole IPv4
    header where an authentication header follows it, which covers it.
    """

    source: str
    destination: str
    ttl: int | None
    raw: bytes = b""


class Reason(Enum):
    """Why a packet is discarded: one member for each check, in keepalived's order; the value says it in words."""

    IP_HEADER = "the IPv4 header is malformed"
    VRID = "unknown virtual router id"
    AUTH_HEADER = "an IPsec authentication header is not expected"
    LENGTH = "the length does not fit the content"
    TTL = "the TTL or hop limit is not 255"
    VERSION = "another VRRP version"
    AUTH_TYPE_UNKNOWN = "unknown authentication type"
    AUTH_TYPE = "another authentication type"
    AUTH_WORD = "wrong password"
    AH_MALFORMED = "malformed authentication header"
    AH_SENDER = "the authentication header names another sender"
    AH_VALUE = "wrong value in the authentication header"
    AH_REPLAY = "the authentication header has been used before"
    HMAC_MISSING = "no HMAC trailer"
    HMAC_MALFORMED = "malformed HMAC trailer"
    HMAC_STALE = "the HMAC trailer is out of the time window"
    HMAC_KEY = "the HMAC trailer names an unknown key"
    HMAC_TAG = "wrong HMAC"
    HMAC_REPLAY = "the HMAC trailer has been used before"
    INTERVAL = "another advertisement interval"
    INTERVAL_ZERO = "an advertisement interval of 0"
    TYPE = "not an advertisement"
    IP_LENGTH = "the IPv4 header tells another length"
    CHECKSUM = "wrong checksum"
    DESTINATION = "sent to another destination"
    OWN = "sent from our own address"
    OWNER = "the owner heeds no advertisement"
    COUNT = "no addresses"
    LINK_LOCAL = "the first address is not link-local"
    SOURCE = "the sender is not a peer"
    TTL_RANGE = "the TTL or hop limit is out of the peer's range"


class Reject(msgspec.Struct, frozen=True):
    """A packet that is discarded and changes nothing. ``detail`` names what was seen and what was expected."""

    reason: Reason
    detail: str = ""


class Oddity(Enum):
    """What is worth a line in the log of a packet that is heard all the same (RFC 9568 7.1)."""

    INTERVAL = "heard with another advertisement interval"
    ADDRESSES = "heard with other addresses"
    OWNER = "heard from another owner of the addresses"
    UNSIGNED = "heard without an HMAC trailer"
    CLOCK = "heard from a clock that is far from ours"


class Remark(msgspec.Struct, frozen=True):
    """An oddity of a packet; ``detail`` names what was seen and what is configured."""

    oddity: Oddity
    detail: str


@lru_cache(maxsize=4096)
def packed(address: str) -> bytes:
    """4 or 16 bytes in network order, a scope (``%eth0``) left out; raises ValueError for what is no address."""
    return ip_address(address).packed


@lru_cache(maxsize=4096)
def unpacked(address: bytes) -> str:
    """The canonical text of 4 or 16 bytes."""
    return str(IPv4Address(address) if len(address) == 4 else IPv6Address(address))


def auth_type(ah: bool, word: bytes) -> int:
    """The number of RFC 2338 5.3.6: 2 with an authentication header, 1 with a word in clear text, else 0."""
    return 2 if ah else int(bool(word))


def without_secrets(value: msgspec.Struct) -> str:
    """What ``repr`` shows of a value with an ``auth``: everything but that."""
    shown = (f"{field}={getattr(value, field)!r}" for field in value.__struct_fields__ if field != "auth")
    return f"{type(value).__name__}({', '.join(shown)})"


def _demand(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} {value} is not within {least} to {most}")
