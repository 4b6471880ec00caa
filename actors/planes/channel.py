"""One netlink socket, one request at a time: send, then read until the kernel has said all.

Knows netlink's frame, not what is in it: payloads go in and come out as bytes.
"""

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from gevent import Timeout
from gevent import socket as gevent_socket
from gevent.lock import BoundedSemaphore
from pyroute2.netlink import CTRL_CMD_GETFAMILY, GENL_ID_CTRL, NETLINK_GENERIC, ctrlmsg

REQUEST, MULTI, ACK, DUMP = 0x1, 0x2, 0x4, 0x300  # NLM_F_*
ERROR, DONE, OVERRUN = 0x2, 0x3, 0x4  # NLMSG_*
BATCH_BEGIN, BATCH_END = 0x10, 0x11  # NFNL_MSG_*
HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence number, port id
ERRNO = struct.Struct("=i")
DATAGRAM = 65536
"""Bytes read at most; the kernel builds a dump in pieces of up to 32 KiB."""
LIMIT = 5.0
"""Seconds for a whole request."""


class Refused(Exception):
    """The kernel answered with an error, or did not answer as it should. ``number`` is an errno, 0 when it has none."""

    def __init__(self, text: str, number: int = 0) -> None:
        super().__init__(text)
        self.number = number


class Broken(Refused):
    """There was no answer, or none that makes sense: what else the socket holds is not to be trusted."""


class Frame(NamedTuple):
    """One netlink message."""

    kind: int
    flags: int
    sequence: int
    payload: bytes


class Request(NamedTuple):
    """One message of a batch: its type, more flags, and its payload."""

    kind: int
    flags: int
    payload: bytes


class _Silence(Exception):
    """The limit of a request has passed."""


def connect(protocol: int = NETLINK_GENERIC, groups: int = 0, buffer: int = 1 << 20) -> Any:
    """A netlink socket that waits cooperatively, in the multicast ``groups`` (a mask). Raises OSError."""
    sock = gevent_socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.bind((0, groups))
    except OSError:
        sock.close()
        raise
    return sock


class Channel:
    """Requests over one socket; greenlets that call at the same time wait for each other.

    A request that breaks, or whose greenlet is killed, takes the socket with it and the next one gets a fresh one. In
    the old lie a late answer, or the rest of a dump: and before that is read the kernel starts no other (EBUSY).
    """

    def __init__(self, connect: Callable[[], Any] = connect, limit: float = LIMIT) -> None:
        """Raises OSError when there is no socket to be had."""
        self._connect = connect
        self._socket: Any = connect()
        self._limit = limit
        self._sequence = 0
        self._turn = BoundedSemaphore(1)

    def close(self) -> None:
        """Give the socket back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def family(self, name: str) -> int:
        """The number of a generic netlink family. Raises `Refused` with ENOENT when the kernel has none such."""
        message = ctrlmsg()
        message["cmd"], message["version"] = CTRL_CMD_GETFAMILY, 1
        message["attrs"] = [("CTRL_ATTR_FAMILY_NAME", name)]
        message.encode()
        replies = self.ask(GENL_ID_CTRL, bytes(message.data[16:]))
        for payload in replies:
            reply = ctrlmsg(HEADER.pack(16 + len(payload), GENL_ID_CTRL, 0, 0, 0) + payload)
            try:
                reply.decode()
                return int(reply.get_attr("CTRL_ATTR_FAMILY_ID"))
            except Exception:  # pyroute2 raises whatever struct and its maps raise
                break
        raise Refused(f"the answer about the family {name} makes no sense")

    def ask(self, kind: int, payload: bytes, dump: bool = False, answer: int = 0, flags: int = 0) -> list[bytes]:
        """Make a request of message type ``kind``; the payloads of the replies. Raises `Refused`.

        Replies are of the same type in generic netlink; elsewhere ``answer`` names theirs. ``flags`` are more of them.
        """
        with self._exchange():
            sequence = self._next()
            self._socket.send(_packed(kind, payload, REQUEST | flags | (DUMP if dump else ACK), sequence))
            return list(self._replies(answer or kind, sequence))

    def ask_each(self, kind: int, payloads: Sequence[bytes]) -> list[Refused | None]:
        """Make many requests at once, all in one datagram; what each was refused with, None for one that was not.

        Raises `Broken` when that cannot be told. A refusal keeps the kernel from none of the others.
        """
        with self._exchange():
            pending = {self._next(): payload for payload in payloads}
            self._socket.send(b"".join([_packed(kind, each, REQUEST | ACK, at) for at, each in pending.items()]))
            refusals: dict[int, Refused | None] = {}
            while len(refusals) < len(pending):
                answers = [each for each in self._frames() if each.kind == ERROR and each.sequence in pending]
                refusals |= {each.sequence: _refusal(each) for each in answers}
            return [refusals[sequence] for sequence in pending]

    def ask_all(self, requests: Sequence[Request], frame: bytes) -> None:
        """Make all of them or none: a batch of netfilter, between two messages with ``frame`` in them.

        Raises `Refused` with the first refusal; then nothing has changed.
        """
        with self._exchange():
            ends = [Request(kind, 0, frame) for kind in (BATCH_BEGIN, BATCH_END)]
            told = [each._replace(flags=each.flags | ACK) for each in requests]
            batch = {self._next(): each for each in (ends[0], *told, ends[1])}
            packed = [_packed(each.kind, each.payload, REQUEST | each.flags, at) for at, each in batch.items()]
            self._socket.send(b"".join(packed))
            pending = {at for at, each in batch.items() if each.flags & ACK}
            while pending:
                for answer in self._frames():
                    if answer.kind == ERROR and answer.sequence in batch:
                        if refusal := _refusal(answer):
                            raise refusal
                        pending.discard(answer.sequence)

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """One greenlet's turn with a socket, within the limit. What breaks takes the socket with it."""
        with self._turn:
            try:
                with Timeout(self._limit, _Silence):
                    if self._socket is None:
                        self._socket = self._connect()
                    yield
            except BaseException as error:
                if type(error) is Refused:
                    raise
                self.close()
                if isinstance(error, _Silence):
                    raise Broken(f"no answer within {self._limit:g} s", errno.ETIMEDOUT) from None
                if isinstance(error, OSError):  # ENOBUFS among them: a part of the answer was lost
                    raise Broken(explained(error.errno or 0), error.errno or 0) from None
                raise

    def _next(self) -> int:
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        return self._sequence

    def _replies(self, kind: int, sequence: int) -> Iterator[bytes]:
        while True:
            for frame in self._frames():
                if frame.sequence != sequence:
                    continue
                if frame.kind in (ERROR, DONE):
                    if refusal := _refusal(frame):
                        raise refusal
                    return
                if frame.kind == kind:
                    yield frame.payload

    def _frames(self) -> list[Frame]:
        """The frames of one datagram; none when it is not the kernel's (whose port id is 0)."""
        data, _, flags, sender = self._socket.recvmsg(DATAGRAM)
        if sender[0] != 0:
            return []
        if flags & socket.MSG_TRUNC:
            raise Broken(f"an answer of more than {DATAGRAM} bytes was cut off")
        found = list(frames(data))
        if any(frame.kind == OVERRUN for frame in found):
            raise Broken("a part of the answer was lost", errno.ENOBUFS)
        return found


def frames(data: bytes) -> Iterator[Frame]:
    """The messages in a datagram. Raises `Broken` when one says to be longer than what is there."""
    offset = 0
    while offset < len(data):
        if len(data) - offset < HEADER.size:
            raise Broken("the answer ends within a header")
        length, kind, flags, sequence, _ = HEADER.unpack_from(data, offset)
        if not HEADER.size <= length <= len(data) - offset:
            raise Broken(f"the answer holds {len(data) - offset} bytes of a message of {length}")
        yield Frame(kind, flags, sequence, data[offset + HEADER.size : offset + length])
        offset += (length + 3) & ~3


def explained(number: int) -> str:
    """An errno in words, with its name: ``No such process (ESRCH)``."""
    return f"{os.strerror(number)} ({errno.errorcode.get(number, number)})"


def _packed(kind: int, payload: bytes, flags: int, sequence: int) -> bytes:
    """A message, filled up to where the next may begin; its length tells of the filling nothing."""
    head = HEADER.pack(HEADER.size + len(payload), kind, flags, sequence, 0)
    return head + payload + bytes(-len(payload) % 4)


def _refusal(frame: Frame) -> Refused | None:
    """What an error says; 0 acknowledges. The end of a dump may come without a number."""
    if len(frame.payload) < ERRNO.size:
        return Broken("the answer ends within an error") if frame.kind == ERROR else None
    (number,) = ERRNO.unpack_from(frame.payload)
    return Refused(explained(-number), -number) if number else None
