"""Real servers on loopback, as an unprivileged user with a folder of their own, and probes of them."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from plugins.api import Result, Target, build, outcome
from tests.plugins.certificates import certificate
from tests.plugins.test_hostile import in_greenlet, in_thread
from tests.system.lab import until

USER = "nobody"
START = 20.0
"""Seconds that a server may take to come up, on a loaded machine."""


def as_user() -> dict[str, Any]:
    """Arguments of `subprocess.Popen` that give root's privileges away."""
    if os.geteuid():
        return {}
    user = pwd.getpwnam(USER)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of that user's, with a certificate in it; removed at the end."""
    made = Path(tempfile.mkdtemp(prefix="understudy-"))
    try:
        for file, name in zip(certificate(), ("cert.pem", "key.pem"), strict=True):
            shutil.copy(file, made / name)
        (made / "key.pem").chmod(0o600)
        own(made)
        yield made
    finally:
        shutil.rmtree(made)


def own(path: Path) -> None:
    """Give what is in ``path``, and itself, to the servers' user."""
    if not os.geteuid():
        for each in (path, *path.rglob("*")):
            shutil.chown(each, USER, pwd.getpwnam(USER).pw_gid)


def run(command: list[str], home: Path, told: str = "") -> str:
    """What ``command`` prints, run as that user to its end, which has to be a good one."""
    done = subprocess.run(
        command, cwd=home, input=told, capture_output=True, text=True, timeout=40, check=False, **as_user()
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@contextmanager
def server(
    command: list[str], home: Path, is_up: Callable[[], bool], own_user: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """``command`` as a process of that user, or our ``own_user``, from when it ``is_up``; killed at the end."""
    who = {} if own_user else as_user()
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **who)
    try:
        until(lambda: process.poll() is not None or is_up(), START)
        assert process.poll() is None, f"{command[0]} has ended: {(home / 'log').read_text()[-2000:]}"
        yield process
    finally:
        process.kill()
        process.wait()


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def asked(cls: type, port: int, timeout: float = 10.0, **options: Any) -> Result:
    """What a probe finds: the same in a greenlet as in a thread of its own."""
    plugin = build(cls, tuple(options.items()))

    def probe(dial: Any) -> Result:
        return outcome(plugin, Target("127.0.0.1", port, timeout, dial=dial))

    result: Result = in_greenlet(probe)
    assert in_thread(probe) == result
    return result
