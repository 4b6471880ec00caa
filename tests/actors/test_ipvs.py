"""A virtual server: quorum, sorry server, and a table that follows, is healed, and is left alone when it should be."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.children import Child
from actors.core.quorum import Member, Quorum, Roster, Sorry, pool, pools
from actors.core.status import CheckStatus, ServerStatus, ServiceStatus, Verdict
from actors.core.table import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Destination,
    Edit,
    EditDestination,
    Load,
    Loads,
    Pool,
    Service,
    ServiceKey,
)
from actors.ipvs_actor import FRESH, HEARING, RECONCILE, IpvsActor, Reconcile, ServiceSpec
from actors.messages import Crash, Program, Replayed, Revive, Stop
from actors.planes import PlaneError
from actors.planes.memory import MemoryPlane
from actors.real_server_actor import RealServerActor, RealServerSpec
from actors.services_actor import ServicesActor, ServicesSpec
from actors.supervisor_actor import Reload
from tests.world import Bench, Listener, World, events

UNKNOWN, OK, FAILED = Verdict.UNKNOWN, Verdict.OK, Verdict.FAILED
KEY = ServiceKey(4, "10.0.0.1", 80, "tcp")
SERVICE = Service(KEY)
ID = "vs/10.0.0.1:80:tcp"
SPARE = Destination("10.0.9.9", 80)
UP, DOWN = Program(("/bin/quorum", "up")), Program(("/bin/quorum", "down"))
LONG = RECONCILE * 1.2 + 0.05


def rs(name: str) -> str:
    return f"{ID}/rs/{name}"


def place(name: str, weight: int = 1) -> Destination:
    return Destination(f"10.0.1.{ord(name) - ord('a') + 1}", 80, weight)


def whole(roster: Roster) -> Child:
    """Who takes services away."""
    return Child(
        "services", ServicesActor, (ServicesSpec("services", tuple(s.key for s in roster.services)),), ("plane",)
    )


class Table(MemoryPlane):
    """The memory plane, with whims: ``refuse`` says what it will not do; ``blind`` it cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.refuse: Callable[[Edit], bool] = lambda edit: False
        self.blind = False
        self.counts = 0

    def read(self, key: ServiceKey) -> Pool | None:
        self._look()
        pool = super().read(key)
        return pool and Pool(pool.service, pool.destinations[::-1])

    def apply(self, edit: Edit) -> None:
        if self.refuse(edit):
            raise PlaneError(f"refused {type(edit).__name__}")
        super().apply(edit)

    def loads(self, key: ServiceKey) -> Loads:
        self._look()
        self.counts += 1
        return Loads(Load(active=2), {("10.0.1.1", 80): Load(active=2)})

    def _look(self) -> None:
        if self.blind:
            raise PlaneError("cannot read")

    def news(self) -> str:
        """What was done since it was last asked, in short."""
        text = " ".join(_short(edit) for edit in self.edits)
        self.edits.clear()
        return text


def _short(edit: Edit) -> str:
    destination = getattr(edit, "destination", None)
    if destination is None:
        return type(edit).__name__
    return f"{type(edit).__name__[:-11].lower()} {_name(destination)}:{destination.weight}"


def _name(destination: Destination) -> str:
    return "sorry" if destination.address == SPARE.address else chr(ord("a") - 1 + int(destination.address[-1]))


class Service_(World):  # noqa: N801 - Service is a value of the table
    """A world with one virtual server over a table; the test speaks for its servers."""

    def __init__(self, *names: str, table: Table | None = None, **settings: Any) -> None:
        self.table = table or Table()
        self.programs: list[Any] = []
        super().__init__(self.children(*names, **settings), {"plane": self.table})
        self.advance(0.0)

    def children(
        self, *names: str, omega: bool = False, heals: bool = True, service: Service = SERVICE, **settings: Any
    ) -> tuple[Child, ...]:
        members = tuple(Member(rs(name[0]), place(name[0]), name.endswith("!")) for name in names)
        spec = ServiceSpec(ID, Roster(service, members, **settings), UP, DOWN, omega, heals)
        servers = (Child(rs(name), Listener, ([],)) for name in "abc")
        notify = Child("notify", Listener, (self.programs,))
        return (notify, whole(spec.roster), *servers, Child(ID, IpvsActor, (spec,), ("plane",)))

    def say(self, weight: int = 1, **verdicts: Verdict) -> None:
        """Servers speak; nobody has decided yet."""
        for name, verdict in verdicts.items():
            context = self.system.find(rs(name))
            assert context is not None
            context.publish(ServerStatus(rs(name), verdict, weight))
        self.settle()

    def decide(self, weight: int = 1, **verdicts: Verdict) -> None:
        self.say(weight, **verdicts)
        self.advance(0.0)

    @property
    def pool(self) -> str:
        """What the table holds, as name:weight in order of the names."""
        held = MemoryPlane.read(self.table, KEY)
        return " ".join(sorted(f"{_name(d)}:{d.weight}" for d in held.destinations)) if held else "none"

    def events(self) -> str:
        return " ".join(event for _, event in events(self.programs))


class TestPool:
    def test_servers_enter_when_they_are_ok_and_leave_when_they_fail(self) -> None:
        world = Service_("a", "b")
        assert (world.pool, world.status(ID)) == ("", ServiceStatus(ID, False, 0, False))
        world.decide(a=OK, b=UNKNOWN)
        assert (world.pool, world.status(ID)) == ("a:1", ServiceStatus(ID, True, 1, False))
        world.decide(b=OK)
        world.decide(a=FAILED)
        assert (world.pool, world.status(ID)) == ("b:1", ServiceStatus(ID, True, 1, False))
        assert world.table.news() == "AddService add a:1 add b:1 delete a:1"

    def test_all_the_news_of_one_moment_are_one_decision(self) -> None:
        world = Service_("a", "b")
        world.say(a=OK)
        world.say(a=FAILED, b=OK)
        world.advance(0.0)
        assert (world.table.news(), world.events()) == ("AddService add b:1", "quorum_up")

    def test_a_failing_server_that_inhibits_stays_with_weight_0(self) -> None:
        world = Service_("a!", "b")
        assert world.pool == "a:0"
        world.decide(a=OK, b=OK)
        world.decide(a=FAILED, b=FAILED)
        assert world.pool == "a:0"

    def test_a_new_weight_is_edited_in_place(self) -> None:
        world = Service_("a")
        world.decide(a=OK)
        world.table.edits.clear()
        world.decide(weight=7, a=OK)
        assert world.table.news() == "edit a:7"

    def test_strangers_are_not_let_in(self) -> None:
        world = Service_("a")
        world.decide(c=OK)
        assert (world.pool, world.status(ID)) == ("", ServiceStatus(ID, False, 0, False))


class TestQuorum:
    def test_scripts_run_once_each_time_and_not_at_an_uncertain_start(self) -> None:
        world = Service_("a", "b")
        world.decide(a=FAILED)
        assert world.events() == ""
        world.decide(b=FAILED)
        assert world.events() == "quorum_down"
        for verdict in (OK, OK, FAILED, FAILED, OK):
            world.decide(a=verdict)
        assert world.events() == "quorum_down quorum_up quorum_down quorum_up"
        assert world.programs[-2:] == [DOWN.run(ID, "quorum_down"), UP.run(ID, "quorum_up")]

    def test_the_sorry_server_serves_while_quorum_is_lost_and_nobody_else_does(self) -> None:
        world = Service_("a", "b", "c", sorry=Sorry(SPARE), quorum=Quorum(2))
        assert (world.pool, world.status(ID)) == ("sorry:1", ServiceStatus(ID, False, 0, True))
        world.decide(a=OK)
        assert (world.pool, world.status(ID)) == ("sorry:1", ServiceStatus(ID, False, 1, True))
        world.decide(b=OK)
        assert (world.pool, world.status(ID)) == ("a:1 b:1", ServiceStatus(ID, True, 2, False))
        world.decide(a=FAILED)
        assert (world.pool, world.status(ID)) == ("sorry:1", ServiceStatus(ID, False, 1, True))

    def test_an_inhibited_sorry_server_stays_with_weight_0(self) -> None:
        world = Service_("a", sorry=Sorry(SPARE, inhibit=True))
        world.decide(a=OK)
        assert world.pool == "a:1 sorry:0"
        world.decide(a=FAILED)
        assert world.pool == "sorry:1"

    def test_within_the_dead_band_nothing_happens(self) -> None:
        world = Service_("a", "b", "c", quorum=Quorum(2, 1), sorry=Sorry(SPARE))
        world.decide(a=OK, b=OK)
        assert (world.pool, world.events()) == ("sorry:1", "")
        world.decide(c=OK)
        world.decide(a=FAILED, b=FAILED)
        assert (world.pool, world.events()) == ("c:1", "quorum_up")
        world.decide(c=FAILED)
        assert (world.pool, world.events()) == ("sorry:1", "quorum_up quorum_down")


class TestRefusal:
    def test_one_refused_edit_holds_no_other_up_is_told_and_is_tried_again(self) -> None:
        table = Table()
        table.refuse = lambda edit: _short(edit).startswith("add b")
        world = Service_("a", "b", "c", table=table)
        world.decide(a=OK, b=OK, c=OK)
        assert (world.pool, world.status(ID)) == (
            "a:1 c:1",
            ServiceStatus(ID, True, 3, False, "refused AddDestination"),
        )
        assert world.actor(ID).explain()[-1] == "the data plane refuses: refused AddDestination"
        world.advance(LONG)
        assert world.pool == "a:1 c:1"
        table.refuse = lambda edit: False
        world.advance(LONG)
        assert (world.pool, world.status(ID)) == ("a:1 b:1 c:1", ServiceStatus(ID, True, 3, False))
        assert world.actor(ID).drifts == 0

    def test_a_refusal_that_goes_on_is_logged_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        table = Table()
        table.refuse = lambda edit: True
        world = Service_("a", table=table)
        world.decide(a=OK)
        world.advance(10 * LONG)
        assert capsys.readouterr().out.count("data plane") == 1

    def test_a_plane_that_cannot_be_read_is_told_and_believed_to_be_as_it_was(self) -> None:
        world = Service_("a")
        world.decide(a=OK)
        world.table.blind = True
        world.advance(LONG)
        assert world.status(ID) == ServiceStatus(ID, True, 1, False, "cannot read")
        assert world.actor(ID).loads() == {KEY: Loads()}
        world.table.blind = False
        world.advance(LONG)
        assert (world.status(ID), world.table.news()) == (ServiceStatus(ID, True, 1, False), "AddService add a:1")
        assert world.actor(ID).loads() == {KEY: Loads(Load(active=2), {place("a").key: Load(active=2)})}

    def test_a_plane_that_cannot_be_read_at_the_start_is_no_crash(self) -> None:
        table = Table()
        table.blind = True
        world = Service_("a", table=table)
        world.decide(a=OK)
        assert (world.pool, world.status(f"child/{ID}")) == ("a:1", None)

    def test_what_could_not_be_read_at_the_start_is_no_drift_once_it_can(self) -> None:
        table = Table()
        for edit in (AddService(SERVICE), AddDestination(KEY, place("b"))):
            table.apply(edit)
        table.blind = True
        world = Service_("a", table=table)
        world.decide(a=OK)
        error = "adding service 10.0.0.1:80:tcp: it is there already"
        assert world.status(ID) == ServiceStatus(ID, True, 1, False, error)
        table.blind = False
        world.advance(LONG)
        assert (world.pool, world.actor(ID).drifts) == ("a:1", 0)
        assert world.status(ID) == ServiceStatus(ID, True, 1, False)

    def test_a_refused_edit_waits_longer_and_longer_and_holds_up_no_news(self) -> None:
        table, tries = Table(), []

        def refuse(edit: Edit) -> bool:
            if not _short(edit).startswith("add b"):
                return False
            tries.append(world.clock.now())
            return True

        world = Service_("a", "b", "c", table=table)
        table.refuse = refuse
        world.decide(b=OK)
        began = tries[0]
        world.advance(0.5)
        world.decide(a=OK, c=OK)
        assert (world.pool, len(tries)) == ("a:1 c:1", 1)
        world.advance(250.0)
        assert [round(at - began) for at in tries] == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]

    def test_a_service_that_cannot_be_added_is_not_asked_to_take_servers(self) -> None:
        table, tried = Table(), []
        table.refuse = lambda edit: bool(tried.append(_short(edit))) or isinstance(edit, AddService)
        world = Service_("a", "b", table=table)
        world.decide(a=OK, b=OK)
        world.advance(1.5)
        assert tried == ["AddService", "AddService"]
        table.refuse = lambda edit: False
        world.advance(2.5)
        assert (world.pool, world.status(ID)) == ("a:1 b:1", ServiceStatus(ID, True, 2, False))


class TestFigures:
    def test_they_are_read_once_for_all_who_ask_within_some_seconds(self) -> None:
        world = Service_("a")
        for _ in range(5):
            world.actor(ID).loads()
        assert world.table.counts == 1
        world.advance(FRESH)
        world.actor(ID).loads()
        assert world.table.counts == 2


class TestGroup:
    MARK = ServiceKey(4, fwmark=7)
    MORE = (ServiceKey(4, "10.0.0.2", 8080, "tcp"), MARK)

    def test_all_services_have_the_same_servers_and_go_together(self) -> None:
        world = Service_("a", "b", more=self.MORE)
        world.decide(a=OK, b=OK)
        held = {key: world.table.read(key) for key in world.table.services()}
        assert [*held] == [KEY, *self.MORE]
        assert all(pool and set(pool.destinations) == {place("a"), place("b")} for pool in held.values())
        assert world.actor(ID).held == tuple(pools(world.actor(ID)._spec.roster, world.actor(ID).servers, True))
        world.decide(a=FAILED)
        assert [len(pool.destinations) for key in held if (pool := world.table.read(key))] == [1, 1, 1]
        world.shut_down()
        assert world.table.services() == ()

    def test_a_reload_takes_away_what_the_group_has_no_more_and_touches_nothing_else(self) -> None:
        world = Service_("a", more=self.MORE)
        world.decide(a=OK)
        world.table.edits.clear()
        new = ServiceKey(4, "10.0.0.3", 80, "tcp")
        world.tell("supervisor", Reload(world.children("a", service=Service(self.MORE[0]), more=(new,))))
        assert world.table.services() == (self.MORE[0], new)
        assert world.table.news() == "DeleteService DeleteService AddService add a:1"
        for last in (new, ServiceKey(4, "10.0.0.4", 80, "tcp")):
            world.tell("supervisor", Reload(world.children("a", service=Service(last), more=())))
            assert world.table.services() == (last,)

    def test_one_that_is_refused_holds_no_other_up(self) -> None:
        table = Table()
        table.refuse = lambda edit: isinstance(edit, AddService) and edit.service.key == self.MORE[0]
        world = Service_("a", table=table, more=self.MORE)
        world.decide(a=OK)
        assert table.services() == (KEY, self.MARK)
        table.refuse = lambda edit: False
        world.advance(2.0)
        assert set(table.services()) == {KEY, *self.MORE}

    def test_what_others_change_in_any_of_them_is_healed(self) -> None:
        world = Service_("a", more=self.MORE)
        world.decide(a=OK)
        world.table.apply(DeleteService(self.MARK))
        world.table.apply(DeleteDestination(self.MORE[0], place("a")))
        world.advance(LONG)
        assert (len(world.table.services()), world.actor(ID).drifts) == (3, 3)


class TestDrift:
    def test_it_is_told_and_left_where_that_is_asked(self, capsys: pytest.CaptureFixture[str]) -> None:
        world = Service_("a", "b", heals=False)
        world.decide(a=OK, b=OK)
        world.table.apply(DeleteDestination(KEY, place("a")))
        world.advance(5 * LONG)
        assert (world.pool, world.actor(ID).drifts, capsys.readouterr().out.count("drift")) == ("b:1", 1, 1)
        left = "others have changed it: adding real server 10.0.1.1:80 to 10.0.0.1:80:tcp would put that right"
        assert world.actor(ID).explain()[-1] == left
        assert world.status(ID) == ServiceStatus(ID, True, 2, False)
        world.decide(b=FAILED)
        assert world.pool == ""
        world.table.apply(AddDestination(KEY, place("a")))
        world.advance(LONG)
        assert (world.actor(ID).explain()[-1], world.pool) == (f"  {rs('b')}: FAILED, weight 1", "a:1")

    def test_where_it_is_left_an_edit_of_ours_that_is_refused_heals_nothing_of_it(self) -> None:
        table = Table()
        world = Service_("a", "b", "c", table=table, heals=False)
        world.decide(a=OK, b=OK)
        table.apply(DeleteDestination(KEY, place("a")))
        world.advance(LONG)
        table.refuse = lambda edit: _short(edit).startswith("add c")
        world.decide(c=OK, b=FAILED)
        assert (world.pool, world.status(ID)) == ("", ServiceStatus(ID, True, 2, False, "refused AddDestination"))
        world.advance(5 * LONG)
        assert (world.pool, world.actor(ID).drifts) == ("", 1)
        table.refuse = lambda edit: False
        world.advance(60.0)
        assert (world.pool, world.status(ID)) == ("c:1", ServiceStatus(ID, True, 2, False))
        left = "others have changed it: adding real server 10.0.1.1:80 to 10.0.0.1:80:tcp would put that right"
        assert world.actor(ID).explain()[-1] == left

    def test_where_it_is_left_the_server_that_news_concern_becomes_what_they_say(self) -> None:
        world = Service_("a", "b!", "c", heals=False)
        world.decide(a=OK, b=OK)
        for edit in (DeleteDestination(KEY, place("b")), AddDestination(KEY, place("c", 9))):
            world.table.apply(edit)
        world.advance(LONG)
        world.decide(c=OK, b=FAILED)
        world.advance(2.0)
        assert (world.pool, world.status(ID)) == ("a:1 b:0 c:1", ServiceStatus(ID, True, 2, False))
        world.table.apply(DeleteDestination(KEY, place("c")))
        world.decide(c=FAILED)
        world.advance(LONG)
        assert (world.pool, world.actor(ID).explain()[-1]) == ("a:1 b:0", f"  {rs('c')}: FAILED, weight 1")

    def test_where_it_is_left_what_could_not_be_read_at_the_start_is_ours_once_it_can(self) -> None:
        table = Table()
        for edit in (AddService(SERVICE), AddDestination(KEY, place("b"))):
            table.apply(edit)
        table.blind = True
        world = Service_("a", table=table, heals=False)
        world.decide(a=OK)
        table.blind = False
        world.advance(LONG)
        assert (world.pool, world.actor(ID).drifts) == ("a:1", 0)

    def test_the_same_change_by_others_is_told_each_time_it_is_healed(self) -> None:
        world = Service_("a")
        world.decide(a=OK)
        for _ in range(2):
            world.table.apply(DeleteDestination(KEY, place("a")))
            world.advance(LONG)
        assert (world.pool, world.actor(ID).drifts) == ("a:1", 2)

    def test_what_others_change_is_healed_and_counted(self) -> None:
        world = Service_("a", "b")
        world.decide(a=OK, b=OK)
        world.table.apply(DeleteDestination(KEY, place("a")))
        world.table.apply(EditDestination(KEY, place("b", 9)))
        world.table.apply(AddDestination(KEY, place("c")))
        world.advance(LONG)
        assert (world.pool, world.actor(ID).drifts) == ("a:1 b:1", 3)
        world.table.apply(DeleteService(KEY))
        world.advance(LONG)
        assert (world.pool, world.actor(ID).drifts) == ("a:1 b:1", 6)
        world.advance(10 * LONG)
        assert world.actor(ID).drifts == 6

    def test_news_that_no_decision_was_made_on_yet_are_no_drift(self) -> None:
        world = Service_("a", "b")
        world.decide(a=OK, b=OK)
        world.say(a=FAILED)
        world.tell(ID, Reconcile())
        assert (world.pool, world.actor(ID).drifts) == ("b:1", 0)

    def test_a_server_that_flaps_does_not_put_reconciling_off(self) -> None:
        world = Service_("a", "b")
        world.decide(a=OK, b=OK)
        world.table.apply(DeleteDestination(KEY, place("b")))
        for n in range(8):
            world.decide(a=OK if n % 2 else FAILED)
            world.advance(LONG / 4)
        assert (world.pool, world.actor(ID).drifts) == ("a:1 b:1", 1)


class TestLives:
    def test_what_the_plane_holds_from_before_is_taken_over_in_place(self, capsys: pytest.CaptureFixture[str]) -> None:
        table = Table()
        for edit in (AddService(SERVICE), AddDestination(KEY, place("a", 5)), AddDestination(KEY, place("c"))):
            table.apply(edit)
        table.edits.clear()
        world = Service_("a", table=table)
        assert "adopted                        actor=vs/10.0.0.1:80:tcp servers=2" in capsys.readouterr().out
        world.decide(a=OK)
        assert "AddService" not in table.news()
        assert world.pool == "a:1"
        world.tell(ID, Crash())
        world.advance(10.0)
        assert "adopted" not in capsys.readouterr().out

    def test_servers_from_before_stay_until_the_own_ones_have_spoken_or_had_their_time(self) -> None:
        table = Table()
        for edit in (AddService(SERVICE), AddDestination(KEY, place("a")), AddDestination(KEY, place("b"))):
            table.apply(edit)
        table.edits.clear()
        world = Service_("a", "b", table=table)
        world.decide(a=OK)
        assert (world.pool, world.status(ID)) == ("a:1 b:1", None)
        world.decide(b=UNKNOWN)
        assert (world.pool, world.status(ID)) == ("a:1", ServiceStatus(ID, True, 1, False))
        table.apply(AddDestination(KEY, place("b")))
        world = Service_("a", "b", table=table)
        world.decide(b=OK)
        world.advance(HEARING)
        assert (world.pool, world.status(ID)) == ("b:1", ServiceStatus(ID, True, 1, False))

    def test_a_restart_touches_nothing_announces_nothing_and_publishes_nothing(self) -> None:
        world = Service_("a", "b", sorry=Sorry(SPARE))
        world.decide(a=OK, b=FAILED)
        heard: list[Any] = []
        world.tell(
            "supervisor", Reload((*world.children("a", "b", sorry=Sorry(SPARE)), Child("l", Listener, (heard, ID))))
        )
        heard.clear()
        world.table.edits.clear()
        world.tell(ID, Crash())
        world.advance(LONG)
        assert (world.table.news(), world.events(), heard) == ("", "quorum_up", [])

    def test_a_restart_touches_nothing_before_the_replay_is_over(self) -> None:
        table = Table()
        for edit in (AddService(SERVICE), AddDestination(KEY, place("a")), AddDestination(KEY, place("b"))):
            table.apply(edit)
        table.news()
        bench, last = Bench({"plane": table}), ServiceStatus(ID, True, 2, False)
        roster = Roster(SERVICE, tuple(Member(rs(name), place(name)) for name in "ab"))
        bench.system.start(ID, IpvsActor, (ServiceSpec(ID, roster),), ("plane",), last)
        bench.tell(ID, ServerStatus(rs("a"), OK, 1))
        bench.advance(10.0)
        assert table.news() == ""
        bench.tell(ID, ServerStatus(rs("b"), FAILED, 1))
        bench.tell(ID, Replayed(f"{ID}/rs/*"))
        assert table.news() == "delete b:1"

    def test_a_restart_within_the_dead_band_keeps_quorum(self) -> None:
        world = Service_("a", "b", "c", quorum=Quorum(2, 1), sorry=Sorry(SPARE))
        world.decide(a=OK, b=OK, c=OK)
        world.decide(a=FAILED, b=FAILED)
        world.tell(ID, Crash())
        world.advance(LONG)
        assert (world.pool, world.events()) == ("c:1", "quorum_up")

    def test_news_of_the_time_when_it_was_dead_are_followed(self) -> None:
        world = Service_("a", "b")
        world.decide(a=OK, b=OK)
        world.tell(ID, Crash())
        world.decide(a=FAILED)
        assert world.pool == "a:1 b:1"
        world.advance(0.1)
        assert world.pool == "b:1"

    def test_a_stop_for_good_removes_the_service_and_a_stop_for_a_successor_does_not(self) -> None:
        world = Service_("a")
        world.decide(a=OK)
        world.table.edits.clear()
        changed = Service(KEY, scheduler="rr")
        world.tell("supervisor", Reload(world.children("a", service=changed)))
        assert (world.table.news(), world.pool) == ("EditService", "a:1")
        world.shut_down()
        assert (world.table.news(), world.pool, world.codes) == ("DeleteService", "none", [0])

    def test_a_service_that_the_plane_never_held_is_not_deleted(self, capsys: pytest.CaptureFixture[str]) -> None:
        table = Table()
        table.refuse = lambda edit: isinstance(edit, AddService)
        world = Service_("a", table=table)
        capsys.readouterr()
        world.shut_down()
        assert table.edits == []
        assert "data plane" not in capsys.readouterr().out

    def test_one_that_crashed_still_removes_its_service_when_it_goes_for_good(self) -> None:
        world = Service_("a")
        world.decide(a=OK)
        world.tell(ID, Crash())
        world.shut_down()
        assert (world.pool, world.codes) == ("none", [0])

    @pytest.mark.parametrize(("omega", "told"), [(True, "quorum_up quorum_down"), (False, "quorum_up")])
    def test_with_omega_the_end_counts_as_losing_quorum(self, omega: bool, told: str) -> None:
        world = Service_("a", omega=omega)
        world.decide(a=OK)
        world.shut_down()
        assert world.events() == told

    def test_it_explains_the_arithmetic(self) -> None:
        world = Service_("a", "b", "c", quorum=Quorum(2, 1))
        world.decide(a=OK, b=FAILED)
        assert world.actor(ID).explain() == [
            "quorum lost: weight 1 of 3 is up, 2 wanted, hysteresis 1",
            f"  {rs('a')}: OK, weight 1",
            f"  {rs('b')}: FAILED, weight 1",
            f"  {rs('c')}: has said nothing yet",
        ]


class RandomWalk(RuleBasedStateMachine):
    """Verdicts, crashes, reloads, refusals and strangers in any order; in the end the table tells the verdicts."""

    names = st.sampled_from("abc")

    @initialize(sorry=st.booleans(), quorum=st.integers(1, 3), band=st.integers(0, 1), inhibit=st.booleans())
    def begin(self, sorry: bool, quorum: int, band: int, inhibit: bool) -> None:
        self.table = Table()
        self.said: dict[str, Verdict] = {}
        self.sorry = Sorry(SPARE) if sorry else None
        self.rule = Quorum(quorum, band)
        self.mark = "!" if inhibit else ""
        self.weights = dict.fromkeys("abc", 1)
        self.members = "abc"
        self.world = World(self.children(), {"plane": self.table})

    def children(self) -> tuple[Child, ...]:
        members = tuple(Member(rs(n), place(n, self.weights[n]), bool(self.mark)) for n in self.members)
        self.roster = Roster(SERVICE, members, self.sorry, self.rule)
        return (
            whole(self.roster),
            *(Child(f"check/{name}", Listener, ([],)) for name in "abc"),
            *(
                Child(rs(n), RealServerActor, (RealServerSpec(rs(n), self.weights[n], (f"check/{n}",)),))
                for n in self.members
            ),
            Child(ID, IpvsActor, (ServiceSpec(ID, self.roster),), ("plane",)),
        )

    @rule(name=names, verdict=st.sampled_from([OK, FAILED]))
    def a_checker_speaks(self, name: str, verdict: Verdict) -> None:
        context = self.world.system.find(f"check/{name}")
        if context is not None:
            context.publish(CheckStatus(context.id, verdict))
            self.said[name] = verdict
            self.world.settle()

    @rule(id=st.sampled_from([ID, *map(rs, "abc")]))
    def somebody_crashes(self, id: str) -> None:
        self.world.tell(id, Crash())

    @rule(members=st.sets(names, min_size=1), weight=st.integers(1, 3), name=names)
    def a_reload(self, members: set[str], weight: int, name: str) -> None:
        self.members = "".join(sorted(members))
        self.weights[name] = weight
        self.world.tell("supervisor", Reload(self.children()))

    @precondition(lambda self: self.table.services())
    @rule()
    def a_stranger_clears_the_table(self) -> None:
        MemoryPlane.apply(self.table, DeleteService(KEY))

    @rule(refused=st.sampled_from([AddDestination, EditDestination, DeleteDestination, AddService]))
    def the_plane_refuses(self, refused: type[Edit]) -> None:
        self.table.refuse = lambda edit: isinstance(edit, refused)

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.3, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule()
    def calm(self) -> None:
        """After whatever happened, and time to heal, the table is what the verdicts say."""
        self.table.refuse = lambda edit: False
        self.world.advance(3 * LONG + 10.0)
        self.tells_the_verdicts()

    def tells_the_verdicts(self) -> None:
        statuses = {rs(n): ServerStatus(rs(n), self.said.get(n, UNKNOWN), self.weights[n]) for n in self.members}
        service = self.world.status(ID)
        assert isinstance(service, ServiceStatus)
        weight = sum(s.weight for s in statuses.values() if s.verdict is OK)
        assert service.quorum in {self.rule.held(was, weight, self.roster.total) for was in (True, False)}
        wanted = pool(self.roster, statuses, service.quorum)
        held = self.table.read(KEY)
        assert held is not None
        assert (held.service, set(held.destinations)) == (SERVICE, set(wanted.destinations))
        assert service == ServiceStatus(
            ID, service.quorum, sum(s.verdict is OK for s in statuses.values()), bool(self.sorry) and not service.quorum
        )

    @invariant()
    def nobody_but_members_and_the_sorry_server_is_held(self) -> None:
        if hasattr(self, "table"):
            held = self.table.read(KEY)
            names = {_name(d) for d in held.destinations} if held else set()
            assert names <= set("abc") | ({"sorry"} if self.sorry else set())
            assert self.world.codes == []

    def teardown(self) -> None:
        if hasattr(self, "table"):
            self.calm()
            self.world.shut_down()
            assert (self.table.services(), self.world.codes, self.world.alive()) == ((), [0], [])


TestRandomWalk = RandomWalk.TestCase
TestRandomWalk.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_a_stop_by_hand_leaves_the_service_and_a_revival_goes_on_with_it() -> None:
    world = Service_("a", "b")
    world.decide(a=OK, b=OK)
    world.tell(ID, Stop())
    world.decide(a=FAILED)
    assert world.pool == "a:1 b:1"
    world.tell("supervisor", Revive(ID))
    assert world.pool == "b:1"
