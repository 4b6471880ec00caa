"""A virtual server: quorum, sorry server, and a data plane that follows both."""

from typing import Any
from zlib import crc32

import msgspec

from actors.core.quorum import Roster, decided, pool, servers_up, weight_up
from actors.core.status import ServerStatus, ServiceStatus
from actors.core.table import Edit, Pool, plan
from actors.messages import Message, Program, Replayed, Settle
from actors.planes import DataPlane, PlaneError
from actors.runtime.actor import Context

RECONCILE = 5.0
"""Seconds between two looks at what the plane really holds."""


class ServiceSpec(msgspec.Struct, frozen=True):
    """A virtual server: its roster, and its programs. With ``omega`` a stop counts as losing quorum."""

    id: str
    roster: Roster
    quorum_up: Program | None = None
    quorum_down: Program | None = None
    omega: bool = False


class Reconcile(Message, frozen=True):
    """It is time to compare the plane with what it should hold."""


class IpvsActor:
    """Follows its servers' statuses; the plane is brought to the desired pool by the least edits.

    Nothing is touched before every retained status has been replayed: a restart takes no server out.
    """

    def __init__(self, context: Context, spec: ServiceSpec, plane: DataPlane) -> None:
        self._context = context
        self._spec = spec
        self._plane = plane
        self._servers: dict[str, ServerStatus] = {}
        self._status = context.last if isinstance(context.last, ServiceStatus) else None
        self._announced: bool | None = self._status.quorum if self._status else None
        self._quorum = bool(self._announced)
        self._held: Pool | None = None
        self._ready = False
        self._error = ""
        self.drifts = 0

    def on_start(self) -> None:
        """Follow the servers, and look at what the plane holds from before."""
        self._held, unread = self._look()
        self._complain(unread)
        self._context.subscribe(f"{self._spec.id}/rs/*")

    def receive(self, message: Any) -> None:
        """A server has news, or it is time to reconcile."""
        if isinstance(message, ServerStatus):
            self._servers[message.source] = message
            if self._ready:
                self._context.after("settle", 0.0, Settle())
        elif isinstance(message, Replayed):
            self._ready = True
            self._settle()
            self._schedule()
        elif isinstance(message, Settle):
            self._settle()
        elif isinstance(message, Reconcile):
            self._reconcile()

    def on_stop(self, final: bool) -> None:
        """When no successor follows, take the service away; with ``omega`` tell that quorum goes."""
        if not final:
            return
        if self._spec.omega and self._quorum:
            self._notify("quorum_down", self._spec.quorum_down)
        self._complain(self._apply(plan(None, self._look()[0])))

    def connections(self) -> dict[tuple[str, int], int]:
        """Open connections of each server by address and port; empty when the plane cannot say."""
        try:
            return self._plane.connections(self._spec.roster.service.key)
        except PlaneError:
            return {}

    @property
    def pool(self) -> Pool | None:
        """What the plane holds, as far as is known."""
        return self._held

    def explain(self) -> list[str]:
        """For an operator: the arithmetic of the quorum, and each server's part in it."""
        roster = self._spec.roster
        rule = roster.quorum
        lines = [
            f"quorum {'held' if self._quorum else 'lost'}: weight {weight_up(roster, self._servers)} of {roster.total} "
            f"is up, {rule.quorum} wanted, hysteresis {rule.hysteresis}",
            *(f"  {member.id}: {self._says(member.id)}" for member in roster.members),
        ]
        return [*lines, f"the data plane refuses: {self._error}"] if self._error else lines

    def _says(self, server: str) -> str:
        status = self._servers.get(server)
        if status is None:
            return "has said nothing yet"
        return f"{status.verdict.value}, weight {status.weight}" + (f", {status.detail}" if status.detail else "")

    def _settle(self, unread: tuple[str, ...] = ()) -> None:
        roster = self._spec.roster
        self._quorum = roster.quorum.held(self._quorum, weight_up(roster, self._servers), roster.total)
        self._follow(unread)
        self._announce()
        self._publish()

    def _follow(self, unread: tuple[str, ...]) -> None:
        """Carry out every edit that can be; the refused are tried again with the next news, or when reconciling."""
        desired = pool(self._spec.roster, self._servers, self._quorum)
        errors = (*self._apply(plan(desired, self._held)), *unread)
        self._held = self._look()[0] if errors else desired
        self._complain(errors)

    def _apply(self, edits: tuple[Edit, ...]) -> tuple[str, ...]:
        return tuple(error for edit in edits if (error := self._attempt(edit)))

    def _attempt(self, edit: Edit) -> str:
        try:
            self._plane.apply(edit)
        except PlaneError as error:
            return str(error)
        self._context.log.debug("edit", edit=edit)
        return ""

    def _look(self) -> tuple[Pool | None, tuple[str, ...]]:
        """What the plane holds; when it does not say, what is believed, and the error."""
        try:
            return self._plane.read(self._spec.roster.service.key), ()
        except PlaneError as error:
            return self._held, (str(error),)

    def _complain(self, errors: tuple[str, ...]) -> None:
        """Remember what the plane refuses now; only news is logged."""
        error = errors[0] if errors else ""
        if error and error != self._error:
            self._context.log.error("data plane", error=error, others=len(errors) - 1)
        self._error = error

    def _reconcile(self) -> None:
        believed, trusted = self._held, not self._error
        self._held, unread = self._look()
        drift = plan(believed, self._held) if trusted else ()
        if drift:
            self.drifts += len(drift)
            self._context.log.warning("drift", healed=[_brief(edit) for edit in drift])
        self._settle(unread)
        self._schedule()

    def _schedule(self) -> None:
        phase = 1 + crc32(self._spec.id.encode()) % 100 / 500
        self._context.after("reconcile", RECONCILE * phase, Reconcile(), grain=0.05)

    def _announce(self) -> None:
        if self._quorum and self._announced is not True:
            self._announced = True
            self._notify("quorum_up", self._spec.quorum_up)
        elif not self._quorum and self._announced is not False and self._is_certain():
            self._announced = False
            self._notify("quorum_down", self._spec.quorum_down)

    def _is_certain(self) -> bool:
        """A loss is a fact at once; at the start it is one only when every server has a verdict."""
        return self._announced is True or decided(self._spec.roster, self._servers)

    def _notify(self, event: str, program: Program | None) -> None:
        self._context.log.info(event, weight=weight_up(self._spec.roster, self._servers))
        if program is not None:
            self._context.tell("notify", program.run(self._spec.id, event))

    def _publish(self) -> None:
        roster = self._spec.roster
        sorry = roster.sorry is not None and not self._quorum
        status = ServiceStatus(self._spec.id, self._quorum, servers_up(roster, self._servers), sorry, self._error)
        if status != self._status:
            self._status = status
            self._context.publish(status)


def _brief(edit: Edit) -> str:
    return f"{type(edit).__name__} {msgspec.to_builtins(edit)}"
