"""The console, on a socket of the test's own."""

import os
import socket
import stat
from pathlib import Path

import gevent
import pytest
from gevent.socket import socket as GreenSocket

from actors.console import Console
from actors.control import AlreadyInUse


def tree() -> str:
    """Who is alive.

    More that the banner leaves out.
    """
    return "supervisor"


def converse(path: Path, *lines: str) -> str:
    with GreenSocket(socket.AF_UNIX, socket.SOCK_STREAM) as line, gevent.Timeout(5):
        line.connect(os.fspath(path))
        line.sendall("".join(f"{each}\n" for each in lines).encode())
        line.shutdown(socket.SHUT_WR)
        with line.makefile("r") as reader:
            return reader.read()


def test_it_greets_with_its_words_and_answers_in_python(tmp_path: Path) -> None:
    with Console(tmp_path / "console.sock", {"tree": tree}) as console:
        said = converse(console.path, "tree()", "1 / 0")
    assert "  tree  Who is alive.\n" in said
    assert ">>> 'supervisor'\n" in said
    assert "ZeroDivisionError" in said


def test_only_its_user_can_open_it_and_nothing_is_left_after(tmp_path: Path) -> None:
    with Console(tmp_path / "console.sock", {}) as console:
        mode = stat.S_IMODE(console.path.stat().st_mode)
    assert (mode, console.path.exists()) == (0o600, False)


def test_a_second_one_at_the_same_path_is_refused(tmp_path: Path) -> None:
    with Console(tmp_path / "console.sock", {}) as console, pytest.raises(AlreadyInUse):
        Console(console.path, {}).start()
