"""One interface: tells the neighbours behind it which addresses are here, and again while others may claim them.

It follows who holds addresses, and never speaks for one that is not there.
"""

import math
from functools import lru_cache
from typing import Any

import msgspec

from actors.core.announcing import Announcing, Pacer
from actors.core.packet import gratuitous_arp, neighbour_advertisement
from actors.core.repeats import Repeats
from actors.core.status import AddressStatus, LinkStatus
from actors.messages import Contested, Message
from actors.planes import PlaneError
from actors.planes.network import Wire
from actors.runtime.actor import Context

MOST, BREATH = 128, 0.001
"""Announcements at a time, and the seconds until the next ones: without a gap, more would find no room in the queue of
the interface, and would keep adverts waiting."""

CALM = 1.0
"""Seconds between two answers to routers of lower priority, however many adverts they send."""

QUIET = 60.0
"""Seconds between two log lines about the same failure."""

NOBODY = ("", "00:00:00:00:00:00")
"""Hardware addresses of interfaces that have no neighbours: tunnels, and loopback."""


class Voice(msgspec.Struct, frozen=True):
    """Whose addresses are announced (an id), and how."""

    source: str
    announcing: Announcing = Announcing()


class AnnouncerSpec(msgspec.Struct, frozen=True):
    """An interface, and all who may have addresses on it."""

    id: str
    interface: str
    voices: tuple[Voice, ...]


class Again(Message, frozen=True):
    """It is time to tell the neighbours again."""

    source: str
    repeat: int


class Calmed(Message, frozen=True):
    """A while has passed since the addresses were announced on account of a rival."""

    source: str


class RivalGone(Message, frozen=True):
    """The rival was to be silent until now to count as gone."""

    source: str
    until: float


class Due(Message, frozen=True):
    """The next announcements may go out."""

    when: float


class Contest(msgspec.Struct):
    """A router of lower priority claims the addresses too, and counts as gone at ``until``; then it is ``over``.

    ``calming``: they were announced on its account a moment ago; ``owed``: and are to be once more after that.
    """

    until: float
    over: bool = False
    calming: bool = False
    owed: bool = False


class AnnouncerActor:
    """An address that comes is announced with the interface's own hardware address, and so are all when that changes.

    A rival's answers may have been the last word in the neighbours' caches: so they are told while it is there, a
    limited number of times, and once more when it has gone.
    """

    def __init__(self, context: Context, spec: AnnouncerSpec, wire: Wire) -> None:
        self._context = context
        self._spec = spec
        self._wire = wire
        self._link = LinkStatus(f"link/{spec.interface}", False)
        self._manner = {voice.source: voice.announcing for voice in spec.voices}
        self._here: dict[str, dict[str, None]] = {}
        self._contests: dict[str, Contest] = {}
        self._pacers = {4: Pacer(), 6: Pacer()}
        self._failures = Repeats(QUIET)
        self.sent = 0

    def on_start(self) -> None:
        """Hear who has which addresses."""
        self._context.subscribe(self._link.source)
        for source in self._manner:
            self._context.subscribe(source)

    def receive(self, message: Any) -> None:
        """Addresses have come or gone, the interface has news, a rival speaks, or it is time."""
        match message:
            case AddressStatus():
                self._follow(message)
            case LinkStatus():
                self._turn(message)
            case Contested(source, seconds):
                self._answer(source, seconds)
            case Again(source, repeat):
                self._again(source, repeat)
            case Calmed(source):
                self._calm(source)
            case RivalGone(source, until):
                self._outlive(source, until)
            case Due(when):
                self._send(when)

    def on_stop(self, final: bool) -> None:
        """Nothing: what is not said yet is no longer true, or a successor says it."""

    def explain(self) -> list[str]:
        """For an operator: what has been said, what waits, and who has rivals."""
        waiting = sum(pacer.waiting for pacer in self._pacers.values())
        rivals = [f"{source} is claimed by another router too" for source, c in self._contests.items() if not c.over]
        counts = f"{self.sent} announcements sent, {waiting} wait"
        return [counts, *(f"announces {', '.join(here)} of {source}" for source, here in self._here.items()), *rivals]

    def _follow(self, status: AddressStatus) -> None:
        source, before = status.source, self._here.get(status.source, {})
        here = {item.address: None for item in status.addresses if item.interface == self._spec.interface}
        if not here:
            self._fall_silent(source)
            return
        self._here[source] = here
        if fresh := tuple(address for address in here if address not in before):
            manner = self._manner[source]
            self._say(source, fresh, manner.repeat)
            if manner.delay:
                self._context.after(f"again {source}", manner.delay, Again(source, manner.repeat))
            else:
                self._refresh(source)

    def _fall_silent(self, source: str) -> None:
        self._here.pop(source, None)
        self._contests.pop(source, None)
        for timer in ("again", "calm", "gone"):
            self._context.cancel(f"{timer} {source}")
        for pacer in self._pacers.values():
            pacer.drop(source)

    def _turn(self, link: LinkStatus) -> None:
        """Neighbours that could not be told, or were told another hardware address, are told now."""
        before, self._link = self._link, link
        if link.up and (not before.up or link.mac != before.mac):
            for source, here in self._here.items():
                self._say(source, tuple(here), self._manner[source].repeat)

    def _again(self, source: str, repeat: int) -> None:
        self._say(source, tuple(self._here.get(source, ())), repeat)
        self._refresh(source)

    def _refresh(self, source: str) -> None:
        manner = self._manner[source]
        if manner.refresh:
            self._context.after(f"again {source}", manner.refresh, Again(source, manner.refresh_repeat))

    # Rivals

    def _answer(self, source: str, seconds: float) -> None:
        """Announce at once, and again when that has calmed down; a flood costs a look at the clock each."""
        if source not in self._here:
            return
        until = self._context.now() + max(seconds, CALM)
        contest = self._contests.get(source)
        if contest is None or contest.over:
            self._context.at(f"gone {source}", until, RivalGone(source, until))
            contest = self._contests[source] = contest or Contest(until)
        contest.until, contest.over = until, False
        if contest.calming:
            contest.owed = True
        else:
            contest.owed = self._manner[source].lower_delay > 0
            self._reassert(source, contest)

    def _reassert(self, source: str, contest: Contest) -> None:
        manner = self._manner[source]
        contest.calming = True
        self._context.after(f"calm {source}", max(manner.lower_delay, CALM), Calmed(source))
        self._say(source, tuple(self._here[source]), manner.lower_repeat)

    def _calm(self, source: str) -> None:
        contest = self._contests[source]
        contest.calming = False
        if contest.owed:
            contest.owed = False
            self._reassert(source, contest)
        elif contest.over:
            del self._contests[source]

    def _outlive(self, source: str, until: float) -> None:
        """The rival has gone, unless it spoke after ``until`` was told: then ask later."""
        contest = self._contests[source]
        if contest.until > until:
            self._context.at(f"gone {source}", contest.until, RivalGone(source, contest.until))
            return
        contest.over, contest.owed = True, False
        self._say(source, tuple(self._here[source]), max(self._manner[source].lower_repeat, 1))
        if not contest.calming:
            del self._contests[source]

    # The wire

    def _say(self, source: str, addresses: tuple[str, ...], repeat: int) -> None:
        manner = self._manner[source]
        for family, gap in ((4, manner.arp_gap), (6, manner.na_gap)):
            own = tuple(address for address in addresses if (":" in address) == (family == 6))
            self._pacers[family].put(source, own, repeat, gap)
        self._send(self._context.now())

    def _send(self, now: float) -> None:
        """All that may go out, and a timer for the next. While the interface is down there is nobody to tell."""
        if not self._link.up or self._link.mac in NOBODY:
            for source in self._manner:
                for pacer in self._pacers.values():
                    pacer.drop(source)
            return
        for family, pacer in self._pacers.items():
            if taken := pacer.take(now, MOST):
                self._speak(taken, family == 6 and self._wire.forwards(self._spec.interface))
        wake = min(pacer.wake() for pacer in self._pacers.values())
        if wake < math.inf:
            when = max(wake, now + BREATH)
            self._context.at("due", when, Due(when))

    def _speak(self, taken: list[tuple[str, str]], router: bool) -> None:
        for source, address in taken:
            if address in self._here.get(source, ()):
                try:
                    self._wire.announce(self._spec.interface, frame(self._link.mac, address, router))
                    self.sent += 1
                except PlaneError as error:
                    self._complain(str(error))

    def _complain(self, error: str) -> None:
        more = self._failures.admit(error, self._context.now())
        if more is not None:
            self._context.log.error("announcement not sent", error=error, more_like_it=more)


@lru_cache(maxsize=4096)
def frame(mac: str, address: str, router: bool) -> bytes:
    """The Ethernet frame that says ``address`` is at ``mac``; ``router`` is of IPv6 alone."""
    return neighbour_advertisement(mac, address, router) if ":" in address else gratuitous_arp(mac, address)
