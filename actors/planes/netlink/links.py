"""What the kernel says of links and their addresses, as it says it: the `Links` of a real kernel.

Deltas are believed from one dump to the next loss: an overflow of the socket has everything read anew.
"""

import errno
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
import structlog
from gevent import get_hub
from pyroute2.netlink import NETLINK_ROUTE
from pyroute2.netlink.rtnl import (
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTMGRP_IPV4_IFADDR,
    RTMGRP_IPV6_IFADDR,
    RTMGRP_LINK,
)

from actors.planes import PlaneError
from actors.planes.channel import DATAGRAM, Broken, Channel, Frame, Refused, connect, explained, frames
from actors.planes.netlink.codec import decode_held, decode_link, every_address, every_link
from actors.planes.netlink.table import LinkTable
from actors.planes.network import LinkEvent

READ = 1
"""libev's EV_READ."""

BUFFER = 8 << 20
"""Bytes of news that may wait: some thousand addresses that come or go at once."""

SO_RCVBUFFORCE = 33
"""SO_RCVBUF beyond net.core.rmem_max, for CAP_NET_ADMIN; asm-generic/socket.h, no name in Python."""

BURST = 256
"""Datagrams read before the watchers are told and the loop serves others."""

AGAIN = 1.0
"""Seconds until a dump that failed is tried again."""

Changed = Callable[[LinkEvent], None]
log = structlog.get_logger()


class NetlinkLinks:
    """See `actors.planes.network.Links`. ``resyncs`` counts how often news were lost and all was read anew.

    An interface that gave way to another of its name is told as down in between: sockets on the old one are dead.
    """

    def __init__(self, buffer: int = BUFFER) -> None:
        self.resyncs = 0
        self._buffer = buffer
        self._table = LinkTable()
        self._watched: dict[str, Changed] = {}
        self._told: dict[str, tuple[int | None, LinkEvent]] = {}
        self._sought: dict[str, Callable[[bool], None]] = {}
        self._found: dict[str, bool] = {}
        self._monitor: Any = None
        self._watcher: Any = None
        self._channel: Channel | None = None
        self._resync: gevent.Greenlet | None = None

    def watch(self, interface: str, changed: Changed) -> None:
        """See `Links.watch`. The first use waits for a dump, and raises `PlaneError` when there is none."""
        if self._monitor is None:
            self._open()
        self._watched[interface] = changed
        self._told.pop(interface, None)
        self._tell({interface: changed})

    def unwatch(self, interface: str) -> None:
        """See `Links.unwatch`."""
        self._watched.pop(interface, None)
        self._told.pop(interface, None)

    def seek(self, address: str, changed: Callable[[bool], None]) -> None:
        """See `Links.seek`. Waits and raises as `watch` does."""
        if self._monitor is None:
            self._open()
        self._sought[address] = changed
        self._found.pop(address, None)
        self._tell_places({address: changed})

    def unseek(self, address: str) -> None:
        """See `Links.unseek`."""
        self._sought.pop(address, None)
        self._found.pop(address, None)

    def close(self) -> None:
        """Give the sockets back; nobody is told of anything more."""
        if self._resync is not None:
            self._resync.kill()
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
        for each in (self._monitor, self._channel):
            if each is not None:
                each.close()
        self._monitor = self._watcher = self._channel = self._resync = None

    def _open(self) -> None:
        """The monitor first, then the dump: what happens in between is heard after it."""
        try:
            self._channel = Channel(partial(connect, NETLINK_ROUTE))
            self._monitor = self._listening()
            self._fill()
        except (OSError, Refused) as error:
            self.close()
            why = explained(error.errno or 0) if isinstance(error, OSError) else error
            raise PlaneError(f"reading the links of this machine: {why}") from None
        self._watcher = get_hub().loop.io(self._monitor.fileno(), READ)
        self._watcher.start(self._read)

    def _listening(self) -> Any:
        groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
        monitor = connect(NETLINK_ROUTE, groups, self._buffer)
        monitor.setblocking(False)
        try:
            monitor.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, self._buffer)
        except PermissionError:
            log.info("news of links have a small buffer", needs="CAP_NET_ADMIN")
        return monitor

    def _fill(self) -> None:
        assert self._channel is not None
        links = self._channel.ask(RTM_GETLINK, every_link(), dump=True, answer=RTM_NEWLINK)
        addresses = self._channel.ask(RTM_GETADDR, every_address(), dump=True, answer=RTM_NEWADDR)
        self._table.fill(filter(None, map(decode_link, links)), map(decode_held, addresses))

    def _read(self) -> None:
        """Take in what has come, then tell. Called by the loop, so it must not wait: another greenlet reads anew."""
        try:
            for _ in range(BURST):
                for frame in frames(self._monitor.recv(DATAGRAM)):
                    self._apply(frame)
        except BlockingIOError:
            pass
        except (OSError, Broken) as error:
            self._watcher.stop()
            why = explained(error.errno or 0) if isinstance(error, OSError) else str(error)
            self._resync = gevent.spawn(self._read_anew, why)
            return
        self._tell(self._watched)
        self._tell_places(self._sought)

    def _apply(self, frame: Frame) -> None:
        if frame.kind in (RTM_NEWLINK, RTM_DELLINK):
            link = decode_link(frame.payload)
            if link is not None and frame.kind == RTM_NEWLINK:
                self._table.put_link(link)
            elif link is not None:
                self._table.drop_link(link.index)
        elif frame.kind == RTM_NEWADDR:
            self._table.put_address(decode_held(frame.payload))
        elif frame.kind == RTM_DELADDR:
            self._table.drop_address(decode_held(frame.payload))

    def _read_anew(self, reason: str) -> None:
        """After a loss: what still lies in the socket is old, and the kernel adds nothing until it has been read."""
        self.resyncs += 1
        log.warning("news of links were lost, all is read anew", reason=reason)
        while True:
            self._discard()
            try:
                self._fill()
                break
            except Refused as refusal:
                log.error("links cannot be read", reason=str(refusal), again_in=AGAIN)
                gevent.sleep(AGAIN)
        self._resync = None
        self._watcher.start(self._read)
        self._tell(self._watched)
        self._tell_places(self._sought)

    def _discard(self) -> None:
        while True:
            try:
                self._monitor.recv(DATAGRAM)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise

    def _tell_places(self, sought: dict[str, Callable[[bool], None]]) -> None:
        """Say of each address whether it has come or gone."""
        present = self._table.addresses() if sought else frozenset()
        for address, changed in tuple(sought.items()):
            here = address in present
            if here is not self._found.get(address):
                self._found[address] = here
                changed(here)

    def _tell(self, watched: dict[str, Changed]) -> None:
        """Say of each interface what is new."""
        indices = self._table.indices()
        for interface, changed in tuple(watched.items()):
            index = indices.get(interface)
            before, last = self._told.get(interface, (index, None))
            event = self._table.event(interface, index)
            self._told[interface] = (index, event)
            if last is not None and last.up and event.up and before != index:
                last = LinkEvent(interface, False)
                changed(last)
            if event != last:
                changed(event)
