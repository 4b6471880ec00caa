"""Two routers and their addresses in one world: the actors around the state machine, on a wire in memory."""

from collections.abc import Callable

import pytest

from actors.address_actor import AddressActor, AddressSpec
from actors.announcer_actor import AnnouncerActor, AnnouncerSpec, Voice
from actors.checker_actor import ProbeNow
from actors.children import Child
from actors.core.packet import decode_advert, encode_advert
from actors.core.packet_checks import Expected
from actors.core.packet_values import Advert
from actors.core.status import CheckStatus, Verdict, VrrpStatus
from actors.core.tracking import Follow
from actors.core.vrrp_values import Router, Timer
from actors.link_actor import LinkActor
from actors.messages import Crash, Published
from actors.planes import PlaneError
from actors.planes.network import Address, Endpoint, LinkEvent, Received
from actors.supervisor_actor import Reload
from actors.vrrp_actor import TimerDue, VrrpActor, VrrpSpec
from tests.world import World

GROUP = "224.0.0.18"
VIP = "10.0.0.100"
ADVERT = Advert(2, 51, 100, 100, (VIP,))


class MemoryWire:
    """Keeps what was sent, and lets a test speak."""

    def __init__(self) -> None:
        self.sent: list[Advert] = []
        self.frames: list[tuple[str, bytes]] = []
        self.heard: Callable[[Received], None] | None = None
        self.unread: list[Received] = []
        self.source = ""
        self.unreachable: set[str] = set()

    def open(self, endpoint: Endpoint, source: str, heard: Callable[[Received], None]) -> None:
        self.heard, self.source = heard, source

    def close(self, endpoint: Endpoint) -> None:
        self.heard = None

    def send(self, endpoint: Endpoint, destination: str, pdu: bytes) -> None:
        if destination in self.unreachable:
            raise PlaneError(f"sending to {destination} on eth0: no")
        advert = decode_advert(pdu, self.source, destination)
        assert isinstance(advert, Advert)
        self.sent.append(advert)

    def drain(self, endpoint: Endpoint) -> None:
        for received in self.unread:
            assert self.heard is not None
            self.heard(received)
        self.unread.clear()

    def discarded(self, interface: str) -> dict[str, int]:
        return {"unknown virtual router id": 7}

    def announce(self, interface: str, frame: bytes) -> None:
        self.frames.append((interface, frame))


class MemoryAddresses:
    """As a kernel does it: whoever watches the link hears of what is added."""

    def __init__(self, links: "MemoryLinks") -> None:
        self.links = links
        self.held: set[str] = set()
        self.broken = False
        self.changes = 0

    def add(self, interface: str, addresses: tuple[Address, ...]) -> None:
        self.changes += 1
        if self.broken:
            raise PlaneError("adding 10.0.0.100/24 to eth0: no")
        self.held |= {a.address for a in addresses}
        known = dict.fromkeys((*self.links.now.addresses, *sorted(self.held)))
        self.links.become(LinkEvent("eth0", True, "02:00:00:00:00:01", tuple(known)))

    def remove(self, interface: str, addresses: tuple[Address, ...]) -> None:
        self.changes += 1
        self.held -= {a.address for a in addresses}


class MemoryLinks:
    def __init__(self) -> None:
        self.watchers: dict[str, Callable[[LinkEvent], None]] = {}
        self.now = LinkEvent("eth0", True, "02:00:00:00:00:01", ("10.0.0.1",))

    def watch(self, interface: str, changed: Callable[[LinkEvent], None]) -> None:
        self.watchers[interface] = changed
        changed(self.now)

    def unwatch(self, interface: str) -> None:
        self.watchers.pop(interface, None)

    def become(self, event: LinkEvent) -> None:
        self.now = event
        self.watchers["eth0"](event)


class Lan:
    """One router with its link and addresses, under a supervisor."""

    wires: type[MemoryWire] = MemoryWire

    def __init__(
        self,
        follows: tuple[Follow, ...] = (),
        source: str = "",
        tracks_source: bool = False,
        destinations: tuple[str, ...] = (GROUP,),
        **router: object,
    ) -> None:
        self.tracks_source = tracks_source
        self.wire, self.links = self.wires(), MemoryLinks()
        self.addresses = MemoryAddresses(self.links)
        self.follows, self.source, self.destinations = follows, source, destinations
        ports = {"wire": self.wire, "addresses": self.addresses, "links": self.links}
        self.world = World(self.children(**router), ports)
        self.world.advance(0)

    def children(self, addresses: tuple[Address, ...] = (Address(VIP, 24),), **router: object) -> tuple[Child, ...]:
        spec = VrrpSpec(
            "vrrp/VI_1",
            Router(address="", **router),  # type: ignore[arg-type]
            Endpoint("eth0", 4, 51, self.destinations),
            ADVERT,
            Expected(2, 51, 100, (VIP,), GROUP),
            virtual=(VIP,),
            follows=self.follows,
            announcers=("announcer/eth0",),
            source=self.source,
            tracks_source=self.tracks_source,
        )
        held = AddressSpec("address/VI_1", spec.id, "eth0", addresses)
        heard = AnnouncerSpec("announcer/eth0", "eth0", (Voice(held.id),))
        return (
            Child("link/eth0", LinkActor, ("eth0",), ("links",)),
            Child("announcer/eth0", AnnouncerActor, (heard,), ("wire",)),
            Child("address/VI_1", AddressActor, (held,), ("addresses",)),
            Child("vrrp/VI_1", VrrpActor, (spec,), ("wire",)),
        )

    def reload(self, **changed: object) -> None:
        self.world.tell("supervisor", Reload(self.children(**changed)))  # type: ignore[arg-type]

    @property
    def role(self) -> str:
        status = self.world.status("vrrp/VI_1")
        assert isinstance(status, VrrpStatus)
        return status.role

    @property
    def reason(self) -> str:
        status = self.world.status("vrrp/VI_1")
        assert isinstance(status, VrrpStatus)
        return status.reason

    def say(self, priority: int, source: str = "10.0.0.2", ttl: int = 255, vrid: int = 51) -> None:
        assert self.wire.heard is not None
        self.wire.heard(self.packet(priority, source, ttl, vrid))
        self.world.settle()

    def packet(self, priority: int, source: str = "10.0.0.2", ttl: int = 255, vrid: int = 51) -> Received:
        pdu = encode_advert(Advert(2, vrid, priority, 100, (VIP,)), source, GROUP)
        return Received(pdu, source, GROUP, ttl)

    def turn(self, *addresses: str) -> None:
        """Other addresses are on the interface, besides those that are held."""
        held = sorted(self.addresses.held)
        self.links.become(LinkEvent("eth0", True, "02:00:00:00:00:01", (*addresses, *held)))
        self.world.advance(0)

    def check(self, verdict: Verdict, share: int = 100, value: int = 0) -> None:
        self.world.tell("supervisor", Published(CheckStatus("check/db", verdict, share=share, value=value)))
        self.world.advance(0)


def test_alone_it_becomes_master_after_the_master_down_interval_holds_its_addresses_and_announces_them() -> None:
    lan = Lan()
    assert lan.role == "BACKUP"
    lan.world.advance(3.60)
    assert (lan.role, lan.addresses.held) == ("BACKUP", set())
    lan.world.advance(0.02)
    assert (lan.role, lan.addresses.held) == ("MASTER", {VIP})
    assert [advert.priority for advert in lan.wire.sent] == [100]
    assert len(lan.wire.frames) == 5
    lan.world.advance(5.0)
    assert len(lan.wire.frames) == 10


def test_as_master_it_sends_an_advert_each_interval_without_drift() -> None:
    lan = Lan()
    lan.world.advance(3.62)
    lan.world.advance(100.0)
    assert len(lan.wire.sent) == 101


def test_while_a_better_router_adverts_it_stays_backup() -> None:
    lan = Lan()
    for _ in range(20):
        lan.world.advance(1.0)
        lan.say(150)
    assert (lan.role, lan.wire.sent) == ("BACKUP", [])


def test_a_better_router_takes_over_and_the_addresses_are_released() -> None:
    lan = Lan()
    lan.world.advance(4.0)
    lan.say(150)
    assert (lan.role, lan.addresses.held) == ("BACKUP", set())
    assert "priority 150 of 10.0.0.2 is above 100" in lan.reason


def test_a_master_that_leaves_is_followed_within_the_skew_time() -> None:
    lan = Lan()
    lan.say(150)
    lan.say(0)
    lan.world.advance(0.62)
    assert lan.role == "MASTER"


@pytest.mark.parametrize(("ttl", "vrid"), [(254, 51), (255, 52)])
def test_a_forged_or_misdirected_advert_changes_nothing_and_is_counted(ttl: int, vrid: int) -> None:
    lan = Lan()
    lan.world.advance(4.0)
    lan.say(200, ttl=ttl, vrid=vrid)
    assert lan.role == "MASTER"
    counts = lan.world.actor("vrrp/VI_1").counts
    assert sum(count for reason, count in counts.items() if reason not in ("sent", "heard")) == 1


def test_with_a_checker_that_is_not_ok_it_is_in_fault_and_leaves_with_priority_0() -> None:
    lan = Lan(follows=(Follow("check/db"),))
    assert (lan.role, "check/db is UNKNOWN" in lan.reason) == ("FAULT", True)
    lan.check(Verdict.OK)
    assert lan.role == "BACKUP"
    lan.world.advance(4.0)
    assert (lan.role, lan.addresses.held) == ("MASTER", {VIP})
    lan.check(Verdict.FAILED)
    assert (lan.role, lan.addresses.held) == ("FAULT", set())
    assert lan.wire.sent[-1].priority == 0
    assert "check/db is FAILED" in lan.reason


def test_a_degraded_service_is_ok_to_a_router() -> None:
    lan = Lan(follows=(Follow("check/db"), Follow("check/db", -60)))
    lan.check(Verdict.OK, share=0)
    lan.world.advance(4.0)
    assert (lan.role, lan.wire.sent[-1].priority) == ("MASTER", 100)


def test_with_a_weight_a_checker_moves_the_priority_instead() -> None:
    lan = Lan(follows=(Follow("check/db", -60),))
    lan.check(Verdict.OK)
    lan.world.advance(4.0)
    lan.check(Verdict.FAILED)
    assert lan.role == "MASTER"
    lan.world.advance(1.0)
    assert lan.wire.sent[-1].priority == 40
    lan.say(50)
    assert lan.role == "BACKUP"


def test_reversed_a_checker_takes_its_weight_while_it_is_ok_and_is_a_fault_without_one() -> None:
    lan = Lan(follows=(Follow("check/db", 60, reverse=True),))
    lan.check(Verdict.FAILED)
    lan.world.advance(4.0)
    lan.check(Verdict.OK)
    lan.world.advance(1.0)
    assert lan.wire.sent[-1].priority == 40
    other = Lan(follows=(Follow("check/db", reverse=True),))
    other.check(Verdict.OK)
    assert other.role == "FAULT"


def test_a_number_moves_the_priority_each_time_that_it_is_another() -> None:
    lan = Lan(follows=(Follow("check/db", -2, counts=True),))
    lan.check(Verdict.OK)
    lan.world.advance(4.0)
    heard = []
    for value in (5, 7, 200, -10):
        lan.check(Verdict.FAILED, value=value)
        lan.world.advance(4.0)
        heard.append((lan.role, lan.wire.sent[-1].priority))
    assert heard == [("MASTER", 90), ("MASTER", 86), ("FAULT", 0), ("MASTER", 120)]


def test_a_link_that_goes_down_is_a_fault_and_its_return_ends_it() -> None:
    lan = Lan()
    lan.world.advance(4.0)
    lan.links.become(LinkEvent("eth0", False))
    lan.world.advance(0)
    assert (lan.role, lan.addresses.held) == ("FAULT", set())
    lan.links.become(LinkEvent("eth0", True, "02:00:00:00:00:01", ("10.0.0.1",)))
    lan.world.advance(0)
    assert lan.role == "BACKUP"


def test_an_address_that_somebody_removed_is_put_back() -> None:
    lan = Lan()
    lan.world.advance(4.0)
    lan.links.become(LinkEvent("eth0", True, "02:00:00:00:00:01", ("10.0.0.1", VIP)))
    lan.world.advance(0)
    lan.addresses.held.clear()
    lan.links.become(LinkEvent("eth0", True, "02:00:00:00:00:01", ("10.0.0.1",)))
    lan.world.advance(0)
    assert (lan.role, lan.addresses.held) == ("MASTER", {VIP})


def test_addresses_that_cannot_be_added_speak_against_the_router() -> None:
    lan = Lan()
    lan.addresses.broken = True
    lan.world.advance(4.0)
    assert lan.role == "FAULT"
    assert "adding 10.0.0.100/24 to eth0: no" in lan.reason


def test_a_rival_is_answered_with_announcements_and_once_more_when_it_has_gone() -> None:
    lan = Lan()
    lan.world.advance(20.0)
    before = len(lan.wire.frames)
    lan.say(50)
    assert len(lan.wire.frames) == before + 5
    lan.world.advance(3.5)
    assert len(lan.wire.frames) == before + 5
    lan.world.advance(0.2)
    assert len(lan.wire.frames) == before + 10


def test_a_source_address_that_goes_is_a_fault_and_another_one_is_spoken_from() -> None:
    lan = Lan()
    lan.world.advance(4.0)
    lan.turn()
    assert (lan.role, lan.reason, lan.wire.heard) == ("FAULT", "no source address", None)
    lan.turn("10.0.0.7")
    assert (lan.role, lan.reason) == ("BACKUP", "recovered from: no source address")
    assert (lan.wire.source, lan.wire.heard is None) == ("10.0.0.7", False)
    lan.turn("10.0.0.8")
    assert (lan.role, lan.wire.source) == ("BACKUP", "10.0.0.8")


@pytest.mark.parametrize("tracks", [True, False])
def test_a_configured_source_is_missed_where_it_is_tracked(tracks: bool) -> None:
    lan = Lan(source="10.0.0.9", tracks_source=tracks)
    fault = ("FAULT", "source address 10.0.0.9 is not on eth0", "")
    assert (lan.role, lan.reason, lan.wire.source) == (fault if tracks else ("BACKUP", "started", "10.0.0.9"))
    lan.turn("10.0.0.1", "10.0.0.9")
    lan.world.advance(4.0)
    assert (lan.role, lan.wire.source) == ("MASTER", "10.0.0.9")
    lan.turn("10.0.0.1")
    assert (lan.role, lan.wire.heard is None) == (("FAULT", True) if tracks else ("MASTER", False))
    lan.turn("10.0.0.9")
    assert (lan.role, lan.wire.heard is None) == ("BACKUP" if tracks else "MASTER", False)


def test_after_a_stall_the_wire_is_read_before_the_timer_is_believed() -> None:
    lan = Lan()
    lan.say(150)
    lan.wire.unread.append(lan.packet(150))
    lan.world.clock._now += 30.0
    lan.world.advance(0)
    assert (lan.role, lan.wire.sent) == ("BACKUP", [])


def test_who_is_late_each_time_speaks_all_the_same() -> None:
    """As on a machine that is slower than the interval: a MASTER that only read would fall silent."""
    lan = Lan()
    lan.world.advance(4.0)
    said = len(lan.wire.sent)
    for _ in range(10):
        lan.world.clock._now += 1.5
        lan.world.tell("vrrp/VI_1", TimerDue(Timer.ADVERT))
    assert (lan.role, len(lan.wire.sent) - said) == ("MASTER", 5)


def test_at_the_stop_it_says_farewell_before_its_addresses_go() -> None:
    lan = Lan()
    lan.world.advance(4.0)
    lan.world.shut_down()
    assert lan.wire.sent[-1].priority == 0
    assert lan.addresses.held == set()
    assert lan.world.codes == [0]


def test_a_message_that_means_nothing_to_it_is_ignored() -> None:
    lan = Lan()
    lan.world.tell("vrrp/VI_1", ProbeNow())
    assert lan.role == "BACKUP"


def test_addresses_that_are_taken_away_again_and_again_hold_the_router_in_fault_for_a_while() -> None:
    lan = Lan()
    lan.world.advance(4.0)
    for _ in range(6):
        lan.links.become(LinkEvent("eth0", True, "02:00:00:00:00:01", ("10.0.0.1", VIP)))
        lan.world.advance(0)
        lan.links.become(LinkEvent("eth0", True, "02:00:00:00:00:01", ("10.0.0.1",)))
        lan.world.advance(0)
    assert (lan.role, lan.addresses.held) == ("FAULT", set())
    lan.world.advance(9.0)
    assert lan.role == "FAULT"
    lan.world.advance(2.0)
    assert lan.role == "BACKUP"


def test_of_addresses_that_can_be_added_in_part_none_is_left() -> None:
    lan = Lan()
    lan.addresses.broken = True
    lan.addresses.held = {VIP}
    lan.world.advance(4.0)
    assert (lan.role, lan.addresses.held) == ("FAULT", set())


def test_a_crashed_router_resumes_as_master_and_no_address_moves() -> None:
    lan = Lan(follows=(Follow("check/db", 20),))
    lan.check(Verdict.OK)
    lan.world.advance(4.0)
    changes = lan.addresses.changes
    lan.world.tell("vrrp/VI_1", Crash())
    lan.world.advance(0.2)
    assert (lan.role, lan.addresses.held, lan.addresses.changes) == ("MASTER", {VIP}, changes)
    assert 0 not in [advert.priority for advert in lan.wire.sent]


def test_addresses_whose_keeper_crashed_are_released_when_the_router_has_yielded_meanwhile() -> None:
    lan = Lan()
    lan.world.advance(4.0)
    lan.world.tell("address/VI_1", Crash())
    lan.say(150)
    lan.world.advance(0.2)
    assert (lan.role, lan.addresses.held) == ("BACKUP", set())


def test_a_reload_that_changes_a_router_leaves_it_master() -> None:
    lan = Lan()
    lan.world.advance(4.0)
    lan.reload(priority=120)
    lan.world.advance(0)
    assert (lan.role, lan.addresses.held) == ("MASTER", {VIP})
    assert 0 not in [advert.priority for advert in lan.wire.sent]
    lan.world.advance(1.0)
    assert lan.wire.sent[-1].priority == 120


def test_a_reload_that_takes_an_address_away_leaves_none_behind() -> None:
    lan = Lan()
    lan.world.advance(4.0)
    lan.reload(addresses=(Address("10.0.0.200", 24),))
    lan.world.advance(0)
    assert (lan.role, lan.addresses.held) == ("MASTER", {"10.0.0.200"})


def test_the_first_advert_comes_a_whole_interval_after_the_takeovers_and_later_ones_fall_into_step() -> None:
    lan, times = Lan(priority=99), []
    for _ in range(10_000):
        before = len(lan.wire.sent)
        lan.world.advance(0.001)
        times += [lan.world.clock.now()] * (len(lan.wire.sent) - before)
    began = times[0]
    assert [round(time - began, 3) for time in times[:2]] == [0.0, 1.0]
    assert [round(time - began, 2) for time in times[2:4]] == [1.75, 2.5]  # a quarter of a second early each
    assert [round(time, 2) for time in times[4:]] == [7.0, 8.0, 9.0]
