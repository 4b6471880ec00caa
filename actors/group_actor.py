"""One vrrp_sync_group: gathers what its members would do, and publishes the role that all of them take."""

from typing import Any

import msgspec

from actors.core.status import GroupStatus, VrrpStatus
from actors.core.sync_group import agreed
from actors.messages import Replayed, RolePrograms
from actors.runtime.actor import Context


class GroupSpec(msgspec.Struct, frozen=True):
    """A vrrp_sync_group: ``members`` are the ids of its routers."""

    id: str
    members: tuple[str, ...]
    programs: RolePrograms = RolePrograms()


class GroupActor:
    """Decides when all members that have ever spoken were heard: half the news would oust a MASTER for nothing."""

    def __init__(self, context: Context, spec: GroupSpec) -> None:
        self._context = context
        self._spec = spec
        self._known: dict[str, VrrpStatus] = {}
        self._unheard = len(spec.members)
        self._status = context.last if isinstance(context.last, GroupStatus) else None

    def on_start(self) -> None:
        """Follow the members."""
        for member in self._spec.members:
            self._context.subscribe(member)

    def receive(self, message: Any) -> None:
        """A member has news, or has none yet."""
        match message:
            case VrrpStatus(source):
                self._known[source] = message
            case Replayed():
                self._unheard -= 1
        if self._unheard <= 0:
            self._decide()

    def on_stop(self, final: bool) -> None:
        """Tell that it stops; its members have stopped before."""
        if final:
            self._notify("STOP")

    def explain(self) -> list[str]:
        """For an operator: the role, its cause, and what each member would do."""
        status = self._status
        told = [f"  {id}: {self._says(id)}" for id in self._spec.members]
        return [f"{status.role} since: {status.reason}" if status else "has not decided yet", *told]

    def _says(self, id: str) -> str:
        known = self._known.get(id)
        if known is None:
            return "has said nothing yet"
        return known.fault or ("leads, or would" if known.leads else "would not lead")

    def _decide(self) -> None:
        role, reason = agreed(self._spec.members, self._known)
        before, self._status = self._status, GroupStatus(self._spec.id, role.value, reason)
        if self._status == before:
            return
        self._context.publish(self._status)
        if before is None or before.role != role.value:
            self._context.log.info(f"Entering {role.value} STATE", reason=reason)
            self._notify(role.value)

    def _notify(self, state: str) -> None:
        for run in self._spec.programs.runs(self._spec.id, "GROUP", state, 0):
            self._context.tell("notify", run)
