"""The README is true: its commands run, its tree is the program's, its map leads somewhere, its example is good."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actors.control_client import Unreachable, ask
from tests.system.lab import ROOT, until
from tests.system.test_quickstart import Quickstart, control_socket, environment, make_sure_of_room, quickstart

README = (ROOT / "README.md").read_text()
DOCS = sorted((ROOT / "docs").glob("*.md"))
QUICKSTART = "examples/quickstart.conf"

THE_QUICKSTART = ["make run"]
THE_DEMO = ["make demo-failover"]
"""Run by its own test."""

THESE_TESTS = ["make test"]
"""Not to be run within themselves: make says what it would do."""

BESIDE_THE_QUICKSTART = {
    "curl -s http://127.0.0.1:8000/": "hello from backend 800",
    ".venv/bin/python -m actors.ctl status": "check/web@127.0.0.1:8001",
    "kill PID": "",
    ".venv/bin/python -m actors.ctl why vs/127.0.0.1:8000:tcp": "quorum held",
    ".venv/bin/python -m actors.ctl genhash -s 127.0.0.1 -p 8002 -u /health -v": "digest ",
    ".venv/bin/python -m actors.ctl top": "checkers-1",
    "python3 examples/backends.py 8001": "",
    "python -m actors.ctl status --json": '"dataplane": "userspace"',
}
"""In this order, and what each prints. ``PID`` is the backend's of port 8001."""

END_BY_THEMSELVES = {
    f"python -m actors.main --check {QUICKSTART}": "",
    f"python -m actors.main --tree {QUICKSTART}": "supervisor",
    "python -m actors.ctl checker list": "TCP_CHECK",
    "python -m actors.reference docs/configuration.md": "",
}
SERVE_UNTIL_ENDED = [
    "python -m actors.main /etc/understudy/understudy.conf",
    f"python -m actors.main --dry-run {QUICKSTART}",
    f"python -m actors.main --console CONSOLE {QUICKSTART}",
]


def blocks(language: str) -> list[str]:
    """The fenced blocks of the README in a language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for spoken, text in fenced if spoken == language]


def commands() -> list[str]:
    """Every command of the README, without its remark."""
    lines = [line.partition(" #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line]


def words(command: str, folder: Path, pid: int = 0) -> list[str]:
    """A command with what stands for something else replaced; what it would write is a copy in ``folder``."""
    conf, page = folder / "understudy.conf", folder / "configuration.md"
    shutil.copy(ROOT / QUICKSTART, conf)
    shutil.copy(ROOT / "docs" / "configuration.md", page)
    python = dict.fromkeys((".venv/bin/python", "python3", "python"), sys.executable)
    places = {"/etc/understudy/understudy.conf": str(conf), "docs/configuration.md": str(page)}
    meant = {**python, **places, "CONSOLE": str(folder / "console.sock"), "PID": str(pid)}
    return [meant.get(word, word) for word in shlex.split(command)]


def printed(command: str, folder: Path, env: dict[str, str], pid: int = 0) -> str:
    """What a command prints that ends by itself, and well."""
    given = words(command, folder, pid)
    done = subprocess.run(given, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_command_is_known_here_and_none_is_here_alone() -> None:
    known = [*THE_QUICKSTART, *THE_DEMO, *THESE_TESTS, *BESIDE_THE_QUICKSTART, *END_BY_THEMSELVES, *SERVE_UNTIL_ENDED]
    assert sorted(commands()) == sorted(known)


def test_the_commands_for_a_second_terminal_do_what_is_said(tmp_path: Path) -> None:
    with quickstart(tmp_path) as running:
        for command, says in BESIDE_THE_QUICKSTART.items():
            if "backends.py" in command:
                bring_back(command, tmp_path, running)
            else:
                assert says in printed(command, tmp_path, running.env, running.pid_of(8001))


def bring_back(command: str, folder: Path, running: Quickstart) -> None:
    """Once the killed backend is out, run the command until it is in again; then end it."""
    until(lambda: running.count("notify: 8001 is down") == 1)
    backend = subprocess.Popen(words(command, folder), cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        until(lambda: running.count("notify: 8001 is up") == 2)
    finally:
        backend.terminate()
        assert backend.wait(timeout=10) == 0


@pytest.mark.parametrize(("command", "says"), END_BY_THEMSELVES.items())
def test_a_command_that_ends_by_itself_ends_well(command: str, says: str, tmp_path: Path) -> None:
    assert says in printed(command, tmp_path, dict(os.environ))


@pytest.mark.parametrize("command", SERVE_UNTIL_ENDED)
def test_a_command_that_serves_does_so_until_it_is_told_to_end(command: str, tmp_path: Path) -> None:
    make_sure_of_room()
    env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    with (tmp_path / "output").open("wb") as output:
        serving = subprocess.Popen(words(command, tmp_path), cwd=ROOT, env=env, stdout=output, stderr=output)
    try:
        until(lambda: serving.poll() is not None or answers(control_socket(env)))
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(timeout=20) == 0, (tmp_path / "output").read_text()
    finally:
        if serving.poll() is None:
            serving.kill()
            serving.wait()


def answers(path: Path) -> bool:
    """Whether a daemon with its actors alive does."""
    try:
        return len(ask(path, {"ask": "tree"})["tree"]) > 1
    except Unreachable:
        return False


@pytest.mark.parametrize("command", [*THE_QUICKSTART, *THE_DEMO, *THESE_TESTS])
def test_make_knows_its_targets(command: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [*command.split(), "--dry-run", f"VENV={environment(tmp_path)}"], cwd=ROOT, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_tree_is_as_the_program_prints_it(tmp_path: Path) -> None:
    assert printed(f"python -m actors.main --tree {QUICKSTART}", tmp_path, dict(os.environ)) in blocks("")


def test_the_configuration_is_good(tmp_path: Path) -> None:
    (conf,) = [block for block in blocks("") if block.startswith("global_defs")]
    file = tmp_path / "lb.conf"
    file.write_text(conf)
    command = [sys.executable, "-m", "actors.main", "--check", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_path_of_the_map_exists() -> None:
    rows = re.search(r"^\| you want to \| go to \|$.*?^$", README, re.MULTILINE | re.DOTALL)
    assert rows
    paths = {path for path in re.findall(r"`([^`\s]+)`", rows[0]) if "/" in path}
    assert len(paths) > 10
    assert {path for path in paths if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("page", [ROOT / "README.md", *DOCS], ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    assert [link for link in links if not leads_somewhere(link, page)] == []


def leads_somewhere(link: str, page: Path) -> bool:
    """Whether the file of a link is there, and the heading that it names."""
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE) if target.is_file() and anchor else []
    anchors = {re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return target.exists() and (not anchor or anchor in anchors)
