"""VRRP by hand: messages, packets and frames built byte by byte, right or with a defect.

Nothing of the program is used here: what it sends and accepts is judged by these bytes.
"""

import struct
from ipaddress import ip_address

GROUP4, GROUP6 = "224.0.0.18", "ff02::12"
MACS = {GROUP4: "01005e000012", GROUP6: "333300000012"}
"""Where frames to the groups go (RFC 1112 6.4, RFC 2464 7)."""
IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806


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
