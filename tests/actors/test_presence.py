"""Addresses without which nobody is looked after: who tells of them, and whose checks rest."""

import msgspec
import pytest

from actors.checker_actor import CheckerActor
from actors.children import Child
from actors.core.status import PresenceStatus
from actors.messages import Crash
from actors.planes.network import LinkEvent
from actors.presence_actor import PresenceActor, PresenceSpec
from actors.tree import grow
from loader import load_from
from loader.fields import Block
from plugins.api import describe
from plugins.combine import Combine
from plugins.tcp import TcpCheck
from tests.actors.house import Kernel
from tests.loader.house import Memory
from tests.world import World

KNOWN = {each["keyword"]: msgspec.convert(each, Block) for each in map(describe, (Combine, TcpCheck))}
VIP = "10.0.0.100"
ID = f"presence/{VIP}"


def test_it_tells_whether_any_interface_has_the_address() -> None:
    kernel = Kernel("eth0", "lo")
    world = World((Child(ID, PresenceActor, (PresenceSpec(ID, VIP),), ("links",)),), {"links": kernel})
    assert world.status(ID) == PresenceStatus(ID, False)
    for interface in ("lo", "eth0"):
        kernel.become(LinkEvent(interface, True, "", (VIP,)))
        world.settle()
        assert world.status(ID) == PresenceStatus(ID, True)
        world.tell(ID, Crash())
        world.advance(1.0)
        kernel.take(interface, VIP)
        world.settle()
        assert world.status(ID) == PresenceStatus(ID, False)
    world.shut_down()
    assert kernel.seekers == {}


CHECKS = """
RT_TCP_CHECK port {
}
RT_TCP_CHECK own {
    connect_ip 10.0.9.1
    connect_port 80
}
"""


def service(head: str, checkers: str, said: str = "ha_suspend") -> str:
    server = f"real_server 10.0.1.1 80 {{\ncheckers {checkers}\n}}"
    return f"virtual_server {head} 80 {{\nprotocol TCP\n{said}\n{server}\n}}\n"


def places(*blocks: str) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Where each check does not rest, and the addresses of which somebody tells."""
    loaded = load_from(Memory({"test.conf": CHECKS + "".join(blocks)}), "test.conf", lambda _: KNOWN)
    assert loaded.config is not None, loaded.render()
    children = grow(loaded.config).children
    rests = {child.args[0].id: child.args[0].places for child in children if child.kind is CheckerActor}
    return rests, [child.args[0].address for child in children if child.kind is PresenceActor]


PORT, OWN = "check/port@10.0.1.1:80", "check/own"
ROUTER = """
vrrp_instance V {
    interface eth0
    virtual_router_id 7
    checkers own
    virtual_ipaddress {
        10.0.0.100
    }
}
"""
COMBINE = 'RT_COMBINE both {\nexpression "port AND own"\n}\n'
GROUP = "virtual_server_group g {\n10.0.0.1-2 80\nfwmark 9\n}\n" + service("group g", "port own").replace("g 80", "g")


@pytest.mark.parametrize(
    ("blocks", "expected", "addresses"),
    [
        ((service("10.0.0.1", "port own", ""),), {PORT: (), OWN: ()}, []),
        ((service("10.0.0.1", "port own"),), {PORT: ("10.0.0.1",), OWN: ("10.0.0.1",)}, ["10.0.0.1"]),
        (
            (service("10.0.0.2", "port"), service("10.0.0.1", "port own")),
            {PORT: ("10.0.0.1", "10.0.0.2"), OWN: ("10.0.0.1",)},
            ["10.0.0.2", "10.0.0.1"],
        ),
        (
            (service("10.0.0.2", "port", ""), service("10.0.0.1", "port own")),
            {PORT: (), OWN: ("10.0.0.1",)},
            ["10.0.0.1"],
        ),
        ((service("10.0.0.1", "port own"), ROUTER), {PORT: ("10.0.0.1",), OWN: ()}, ["10.0.0.1"]),
        ((service("10.0.0.1", "both"), COMBINE), {PORT: ("10.0.0.1",), OWN: ("10.0.0.1",)}, ["10.0.0.1"]),
        ((service("10.0.0.1", "both"), COMBINE, ROUTER), {PORT: ("10.0.0.1",), OWN: ()}, ["10.0.0.1"]),
        (
            (service("10.0.0.1", "both"), service("10.0.0.2", "both", ""), COMBINE),
            {PORT: (), OWN: ()},
            ["10.0.0.1"],
        ),
        (
            (GROUP,),
            {PORT: ("10.0.0.1", "10.0.0.2"), OWN: ("10.0.0.1", "10.0.0.2")},
            ["10.0.0.1", "10.0.0.2"],
        ),
    ],
)
def test_a_check_rests_where_none_of_those_who_follow_it_has_its_address(
    blocks: tuple[str, ...], expected: dict[str, tuple[str, ...]], addresses: list[str]
) -> None:
    ids = {check: tuple(f"presence/{address}" for address in here) for check, here in expected.items()}
    assert places(*blocks) == (ids, addresses)
