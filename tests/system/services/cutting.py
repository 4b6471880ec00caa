"""Real servers whose answers are cut off after any number of bytes, and datagrams that arrive otherwise than sent."""

import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import gevent

from actors.runtime.dial import CooperativeDial
from plugins.api import Failed, Passed, Result, Target, build, outcome
from tests.plugins.test_hostile import in_thread
from tests.system.lab import until
from tests.system.services.servers import found

LIMIT = 2.0
"""Seconds of a probe that is cut off: it is to end at once, also on a machine with a lot to do."""

SILENCE = 1.0
"""Seconds that a probe waits whose answer is none to it."""

RANDOM = 16
"""Bytes by which two equal conversations may differ in length: signatures, and tickets."""

WHOLE = 1 << 30


@contextmanager
def cutting(port: int) -> Iterator["Scissors"]:
    """Scissors before a server."""
    scissors = Scissors(port)
    try:
        yield scissors
    finally:
        scissors.close()


class Scissors:
    """Stands before a server; of what that says in a connection ``after`` bytes come through, then it ends."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.after, self.resets = WHOLE, False
        self.said = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """No more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, socket.create_connection(("127.0.0.1", self._upstream)) as server, suppress(OSError):
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.said = 0
                self._relay(client, server)
                self._end(client)

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        while self.said < self.after:
            for ready in select.select([client, server], [], [], LIMIT)[0]:
                data = ready.recv(65536)
                if not data:
                    return
                if ready is client:
                    server.sendall(data)
                else:
                    data = data[: self.after - self.said]
                    self.said += len(data)  # before somebody has it who asks for it
                    client.sendall(data)

    def _end(self, client: socket.socket) -> None:
        if self.resets:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        client.shutdown(socket.SHUT_WR)  # and read on: what is left unread would make a reset of it
        client.settimeout(LIMIT)
        while client.recv(65536):
            pass


def judge_cuts(cls: type, port: int, most: int = 150, loose: int = RANDOM, **options: Any) -> None:
    """Cut the answers off after each number of bytes, of many after ``most`` of them: closed, and reset.

    Each probe ends at once and has a reason, or has passed since all that it needed had come; no descriptor is left.
    How much is needed may differ from time to time by ``loose`` bytes.
    """
    found(cls, port, **options)  # libraries are loaded by now
    before = _descriptors()
    with cutting(port) as scissors:
        assert found(cls, scissors.port, **options) == Passed()
        total = scissors.said
        places = sorted({total * part // most for part in range(most)}) if total > most else range(total)
        closed = {after: _cut(scissors, cls, after, False, options) for after in places}
        reset = {after: _cut(scissors, cls, after, True, options) for after in places}
    until(lambda: _descriptors() <= before)  # a server of this process may be about to close
    needed = min((after for after, end in closed.items() if end == Passed()), default=total)
    assert needed
    _judge({after: end for after, end in closed.items() if after < needed or end != Passed()})
    assert [after for after, end in closed.items() if after >= needed + loose and end != Passed()] == []
    _judge({after: end for after, end in reset.items() if after < needed - loose})


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _cut(scissors: Scissors, cls: type, after: int, resets: bool, options: dict[str, Any]) -> Result:
    scissors.after, scissors.resets = after, resets
    began = monotonic()
    ways = {} if after % 2 else {"way": in_thread}
    end = found(cls, scissors.port, LIMIT, **ways, **options)
    assert monotonic() - began < LIMIT, (after, resets, end)
    return end


def _judge(ends: dict[int, Result]) -> None:
    assert {after: end for after, end in ends.items() if not isinstance(end, Failed) or not end.detail} == {}


Change = Callable[[bytes], bytes]


@contextmanager
def garbling(port: int, changes: Sequence[Change], elsewhere: bool = False) -> Iterator[list[int]]:
    """Ports before a server of datagrams, one for each of ``changes`` of an answer. It may come from ``elsewhere``."""
    fronts = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in changes]
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for each in (*fronts, other):
        each.bind(("127.0.0.1", 0))
    over, wake = socket.socketpair()
    change_of = dict(zip(fronts, changes, strict=True))

    def serve() -> None:
        while True:
            for ready in select.select([*fronts, over], [], [])[0]:
                if ready is over:
                    return
                question, client = ready.recvfrom(65536)
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, suppress(OSError):
                    asking.settimeout(2)
                    asking.connect(("127.0.0.1", port))
                    asking.send(question)
                    answer = change_of[ready](asking.recv(65536))
                    (other if elsewhere else ready).sendto(answer, client)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield [each.getsockname()[1] for each in fronts]
    finally:
        wake.close()
        thread.join(5)
        for each in (*fronts, other, over):
            each.close()


def garbled(cls: type, port: int, changes: Sequence[Change], elsewhere: bool = False, **options: Any) -> list[Result]:
    """How probes end whose answers are changed so: all at once, on an event loop."""
    plugin, dial = build(cls, tuple(options.items())), CooperativeDial()
    with garbling(port, changes, elsewhere) as ports:
        targets = [Target("127.0.0.1", each, SILENCE, dial=dial) for each in ports]
        probes = [gevent.spawn(outcome, plugin, target) for target in targets]
        gevent.joinall(probes, raise_error=True, timeout=4 * LIMIT)
    return [probe.value for probe in probes]


def shortened(size: int) -> list[Change]:
    """An answer of that size after each number of its bytes."""
    return [lambda answer, left=left: answer[:left] for left in range(size)]


def flipped(size: int) -> list[Change]:
    """An answer of that size with one bit of each byte the other way."""
    return [lambda answer, at=at: answer[:at] + bytes([answer[at] ^ 0x10]) + answer[at + 1 :] for at in range(size)]
