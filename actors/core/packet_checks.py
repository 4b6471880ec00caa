"""What a receiver expects, and whether an advert meets it: the checks of RFC 9568 7.1 that need a configuration.

Pure. The checks of the bytes themselves are in `packet`; both name their reason, so that each can be counted.
"""

from collections.abc import Callable

import msgspec

from actors.core.packet_values import (
    AUTH_BYTES,
    OWNER,
    Advert,
    Header,
    Oddity,
    Reason,
    Reject,
    Remark,
    auth_type,
    packed,
    without_secrets,
)

ANY_TTL = (0, 255)
"""The range that every TTL is in."""


class Peer(msgspec.Struct, frozen=True):
    """A unicast peer: where it sends from, and the TTL or hop limit that its adverts arrive with."""

    address: str
    min_ttl: int = ANY_TTL[0]
    max_ttl: int = ANY_TTL[1]


class Expected(msgspec.Struct, frozen=True):
    """The receiver's own configuration, which an advert is held against.

    ``group`` is the multicast group, empty in unicast mode. ``peers`` are the senders that unicast adverts are taken
    from, empty for any (keepalived: ``check_unicast_src`` off). ``own`` is the address that this router sends from,
    empty while it has none; ``owns`` says that its priority is 255. The switches are off where keepalived's defaults
    are: ``link_local_first`` is RFC 9568's rule for IPv6 (erratum 8300), which keepalived peers may break;
    ``owner_ignores`` is the owner's silence towards all adverts (``owner_ignore_adverts``); ``any_addresses`` leaves
    other addresses without a remark (``skip_check_adv_addr``); ``v3_checksum_as_v2`` is the checksum of RFC 9568
    over IPv4, sent and demanded. ``ah``: adverts have an authentication header before them.
    """

    version: int
    vrid: int
    interval_cs: int
    addresses: tuple[str, ...]
    group: str
    auth: bytes = b""
    family: int = 4
    peers: tuple[Peer, ...] = ()
    own: str = ""
    owns: bool = False
    link_local_first: bool = False
    owner_ignores: bool = False
    any_addresses: bool = False
    v3_checksum_as_v2: bool = False
    ah: bool = False

    def __repr__(self) -> str:
        return without_secrets(self)


def validate(advert: Advert, header: Header, expected: Expected) -> Reject | None:
    """The first check that the advert fails, in keepalived's order; None when it is to be heard."""
    for check in CHECKS:
        if fault := check(advert, header, expected):
            return fault
    return None


def remarks(advert: Advert, expected: Expected) -> tuple[Remark, ...]:
    """What is odd about an advert that is heard all the same.

    Other addresses are no reason to discard it, though RFC 3768 7.1 says so: a BACKUP that did would lead beside a
    master that lives.
    """
    found = []
    if advert.interval_cs != expected.interval_cs:
        found.append(Remark(Oddity.INTERVAL, f"{advert.interval_cs} cs, {expected.interval_cs} cs configured"))
    if not expected.any_addresses and not _same(advert.addresses, expected.addresses):
        detail = f"{_listed(advert.addresses)}, {_listed(expected.addresses)} configured"
        found.append(Remark(Oddity.ADDRESSES, detail))
    if expected.owns and advert.priority == OWNER:
        found.append(Remark(Oddity.OWNER, "two routers have priority 255"))
    return tuple(found)


def _vrid(advert: Advert, header: Header, expected: Expected) -> Reject | None:
    if advert.vrid == expected.vrid and advert.family == expected.family:
        return None
    return Reject(Reason.VRID, f"vrid {advert.vrid} over IPv{advert.family}, {expected.vrid} configured")


def _ttl(advert: Advert, header: Header, expected: Expected) -> Reject | None:
    """255 shows that no router was passed; a unicast advert may pass some."""
    if not expected.group or header.ttl == 255:
        return None
    return Reject(Reason.TTL, _told(header.ttl))


def _version(advert: Advert, header: Header, expected: Expected) -> Reject | None:
    if advert.version == expected.version:
        return None
    return Reject(Reason.VERSION, f"version {advert.version}, {expected.version} configured")


def _auth(advert: Advert, header: Header, expected: Expected) -> Reject | None:
    given, wanted = auth_type(advert.ah, advert.auth), auth_type(expected.ah, expected.auth)
    if given != wanted:
        return Reject(Reason.AUTH_TYPE, f"type {given}, {wanted} configured")
    # The word went over the wire in clear: that a comparison takes longer for a good guess tells nobody anything.
    if advert.auth.ljust(AUTH_BYTES, b"\0") == expected.auth.ljust(AUTH_BYTES, b"\0"):
        return None
    return Reject(Reason.AUTH_WORD)


def _interval(advert: Advert, header: Header, expected: Expected) -> Reject | None:
    """VRRPv3 learns the master's interval, VRRPv2 cannot live with another."""
    if advert.version == 3 or advert.interval_cs == expected.interval_cs:
        return None
    return Reject(Reason.INTERVAL, f"{advert.interval_cs} cs, {expected.interval_cs} cs configured")


def _destination(advert: Advert, header: Header, expected: Expected) -> Reject | None:
    there = packed(header.destination)
    if there == packed(expected.group) if expected.group else not _is_multicast(there):
        return None
    return Reject(Reason.DESTINATION, f"{header.destination}, {expected.group or 'unicast'} configured")


def _own(advert: Advert, header: Header, expected: Expected) -> Reject | None:
    """The kernel drops such a packet over IPv4, not over IPv6; two machines with one address send them too."""
    if not expected.own or packed(header.source) != packed(expected.own):
        return None
    return Reject(Reason.OWN, header.source)


def _owner(advert: Advert, header: Header, expected: Expected) -> Reject | None:
    return Reject(Reason.OWNER, f"priority {advert.priority}") if expected.owner_ignores else None


def _link_local(advert: Advert, header: Header, expected: Expected) -> Reject | None:
    if not expected.link_local_first or advert.family == 4 or _is_link_local(packed(advert.addresses[0])):
        return None
    return Reject(Reason.LINK_LOCAL, advert.addresses[0])


def _source(advert: Advert, header: Header, expected: Expected) -> Reject | None:
    """A group sends nothing (RFC 1122 3.2.1.3, RFC 4291 2.7); with ``peers``, nobody else is heard."""
    if _is_multicast(packed(header.source)) or (_unicast_peers(expected) and _peer(header, expected) is None):
        return Reject(Reason.SOURCE, header.source)
    return None


def _ttl_range(advert: Advert, header: Header, expected: Expected) -> Reject | None:
    peer = _peer(header, expected) if _unicast_peers(expected) else None
    if peer is None or (peer.min_ttl, peer.max_ttl) == ANY_TTL:
        return None
    if header.ttl is not None and peer.min_ttl <= header.ttl <= peer.max_ttl:
        return None
    return Reject(Reason.TTL_RANGE, f"{_told(header.ttl)}, {peer.min_ttl} to {peer.max_ttl} configured")


Check = Callable[[Advert, Header, Expected], Reject | None]
"""One check: None when the advert passes."""

CHECKS: tuple[Check, ...] = (
    _vrid,
    _ttl,
    _version,
    _auth,
    _interval,
    _destination,
    _own,
    _owner,
    _link_local,
    _source,
    _ttl_range,
)
"""In the order of `Reason`, which is keepalived's."""


def _unicast_peers(expected: Expected) -> tuple[Peer, ...]:
    return () if expected.group else expected.peers


def _peer(header: Header, expected: Expected) -> Peer | None:
    source = packed(header.source)
    return next((peer for peer in expected.peers if packed(peer.address) == source), None)


def _same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Equal but for the order: senders may list as they like (RFC 9568 5.2.9)."""
    return one == other or sorted(map(packed, one)) == sorted(map(packed, other))


def _is_multicast(address: bytes) -> bool:
    return 224 <= address[0] <= 239 if len(address) == 4 else address[0] == 0xFF


def _is_link_local(address: bytes) -> bool:
    return address[0] == 0xFE and address[1] & 0xC0 == 0x80


def _listed(addresses: tuple[str, ...]) -> str:
    return " ".join(addresses) or "no address"


def _told(ttl: int | None) -> str:
    return "unknown" if ttl is None else str(ttl)
