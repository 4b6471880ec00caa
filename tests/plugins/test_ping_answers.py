"""PING_CHECK and what may come back: its own answer, whole, is the one that counts."""

from collections.abc import Callable
from socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_RAW
from typing import Any

import pytest

from plugins.api import Failed, Passed, Result, Target, build, outcome
from plugins.ping import PingCheck

REPLY = {AF_INET: 0, AF_INET6: 129}
HEADER = bytes([0x46]) + bytes(23)
"""Of IPv4, with an option: as raw sockets give it."""

WAYS = [(AF_INET, SOCK_DGRAM), (AF_INET, SOCK_RAW), (AF_INET6, SOCK_DGRAM), (AF_INET6, SOCK_RAW)]
Answers = Callable[[bytes], list[bytes]]


class Wire:
    """A dial and its one socket: what comes back is made of what was sent."""

    def __init__(self, way: tuple[int, int], answers: Answers) -> None:
        self.family, self.type = way
        self._answers = answers
        self._left: list[bytes] = []

    def connect(self, *_: Any) -> "Wire":
        """Itself."""
        return self

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def close(self) -> None:
        """Nothing to close."""

    def send(self, request: bytes) -> None:
        """Make the answers of it."""
        reply = bytes([REPLY[self.family]]) + request[1:]
        self._left = self._answers(reply)

    def recv(self, size: int) -> bytes:
        """The next of them, with what raw sockets have before it; then silence."""
        if not self._left:
            raise TimeoutError("timed out")
        packet = self._left.pop(0)
        return HEADER + packet if (self.family, self.type) == (AF_INET, SOCK_RAW) else packet


def pinged(way: tuple[int, int], answers: Answers) -> Result:
    return outcome(build(PingCheck, (("payload_size", 32),)), Target("192.0.2.1", 0, 5.0, dial=Wire(way, answers)))


def flipped(reply: bytes, at: int) -> bytes:
    return reply[:at] + bytes([reply[at] ^ 1]) + reply[at + 1 :]


@pytest.mark.parametrize("way", WAYS)
def test_its_own_answer_is_found_among_those_to_others(way: tuple[int, int]) -> None:
    assert pinged(way, lambda reply: [reply]) == Passed()
    assert pinged(way, lambda reply: [b"", flipped(reply, 20), reply[:9], reply]) == Passed()


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_cut_off_anywhere_or_of_another_payload_kind_or_code_is_none(way: tuple[int, int]) -> None:
    silent = Failed("timed out")
    assert pinged(way, lambda reply: [reply[:size] for size in range(len(reply))]) == silent
    assert pinged(way, lambda reply: [flipped(reply, at) for at in (0, 1, *range(8, len(reply)))]) == silent
    assert pinged(way, lambda reply: [reply + b"\0"]) == silent


@pytest.mark.parametrize("way", WAYS)
def test_a_flood_of_answers_to_others_ends(way: tuple[int, int]) -> None:
    assert pinged(way, lambda reply: [flipped(reply, 30)] * 5000) == Failed("only answers to others")
