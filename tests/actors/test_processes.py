"""The supervisor and processes: who lives where, and what becomes of them when a process is replaced."""

from typing import Any

import msgspec
import pytest

from actors.children import Child
from actors.core.status import CheckStatus, Verdict, VrrpStatus
from actors.messages import Lost, Replayed
from actors.process import KINDS, frozen
from actors.routers import routers
from actors.tree import grow, home
from loader.model import Identity
from tests.actors.test_supervisor import Witness
from tests.loader.house import good
from tests.world import Listener, World

CONF = """
RT_TCP_CHECK one {
    connect_ip 10.0.0.1
    connect_port 80
}
vrrp_instance a {
    interface eth0
    virtual_router_id 51
    checkers one
    virtual_ipaddress 10.0.0.100/24
}
vrrp_instance b {
    interface eth0
    virtual_router_id 52
    virtual_ipaddress 10.0.0.101/24
}
vrrp_sync_group g {
    group {
        a
        b
    }
}
"""


def test_vrrp_lives_apart_checkers_are_shared_out_and_the_rest_is_main_s() -> None:
    homes = {id: home(id, 1) for id in ("vrrp/a", "address/a", "link/eth0", "group/g", "check/web", "vs/x", "notify")}
    assert homes == {
        "vrrp/a": "vrrp",
        "address/a": "vrrp",
        "link/eth0": "vrrp",
        "group/g": "vrrp",
        "check/web": "checkers-1",
        "vs/x": "main",
        "notify": "main",
    }


def test_checkers_are_spread_evenly_and_always_the_same_way() -> None:
    where = [home(f"check/{number}", 4) for number in range(1000)]
    assert {where.count(f"checkers-{shard}") // 100 for shard in (1, 2, 3, 4)} == {2}
    assert where == [home(f"check/{number}", 4) for number in range(1000)]


def test_in_a_single_process_everybody_lives_in_main() -> None:
    assert {child.process for child in grow(good(CONF)).children} == {"main"}
    assert {child.process for child in grow(good(CONF), shards=2).children} == {"main", "vrrp", "checkers-1"}


def test_whoever_lives_apart_can_be_made_there_from_what_crosses() -> None:
    apart = [child for child in grow(good(CONF), shards=1).children if child.process != "main"]
    assert len(apart) == 8
    for child in apart:
        kind, args = KINDS[child.kind.__name__]
        crossed = frozen(msgspec.msgpack.decode(msgspec.msgpack.encode(child.args), type=args))
        assert (kind, crossed) == (child.kind, child.args)


def test_every_kind_of_actor_that_vrrp_needs_can_live_apart() -> None:
    assert {child.kind.__name__ for child in routers(good(CONF), str, Identity(""))} <= set(KINDS)


def apart(diary: list[str], id: str) -> Child:
    return Child(id, Witness, (diary,), process="vrrp")


def test_all_who_lived_in_a_lost_process_start_again_in_order_and_nobody_is_blamed() -> None:
    diary: list[str] = []
    world = World((apart(diary, "a"), Child("m", Witness, (diary,)), apart(diary, "b")))
    diary.clear()
    for _ in range(50):
        world.tell("supervisor", Lost("vrrp"))
    assert diary == ["+a", "+b"] * 50
    assert [charge.ledger.crashes for charge in world.supervisor.charges()] == [(), (), ()]


def test_a_successor_in_another_process_begins_with_its_last_status() -> None:
    found: list[Any] = []

    class Curious(Witness):
        def on_start(self) -> None:
            found.append(self.context.last)

        def receive(self, message: Any) -> None:
            self.context.publish(message)

    world = World((Child("vrrp/a", Curious, ([],), process="vrrp"),))
    status = VrrpStatus("vrrp/a", "MASTER", 100)
    world.tell("vrrp/a", status)
    world.tell("supervisor", Lost("vrrp"))
    assert found == [None, status]


def test_one_that_was_being_stopped_when_its_process_was_lost_still_leaves_nothing_behind() -> None:
    class Slow(Witness):
        def on_stop(self, final: bool) -> None:
            self._diary.append(f"-{self.context.id}")
            if self._diary.count(f"-{self.context.id}") == 1:
                world.system.tell("supervisor", Lost("vrrp"))
                world.system.abandon(self.context.id)  # its process is gone before it could tell its end

    diary: list[str] = []
    world = World((Child("a", Slow, (diary,), process="vrrp"),))
    world.shut_down()
    assert diary == ["+a", "-a", "+a", "-a"]
    assert world.codes == [0]


@pytest.mark.parametrize("process", ["vrrp", "main"])
def test_who_follows_a_lost_child_hears_of_it_again_only_when_something_is_new(process: str) -> None:
    heard: list[Any] = []
    diary: list[str] = []
    world = World((Child("l", Listener, (heard, "check/a")), apart(diary, "a")))
    world.tell("supervisor", Lost(process))
    again = [Replayed("check/a")] if process == "main" else []
    assert heard == [Replayed("check/a"), *again]
    assert CheckStatus("check/a", Verdict.OK) not in heard


def test_what_a_process_said_that_hung_for_long_no_longer_holds() -> None:
    found: list[Any] = []

    class Curious(Witness):
        def on_start(self) -> None:
            found.append(self.context.last)

        def receive(self, message: Any) -> None:
            self.context.publish(message)

    world = World((Child("vrrp/a", Curious, ([],), process="vrrp"),))
    world.tell("vrrp/a", VrrpStatus("vrrp/a", "MASTER", 100))
    world.tell("supervisor", Lost("vrrp", late=True))
    assert found == [None, None]
    assert world.status("vrrp/a") is None
