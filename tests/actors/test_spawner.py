"""The spawner and its process, for real: programs run, are ended, and outlive no one."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from actors.messages import Ran, Run
from actors.scripts import KEPT, strangers
from actors.spawner import AT_ONCE, DIED, SCRIPTS, Ended, Spawner

LOOK_AROUND = """
import os, signal, sys
files = [fd for fd in range(100) if os.path.exists(f"/proc/self/fd/{fd}")]
defaults = [signal.getsignal(number) == signal.SIG_DFL for number in (signal.SIGTERM, signal.SIGHUP)]
print(sys.stdin.read() == "", os.getpgid(0) == os.getpid(), files, defaults, file=open(sys.argv[1], "w"))
"""

TELL_VARIABLES = """
import os, sys
print(*(os.environ.get(name) for name in ("IFS", "LD_LIBRARY_PATH", "KEPT", "GIVEN")), file=open(sys.argv[1], "w"))
"""


@pytest.fixture(scope="module")
def spawner() -> Iterator[Spawner]:
    it = Spawner()
    yield it
    end(it)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that every user may write to and reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def outcome(end: Ended) -> tuple[int, str]:
    return end.status, end.error


def script(folder: Path, text: str, mode: int = 0o755) -> str:
    file = folder / "script"
    file.write_text(text)
    file.chmod(mode)
    return str(file)


def end(spawner: Spawner) -> None:
    """Close it and leave nothing behind for other tests: neither process nor greenlet nor file."""
    spawner.close()
    wait_until_gone(spawner.pid)


def wait_until_gone(pid: int) -> None:
    with gevent.Timeout(5):
        while Path(f"/proc/{pid}").exists():
            gevent.sleep(0.01)


def appear(file: Path) -> str:
    with gevent.Timeout(5):
        while not (file.exists() and file.read_text().endswith("\n")):
            gevent.sleep(0.01)
    return file.read_text().strip()


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("true",), (0, "")),
        (("/bin/sh", "-c", "exit 3"), (3, "")),
        (("/bin/sh", "-c", "kill -HUP $$"), (-signal.SIGHUP, "")),
        (("/nowhere/at/all",), (127, "cannot start '/nowhere/at/all': No such file or directory")),
        (("no-such-program-in-path",), (127, "cannot start 'no-such-program-in-path': No such file or directory")),
        (("/etc/passwd",), (127, "cannot start '/etc/passwd': Permission denied")),
        (("a\0b",), (127, "cannot start 'a\\x00b': embedded null byte")),
        ((), (127, "cannot start nothing: no program given")),
        (("true", "x" * 2_000_000), (127, "cannot start 'true': Message too long")),
        (("\udcff",), (127, "cannot start '\\udcff': not text that can be passed on")),
    ],
    ids=lambda value: None,
)
def test_how_a_program_ended_or_why_it_did_not_start(
    spawner: Spawner, argv: tuple[str, ...], expected: tuple[int, str]
) -> None:
    assert outcome(spawner.run(argv)) == expected


def test_when_secure_nothing_runs_as_root_that_others_may_change_and_as_another_user_it_does(
    open_folder: Path, tmp_path: Path
) -> None:
    spawner = Spawner()
    spawner.secure = True
    file = script(open_folder, "#!/bin/sh\n")
    tmp_path.joinpath("link").symlink_to(file)
    assert outcome(spawner.run(("true",))) == (0, "")
    for path in (file, str(tmp_path / "link")):
        assert re.fullmatch(
            f"cannot start {path!r}: as root: /.* may be written by everybody", spawner.run((path,)).error
        )
    assert outcome(spawner.run((file,), "nobody")) == (0, "")
    end(spawner)


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "who"),
    [
        (0o755, 0, 0, ""),
        (0o775, 0, 0, ""),
        (0o775, 0, 7, "may be written by group 7"),
        (0o757, 0, 0, "may be written by everybody"),
        (0o700, 9, 0, "belongs to user 9"),
    ],
)
def test_who_but_root_may_change_a_file(mode: int, uid: int, gid: int, who: str) -> None:
    assert strangers(os.stat_result((mode, 1, 1, 1, uid, gid, 0, 0, 0, 0))) == who


def test_a_file_without_an_interpreter_line_goes_through_the_shell(spawner: Spawner, tmp_path: Path) -> None:
    file = script(tmp_path, 'echo "$2 $1" > "$(dirname "$0")/said"\n')
    assert outcome(spawner.run((file, "one", "two"))) == (0, "")
    assert (tmp_path / "said").read_text() == "two one\n"


def test_a_program_reads_nothing_leads_its_own_group_and_has_default_signals(spawner: Spawner, tmp_path: Path) -> None:
    said = tmp_path / "said"
    assert outcome(spawner.run((sys.executable, "-ISc", LOOK_AROUND, str(said)))) == (0, "")
    assert said.read_text() == "True True [0, 1, 2] [True, True]\n"


def test_variables_that_change_what_words_mean_are_dropped_and_given_ones_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IFS", "x")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere")
    monkeypatch.setenv("KEPT", "yes")
    spawner = Spawner()
    said = tmp_path / "said"
    spawner.run((sys.executable, "-ISc", TELL_VARIABLES, str(said)), env={"GIVEN": "too"})
    end(spawner)
    assert said.read_text() == "None None yes too\n"


@pytest.mark.parametrize(
    ("user", "group", "error"),
    [
        ("nobody-at-all", "", "cannot start 'true': no user 'nobody-at-all'"),
        ("4294967000", "", "cannot start 'true': no user '4294967000'"),
        ("", "no-such-group", "cannot start 'true': no group 'no-such-group'"),
    ],
)
def test_an_unknown_identity_is_an_error_and_nothing_runs(spawner: Spawner, user: str, group: str, error: str) -> None:
    assert outcome(spawner.run(("true",), user, group)) == (127, error)


@pytest.mark.parametrize(("user", "group"), [("nobody", ""), ("65534", "0"), ("", "nogroup")])
def test_another_identity_needs_root_and_is_complete(
    spawner: Spawner, open_folder: Path, user: str, group: str
) -> None:
    said = open_folder / "said"
    end = spawner.run(("/bin/sh", "-c", f"echo $(id -u) $(id -g) $(id -G) > {said}"), user, group)
    if os.geteuid() == 0:
        expected = {("nobody", ""): "65534 65534 65534", ("65534", "0"): "65534 0 0", ("", "nogroup"): "0 65534 65534"}
        assert (outcome(end), said.read_text().strip()) == ((0, ""), expected[user, group])
    else:
        assert outcome(end) == (127, "cannot start '/bin/sh': Operation not permitted")


def test_a_program_that_takes_too_long_is_ended_with_its_whole_group(spawner: Spawner, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    end = spawner.run(("/bin/sh", "-c", f"sleep 60 & echo $! > {pid}; wait"), limit=0.3)
    assert outcome(end) == (-signal.SIGTERM, "timed out after 0.3 s")
    wait_until_gone(int(appear(pid)))


def test_a_program_that_ignores_term_is_killed_two_seconds_later(spawner: Spawner) -> None:
    end = spawner.run(("/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"), limit=0.1)
    assert outcome(end) == (-signal.SIGKILL, "timed out after 0.1 s")


def test_255_at_once_are_all_run(spawner: Spawner) -> None:
    said: list[Ran] = []
    for number in range(255):
        spawner.start(Run("source", str(number), ("true",)), said.append)
    assert spawner.pending == 255
    assert spawner.drain(20)
    assert sorted(said, key=lambda ran: int(ran.event)) == [Ran("source", str(number), 0) for number in range(255)]


def test_what_is_listened_to_comes_with_the_end_as_far_as_it_is_kept(spawner: Spawner) -> None:
    end = spawner.run(("/bin/sh", "-c", "echo out; echo err >&2; exit 3"), listen=True)
    assert (end.status, end.error, end.output) == (3, "", "out\nerr\n")
    assert spawner.run(("/bin/sh", "-c", "yes | head -c 1000000"), listen=True).output == "y\n" * (KEPT // 2)
    assert spawner.run(("/bin/sh", "-c", "exec >&- 2>&-; sleep 0.1; exit 4"), listen=True).status == 4


def test_nobody_waits_any_more_and_the_program_is_ended(spawner: Spawner, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    waiter = gevent.spawn(spawner.run, ("/bin/sh", "-c", f"echo $$ > {pid}; exec sleep 60"))
    program = int(appear(pid))
    waiter.kill()
    wait_until_gone(program)
    assert spawner.drain(5)


def test_who_is_given_up_when_it_has_just_ended_is_waited_for_by_nobody(spawner: Spawner) -> None:
    waiter = gevent.spawn(spawner.run, ("true",))
    gevent.sleep(0)
    asked = spawner._number
    waiter.get(timeout=5)
    spawner._give_up(asked)
    assert (spawner.pending, spawner.drain(0)) == (0, True)


def test_one_that_waits_for_its_turn_and_is_given_up_never_runs(tmp_path: Path) -> None:
    spawner, ran = Spawner(at_once=1), tmp_path / "ran"
    first = gevent.spawn(spawner.run, ("sleep", "0.3"))
    second = gevent.spawn(spawner.run, ("/bin/sh", "-c", f"echo > {ran}"))
    gevent.sleep(0.05)
    second.kill()
    assert (outcome(first.get()), spawner.drain(5), ran.exists()) == ((0, ""), True, False)
    end(spawner)


def test_no_more_than_32_run_side_by_side(spawner: Spawner) -> None:
    for number in range(80):
        spawner.start(Run("source", str(number), ("sleep", "0.5")), lambda ran: None)
    children = Path(f"/proc/{spawner.pid}/task/{spawner.pid}/children")
    seen = []
    while not spawner.drain(0.01):
        seen.append(len(children.read_text().split()))
    assert max(seen) == AT_ONCE


def test_waiting_for_nothing_ends_at_once_and_for_a_long_program_at_the_limit(spawner: Spawner) -> None:
    assert spawner.drain(0)
    spawner.start(Run("source", "event", ("sleep", "0.5")), lambda ran: None)
    assert (spawner.drain(0.01), spawner.drain(5)) == (False, True)


def test_when_its_process_dies_the_running_are_reported_and_ended_and_the_next_gets_a_new_one(tmp_path: Path) -> None:
    spawner = Spawner()
    pid, first = tmp_path / "pid", spawner.pid
    waiter = gevent.spawn(spawner.run, ("/bin/sh", "-c", f"echo $$ > {pid}; exec sleep 60"))
    program = int(appear(pid))
    os.kill(first, signal.SIGKILL)
    assert outcome(waiter.get(timeout=5)) == (-signal.SIGTERM, DIED)
    assert outcome(spawner.run(("true",))) == (0, "")
    assert (spawner.deaths, spawner.pending, spawner.pid != first) == (1, 0, True)
    wait_until_gone(program)
    wait_until_gone(first)
    end(spawner)


def test_it_ends_by_itself_with_what_it_runs_when_the_daemon_hangs_up(tmp_path: Path) -> None:
    spawner = Spawner()
    pid = tmp_path / "pid"
    spawner.start(Run("source", "event", ("/bin/sh", "-c", f"echo $$ > {pid}; exec sleep 60")), lambda ran: None)
    program = int(appear(pid))
    spawner.close()
    wait_until_gone(program)
    wait_until_gone(spawner.pid)
    assert (spawner.pending, spawner.deaths) == (0, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_meant_for_the_daemon_do_not_end_it(number: int) -> None:
    spawner = Spawner()
    spawner.run(("true",))
    os.kill(spawner.pid, number)
    assert (outcome(spawner.run(("true",))), spawner.deaths) == ((0, ""), 0)
    end(spawner)


def test_it_leaves_no_process_and_no_file_behind() -> None:
    def files() -> int:
        return len(os.listdir("/proc/self/fd"))

    end(Spawner())  # the loop makes its own files now, if it had not
    spawner, before = Spawner(), files()
    end(spawner)
    assert before - files() == 1


def test_its_process_loads_little() -> None:
    ask = f"import runpy, sys; runpy.run_path({str(SCRIPTS)!r}, run_name='looked at'); print(len(sys.modules))"
    found = subprocess.run([sys.executable, "-ISc", ask], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 100
