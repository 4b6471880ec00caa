"""Health: from single results to a verdict, and from verdicts to one. Pure."""

from collections.abc import Iterable

import msgspec

from actors.core.status import Verdict


class Debounce(msgspec.Struct, frozen=True):
    """How many results in a row change a verdict: ``rise`` good ones to OK, ``fall`` bad ones to FAILED (1..100)."""

    rise: int = 1
    fall: int = 2


class Health(msgspec.Struct, frozen=True):
    """A verdict and the number of results in a row that contradict it.

    ``detail`` belongs to the verdict: the reason of the last bad result while FAILED. ``assumed`` tells that no
    result has been seen yet and the verdict is the configuration's (``init``).
    """

    verdict: Verdict = Verdict.UNKNOWN
    streak: int = 0
    detail: str = ""
    assumed: bool = True

    @property
    def doubted(self) -> bool:
        """Whether the last result contradicted the verdict."""
        return self.streak > 0


def observe(health: Health, debounce: Debounce, passed: bool, detail: str) -> Health:
    """The health after one more result.

    The first result is final at once, as keepalived has it; later ones need ``rise`` or ``fall`` in a row.
    """
    seen = Verdict.OK if passed else Verdict.FAILED
    if seen is health.verdict and not health.streak and detail == health.detail and not health.assumed:
        return health
    if health.assumed:
        return Health(seen, 0, detail, assumed=False)
    if seen is health.verdict:
        return Health(seen, 0, detail, assumed=False)
    needed = debounce.rise if passed else debounce.fall
    if health.streak + 1 >= needed:
        return Health(seen, 0, detail, assumed=False)
    return Health(health.verdict, health.streak + 1, health.detail, assumed=False)


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
