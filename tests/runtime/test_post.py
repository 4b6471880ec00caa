"""What stays in a process and what goes to main."""

from typing import Any

from actors.core.status import AddressStatus, CheckStatus, LinkStatus, Verdict, VrrpStatus
from actors.messages import Crash, Published, Replayed, Run, Stop, Subscribe
from actors.runtime.actor import Context
from actors.runtime.frames import Frame, Letter
from actors.runtime.post import Post
from tests.world import Bench, Listener

UP = LinkStatus("link/eth0", True)
MASTER = VrrpStatus("vrrp/a", "MASTER", 100)


class Speaker:
    """Publishes what it is told to."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def on_start(self) -> None:
        """Nothing."""

    def receive(self, message: Any) -> None:
        self._context.publish(message)

    def on_stop(self, final: bool) -> None:
        """Nothing."""


class Office:
    """A process with a post, and what it sent to main."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.sent: list[Frame] = []
        self.post = Post(self.bench.system, ("link/", "vrrp/", "address/"), self.sent.append)
        self.heard: list[Any] = []
        self.bench.system.start("link/eth0", Speaker)

    def listen(self, *patterns: str) -> None:
        self.bench.system.start("vrrp/a", Listener, (self.heard, *patterns))
        self.bench.settle()

    def say(self, status: Any) -> None:
        self.bench.tell("link/eth0", status)

    def deliver(self, to: str, message: Any) -> None:
        self.post.deliver(Letter(to, message))
        self.bench.settle()


def test_what_is_said_here_reaches_those_who_follow_it_here_and_main_too() -> None:
    office = Office()
    office.listen("link/eth0")
    office.say(UP)
    office.say(UP)
    assert office.heard == [Replayed("link/eth0"), UP]
    assert office.sent == [Letter("supervisor", Published(UP))] * 2


def test_who_comes_late_is_told_what_was_said_here() -> None:
    office = Office()
    office.say(UP)
    office.listen("link/eth0")
    assert office.heard == [UP, Replayed("link/eth0")]


def test_what_lives_elsewhere_is_asked_of_main_and_comes_by_letter() -> None:
    office = Office()
    office.listen("check/db")
    assert office.sent == [Letter("supervisor", Subscribe("vrrp/a", "check/db"))]
    status = CheckStatus("check/db", Verdict.OK)
    office.deliver("vrrp/a", status)
    office.deliver("vrrp/a", Replayed("check/db"))
    assert office.heard == [status, Replayed("check/db")]


def test_a_message_to_somebody_elsewhere_goes_to_main() -> None:
    office = Office()
    run = Run("vrrp/a", "MASTER", ("/bin/true",))
    office.bench.tell("notify", run)
    assert office.sent == [Letter("notify", run)]


def test_a_letter_to_the_dead_is_dropped_and_does_not_come_back() -> None:
    office = Office()
    office.deliver("vrrp/gone", Crash())
    assert office.sent == []


def test_a_death_is_reported_and_its_subscriptions_end() -> None:
    office = Office()
    office.listen("link/eth0")
    office.deliver("vrrp/a", Crash())
    assert [type(frame.message).__name__ for frame in office.sent if isinstance(frame, Letter)] == ["Died"]
    assert office.post.board.audience("link/eth0") == ()


def test_what_a_predecessor_process_said_is_known_before_anybody_asks() -> None:
    office = Office()
    office.post.recall((UP, MASTER, AddressStatus("address/a", True)))
    office.listen("link/eth0")
    assert office.heard == [UP, Replayed("link/eth0")]


def test_what_has_stopped_for_good_is_forgotten_and_what_makes_way_for_a_successor_is_not() -> None:
    for final, known in ((False, UP), (True, None)):
        office = Office()
        office.say(UP)
        office.deliver("link/eth0", Stop(final))
        assert office.post.board.last("link/eth0") == known
