"""Adverts and announcements over raw sockets: the `Wire` of a real network. Needs CAP_NET_RAW.

Watchers and callbacks of the event loop: no greenlet, and nothing waits. One receiving socket per interface, family
and IP protocol serves all its routers, and one sending socket all that send alike: the kernel looks at each socket of a
protocol for every packet of it that comes in. One more sends every announcement.
"""

import socket
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from actors.planes import PlaneError
from actors.planes.channel import explained
from actors.planes.network import Endpoint
from actors.planes.wire.listener import Heard, Listener
from actors.planes.wire.sockets import frame_sender, sender

Place = tuple[int, int, int]
"""Index of an interface, family, and IP protocol. A new interface of an old name is another one: the old one's sockets
are dead."""


FORWARDING = Path("/proc/sys/net/ipv6/conf")


Voice = tuple[int, int, int, int, bool, str]
"""How is sent: index of an interface, family, IP protocol, TTL, whether the source is borrowed, and the source."""


class _Line(NamedTuple):
    """What an open endpoint uses."""

    place: Place
    voice: Voice
    sender: Any


class RawWire:
    """See `actors.planes.network.Wire`. ``errors`` counts for each interface what was read for nobody, by reason: what
    is no advert of any router, and what reading failed with, by the name of the errno."""

    def __init__(self) -> None:
        self.errors: dict[str, Counter[str]] = {}
        self._lines: dict[Endpoint, _Line] = {}
        self._listeners: dict[Place, Listener] = {}
        self._senders: dict[Voice, Any] = {}
        self._frames: Any = None

    def open(self, endpoint: Endpoint, source: str, heard: Heard) -> None:
        """See `Wire.open`. An endpoint that is open already is opened anew; a VRID has one router per interface."""
        self.close(endpoint)
        try:
            self._open(endpoint, source, heard)
        except (OSError, ValueError) as error:
            self.close(endpoint)
            raise PlaneError(f"opening VRRP {endpoint.vrid} on {endpoint.interface}: {_why(error)}") from None

    def close(self, endpoint: Endpoint) -> None:
        """See `Wire.close`. One that is not open is fine."""
        line = self._lines.pop(endpoint, None)
        if line is None:
            return
        if not any(other.sender is line.sender for other in self._lines.values()):
            self._senders.pop(line.voice).close()
        listener = self._listeners.get(line.place)
        if listener is not None:
            listener.drop(endpoint)
            if not listener.routers:
                self._listeners.pop(line.place).close()

    def send(self, endpoint: Endpoint, destination: str, pdu: bytes) -> None:
        """See `Wire.send`. It never waits: an advert that finds no room is lost, and that is an error."""
        line = self._lines.get(endpoint)
        if line is None:
            raise PlaneError(f"sending on {endpoint.interface}: VRRP {endpoint.vrid} is not open")
        try:
            line.sender.sendto(pdu, (destination, 0))
        except OSError as error:
            raise PlaneError(f"sending to {destination} on {endpoint.interface}: {_why(error)}") from None

    def drain(self, endpoint: Endpoint) -> None:
        """See `Wire.drain`. Also the other routers on the interface hear what lies there for them."""
        line = self._lines.get(endpoint)
        if line is not None and (listener := self._listeners.get(line.place)):
            listener.drain()

    def discarded(self, interface: str) -> Mapping[str, int]:
        """See `Wire.discarded`."""
        return self.errors.get(interface, {})

    def announce(self, interface: str, frame: bytes) -> None:
        """See `Wire.announce`."""
        try:
            if self._frames is None:
                self._frames = frame_sender()
            self._frames.sendto(frame, (interface, 0))
        except (OSError, ValueError) as error:
            raise PlaneError(f"announcing on {interface}: {_why(error)}") from None

    def forwards(self, interface: str) -> bool:
        """See `Wire.forwards`. Where there is no IPv6, nothing is forwarded."""
        try:
            return (FORWARDING / interface / "forwarding").read_text() == "1\n"
        except OSError:
            return False

    def stop(self) -> None:
        """Give every socket back."""
        for endpoint in tuple(self._lines):
            self.close(endpoint)
        if self._frames is not None:
            self._frames.close()
            self._frames = None

    def _open(self, endpoint: Endpoint, source: str, heard: Heard) -> None:
        place = (socket.if_nametoindex(endpoint.hears), endpoint.family, endpoint.protocol)
        index = socket.if_nametoindex(endpoint.interface)
        voice = (index, endpoint.family, endpoint.protocol, endpoint.ttl, endpoint.borrows, source)
        if voice not in self._senders:
            self._senders[voice] = sender(endpoint, source)
        self._lines[endpoint] = _Line(place, voice, self._senders[voice])
        if place not in self._listeners:
            errors = self.errors.setdefault(endpoint.hears, Counter())
            self._listeners[place] = Listener(endpoint.hears, endpoint.family, endpoint.protocol, errors)
        self._listeners[place].add(endpoint, heard)


def _why(error: Exception) -> str:
    return explained(error.errno) if isinstance(error, OSError) and error.errno else str(error)
