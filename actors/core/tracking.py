"""What a router follows, and what that does to it: a fault, or another priority. Pure."""

from collections.abc import Iterable
from itertools import islice

import msgspec

from actors.core.status import Verdict

TOLD = 5
"""Faults that are told one by one; more are a number."""


class Follow(msgspec.Struct, frozen=True):
    """Something tracked: a status' id, and what it does. Weight 0 is FAULT while it is not OK; otherwise the priority
    gains a positive weight while it is, and loses a negative one while it is not (keepalived's rule)."""

    source: str
    weight: int = 0


class Tracking:
    """All that a router follows, and what it has heard of it. Each piece of news costs the same, however much that is.

    ``weight`` is what the priority gains by all of it now.
    """

    def __init__(self, follows: Iterable[Follow]) -> None:
        self.follows = tuple(follows)
        self.weight = sum(follow.weight for follow in self.follows if follow.weight < 0)
        self._of: dict[str, list[Follow]] = {}
        for follow in self.follows:
            self._of.setdefault(follow.source, []).append(follow)
        self._seen: dict[str, Verdict] = {}
        self._bad = dict.fromkeys(follow.source for follow in self.follows if not follow.weight)

    def verdict(self, source: str) -> Verdict:
        """What is known of it: UNKNOWN, which is not OK, until it has said something."""
        return self._seen.get(source, Verdict.UNKNOWN)

    def learn(self, source: str, verdict: Verdict) -> None:
        """Take news; of what nobody follows it is none."""
        was, good = self.verdict(source) is Verdict.OK, verdict is Verdict.OK
        self._seen[source] = verdict
        if was is good:
            return
        for follow in self._of.get(source, ()):
            self._turn(follow, good)

    def faults(self) -> list[str]:
        """What of it puts the router into FAULT, in words."""
        told = [f"{source} is {self.verdict(source).value}" for source in islice(self._bad, TOLD)]
        more = len(self._bad) - len(told)
        return [*told, f"and {more} more"] if more else told

    def _turn(self, follow: Follow, good: bool) -> None:
        if follow.weight:
            self.weight += follow.weight if good is (follow.weight > 0) else -follow.weight
        elif good:
            self._bad.pop(follow.source, None)
        else:
            self._bad[follow.source] = None
