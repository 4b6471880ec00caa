"""TCP_CHECK: does the port answer, and say what it should?"""

import re
from time import monotonic
from typing import Any

import regex

from plugins.api import Encryption, Failed, Passed, Target, block, checker, option
from plugins.services.patterns import SECONDS, compiled

LONGEST = 64 * 1024
"""Bytes that are read in vain for one expectation."""

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
            talk = _Talk(sock)
            for step in (*self.steps, Step(send=self.send, expect=self.expect)):
                if step.send:
                    sock.sendall(_bytes(step.send))
                if step.expect:
                    talk.hear(step.expect)
        return Passed()


class _Talk:
    """What has come and was not expected yet, and the time that all searches of a conversation may take together."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._heard = b""
        self._left = SECONDS

    def hear(self, expected: str) -> None:
        """Read until ``expected`` has come; what follows it is for the next one. Raises `Failed`."""
        pattern = compiled(expected, regex.MULTILINE)
        while (found := self._search(pattern)) is None:
            more = self._sock.recv(4096)
            self._heard += more
            if not more:
                raise Failed(f"closed before {expected!r} came")
            if len(self._heard) > LONGEST:
                raise Failed(f"{expected!r} is not within {LONGEST} bytes")
        self._heard = self._heard[found.end() :]

    def _search(self, pattern: Any) -> Any:
        began = monotonic()
        try:
            return pattern.search(self._heard, timeout=max(self._left, 0.001))
        except TimeoutError:
            raise Failed(f"regexes take more than {SECONDS:g} s on this answer: make them simpler") from None
        finally:
            self._left -= monotonic() - began


def _bytes(text: str) -> bytes:
    r"""``text`` with ``\r``, ``\n``, ``\t``, ``\0`` and ``\xHH`` as the bytes that they stand for."""
    return ESCAPES.sub(lambda found: _byte(found[1]), text.encode())


def _byte(word: bytes) -> bytes:
    return bytes.fromhex(word[1:].decode()) if len(word) == 3 else LETTERS.get(word, word)
