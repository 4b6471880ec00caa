"""Packets, to the byte: VRRP adverts and their IPv4 header, gratuitous ARP, unsolicited neighbour advertisement.

dpkt defines the formats; no object of dpkt leaves this file. Encoding raises ValueError for what a packet cannot
carry; decoding never raises, whatever the bytes. Nothing here knows a configuration: see `packet_checks` for that.
"""

from dpkt import arp, dpkt, ethernet, icmp6, ip, ip6
from msgspec import Struct

from actors.core.packet_values import (
    AH_PROTOCOL,
    AUTH_BYTES,
    FULL_SECOND,
    PROTOCOL,
    Advert,
    Header,
    Reason,
    Reject,
    auth_type,
    packed,
    unpacked,
)

ADVERTISEMENT = 1
"""The only type of VRRP packet (RFC 9568 5.2.2)."""

TOS = 0xC0
"""Precedence 6, internetwork control, as keepalived sends it; receivers do not look."""

BROADCAST = b"\xff" * 6
"""The Ethernet address of everyone."""

WIDTH = {4: 4, 6: 16}
"""Bytes of an address, by family."""

AUTH_NONE, AUTH_PASS, AUTH_HEADER = range(3)
"""Authentication types of RFC 2338 5.3.6."""


class Vrrp2(dpkt.Packet):
    """The fixed part of a VRRPv2 message (RFC 3768 5.1); addresses and 8 bytes of authentication follow it."""

    __hdr__ = (
        ("_version_type", "B", 2 << 4 | ADVERTISEMENT),
        ("vrid", "B", 0),
        ("priority", "B", 0),
        ("count", "B", 0),
        ("auth_type", "B", AUTH_NONE),
        ("interval", "B", 0),
        ("sum", "H", 0),
    )
    __bit_fields__ = {"_version_type": (("version", 4), ("type", 4))}


class Vrrp3(dpkt.Packet):
    """The fixed part of a VRRPv3 message (RFC 9568 5.1); the addresses follow it. Reserved bits are not looked at."""

    __hdr__ = (
        ("_version_type", "B", 3 << 4 | ADVERTISEMENT),
        ("vrid", "B", 0),
        ("priority", "B", 0),
        ("count", "B", 0),
        ("_reserved_interval", "H", 0),
        ("sum", "H", 0),
    )
    __bit_fields__ = {
        "_version_type": (("version", 4), ("type", 4)),
        "_reserved_interval": (("reserved", 4), ("interval", 12)),
    }


class NeighbourAdvertisement(dpkt.Packet):
    """ICMPv6 neighbour advertisement with one option, the target's link-layer address (RFC 4861 4.4, 4.6.1)."""

    __hdr__ = (
        ("type", "B", icmp6.ND_NEIGHBOR_ADVERT),
        ("code", "B", 0),
        ("sum", "H", 0),
        ("_flags", "I", 0),
        ("target", "16s", b""),
        ("option", "B", 2),
        ("option_eights", "B", 1),
        ("mac", "6s", b""),
    )
    __bit_fields__ = {"_flags": (("router", 1), ("solicited", 1), ("override", 1), ("reserved", 29))}


class Datagram(Struct, frozen=True):
    """A received IPv4 datagram, taken apart: facts of its header, and the VRRP message in it."""

    header: Header
    pdu: bytes


def encode_advert(
    advert: Advert, source: str, destination: str, v3_checksum_as_v2: bool = False, trailer: bytes = b""
) -> bytes:
    """The VRRP message from its version byte on, with its checksum, and the ``trailer`` after it.

    VRRPv3 sums a pseudo-header of ``source`` and ``destination`` too: give those that the IP header will have, or the
    group as destination for the unicast checksum of old keepalived. ``v3_checksum_as_v2`` leaves the pseudo-header
    out over IPv4, as RFC 9568 5.2.8 has it; keepalived by default does not. IPv6 sums the trailer too. Raises
    ValueError for an address that is none of the advert's family.
    """
    addresses = b"".join([_of_family(address, advert.family) for address in advert.addresses])
    pdu = _encode_v2(advert, addresses) if advert.version == 2 else _encode_v3(advert, addresses)
    ends = _of_family(source, advert.family) + _of_family(destination, advert.family)
    bare = advert.version == 2 or (v3_checksum_as_v2 and advert.family == 4)
    summed = pdu + trailer if advert.family == 6 else pdu
    checksum: int = dpkt.in_cksum(pdu if bare else _pseudo_header(ends, len(summed), PROTOCOL) + summed)
    return pdu[:6] + checksum.to_bytes(2) + pdu[8:] + trailer


def _encode_v2(advert: Advert, addresses: bytes) -> bytes:
    return bytes(
        Vrrp2(
            vrid=advert.vrid,
            priority=advert.priority,
            count=len(advert.addresses),
            auth_type=auth_type(advert.ah, advert.auth),
            interval=advert.interval_cs // FULL_SECOND,
            data=addresses + advert.auth.ljust(AUTH_BYTES, b"\0"),
        )
    )


def _encode_v3(advert: Advert, addresses: bytes) -> bytes:
    return bytes(
        Vrrp3(
            vrid=advert.vrid,
            priority=advert.priority,
            count=len(advert.addresses),
            interval=advert.interval_cs,
            data=addresses,
        )
    )


def decode_advert(
    pdu: bytes,
    source: str,
    destination: str,
    family: int = 4,
    v3_checksum_as_v2: bool = False,
    trailer: bytes = b"",
) -> Advert | Reject:
    """What the message says, or the first check that it fails; addresses come in canonical text.

    ``pdu`` is the whole IP payload but for a ``trailer``; nothing else may follow the message. ``source``,
    ``destination`` and ``family`` (4 or 6) are the IP header's. VRRPv3 over IPv4 must be summed as RFC 5798 has it,
    with ``v3_checksum_as_v2`` as RFC 9568 has it. A packet with several faults is blamed for the first in keepalived's
    order.
    """
    if len(pdu) < Vrrp2.__hdr_len__:
        return Reject(Reason.LENGTH, f"{len(pdu)} bytes, the fixed part has {Vrrp2.__hdr_len__}")
    if not pdu[1]:
        return Reject(Reason.VRID, "vrid 0")
    version = pdu[0] >> 4
    if version not in (2, 3) or (version, family) == (2, 6):
        return Reject(Reason.VERSION, f"version {version} over IPv{family}")
    ends = packed(source) + packed(destination)
    if version == 2:
        return _decode_v2(pdu)
    return _decode_v3(pdu, ends, family, v3_checksum_as_v2, trailer if family == 6 else b"")


def _decode_v2(pdu: bytes) -> Advert | Reject:
    packet = Vrrp2(pdu)
    end = WIDTH[4] * packet.count
    if fault := _fault_of_length(pdu, packet.count, 4, AUTH_BYTES) or _fault_of_auth_type(packet.auth_type):
        return fault
    if fault := _fault_of_fields(packet):
        return fault
    if dpkt.in_cksum(pdu):
        return Reject(Reason.CHECKSUM, f"{packet.sum:#06x}")
    # A word of zeros alone is still a word: PASS and no authentication must not look the same.
    auth = (packet.data[end:].rstrip(b"\0") or b"\0") if packet.auth_type == AUTH_PASS else b""
    addresses, ah = _addresses(packet.data[:end], 4), packet.auth_type == AUTH_HEADER
    return Advert(2, packet.vrid, packet.priority, packet.interval * FULL_SECOND, addresses, auth, ah=ah)


def _decode_v3(pdu: bytes, ends: bytes, family: int, v3_checksum_as_v2: bool, summed_too: bytes) -> Advert | Reject:
    packet = Vrrp3(pdu)
    if fault := _fault_of_length(pdu, packet.count, family, 0) or _fault_of_fields(packet):
        return fault
    bare = v3_checksum_as_v2 and family == 4
    summed = pdu + summed_too
    if dpkt.in_cksum(pdu if bare else _pseudo_header(ends, len(summed), PROTOCOL) + summed):
        return Reject(Reason.CHECKSUM, f"{packet.sum:#06x}")
    if not packet.count:
        return Reject(Reason.COUNT)
    addresses = _addresses(packet.data, family)
    return Advert(3, packet.vrid, packet.priority, packet.interval, addresses, family=family)


def _fault_of_length(pdu: bytes, count: int, family: int, auth: int) -> Reject | None:
    wanted = Vrrp2.__hdr_len__ + count * WIDTH[family] + auth
    if len(pdu) == wanted:
        return None
    return Reject(Reason.LENGTH, f"{len(pdu)} bytes, {count} addresses need {wanted}")


def _fault_of_auth_type(number: int) -> Reject | None:
    if number in (AUTH_NONE, AUTH_PASS, AUTH_HEADER):
        return None
    return Reject(Reason.AUTH_TYPE_UNKNOWN, f"type {number}")


def _fault_of_fields(packet: Vrrp2 | Vrrp3) -> Reject | None:
    """Of fields that no configuration makes right. An interval of 0 would make masters flap (RFC 9568 erratum 8301)."""
    if not packet.interval:
        return Reject(Reason.INTERVAL_ZERO)
    return None if packet.type == ADVERTISEMENT else Reject(Reason.TYPE, f"type {packet.type}")


def encode_datagram(payload: bytes, ends: tuple[str, str], protocol: int, identification: int, ttl: int) -> bytes:
    """The whole IPv4 datagram, for a socket with IP_HDRINCL; ``ends`` are source and destination.

    ``identification`` is 1 to 65535: the kernel puts its own in the place of 0. Raises ValueError for an address that
    is not IPv4.
    """
    source, destination = (_of_family(address, 4) for address in ends)
    fields = {"tos": TOS, "id": identification, "ttl": ttl, "p": protocol, "src": source, "dst": destination}
    return bytes(ip.IP(data=payload, **fields))


class Ipv4(dpkt.Packet):
    """dpkt's IPv4 header alone: what follows it is not guessed at."""

    __hdr__ = ip.IP.__hdr__
    __bit_fields__ = ip.IP.__bit_fields__


def decode_datagram(datagram: bytes, protocol: int = PROTOCOL) -> Datagram | Reject:
    """Takes an IPv4 datagram, as raw and packet sockets deliver it, apart; options are skipped, padding is cut off.

    What follows the header is a VRRP message, or with ``protocol`` `AH_PROTOCOL` one behind an authentication header.
    """
    if len(datagram) < Ipv4.__hdr_len__:
        return Reject(Reason.IP_HEADER, f"{len(datagram)} bytes, an IPv4 header has {Ipv4.__hdr_len__}")
    packet = Ipv4(datagram)
    start = packet.hl * 4
    if fault := _fault_of_ipv4(packet, datagram[:start], protocol):
        return fault
    if not start <= packet.len <= len(datagram):
        return Reject(Reason.IP_LENGTH, f"{packet.len} told, header of {start}, {len(datagram)} received")
    covered = datagram[:start] if protocol == AH_PROTOCOL else b""
    header = Header(unpacked(packet.src), unpacked(packet.dst), packet.ttl, covered)
    return Datagram(header, datagram[start : packet.len])


def _fault_of_ipv4(packet: Ipv4, header: bytes, protocol: int) -> Reject | None:
    if packet.v != 4 or packet.hl < 5 or len(header) < packet.hl * 4:
        return Reject(Reason.IP_HEADER, f"version {packet.v}, header length {packet.hl} words")
    if packet.mf or packet.offset:
        return Reject(Reason.IP_HEADER, "a fragment")
    if dpkt.in_cksum(header):
        return Reject(Reason.IP_HEADER, f"checksum {packet.sum:#06x}")
    if packet.p != protocol:
        return Reject(Reason.AUTH_HEADER if packet.p == AH_PROTOCOL else Reason.IP_HEADER, f"protocol {packet.p}")
    return None


def gratuitous_arp(mac: str, address: str) -> bytes:
    """The whole Ethernet frame that tells every neighbour that ``address`` (IPv4) is at ``mac``: 42 bytes.

    A broadcast request whose sender and target are the address, the target's hardware address broadcast, as
    keepalived sends it; receivers use the sender's fields (RFC 5227 3). Raises ValueError for what is no such address.
    """
    sender, own = _mac(mac), _of_family(address, 4)
    request = arp.ARP(sha=sender, spa=own, tha=BROADCAST, tpa=own)
    return _frame(BROADCAST, sender, ethernet.ETH_TYPE_ARP, bytes(request))


def neighbour_advertisement(mac: str, address: str, router: bool) -> bytes:
    """The whole Ethernet frame that tells every neighbour that ``address`` (IPv6) is at ``mac``: 86 bytes.

    Unsolicited, to all nodes, overriding what they have cached; ``router`` is set while this machine forwards
    (RFC 4861 7.2.6, RFC 9568 6.4.2). Raises ValueError for what is no such address.
    """
    sender, own, everyone = _mac(mac), _of_family(address, 6), packed("ff02::1")
    message = NeighbourAdvertisement(router=int(router), override=1, target=own, mac=sender)
    pseudo_header = _pseudo_header(own + everyone, len(message), ip.IP_PROTO_ICMP6)
    message.sum = dpkt.in_cksum(pseudo_header + bytes(message))
    header = ip6.IP6(plen=len(message), nxt=ip.IP_PROTO_ICMP6, hlim=255, src=own, dst=everyone).pack_hdr()
    # RFC 2464 7: 33:33, then the last four bytes of the group.
    return _frame(b"\x33\x33" + everyone[-4:], sender, ethernet.ETH_TYPE_IP6, header + bytes(message))


def _frame(destination: bytes, source: bytes, kind: int, payload: bytes) -> bytes:
    header: bytes = ethernet.Ethernet(dst=destination, src=source, type=kind).pack_hdr()
    return header + payload


def _pseudo_header(ends: bytes, length: int, protocol: int) -> bytes:
    """Source and destination, length, protocol: IPv4's shorter form (RFC 793 3.1) has the same words, so one does."""
    return ends + length.to_bytes(4) + protocol.to_bytes(4)


def _addresses(data: bytes, family: int) -> tuple[str, ...]:
    width = WIDTH[family]
    return tuple([unpacked(data[at : at + width]) for at in range(0, len(data), width)])


def _of_family(address: str, family: int) -> bytes:
    number = packed(address)
    if len(number) != WIDTH[family]:
        raise ValueError(f"{address!r} is not an IPv{family} address")
    return number


def _mac(text: str) -> bytes:
    try:
        number = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        number = b""
    if len(number) != 6:
        raise ValueError(f"{text!r} is not an Ethernet address")
    return number
