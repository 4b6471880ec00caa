"""The messages of IPVS's generic netlink family (linux/ip_vs.h), packed and unpacked by pyroute2's message classes.

Where pyroute2's map does not hold (addresses whose family stands in a later attribute, a netmask that is a prefix
length) or has nothing (sync daemons, timeouts) it is mended here, and nowhere else.
"""

import struct
from collections.abc import Sequence
from typing import Any

from pyroute2.netlink import genlmsg, nla
from pyroute2.netlink.generic.ipvs import GENL_VERSION, ipvsmsg, ipvsstats

Attributes = Sequence[tuple[str, Any]]


def _mended(nla_map: tuple[tuple[str, str], ...], prefix: str, **kinds: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, kinds.get(name.removeprefix(prefix), kind)) for name, kind in nla_map)


class IpvsMessage(genlmsg):
    """pyroute2's ``ipvsmsg`` with the address and netmask attributes as raw bytes, and what it knows nothing of."""

    prefix = ipvsmsg.prefix
    nla_map = _mended(
        ipvsmsg.nla_map, prefix, DAEMON="daemon", TIMEOUT_TCP="uint32", TIMEOUT_TCP_FIN="uint32", TIMEOUT_UDP="uint32"
    )

    class service(nla, ipvsstats):
        prefix = ipvsmsg.service.prefix
        nla_map = _mended(ipvsmsg.service.nla_map, prefix, ADDR="cdata", NETMASK="cdata")
        flags = ipvsmsg.service.flags

    class dest(nla, ipvsstats):
        prefix = ipvsmsg.dest.prefix
        nla_map = _mended(ipvsmsg.dest.nla_map, prefix, ADDR="cdata", TUN_PORT="be16")

    class daemon(nla):
        prefix = "IPVS_DAEMON_ATTR_"
        nla_map = (
            ("IPVS_DAEMON_ATTR_UNSPEC", "none"),
            ("IPVS_DAEMON_ATTR_STATE", "uint32"),
            ("IPVS_DAEMON_ATTR_MCAST_IFN", "asciiz"),
            ("IPVS_DAEMON_ATTR_SYNC_ID", "uint32"),
            ("IPVS_DAEMON_ATTR_SYNC_MAXLEN", "uint16"),
            ("IPVS_DAEMON_ATTR_MCAST_GROUP", "cdata"),
            ("IPVS_DAEMON_ATTR_MCAST_GROUP6", "cdata"),
            ("IPVS_DAEMON_ATTR_MCAST_PORT", "uint16"),
            ("IPVS_DAEMON_ATTR_MCAST_TTL", "uint8"),
        )


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
    message = IpvsMessage()
    message["cmd"], message["version"] = command, GENL_VERSION
    for name, attributes in (("SERVICE", service), ("DEST", destination)):
        if attributes is not None:
            message["attrs"].append((f"IPVS_CMD_ATTR_{name}", {"attrs": attributes}))
    message["attrs"].extend(more)
    try:
        message.encode()
    except struct.error as error:
        raise ValueError(f"a number is out of range: {error}") from None
    return bytes(message.data[16:])


class Found:
    """Attributes by name without their ``prefix``, each unpacked when it is asked for: most of a dump are totals.

    One that is missing, or cut off, is a ValueError that names it.
    """

    def __init__(self, nested: Any, prefix: str) -> None:
        self._cells = {slot.cell[0].removeprefix(prefix): slot.cell[1] for slot in nested["attrs"]}

    def __contains__(self, name: str) -> bool:
        return name in self._cells

    def __getitem__(self, name: str) -> Any:
        if name not in self._cells:
            raise ValueError(f"the attribute {name} is missing")
        cell = self._cells[name]
        try:
            if not cell.decoded:
                cell.decode()
        except Exception as error:  # pyroute2 raises whatever struct and its maps raise
            raise ValueError(f"the attribute {name} cannot be decoded: {error}") from None
        return cell.getvalue()

    def maybe(self, name: str, default: Any = None) -> Any:
        """The value, or ``default`` when there is none."""
        if name not in self._cells:
            return default
        return self[name]


def message_of(payload: bytes) -> Found:
    """The attributes of a reply's payload, by name without IPVS_CMD_ATTR_. Raises ValueError."""
    data = struct.pack("=IHHII", 16 + len(payload), 0, 0, 0, 0) + payload
    try:
        message = IpvsMessage(data)
        message.decode()
        return Found(message, IpvsMessage.prefix)
    except Exception as error:  # pyroute2 raises whatever struct and its maps raise
        raise ValueError(f"it cannot be decoded: {error}") from None


def nested(payload: bytes, name: str, prefix: str) -> Found:
    """The attributes within the one attribute of a reply, by name without their ``prefix``. Raises ValueError."""
    data = struct.pack("=IHHII", 16 + len(payload), 0, 0, 0, 0) + payload
    try:
        message = IpvsMessage(data)
        message.decode()
        inside = message.get_attr(f"IPVS_CMD_ATTR_{name}")
    except Exception as error:  # pyroute2 raises whatever struct and its maps raise
        raise ValueError(f"it cannot be decoded: {error}") from None
    if not isinstance(inside, dict):  # pyroute2 hands out the bytes of what it could not decode
        raise ValueError(f"its attribute {name} is missing or cut off")
    return Found(inside, prefix)
