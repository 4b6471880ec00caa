"""The messages of IPVS's generic netlink family (linux/ip_vs.h), packed and unpacked by the maps of pyroute2.

Where its maps do not hold (addresses whose family stands in a later attribute, a netmask that is a prefix length) or
have nothing (sync daemons, timeouts) they are mended here, and nowhere else. They are read by a few lines of our own:
pyroute2 takes 120 µs for a server and 230 to write one, and ten thousand of them are compared every five seconds.
"""

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from pyroute2.netlink.generic.ipvs import GENL_VERSION, ipvsmsg, ipvsstats

Attributes = Sequence[tuple[str, Any]]

NUMBERS = {
    "uint8": struct.Struct("=B"),
    "uint16": struct.Struct("=H"),
    "uint32": struct.Struct("=I"),
    "uint64": struct.Struct("=Q"),
    "be16": struct.Struct(">H"),
}
HEAD = struct.Struct("=HH")  # nlattr: length, type
GENERIC = struct.Struct("=BBH")  # genlmsghdr: command, version, reserved
FLAGS = struct.Struct("=II")  # ip_vs_flags: flags, mask
KIND = 0x3FFF  # NLA_TYPE_MASK


class Slot(NamedTuple):
    """An attribute: its number, and how its value is packed."""

    number: int
    kind: str


Shape = dict[str, Slot]
"""The attributes that may stand in one place, by name."""


def _shape(nla_map: Sequence[tuple[str, str]], prefix: str, **kinds: str) -> Shape:
    """One of pyroute2's maps, in which an attribute's number is its place, with other kinds where those do not hold."""
    short = ((name.removeprefix(prefix), kind) for name, kind in nla_map)
    return {name: Slot(number, kinds.get(name, kind)) for number, (name, kind) in enumerate(short)}


SHAPES: dict[str, Shape] = {
    "message": _shape(
        ipvsmsg.nla_map,
        "IPVS_CMD_ATTR_",
        DAEMON="daemon",
        TIMEOUT_TCP="uint32",
        TIMEOUT_TCP_FIN="uint32",
        TIMEOUT_UDP="uint32",
    ),
    "service": _shape(ipvsmsg.service.nla_map, "IPVS_SVC_ATTR_", ADDR="bytes", NETMASK="bytes"),
    "dest": _shape(ipvsmsg.dest.nla_map, "IPVS_DEST_ATTR_", ADDR="bytes", TUN_PORT="be16"),
    "stats": _shape(ipvsstats.stats.nla_map, "IPVS_STATS_ATTR_"),
    "stats64": _shape(ipvsstats.stats64.nla_map, "IPVS_STATS_ATTR_"),
    "daemon": {
        "STATE": Slot(1, "uint32"),
        "MCAST_IFN": Slot(2, "asciiz"),
        "SYNC_ID": Slot(3, "uint32"),
        "SYNC_MAXLEN": Slot(4, "uint16"),
        "MCAST_GROUP": Slot(5, "bytes"),
        "MCAST_GROUP6": Slot(6, "bytes"),
        "MCAST_PORT": Slot(7, "uint16"),
        "MCAST_TTL": Slot(8, "uint8"),
    },
}
"""What may stand in a message, and within its attributes that hold others."""


def encode(
    command: int,
    service: Attributes | None = None,
    destination: Attributes | None = None,
    more: Attributes = (),
) -> bytes:
    """A request's payload: the generic netlink header and the attributes, without the netlink header.

    ``more`` are attributes that stand beside those of a service and its destination. Raises ValueError for a value
    that its attribute cannot hold.
    """
    given = [(name, value) for name, value in (("SERVICE", service), ("DEST", destination)) if value is not None]
    try:
        return GENERIC.pack(command, GENL_VERSION, 0) + _packed(SHAPES["message"], [*given, *more])
    except struct.error as error:
        raise ValueError(f"a number is out of range: {error}") from None


def _packed(shape: Shape, attributes: Attributes) -> bytes:
    parts: list[bytes] = []
    for name, value in attributes:
        slot = shape[name]
        data = _value(slot.kind, value)
        parts += (HEAD.pack(HEAD.size + len(data), slot.number), data, bytes(-len(data) % 4))
    return b"".join(parts)


def _value(kind: str, value: Any) -> bytes:
    if kind in NUMBERS:
        return NUMBERS[kind].pack(value)
    if kind == "asciiz":
        return str(value).encode() + b"\0"
    if kind == "flags":
        return FLAGS.pack(*value)
    return value if kind == "bytes" else _packed(SHAPES[kind], value)


class Found:
    """Attributes by name, each unpacked when it is asked for: most of a dump are totals.

    One that is missing, or cut off, is a ValueError that names it.
    """

    __slots__ = ("_data", "_shape")

    def __init__(self, data: bytes, shape: Shape) -> None:
        self._data = _parts(data)
        self._shape = shape

    def __contains__(self, name: str) -> bool:
        return self._shape[name].number in self._data

    def __getitem__(self, name: str) -> Any:
        slot = self._shape[name]
        data = self._data.get(slot.number)
        if data is None:
            raise ValueError(f"the attribute {name} is missing")
        try:
            return _read(slot.kind, data)
        except (struct.error, ValueError) as error:
            raise ValueError(f"the attribute {name} cannot be decoded: {error}") from None

    def maybe(self, name: str, default: Any = None) -> Any:
        """The value, or ``default`` when there is none."""
        if self._shape[name].number not in self._data:
            return default
        return self[name]


def _parts(data: bytes) -> dict[int, bytes]:
    """Attributes by number. Raises ValueError when one says to be longer than what is there."""
    found: dict[int, bytes] = {}
    offset, end = 0, len(data)
    while end - offset >= HEAD.size:
        length, kind = HEAD.unpack_from(data, offset)
        if not HEAD.size <= length <= end - offset:
            raise ValueError("an attribute is cut off")
        found[kind & KIND] = data[offset + HEAD.size : offset + length]
        offset += (length + 3) & ~3
    return found


def _read(kind: str, data: bytes) -> Any:
    if kind in NUMBERS:
        return NUMBERS[kind].unpack_from(data)[0]
    if kind == "bytes":
        return data
    if kind == "asciiz":
        return data.partition(b"\0")[0].decode()
    return FLAGS.unpack_from(data) if kind == "flags" else Found(data, SHAPES[kind])


def message_of(payload: bytes) -> Found:
    """The attributes of a reply's payload. Raises ValueError."""
    return Found(payload[GENERIC.size :], SHAPES["message"])


def nested(payload: bytes, name: str) -> Found:
    """The attributes within the one attribute of a reply. Raises ValueError."""
    found: Found = message_of(payload)[name]
    return found
