"""Addresses under an actor: held while a router leads, put back when taken away, and never more than that."""

from typing import Any

import pytest

from actors.address_actor import AddressActor, AddressSpec
from actors.children import Child
from actors.core.address import Address
from actors.core.status import AddressStatus, VrrpStatus
from actors.link_actor import LinkActor
from actors.messages import Crash, Published
from actors.planes.network import LinkEvent
from actors.supervisor_actor import Reload
from tests.actors.house import MACS, Kernel
from tests.world import World

VIPS = (Address("192.0.2.1", 24), Address("192.0.2.2", 24), Address("fd00::1", 64, "eth1"))
PLACED = (Address("192.0.2.1", 24, "eth0"), Address("192.0.2.2", 24, "eth0"), Address("fd00::1", 64, "eth1"))
ID = "address/a"


class Machine:
    """A kernel with two interfaces, who watches them, and who holds ``given`` for the router vrrp/a."""

    def __init__(self, given: tuple[Address, ...] = VIPS, router: str = "vrrp/a", **more: Any) -> None:
        self.kernel = Kernel("eth0", "eth1")
        self.more = {"router": router, **more}
        self.world = World((), {"addresses": self.kernel, "links": self.kernel})
        self.told: list[Any] = []
        self.given = given

    def start(self) -> "Machine":
        self.reload(self.given)
        return self

    def reload(self, given: tuple[Address, ...]) -> None:
        spec = AddressSpec(ID, interface="eth0", addresses=given, **self.more)
        links = (Child(f"link/{name}", LinkActor, (name,), ("links",)) for name in ("eth0", "eth1", "eth9"))
        self.world.tell("supervisor", Reload((*links, Child(ID, AddressActor, (spec,), ("addresses",)))))
        self.world.advance(0)

    def role(self, role: str) -> None:
        self.world.tell("supervisor", Published(VrrpStatus("vrrp/a", role, 100)))
        self.world.advance(0)

    def leads(self) -> "Machine":
        self.start().role("MASTER")
        self.kernel.work.clear()
        return self

    def take(self, interface: str, *addresses: str) -> None:
        self.kernel.take(interface, *addresses)
        self.world.advance(0)

    def become(self, event: LinkEvent) -> None:
        self.kernel.become(event)
        self.world.advance(0)

    @property
    def status(self) -> AddressStatus:
        status = self.world.status(ID)
        assert isinstance(status, AddressStatus)
        return status

    @property
    def there(self) -> set[str]:
        return self.kernel.on("eth0") | self.kernel.on("eth1")


ALL = {"192.0.2.1", "192.0.2.2", "fd00::1"}
HELD = AddressStatus(ID, True, "", PLACED)
IDLE = AddressStatus(ID, False)


def test_as_long_as_the_router_leads_its_addresses_are_there_each_on_its_interface() -> None:
    machine = Machine().start()
    assert (machine.there, machine.status) == (set(), IDLE)
    machine.role("MASTER")
    assert (machine.kernel.on("eth0"), machine.kernel.on("eth1")) == ({"192.0.2.1", "192.0.2.2"}, {"fd00::1"})
    assert machine.status == HELD
    machine.role("BACKUP")
    assert (machine.there, machine.status) == (set(), IDLE)


def test_what_another_run_has_left_is_removed_at_the_start() -> None:
    machine = Machine()
    machine.kernel.add("eth0", (*VIPS, Address("198.51.100.7", 24)))
    machine.start()
    assert machine.there == {"198.51.100.7"}


def test_what_somebody_has_added_since_is_kept_by_a_master_and_goes_with_the_rest() -> None:
    machine = Machine().start()
    machine.kernel.add("eth0", VIPS[:1])
    machine.world.advance(0)
    machine.role("MASTER")
    assert machine.there == ALL
    machine.role("FAULT")
    assert machine.there == set()


@pytest.mark.parametrize(("interface", "address"), [("eth0", "192.0.2.2"), ("eth1", "fd00::1")])
def test_an_address_that_somebody_removes_is_put_back_wherever_it_was(interface: str, address: str) -> None:
    machine = Machine().leads()
    machine.take(interface, address)
    assert (machine.there, machine.status) == (ALL, HELD)
    assert [verb for verb, what in machine.kernel.work] == ["add"]


def test_old_news_of_an_interface_is_no_removal() -> None:
    machine = Machine().start()
    machine.kernel.mute = True
    machine.role("MASTER")
    machine.kernel.mute = False
    machine.kernel.work.clear()
    for known in ((), ("192.0.2.1",), ("192.0.2.1", "192.0.2.2")):
        machine.become(LinkEvent("eth0", True, MACS["eth0"], ("10.0.0.1", *known)))
    assert (machine.kernel.work, machine.status) == ([], HELD)


def test_what_is_not_there_although_a_while_has_passed_is_put_back() -> None:
    machine = Machine().start()
    machine.kernel.mute = True
    machine.role("MASTER")
    machine.kernel.take("eth0", "192.0.2.1")
    machine.kernel.mute = False
    machine.kernel.tell("eth0")
    machine.kernel.tell("eth1")
    machine.world.advance(0.9)
    assert machine.there == ALL - {"192.0.2.1"}
    machine.world.advance(0.2)
    assert machine.there == ALL


def test_an_interface_that_was_down_gets_back_what_it_has_lost() -> None:
    machine = Machine().leads()
    machine.become(LinkEvent("eth1", False, MACS["eth1"]))
    assert machine.kernel.work == []
    machine.become(LinkEvent("eth1", True, MACS["eth1"]))
    assert (machine.kernel.on("eth1"), machine.status) == ({"fd00::1"}, HELD)


def test_it_does_not_fight_for_ever() -> None:
    machine = Machine().leads()
    for _ in range(5):
        machine.take("eth0", "192.0.2.2")
    assert machine.status == HELD
    machine.take("eth0", "192.0.2.2")
    fault = AddressStatus(ID, False, "somebody keeps removing 192.0.2.2")
    assert (machine.there, machine.status) == (set(), fault)
    machine.role("FAULT")
    machine.world.advance(9.9)
    assert machine.status == fault
    machine.world.advance(0.2)
    assert machine.status == IDLE


def test_five_times_are_forgiven_after_a_calm_while() -> None:
    machine = Machine().leads()
    for _ in range(3):
        for _ in range(5):
            machine.take("eth0", "192.0.2.2")
        machine.world.advance(10.1)
    assert machine.status == HELD


def test_all_or_none_are_held_and_the_fault_names_which_could_not_be() -> None:
    machine = Machine().start()
    machine.kernel.refused = {"192.0.2.2"}
    machine.role("MASTER")
    assert machine.there == set()
    assert machine.status == AddressStatus(ID, False, "adding 192.0.2.2/24 on eth0: refused")


def test_what_cannot_be_held_is_tried_again_ever_more_rarely() -> None:
    machine = Machine().start()
    machine.kernel.refused = {"192.0.2.2"}
    waits = []
    for _ in range(8):
        machine.role("MASTER")
        began = machine.world.clock.now()
        assert machine.status.fault
        machine.role("FAULT")
        while machine.status.fault:
            machine.world.advance(1.0)
        waits.append(round(machine.world.clock.now() - began))
    assert waits == [10, 20, 40, 80, 160, 320, 320, 320]
    machine.kernel.refused = set()
    machine.role("MASTER")
    machine.world.advance(2.0)
    machine.take("eth0", "192.0.2.1")
    assert machine.status == HELD


def test_what_failed_is_tried_again_as_soon_as_its_interface_comes() -> None:
    machine = Machine((*VIPS, Address("192.0.2.9", 32, "eth9"))).start()
    machine.role("MASTER")
    assert machine.status.fault == "adding 192.0.2.9/32 on eth9: refused"
    machine.role("FAULT")
    machine.become(LinkEvent("eth9", True, "02:00:00:00:00:09"))
    assert machine.status == IDLE
    machine.role("MASTER")
    assert machine.there | machine.kernel.on("eth9") == {*ALL, "192.0.2.9"}


def test_a_reload_touches_the_difference_alone() -> None:
    machine = Machine().leads()
    machine.reload((VIPS[0], Address("192.0.2.3", 24), VIPS[2]))
    assert machine.there == {"192.0.2.1", "192.0.2.3", "fd00::1"}
    touched = {what for _, what in machine.kernel.work}
    assert touched == {"192.0.2.2/24 eth0", "192.0.2.3/24 eth0"}


def test_another_label_is_another_address() -> None:
    machine = Machine().leads()
    machine.reload((Address("192.0.2.1", 24, label="eth0:1"), *VIPS[1:]))
    assert machine.there == ALL
    assert [verb for verb, what in machine.kernel.work if what == "192.0.2.1/24 eth0"][-2:] == ["remove", "add"]
    assert machine.status.addresses[0].label == "eth0:1"


def test_a_crash_moves_no_address() -> None:
    machine = Machine().leads()
    machine.world.tell(ID, Crash())
    machine.world.advance(1.0)
    assert (machine.there, machine.status, machine.kernel.work) == (ALL, HELD, [])


def test_after_a_crash_they_go_if_the_router_no_longer_leads() -> None:
    machine = Machine().leads()
    machine.world.tell(ID, Crash())
    machine.role("BACKUP")
    machine.world.advance(1.0)
    assert (machine.there, machine.status) == (set(), IDLE)


def test_at_the_end_they_go() -> None:
    machine = Machine().leads()
    machine.world.shut_down()
    assert (machine.there, machine.world.codes) == (set(), [0])


class TestAnOwner:
    """Of the addresses that are its own: the machine has them whether the program runs or not."""

    def machine(self) -> Machine:
        machine = Machine(owner=True)
        machine.kernel.add("eth0", VIPS[:1])
        machine.kernel.work.clear()
        return machine.start()

    def test_keeps_at_the_start_what_is_there(self) -> None:
        assert self.machine().there == {"192.0.2.1"}

    def test_holds_all_and_says_which_are_its_own(self) -> None:
        machine = self.machine()
        machine.role("MASTER")
        assert machine.there == ALL
        assert machine.status == AddressStatus(ID, True, "", PLACED, PLACED[:1])

    @pytest.mark.parametrize("between", [(), (Crash(),)])
    def test_leaves_its_own_behind(self, between: tuple[Crash, ...]) -> None:
        machine = self.machine()
        machine.role("MASTER")
        for message in between:
            machine.world.tell(ID, message)
            machine.world.advance(1.0)
        machine.world.shut_down()
        assert machine.there == {"192.0.2.1"}

    def test_puts_back_its_own_too(self) -> None:
        machine = self.machine()
        machine.role("MASTER")
        machine.take("eth0", "192.0.2.1")
        assert machine.there == ALL


class TestStatic:
    """An address that follows nobody."""

    def machine(self, *given: Address) -> Machine:
        return Machine(given or VIPS[:1], router="")

    def test_is_there_from_the_start_to_the_end(self) -> None:
        machine = self.machine().start()
        assert machine.there == {"192.0.2.1"}
        machine.world.shut_down()
        assert machine.there == set()

    def test_is_put_back(self) -> None:
        machine = self.machine().start()
        machine.take("eth0", "192.0.2.1")
        assert machine.there == {"192.0.2.1"}

    def test_comes_when_its_interface_does(self) -> None:
        machine = self.machine(Address("192.0.2.9", 32, "eth9")).start()
        assert machine.status == AddressStatus(ID, False, "adding 192.0.2.9/32 on eth9: refused")
        machine.become(LinkEvent("eth9", False, "02:00:00:00:00:09"))
        assert machine.kernel.on("eth9") == {"192.0.2.9"}
        assert machine.status == AddressStatus(ID, True, "", (Address("192.0.2.9", 32, "eth9"),))

    def test_that_somebody_keeps_removing_is_tried_again_later(self) -> None:
        machine = self.machine().start()
        for _ in range(6):
            machine.take("eth0", "192.0.2.1")
        assert machine.status == AddressStatus(ID, False, "somebody keeps removing 192.0.2.1")
        machine.world.advance(10.1)
        assert (machine.there, machine.status.held) == ({"192.0.2.1"}, True)

    def test_survives_a_crash_untouched(self) -> None:
        machine = self.machine().start()
        machine.kernel.work.clear()
        machine.world.tell(ID, Crash())
        machine.world.advance(1.0)
        assert (machine.there, machine.kernel.work) == ({"192.0.2.1"}, [])


def test_it_tells_an_operator_what_it_holds_and_what_is_wrong() -> None:
    machine = Machine(VIPS[:1]).start()
    assert machine.world.actor(ID).explain() == ["does not hold 192.0.2.1/24 on eth0", "put back 0 times of late"]
    machine.kernel.refused = {"192.0.2.1"}
    machine.role("MASTER")
    assert machine.world.actor(ID).explain() == [
        "does not hold 192.0.2.1/24 on eth0",
        "adding 192.0.2.1/24 on eth0: refused; failed 1 times, tried again",
        "put back 0 times of late",
    ]
