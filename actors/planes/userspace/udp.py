"""A UDP service: a flow for each client address, with a socket of its own towards the server that it was given."""

import socket
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from gevent import get_hub

from actors.core.balance import Key
from actors.core.table import Destination
from actors.planes.userspace.pool import LivePool
from actors.planes.userspace.sockets import READ, NativeSocket, dial, listening

IDLE = 300.0
"""Seconds without a datagram after which a flow is forgotten: IPVS's default."""
FLOWS = 4096
"""Flows of a service at once; beyond, the one that was silent longest is forgotten."""
BURST = 64
"""Datagrams read in one go."""
SWEEP = 5.0
"""Seconds between two looks for silent flows."""

Client = tuple[Any, ...]
"""What recvfrom calls a sender: with IPv6 there is more to it than address and port."""
Name = tuple[Client, Key | None]
"""A flow: its client, and with ``ops`` its server, for then each datagram is scheduled and a client has several."""

_view = memoryview(bytearray(65536))


class Flow:
    """What one client and its server say to each other. ``seen`` is when either last spoke."""

    __slots__ = ("_answer", "_watcher", "key", "name", "seen", "sock")

    def __init__(
        self, loop: Any, name: Name, key: Key, sock: NativeSocket, answer: Callable[["Flow", int], None]
    ) -> None:
        self.name = name
        self.key = key
        self.sock = sock
        self.seen = 0.0
        self._answer = answer
        self._watcher = loop.io(sock.fileno(), READ)
        self._watcher.start(self._read)

    def close(self) -> None:
        """Give socket and watcher back."""
        self._watcher.stop()
        self._watcher.close()
        self.sock.close()

    def _read(self) -> None:
        with suppress(OSError):  # nothing more, or the server's host says that nobody listens: the checkers judge that
            for _ in range(BURST):
                self._answer(self, self.sock.recv_into(_view))


class UdpService:
    """Listens on a service's address. Datagrams that cannot be sent on are dropped, as a router would."""

    def __init__(self, pool: LivePool, now: Callable[[], float]) -> None:
        """Raises OSError when the address cannot be bound."""
        self.pool = pool
        self._now = now
        self._flows: OrderedDict[Name, Flow] = OrderedDict()
        self._socket = listening(pool.service.key)
        self._loop: Any = get_hub().loop
        self._watcher = self._loop.io(self._socket.fileno(), READ)
        self._watcher.start(self._read)
        self._sweeper = self._loop.timer(SWEEP, SWEEP)
        self._sweeper.start(self.sweep)

    def drop(self, key: Key) -> None:
        """Forget the flows of a server that was removed."""
        for flow in [flow for flow in self._flows.values() if flow.key == key]:
            self._end(flow)

    def close(self) -> None:
        """Stop listening and forget every flow."""
        for watcher in (self._watcher, self._sweeper):
            watcher.stop()
            watcher.close()
        self._socket.close()
        for flow in tuple(self._flows.values()):
            self._end(flow)

    def sweep(self) -> None:
        """Forget the flows that have been silent for `IDLE` seconds."""
        while self._flows:
            oldest = next(iter(self._flows.values()))
            if self._now() - oldest.seen < IDLE:
                return
            self._end(oldest)

    def _read(self) -> None:
        with suppress(OSError):  # nothing more
            for _ in range(BURST):
                size, client = self._socket.recvfrom_into(_view)
                self._forward(client, size)

    def _forward(self, client: Client, size: int) -> None:
        flow = self._flow(client)
        if flow is None:
            return
        self._touch(flow)
        try:
            flow.sock.send(_view[:size])
        except OSError:
            with suppress(OSError):  # the error was about the datagram before; now it is about this one
                flow.sock.send(_view[:size])

    def _flow(self, client: Client) -> Flow | None:
        """The client's flow, begun if need be; None when nobody can take it."""
        ops = "ops" in self.pool.service.flags
        flow = None if ops else self._flows.get((client, None))
        return flow or self.pool.reach(client[:2], set(), partial(self._begin, client, ops))

    def _begin(self, client: Client, ops: bool, destination: Destination) -> Flow:
        key = destination.key
        name = (client, key if ops else None)
        if flow := self._flows.get(name):
            return flow
        sock = dial(destination, socket.SOCK_DGRAM)
        self.pool.opened(key)
        self._flows[name] = flow = Flow(self._loop, name, key, sock, self._answer)
        if len(self._flows) > FLOWS:
            self._end(next(iter(self._flows.values())))
        return flow

    def _answer(self, flow: Flow, size: int) -> None:
        self._touch(flow)
        with suppress(OSError):  # the way is full, or the client's host refused the one before
            self._socket.sendto(_view[:size], flow.name[0])

    def _touch(self, flow: Flow) -> None:
        flow.seen = self._now()
        self._flows.move_to_end(flow.name)

    def _end(self, flow: Flow) -> None:
        del self._flows[flow.name]
        flow.close()
        self.pool.closed(flow.key)
