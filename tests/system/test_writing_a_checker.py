"""The page for authors, typed: all of its commands, from an empty folder to a pool and a router that follow."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.system.lab import ROOT, until
from tests.system.netns import Host, ip, lan

PAGE = (ROOT / "docs" / "writing-a-checker.md").read_text()
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CONFIGURATION = next(text for language, text in FENCED if not language and "vrrp_instance" in text)
BEFORE, SERVING, MEANWHILE = ([line.partition("  #")[0].strip() for line in text.splitlines()]
                              for language, text in FENCED if language == "sh")  # fmt: skip

GREETER = """
import socket
with socket.create_server(("127.0.0.1", 2525)) as listener:
    while True:
        client = listener.accept()[0]
        client.sendall(b"220 mail.example.org\\r\\n")
        client.close()
"""


class Author:
    """A person on a host, in an empty folder."""

    def __init__(self, host: Host, folder: Path) -> None:
        self._host = host
        self.folder = folder
        self._env = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(folder)}

    def words(self, command: str) -> list[str]:
        """What is run for a command of the page."""
        program, *rest = shlex.split(command)
        modules = {"understudyctl": "actors.ctl", "understudyd": "actors.main"}
        given = [sys.executable, "-m", modules[program]] if program in modules else [sys.executable]
        socket = ["--socket", str(self.folder / "control")] if program in modules and "--check" not in rest else []
        return [*given, *socket, *rest]

    def types(self, command: str) -> str:
        """What a command prints that ends by itself, and well."""
        words = ["ip", "netns", "exec", self._host.name, *self.words(command)]
        given = {"cwd": self.folder, "env": self._env, "capture_output": True, "text": True, "timeout": 60}
        done = subprocess.run(words, check=False, **given)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def runs(self, *words: str) -> Iterator[None]:
        """Something that serves meanwhile."""
        command = ["ip", "netns", "exec", self._host.name, *words]
        with (self.folder / "output").open("ab") as output:
            serving = subprocess.Popen(command, cwd=self.folder, env=self._env, stdout=output, stderr=output)
        try:
            yield
        finally:
            serving.send_signal(signal.SIGTERM)
            serving.wait(timeout=20)

    def greets(self) -> AbstractContextManager[None]:
        """A mail server's greeting, for as long as the block."""
        return self.runs(sys.executable, "-c", GREETER)

    def is_greeted(self) -> bool:
        """Whether the mail server is there."""
        probe = "import socket; socket.create_connection(('127.0.0.1', 2525), 1)"
        words = ["ip", "netns", "exec", self._host.name, sys.executable, "-c", probe]
        return subprocess.run(words, check=False, capture_output=True).returncode == 0

    def holds(self) -> bool:
        """Whether the virtual address is here."""
        return "192.0.2.25/" in ip("-n", self._host.name, "-o", "addr", "show", "dev", "eth0")

    def serves(self) -> bool:
        """Whether the pool has its server."""
        return bool(re.search(r"^127\.0\.0\.1:2525 +OK +yes", self.types("understudyctl status"), re.MULTILINE))


@pytest.fixture
def author(tmp_path: Path) -> Iterator[Author]:
    with lan("w") as wire:
        yield Author(wire.host(), tmp_path)


def test_a_stranger_has_a_checker_that_drives_a_pool_and_a_router(author: Author) -> None:
    (author.folder / "lb.conf").write_text(CONFIGURATION)
    assert author.types(BEFORE[0]).split() == ["checkers/greeting.py", "checkers/test_greeting.py"]
    with author.greets():
        until(author.is_greeted)
        said = [author.types(command) for command in BEFORE[1:]]
    expected = ("4 passed", "RT_GREETING_CHECK", "first byte", "3 probes, 3 passed", "GREETING_CHECK")
    assert [word for word, text in zip(expected, said, strict=True) if word not in text] == []
    check, serve = SERVING
    assert author.types(check) == ""
    with author.runs(*author.words(serve)):
        with author.greets():
            until(author.holds)
            until(author.serves)
        until(lambda: not author.holds())
        assert not author.serves()
        texts = [author.types(command) for command in MEANWHILE]
        assert "check/smtp is FAILED" in texts[-1]
        with author.greets():
            until(author.holds)
            until(author.serves)
