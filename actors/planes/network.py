"""What the VRRP actors need of the network: adverts and announcements, addresses, links. Contracts and values only."""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from actors.core.address import Address
from actors.core.packet_values import PROTOCOL


class Endpoint(msgspec.Struct, frozen=True):
    """Where the adverts of one virtual router go and come from: ``destinations`` are its group or its unicast peers.

    ``protocol`` is the number of the IP protocol. Behind an authentication header (51), what is sent and received is
    that header with the advert; and because it covers the IPv4 header, what is sent has that too.
    """

    interface: str
    family: int
    vrid: int
    destinations: tuple[str, ...]
    ttl: int = 255
    borrows: bool = False
    """Whether adverts go out from an address of another interface."""
    protocol: int = PROTOCOL
    ear: str = ""
    """The interface that adverts are heard on, when it is not the one that they go out through."""
    below: str = ""
    """The interface below the router's own, which is a member of the group too: switches are to know it from there."""

    @property
    def hears(self) -> str:
        """The interface that adverts are heard on."""
        return self.ear or self.interface


class Received(msgspec.Struct, frozen=True, tag=True):
    """An advert as it came: the payload and the facts of its IP header (see `actors.core.packet_values.Header`)."""

    pdu: bytes
    source: str
    destination: str
    ttl: int | None
    raw: bytes = b""


class Wire(Protocol):
    """Sends and receives adverts and announcements. Nothing blocks; raises `PlaneError`."""

    def open(self, endpoint: Endpoint, source: str, heard: Callable[[Received], None]) -> None:
        """Listen for the endpoint's VRID; ``heard`` is called on the event loop. Adverts go out from ``source``."""

    def close(self, endpoint: Endpoint) -> None:
        """Listen no more."""

    def send(self, endpoint: Endpoint, destination: str, pdu: bytes) -> None:
        """Send one advert."""

    def drain(self, endpoint: Endpoint) -> None:
        """Hand over at once what lies unread in the endpoint's socket."""

    def discarded(self, interface: str) -> Mapping[str, int]:
        """What was read on the interface and discarded before any router heard of it: how much, by reason."""

    def announce(self, interface: str, frame: bytes) -> None:
        """Send a whole Ethernet frame."""

    def forwards(self, interface: str) -> bool:
        """Whether this machine is a router for IPv6 packets that come through the interface, at this moment."""


class Addresses(Protocol):
    """Addresses of this machine's interfaces; raises `PlaneError`, also for part of a batch."""

    def add(self, interface: str, addresses: tuple[Address, ...]) -> None:
        """Add all; one that is there already is fine."""

    def remove(self, interface: str, addresses: tuple[Address, ...]) -> None:
        """Remove all, and no others with them; one that is not there is fine."""


class LinkEvent(msgspec.Struct, frozen=True):
    """The present state of an interface; ``up`` means up and running, False also when there is none."""

    interface: str
    up: bool
    mac: str = ""
    addresses: tuple[str, ...] = ()


class Links(Protocol):
    """Tells of interfaces."""

    def watch(self, interface: str, changed: Callable[[LinkEvent], None]) -> None:
        """Have ``changed`` called on the event loop, now with the present state and then with each change."""

    def unwatch(self, interface: str) -> None:
        """No more."""

    def seek(self, address: str, changed: Callable[[bool], None]) -> None:
        """Have ``changed`` told on the event loop whether any interface has the address, now and with each change."""

    def unseek(self, address: str) -> None:
        """No more."""


class Device(msgspec.Struct, frozen=True):
    """An interface of a virtual router's own, with the router's MAC, on top of the interface ``below``."""

    name: str
    below: str
    mac: str
    family: int


class Devices(Protocol):
    """Makes such interfaces; raises `PlaneError`."""

    def make(self, device: Device) -> int:
        """See that it is there and up, as it should be: its index. One that is so already is fine; an interface of that
        name which is something else is left alone, and is an error."""

    def remove(self, device: Device) -> None:
        """Remove it; one that is not there is fine."""


class Rules(msgspec.Struct, frozen=True):
    """Packets that are to be dropped.

    ``closed`` are addresses that nothing which comes in for them is to reach, but for neighbour discovery; one with a
    zone (``fe80::1%eth0``) only where it comes in through that interface. ``silent`` are interfaces which are not to
    tell what multicast groups they are in.
    """

    closed: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()


class Firewall(Protocol):
    """Drops packets; raises `PlaneError`."""

    def apply(self, rules: Rules) -> None:
        """Put these rules in the place of those from before, or of a run that has crashed, in one step. Without any,
        nothing is left of them."""

    def stands(self) -> bool:
        """Whether the rules are still there: others may have swept them away."""
