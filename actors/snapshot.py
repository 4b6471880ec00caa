"""What an operator sees: the whole state as plain data, joined from configuration, board and living actors."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from actors.address_actor import AddressActor, AddressSpec
from actors.census import Census, in_turns, lag_of_vrrp, supervisor_of, together
from actors.checker_actor import CheckerActor, CheckerSpec
from actors.children import Charge
from actors.combine_actor import CombineActor, CombineSpec
from actors.core.quorum import Member, placed
from actors.core.status import (
    OWN,
    AddressStatus,
    CheckStatus,
    ChildStatus,
    GroupStatus,
    IpvsStatus,
    ServerStatus,
    ServiceStatus,
    Verdict,
    VrrpStatus,
)
from actors.core.table import Destination, Loads, ServiceKey, endpoint, in_use
from actors.fleet import Fleet
from actors.group_actor import GroupActor, GroupSpec
from actors.inside import explain, internals, network_figures
from actors.ipvs_actor import IpvsActor, ServiceSpec
from actors.ipvs_settings_actor import IpvsSettingsActor
from actors.real_server_actor import RealServerSpec
from actors.runtime.system import System
from actors.station import VrrpSpec
from actors.supervisor_actor import SupervisorActor
from actors.sync_daemon_actor import SyncDaemonActor
from actors.vrrp_actor import VrrpActor

VERSION = 1
"""Raised when a field changes its meaning or goes away; new fields may come at any time."""

BY_HAND = "parked by hand: its last status stands until it is revived, or the configuration is reloaded"

WHOLE = (IpvsSettingsActor, SyncDaemonActor)
"""Who sees to what concerns IPVS as a whole."""

Figures = Mapping[str, Mapping[str, Any]]
"""What actors count, by their ids."""


class Snapshot:
    """Answers ``status``, ``why`` and ``internals``. Reading changes nothing and logs nothing."""

    def __init__(
        self,
        system: System,
        fleet: Fleet,
        census: Census,
        facts: Callable[[], Mapping[str, Any]],
        names: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._system = system
        self._fleet = fleet
        self._census = census
        self._facts = facts
        self._began = time.monotonic()
        self.names = names

    def status(self) -> dict[str, Any]:
        """Checkers, servers and services with their verdicts and figures.

        Others run between two rows: each row is of one moment, all of them together are not.
        """
        counted, read, vitals = self._fleet.ask("figures", "network", "vitals")
        figures = together(self._system, counted)
        processes = self._census.processes(vitals)
        return {
            **self.head(),
            "network": self._network(read),
            "processes": processes,
            "vrrp_loop_lag": lag_of_vrrp(processes),
            "checkers": [self._checker(charge, figures) for charge in self._in_turns(CheckerActor, CombineActor)],
            "servers": [row for charge in self._in_turns(IpvsActor) for row in self._servers(charge)],
            "services": [self._service(charge) for charge in self._in_turns(IpvsActor)],
            "routers": [self._router(charge, figures) for charge in self._in_turns(VrrpActor)],
            "groups": [self._group(charge) for charge in self._in_turns(GroupActor)],
            "addresses": [self._addresses(charge) for charge in self._in_turns(AddressActor)],
            "ipvs": [self._whole(charge) for kind in WHOLE for charge in self._of(kind)],
        }

    def head(self) -> dict[str, Any]:
        """Who answers, and for how long it has run."""
        return {"version": VERSION, "uptime": round(time.monotonic() - self._began, 3), **self._facts()}

    def _network(self, read: Mapping[str, Any]) -> dict[str, Any]:
        """What was read from the network for nobody, and how often news of links were lost."""
        said = [network_figures(self._system.ports), *read.values()]
        return next((each for each in said if each), {"discarded": {}, "link_resyncs": 0})

    def _router(self, charge: Charge, figures: Figures) -> dict[str, Any]:
        spec: VrrpSpec = charge.child.args[0]
        board = self._supervisor.board
        said, held = board.last(spec.id), board.last(spec.addresses)
        status = said if isinstance(said, VrrpStatus) else VrrpStatus(spec.id, "INIT", spec.router.priority)
        return {
            "id": spec.id,
            "role": status.role,
            "priority": status.priority,
            "configured_priority": spec.router.priority,
            "reason": status.reason,
            "interface": spec.endpoint.interface,
            "vrid": spec.endpoint.vrid,
            "version": spec.router.version,
            "holds_addresses": isinstance(held, AddressStatus) and held.held,
            "packets": figures.get(spec.id, {}).get("packets", {}),
            "phase": charge.phase.value,
        }

    def _group(self, charge: Charge) -> dict[str, Any]:
        spec: GroupSpec = charge.child.args[0]
        said = self._supervisor.board.last(spec.id)
        status = said if isinstance(said, GroupStatus) else GroupStatus(spec.id, "INIT")
        return {
            "id": spec.id,
            "role": status.role,
            "reason": status.reason,
            "members": list(spec.members),
            "phase": charge.phase.value,
        }

    def _addresses(self, charge: Charge) -> dict[str, Any]:
        spec: AddressSpec = charge.child.args[0]
        said = self._supervisor.board.last(spec.id)
        status = said if isinstance(said, AddressStatus) else AddressStatus(spec.id, False)
        return {
            "id": spec.id,
            "router": spec.router,
            "held": status.held,
            "fault": status.fault,
            "addresses": [f"{item} dev {item.interface}" for item in status.addresses],
            "phase": charge.phase.value,
        }

    def _whole(self, charge: Charge) -> dict[str, Any]:
        id = charge.child.id
        said = self._supervisor.board.last(id)
        status = said if isinstance(said, IpvsStatus) else IpvsStatus(id)
        return {"id": id, "state": status.state, "fault": status.fault, "phase": charge.phase.value}

    def why(self, id: str) -> list[str]:
        """Sentences that tell how the actor ``id`` came to its status; raises LookupError, naming ids that are near."""
        charge = self.charge(id)
        said = self._fleet.explain(id)
        if said is None:
            said = explain(self._system, id)
        by_hand = [BY_HAND] if charge.held else []
        return [f"{id} is {charge.phase.value}", *by_hand, *said, *self._crashes(charge)]

    def charge(self, id: str) -> Charge:
        """The child ``id``; raises LookupError, naming ids that are near."""
        charge = self._supervisor.charge(id)
        if charge is None:
            near = [c.child.id for c in self._supervisor.charges() if id in c.child.id][:5]
            raise LookupError(f"nobody is called {id!r}" + (f"; near: {', '.join(near)}" if near else ""))
        return charge

    def checks(self, ids: Collection[str]) -> list[CheckStatus]:
        """What the checkers ``ids`` have said last."""
        said = (self._supervisor.board.last(id) for id in sorted(ids))
        return [status for status in said if isinstance(status, CheckStatus)]

    def internals(self) -> dict[str, Any]:
        """Counts of what could leak, of this process and of the others by name."""
        counted, vitals = self._fleet.ask("internals", "vitals")
        lag = lag_of_vrrp(self._census.processes(vitals))
        return {**internals(self._system), "processes": self._fleet.processes(counted), "vrrp_loop_lag": lag}

    @property
    def _supervisor(self) -> SupervisorActor:
        return supervisor_of(self._system)

    def _of(self, *kinds: type) -> list[Charge]:
        return [charge for charge in self._supervisor.charges() if charge.child.kind in kinds]

    def _in_turns(self, *kinds: type) -> Iterator[Charge]:
        return in_turns(self._of(*kinds))

    def _actor(self, charge: Charge, kind: type) -> Any:
        context = self._system.find(charge.child.id)
        return context.actor if context and isinstance(context.actor, kind) else None

    def _crashes(self, charge: Charge) -> list[str]:
        last = self._supervisor.board.last(f"child/{charge.child.id}")
        if not isinstance(last, ChildStatus) or not last.error:
            return []
        return [f"crashed {last.crashes} times of late; the last error: {last.error.strip().splitlines()[-1]}"]

    def _checker(self, charge: Charge, figures: Figures) -> dict[str, Any]:
        spec: CheckerSpec | CombineSpec = charge.child.args[0]
        board = self._supervisor.board
        said = board.last(spec.id)
        status = said if isinstance(said, CheckStatus) else CheckStatus(spec.id, Verdict.UNKNOWN, assumed=True)
        told = figures.get(spec.id, {})
        return {
            "id": spec.id,
            "keyword": f"TH_{spec.keyword}" if told.get("moved") else spec.title,
            "names": list(self.names.get(spec.id, ())),
            "target": endpoint(spec.address, spec.port) if spec.address else "",
            "verdict": status.verdict.value,
            "assumed": status.assumed,
            "detail": status.detail,
            "share": status.share,
            "weight": None if status.weight == OWN else status.weight,
            "phase": charge.phase.value,
            "crashes": len(charge.ledger.crashes),
            "subscribers": len(board.audience(spec.id)),
            **self._tally(told),
        }

    def _tally(self, said: Mapping[str, Any]) -> dict[str, Any]:
        counts = {name: said.get(name, 0) for name in ("runs", "failures", "hung", "waits", "holds")}
        counts["metrics"] = said.get("metrics", {})
        if not said.get("at"):
            return {**counts, "latency": None, "age": None}
        age = round(self._system.clock.now() - said["at"], 3)
        return {**counts, "latency": round(said["took"], 6), "age": age}

    def _service(self, charge: Charge) -> dict[str, Any]:
        spec: ServiceSpec = charge.child.args[0]
        actor: IpvsActor | None = self._actor(charge, IpvsActor)
        said = self._supervisor.board.last(spec.id)
        status = said if isinstance(said, ServiceStatus) else ServiceStatus(spec.id, False, 0, False)
        sorry = spec.roster.sorry
        methods = dict.fromkeys(member.destination.method for member in spec.roster.members)
        return {
            "id": spec.id,
            "scheduler": spec.roster.service.scheduler,
            "method": "/".join(methods),
            "quorum": status.quorum,
            "servers_up": status.servers_up,
            "servers": len(spec.roster.members),
            "sorry": status.sorry,
            "sorry_server": endpoint(*sorry.destination.key) if sorry else "",
            "connections": _open(actor),
            "drift": actor.drifts if actor else 0,
            "error": status.error,
            "phase": charge.phase.value,
        }

    def _servers(self, charge: Charge) -> list[dict[str, Any]]:
        spec: ServiceSpec = charge.child.args[0]
        actor: IpvsActor | None = self._actor(charge, IpvsActor)
        present = {(pool.service.key, d.key): d for pool in actor.held for d in pool.destinations} if actor else {}
        loads = actor.loads() if actor else {}
        return [self._server(member, spec, loads, present) for member in spec.roster.members]

    def _checks_of(self, id: str) -> tuple[str, ...]:
        charge = self._supervisor.charge(id)
        spec: RealServerSpec | None = charge.child.args[0] if charge else None
        return spec.checks if spec else ()

    def _server(
        self,
        member: Member,
        spec: ServiceSpec,
        loads: Mapping[ServiceKey, Loads],
        present: Mapping[tuple[ServiceKey, tuple[str, int]], Destination],
    ) -> dict[str, Any]:
        destination = member.destination
        places = [(key, placed(destination, key).key) for key in (each.key for each in spec.roster.services)]
        held = [present[place] for place in places if place in present]
        carried = [(key, loads[key].servers.get(place)) for key, place in places if key in loads]
        said = self._supervisor.board.last(member.id)
        status = said if isinstance(said, ServerStatus) else ServerStatus(member.id, Verdict.UNKNOWN, 0)
        return {
            "id": member.id,
            "service": spec.id,
            "address": destination.address,
            "port": destination.port,
            "weight": held[0].weight if held else 0,
            "configured_weight": destination.weight,
            "verdict": status.verdict.value,
            "detail": status.detail,
            "checkers": list(self._checks_of(member.id)),
            "in_pool": bool(held),
            "connections": sum(in_use(key, load) for key, load in carried if load),
        }


def _open(actor: IpvsActor | None) -> int:
    """Open connections of a service."""
    loads = actor.loads() if actor else {}
    return sum(in_use(key, load) for key, each in loads.items() for load in each.servers.values())
