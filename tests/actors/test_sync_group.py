"""Routers in a sync group, in one world: they take every role together."""

from typing import Any

import pytest

from actors.children import Child
from actors.core.packet import decode_advert, encode_advert
from actors.core.packet_checks import Expected
from actors.core.packet_values import Advert
from actors.core.status import CheckStatus, GroupStatus, Verdict, VrrpStatus
from actors.core.tracking import Follow
from actors.core.vrrp_values import Router
from actors.group_actor import GroupActor, GroupSpec
from actors.link_actor import LinkActor
from actors.messages import Crash, Program, Published, RolePrograms
from actors.planes.network import Endpoint, LinkEvent, Received
from actors.station import VrrpSpec
from actors.supervisor_actor import Reload
from actors.vrrp_actor import VrrpActor
from tests.world import Listener, World

GROUP = "224.0.0.18"
NAMES = ("a", "b")
VRID = {"a": 51, "b": 52}
VIP = "10.0.0.100"
PROGRAMS = RolePrograms(*(Program((f"/{role}",)) for role in ("master", "backup", "fault", "stop", "every")))


class Wire:
    """Every router's own wire: what it sent, and a way to speak to it."""

    def __init__(self) -> None:
        self.heard: dict[int, Any] = {}
        self.sent: list[tuple[int, int]] = []

    def open(self, endpoint: Endpoint, source: str, heard: Any) -> None:
        self.heard[endpoint.vrid] = heard

    def close(self, endpoint: Endpoint) -> None:
        self.heard.pop(endpoint.vrid, None)

    def send(self, endpoint: Endpoint, destination: str, pdu: bytes) -> None:
        advert = decode_advert(pdu, "10.0.0.1", destination)
        assert isinstance(advert, Advert)
        self.sent.append((advert.vrid, advert.priority))

    def drain(self, endpoint: Endpoint) -> None:
        pass


class Links:
    def __init__(self) -> None:
        self.watchers: dict[str, Any] = {}

    def watch(self, interface: str, changed: Any) -> None:
        self.watchers[interface] = changed
        self.turn(interface, True)

    def unwatch(self, interface: str) -> None:
        del self.watchers[interface]

    def turn(self, interface: str, up: bool) -> None:
        self.watchers[interface](LinkEvent(interface, up, "02:00:00:00:00:01", ("10.0.0.1",)))


def children(priority: int = 100, follows: tuple[Follow, ...] = ()) -> tuple[Child, ...]:
    return (
        *(Child(f"link/eth{name}", LinkActor, (f"eth{name}",), ("links",)) for name in NAMES),
        Child("group/G", GroupActor, (GroupSpec("group/G", ("vrrp/a", "vrrp/b"), PROGRAMS),)),
        *(Child(f"vrrp/{name}", VrrpActor, (router(name, priority, follows),), ("wire",)) for name in NAMES),
    )


def router(name: str, priority: int, follows: tuple[Follow, ...]) -> VrrpSpec:
    return VrrpSpec(
        f"vrrp/{name}",
        Router(address="", priority=priority, grouped=True),
        Endpoint(f"eth{name}", 4, VRID[name], (GROUP,)),
        Advert(2, VRID[name], priority, 100, (VIP,)),
        Expected(2, VRID[name], 100, (VIP,), GROUP),
        follows=follows if name == "a" else (),
        group="group/G",
        programs=PROGRAMS if name == "a" else RolePrograms(),
    )


class Pair:
    """Two routers in one group."""

    def __init__(self, priority: int = 100, follows: tuple[Follow, ...] = ()) -> None:
        self.wire, self.links = Wire(), Links()
        self.told: list[Any] = []
        notify = Child("notify", Listener, (self.told,))
        self.world = World((notify, *children(priority, follows)), {"wire": self.wire, "links": self.links})
        self.world.advance(0)

    @property
    def roles(self) -> tuple[str, ...]:
        """Of the group and its members."""
        said = [self.world.status(f"vrrp/{name}") for name in NAMES]
        group = self.world.status("group/G")
        assert isinstance(group, GroupStatus)
        return (group.role, *(status.role for status in said if isinstance(status, VrrpStatus)))

    def say(self, name: str, priority: int) -> None:
        pdu = encode_advert(Advert(2, VRID[name], priority, 100, (VIP,)), "10.0.0.9", GROUP)
        self.wire.heard[VRID[name]](Received(pdu, "10.0.0.9", GROUP, 255))
        self.world.settle()

    def turn(self, interface: str, up: bool) -> None:
        self.links.turn(interface, up)
        self.world.settle()


def test_all_members_become_master_together() -> None:
    pair = Pair()
    assert pair.roles == ("BACKUP", "BACKUP", "BACKUP")
    pair.world.advance(3.62)
    assert pair.roles == ("MASTER", "MASTER", "MASTER")
    assert pair.wire.sent == [(51, 100), (52, 100)]


def test_while_one_member_hears_a_better_router_no_member_leads() -> None:
    pair = Pair()
    for _ in range(10):
        pair.world.advance(1.0)
        pair.say("b", 150)
    assert pair.roles == ("BACKUP", "BACKUP", "BACKUP")
    assert pair.wire.sent == []


def test_when_one_member_yields_the_other_goes_along_at_once_without_priority_0() -> None:
    pair = Pair()
    pair.world.advance(4.0)
    pair.wire.sent.clear()
    pair.say("b", 150)
    assert pair.roles == ("BACKUP", "BACKUP", "BACKUP")
    assert pair.wire.sent == []


def test_they_return_together_when_none_hears_a_better_router() -> None:
    pair = Pair()
    pair.world.advance(4.0)
    pair.say("b", 150)
    pair.world.advance(2.0)
    pair.say("b", 150)
    pair.world.advance(3.5)
    assert pair.roles == ("BACKUP", "BACKUP", "BACKUP")
    pair.world.advance(0.2)
    assert pair.roles == ("MASTER", "MASTER", "MASTER")


def test_a_fault_of_one_member_puts_all_into_fault_and_its_masters_leave_with_priority_0() -> None:
    pair = Pair()
    pair.world.advance(4.0)
    pair.wire.sent.clear()
    pair.turn("ethb", False)
    assert pair.roles == ("FAULT", "FAULT", "FAULT")
    assert (51, 0) in pair.wire.sent
    status = pair.world.status("vrrp/a")
    assert isinstance(status, VrrpStatus)
    assert status.reason == "group/G is in FAULT: vrrp/b: interface ethb is down"


def test_the_group_recovers_when_no_member_is_in_fault_and_listens_first() -> None:
    pair = Pair()
    pair.turn("etha", False)
    pair.turn("ethb", False)
    pair.turn("etha", True)
    assert pair.roles == ("FAULT", "FAULT", "FAULT")
    pair.turn("ethb", True)
    assert pair.roles == ("BACKUP", "BACKUP", "BACKUP")
    pair.world.advance(3.62)
    assert pair.roles == ("MASTER", "MASTER", "MASTER")


def test_a_checker_of_one_member_fails_all_of_them_over() -> None:
    pair = Pair(follows=(Follow("check/db"),))
    assert pair.roles == ("FAULT", "FAULT", "FAULT")
    for verdict, role in ((Verdict.OK, "BACKUP"), (Verdict.FAILED, "FAULT")):
        pair.world.tell("supervisor", Published(CheckStatus("check/db", verdict)))
        assert pair.roles == (role, role, role)


def test_owners_in_a_group_lead_at_once_when_all_of_them_can() -> None:
    assert Pair(priority=255).roles == ("MASTER", "MASTER", "MASTER")


def test_at_a_stop_every_member_leaves_with_priority_0() -> None:
    pair = Pair()
    pair.world.advance(4.0)
    pair.wire.sent.clear()
    pair.world.shut_down()
    assert pair.wire.sent == [(52, 0), (51, 0)]


@pytest.mark.parametrize("id", ["group/G", "vrrp/a"])
def test_a_crash_of_a_part_changes_no_role_and_sends_no_priority_0(id: str) -> None:
    pair = Pair()
    pair.world.advance(4.0)
    pair.wire.sent.clear()
    pair.world.tell(id, Crash())
    pair.world.advance(10.0)
    assert pair.roles == ("MASTER", "MASTER", "MASTER")
    assert {priority for _, priority in pair.wire.sent} == {100}


def test_a_reload_that_changes_the_members_moves_no_role() -> None:
    pair = Pair()
    pair.world.advance(4.0)
    pair.wire.sent.clear()
    notify = Child("notify", Listener, (pair.told,))
    pair.world.tell("supervisor", Reload((notify, *children(90))))
    pair.world.advance(10.0)
    assert pair.roles == ("MASTER", "MASTER", "MASTER")
    assert {priority for _, priority in pair.wire.sent} == {90}


def test_programs_of_a_member_and_of_the_group_hear_each_role_once() -> None:
    pair = Pair()
    pair.world.advance(4.0)
    pair.turn("etha", False)
    pair.world.shut_down()
    assert [(run.source, run.argv) for run in pair.told if run.source.startswith("vrrp/a")] == [
        ("vrrp/a", ("/backup",)),
        ("vrrp/a/notify", ("/every", "INSTANCE", "a", "BACKUP", "100")),
        ("vrrp/a", ("/master",)),
        ("vrrp/a/notify", ("/every", "INSTANCE", "a", "MASTER", "100")),
        ("vrrp/a", ("/fault",)),
        ("vrrp/a/notify", ("/every", "INSTANCE", "a", "FAULT", "100")),
        ("vrrp/a", ("/stop",)),
        ("vrrp/a/notify", ("/every", "INSTANCE", "a", "STOP", "100")),
    ]
    assert [run.argv for run in pair.told if run.source == "group/G/notify"] == [
        ("/every", "GROUP", "G", state, "0") for state in ("BACKUP", "MASTER", "FAULT", "STOP")
    ]


def test_an_operator_is_told_what_holds_the_group_back() -> None:
    pair = Pair()
    pair.turn("ethb", False)
    assert pair.world.actor("group/G").explain() == [
        "FAULT since: vrrp/b: interface ethb is down",
        "  vrrp/a: would not lead",
        "  vrrp/b: interface ethb is down",
    ]
