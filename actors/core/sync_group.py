"""A sync group: which role its members share. Pure."""

from collections.abc import Mapping

from actors.core.status import MemberStatus
from actors.core.vrrp_values import Role


def agreed(members: tuple[str, ...], known: Mapping[str, MemberStatus]) -> tuple[Role, str]:
    """The role of a group, and why: FAULT while any member is in fault, MASTER while all lead or would, else BACKUP.

    ``members`` are sources, ``known`` what they have said; who has said nothing does not lead (keepalived's rules).
    """
    said = [(source, known.get(source, MemberStatus(source, leads=False))) for source in members]
    faults = [f"{_name(source)}: {status.fault}" for source, status in said if status.fault]
    if faults:
        return Role.FAULT, "; ".join(faults)
    behind = [_name(source) for source, status in said if not status.leads]
    if behind:
        return Role.BACKUP, f"{', '.join(behind)} would not lead"
    return Role.MASTER, "all members would lead"


def _name(source: str) -> str:
    return source.partition("/")[2]
