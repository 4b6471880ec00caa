"""A table of nftables as the messages that make it, in the numbers of linux/netfilter/nf_tables.h; nothing here knows a
socket.

By hand: pyroute2 knows these messages, but takes 50 µs for each address, in the process that must never be late.
"""

import socket
import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from ipaddress import IPv6Address, ip_address

from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES
from pyroute2.netlink.nfnetlink.nftsocket import (
    NFPROTO_INET,
    NFPROTO_IPV4,
    NFPROTO_IPV6,
    NFT_MSG_DELTABLE,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWSET,
    NFT_MSG_NEWSETELEM,
    NFT_MSG_NEWTABLE,
    Cmp,
    Meta,
    Regs,
)

from actors.planes.channel import Request
from actors.planes.network import Rules

CREATE, APPEND = 0x400, 0x800  # NLM_F_*
NESTED = 0x8000  # NLA_F_NESTED
NF_DROP, NF_ACCEPT = 0, 1
LOCAL_IN, LOCAL_OUT = 1, 3  # NF_INET_*
NETWORK, TRANSPORT = 1, 2  # NFT_PAYLOAD_*_HEADER
NAME_SIZE = 16  # IFNAMSIZ
IGMP, ICMPV6 = socket.IPPROTO_IGMP, socket.IPPROTO_ICMPV6
SOLICITATION, ADVERTISEMENT = 135, 136
"""Types of ICMPv6: neighbour discovery, RFC 4861 4.3 and 4.4."""
QUERY, DONE, REPORT2 = 130, 132, 143
"""Types of ICMPv6: multicast listener discovery, RFC 2710 3.1 (a report is 131, in between) and RFC 3810 5.2."""

AFTER_IPVS = 150
"""The priority of the input hook. IPVS takes at 98 and 99 what is for a virtual server: that is not accepted, it is
forwarded."""
FILTER = 0  # NF_IP_PRI_FILTER

ELEMENTS = 1000
"""Elements in a message, whose attributes have a length of 16 bits."""


class Kind(IntEnum):
    """What a set holds, as the number that ``nft`` knows the type by (include/datatype.h)."""

    ADDRESS4 = 7
    ADDRESS6 = 8
    NAME = 41
    NAME_ADDRESS6 = 41 << 6 | 8


CLOSED4, CLOSED6, CLOSED_AT, SILENT = "closed4", "closed6", "closed_at", "silent"
SETS = {
    CLOSED4: (Kind.ADDRESS4, 4),
    CLOSED6: (Kind.ADDRESS6, 16),
    CLOSED_AT: (Kind.NAME_ADDRESS6, NAME_SIZE + 16),
    SILENT: (Kind.NAME, NAME_SIZE),
}
"""The sets that there may be, with the length of a key."""

HOST_ORDER = struct.pack("=BBI", 0, 4, 1)
"""NFTNL_UDATA_SET_KEYBYTEORDER, without which ``nft`` shows names of interfaces as empty."""


def removal(table: str) -> list[Request]:
    """The table is gone after it, whether it was there before or not."""
    return [
        _request(NFT_MSG_NEWTABLE, CREATE, _text(1, table)),  # NFTA_TABLE_NAME
        _request(NFT_MSG_DELTABLE, 0, _text(1, table)),
    ]


def creation(table: str, rules: Rules) -> list[Request]:
    """A table with what that takes. Raises ValueError, naming what is no address or name."""
    keys = _keys(rules)
    chains = [
        _chain(table, "input", LOCAL_IN, AFTER_IPVS, _input(keys)),
        _chain(table, "output", LOCAL_OUT, FILTER, _output(keys)),
    ]
    return [
        _request(NFT_MSG_NEWTABLE, CREATE, _text(1, table)),
        *(request for number, name in enumerate(keys, 1) for request in _set(table, name, number, keys[name])),
        *(request for chain in chains for request in chain),
    ]


def lookup(table: str) -> bytes:
    """The payload of NFT_MSG_GETTABLE."""
    return _generic(NFPROTO_INET) + _text(1, table)


def frame() -> bytes:
    """The payload of what begins and ends a batch for nftables: it has the number of the subsystem in it."""
    return _generic(0, NFNL_SUBSYS_NFTABLES)


# Sets


def _keys(rules: Rules) -> dict[str, list[bytes]]:
    """The elements of each set that has any, each once."""
    found: dict[str, dict[bytes, None]] = {name: {} for name in SETS}
    for text in rules.closed:
        address = ip_address(text)
        if isinstance(address, IPv6Address) and address.scope_id:
            found[CLOSED_AT][_device(address.scope_id) + address.packed] = None
        else:
            found[CLOSED4 if address.version == 4 else CLOSED6][address.packed] = None
    found[SILENT] = dict.fromkeys(_device(name) for name in rules.silent)
    return {name: list(keys) for name, keys in found.items() if keys}


def _device(name: str) -> bytes:
    data = name.encode()
    if not 0 < len(data) < NAME_SIZE:
        raise ValueError(f"{name!r} is no name of an interface")
    return data.ljust(NAME_SIZE, b"\0")


def _set(table: str, name: str, number: int, keys: list[bytes]) -> Iterator[Request]:
    """A set and its elements; later messages of the batch know it by its ``number`` too."""
    kind, length = SETS[name]
    yield _request(
        NFT_MSG_NEWSET,
        CREATE,
        _text(1, table),  # NFTA_SET_TABLE
        _text(2, name),  # NFTA_SET_NAME
        _number(4, kind),  # NFTA_SET_KEY_TYPE
        _number(5, length),  # NFTA_SET_KEY_LEN
        _number(10, number),  # NFTA_SET_ID
        *([_attribute(13, HOST_ORDER)] if kind is Kind.NAME else []),  # NFTA_SET_USERDATA
    )
    for start in range(0, len(keys), ELEMENTS):
        part = keys[start : start + ELEMENTS]
        yield _request(
            NFT_MSG_NEWSETELEM,
            CREATE,
            _text(1, table),  # NFTA_SET_ELEM_LIST_TABLE
            _text(2, name),  # NFTA_SET_ELEM_LIST_SET
            # NFTA_SET_ELEM_LIST_ELEMENTS of NFTA_LIST_ELEM of NFTA_SET_ELEM_KEY
            _nest(3, *(_nest(1, _nest(1, _value(key))) for key in part)),
        )


# Chains and rules


def _input(keys: Iterable[str]) -> Iterator[bytes]:
    """Neighbour discovery passes (RFC 5798 6.1), whatever else is for a closed address is dropped."""
    if CLOSED4 in keys:
        yield _rule(*_is(Meta.NFT_META_NFPROTO, NFPROTO_IPV4), _field(NETWORK, 16, 4), _in(CLOSED4), verdict=NF_DROP)
    if CLOSED6 in keys or CLOSED_AT in keys:
        yield _rule(*_icmpv6(*_between(SOLICITATION, ADVERTISEMENT)), verdict=NF_ACCEPT)
    six = _is(Meta.NFT_META_NFPROTO, NFPROTO_IPV6)
    if CLOSED6 in keys:
        yield _rule(*six, _field(NETWORK, 24, 16), _in(CLOSED6), verdict=NF_DROP)
    if CLOSED_AT in keys:
        place = _meta(Meta.NFT_META_IIFNAME)
        address = _field(NETWORK, 24, 16, Regs.NFT_REG_2)
        yield _rule(*six, place, address, _in(CLOSED_AT), verdict=NF_DROP)


def _output(keys: Iterable[str]) -> Iterator[bytes]:
    """What tells of multicast groups is dropped."""
    if SILENT not in keys:
        return
    silent = (_meta(Meta.NFT_META_OIFNAME), _in(SILENT))
    yield _rule(*silent, *_is(Meta.NFT_META_L4PROTO, IGMP), verdict=NF_DROP)
    yield _rule(*silent, *_icmpv6(*_between(QUERY, DONE)), verdict=NF_DROP)
    yield _rule(*silent, *_icmpv6(_compared(Cmp.NFT_CMP_EQ, REPORT2)), verdict=NF_DROP)


def _chain(table: str, name: str, hook: int, priority: int, rules: Iterable[bytes]) -> Iterator[Request]:
    """A chain of the hook with its rules; nothing when it has none."""
    for place, rule in enumerate(rules):
        if not place:
            # NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY
            where = _nest(4, _number(1, hook), _number(2, priority))
            chain = (_text(1, table), _text(3, name), where, _text(7, "filter"))  # NFTA_CHAIN_TABLE, NAME, HOOK, TYPE
            yield _request(NFT_MSG_NEWCHAIN, CREATE, *chain)
        yield _request(NFT_MSG_NEWRULE, CREATE | APPEND, _text(1, table), _text(2, name), rule)


def _rule(*conditions: bytes, verdict: int) -> bytes:
    """NFTA_RULE_EXPRESSIONS, each NFTA_LIST_ELEM."""
    code = _nest(2, _nest(2, _number(1, verdict)))  # NFTA_IMMEDIATE_DATA, NFTA_DATA_VERDICT, NFTA_VERDICT_CODE
    last = _expression("immediate", _number(1, Regs.NFT_REG_VERDICT), code)
    return _nest(4, *(_nest(1, each) for each in (*conditions, last)))


def _icmpv6(*compared: bytes) -> tuple[bytes, ...]:
    """Of this type, which is in front of the transport header; the kernel finds that behind hop-by-hop options too."""
    return (*_is(Meta.NFT_META_L4PROTO, ICMPV6), _field(TRANSPORT, 0, 1), *compared)


def _between(first: int, last: int) -> tuple[bytes, bytes]:
    return _compared(Cmp.NFT_CMP_GTE, first), _compared(Cmp.NFT_CMP_LTE, last)


def _is(key: int, value: int) -> tuple[bytes, bytes]:
    return _meta(key), _compared(Cmp.NFT_CMP_EQ, value)


def _meta(key: int) -> bytes:
    """A fact of the packet to register 1: NFTA_META_DREG, NFTA_META_KEY."""
    return _expression("meta", _number(1, Regs.NFT_REG_1), _number(2, key))


def _field(base: int, offset: int, length: int, register: int = Regs.NFT_REG_1) -> bytes:
    """Bytes of the packet to a register: NFTA_PAYLOAD_DREG, BASE, OFFSET, LEN."""
    return _expression("payload", _number(1, register), _number(2, base), _number(3, offset), _number(4, length))


def _compared(operator: int, value: int) -> bytes:
    """Register 1 with one byte: NFTA_CMP_SREG, NFTA_CMP_OP, NFTA_CMP_DATA."""
    return _expression("cmp", _number(1, Regs.NFT_REG_1), _number(2, operator), _nest(3, _value(bytes([value]))))


def _in(name: str) -> bytes:
    """Whether what register 1 and those after it hold is in the set: NFTA_LOOKUP_SET, NFTA_LOOKUP_SREG."""
    return _expression("lookup", _text(1, name), _number(2, Regs.NFT_REG_1))


def _expression(name: str, *attributes: bytes) -> bytes:
    """NFTA_EXPR_NAME, NFTA_EXPR_DATA."""
    return _text(1, name) + _nest(2, *attributes)


# Attributes


def _request(kind: int, flags: int, *attributes: bytes) -> Request:
    payload = _generic(NFPROTO_INET) + b"".join(attributes)
    return Request(NFNL_SUBSYS_NFTABLES << 8 | kind, flags, payload)


def _generic(family: int, resource: int = 0) -> bytes:
    """struct nfgenmsg, of version 0."""
    return struct.pack("!BBH", family, 0, resource)


def _nest(kind: int, *attributes: bytes) -> bytes:
    return _attribute(NESTED | kind, b"".join(attributes))


def _value(data: bytes) -> bytes:
    """NFTA_DATA_VALUE."""
    return _attribute(1, data)


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _number(kind: int, number: int) -> bytes:
    return _attribute(kind, struct.pack("!I", number))


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
