"""What a router follows, and what that does to it: a fault, or another priority. Pure."""

from collections.abc import Iterable
from itertools import islice

import msgspec

from actors.core.status import Verdict

TOLD = 5
"""Faults that are told one by one; more are a number."""


class Follow(msgspec.Struct, frozen=True):
    """Something tracked: a status' id, and what it does. Weight 0 is FAULT while it is not OK; otherwise the priority
    gains a positive weight while it is, and loses a negative one while it is not (keepalived's rule).

    ``reverse`` turns that round: FAULT while it is not FAILED; otherwise the priority loses a positive weight while it
    is OK, and gains what a negative one would take while it is FAILED. What is UNKNOWN speaks against it either way.
    """

    source: str
    weight: int = 0
    reverse: bool = False

    @property
    def gain(self) -> int:
        """What the priority gains while this `speaks_for` it, if positive; loses while not, if negative."""
        return -self.weight if self.reverse else self.weight

    def speaks_for(self, verdict: Verdict) -> bool:
        """Whether the verdict is the one that is wanted."""
        return verdict is (Verdict.FAILED if self.reverse else Verdict.OK)

    def __str__(self) -> str:
        return f"weight {self.weight}{' reverse' if self.reverse else ''}"


class Tracking:
    """All that a router follows, and what it has heard of it. Each piece of news costs the same, however much that is.

    ``weight`` is what the priority gains by all of it now.
    """

    def __init__(self, follows: Iterable[Follow]) -> None:
        self.follows = tuple(follows)
        self.weight = sum(follow.gain for follow in self.follows if follow.gain < 0)
        self._of: dict[str, list[Follow]] = {}
        for follow in self.follows:
            self._of.setdefault(follow.source, []).append(follow)
        self._seen: dict[str, Verdict] = {}
        self._bad = dict.fromkeys(follow for follow in self.follows if not follow.weight)

    def verdict(self, source: str) -> Verdict:
        """What is known of it: UNKNOWN, which is not OK, until it has said something."""
        return self._seen.get(source, Verdict.UNKNOWN)

    def learn(self, source: str, verdict: Verdict) -> None:
        """Take news; of what nobody follows it is none."""
        was = self.verdict(source)
        self._seen[source] = verdict
        if was is verdict:
            return
        for follow in self._of.get(source, ()):
            if follow.speaks_for(verdict) is not follow.speaks_for(was):
                self._turn(follow, follow.speaks_for(verdict))

    def faults(self) -> list[str]:
        """What of it puts the router into FAULT, in words."""
        told = [f"{each.source} is {self._said(each)}" for each in islice(self._bad, TOLD)]
        more = len(self._bad) - len(told)
        return [*told, f"and {more} more"] if more else told

    def _said(self, follow: Follow) -> str:
        return f"{self.verdict(follow.source).value}{', and reversed' if follow.reverse else ''}"

    def _turn(self, follow: Follow, good: bool) -> None:
        if follow.weight:
            self.weight += follow.gain if good is (follow.gain > 0) else -follow.gain
        elif good:
            self._bad.pop(follow, None)
        else:
            self._bad[follow] = None
