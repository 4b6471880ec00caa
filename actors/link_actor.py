"""An interface: publishes its state from the kernel's events."""

from typing import Any

from actors.core.status import LinkStatus
from actors.messages import Message
from actors.planes.network import LinkEvent, Links
from actors.runtime.actor import Context


class LinkNews(Message, frozen=True):
    """The kernel has said something of the interface."""

    event: LinkEvent


class LinkActor:
    """Says what the kernel says, nothing more: an interface that does not exist is down."""

    def __init__(self, context: Context, interface: str, links: Links) -> None:
        self._context = context
        self._interface = interface
        self._links = links

    def on_start(self) -> None:
        """Watch the interface; its present state is the first event."""
        self._links.watch(self._interface, self._heard)

    def receive(self, message: Any) -> None:
        """Publish news."""
        if isinstance(message, LinkNews):
            event = message.event
            self._context.publish(LinkStatus(self._context.id, event.up, event.mac, event.addresses))

    def on_stop(self, final: bool) -> None:
        """Watch no more."""
        self._links.unwatch(self._interface)

    def _heard(self, event: LinkEvent) -> None:
        self._context.tell(self._context.id, LinkNews(event))
