"""Who tells the neighbours: of what, when, how often, and from which hardware address."""

from typing import Any

import pytest

from actors.announcer_actor import MOST, AnnouncerActor, AnnouncerSpec, Voice
from actors.children import Child
from actors.core.address import Address
from actors.core.announcing import Announcing
from actors.core.packet import gratuitous_arp, neighbour_advertisement
from actors.core.status import AddressStatus, LinkStatus
from actors.messages import Contested, Crash, Published
from tests.actors.house import MACS, Frames
from tests.world import World

A, B = "address/a", "address/b"
ID = "announcer/eth0"
V4, W4, V6 = "192.0.2.1", "192.0.2.2", "fd00::1"
ONCE = Announcing(repeat=1, delay=0.0, lower_repeat=1, lower_delay=0.0)


class Lan:
    """An interface with neighbours, and who tells them for a and b."""

    def __init__(self, a: Announcing = ONCE, b: Announcing = ONCE, interface: str = "eth0") -> None:
        self.world = World()
        self.wire = Frames(self.world.clock.now)
        self.world.ports["wire"] = self.wire
        self.interface = interface
        spec = AnnouncerSpec(ID, interface, (Voice(A, a), Voice(B, b)))
        self.world.supervisor._adopt(Child(ID, AnnouncerActor, (spec,), ("wire",)))
        self.world.advance(0)
        self.link()

    def link(self, up: bool = True, mac: str = "") -> None:
        self.publish(LinkStatus(f"link/{self.interface}", up, mac or MACS[self.interface]))

    def publish(self, status: Any) -> None:
        self.world.tell("supervisor", Published(status))
        self.world.advance(0)

    def has(self, *addresses: str, source: str = A) -> "Lan":
        held = tuple(Address(address, 24, self.interface) for address in addresses)
        self.publish(AddressStatus(source, bool(held), "", held))
        return self

    def rival(self, seconds: float = 3.6, source: str = A) -> None:
        self.world.tell(ID, Contested(source, seconds))
        self.world.advance(0)

    def said(self, seconds: float = 0.0) -> list[tuple[float, str]]:
        """What was announced since the last time, and within these seconds: when, and which address."""
        self.world.advance(seconds)
        self.wire.sent, sent = [], self.wire.sent
        known = {arp(each): each for each in (V4, W4)} | {na(V6, router): V6 for router in (True, False)}
        return [(at, known[frame]) for at, _, frame in sent]

    def times(self, seconds: float = 0.0) -> list[float]:
        return [at for at, _ in self.said(seconds)]


def arp(address: str, mac: str = MACS["eth0"]) -> bytes:
    return gratuitous_arp(mac, address)


def na(address: str, router: bool) -> bytes:
    return neighbour_advertisement(MACS["eth0"], address, router)


def test_addresses_that_come_are_announced_each_before_any_again_and_once_more_after_the_delay() -> None:
    lan = Lan(Announcing(repeat=2, delay=5.0))
    lan.has(V4, V6, W4)
    first = [(0.0, V4), (0.0, W4)] * 2 + [(0.0, V6)] * 2
    assert lan.said() == first
    assert lan.said(4.9) == []
    assert lan.said(99.0) == [(5.0, address) for _, address in first]


def test_a_refresh_begins_after_the_delay_and_ends_with_the_addresses() -> None:
    lan = Lan(Announcing(repeat=1, delay=5.0, refresh=10.0, refresh_repeat=2)).has(V4)
    assert lan.times(30.0) == [0.0, 5.0, 15.0, 15.0, 25.0, 25.0]
    lan.has()
    assert lan.times(60.0) == []


def test_without_a_delay_there_is_no_second_time_and_the_refresh_begins_at_once() -> None:
    assert Lan(ONCE).has(V4).times(99.0) == [0.0]
    assert Lan(Announcing(1, 0.0, 10.0)).has(V4).times(25.0) == [0.0, 10.0, 20.0]


def test_what_is_on_another_interface_is_not_announced_here() -> None:
    lan = Lan()
    lan.publish(AddressStatus(A, True, "", (Address(V4, 24, "eth1"), Address(W4, 24, "eth0"))))
    assert lan.said() == [(0.0, W4)]


def test_an_address_that_was_put_back_is_announced_alone() -> None:
    lan = Lan().has(V4, W4)
    lan.said()
    lan.has(V4)
    lan.has(V4, W4)
    assert lan.said() == [(0.0, W4)]


def test_a_neighbour_advertisement_says_whether_this_machine_is_a_router() -> None:
    lan = Lan().has(V6)
    lan.wire.router = True
    lan.has()
    lan.has(V6)
    assert [frame for _, _, frame in lan.wire.sent] == [na(V6, False), na(V6, True)]


def test_with_gaps_each_family_goes_one_by_one_over_all_routers_and_gives_up_what_is_released() -> None:
    paced = Announcing(repeat=2, delay=0.0, arp_gap=0.5, na_gap=0.25)
    lan = Lan(paced, paced).has(V4, V6)
    lan.has(W4, source=B)
    assert lan.said(0.6) == [(0.0, V4), (0.0, V6), (0.25, V6), (0.5, W4)]
    lan.has(source=A)
    assert lan.said(5.0) == [(1.0, W4)]


def test_of_what_waits_nothing_is_announced_that_is_no_longer_here() -> None:
    lan = Lan(Announcing(repeat=2, delay=0.0, arp_gap=0.5)).has(V4, W4)
    lan.has(V4)
    assert lan.said(5.0) == [(0.0, V4), (1.0, V4)]


def test_what_would_not_fit_a_queue_is_sent_in_portions() -> None:
    lan = Lan(Announcing(repeat=2 * MOST + 1, delay=0.0)).has(V4)
    assert len(lan.said()) == MOST
    assert lan.times(0.01) == [0.001] * MOST + [0.002]


class TestTheInterface:
    """What becomes of it."""

    def test_while_it_is_down_nobody_is_told_and_all_are_when_it_is_back(self) -> None:
        lan = Lan(Announcing(repeat=2, delay=5.0))
        lan.link(up=False)
        lan.has(V4)
        assert lan.said(9.0) == []
        lan.link()
        assert lan.said(9.0) == [(9.0, V4)] * 2

    def test_another_hardware_address_is_told_at_once(self) -> None:
        lan = Lan().has(V4)
        lan.said()
        lan.link(mac="02:00:00:00:00:99")
        assert [frame for _, _, frame in lan.wire.sent] == [arp(V4, "02:00:00:00:00:99")]

    def test_other_news_of_it_tell_nobody_anything(self) -> None:
        lan = Lan().has(V4)
        lan.said()
        lan.publish(LinkStatus("link/eth0", True, MACS["eth0"], ("10.0.0.9",)))
        assert lan.said(9.0) == []

    def test_behind_loopback_there_are_no_neighbours(self) -> None:
        assert Lan(interface="lo").has(V4).wire.sent == []

    def test_that_refuses_is_complained_of_once_and_tried_on(self) -> None:
        lan = Lan(Announcing(repeat=3, delay=5.0))
        lan.wire.broken = {"eth0"}
        lan.has(V4)
        lan.wire.broken = set()
        assert lan.said(9.0) == [(5.0, V4)] * 3


class TestRivals:
    """Routers of lower priority that claim the addresses too."""

    def test_one_is_answered_at_once_after_the_delay_and_no_more_when_it_went_before(self) -> None:
        lan = Lan(Announcing(repeat=1, delay=0.0, lower_repeat=2, lower_delay=5.0)).has(V4)
        lan.said(10.0)
        lan.rival(seconds=7.5)
        assert lan.times(60.0) == [10.0, 10.0, 15.0, 15.0, 17.5, 17.5]

    def test_one_that_has_gone_before_the_delay_was_answered_twice(self) -> None:
        lan = Lan(Announcing(repeat=1, delay=0.0, lower_repeat=1, lower_delay=5.0)).has(V4)
        lan.said(10.0)
        lan.rival(seconds=3.6)
        assert lan.times(60.0) == [10.0, 13.6]

    def test_one_that_goes_on_is_answered_once_a_delay_and_when_it_has_gone(self) -> None:
        lan = Lan(Announcing(repeat=1, delay=0.0, lower_repeat=1, lower_delay=5.0)).has(V4)
        lan.said(10.0)
        for _ in range(12):
            lan.rival()
            lan.world.advance(1.0)
        assert lan.times(60.0) == [10.0, 15.0, 20.0, 24.6]

    @pytest.mark.parametrize("seconds", [0.0, 3.6])
    def test_a_flood_of_adverts_is_a_trickle_of_announcements(self, seconds: float) -> None:
        lan = Lan().has(V4)
        lan.said()
        for _ in range(5000):
            lan.rival(seconds)
            lan.world.advance(0.001)
        assert lan.times(10.0)[:6] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
        assert len(lan.world.actor(ID).explain()) == 2, "no rival is left"
        assert not lan.world.clock._agenda._times

    def test_one_that_leaves_is_gone_a_moment_later(self) -> None:
        lan = Lan().has(V4)
        lan.said(10.0)
        lan.rival(seconds=0.0)
        assert lan.times(60.0) == [10.0, 11.0]

    def test_where_none_is_to_be_answered_its_end_is_told_all_the_same(self) -> None:
        lan = Lan(Announcing(repeat=5, delay=0.0, lower_repeat=0, lower_delay=5.0)).has(V4)
        lan.said(10.0)
        lan.rival()
        assert lan.times(60.0) == [13.6]

    def test_one_that_comes_back_is_answered_again(self) -> None:
        lan = Lan().has(V4)
        lan.said(10.0)
        for _ in range(2):
            lan.rival()
            lan.world.advance(10.0)
        assert lan.times() == [10.0, 13.6, 20.0, 23.6]

    def test_none_concerns_who_has_no_addresses_or_has_them_no_longer(self) -> None:
        lan = Lan().has(V4)
        lan.said(10.0)
        lan.rival(source=B)
        lan.rival()
        lan.has()
        assert lan.times(60.0) == [10.0]


def test_after_a_crash_all_that_is_here_is_announced_again() -> None:
    lan = Lan().has(V4)
    lan.has(W4, source=B)
    lan.said()
    lan.world.tell(ID, Crash())
    assert sorted(address for _, address in lan.said(1.0)) == [V4, W4]


def test_it_tells_an_operator_what_it_has_said_what_waits_and_who_has_rivals() -> None:
    lan = Lan(Announcing(repeat=3, delay=0.0, arp_gap=1.0)).has(V4, W4)
    lan.rival()
    assert lan.world.actor(ID).explain() == [
        "1 announcements sent, 9 wait",
        f"announces {V4}, {W4} of {A}",
        f"{A} is claimed by another router too",
    ]
