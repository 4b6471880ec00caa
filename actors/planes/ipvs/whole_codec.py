"""Between the values of IPVS as a whole and the attributes that carry them. Pure: bytes and values, no socket."""

import socket

from actors.core.whole import BACKUP, MASTER, Daemon, Timeouts
from actors.planes.ipvs.messages import Attributes, message_of, nested

STATES = {MASTER: 1, BACKUP: 2}  # IP_VS_STATE_*
STATE_NAMES = {number: name for name, number in STATES.items()}
TIMEOUTS = ("TCP", "TCP_FIN", "UDP")


def timeouts(wanted: Timeouts) -> Attributes:
    """The attributes that set them; what is 0 stays."""
    given = zip(TIMEOUTS, (wanted.tcp, wanted.tcpfin, wanted.udp), strict=True)
    return [(f"TIMEOUT_{name}", seconds) for name, seconds in given if seconds]


def decode_timeouts(payload: bytes) -> Timeouts:
    """The timeouts of a reply's payload. Raises ValueError when one is missing."""
    found = message_of(payload)
    return Timeouts(*(found[f"TIMEOUT_{name}"] for name in TIMEOUTS))


def which_daemon(state: str) -> Attributes:
    """The attributes by which the kernel finds a daemon."""
    return [("DAEMON", [("STATE", STATES[state])])]


def daemon(wanted: Daemon) -> Attributes:
    """All that the kernel wants to know of a daemon to start it. Raises ValueError for a group that is no address."""
    attributes = [
        ("STATE", STATES[wanted.state]),
        ("MCAST_IFN", wanted.interface),
        ("SYNC_ID", wanted.id),
    ]
    for name, value in (("SYNC_MAXLEN", wanted.maxlen), ("MCAST_PORT", wanted.port), ("MCAST_TTL", wanted.ttl)):
        if value:
            attributes.append((name, value))
    if wanted.group:
        six = ":" in wanted.group
        packed = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, wanted.group)
        attributes.append((f"MCAST_GROUP{'6' if six else ''}", packed))
    return [("DAEMON", attributes)]


def decode_daemon(payload: bytes) -> Daemon:
    """The daemon of a reply's payload. Raises ValueError when something is missing or does not fit."""
    found = nested(payload, "DAEMON")
    number = found["STATE"]
    if number not in STATE_NAMES:
        raise ValueError(f"the state {number} of a daemon is unknown")
    return Daemon(
        STATE_NAMES[number],
        found["MCAST_IFN"],
        found["SYNC_ID"],
        found.maybe("SYNC_MAXLEN", 0),
        found.maybe("MCAST_PORT", 0),
        found.maybe("MCAST_TTL", 0),
        _group(found.maybe("MCAST_GROUP"), found.maybe("MCAST_GROUP6")),
    )


def _group(four: bytes | None, six: bytes | None) -> str:
    if six and len(six) == 16:
        return socket.inet_ntop(socket.AF_INET6, six)
    return socket.inet_ntop(socket.AF_INET, four) if four and len(four) == 4 else ""
