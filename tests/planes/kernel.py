"""IPVS's half of the netlink conversation, written from linux/ip_vs.h and linux/netlink.h with struct alone.

It shares nothing with the plane's codec: what both get wrong in the same way, only a real kernel can tell.
"""

import errno
import socket
import struct
from collections import deque
from typing import Any

from gevent.event import Event

FAMILY = 0x1E  # what the kernel gave to IPVS
CONTROL = 0x10
ACK, DUMP, MULTI = 0x4, 0x300, 0x2
ERROR, DONE = 2, 3
NEW_SERVICE, SET_SERVICE, DEL_SERVICE, GET_SERVICE, NEW_DEST, SET_DEST, DEL_DEST, GET_DEST = range(1, 9)
NEW_DAEMON, DEL_DAEMON, GET_DAEMON, SET_CONFIG, GET_CONFIG = range(9, 14)
GET_INFO, FLUSH = 15, 17

Found = dict[int, bytes]
SIZES = {4: 4, 6: 16}


class Rejected(Exception):
    """An errno."""


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def attributes(data: bytes) -> Found:
    found = {}
    while data:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def message(kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
    whole = struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 4242) + payload
    return whole + b"\0" * (-len(whole) % 4)


def u16(data: bytes) -> int:
    return int(struct.unpack("=H", data)[0])


def u32(data: bytes) -> int:
    return int(struct.unpack("=I", data)[0])


class Kernel:
    """A table of services, and the socket to talk to it. ``refuse`` maps a command to the errno it meets from now on.

    ``answers`` are datagrams given in place of the next true answers; None is silence.
    """

    def __init__(self) -> None:
        self.table: dict[bytes, tuple[Found, dict[bytes, Found]]] = {}
        self.schedulers = {b"rr", b"wrr", b"wlc", b"sh", b"mh"}
        self.has_ipvs = True
        self.timeouts = {4: 900, 5: 120, 6: 300}
        self.daemons: dict[int, Found] = {}
        self.refuse: dict[int, int] = {}
        self.answers: deque[list[bytes] | None] = deque()
        self.requests: list[bytes] = []
        self.load = struct.pack("=III", 3, 2, 1)  # active, inactive, persistent of every destination
        self.is_closed = False
        self._queue: deque[tuple[bytes, int, int]] = deque()

    # the socket

    def send(self, data: bytes) -> int:
        self.requests.append(data)
        if self.answers:
            self.queue(self.answers.popleft() or [])
        else:
            self.queue(self._answer(data))
        return len(data)

    def queue(self, datagrams: list[bytes], flags: int = 0, sender: int = 0) -> None:
        self._queue.extend((datagram, flags, sender) for datagram in datagrams)

    def recvmsg(self, size: int) -> tuple[bytes, list[Any], int, tuple[int, int]]:
        if not self._queue:
            Event().wait()
        data, flags, sender = self._queue.popleft()
        return data[:size], [], flags, (sender, 0)

    def close(self) -> None:
        """What was not read is lost with the socket; the table is not."""
        self.is_closed = True
        self._queue.clear()

    # the conversation

    def _answer(self, data: bytes) -> list[bytes]:
        length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data)
        assert length == len(data), "the length is that of the whole request"
        command, version, _ = struct.unpack_from("=BBH", data, 16)
        assert version == 1
        try:
            if flags & DUMP == DUMP and any(_is_dump(datagram) for datagram, _, _ in self._queue):
                raise Rejected(errno.EBUSY)
            payloads = self._carry_out(kind, command, attributes(data[20:]), flags & DUMP == DUMP)
        except Rejected as rejected:
            return [self._error(sequence, rejected.args[0], data)]
        if flags & DUMP == DUMP:
            replies = [message(FAMILY, MULTI, sequence, payload) for payload in payloads]
            pairs = [b"".join(replies[start : start + 2]) for start in range(0, len(replies), 2)]
            return [*pairs, message(DONE, MULTI, sequence, struct.pack("=i", 0))]
        return [*(message(kind, 0, sequence, payload) for payload in payloads), self._error(sequence, 0, data)]

    def _error(self, sequence: int, number: int, request: bytes) -> bytes:
        return message(ERROR, 0, sequence, struct.pack("=i", -number) + request[: None if number else 16])

    def _carry_out(self, kind: int, command: int, found: Found, dump: bool) -> list[bytes]:
        if kind == CONTROL:
            return self._family(command, found)
        if kind != FAMILY:
            raise Rejected(errno.EOPNOTSUPP)
        if command in self.refuse:
            raise Rejected(self.refuse[command])
        if command == GET_INFO:
            return [struct.pack("=BBH", 14, 1, 0) + attribute(1, struct.pack("=I", 0x010201))]
        if command > GET_DEST:
            return self._whole(command, found)
        service = attributes(found[1]) if 1 in found else {}
        if command == GET_SERVICE and dump:
            return [_service(held) for held, _ in self.table.values()]
        if command <= GET_SERVICE:
            return self._service(command, identity(service), service)
        if dump and identity(service) not in self.table:
            return []
        servers = self._held(identity(service))[1]
        if command == GET_DEST:
            return [self._server(held) for held in servers.values()]
        return self._destination(command, servers, attributes(found[2]))

    def _whole(self, command: int, found: Found) -> list[bytes]:
        """What is not of one service: the timeouts, the daemons with what the kernel chooses for them, all of it."""
        if command == FLUSH:
            self.table.clear()
        elif command == SET_CONFIG:
            self.timeouts |= {kind: u32(value) for kind, value in found.items()}
        elif command == GET_CONFIG:
            given = b"".join(attribute(kind, struct.pack("=I", value)) for kind, value in self.timeouts.items())
            return [struct.pack("=BBH", SET_CONFIG, 1, 0) + given]
        elif command == GET_DAEMON:
            shown = [b"".join(attribute(k, v) for k, v in each.items()) for each in self.daemons.values()]
            return [struct.pack("=BBH", NEW_DAEMON, 1, 0) + attribute(3, each) for each in shown]
        else:
            self._daemon(command, attributes(found[3]))
        return []

    def _daemon(self, command: int, daemon: Found) -> None:
        state = u32(daemon[1])
        if command == DEL_DAEMON:
            if self.daemons.pop(state, None) is None:
                raise Rejected(errno.ESRCH)
            return
        if state in self.daemons:
            raise Rejected(errno.EEXIST)
        if daemon[2] == b"none0\0":
            raise Rejected(errno.ENODEV)
        chosen = {4: struct.pack("=H", 1472), 5: bytes([224, 0, 0, 81]), 7: struct.pack("=H", 8848), 8: b"\x01"}
        if 6 in daemon:
            del chosen[5]
        self.daemons[state] = chosen | daemon

    def _family(self, command: int, found: Found) -> list[bytes]:
        if command != 3 or found[2] != b"IPVS\0" or not self.has_ipvs:
            raise Rejected(errno.ENOENT)
        return [struct.pack("=BBH", 1, 2, 0) + attribute(2, b"IPVS\0") + attribute(1, struct.pack("=H", FAMILY))]

    def _held(self, name: bytes) -> tuple[Found, dict[bytes, Found]]:
        if name not in self.table:
            raise Rejected(errno.ESRCH)
        return self.table[name]

    def _service(self, command: int, name: bytes, service: Found) -> list[bytes]:
        if command == NEW_SERVICE and name in self.table:
            raise Rejected(errno.EEXIST)
        if command in (NEW_SERVICE, SET_SERVICE):
            servers = {} if command == NEW_SERVICE else self._held(name)[1]
            self._check(service)
            self.table[name] = (service, servers)
            return []
        held = self._held(name)[0]
        if command == DEL_SERVICE:
            del self.table[name]
            return []
        return [_service(held)]

    def _check(self, service: Found) -> None:
        """What ip_vs_add_service and ip_vs_genl_parse_service refuse."""
        if not {6, 7, 8, 9} <= set(service):  # scheduler, flags, timeout, netmask
            raise Rejected(errno.EINVAL)
        if service[6].rstrip(b"\0") not in self.schedulers:
            raise Rejected(errno.ENOENT)
        if u16(service[1]) == socket.AF_INET6 and not 1 <= u32(service[9]) <= 128:
            raise Rejected(errno.EINVAL)

    def _destination(self, command: int, servers: dict[bytes, Found], server: Found) -> list[bytes]:
        name = server[1] + server[2]
        if command == NEW_DEST and name in servers:
            raise Rejected(errno.EEXIST)
        if command in (SET_DEST, DEL_DEST) and name not in servers:
            raise Rejected(errno.ENOENT)
        if command == DEL_DEST:
            del servers[name]
            return []
        if not {3, 4, 5, 6} <= set(server):  # method, weight, thresholds
            raise Rejected(errno.EINVAL)
        servers[name] = server
        return []

    def _server(self, held: Found) -> bytes:
        """A destination as it is dumped: the family stands after the address, counters in between."""
        known = b"".join(attribute(kind, held[kind]) for kind in range(1, 7))
        counts = b"".join(attribute(7 + turn, self.load[4 * turn :][:4]) for turn in range(3))
        totals = b"".join(attribute(turn, struct.pack("=Q", turn * 10**10)) for turn in range(1, 11))
        tunnel = b"".join(attribute(kind, held.get(kind, b"\0" * size)) for kind, size in ((13, 1), (14, 2), (15, 2)))
        nested = known + counts + attribute(11, held[11]) + attribute(12, totals) + tunnel
        return struct.pack("=BBH", NEW_DEST, 1, 0) + attribute(2, nested)


def _is_dump(datagram: bytes) -> bool:
    """Whether a dump that the socket's owner began, and did not read to its end, has this left."""
    return len(datagram) >= 16 and bool(struct.unpack_from("=H", datagram, 6)[0] & MULTI)


def _service(held: Found) -> bytes:
    flags, _ = struct.unpack("=II", held[7])
    shown = {**held, 7: struct.pack("=II", flags | 0x0002, 0xFFFFFFFF)}  # the kernel adds HASHED
    return struct.pack("=BBH", NEW_SERVICE, 1, 0) + attribute(1, b"".join(attribute(k, v) for k, v in shown.items()))


def identity(service: Found) -> bytes:
    """Family with mark, or with protocol, address and port, as the kernel finds services."""
    if 5 in service:
        return service[1] + service[5]
    return service[1] + service[2] + service[3] + service[4]
