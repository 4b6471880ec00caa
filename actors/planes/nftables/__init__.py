"""Packets that are not to come in or go out, kept back by nftables: the `Firewall` of a real kernel.

All rules are in one table of the program's own, which is replaced in one step. Needs CAP_NET_ADMIN.
"""

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pyroute2.netlink import NETLINK_NETFILTER
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_GETTABLE as GETTABLE
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_NEWTABLE as NEWTABLE

from actors.planes import PlaneError
from actors.planes.channel import Channel, Refused, connect, explained
from actors.planes.network import Rules
from actors.planes.nftables.codec import creation, frame, lookup, removal

SO_SNDBUFFORCE = 32
"""SO_SNDBUF beyond net.core.wmem_max, for CAP_NET_ADMIN; asm-generic/socket.h, no name in Python."""

LARGE = 8 << 20
"""Bytes of a batch at most, which has to be one datagram: some 100,000 addresses."""

SUBSYSTEM = NFNL_SUBSYS_NFTABLES << 8
"""The upper half of a message's type."""

MISSING = {errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT}


def connected() -> Any:
    """A socket to the netfilter subsystems with room for a large batch. Raises OSError."""
    sock = connect(NETLINK_NETFILTER)
    with suppress(PermissionError):  # without the capability all that follows is refused too, and that is told
        sock.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, LARGE)
    return sock


class NftablesFirewall:
    """See `actors.planes.network.Firewall`. Each program in a network namespace needs its own ``table``."""

    def __init__(self, table: str, connect: Callable[[], Any] = connected) -> None:
        self._table = table
        self._connect = connect
        self._channel: Channel | None = None

    def apply(self, rules: Rules) -> None:
        """See `Firewall.apply`."""
        try:
            wanted = creation(self._table, rules) if rules != Rules() else []
            self._open().ask_all([*removal(self._table), *wanted], frame())
        except ValueError as error:
            raise self._error(str(error)) from None
        except Refused as refusal:
            raise self._error(_why(refusal)) from None

    def stands(self) -> bool:
        """See `Firewall.stands`."""
        try:
            return bool(self._open().ask(SUBSYSTEM | GETTABLE, lookup(self._table), answer=SUBSYSTEM | NEWTABLE))
        except Refused as refusal:
            if refusal.number == errno.ENOENT:
                return False
            raise self._error(_why(refusal)) from None

    def close(self) -> None:
        """Give the socket back; the table stays."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _open(self) -> Channel:
        if self._channel is None:
            try:
                self._channel = Channel(self._connect)
            except OSError as error:
                raise Refused(explained(error.errno or 0), error.errno or 0) from None
        return self._channel

    def _error(self, why: str) -> PlaneError:
        return PlaneError(f"table {self._table} of nftables: {why}")


def _why(refusal: Refused) -> str:
    if refusal.number in MISSING:
        return f"this kernel has no nf_tables with the family inet: {refusal}"
    return f"{refusal}, needs CAP_NET_ADMIN" if refusal.number == errno.EPERM else str(refusal)
