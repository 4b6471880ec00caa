"""Virtual addresses on and off this machine's interfaces: the `Addresses` of a real kernel. Needs CAP_NET_ADMIN."""

import errno
import socket
from collections.abc import Iterator
from functools import partial

import gevent
from pyroute2.netlink import NETLINK_ROUTE
from pyroute2.netlink.rtnl import RTM_DELADDR, RTM_NEWADDR

from actors.core.address import Address
from actors.planes import PlaneError
from actors.planes.channel import Channel, Refused, connect, explained
from actors.planes.netlink.codec import encode_address
from actors.planes.netlink.promotion import Promotion

BATCH = 64
"""Addresses in one datagram. The kernel works on all of them before the call returns: about 1 ms."""

TOLD = 3
"""Refusals that an error quotes; more say no more."""


class NetlinkAddresses:
    """See `actors.planes.network.Addresses`. Of a batch all are tried, whatever becomes of the others.

    Calls come from greenlets, and give way to others between two batches.
    """

    def __init__(self) -> None:
        self._channel: Channel | None = None
        self._promotion = Promotion()

    def add(self, interface: str, addresses: tuple[Address, ...]) -> None:
        """See `Addresses.add`."""
        self._all("adding", RTM_NEWADDR, interface, addresses, {errno.EEXIST})

    def remove(self, interface: str, addresses: tuple[Address, ...]) -> None:
        """See `Addresses.remove`. Nor is an interface missed that has gone, and its addresses with it.

        The last first: of a network the first one is primary, and each time a primary goes another has to be made.
        """
        with self._promotion.during(interface, addresses):
            self._all("removing", RTM_DELADDR, interface, addresses[::-1], {errno.EADDRNOTAVAIL, errno.ENODEV})

    def close(self) -> None:
        """Give the socket back."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _all(self, doing: str, kind: int, interface: str, addresses: tuple[Address, ...], fine: set[int]) -> None:
        refusals: list[str] = []
        for start in range(0, len(addresses), BATCH):
            if start:
                gevent.sleep(0)
            refusals += self._batch(kind, interface, addresses[start : start + BATCH], fine)
        if refusals:
            more = f"; and {len(refusals) - TOLD} more" if len(refusals) > TOLD else ""
            raise PlaneError(f"{doing} {'; '.join(refusals[:TOLD])}{more}")

    def _batch(self, kind: int, interface: str, batch: tuple[Address, ...], fine: set[int]) -> Iterator[str]:
        """What was refused, each in words."""
        requests: list[tuple[str, bytes]] = []
        for item in batch:
            where = item.interface or interface
            title = f"{item.address}/{item.prefix} on {where}"
            try:
                requests.append((title, encode_address(item, socket.if_nametoindex(where))))
            except OSError:  # of if_nametoindex, which tells no number
                if errno.ENODEV not in fine:
                    yield f"{title}: {explained(errno.ENODEV)}"
            except Exception as error:  # pyroute2 raises whatever struct and its maps raise
                yield f"{title}: {error}"
        for (title, _), refusal in zip(requests, self._ask(kind, [payload for _, payload in requests]), strict=True):
            if refusal is not None and refusal.number not in fine:
                yield f"{title}: {refusal}"

    def _ask(self, kind: int, payloads: list[bytes]) -> list[Refused | None]:
        if not payloads:
            return []
        try:
            if self._channel is None:
                self._channel = Channel(partial(connect, NETLINK_ROUTE))
            return self._channel.ask_each(kind, payloads)
        except Refused as broken:
            return [broken] * len(payloads)
        except OSError as error:
            return [Refused(explained(error.errno or 0))] * len(payloads)
