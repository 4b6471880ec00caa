"""Quorum: whether enough servers of a virtual server are up, and the pool that follows from it. Pure."""

from collections.abc import Mapping

import msgspec

from actors.core.status import ServerStatus, Verdict
from actors.core.table import Destination, Pool, Service, ServiceKey


class Quorum(msgspec.Struct, frozen=True):
    """The weight sum wanted of servers that are up, and the dead band around it.

    Gained at ``quorum + hysteresis``, lost below ``quorum - hysteresis`` or at zero (keepalived's rule). A quorum, and
    then a bar, above the sum of all configured weights could never be reached and is lowered to it.
    """

    quorum: int = 1
    hysteresis: int = 0

    def held(self, was: bool, weight: int, total: int) -> bool:
        """Whether quorum is held with ``weight`` of ``total`` up, given whether it ``was`` before."""
        quorum = min(self.quorum, total)
        if was:
            return weight > 0 and weight >= quorum - self.hysteresis
        return weight > 0 and weight >= min(quorum + self.hysteresis, total)


class Member(msgspec.Struct, frozen=True):
    """A configured server of a service: its id, its place in the table, and whether failure inhibits or removes it."""

    id: str
    destination: Destination
    inhibit: bool = False


class Sorry(msgspec.Struct, frozen=True):
    """The server of last resort; with ``inhibit`` it stays in the pool with weight 0 when not needed."""

    destination: Destination
    inhibit: bool = False


class Roster(msgspec.Struct, frozen=True):
    """A virtual server as configured: the service, its members, its sorry server, its quorum.

    ``more`` are further services of a group, with the same attributes and the same members.
    """

    service: Service
    members: tuple[Member, ...] = ()
    sorry: Sorry | None = None
    quorum: Quorum = Quorum()
    more: tuple[ServiceKey, ...] = ()

    @property
    def services(self) -> tuple[Service, ...]:
        """All the services, one but for a group."""
        return (self.service, *(msgspec.structs.replace(self.service, key=key) for key in self.more))

    @property
    def total(self) -> int:
        """The sum of all configured weights."""
        return sum(member.destination.weight for member in self.members)


Statuses = Mapping[str, ServerStatus]


def weight_up(roster: Roster, statuses: Statuses) -> int:
    """The sum of the weights of members that are up."""
    return sum(statuses[m.id].weight for m in roster.members if _is_up(m, statuses))


def servers_up(roster: Roster, statuses: Statuses) -> int:
    """How many members are up."""
    return sum(_is_up(member, statuses) for member in roster.members)


def decided(roster: Roster, statuses: Statuses) -> bool:
    """Whether every member has a verdict."""
    return all(m.id in statuses and statuses[m.id].verdict is not Verdict.UNKNOWN for m in roster.members)


def pool(roster: Roster, statuses: Statuses, quorum: bool) -> Pool:
    """The pool that the data plane must hold.

    While quorum is lost a sorry server replaces the members that are up; without one they keep serving. A member
    that is not up is absent, or present with weight 0 when failure inhibits it. Of two in one place, as a sorry server
    that is a member too, the one that serves is present.
    """
    sorry_serves = roster.sorry is not None and not quorum
    members = [_place(member, statuses, serves=not sorry_serves) for member in roster.members]
    present: dict[tuple[str, int], Destination] = {}
    for destination in (*members, *_sorry(roster, sorry_serves)):
        if destination is not None and (destination.weight or destination.key not in present):
            present[destination.key] = destination
    return Pool(roster.service, tuple(present.values()))


def pools(roster: Roster, statuses: Statuses, quorum: bool) -> tuple[Pool, ...]:
    """The `pool` of each service of the roster."""
    first = pool(roster, statuses, quorum)
    if not roster.more:
        return (first,)
    return tuple(
        Pool(service, tuple(placed(destination, service.key) for destination in first.destinations))
        for service in roster.services
    )


def placed(destination: Destination, key: ServiceKey) -> Destination:
    """A server as a service of a group has it: where its port cannot be changed, or none is said, the service's."""
    if not key.port or (destination.method == "NAT" and destination.port):
        return destination
    return msgspec.structs.replace(destination, port=key.port)


def _is_up(member: Member, statuses: Statuses) -> bool:
    return member.id in statuses and statuses[member.id].verdict is Verdict.OK


def _place(member: Member, statuses: Statuses, serves: bool) -> Destination | None:
    if _is_up(member, statuses):
        return msgspec.structs.replace(member.destination, weight=statuses[member.id].weight) if serves else None
    return msgspec.structs.replace(member.destination, weight=0) if member.inhibit else None


def _sorry(roster: Roster, serves: bool) -> tuple[Destination, ...]:
    if roster.sorry is None:
        return ()
    if serves:
        return (roster.sorry.destination,)
    return (msgspec.structs.replace(roster.sorry.destination, weight=0),) if roster.sorry.inhibit else ()
