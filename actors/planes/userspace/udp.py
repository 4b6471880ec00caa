"""A UDP service: a flow for each client address, with a socket of its own towards the server that it was given."""

import contextlib
import socket
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from gevent import get_hub, monkey

from actors.planes.userspace.pool import Key, LivePool
from actors.planes.userspace.relay import READ, descriptors_run_out

NativeSocket = monkey.get_original("socket", "socket")

IDLE = 300.0
"""Seconds without a datagram after which a flow is forgotten: IPVS's default."""
FLOWS = 4096
"""Flows of a service at once; beyond, the one that was silent longest is forgotten."""
BURST = 64
"""Datagrams read in one go."""
SWEEP = 5.0

Client = tuple[Any, ...]


class Flow:
    """What one client and its server say to each other. ``seen`` is when either last spoke."""

    __slots__ = ("_reply", "_watcher", "client", "key", "seen", "sock")

    def __init__(self, client: Client, key: Key, sock: Any, reply: Callable[["Flow", bytes], None]) -> None:
        self.client = client
        self.key = key
        self.sock = sock
        self.seen = 0.0
        self._reply = reply
        self._watcher = get_hub().loop.io(sock.fileno(), READ)
        self._watcher.start(self._read)

    def close(self) -> None:
        """Give socket and watcher back."""
        self._watcher.stop()
        self._watcher.close()
        self.sock.close()

    def _read(self) -> None:
        for _ in range(BURST):
            try:
                data = self.sock.recv(65535)
            except OSError:  # nothing more, or the server's host says that nobody listens: the checkers judge that
                return
            self._reply(self, data)


class UdpService:
    """Listens on a service's address. Datagrams that cannot be sent on are dropped, as a router would."""

    def __init__(self, pool: LivePool, now: Callable[[], float]) -> None:
        """Raises OSError when the address cannot be bound."""
        self.pool = pool
        self._now = now
        self._flows: OrderedDict[Client, Flow] = OrderedDict()
        key = pool.service.key
        self._family = socket.AF_INET6 if key.family == 6 else socket.AF_INET
        self._socket = _bound(self._family, key.address, key.port)
        loop = get_hub().loop
        self._watcher = loop.io(self._socket.fileno(), READ)
        self._watcher.start(self._read)
        self._sweeper = loop.timer(SWEEP, SWEEP)
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
        for _ in range(BURST):
            try:
                data, client = self._socket.recvfrom(65535)
            except OSError:
                return
            self._forward(client, data)

    def _forward(self, client: Client, data: bytes) -> None:
        flow = self._flows.get(client)
        if flow is None or "ops" in self.pool.service.flags:
            flow = self._begin(client)
        if flow is None:
            return
        self._touch(flow)
        try:
            flow.sock.send(data)
        except OSError:
            # An ICMP error for an earlier datagram is told in place of sending this one; the next attempt sends it.
            with contextlib.suppress(OSError):
                flow.sock.send(data)

    def _begin(self, client: Client) -> Flow | None:
        if client in self._flows:
            self._end(self._flows[client])
        destination = self.pool.choose(client[:2])
        if destination is None:
            return None
        try:
            sock = NativeSocket(socket.AF_INET6 if ":" in destination.address else socket.AF_INET, socket.SOCK_DGRAM)
        except OSError:
            return None
        sock.setblocking(False)
        if sock.connect_ex(destination.key):
            sock.close()
            return None
        self.pool.opened(destination.key)
        flow = self._flows[client] = Flow(client, destination.key, sock, self._answer)
        if len(self._flows) > (1 if descriptors_run_out(sock.fileno()) else FLOWS):
            self._end(next(iter(self._flows.values())))
        return flow

    def _answer(self, flow: Flow, data: bytes) -> None:
        self._touch(flow)
        with contextlib.suppress(OSError):
            self._socket.sendto(data, flow.client)

    def _touch(self, flow: Flow) -> None:
        flow.seen = self._now()
        self._flows.move_to_end(flow.client)

    def _end(self, flow: Flow) -> None:
        del self._flows[flow.client]
        flow.close()
        self.pool.closed(flow.key)


def _bound(family: int, address: str, port: int) -> Any:
    sock = NativeSocket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock
