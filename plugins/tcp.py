"""TCP_CHECK: does the port answer, and say what it should?"""

import re
from functools import cache
from typing import Any

import regex

from plugins.api import Encryption, Failed, Passed, Target, block, checker, option

LONGEST = 64 * 1024
"""Bytes that are read in vain for one expectation."""

REGEX_SECONDS = 0.05
"""Time after which a search gives up: some patterns would need years."""

ESCAPES = re.compile(rb"\\(x[0-9A-Fa-f]{2}|.)", re.DOTALL)
LETTERS = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0"}


@block
class Step:
    """One turn of a conversation: what is sent first, then what must come. Either may be left out."""

    send: str = option("", help=r"what to send; \r \n \t \0 \xHH and \\ stand for bytes")
    expect: str = option("", help="regular expression that what comes must match", kind="pattern")


@checker("TCP_CHECK")
class TcpCheck(Encryption):
    """Healthy when a TCP connection is accepted, and each step of the conversation goes as expected."""

    send: str = option("", help="what to send, a conversation of one step")
    expect: str = option("", help="what must come then", kind="pattern")
    steps: tuple[Step, ...] = option((), block=Step, name="step", help="a turn of a longer conversation, before that")

    def probe(self, target: Target) -> Passed:
        """Connect, talk, and close; a refusal is the dial's OSError."""
        with target.connect(self.encryption()) as sock:
            for step in (*self.steps, Step(send=self.send, expect=self.expect)):
                if step.send:
                    sock.sendall(_bytes(step.send))
                if step.expect:
                    _await(sock, step.expect)
        return Passed()


def _await(sock: Any, expected: str) -> None:
    heard, pattern = b"", _compiled(expected)
    while not _is_found(pattern, heard):
        more = sock.recv(4096)
        heard += more
        if not more:
            raise Failed(f"closed before {expected!r} came")
        if len(heard) > LONGEST:
            raise Failed(f"{expected!r} is not within {LONGEST} bytes")


def _is_found(pattern: Any, heard: bytes) -> bool:
    try:
        return pattern.search(heard, timeout=REGEX_SECONDS) is not None
    except TimeoutError:
        raise Failed(f"regex takes more than {REGEX_SECONDS:g} s on this answer: make it simpler") from None


@cache
def _compiled(pattern: str) -> Any:
    try:
        return regex.compile(pattern.encode(), regex.MULTILINE)
    except (regex.error, RecursionError) as error:
        raise Failed(f"regex cannot be used: {error}") from None


def _bytes(text: str) -> bytes:
    r"""``text`` with ``\r``, ``\n``, ``\t``, ``\0`` and ``\xHH`` as the bytes that they stand for."""
    return ESCAPES.sub(lambda found: _byte(found[1]), text.encode())


def _byte(word: bytes) -> bytes:
    return bytes.fromhex(word[1:].decode()) if len(word) == 3 else LETTERS.get(word, word)
