"""What a status says of its source in a word, how bad that is, and how many say what. Pure."""

from collections.abc import Iterable

from actors.core.status import (
    AddressStatus,
    AnyStatus,
    CheckStatus,
    ChildStatus,
    GroupStatus,
    IpvsStatus,
    LinkStatus,
    Phase,
    PresenceStatus,
    ServerStatus,
    ServiceStatus,
    VrrpStatus,
)

PHASES = {Phase.PARKED: 0, Phase.RESTARTING: 1, Phase.STOPPED: 2}
CRASHED, FAILING, LEAST = 3, 4, 5
"""How bad: the least is the worst. First whoever does not live, then who crashed of late, then who has bad news."""

BAD = ("FAILED", "FAULT", "no quorum", "down")

COUNTED = {VrrpStatus: "routers", ServiceStatus: "services", CheckStatus: "checkers"}

Tally = dict[str, dict[str, int]]


def standing(status: AnyStatus | None) -> tuple[str, str]:
    """``("FAILED", "connection refused")``, ``("no quorum", "")``; empty when nothing is known."""
    match status:
        case CheckStatus() | ServerStatus():
            return status.verdict.value, status.detail
        case ServiceStatus():
            return "quorum" if status.quorum else "no quorum", status.error
        case VrrpStatus() | GroupStatus():
            return status.role, status.reason
        case AddressStatus():
            return "held" if status.held else "released", status.fault
        case IpvsStatus():
            return "FAULT" if status.fault else status.state, status.fault
        case PresenceStatus():
            return "here" if status.here else "elsewhere", ""
        case LinkStatus():
            return "up" if status.up else "down", ""
    return "", ""


def examined(statuses: Iterable[AnyStatus]) -> tuple[Tally, dict[str, int]]:
    """How many routers, services and checkers say what; and of those who are not well how bad it is, by their ids."""
    tally: Tally = {name: {} for name in COUNTED.values()}
    ails: dict[str, int] = {}
    for status in statuses:
        word = standing(status)[0]
        if type(status) in COUNTED:
            counts = tally[COUNTED[type(status)]]
            counts[word] = counts.get(word, 0) + 1
        ill = badness(status, word)
        if ill < LEAST:
            id = status.source.removeprefix("child/")
            ails[id] = min(ill, ails.get(id, LEAST))
    return tally, ails


def badness(status: AnyStatus, word: str) -> int:
    """How bad it is, from 0 for the worst to `LEAST` for nothing."""
    if isinstance(status, ChildStatus):
        return PHASES.get(status.phase, CRASHED if status.crashes else LEAST)
    return FAILING if word in BAD else LEAST
