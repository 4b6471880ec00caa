"""The page for authors of checkers: its example does what the page says."""

import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from loader import load
from loader.fields import Block
from plugins import registry
from plugins.api import Failed, Passed, Session, Target, describe, outcome
from tests.plugins.peers import no_leak, peer

ROOT = Path(__file__).resolve().parents[2]
FENCED = (ROOT / "docs" / "writing-a-checker.md").read_text().split("```")
PLUGIN, CONFIGURATION, KEEPER, TRIAL = (FENCED[n].removeprefix("python") for n in (1, 3, 5, 7))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as the page has it: the configuration, and the plugin beside it."""
    (tmp_path / "checkers").mkdir()
    (tmp_path / "checkers" / "greeting.py").write_text(PLUGIN)
    (tmp_path / "checkers" / "line.py").write_text(KEEPER)
    (tmp_path / "lb.conf").write_text(CONFIGURATION)
    return tmp_path


def test_the_file_is_found_and_the_configuration_is_good(folder: Path) -> None:
    found = registry.find([folder / "checkers"], entry_points=False)
    blocks = {keyword: msgspec.convert(describe(kind), Block) for keyword, kind in found.checkers.items()}
    loaded = load(folder / "lb.conf", lambda location: blocks)
    assert (found.blamed, loaded.render(), loaded.config is None) == ((), "", False)
    assert loaded.config is not None
    (checker,) = loaded.config.checkers
    assert (checker.keyword, checker.options) == ("GREETING_CHECK", (("expect", "220 mail"), ("longest", 512)))


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (b"220 mail.example.org\r\n", Passed()),
        (b"554 not today\r\n", Failed("the greeting does not begin with '220'")),
        (b"", Failed("the greeting does not begin with '220'")),
    ],
)
def test_its_probe_judges_the_greeting(folder: Path, says: bytes, expected: Passed | Failed) -> None:
    plugin = registry.find([folder / "checkers"], entry_points=False).checkers["GREETING_CHECK"]()
    with peer(lambda client: client.sendall(says)) as server:
        assert outcome(plugin, Target("127.0.0.1", server.port, timeout=2)) == expected


def test_a_server_that_says_nothing_has_its_time(folder: Path) -> None:
    plugin = registry.find([folder / "checkers"], entry_points=False).checkers["GREETING_CHECK"]()
    with peer(listen) as server:
        assert outcome(plugin, Target("127.0.0.1", server.port, timeout=0.05)) == Failed("timed out")


def listen(client: socket.socket) -> None:
    """Say nothing until the other end has gone."""
    client.recv(1)


def test_a_client_that_is_kept_asks_on_one_connection(folder: Path) -> None:
    def answer(client: socket.socket) -> None:
        while client.recv(64):
            client.sendall(b"250 fine\r\n")

    plugin = registry.find([folder / "checkers"], entry_points=False).checkers["LINE_CHECK"]()
    with no_leak(), peer(answer) as server:
        session = Session(plugin)
        assert [session.probe(Target("127.0.0.1", server.port, timeout=2)) for _ in range(3)] == [Passed()] * 3
        session.close()
        assert len(server.clients) == 1


def test_it_can_be_tried_without_the_daemon(folder: Path) -> None:
    with peer(lambda client: client.sendall(b"220 hello\r\n")) as server:
        script = TRIAL.replace("25,", f"{server.port},")
        command = [sys.executable, "-c", script]
        env = {"PYTHONPATH": f"{ROOT}:{folder / 'checkers'}"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (0, "Passed(detail='', metrics={})\n"), done.stderr
