"""A sync group: which role its members share. Pure."""

from collections.abc import Mapping

from actors.core.status import VrrpStatus
from actors.core.vrrp_values import Role


def agreed(members: tuple[str, ...], known: Mapping[str, VrrpStatus]) -> tuple[Role, str]:
    """The role of a group, and why: FAULT while any member is in fault, MASTER while all lead or would, else BACKUP.

    ``members`` are ids, ``known`` what they have said; who has said nothing does not lead (keepalived's rules).
    """
    faults = [f"{id}: {known[id].fault}" for id in members if id in known and known[id].fault]
    if faults:
        return Role.FAULT, "; ".join(faults)
    behind = [id for id in members if id not in known or not known[id].leads]
    if behind:
        return Role.BACKUP, f"{', '.join(behind)} would not lead"
    return Role.MASTER, "all members would lead"
