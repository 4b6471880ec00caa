"""The same configurations, loaded by Debian's keepalived and by us, make the same table.

keepalived is started anew for each of them, ours is given one after the other by SIGHUP. In both namespaces a web
server answers at port 8080 of loopback, and nobody at any other. A first line ``# rows: N`` says of a configuration
with checks how long its table is in the end, a second one, ``# has: TEXT``, what stands in it then.
"""

import contextlib
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.inside.judge import ipvsadm, saved
from tests.kernel.inside.space import own_namespace, within
from tests.system.lab import Daemon, until
from tests.system.netns import ip

CONFIGURATIONS = sorted(Path(__file__).with_name("configurations").glob("*.conf"))
THEIRS, OURS = "theirs", "ours"
LIMIT = 40.0
"""Seconds that a program may take in this emulation."""
PAGE = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Pair:
    """Both programs, each in its namespace."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listeners = [self._web(name) for name in (THEIRS, OURS)]
        with within(OURS):
            self._ours = Daemon(folder, "global_defs {\n    router_id guest\n}\n", "--single-process")
            self._ours.limit = LIMIT
            self._ours.start()

    def tables(self, text: str) -> tuple[list[str], list[str]]:
        """Those of theirs and of ours, once both have come to rest."""
        self._ours.conf.write_text(text)
        self._ours.reload()
        with self._keepalived(text):
            wanted = re.match(r"# rows: (\d+)\n(?:# has: (.+)\n)?", text)
            rows, word = (int(wanted[1]), wanted[2] or "") if wanted else (0, "")
            looks = [([""], ["-"])]

            def is_settled() -> bool:
                looks.append((table(THEIRS), table(OURS)))
                agree = looks[-1] == looks[-2] and looks[-1][0] == looks[-1][1] != []
                return agree and (not rows or len(looks[-1][0]) == rows) and word in " ".join(looks[-1][0])

            with contextlib.suppress(AssertionError):
                until(is_settled, LIMIT, 0.3)
        return looks[-1]

    @contextlib.contextmanager
    def _keepalived(self, text: str) -> Iterator[None]:
        conf = self._folder / "theirs.conf"
        conf.write_text(text)
        pids = [word for name in "pcr" for word in (f"-{name}", str(self._folder / f"{name}.pid"))]
        with within(THEIRS):
            ipvsadm("-C")
            command = ["keepalived", "-n", "-l", "-D", "-C", "-f", str(conf), *pids]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=LIMIT)

    def _web(self, name: str) -> socket.socket:
        with within(name):
            listener = socket.create_server(("127.0.0.1", 8080))
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        return listener

    def end(self) -> None:
        """Stop ours, and the web servers."""
        for listener in self._listeners:
            listener.close()
        if self._ours.process is not None:
            self._ours.process.terminate()
            self._ours.process.wait(timeout=LIMIT)


def serve(listener: socket.socket) -> None:
    """Answer everybody with the same page."""
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client, contextlib.suppress(OSError):
                client.settimeout(5)
                if client.recv(4096):
                    client.sendall(PAGE)


def table(name: str) -> list[str]:
    """What is in a namespace's table, thresholds included, which ``-Sn`` does not tell."""
    with within(name):
        rows = [row.split() for row in ipvsadm("-Ln", "--thresholds").splitlines() if "->" in row]
        limits = sorted(" ".join(row[:4]) for row in rows if len(row) > 2 and row[2:4] != ["0", "0"])
        return saved() + limits


@pytest.fixture(scope="module", autouse=True)
def fresh() -> None:
    """The programs keep their namespaces from one test to the next."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    own_namespace()
    for name in (THEIRS, OURS):
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
    made = Pair(tmp_path_factory.mktemp("pair"))
    try:
        yield made
    finally:
        made.end()
        for name in (THEIRS, OURS):
            ip("netns", "del", name)


def test_there_are_enough_configurations() -> None:
    assert len(CONFIGURATIONS) >= 25


@pytest.mark.parametrize("conf", CONFIGURATIONS, ids=lambda path: path.stem)
def test_the_table_is_the_one_that_keepalived_makes(pair: Pair, conf: Path) -> None:
    theirs, ours = pair.tables(conf.read_text())
    assert theirs != []
    assert ours == theirs
    if wanted := re.match(r"# rows: (\d+)\n", conf.read_text()):
        assert len(ours) == int(wanted[1])
