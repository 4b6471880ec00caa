"""Health: from single results to a verdict, and from verdicts to one. Pure."""

from collections.abc import Iterable
from itertools import takewhile

import msgspec

from actors.core.status import OWN, WHOLE, Verdict


class Debounce(msgspec.Struct, frozen=True):
    """How many results in a row change a verdict: ``rise`` good ones to OK, ``fall`` bad ones to FAILED (1..100)."""

    rise: int = 1
    fall: int = 2


class Finding(msgspec.Struct, frozen=True):
    """What one result says: good or bad, and if good, what share of their weight servers are to have (percent), or
    which weight instead of it; if bad, by which number."""

    verdict: Verdict
    detail: str = ""
    share: int = WHOLE
    weight: int = OWN
    value: int = 0

    @property
    def level(self) -> int:
        """How good it is: -1 for a failure, else a percentage, and above that a weight that was asked for."""
        return self.share + self.weight + 1 if self.verdict is Verdict.OK else -1


class Health(msgspec.Struct, frozen=True):
    """A verdict with its ``share`` or ``weight``, and the results in a row ``against`` it, all of them worse or all
    better.

    ``detail`` belongs to the verdict: the reason of the last bad result while FAILED. ``assumed`` tells that no
    result has been seen yet and the verdict is the configuration's (``init``).
    """

    verdict: Verdict = Verdict.UNKNOWN
    detail: str = ""
    assumed: bool = True
    share: int = WHOLE
    weight: int = OWN
    against: tuple[Finding, ...] = ()
    value: int = 0

    @property
    def streak(self) -> int:
        """How many results in a row contradict the verdict."""
        return len(self.against)

    @property
    def doubted(self) -> bool:
        """Whether the last result contradicted the verdict."""
        return bool(self.against)


def observe(
    health: Health,
    debounce: Debounce,
    passed: bool,
    detail: str,
    share: int = WHOLE,
    weight: int = OWN,
    value: int = 0,
) -> Health:
    """The health after one more result; one that ``passed`` gives servers a ``share`` of their weight, in percent, or
    another ``weight``; one that did not may have found a ``value``.

    The first result is final at once, as keepalived has it; later ones need ``rise`` or ``fall`` in a row: so many
    better or worse ones change it to what all of these agree on.
    """
    seen = Verdict.OK if passed else Verdict.FAILED
    share, weight = (share, weight) if passed else (WHOLE, OWN)
    as_before = seen is health.verdict and share == health.share and weight == health.weight
    same = detail == health.detail and value == health.value
    if as_before and not health.against and same and not health.assumed:
        return health
    if as_before or health.assumed:
        return Health(seen, detail, False, share, weight, value=value)
    return _doubt(health, debounce, Finding(seen, detail, share, weight, value))


def _doubt(health: Health, debounce: Debounce, found: Finding) -> Health:
    level = _level(health)
    worse = found.level < level
    row = (*(each for each in health.against if (each.level < level) is worse), found)
    needed = debounce.fall if worse else debounce.rise
    if len(row) < needed:
        return msgspec.structs.replace(health, against=row)
    mildest = max if worse else min
    agreed = mildest(reversed(row[-needed:]), key=lambda each: each.level)
    beyond = tuple(takewhile(lambda each: each.level != agreed.level, reversed(row)))
    return Health(agreed.verdict, agreed.detail, False, agreed.share, agreed.weight, beyond[::-1], agreed.value)


def _level(health: Health) -> int:
    return Finding(health.verdict, share=health.share, weight=health.weight).level


def weighed(weight: int, shares: Iterable[int], asked: Iterable[int] = ()) -> int:
    """The weight of a server with ``weight`` by its configuration: the least of all ``shares`` (percent) of it, rounded
    up, so that only a share of 0 takes the last of it away.

    A weight that a checker has ``asked`` for stands instead of the configured one; of several, what each adds to it or
    takes from it adds up, as keepalived has it.
    """
    whole = max(0, weight + sum(each - weight for each in asked))
    return -(-whole * min(shares, default=WHOLE) // WHOLE)


def combine(verdicts: Iterable[Verdict], held: Verdict = Verdict.UNKNOWN) -> Verdict:
    """One verdict for what depends on all of ``verdicts``: FAILED if any is, OK if all are.

    With some still UNKNOWN and none FAILED nothing speaks against what was ``held`` before, and it stays: a
    checker that is added to a server in service does not take the server out while it makes up its mind.
    """
    seen = set(verdicts)
    if Verdict.FAILED in seen:
        return Verdict.FAILED
    if Verdict.UNKNOWN in seen:
        return held
    return Verdict.OK
