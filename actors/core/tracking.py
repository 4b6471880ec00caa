"""What a router follows, and what that does to it: a fault, or another priority. Pure."""

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

import msgspec

from actors.core.status import CheckStatus, Verdict

TOLD = 5
"""Faults that are told one by one; more are a number."""

LEAST, MOST = -254, 253
"""A number times its weight is a fault from here down, and no more than that (keepalived)."""


HEAVY = 2_147_483_647
"""A number times its weight is down from the negative of it, and no more than that, of a real server (keepalived)."""


class Effect(NamedTuple):
    """What the priority gains, and what puts the router into FAULT, in words."""

    gain: int = 0
    fault: str = ""


class Follow(msgspec.Struct, frozen=True):
    """Something tracked: a status' id, and what it does. Weight 0 is FAULT while it is not OK; otherwise the priority
    gains a positive weight while it is, and loses a negative one while it is not (keepalived's rule).

    ``reverse`` turns that round: FAULT while it is not FAILED; otherwise the priority loses a positive weight while it
    is OK, and gains what a negative one would take while it is FAILED. What is UNKNOWN speaks against it either way.
    One that ``counts`` gives the priority the number that it has found, times the weight.
    """

    source: str
    weight: int = 0
    reverse: bool = False
    counts: bool = False

    def effect(self, verdict: Verdict, value: int = 0) -> Effect:
        """What it does with such a status."""
        weight = -self.weight if self.reverse else self.weight
        if weight and self.counts:
            product = value * weight
            return Effect(fault=f"{self.source} weighs {product}") if product <= LEAST else Effect(min(product, MOST))
        good = verdict is (Verdict.FAILED if self.reverse else Verdict.OK)
        if weight:
            return Effect(weight if good is (weight > 0) else 0)
        also = ", and reversed" if self.reverse else ""
        return Effect(fault="" if good else f"{self.source} is {verdict.value}{also}")

    def __str__(self) -> str:
        return f"weight {self.weight}{' reverse' if self.reverse else ''}{' a number' if self.counts else ''}"


def counted(follow: Follow, status: CheckStatus) -> tuple[Verdict, int]:
    """Of a real server: what a number makes of it, and what it adds to the weight (keepalived's FILE_CHECK).

    With a weight of 0 it is up while the number is 0, or with ``reverse`` is not. A check that found no number is its
    verdict.
    """
    if status.verdict is Verdict.UNKNOWN or (status.verdict is Verdict.FAILED and not status.value):
        return status.verdict, 0
    if not follow.weight:
        return Verdict.FAILED if bool(status.value) is not follow.reverse else Verdict.OK, 0
    product = status.value * (-follow.weight if follow.reverse else follow.weight)
    return Verdict.FAILED if product <= -HEAVY else Verdict.OK, max(-HEAVY, min(HEAVY, product))


class Tracking:
    """All that a router follows, and what it has heard of it. Each piece of news costs the same, however much that is.

    ``weight`` is what the priority gains by all of it now.
    """

    def __init__(self, follows: Iterable[Follow]) -> None:
        self.follows = tuple(follows)
        self._of: dict[str, list[Follow]] = {}
        self._effects = {follow: follow.effect(Verdict.UNKNOWN) for follow in self.follows}
        for follow in self._effects:
            self._of.setdefault(follow.source, []).append(follow)
        self._seen: dict[str, Verdict] = {}
        self.weight = sum(effect.gain for effect in self._effects.values())
        self._faults = {follow: effect.fault for follow, effect in self._effects.items() if effect.fault}

    def verdict(self, source: str) -> Verdict:
        """What is known of it: UNKNOWN, which is not OK, until it has said something."""
        return self._seen.get(source, Verdict.UNKNOWN)

    def learn(self, source: str, verdict: Verdict, value: int = 0) -> None:
        """Take news; of what nobody follows it is none."""
        self._seen[source] = verdict
        for follow in self._of.get(source, ()):
            was, self._effects[follow] = self._effects[follow], follow.effect(verdict, value)
            self._turn(follow, was, self._effects[follow])

    def faults(self) -> list[str]:
        """What of it puts the router into FAULT, in words."""
        told = list(islice(self._faults.values(), TOLD))
        more = len(self._faults) - len(told)
        return [*told, f"and {more} more"] if more else told

    def _turn(self, follow: Follow, was: Effect, now: Effect) -> None:
        self.weight += now.gain - was.gain
        if now.fault:
            self._faults[follow] = now.fault
        else:
            self._faults.pop(follow, None)
