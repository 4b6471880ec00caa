"""What is received on one interface in one family and protocol: one socket for all its routers, told apart by VRID."""

import errno
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

from gevent import get_hub

from actors.core.authentication_header import AH_BYTES
from actors.core.packet_values import AH_PROTOCOL, Reason, Reject
from actors.planes.network import Endpoint, Received
from actors.planes.wire.reception import Reception
from actors.planes.wire.sockets import attach, join, leave, receiver, vrid_program

READ = 1
"""libev's EV_READ."""

BURST = 64
"""Packets handed over before the loop serves others; it comes back at once when there are more."""

BACKLOG = 4096
"""Packets that a drain hands over at most: more than the buffer holds, so that a flood cannot keep it for ever."""

Heard = Callable[[Received], None]

Membership = tuple[str, int]
"""A group, and the index of an interface that is in it."""


class Listening(NamedTuple):
    """A router that hears, and what its interfaces joined for it."""

    endpoint: Endpoint
    heard: Heard
    groups: list[Membership]


class Listener:
    """Hears what the kernel passes. Made and called on the event loop; raises OSError when made or given a router.

    ``errors`` counts, by reason, what is for no router; and by the name of the errno what reading failed with: an
    interface that goes away says so here, and through the link's news to those who decide.
    """

    def __init__(self, interface: str, family: int, protocol: int, errors: Counter[str]) -> None:
        self.routers: dict[int, Listening] = {}
        self._family = family
        self._protocol = protocol
        self._vrid = 1 + (AH_BYTES if protocol == AH_PROTOCOL else 0)
        self._index = socket.if_nametoindex(interface)
        self._members: Counter[Membership] = Counter()
        self._errors = errors
        self._socket = receiver(interface, family, protocol)
        self._reception = Reception(self._socket, family, protocol)
        self._watcher = get_hub().loop.io(self._socket.fileno(), READ)
        self._watcher.start(self._read)

    def add(self, endpoint: Endpoint, heard: Heard) -> None:
        """Hear the adverts of one more router; with its VRID it takes the place of an earlier one."""
        self._leave(self.routers.get(endpoint.vrid))
        self.routers[endpoint.vrid] = router = Listening(endpoint, heard, [])
        for membership in self._groups_of(endpoint):
            self._join(*membership)
            router.groups.append(membership)
        self._tune()

    def drop(self, endpoint: Endpoint) -> None:
        """Hear no more of a router."""
        router = self.routers.get(endpoint.vrid)
        if router is not None and router.endpoint == endpoint:
            del self.routers[endpoint.vrid]
            self._leave(router)
            self._tune()

    def close(self) -> None:
        """Give the socket back."""
        self._watcher.stop()
        self._watcher.close()
        self._socket.close()

    def drain(self) -> None:
        """Hand over at once all that has arrived."""
        self._read(BACKLOG)

    def _read(self, limit: int = BURST) -> None:
        for _ in range(limit):
            try:
                received = self._reception.read()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.EBADF:  # somebody who was told closed the socket
                    return
                self._errors[errno.errorcode.get(error.errno or 0, "?")] += 1
                continue
            self._tell(received)

    def _tell(self, received: Received | Reject) -> None:
        """What the kernel passes besides the routers' adverts is counted: see `vrid_program`."""
        if isinstance(received, Reject):
            self._errors[received.reason.value] += 1
        elif len(received.pdu) <= self._vrid:
            self._errors[Reason.LENGTH.value] += 1
        elif router := self.routers.get(received.pdu[self._vrid]):
            router.heard(received)
        else:
            self._errors[Reason.VRID.value] += 1

    def _tune(self) -> None:
        """Have the kernel pass these routers' adverts alone."""
        attach(self._socket, vrid_program(self._family, self.routers, self._vrid))

    def _join(self, group: str, index: int) -> None:
        if not self._members[group, index]:
            join(self._socket, self._family, group, index)
        self._members[group, index] += 1

    def _leave(self, router: Listening | None) -> None:
        for group, index in router.groups if router is not None else ():
            self._members[group, index] -= 1
            if not self._members[group, index]:
                leave(self._socket, self._family, group, index)

    def _groups_of(self, endpoint: Endpoint) -> Iterator[Membership]:
        """Each with the index of an interface that joins it."""
        for group in filter(is_group, endpoint.destinations):
            yield group, self._index
            if endpoint.below:
                yield group, socket.if_nametoindex(endpoint.below)


def is_group(address: str) -> bool:
    """Whether it is a multicast address. Raises ValueError for what is no address."""
    return ip_address(address).is_multicast
