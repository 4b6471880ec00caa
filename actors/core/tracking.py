"""What a router follows, and what that does to it: a fault, or another priority. Pure."""

from collections.abc import Iterable, Mapping

import msgspec

from actors.core.status import Verdict


class Follow(msgspec.Struct, frozen=True):
    """Something tracked: a status' id, and what it does. Weight 0 is FAULT while it is not OK; otherwise the priority
    gains a positive weight while it is, and loses a negative one while it is not (keepalived's rule)."""

    source: str
    weight: int = 0


Seen = Mapping[str, Verdict]


def verdict(follow: Follow, seen: Seen) -> Verdict:
    """What is known of it: UNKNOWN, which is not OK, until it has said something."""
    return seen.get(follow.source, Verdict.UNKNOWN)


def faults(follows: Iterable[Follow], seen: Seen) -> list[str]:
    """What of all that is followed puts the router into FAULT, in words."""
    bad = [f for f in follows if not f.weight and verdict(f, seen) is not Verdict.OK]
    return [f"{f.source} is {verdict(f, seen).value}" for f in bad]


def weigh(priority: int, follows: Iterable[Follow], seen: Seen) -> int:
    """The configured priority with all weights that count now; it may be outside of 1 to 254."""
    total = priority
    for follow in follows:
        good = verdict(follow, seen) is Verdict.OK
        if (follow.weight > 0 and good) or (follow.weight < 0 and not good):
            total += follow.weight
    return total
