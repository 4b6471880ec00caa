"""Between the table's values and the attributes of IPVS's generic netlink family (linux/ip_vs.h).

Pure: bytes and values, no socket. The messages keep as raw bytes what they cannot know; it is converted here.
"""

import socket
import struct
from collections.abc import Iterator

from actors.core.table import FLAG_BITS, Destination, Load, Service, ServiceKey, Tunnel, longest_prefix
from actors.planes.ipvs.messages import Attributes, Found, nested

PERSISTENT = 0x0001  # IP_VS_SVC_F_PERSISTENT
ALL_FLAGS = 0xFFFFFFFF
FORWARDING = 0x0007  # IP_VS_CONN_F_FWD_MASK
METHODS = {"NAT": 0, "LOCAL": 1, "TUN": 2, "DR": 3, "BYPASS": 4}
"""Forwarding methods. LOCAL and BYPASS are never configured, but a foreign server may have them."""
METHOD_NAMES = {number: name for name, number in METHODS.items()}
TUNNELS = {"ipip": 0, "gue": 1, "gre": 2}  # IP_VS_CONN_F_TUNNEL_TYPE_*
TUNNEL_NAMES = {number: name for name, number in TUNNELS.items()}
CHECKSUMS = {"": 0, "csum": 1, "remcsum": 2}  # IP_VS_TUNNEL_ENCAP_FLAG_*
CHECKSUM_NAMES = {number: name for name, number in CHECKSUMS.items()}
PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP, "sctp": socket.IPPROTO_SCTP}
PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}
FLAG_NAMES = {
    "sh": {0x0008: "sh-fallback", 0x0010: "sh-port"},
    "mh": {0x0008: "mh-fallback", 0x0010: "mh-port"},
}
PLAIN_NAMES = {0x0004: "ops", 0x0008: "flag-1", 0x0010: "flag-2", 0x0020: "flag-3"}
TOTALS = ("CONNS", "INPKTS", "OUTPKTS", "INBYTES", "OUTBYTES", "CPS", "INPPS", "OUTPPS", "INBPS", "OUTBPS")
"""Of IPVS_STATS_ATTR_, in the order of a `Load`."""
HOLES = -1
"""Read in place of a prefix length for a netmask that is none; it differs from all that is wanted."""
ADDRESS_SIZE = 16  # union nf_inet_addr, also for IPv4
FAMILIES: dict[int, int] = {4: socket.AF_INET, 6: socket.AF_INET6}


def identity(key: ServiceKey) -> Attributes:
    """The attributes by which the kernel finds a service."""
    family = ("AF", FAMILIES[key.family])
    if key.fwmark:
        return [family, ("FWMARK", key.fwmark)]
    if key.protocol not in PROTOCOLS:
        raise ValueError(f"the protocol {key.protocol!r} is none of {', '.join(PROTOCOLS)}")
    return [
        family,
        ("PROTOCOL", PROTOCOLS[key.protocol]),
        ("ADDR", _packed(key.family, key.address)),
        ("PORT", key.port),
    ]


def service_attributes(service: Service) -> Attributes:
    """All that the kernel wants to know of a service to add or change it."""
    bits = PERSISTENT if service.persistence_timeout else 0
    for flag in service.flags:
        if flag not in FLAG_BITS:
            raise ValueError(f"there is no flag {flag!r}")
        bits |= FLAG_BITS[flag]
    attributes = [
        *identity(service.key),
        ("SCHED_NAME", service.scheduler),
        ("FLAGS", (bits, ALL_FLAGS)),
        ("TIMEOUT", service.persistence_timeout),
        ("NETMASK", _netmask(service.key.family, service.persistence_prefix)),
    ]
    if service.persistence_engine:
        attributes.append(("PE_NAME", service.persistence_engine))
    return attributes


def family_of(destination: Destination) -> int:
    """4 or 6, by its address."""
    return 6 if ":" in destination.address else 4


def destination_identity(destination: Destination) -> Attributes:
    """The attributes by which the kernel finds a destination within its service."""
    family = family_of(destination)
    return [
        ("ADDR", _packed(family, destination.address)),
        ("PORT", destination.port),
        ("ADDR_FAMILY", FAMILIES[family]),
    ]


def destination_attributes(destination: Destination) -> Attributes:
    """All that the kernel wants to know of a destination to add or change it."""
    if destination.method not in METHODS:
        raise ValueError(f"the forwarding method {destination.method!r} is none of NAT, DR, TUN")
    return [
        *destination_identity(destination),
        ("FWD_METHOD", METHODS[destination.method]),
        ("WEIGHT", destination.weight),
        ("U_THRESH", destination.upper),
        ("L_THRESH", destination.lower),
        *_tunnel_attributes(destination.tunnel),
    ]


def _tunnel_attributes(tunnel: Tunnel) -> Attributes:
    """Nothing of IP in IP, which is what a kernel takes that knows no other (before 5.2)."""
    if tunnel == Tunnel():
        return []
    if tunnel.kind not in TUNNELS or tunnel.checksum not in CHECKSUMS:
        raise ValueError(f"there is no tunnel {tunnel.kind} {tunnel.checksum}".rstrip())
    return [
        ("TUN_TYPE", TUNNELS[tunnel.kind]),
        ("TUN_PORT", tunnel.port),
        ("TUN_FLAGS", CHECKSUMS[tunnel.checksum]),
    ]


def decode_service(payload: bytes) -> Service:
    """The service of a reply's payload. Raises ValueError when something is missing or does not fit."""
    found = nested(payload, "SERVICE")
    family = _family(found["AF"])
    key = ServiceKey(family, fwmark=found["FWMARK"]) if found.maybe("FWMARK") else _key(family, found)
    bits, timeout = found["FLAGS"][0], found["TIMEOUT"]
    names = PLAIN_NAMES | FLAG_NAMES.get(found["SCHED_NAME"], {})
    return Service(
        key,
        found["SCHED_NAME"],
        tuple(name for bit, name in names.items() if bits & bit),
        timeout if bits & PERSISTENT else 0,
        _prefix(family, found["NETMASK"]),
        found.maybe("PE_NAME", ""),
    )


def decode_destination(payload: bytes, family: int) -> Destination:
    """The destination of a reply's payload; ``family`` is the service's, for kernels that do not say the server's.

    Raises ValueError when something is missing or does not fit.
    """
    return _destination(nested(payload, "DEST"), family)


def decode_load(payload: bytes, family: int) -> tuple[Destination, Load]:
    """`decode_destination`, and what the destination carries."""
    found = nested(payload, "DEST")
    return _destination(found, family), _load(found)


def decode_total(payload: bytes) -> Load:
    """What the service of a reply's payload carries, but for its connections: those are its destinations'."""
    return Load(0, 0, 0, *_totals(nested(payload, "SERVICE")))


def _destination(found: Found, family: int) -> Destination:
    return Destination(
        _text(_family(found["ADDR_FAMILY"]) if "ADDR_FAMILY" in found else family, found["ADDR"]),
        found["PORT"],
        found["WEIGHT"],
        METHOD_NAMES.get(found["FWD_METHOD"] & FORWARDING, "NAT"),
        found["U_THRESH"],
        found["L_THRESH"],
        _tunnel(found) if found.maybe("TUN_TYPE") else Tunnel(),
    )


def _tunnel(found: Found) -> Tunnel:
    kind, checksum = found["TUN_TYPE"], found.maybe("TUN_FLAGS", 0)
    return Tunnel(
        TUNNEL_NAMES.get(kind, str(kind)), found.maybe("TUN_PORT", 0), CHECKSUM_NAMES.get(checksum, str(checksum))
    )


def _key(family: int, found: Found) -> ServiceKey:
    protocol = PROTOCOL_NAMES.get(found["PROTOCOL"], str(found["PROTOCOL"]))
    return ServiceKey(family, _text(family, found["ADDR"]), found["PORT"], protocol)


def _load(found: Found) -> Load:
    """The totals come with 64 bits, from kernels before 4.1 with 32."""
    return Load(found["ACTIVE_CONNS"], found["INACT_CONNS"], found.maybe("PERSIST_CONNS", 0), *_totals(found))


def _totals(found: Found) -> Iterator[int]:
    totals: Found | None = found.maybe("STATS64") or found.maybe("STATS")
    return (totals.maybe(name, 0) if totals else 0 for name in TOTALS)


def _packed(family: int, address: str) -> bytes:
    try:
        return socket.inet_pton(FAMILIES[family], address).ljust(ADDRESS_SIZE, b"\0")
    except OSError:
        raise ValueError(f"{address!r} is not an IPv{family} address") from None


def _text(family: int, address: bytes) -> str:
    size = 16 if family == 6 else 4
    if len(address) < size:
        raise ValueError(f"an address of {len(address)} bytes")
    return socket.inet_ntop(FAMILIES[family], address[:size])


def _family(number: int) -> int:
    for family, known in FAMILIES.items():
        if number == known:
            return family
    raise ValueError(f"the address family {number} is neither IPv4 nor IPv6")


def _netmask(family: int, prefix: int | None) -> bytes:
    """IPv4: the mask in network order. IPv6: the prefix length in the machine's order, at least 1."""
    longest = longest_prefix(family)
    length = longest if prefix is None else prefix
    if not 0 <= length <= longest:
        raise ValueError(f"an IPv{family} prefix has at most {longest} bits, not {length}")
    if family == 6:
        return struct.pack("=I", length)
    return ((1 << 32) - (1 << (32 - length))).to_bytes(4)


def _prefix(family: int, netmask: bytes) -> int | None:
    """None is the longest, each client by itself."""
    if len(netmask) != 4:
        raise ValueError(f"a netmask of {len(netmask)} bytes")
    length = struct.unpack("=I", netmask)[0] if family == 6 else int.from_bytes(netmask).bit_count()
    if family == 4 and netmask != _netmask(4, length):
        return HOLES
    return None if length == longest_prefix(family) else length
