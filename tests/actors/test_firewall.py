"""Rules under an actor: there from the start to the end, tried again, put back, and a router told when they are not."""

from pathlib import Path

from actors.children import Child
from actors.control_client import default_path
from actors.core.status import DeviceStatus, VrrpStatus
from actors.firewall_actor import LOOK, FirewallActor, FirewallSpec
from actors.planes import PlaneError
from actors.planes.network import Rules
from actors.ports import table_of
from actors.routers import firewall, routers
from actors.supervisor_actor import Reload
from actors.vrrp_actor import VrrpActor
from loader.model import Identity
from tests.actors.test_vrrp import MemoryAddresses, MemoryLinks, MemoryWire
from tests.loader.house import good
from tests.world import World

ID = "firewall/rules"
CLOSED, OTHER = Rules(("192.0.2.1",)), Rules(("192.0.2.2",), ("vrrp.51",))


class Filter:
    """A `Firewall` in memory: the rules that are in force, all that were applied, and what speaks against it."""

    def __init__(self) -> None:
        self.rules: Rules | None = None
        self.applied: list[Rules] = []
        self.fault = ""

    def apply(self, rules: Rules) -> None:
        if self.fault:
            raise PlaneError(self.fault)
        self.applied.append(rules)
        self.rules = None if rules == Rules() else rules

    def stands(self) -> bool:
        return self.rules is not None


class Machine:
    """Who sees to rules, in a world of its own."""

    def __init__(self, fault: str = "") -> None:
        self.filter = Filter()
        self.filter.fault = fault
        self.world = World((), {"firewall": self.filter})
        self.reload(CLOSED)

    def reload(self, *rules: Rules) -> None:
        children = (Child(ID, FirewallActor, (FirewallSpec(ID, each),), ("firewall",)) for each in rules)
        self.world.tell("supervisor", Reload(tuple(children)))
        self.world.advance(0)

    @property
    def status(self) -> object:
        return self.world.status(ID)


def test_the_rules_are_there_from_the_start_to_the_end() -> None:
    machine = Machine()
    assert (machine.filter.applied, machine.status) == ([CLOSED], DeviceStatus(ID))
    machine.world.advance(10 * LOOK)
    assert machine.filter.applied == [CLOSED], "what stands is left alone"
    machine.world.shut_down()
    assert machine.filter.applied == [CLOSED, Rules()]


def test_at_a_reload_other_rules_take_the_place_of_those_from_before_and_none_remove_them() -> None:
    machine = Machine()
    machine.reload(OTHER)
    assert machine.filter.applied == [CLOSED, OTHER], "in between there was never nothing"
    machine.reload()
    assert machine.filter.applied == [CLOSED, OTHER, Rules()]


def test_rules_that_are_refused_are_a_fault_and_tried_until_they_are_taken() -> None:
    machine = Machine("no nf_tables")
    assert machine.status == DeviceStatus(ID, 0, "no nf_tables")
    assert machine.world.actor(ID).explain() == ["not in force: no nf_tables", "nothing comes in for 192.0.2.1"]
    machine.world.advance(LOOK)
    machine.filter.fault = ""
    machine.world.advance(LOOK)
    assert (machine.filter.applied, machine.status) == ([CLOSED], DeviceStatus(ID))


def test_rules_that_somebody_sweeps_away_are_put_back() -> None:
    machine = Machine()
    machine.filter.rules = None
    machine.world.advance(LOOK)
    assert (machine.filter.rules, machine.filter.applied) == (CLOSED, [CLOSED, CLOSED])
    assert machine.world.actor(ID).explain() == ["in force", "nothing comes in for 192.0.2.1"]


def test_rules_that_cannot_be_removed_at_the_end_keep_nobody_from_ending() -> None:
    machine = Machine()
    machine.filter.fault = "no nf_tables"
    machine.world.shut_down()
    assert (machine.world.codes, machine.filter.rules) == ([0], CLOSED)


INSTANCE = """vrrp_instance {name} {{
interface eth0
virtual_router_id 51
version 3
{inside}
}}
"""
VIPS4 = "virtual_ipaddress {\n192.0.2.1\n}\nvirtual_ipaddress_excluded {\n192.0.2.9 dev eth1\nfd00::9\n}"
VIPS6 = "virtual_ipaddress {\nfe80::1\nfd00::1\n}"
ALL4 = ("192.0.2.1", "192.0.2.9", "fd00::9")


def wanted(*insides: str) -> tuple[Rules, ...]:
    """The rules of a configuration with these instances."""
    text = "".join(INSTANCE.format(name=f"r{place}", inside=inside) for place, inside in enumerate(insides))
    return tuple(child.args[0].rules for child in firewall(good(text).vrrp_instances))


def test_addresses_are_closed_where_a_router_does_not_accept_and_does_not_own_them() -> None:
    assert wanted(VIPS4) == ()
    assert wanted(f"{VIPS4}\nno_accept\npriority 255") == ()
    assert wanted(f"{VIPS4}\nno_accept") == wanted(f"{VIPS4}\nstrict_mode") == (Rules(ALL4),)
    assert wanted(f"{VIPS4}\nno_accept", f"{VIPS6}\nno_accept") == (Rules((*ALL4, "fe80::1%eth0", "fd00::1")),)


def test_the_own_interface_of_a_router_is_silent_and_its_link_local_address_is_there() -> None:
    assert wanted(f"{VIPS4}\nuse_vmac") == (Rules((), ("vrrp.51",)),)
    assert wanted(f"{VIPS6}\nuse_vmac six\nno_accept") == (Rules(("fe80::1%six", "fd00::1"), ("six",)),)


def test_a_router_that_does_not_accept_follows_the_rules_and_no_other_does() -> None:
    text = INSTANCE.format(name="a", inside=VIPS4 + "\nuse_vmac")
    text += INSTANCE.format(name="b", inside=VIPS6 + "\nno_accept")
    children = routers(good(text), str, Identity(""))
    specs = (child.args[0] for child in children if child.kind is VrrpActor)
    assert [(spec.id, spec.closed) for spec in specs] == [("vrrp/a", ""), ("vrrp/b", ID)]
    assert children[0].id == ID, "it is there before the addresses, and after them"


def test_a_router_whose_addresses_would_be_open_is_in_fault_until_they_are_closed() -> None:
    links, wall = MemoryLinks(), Filter()
    wall.fault = "no nf_tables"
    text = INSTANCE.format(name="a", inside="virtual_ipaddress {\n192.0.2.1\n}\nno_accept")
    ports = {"wire": MemoryWire(), "links": links, "addresses": MemoryAddresses(links), "firewall": wall}
    world = World(routers(good(text), str, Identity("")), ports)
    world.advance(5.0)
    assert world.status("vrrp/a") == VrrpStatus("vrrp/a", "FAULT", 100, "no nf_tables")
    wall.fault = ""
    world.advance(LOOK + 5.0)
    assert world.status("vrrp/a") == VrrpStatus("vrrp/a", "MASTER", 100, "no advert for 3.61 s")
    wall.rules = None
    wall.fault = "no nf_tables"
    world.advance(LOOK)
    assert world.status("vrrp/a") == VrrpStatus("vrrp/a", "FAULT", 100, "no nf_tables")


def test_programs_with_different_control_sockets_have_different_tables() -> None:
    assert table_of(Path("/tmp/a")) != table_of(Path("/tmp/b"))
    assert table_of(default_path()) == "understudy"
