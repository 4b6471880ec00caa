"""Services are taken away when nobody declares them any more, and handed over in place when another does."""

from collections.abc import Callable

import pytest

from actors.children import Child
from actors.core.status import CheckStatus, TableStatus, Verdict
from actors.core.table import AddDestination, AddService, DeleteService, Destination, Edit, Service, ServiceKey
from actors.messages import Crash
from actors.planes import PlaneError
from actors.planes.memory import MemoryPlane
from actors.services_actor import AGAIN, ServicesActor, ServicesSpec
from actors.supervisor_actor import Reload
from actors.tree import grow
from tests.loader.house import good
from tests.world import Listener, World

ONE, TWO, THREE = (ServiceKey(4, f"10.0.0.{turn}", 80, "tcp") for turn in (1, 2, 3))
TABLE = "services"


class Whims(MemoryPlane):
    """The memory plane; ``refuse`` says what it will not do, ``blind`` that it cannot be listed."""

    def __init__(self) -> None:
        super().__init__()
        self.refuse: Callable[[Edit], bool] = lambda edit: False
        self.blind = False

    def services(self) -> tuple[ServiceKey, ...]:
        if self.blind:
            raise PlaneError("cannot be listed")
        return super().services()

    def apply(self, edit: Edit) -> None:
        if self.refuse(edit):
            raise PlaneError("not permitted")
        super().apply(edit)


def table(*keys: ServiceKey) -> Child:
    return Child(TABLE, ServicesActor, (ServicesSpec(TABLE, keys),), ("plane",))


def made(*keys: ServiceKey) -> tuple[World, Whims]:
    """A world with these services, and one that is not ours."""
    plane = Whims()
    for key in (*keys, ServiceKey(4, fwmark=99)):
        plane.apply(AddService(Service(key)))
    return World((table(*keys),), {"plane": plane}), plane


def left(plane: MemoryPlane) -> tuple[ServiceKey, ...]:
    return tuple(key for key in MemoryPlane.services(plane) if not key.fwmark)


def test_what_is_declared_no_more_goes_and_nothing_else() -> None:
    world, plane = made(ONE, TWO)
    assert (left(plane), world.status(TABLE)) == ((ONE, TWO), TableStatus(TABLE, (ONE, TWO)))
    world.tell("supervisor", Reload((table(TWO, THREE),)))
    assert (left(plane), world.status(TABLE)) == ((TWO,), TableStatus(TABLE, (TWO, THREE)))
    world.tell("supervisor", Reload(()))
    assert (left(plane), world.status(TABLE)) == ((), None)


def test_at_the_end_all_go_also_after_a_crash() -> None:
    world, plane = made(ONE, TWO)
    plane.edits.clear()
    world.tell(TABLE, Crash())
    world.shut_down()
    assert (plane.edits, left(plane), world.codes) == ([DeleteService(ONE), DeleteService(TWO)], (), [0])


def test_what_is_not_there_is_not_taken_away() -> None:
    world, plane = made(ONE, TWO)
    plane.apply(DeleteService(ONE))
    plane.edits.clear()
    world.tell("supervisor", Reload((table(THREE),)))
    assert (plane.edits, world.status(TABLE)) == ([DeleteService(TWO)], TableStatus(TABLE, (THREE,)))


@pytest.mark.parametrize("reason", ["not permitted", "cannot be listed"])
def test_what_cannot_be_taken_away_is_told_once_and_tried_again(
    reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world, plane = made(ONE, TWO)
    plane.refuse, plane.blind = lambda edit: reason == "not permitted", reason == "cannot be listed"
    world.tell("supervisor", Reload((table(TWO),)))
    assert world.status(TABLE) == TableStatus(TABLE, (TWO, ONE), reason)
    assert world.actor(TABLE).explain() == ["1 services are configured", f"still to go: {reason}"]
    world.advance(3 * AGAIN)
    assert capsys.readouterr().out.count("data plane") == 1
    plane.refuse, plane.blind = lambda edit: False, False
    world.advance(AGAIN + 0.05)
    assert (left(plane), world.status(TABLE)) == ((TWO,), TableStatus(TABLE, (TWO,)))
    assert world.actor(TABLE).explain() == ["1 services are configured"]


def test_what_could_not_be_taken_away_stays_when_it_is_declared_again() -> None:
    world, plane = made(ONE, TWO)
    plane.blind = True
    world.tell("supervisor", Reload((table(TWO),)))
    world.tell("supervisor", Reload((table(TWO, ONE),)))
    plane.blind = False
    world.advance(3 * AGAIN)
    assert (left(plane), world.status(TABLE)) == ((ONE, TWO), TableStatus(TABLE, (TWO, ONE)))


CHECKS = "RT_TCP_CHECK web {\nconnect_ip 10.0.1.1\nconnect_port 80\n}\n"
SERVERS = "protocol TCP\nlb_algo rr\nreal_server 10.0.1.1 80 {\ncheckers web\n}\n"
ALONE = f"virtual_server 10.0.0.1 80 {{\n{SERVERS}}}\n"
OTHER = f"virtual_server 10.0.0.3 80 {{\n{SERVERS}}}\n"


def grouped(addresses: str) -> str:
    return f"virtual_server_group web {{\n{addresses} 80\n}}\nvirtual_server group web {{\n{SERVERS}}}\n"


def children(text: str) -> tuple[Child, ...]:
    """Everybody for a configuration; the test speaks for the checker."""
    grown = grow(good(CHECKS + text)).children
    stubs = {"notify": Child("notify", Listener, ([],)), "check/web": Child("check/web", Listener, ([],))}
    return tuple(stubs.get(child.id, child) for child in grown)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (grouped("10.0.0.1-2"), grouped("10.0.0.2") + ALONE),
        (grouped("10.0.0.1-2"), ALONE + grouped("10.0.0.2")),
        (grouped("10.0.0.2") + ALONE, grouped("10.0.0.1-2")),
        (ALONE + grouped("10.0.0.2"), grouped("10.0.0.1-2")),
        (grouped("10.0.0.1"), ALONE),
        (ALONE, grouped("10.0.0.1")),
        (grouped("10.0.0.1"), grouped("10.0.0.1").replace("web", "www").replace("checkers www", "checkers web")),
    ],
)
def test_a_service_that_another_declares_after_a_reload_stays_as_it_is(before: str, after: str) -> None:
    plane = MemoryPlane()
    world = World(children(before + OTHER), {"plane": plane})
    check = world.system.find("check/web")
    assert check is not None
    check.publish(CheckStatus("check/web", Verdict.OK))
    world.advance(0.1)
    held = {key: plane.read(key) for key in plane.services()}
    assert all(pool is not None and len(pool.destinations) == 1 for pool in held.values())
    plane.edits.clear()
    world.tell("supervisor", Reload(children(after + OTHER)))
    world.advance(30.0)
    assert (plane.edits, {key: plane.read(key) for key in plane.services()}) == ([], held)
    check.publish(CheckStatus("check/web", Verdict.FAILED))
    world.advance(0.1)
    assert {len(pool.destinations) for key in held if (pool := plane.read(key))} == {0}
    world.shut_down()
    assert (plane.services(), world.codes) == ((), [0])


def test_a_service_of_an_earlier_run_is_taken_over_with_the_servers_whose_verdicts_are_known() -> None:
    plane = MemoryPlane()
    for edit in (AddService(Service(ONE, "rr")), AddDestination(ONE, Destination("10.0.1.1", 80))):
        plane.apply(edit)
    plane.edits.clear()
    world = World(children(ALONE), {"plane": plane})
    check = world.system.find("check/web")
    assert check is not None
    check.publish(CheckStatus("check/web", Verdict.OK))
    world.advance(0.1)
    assert plane.edits == []
