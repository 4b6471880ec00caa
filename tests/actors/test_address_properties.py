"""What holds of addresses whatever happens to them: roles, people, links, crashes and reloads in any order."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.address import Address
from actors.core.status import AddressStatus
from actors.messages import Crash
from actors.planes.network import LinkEvent
from tests.actors.house import MACS
from tests.actors.test_address import ID, PLACED, VIPS, Machine

FOREIGN = Address("198.51.100.7", 24)
PLANS = (VIPS, VIPS[:1], (Address("192.0.2.1", 24, label="eth0:1"), VIPS[2]))
EVENTS = st.one_of(
    st.tuples(st.just("role"), st.sampled_from(["MASTER", "BACKUP", "FAULT"])),
    st.tuples(st.just("take"), st.sampled_from(PLACED)),
    st.tuples(st.just("give"), st.sampled_from(PLACED)),
    st.tuples(st.just("refuse"), st.sampled_from(["192.0.2.1", "fd00::1", ""])),
    st.tuples(st.just("link"), st.booleans()),
    st.tuples(st.just("mute"), st.booleans()),
    st.tuples(st.just("crash"), st.none()),
    st.tuples(st.just("reload"), st.sampled_from(PLANS)),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.5, 1.1, 11.0])),
)


class Story:
    """A machine to which things happen."""

    def __init__(self, router: str, owner: bool) -> None:
        self.machine = Machine(router=router, owner=owner)
        self.machine.kernel.add("eth0", (FOREIGN,))
        self.machine.start()
        self.role = "MASTER" if not router else "BACKUP"

    def happen(self, what: str, how: Any) -> None:
        machine, kernel = self.machine, self.machine.kernel
        match what:
            case "role":
                if machine.more["router"]:
                    self.role = how
                    machine.role(how)
            case "take":
                kernel.take(how.interface, how.address)
            case "give":
                if how.address not in kernel.refused:
                    kernel.add("eth0", (how,))
            case "refuse":
                kernel.refused = {how} - {""}
            case "link":
                kernel.become(LinkEvent("eth1", how, MACS["eth1"], kernel.links["eth1"].addresses if how else ()))
            case "mute":
                kernel.mute = how
            case "crash":
                machine.world.tell(ID, Crash())
            case "reload":
                machine.given = how
                machine.reload(how)
            case "wait":
                machine.world.advance(how)
        machine.world.advance(0)

    def calm_down(self) -> None:
        """Nothing hinders it any more, and all news are told; a router that was in fault leads again if it did."""
        kernel = self.machine.kernel
        kernel.refused, kernel.mute = set(), False
        self.happen("link", True)
        kernel.tell("eth0")
        kernel.tell("eth1")
        self.machine.world.advance(400.0)
        if self.machine.more["router"]:
            self.machine.role(self.role)
        self.machine.world.advance(400.0)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(["vrrp/a", ""]), st.booleans(), st.lists(EVENTS, max_size=25))
def test_in_the_end_what_is_there_is_what_should_be_and_other_people_s_stay(
    router: str, owner: bool, events: list[tuple[str, Any]]
) -> None:
    story = Story(router, owner and bool(router))
    for event in events:
        story.happen(*event)
        assert "198.51.100.7" in story.machine.there
    story.calm_down()
    machine = story.machine
    wanted = {item.address for item in machine.given} if story.role == "MASTER" else set()
    if not machine.more["owner"]:
        given_since = {how.address for what, how in events if what == "give"}
        assert wanted <= machine.there <= wanted | {"198.51.100.7"} | given_since
    else:
        assert wanted <= machine.there
    assert (machine.status.held, machine.status.fault) == (story.role == "MASTER", "")


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(["vrrp/a", ""]), st.lists(EVENTS.filter(lambda event: event[0] != "give"), max_size=25))
def test_at_the_stop_nothing_of_ours_is_left(router: str, events: list[tuple[str, Any]]) -> None:
    story = Story(router, owner=False)
    for event in events:
        story.happen(*event)
    story.machine.world.shut_down()
    assert story.machine.there == {"198.51.100.7"}
    status = story.machine.world.status(ID)
    assert status is None or isinstance(status, AddressStatus)
