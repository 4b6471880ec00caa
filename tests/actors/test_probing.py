"""What the end of a probe means to its checker."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import gevent
import msgspec
import pytest
from gevent.event import Event
from gevent.queue import Queue
from structlog.testing import capture_logs

from actors.checker_actor import CheckerSpec, ProbeNow
from actors.messages import Begun, Probed
from actors.probing import LONGEST, METRICS, PAUSE, PluginProbe, PluginProbes, judge
from actors.runtime.dial import CooperativeDial, NativeDial
from actors.runtime.lanes import DeadlinePassed, Ended, Lanes
from actors.runtime.leaks import Leaks
from actors.runtime.turns import Turns
from actors.runtime.workers import Workers
from plugins.api import Counted, Degraded, Failed, Passed, Target, Weighed, build, checker, option
from plugins.registry import Place, places


@pytest.mark.parametrize(
    ("value", "passed", "detail"),
    [
        (Passed(), True, ""),
        (Failed("refused"), False, "refused"),
        (Failed("two\nlines"), False, "two\\nlines"),
        (Failed("\x1b[31mred"), False, "\\x1b[31mred"),
        (Failed("bytes \udcff"), False, "bytes \\udcff"),
        (Failed("x" * 1000), False, "x" * LONGEST),
        (Failed("é 漢"), False, "é 漢"),
        (Failed(404), False, "<int>"),  # type: ignore[arg-type]
    ],
)
def test_a_detail_is_one_short_line_that_logs_and_json_can_carry(value: Any, passed: bool, detail: str) -> None:
    probed = judge(Ended(7, value, None, 0.5))
    assert probed == Probed(7, passed, detail, 0.5)
    assert msgspec.json.decode(msgspec.json.encode(probed), type=Probed) == probed


def test_a_degraded_service_is_healthy_with_a_share() -> None:
    assert judge(Ended(7, Degraded(30, "slow"), None, 0.5)) == Probed(7, True, "slow", 0.5, share=30)


def test_a_service_that_knows_its_weight_is_healthy_with_it() -> None:
    assert judge(Ended(7, Weighed(30, "mine"), None, 0.5)) == Probed(7, True, "mine", 0.5, weight=30)


def test_a_failure_may_be_by_a_number() -> None:
    assert judge(Ended(7, Counted(-3, "it is -3"), None, 0.5)) == Probed(7, False, "it is -3", 0.5, value=-3)
    assert Counted(-3, "bad") != Failed("bad")


@pytest.mark.parametrize("end", [Passed, lambda metrics: Degraded(100, "", metrics), lambda m: Failed("", m)])
def test_figures_of_a_plugin_are_finite_numbers_with_a_name(end: Any) -> None:
    figures = {
        "lag_seconds": 1.5,
        "up": True,
        "count": 3,
        "big": 10**400,
        "nan": float("nan"),
        "text": "1",
        7: 1,
        "bad\n": 2,
    }
    probed = judge(Ended(7, end(metrics=figures) if end is Passed else end(figures), None, 0.5))
    assert probed.metrics == (("lag_seconds", 1.5), ("up", True), ("count", 3), ("<int>", 1), ("bad\\n", 2))
    assert msgspec.json.decode(msgspec.json.encode(probed), type=Probed) == probed


def test_figures_without_end_are_cut_and_what_is_none_is_left_out() -> None:
    many = Passed("", {str(n): n for n in range(1000)})
    assert len(judge(Ended(7, many, None, 0.5)).metrics) == METRICS
    assert judge(Ended(7, Passed("", "lots"), None, 0.5)).metrics == ()  # type: ignore[arg-type]


def test_a_stop_at_the_deadline_is_a_failure_and_no_crash() -> None:
    assert judge(Ended(7, None, DeadlinePassed(), 1.0)) == Probed(7, False, "stopped at its deadline", 1.0)


def test_anything_else_is_a_crash_with_its_traceback() -> None:
    probed = judge(Ended(7, None, KeyError("x"), 1.0))
    assert (probed.passed, probed.detail) == (False, "the plugin crashed")
    assert probed.crash.endswith("KeyError: 'x'\n")


LEAKY = """
import socket
from plugins.api import Passed, checker
LEFT = []
@checker("LEAKY")
class Leaky:
    "Forgets to close."
    def probe(self, target):
        LEFT.append(socket.socket())
        return Passed()
@checker("KEEPER")
class Keeper:
    "Has a client."
    def setup(self):
        return socket.socket()
    def probe(self, target, client):
        client.setblocking(True)
        return Passed()
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A file with a plugin that leaks; what it left is closed when the test is over."""
    (tmp_path / "leaky.py").write_text(LEAKY)
    (made,), _ = places([tmp_path], entry_points=False)
    yield made
    for module in [each for name, each in sys.modules.items() if name.endswith("_leaky")]:
        for left in module.LEFT:
            left.close()


def probed(probes: PluginProbes, spec: CheckerSpec, times: int) -> list[Probed]:
    """What so many probes come to; then the checker is stopped."""
    reports: Queue[Probed] = Queue()
    probe = probes.open(spec, reports.put)
    ends = []
    for run in range(times):
        probe.start(run)
        ends.append(reports.get(timeout=5))
    probe.close()
    gevent.sleep(0)
    return ends


@pytest.mark.parametrize("threaded", [False, True])
def test_a_plugin_that_leaves_sockets_behind_is_named(place: Place, threaded: bool) -> None:
    probes = PluginProbes(Lanes(Workers()), Leaks(every=0.0, grace=0.0, many=8))
    spec = CheckerSpec("check/a", "LEAKY", threaded, "127.0.0.1", 1, origin=place.origin, edition=place.edition)
    with capture_logs() as lines:
        ends = probed(probes, spec, 9)
    assert {end.passed for end in ends} == {True}
    assert [(line["keyword"], line["descriptors"]) for line in lines] == [("LEAKY", 8)]


@pytest.mark.parametrize("threaded", [False, True])
def test_a_client_that_is_kept_is_no_leak_and_is_closed_with_its_checker(place: Place, threaded: bool) -> None:
    probes = PluginProbes(Lanes(Workers()), Leaks(every=0.0, grace=0.0, many=1))
    spec = CheckerSpec("check/a", "KEEPER", threaded, "127.0.0.1", 1, origin=place.origin, edition=place.edition)
    before = set(os.listdir("/proc/self/fd"))
    with capture_logs() as lines:
        ends = probed(probes, spec, 9)
    while len(os.listdir("/proc/self/fd")) > len(before):
        gevent.sleep(0.001)
    assert ({end.passed for end in ends}, lines) == ({True}, [])


class Bell:
    """Rung, it can be read until it is heard."""

    def __init__(self) -> None:
        self.ear, self.mouth = os.pipe()

    def close(self) -> None:
        os.close(self.ear)
        os.close(self.mouth)


BELLS: list[Bell] = []


@checker("RUNG")
class Rung:
    """Watches a bell."""

    breaks: bool = option(False)

    def setup(self) -> Bell:
        BELLS.append(Bell())
        return BELLS[-1]

    def watch(self, bell: Bell) -> tuple[int, ...]:
        if self.breaks:
            raise ValueError("no bell")
        return (bell.ear,)

    def probe(self, target: Target, bell: Bell) -> Passed:
        return Passed()


@pytest.mark.parametrize("threaded", [False, True])
def test_what_a_plugin_watches_asks_for_the_next_probe_once_and_not_too_soon(threaded: bool) -> None:
    said: Queue = Queue()
    probe = rung(said, threaded)
    probe.start(1)
    assert said.get(timeout=5).passed
    began = monotonic()
    os.write(BELLS[-1].mouth, b"!")
    assert said.get(timeout=5) == ProbeNow()
    assert monotonic() - began < 1
    gevent.sleep(0.1)
    assert said.empty()  # though it can still be read
    again = monotonic()
    probe.start(2)
    assert [type(said.get(timeout=5)) for _ in range(2)] == [Probed, ProbeNow]
    assert monotonic() - again >= PAUSE * 0.9
    probe.close()
    probe.close()


def test_one_that_is_closed_while_its_probe_runs_watches_nothing_when_that_ends() -> None:
    said: Queue = Queue()
    probe = rung(said, True)
    probe.start(1)
    probe.close()
    assert said.get(timeout=5).passed
    assert probe._watch is None


def test_a_watch_that_breaks_is_a_line_in_the_log_and_no_more() -> None:
    said: Queue = Queue()
    probe = rung(said, False, (("breaks", True),))
    with capture_logs() as lines:
        probe.start(1)
        assert said.get(timeout=5).passed
        gevent.sleep(0.01)
    assert [(line["event"], line["actor"]) for line in lines] == [("plugin crashed in its watch", "check/rung")]
    probe.close()


def rung(said: Queue, threaded: bool, options: Any = ()) -> PluginProbe:
    spec = CheckerSpec("check/rung", "RUNG", threaded, "127.0.0.1", 0)
    lanes = Lanes(Workers())
    dial = NativeDial() if threaded else CooperativeDial()
    return PluginProbe(spec, build(Rung, options), lanes.open(spec.id, threaded), dial, said.put, Turns())


GATES: list[Event] = []


@checker("GATED")
class Gated:
    """Ends when its gate is opened."""

    def probe(self, target: Target) -> Passed:
        GATES.append(Event())
        GATES[-1].wait()
        return Passed()


def test_so_many_probes_at_once_and_the_next_has_its_turn_when_one_ends_or_is_given_up() -> None:
    GATES.clear()
    said: Queue = Queue()
    turns, lanes = Turns(2), Lanes(Workers())
    probes = []
    for name in "abcd":
        spec = CheckerSpec(f"check/{name}", "GATED", False, "127.0.0.1", 0)
        lane = lanes.open(spec.id, False)
        probes.append(PluginProbe(spec, build(Gated, ()), lane, CooperativeDial(), said.put, turns))
    assert [probe.start(number) for number, probe in enumerate(probes)] == [True, True, False, False]
    gevent.sleep(0)
    assert (len(GATES), turns.waiting) == (2, 2)
    GATES[0].set()
    assert [said.get(timeout=5), said.get(timeout=5).run] == [Begun(2), 0]
    probes[1].abandon()
    assert said.get(timeout=5) == Begun(3)
    for probe in probes:
        probe.close()
    assert turns.waiting == 0
