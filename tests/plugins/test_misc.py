"""MISC_CHECK: real programs, run as the daemon has them run, on the loop and from a thread."""

import os
import threading
from collections.abc import Callable, Iterator
from errno import EMFILE
from pathlib import Path
from time import monotonic
from typing import Any

import gevent
import pytest

from actors.programs import Programs
from actors.runtime.dial import CooperativeDial, NativeDial
from plugins.api import Command, Failed, Passed, Result, Target, Weighed, build, outcome
from plugins.api.target import PLAIN
from plugins.misc import MiscCheck

Probe = Callable[..., Result]


@pytest.fixture(scope="module")
def programs() -> Iterator[Programs]:
    it, before = Programs(), len(os.listdir("/proc/self/fd"))
    yield it
    it.close()
    with gevent.Timeout(5):  # nothing is left to be closed while other tests run
        while len(os.listdir("/proc/self/fd")) > before:
            gevent.sleep(0.01)


@pytest.fixture(params=["loop", "thread", "script"])
def probed(request: pytest.FixtureRequest, programs: Programs) -> Probe:
    """What comes of a shell command, whether a greenlet, a native thread or a script of an author's has it run."""
    dials: dict[str, Any] = {
        "loop": CooperativeDial(programs.run),
        "thread": NativeDial(programs.run_from_thread),
        "script": PLAIN,
    }
    dial = dials[request.param]

    def probe(line: str, limit: float = 5.0, **options: Any) -> Result:
        command = (("/bin/sh", "-c", line), "", "")
        plugin = build(MiscCheck, (("misc_path", command), *options.items()))
        return apart(lambda: outcome(plugin, Target("10.0.0.1", 80, limit, dial=dial)), request.param == "thread")

    return probe


def apart(work: Callable[[], Result], in_thread: bool) -> Result:
    if not in_thread:
        return gevent.spawn(work).get()  # type: ignore[no-any-return]
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    while thread.is_alive():
        gevent.sleep(0.005)
    return results[0]


@pytest.mark.parametrize(
    ("line", "dynamic", "expected"),
    [
        ("exit 0", False, Passed()),
        ("echo fine; echo more", False, Passed("fine")),
        ("echo $CHECK_ADDRESS $CHECK_PORT", False, Passed("10.0.0.1 80")),
        ("exit 1", False, Failed("exit status 1")),
        ("echo no route >&2; exit 3", False, Failed("exit status 3: no route")),
        ("kill -9 $$", False, Failed("ended by signal 9")),
        ("exit 0", True, Passed()),
        ("exit 1", True, Failed("exit status 1")),
        ("echo light; exit 2", True, Weighed(0, "light")),
        ("exit 255", True, Weighed(253)),
        ("kill -9 $$", True, Failed("ended by signal 9")),
        ("printf '\\377\\n'", False, Passed("\ufffd")),
    ],
)
def test_a_program_says_by_its_end_how_the_server_is(probed: Probe, line: str, dynamic: bool, expected: Result) -> None:
    assert probed(line, misc_dynamic=dynamic) == expected


def test_one_that_takes_too_long_is_a_failure_and_is_ended_with_what_it_started(probed: Probe, tmp_path: Path) -> None:
    pid, began = tmp_path / "pid", monotonic()
    assert probed(f"sleep 60 & echo $! > {pid}; wait", 0.2) == Failed("timed out")
    assert monotonic() - began < 5
    with gevent.Timeout(5):
        while is_running(pid.read_text().strip()):
            gevent.sleep(0.01)


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_cannot_be_started_says_why(programs: Programs) -> None:
    plugin = build(MiscCheck, (("misc_path", (("/no/such/program",), "", "")),))
    for dial in (CooperativeDial(programs.run), PLAIN):
        end = apart(lambda dial=dial: outcome(plugin, Target("10.0.0.1", 80, dial=dial)), False)  # type: ignore[misc]
        assert end == Failed("cannot start '/no/such/program': No such file or directory")


def test_it_runs_as_its_own_user_or_that_of_all_programs(programs: Programs) -> None:
    who = (("/usr/bin/id", "-un"), "", "")
    for options, expected in (((), "daemon"), ((("user", ("nobody", "nogroup")),), "nobody")):
        plugin = build(MiscCheck, (("misc_path", who), *options))
        target = Target("10.0.0.1", 80, dial=CooperativeDial(programs.run), identity=("daemon", ""))
        assert apart(lambda p=plugin, t=target: outcome(p, t), False) == Passed(expected)  # type: ignore[misc]


def test_a_gigabyte_of_output_is_read_and_forgotten(programs: Programs) -> None:
    plugin = build(MiscCheck, (("misc_path", (("/bin/sh", "-c", "yes | head -c 1000000000; exit 4"), "", "")),))
    target = Target("10.0.0.1", 80, 30, dial=CooperativeDial(programs.run))
    assert apart(lambda: outcome(plugin, target), False) == Failed("exit status 4: y")


def test_one_that_leaves_behind_what_writes_for_ever_holds_up_nobody(programs: Programs) -> None:
    line = f"yes {'é' * 3000} & sleep 0.2; kill -9 $$"
    plugin = build(MiscCheck, (("misc_path", (("/bin/sh", "-c", line), "", "")),))
    first = apart(lambda: outcome(plugin, Target("10.0.0.1", 80, dial=CooperativeDial(programs.run))), False)
    assert str(first).startswith("ended by signal 9: é")
    fine = build(MiscCheck, (("misc_path", (("true",), "", "")),))
    next_ = apart(lambda: outcome(fine, Target("10.0.0.1", 80, dial=CooperativeDial(programs.run))), False)
    assert next_ == Passed()


def test_what_cannot_be_asked_for_is_told_to_the_thread_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(at_once: int) -> None:
        raise OSError(EMFILE, "Too many open files")

    monkeypatch.setattr("actors.programs.Spawner", refuse)
    dial = NativeDial(Programs().run_from_thread)
    errors: list[str] = []

    def ask() -> Result:
        try:
            Target("10.0.0.1", 80, dial=dial).run(Command(("true",)))
        except OSError as error:
            errors.append(error.strerror or "")
        return Passed()

    apart(ask, True)
    assert errors == ["Too many open files"]


def test_a_program_that_leaves_another_behind_with_its_output_is_not_waited_for(programs: Programs) -> None:
    plugin = build(MiscCheck, (("misc_path", (("/bin/sh", "-c", "sleep 3 & echo done"), "", "")),))
    began = monotonic()
    target = Target("10.0.0.1", 80, dial=CooperativeDial(programs.run))
    assert apart(lambda: outcome(plugin, target), False) == Passed("done")
    assert monotonic() - began < 2
