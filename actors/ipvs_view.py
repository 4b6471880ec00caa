"""The load-balancing table as an operator asks for it: what the plane holds, what it carries, how its servers fare."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from actors.census import in_turns, supervisor_of
from actors.children import Charge
from actors.core.quorum import Member, Roster, placed
from actors.core.status import ServerStatus, Verdict
from actors.core.table import Destination, Load, Loads, Pool, longest_prefix
from actors.ipvs_actor import IpvsActor, ServiceSpec
from actors.planes import DataPlane, PlaneError
from actors.runtime.system import System

FOREIGN, SORRY = "not ours", "sorry server"

Row = dict[str, Any]
Place = tuple[str, int]
Statuses = Mapping[str, ServerStatus]


class IpvsView:
    """Answers ``ipvs``. Figures are read at most every few seconds, however often that is asked."""

    def __init__(self, system: System, plane: DataPlane, head: Callable[[], Row]) -> None:
        self._system = system
        self._plane = plane
        self._head = head

    def table(self) -> Row:
        """Every service of the plane with its servers; those of others come last, without what we do not know."""
        charges = [each for each in supervisor_of(self._system).charges() if each.child.kind is IpvsActor]
        own = [row for charge in in_turns(charges) for row in self._own(charge)]
        return {**self._head(), "ipvs": [*own, *self._foreign(charges)]}

    def _own(self, charge: Charge) -> Iterator[Row]:
        spec: ServiceSpec = charge.child.args[0]
        context = self._system.find(spec.id)
        actor = context.actor if context else None
        if isinstance(actor, IpvsActor):
            loads = actor.loads()
            for pool in actor.held:
                carried = loads.get(pool.service.key, Loads())
                yield service_row(pool, carried, spec.id, _servers(pool, carried, spec.roster, actor.servers))

    def _foreign(self, charges: list[Charge]) -> Iterator[Row]:
        ours = {service.key for charge in charges for service in charge.child.args[0].roster.services}
        try:
            for key in self._plane.services():
                if key not in ours and (pool := self._plane.read(key)) is not None:
                    carried = self._plane.loads(key)
                    rows = [server_row(each, carried.servers.get(each.key), FOREIGN) for each in pool.destinations]
                    yield service_row(pool, carried, "", rows)
        except PlaneError:
            return  # what is ours is told all the same


def service_row(pool: Pool, loads: Loads, id: str, servers: list[Row]) -> Row:
    """A service with its attributes, its figures and its servers. ``id`` is empty when it is not ours."""
    service = pool.service
    prefix = service.persistence_prefix
    return {
        "id": id,
        **msgspec.to_builtins(service.key),
        "scheduler": service.scheduler,
        "flags": list(service.flags),
        "persistence_timeout": service.persistence_timeout,
        "persistence_prefix": longest_prefix(service.key.family) if prefix is None else prefix,
        "persistence_engine": service.persistence_engine,
        "load": msgspec.to_builtins(loads.total),
        "servers": servers,
    }


def server_row(destination: Destination, load: Load | None, health: str, present: bool = True) -> Row:
    """A server with its attributes and figures; one that is not ``present`` would be there, were it healthy."""
    return {
        **msgspec.to_builtins(destination),
        "load": msgspec.to_builtins(load or Load()),
        "health": health,
        "present": present,
    }


def _servers(pool: Pool, loads: Loads, roster: Roster, statuses: Statuses) -> list[Row]:
    """Those that are there in the order of the configuration, then those that are not."""
    key = pool.service.key
    members = {placed(member.destination, key).key: member for member in roster.members}
    sorry = placed(roster.sorry.destination, key).key if roster.sorry else None
    order = {place: turn for turn, place in enumerate(members)}
    held = sorted(pool.destinations, key=lambda each: order.get(each.key, len(order)))
    there = {each.key for each in held}
    return [
        *(server_row(d, loads.servers.get(d.key), _health(d, members.get(d.key), sorry, statuses)) for d in held),
        *(
            server_row(placed(member.destination, key), None, _why_out(member, statuses), present=False)
            for place, member in members.items()
            if place not in there
        ),
    ]


def _health(destination: Destination, member: Member | None, sorry: Place | None, statuses: Statuses) -> str:
    if member is None:
        return SORRY if destination.key == sorry else FOREIGN
    status = statuses.get(member.id)
    if status is not None and status.verdict is Verdict.OK:
        return f"OK, {status.detail}" if status.detail else "OK"
    return SORRY if destination.key == sorry and destination.weight else f"inhibited: {_said(status)}"


def _why_out(member: Member, statuses: Statuses) -> str:
    status = statuses.get(member.id)
    if status is not None and status.verdict is Verdict.OK:
        return "out: OK, but the sorry server serves"
    return f"out: {_said(status)}"


def _said(status: ServerStatus | None) -> str:
    return "no verdict yet" if status is None else status.detail or status.verdict.value
