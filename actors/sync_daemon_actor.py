"""Tells another machine of IPVS's connections while a router is MASTER here, and is told of them while it is not."""

from typing import Any

import msgspec

from actors.core.status import IpvsStatus, VrrpStatus
from actors.core.whole import BACKUP, MASTER, Daemon
from actors.messages import Message
from actors.planes import PlaneError, WholeTable
from actors.runtime.actor import Context

LOOK = 5.0
"""Seconds until it is seen to again: what was refused is tried again, what others have stopped is started."""


class SyncDaemonSpec(msgspec.Struct, frozen=True):
    """The daemon, of either state, and the id of the router that it follows; without one both states run."""

    id: str
    daemon: Daemon
    router: str = ""


class LookAtDaemons(Message, frozen=True):
    """See to the daemons."""


class SyncDaemonActor:
    """While nothing is known of the router, what runs is left as it is."""

    def __init__(self, context: Context, spec: SyncDaemonSpec, ipvs: WholeTable) -> None:
        self._context = context
        self._spec = spec
        self._whole = ipvs
        self._wanted: tuple[str, ...] = () if spec.router else (MASTER, BACKUP)
        self._status = context.last if isinstance(context.last, IpvsStatus) else IpvsStatus(spec.id)

    def on_start(self) -> None:
        """Follow the router; without one, run both at once."""
        if self._spec.router:
            self._context.subscribe(self._spec.router)
        else:
            self._see_to_it()

    def receive(self, message: Any) -> None:
        """The router has news, or it is time to look."""
        if isinstance(message, VrrpStatus):
            self._wanted = (MASTER,) if message.role == "MASTER" else (BACKUP,)
            self._see_to_it()
        elif isinstance(message, LookAtDaemons):
            self._see_to_it()

    def on_stop(self, final: bool) -> None:
        """When no successor follows, stop what runs."""
        if final:
            self._wanted = ()
            self._see_to_it()

    def explain(self) -> list[str]:
        """For an operator: what runs, and what is wrong with it."""
        follows = [f"it follows {self._spec.router}"] if self._spec.router else []
        return [self._status.state or "nothing runs", *follows, *([self._status.fault] if self._status.fault else [])]

    def _see_to_it(self) -> None:
        try:
            self._bring_about()
            running = "and ".join(f"{state} " for state in self._wanted)
            status = IpvsStatus(self._spec.id, f"{running}on {self._spec.daemon.interface}" if running else "")
        except PlaneError as error:
            status = msgspec.structs.replace(self._status, fault=str(error))
        self._become(status)
        self._context.after("look", LOOK, LookAtDaemons(), grain=0.05)

    def _bring_about(self) -> None:
        """Stop before starting: the kernel may have but one group of machines in mind."""
        wanted = {state: msgspec.structs.replace(self._spec.daemon, state=state) for state in self._wanted}
        running = {daemon.state: daemon for daemon in self._whole.daemons()}
        for state, daemon in running.items():
            if state not in wanted or not wanted[state].is_met_by(daemon):
                self._whole.stop(state)
        for state, daemon in wanted.items():
            if state not in running or not daemon.is_met_by(running[state]):
                self._whole.start(daemon)

    def _become(self, status: IpvsStatus) -> None:
        if status == self._status:
            return
        told = {"error": status.fault} if status.fault else {"runs": status.state or "nothing"}
        (self._context.log.error if status.fault else self._context.log.info)("sync daemon", **told)
        self._status = status
        self._context.publish(status)
