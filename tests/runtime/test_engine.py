"""The runtime on a real gevent loop: actors that block, that never rest, that are many."""

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from actors.children import Child
from actors.core.status import CheckStatus, Verdict
from actors.fleet import Fleet
from actors.messages import Shutdown, Stop
from actors.runtime.actor import Context
from actors.runtime.engine import Engine
from actors.supervisor_actor import SupervisorActor
from tests.world import Listener


class Obedient:
    """Calls what it is told, with its context."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def on_start(self) -> None:
        """Nothing."""

    def receive(self, message: Any) -> None:
        message(self._context)

    def on_stop(self, final: bool) -> None:
        """Nothing."""


class Restless:
    """Tells itself for ever."""

    def __init__(self, context: Context, turns: list[int]) -> None:
        self._context = context
        self._turns = turns

    def on_start(self) -> None:
        self._context.tell(self._context.id, "again")

    def receive(self, message: Any) -> None:
        self._turns[0] += 1
        self._context.tell(self._context.id, message)

    def on_stop(self, final: bool) -> None:
        """Nothing."""


@pytest.fixture(autouse=True)
def _limit() -> Iterator[None]:
    with gevent.Timeout(10.0):
        yield


@pytest.fixture
def engine() -> Engine:
    return Engine({})


def test_an_actor_that_blocks_holds_only_itself_up(engine: Engine) -> None:
    gate, done, order = Event(), Event(), []
    for id in ("slow", "quick"):
        engine.system.start(id, Obedient)
    engine.system.tell("slow", lambda _: gate.wait())
    engine.system.tell("slow", lambda _: (order.append("slow"), done.set()))
    engine.system.tell("quick", lambda _: (order.append("quick"), gate.set()))
    done.wait()
    assert order == ["quick", "slow"]


def test_an_actor_that_tells_itself_for_ever_starves_neither_others_nor_timers_nor_the_loop(engine: Engine) -> None:
    turns, rung = [0], Event()
    engine.system.start("restless", Restless, (turns,))
    engine.system.start("other", Obedient)
    engine.system.tell("other", lambda context: context.after("t", 0.01, lambda _: rung.set()))
    rung.wait()
    gevent.sleep(0.001)
    engine.system.tell("restless", Stop())
    while engine.system.find("restless"):
        gevent.sleep(0)
    assert turns[0] > 0


def test_stop_reaches_an_actor_in_the_midst_of_its_mail_but_not_of_a_message(engine: Engine) -> None:
    gate, seen = Event(), []
    engine.system.start("a", Obedient)
    engine.system.tell("a", lambda _: (gate.wait(), seen.append("first")))
    engine.system.tell("a", lambda _: seen.append("second"))
    gevent.sleep(0)
    engine.system.tell("a", Stop())
    gate.set()
    while engine.system.find("a"):
        gevent.sleep(0)
    assert seen == ["first"]


def test_timers_ring_on_the_loop_in_order_and_cancelled_ones_do_not(engine: Engine) -> None:
    rung, done = [], Event()
    engine.system.start("a", Obedient)

    def arm(context: Context) -> None:
        context.after("late", 0.02, lambda _: (rung.append("late"), done.set()))
        context.after("soon", 0.01, lambda _: rung.append("soon"))
        context.after("never", 0.01, lambda _: rung.append("never"))
        context.cancel("never")

    engine.system.tell("a", arm)
    done.wait()
    assert rung == ["soon", "late"]


def test_a_thousand_idle_actors_hold_no_greenlet(engine: Engine) -> None:
    heard: list[Any] = []
    for n in range(1000):
        engine.system.start(f"idle/{n}", Listener, (heard,))
    for n in range(1000):
        engine.system.tell(f"idle/{n}", n)
    while len(heard) < 1000:
        gevent.sleep(0.001)
    assert engine.workers.parked == 1
    assert all(context._mail is None and not context.busy for context in engine.system.alive())


def supervised(engine: Engine, *children: Child) -> list[int]:
    """Start a supervisor over ``children`` and wait for them; the list gets the code that it ends with."""
    codes: list[int] = []
    engine.system.ports = {"launcher": Fleet(engine.system), "ended": codes.append}
    engine.system.start("supervisor", SupervisorActor, (children,), ("launcher", "ended"))
    while len(engine.system.alive()) <= len(children):
        gevent.sleep(0)
    return codes


def test_a_timeout_of_gevent_in_an_actor_is_its_death_and_it_is_restarted(engine: Engine) -> None:
    codes = supervised(engine, Child("a", Obedient))
    first = engine.system.find("a")

    def time_out(context: Context) -> None:
        with gevent.Timeout(0.001):
            Event().wait()

    engine.system.tell("a", time_out)
    while engine.system.find("a") in (first, None):
        gevent.sleep(0.01)
    assert first is not None
    assert (first.alive, codes) == (False, [])


def test_publications_reach_their_subscribers_and_the_end_its_listener(engine: Engine) -> None:
    heard: list[Any] = []
    codes = supervised(engine, Child("source", Obedient), Child("listener", Listener, (heard, "source")))
    status = CheckStatus("source", Verdict.OK)
    engine.system.tell("source", lambda context: context.publish(status))
    while status not in heard:
        gevent.sleep(0)
    engine.system.tell("supervisor", Shutdown(3))
    while not codes:
        gevent.sleep(0)
    assert codes == [3]
    assert [context.id for context in engine.system.alive()] == ["supervisor"]
