"""What concerns all of IPVS's services: timeouts while the program runs, an empty table after it where it is asked."""

from typing import Any

import msgspec

from actors.core.status import IpvsStatus
from actors.core.whole import Timeouts
from actors.messages import Message
from actors.planes import PlaneError, WholeTable
from actors.runtime.actor import Context

LOOK = 5.0
"""Seconds until it is seen to again: what was refused is tried again, what others have set is set back."""


class IpvsSettingsSpec(msgspec.Struct, frozen=True):
    """The timeouts, and whether the whole table is emptied at the end."""

    id: str
    timeouts: Timeouts = Timeouts()
    empties: bool = False


class LookAtSettings(Message, frozen=True):
    """See to the settings."""


class IpvsSettingsActor:
    """Puts the timeouts back at the end that it found, as keepalived does."""

    def __init__(self, context: Context, spec: IpvsSettingsSpec, ipvs: WholeTable) -> None:
        self._context = context
        self._spec = spec
        self._whole = ipvs
        self._status = context.last if isinstance(context.last, IpvsStatus) else IpvsStatus(spec.id)

    def on_start(self) -> None:
        """Set them at once."""
        self._see_to_it()

    def receive(self, message: Any) -> None:
        """It is time to look."""
        if isinstance(message, LookAtSettings):
            self._see_to_it()

    def on_stop(self, final: bool) -> None:
        """When no successor follows, put back what was there before, and empty the table if that is wanted."""
        if not final:
            return
        try:
            if self._status.before:
                self._whole.set_timeouts(Timeouts(*self._status.before))
            if self._spec.empties:
                self._whole.flush()
        except PlaneError as error:
            self._context.log.error("data plane", error=str(error))

    def explain(self) -> list[str]:
        """For an operator: the timeouts, what they were before, and what is wrong with them."""
        status = self._status
        before = [f"before it was {_words(Timeouts(*status.before))}"] if status.before else []
        end = ["at the end the whole table is emptied"] if self._spec.empties else []
        return [status.state or "nothing is set", *before, *end, *([status.fault] if status.fault else [])]

    def _see_to_it(self) -> None:
        if self._spec.timeouts != Timeouts():
            try:
                self._become(self._set())
            except PlaneError as error:
                self._become(msgspec.structs.replace(self._status, fault=str(error)))
            self._context.after("look", LOOK, LookAtSettings(), grain=0.05)

    def _set(self) -> IpvsStatus:
        found = self._whole.timeouts()
        wanted = self._spec.timeouts.over(found)
        if wanted != found:
            self._whole.set_timeouts(wanted)
        before = self._status.before or (found.tcp, found.tcpfin, found.udp)
        return IpvsStatus(self._spec.id, _words(wanted), before)

    def _become(self, status: IpvsStatus) -> None:
        if status == self._status:
            return
        if status.fault:
            self._context.log.error("data plane", error=status.fault)
        self._status = status
        self._context.publish(status)


def _words(timeouts: Timeouts) -> str:
    return f"timeouts: tcp {timeouts.tcp} s, tcpfin {timeouts.tcpfin} s, udp {timeouts.udp} s"
