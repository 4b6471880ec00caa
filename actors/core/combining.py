"""Combining: one verdict over several, by three-valued logic (Kleene's). Pure.

What is not known yet is UNKNOWN, unless the rest decides: OK OR UNKNOWN is OK, FAILED AND UNKNOWN is FAILED.
"""

from collections.abc import Iterator, Mapping

import msgspec

from actors.core.health import Finding
from actors.core.status import WHOLE, CheckStatus, Verdict


class Leaf(msgspec.Struct, frozen=True, tag=True):
    """A checker, by its id and the name that it has in the expression."""

    id: str
    name: str


class Some(msgspec.Struct, frozen=True, tag=True):
    """At least ``needed`` (from 1) of ``parts`` are OK: all of them for AND, one for OR."""

    needed: int
    parts: tuple["Term", ...]


class Not(msgspec.Struct, frozen=True, tag=True):
    """``part`` is not OK."""

    part: "Term"


Term = Leaf | Some | Not


def leaves(term: Term) -> Iterator[Leaf]:
    """The checkers of a term, in order."""
    match term:
        case Leaf():
            yield term
        case Not(part):
            yield from leaves(part)
        case Some(_, parts):
            for part in parts:
                yield from leaves(part)


def judged(term: Term, known: Mapping[str, CheckStatus]) -> Finding:
    """What the statuses in ``known`` by id make of ``term``, and which of them decide it.

    Of the shares that its parts leave servers, AND has the least, OR the greatest, ``k of`` the k-th greatest.
    """
    match term:
        case Leaf(id, name):
            status = known.get(id)
            if status is None:
                return Finding(Verdict.UNKNOWN, f"{name} has said nothing yet")
            return Finding(status.verdict, f"{name} {status}", status.share)
        case Not(part):
            return _opposite(judged(part, known))
        case Some(needed, parts):
            return _some(needed, [judged(part, known) for part in parts])


def _opposite(found: Finding) -> Finding:
    opposites = {Verdict.OK: Verdict.FAILED, Verdict.FAILED: Verdict.OK}
    return Finding(opposites.get(found.verdict, Verdict.UNKNOWN), found.detail)


def _some(needed: int, found: list[Finding]) -> Finding:
    good = sorted((each.share for each in found if each.verdict is Verdict.OK), reverse=True)
    open_ = sum(each.verdict is Verdict.UNKNOWN for each in found)
    if len(good) >= needed:
        share = good[needed - 1]
        reasons = [each.detail for each in found if each.verdict is Verdict.OK and each.share < WHOLE]
        return Finding(Verdict.OK, "; ".join(reasons) if share < WHOLE else "", share)
    verdict = Verdict.UNKNOWN if len(good) + open_ >= needed else Verdict.FAILED
    return Finding(verdict, "; ".join(each.detail for each in found if each.verdict is not Verdict.OK))


def drawn(term: Term, known: Mapping[str, CheckStatus], indent: str = "") -> list[str]:
    """The term as a tree, a line for each part, with what that has come to."""
    found = judged(term, known)
    match term:
        case Leaf():
            return [f"{indent}{found.detail}"]
        case Not(part):
            return [f"{indent}NOT: {found.verdict.value}", *drawn(part, known, indent + "  ")]
        case Some(needed, parts):
            word = "AND" if needed == len(parts) else "OR" if needed == 1 else f"{needed} of {len(parts)}"
            inner = (line for part in parts for line in drawn(part, known, indent + "  "))
            return [f"{indent}{word}: {found.verdict.value}", *inner]
