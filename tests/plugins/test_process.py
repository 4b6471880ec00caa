"""PROCESS_CHECK: real processes, counted, and their deaths noticed."""

import select
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from plugins import process
from plugins.api import Failed, Passed, Session, Target, build
from plugins.process import ProcessCheck

NAME = "counted-for-now"  # of 15 characters
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Runs a program of that name; ends all at the end."""
    monkeypatch.setattr(process, "SHARED", 0.0)
    program, begun = tmp_path / f"{NAME}-and-on", []
    program.symlink_to("/bin/sleep")

    def begin(*seconds: str) -> "subprocess.Popen[bytes]":
        begun.append(subprocess.Popen([str(program), *(seconds or ("60",))]))
        limit = monotonic() + 5
        while process.words_of(begun[-1].pid)[:1] != [str(program)]:
            assert monotonic() < limit
            sleep(0.005)
        return begun[-1]

    yield begin
    for each in begun:
        each.kill()
        each.wait()


def session(*words: str, **options: Any) -> Session:
    return Session(build(ProcessCheck, (("process", words or (NAME,)), *options.items())))


def count(session: Session) -> Any:
    return session.probe(Target("127.0.0.1", 0))


def test_as_many_must_run_as_are_asked_for(start: Start) -> None:
    one, two, at_most = session(), session(quorum=2), session(quorum_max=1)
    assert [count(each) for each in (one, two)] == [Failed(f"0 of 1 {NAME} run"), Failed(f"0 of 2 {NAME} run")]
    start()
    assert [count(each) for each in (one, two, at_most)] == [Passed(), Failed(f"1 of 2 {NAME} run"), Passed()]
    start()
    expected = [Passed(), Passed(), Failed(f"2 {NAME} run, at most 1 may")]
    assert [count(each) for each in (one, two, at_most)] == expected
    assert count(one).metrics == {"processes": 2}
    for each in (one, two, at_most):
        each.close()


@pytest.mark.parametrize(
    ("parameters", "match", "fits"),
    [
        ((), "", True),
        (("61", "2"), "", True),
        (("61",), "", False),
        ((), "exact", False),
        (("61", "2"), "exact", True),
        (("61",), "exact", False),
        ((), "initial", False),
        (("6",), "initial", True),
        (("61", "2"), "initial", True),
        (("2",), "initial", False),
        ((), "partial", False),
        (("61",), "partial", True),
        (("61", "2"), "partial", True),
        (("6",), "partial", False),
        (("2",), "partial", False),
    ],
)
def test_parameters_have_to_match(start: Start, parameters: tuple[str, ...], match: str, fits: bool) -> None:
    start("61", "2")
    it = session(NAME, *parameters, param_match=match)
    assert isinstance(count(it), Passed) is fits
    it.close()


def test_the_whole_command_is_compared_when_asked(start: Start, tmp_path: Path) -> None:
    start()
    whole, part = session(str(tmp_path / f"{NAME}-and-on"), full_command=True), session(NAME, full_command=True)
    assert (count(whole), isinstance(count(part), Failed)) == (Passed(), True)
    whole.close()
    part.close()


def test_a_death_is_noticed_at_once_and_what_was_not_collected_does_not_run(start: Start) -> None:
    it, running = session(), start()
    assert count(it) == Passed()
    (handle,) = it.news()
    assert select.select([handle], [], [], 0)[0] == []
    running.kill()
    assert select.select([handle], [], [], 5)[0] == [handle]
    assert Path(f"/proc/{running.pid}").exists()
    assert (count(it), it.news()) == (Failed(f"0 of 1 {NAME} run"), ())
    it.close()


def test_a_look_that_others_had_a_while_ago_does_not_hide_a_death(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    it, running = session(), start()
    assert count(it) == Passed()
    monkeypatch.setattr(process, "SHARED", 60.0)
    process.LOOK.processes()
    running.kill()
    running.wait()
    assert count(it) == Failed(f"0 of 1 {NAME} run")
    process.LOOK = process.Look()
    it.close()
