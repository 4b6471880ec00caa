"""IPVS as a whole: timeouts that come and go with the program, daemons that follow a router's role."""

from typing import Any

import pytest

from actors.children import Child
from actors.core.status import IpvsStatus, VrrpStatus
from actors.core.table import AddService, Service, ServiceKey
from actors.core.whole import BACKUP, MASTER, Daemon, Timeouts
from actors.ipvs_settings_actor import LOOK, IpvsSettingsActor, IpvsSettingsSpec
from actors.messages import Crash
from actors.planes import PlaneError
from actors.planes.memory import MemoryPlane
from actors.supervisor_actor import Reload
from actors.sync_daemon_actor import SyncDaemonActor, SyncDaemonSpec
from tests.world import Listener, World

SETTINGS, SYNC, ROUTER = "ipvs/settings", "ipvs/sync", "vrrp/V"
USUAL = Timeouts(900, 120, 300)
WANTED = Timeouts(60, 0, 5)
TAKEN = Timeouts(60, 120, 5)
WORDS = "timeouts: tcp 60 s, tcpfin 120 s, udp 5 s"
ETH0 = Daemon("", "eth0", 7)


class Whims(MemoryPlane):
    """The memory plane; while it is ``stubborn`` it refuses all that concerns it as a whole."""

    stubborn = False

    def timeouts(self) -> Timeouts:
        self._refuse()
        return super().timeouts()

    def start(self, daemon: Daemon) -> None:
        self._refuse()
        super().start(daemon)

    def _refuse(self) -> None:
        if self.stubborn:
            raise PlaneError("not permitted")


def settings(timeouts: Timeouts = WANTED, empties: bool = False) -> Child:
    spec = IpvsSettingsSpec(SETTINGS, timeouts, empties)
    return Child(SETTINGS, IpvsSettingsActor, (spec,), ("ipvs",))


def sync(router: str = ROUTER, daemon: Daemon = ETH0) -> tuple[Child, ...]:
    spec = SyncDaemonSpec(SYNC, daemon, router)
    return (Child(ROUTER, Listener, ([],)), Child(SYNC, SyncDaemonActor, (spec,), ("ipvs",)))


def world(*children: Child) -> tuple[World, Whims]:
    plane = Whims()
    return World(children, {"ipvs": plane}), plane


def say(world: World, role: str) -> None:
    context = world.system.find(ROUTER)
    assert context is not None
    context.publish(VrrpStatus(ROUTER, role, 100))
    world.settle()


class TestTimeouts:
    def test_they_are_set_at_the_start_and_put_back_at_the_end(self) -> None:
        lab, plane = world(settings())
        assert (plane.timeouts(), lab.status(SETTINGS)) == (TAKEN, IpvsStatus(SETTINGS, WORDS, (900, 120, 300)))
        lab.shut_down()
        assert plane.timeouts() == USUAL

    def test_neither_a_crash_nor_a_reload_forgets_what_was_before(self) -> None:
        lab, plane = world(settings())
        lab.tell(SETTINGS, Crash())
        lab.advance(10.0)
        lab.tell("supervisor", Reload((settings(Timeouts(tcp=7)),)))
        assert plane.timeouts() == Timeouts(7, 120, 5)
        lab.shut_down()
        assert plane.timeouts() == USUAL

    def test_what_others_set_is_set_back(self) -> None:
        lab, plane = world(settings())
        plane.set_timeouts(Timeouts(1, 2, 3))
        lab.advance(LOOK + 0.1)
        assert plane.timeouts() == Timeouts(60, 2, 5)

    def test_a_refusal_is_told_and_tried_again(self) -> None:
        plane = Whims()
        plane.stubborn = True
        lab = World((settings(),), {"ipvs": plane})
        assert lab.status(SETTINGS) == IpvsStatus(SETTINGS, fault="not permitted")
        assert lab.actor(SETTINGS).explain() == ["nothing is set", "not permitted"]
        plane.stubborn = False
        lab.advance(LOOK + 0.1)
        assert lab.status(SETTINGS) == IpvsStatus(SETTINGS, WORDS, (900, 120, 300))
        before = "before it was timeouts: tcp 900 s, tcpfin 120 s, udp 300 s"
        assert lab.actor(SETTINGS).explain() == [WORDS, before]

    @pytest.mark.parametrize(("empties", "left"), [(True, 0), (False, 1)])
    def test_the_table_is_emptied_at_the_end_where_that_is_asked(self, empties: bool, left: int) -> None:
        lab, plane = world(settings(Timeouts(), empties))
        plane.apply(AddService(Service(ServiceKey(4, fwmark=7))))
        lab.tell("supervisor", Reload((settings(WANTED, empties),)))
        assert len(plane.services()) == 1
        lab.shut_down()
        assert (len(plane.services()), plane.timeouts()) == (left, USUAL)


class TestSyncDaemon:
    def states(self, plane: MemoryPlane) -> list[str]:
        return [daemon.state for daemon in plane.daemons()]

    def test_it_follows_the_role_of_its_router(self) -> None:
        lab, plane = world(*sync())
        story: list[Any] = [self.states(plane)]
        for role in ("BACKUP", "MASTER", "FAULT", "MASTER"):
            say(lab, role)
            story.append(self.states(plane))
        assert story == [[], [BACKUP], [MASTER], [BACKUP], [MASTER]]
        assert lab.status(SYNC) == IpvsStatus(SYNC, "master on eth0")
        assert plane.daemons() == (Daemon(MASTER, "eth0", 7),)
        lab.shut_down()
        assert self.states(plane) == []

    def test_without_a_router_both_run(self) -> None:
        lab, plane = world(*sync(router=""))
        assert self.states(plane) == [MASTER, BACKUP]
        assert lab.actor(SYNC).explain() == ["master and backup on eth0"]

    def test_one_that_was_stopped_or_differs_is_started_as_it_should_be(self) -> None:
        lab, plane = world(*sync())
        say(lab, "MASTER")
        plane.stop(MASTER)
        plane.start(Daemon(MASTER, "eth0", 8))
        plane.start(Daemon(BACKUP, "eth1", 7))
        lab.advance(LOOK + 0.1)
        assert plane.daemons() == (Daemon(MASTER, "eth0", 7),)

    def test_what_the_kernel_chose_itself_is_as_it_should_be(self) -> None:
        assert ETH0.is_met_by(Daemon("", "eth0", 7, 1472, 8848, 1, "224.0.0.81"))
        assert not Daemon("", "eth0", 7, ttl=4).is_met_by(Daemon("", "eth0", 7, 1472, 8848, 1, "224.0.0.81"))

    def test_a_reload_changes_it_in_place_and_a_crash_leaves_it(self) -> None:
        lab, plane = world(*sync())
        say(lab, "MASTER")
        lab.tell(SYNC, Crash())
        assert self.states(plane) == [MASTER]
        lab.advance(10.0)
        lab.tell("supervisor", Reload(sync(daemon=Daemon("", "eth0", 9))))
        lab.advance(1.0)
        assert plane.daemons() == (Daemon(MASTER, "eth0", 9),)

    def test_a_refusal_is_told_and_tried_again(self) -> None:
        lab, plane = world(*sync())
        plane.stubborn = True
        say(lab, "MASTER")
        assert lab.status(SYNC) == IpvsStatus(SYNC, fault="not permitted")
        assert lab.actor(SYNC).explain() == ["nothing runs", f"it follows {ROUTER}", "not permitted"]
        plane.stubborn = False
        lab.advance(LOOK + 0.1)
        assert (self.states(plane), lab.status(SYNC)) == ([MASTER], IpvsStatus(SYNC, "master on eth0"))
