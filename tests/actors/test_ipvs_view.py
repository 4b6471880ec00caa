"""The table as it is asked for: what is there, how each server fares, and what others put there."""

from typing import Any

from actors.core.quorum import Quorum, Sorry
from actors.core.status import Verdict
from actors.core.table import AddDestination, AddService, Load, Service, ServiceKey
from actors.ipvs_view import IpvsView
from tests.actors.test_ipvs import ID, SPARE, Service_, place

OK, FAILED = Verdict.OK, Verdict.FAILED
OTHER = ServiceKey(6, "fd00::1", 53, "udp")


def rows(world: Service_) -> list[dict[str, Any]]:
    reply = IpvsView(world.system, world.table, lambda: {"version": 1}).table()
    assert reply["version"] == 1
    return list(reply["ipvs"])


def healths(world: Service_) -> list[tuple[str, int, bool, str]]:
    return [(row["address"], row["weight"], row["present"], row["health"]) for row in rows(world)[0]["servers"]]


def test_a_service_is_told_with_attributes_figures_and_servers() -> None:
    world = Service_("a")
    world.decide(a=OK)
    (row,) = rows(world)
    server = row.pop("servers")[0]
    assert {name: value for name, value in row.items() if name != "load"} == {
        "id": ID,
        "family": 4,
        "address": "10.0.0.1",
        "port": 80,
        "protocol": "tcp",
        "fwmark": 0,
        "scheduler": "wlc",
        "flags": [],
        "persistence_timeout": 0,
        "persistence_prefix": 32,
        "persistence_engine": "",
    }
    assert (row["load"]["active"], server["load"]["active"], server["health"]) == (2, 2, "OK")
    assert set(row["load"]) == set(Load.__struct_fields__)


def test_each_server_says_how_it_fares() -> None:
    world = Service_("a", "b!", "c")
    world.decide(a=OK)
    world.decide(b=FAILED)
    assert healths(world) == [
        ("10.0.1.1", 1, True, "OK"),
        ("10.0.1.2", 0, True, "inhibited: FAILED"),
        ("10.0.1.3", 1, False, "out: no verdict yet"),
    ]


def test_the_sorry_server_is_told_from_those_that_it_stands_in_for() -> None:
    world = Service_("a", "b", sorry=Sorry(SPARE), quorum=Quorum(2))
    world.decide(a=OK, b=FAILED)
    assert healths(world) == [
        ("10.0.9.9", 1, True, "sorry server"),
        ("10.0.1.1", 1, False, "out: OK, but the sorry server serves"),
        ("10.0.1.2", 1, False, "out: FAILED"),
    ]


def test_what_others_put_there_is_told_and_called_so() -> None:
    world = Service_("a", heals=False)
    world.decide(a=OK)
    world.table.apply(AddService(Service(OTHER, "rr")))
    world.table.apply(AddDestination(OTHER, place("b")))
    foreign = rows(world)[1]
    assert (foreign["id"], foreign["address"], foreign["servers"][0]["health"]) == ("", "fd00::1", "not ours")


def test_a_plane_that_cannot_be_read_hides_only_what_is_not_ours() -> None:
    world = Service_("a")
    world.decide(a=OK)
    world.table.apply(AddService(Service(OTHER, "rr")))
    world.table.blind = True
    assert [row["id"] for row in rows(world)] == [ID]
