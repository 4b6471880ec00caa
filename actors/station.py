"""A router's place on the wire: its source address, its socket, what it sends, and what of the rest counts."""

from collections import Counter
from collections.abc import Callable

import msgspec

from actors.core.authentication import Authentication, seal
from actors.core.packet_checks import Expected, remarks, validate
from actors.core.packet_values import Advert, Header, Reject
from actors.core.repeats import Repeats
from actors.core.status import DeviceStatus, LinkStatus
from actors.core.tracking import Follow
from actors.core.vrrp_values import Heard, Router
from actors.messages import RolePrograms
from actors.planes import PlaneError
from actors.planes.network import Endpoint, Received, Wire
from actors.runtime.actor import Context

QUIET = 60.0
"""Seconds between two log lines about the same fault of received packets."""


class VrrpSpec(msgspec.Struct, frozen=True):
    """A vrrp_instance. ``router`` lacks its address, which the link tells unless ``source`` is configured.

    ``group`` is the id of its sync group, empty if it is in none. ``virtual`` are all addresses that routers here may
    hold: adverts come from none of them, but for an owner's (RFC 3768 5.2.1), in whatever order the kernel lists them.
    ``below`` is the interface whose addresses and state count, when the endpoint's is one of the router's own on top of
    it, which ``device`` (an id) sees to; both are empty else.
    """

    id: str
    router: Router
    endpoint: Endpoint
    advert: Advert
    expected: Expected
    source: str = ""
    virtual: tuple[str, ...] = ()
    follows: tuple[Follow, ...] = ()
    follows_link: bool = True
    group: str = ""
    programs: RolePrograms = RolePrograms()
    announcers: tuple[str, ...] = ()
    """The ids of who announces its addresses, one for each interface."""
    tracks_source: bool = False
    """Whether it is in FAULT while ``source`` is not on the interface."""
    below: str = ""
    device: str = ""
    closed: str = ""
    """The id of who sees to it that nobody but an owner accepts packets to its addresses; empty where all may."""
    authentication: Authentication | None = None

    @property
    def interface(self) -> str:
        """The interface whose addresses and state count."""
        return self.below or self.endpoint.interface

    @property
    def link(self) -> str:
        """The id of who tells of that interface."""
        return f"link/{self.interface}"

    @property
    def addresses(self) -> str:
        """The id of who holds its addresses."""
        return f"address/{self.id.partition('/')[2]}"


class Station:
    """Opens the wire while the router can speak there. ``heard`` is given what is read; ``counts`` are packets by what
    became of them."""

    def __init__(self, context: Context, spec: VrrpSpec, wire: Wire, heard: Callable[[Received], None]) -> None:
        self.address = spec.router.address
        self.counts: Counter[str] = Counter()
        self.is_open = False
        self._context = context
        self._spec = spec
        self._wire = wire
        self._heard = heard
        self._expected = spec.expected
        peers = () if spec.expected.group else spec.endpoint.destinations
        self._seal = seal(spec.authentication, spec.expected, peers, spec.endpoint.ttl, context.wall)
        self._link: LinkStatus | None = None
        self._device = DeviceStatus(spec.device)
        self._fault = ""
        self._warnings = Repeats(QUIET)
        self._encoded: dict[int, list[tuple[str, bytes]]] = {}
        self._last: tuple[Received, Heard] | None = None

    def faults(self) -> list[str]:
        """What keeps the router from speaking, in words."""
        found = []
        if self._link is None:
            found.append(f"interface {self._spec.interface} is unknown")
        elif self._spec.follows_link and not self._link.up:
            found.append(f"interface {self._spec.interface} is down")
        if not self.address:
            found.append("no source address")
        elif self._link is not None and not self._has_source(self._link):
            found.append(f"source address {self._spec.source} is not on {self._spec.interface}")
        if self._spec.device and not self._device.index:
            found.append(self._device.fault or f"interface {self._spec.endpoint.interface} is not there yet")
        return [*found, self._fault] if self._fault else found

    def move(self, link: LinkStatus) -> bool:
        """Take over the link's state; whether the source address is another one, with which the wire is opened anew."""
        self._link = link
        before, self.address = self.address, self._spec.source or self._source_on(link)
        if before != self.address or self._can_speak() != self.is_open:
            self._expected = msgspec.structs.replace(self._expected, own=self.address)
            self._encoded.clear()
            self._last = None
            self.reopen()
        return before != self.address

    def mount(self, device: DeviceStatus) -> None:
        """The router's own interface is there, is another one now, or is not."""
        self._device = device
        self.reopen()

    @property
    def failed(self) -> bool:
        """Whether the wire could not be opened, which is to be tried again."""
        return bool(self._fault)

    def reopen(self) -> None:
        """Open the wire anew, if the router can speak."""
        self.close()
        self._fault = ""
        if not self._can_speak():
            return
        try:
            self._wire.open(self._spec.endpoint, self.address, self._heard)
            self.is_open = True
            if self._seal.is_constant:
                self._packets(self._spec.router.priority)  # ready when there is no time to lose
        except PlaneError as error:
            self._fault = str(error)

    def close(self) -> None:
        """Leave the wire."""
        if self.is_open:
            self._wire.close(self._spec.endpoint)
            self.is_open = False

    def drain(self) -> None:
        """Hear at once what lies unread."""
        self._wire.drain(self._spec.endpoint)

    def _can_speak(self) -> bool:
        link = self._link
        has_device = not self._spec.device or bool(self._device.index)
        return bool(self.address) and link is not None and link.up and self._has_source(link) and has_device

    def _has_source(self, link: LinkStatus) -> bool:
        return not self._spec.tracks_source or self._spec.source in link.addresses

    def _source_on(self, link: LinkStatus) -> str:
        family = self._spec.endpoint.family
        real = link.source_of(family, self._spec.virtual)
        return real or (link.source_of(family) if self._spec.router.owner else "")

    # Adverts

    def hear(self, received: Received) -> Heard | None:
        """What the machine is told of a packet; adverts that do not count change nothing but a counter.

        One that is as the one before it, as nearly all are, means the same, and is not looked into.
        """
        if self._last is not None and self._last[0] == received:
            self.counts["heard"] += 1
            return self._last[1]
        header = Header(received.source, received.destination, received.ttl, received.raw)
        advert = self._seal.read(received.pdu, header)
        fault = advert if isinstance(advert, Reject) else validate(advert, header, self._expected)
        if fault is not None:
            self.note("advert discarded", fault.reason.value, detail=fault.detail, peer=received.source)
            return None
        assert isinstance(advert, Advert)
        self.counts["heard"] += 1
        odd = (*self._seal.remarks(), *remarks(advert, self._expected))
        for remark in odd:
            self.note("advert is odd", remark.oddity.value, detail=remark.detail, peer=received.source)
        heard = Heard(advert.priority, advert.interval_cs, received.source)
        if not odd and self._seal.is_constant:
            self._last = received, heard
        return heard

    def send(self, priority: int) -> None:
        """To each destination, whatever became of the one before: a peer that hears nothing takes over."""
        if not self.is_open:
            return
        for destination, packet in self._packets(priority):
            try:
                self._wire.send(self._spec.endpoint, destination, packet)
                self.counts["sent"] += 1
            except PlaneError as error:
                self.note("advert not sent", f"not sent to {destination}", detail=str(error), peer=destination)

    def _packets(self, priority: int) -> list[tuple[str, bytes]]:
        """What goes to each destination; made once, where the same may be said again."""
        known = self._encoded.get(priority)
        if known is None:
            advert = msgspec.structs.replace(self._spec.advert, priority=priority)
            known = self._seal.write(advert, self.address, self._spec.endpoint.destinations)
            if self._seal.is_constant:
                self._encoded[priority] = known
        return known

    def note(self, event: str, reason: str, **facts: str) -> None:
        """Counted each time, told once in a while."""
        self.counts[reason] += 1
        more = self._warnings.admit(reason, self._context.now())
        if more is not None:
            self._context.log.warning(event, reason=reason, **facts, more_like_it=more)

    def explain(self) -> list[str]:
        """For an operator: what came over the wire, and what was read there for nobody."""
        packets = [f"  {reason}: {count}" for reason, count in sorted(self.counts.items())]
        interface = self._spec.endpoint.hears
        nobodys = [f"  {reason}: {count}" for reason, count in sorted(self._wire.discarded(interface).items())]
        return [
            *(["packets:", *packets] if packets else []),
            *([f"read on {interface} for no router:", *nobodys] if nobodys else []),
        ]
