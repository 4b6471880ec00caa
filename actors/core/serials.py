"""Serial numbers that are clocks too: 64 bits, of which 32 are seconds since 1970, 16 a fraction of one, 16 a count.

They are compared as RFC 1982 does it, so that the end of the numbers, in 2106, is no end.
"""

SPACE = 1 << 64
HALF = 1 << 63
SECOND = 1 << 32

SLOTS = 4
"""Senders of multicast that are remembered: those who spoke last."""


def serial_of(seconds: float) -> int:
    """The first serial number of a moment, which is seconds since 1970."""
    return (int(seconds * 65536) << 16) % SPACE


def is_later(one: int, other: int) -> bool:
    """RFC 1982 3.2. Of two that are half the space apart neither is."""
    return 0 < (one - other) % SPACE < HALF


def ahead_of(one: int, other: int) -> float:
    """Seconds by which one is later than the other, negative when it is earlier; the counts do not matter."""
    apart = ((one >> 16) - (other >> 16)) % (1 << 48)
    return (apart - (1 << 48 if apart >= 1 << 47 else 0)) / 65536


def following(last: int | None, now: int, window: int | None) -> int:
    """What a sender uses after ``last``: the clock's, and when that was set back, one more than the last.

    With a ``window`` (seconds) it was set back by more than that, the last one is of no use to anybody: the receivers
    that go by the same clock would discard what follows it, and have forgotten it.
    """
    if last is None or is_later(now, last):
        return now
    if window is not None and ahead_of(last, now) > window:
        return now
    return (last + 1) % SPACE


class Marks:
    """The latest serial number of each sender: of as many as there are ``peers``, or if there are none, of `SLOTS`."""

    def __init__(self, peers: int) -> None:
        self._room = peers or SLOTS
        self._latest: dict[bytes, int] = {}

    def admit(self, sender: bytes, serial: int, now: int, window: int | None) -> bool:
        """Whether it is later than the sender's last, which it then replaces.

        A last one that is itself out of the ``window`` (seconds) around now counts no more: a sender whose clock was
        put right is heard again, and what is as old as that is discarded without it.
        """
        last = self._latest.get(sender)
        if last is not None and not is_later(serial, last) and (window is None or abs(ahead_of(last, now)) <= window):
            return False
        self._latest.pop(sender, None)
        self._latest[sender] = serial
        if len(self._latest) > self._room:
            del self._latest[next(iter(self._latest))]
        return True
