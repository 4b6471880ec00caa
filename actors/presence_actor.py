"""An address: publishes whether this machine has it, on whatever interface."""

from typing import Any

import msgspec

from actors.core.status import PresenceStatus
from actors.messages import Message
from actors.planes.network import Links
from actors.runtime.actor import Context


class PresenceSpec(msgspec.Struct, frozen=True):
    """The address, in canonical text form."""

    id: str
    address: str


class PresenceNews(Message, frozen=True):
    """The kernel has said whether the address is here."""

    here: bool


class PresenceActor:
    """Says what the kernel says, for those who have something to do only where the address is."""

    def __init__(self, context: Context, spec: PresenceSpec, links: Links) -> None:
        self._context = context
        self._spec = spec
        self._links = links

    def on_start(self) -> None:
        """Seek the address; whether it is here now is the first news."""
        self._links.seek(self._spec.address, self._heard)

    def receive(self, message: Any) -> None:
        """Publish news."""
        if isinstance(message, PresenceNews):
            self._context.log.info("address", here=message.here)
            self._context.publish(PresenceStatus(self._spec.id, message.here))

    def on_stop(self, final: bool) -> None:
        """Seek it no more."""
        self._links.unseek(self._spec.address)

    def _heard(self, here: bool) -> None:
        self._context.tell(self._spec.id, PresenceNews(here))
