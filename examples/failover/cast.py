"""Who plays: routers, each with its application, and a client that counts. A thread listens to each of them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from stage import Stage

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

Tell = Callable[[str, str], None]
"""Takes who speaks, and what is said."""


class Request(NamedTuple):
    """One request of the client: monotonic seconds, and who answered; ``-`` is nobody."""

    sent: float
    done: float
    by: str

    @property
    def lost(self) -> bool:
        """Whether nobody answered."""
        return self.by == "-"


class Client:
    """Asks the virtual address every few milliseconds, and remembers what became of each request."""

    def __init__(self, stage: Stage, address: str) -> None:
        self.requests: list[Request] = []
        pipe = subprocess.PIPE
        program = stage.run(
            "client", sys.executable, HERE / "client.py", address, stdout=pipe, stderr=subprocess.DEVNULL
        )
        _listen(program, self._note)

    def _note(self, line: bytes) -> None:
        sent, done, by = line.decode().split()
        self.requests.append(Request(float(sent), float(done), by))

    def since(self, moment: float) -> Iterator[Request]:
        """The requests that were sent after a moment and have had their end, the latest first."""
        for request in reversed(self.requests):
            if request.done < moment:
                return
            if request.sent >= moment:
                yield request

    def answered(self, by: str, moment: float) -> Request | None:
        """The first request after a moment that a router answered."""
        found = [request for request in self.since(moment) if request.by == by]
        return min(found, key=lambda request: request.done, default=None)


class Player:
    """A router: the daemon, and the application that it watches."""

    def __init__(self, stage: Stage, name: str, folder: Path, tell: Tell) -> None:
        self.name = name
        self._stage = stage
        self._socket = folder / f"{name}.sock"
        self._tell = tell
        self.role = ""
        self._daemon: subprocess.Popen[bytes] | None = None
        self._application: subprocess.Popen[bytes] | None = None

    def serve(self) -> None:
        """Start the application."""
        words = (sys.executable, HERE / "application.py", self.name)
        self._application = self._stage.run(self.name, *words, stderr=subprocess.DEVNULL)

    def start(self, timers: str) -> None:
        """Start the daemon with the ``classic`` or the ``fast`` configuration."""
        self.role = ""
        conf = HERE / f"{timers}-{self.name}.conf"
        words = (sys.executable, "-m", "actors.main", conf, "--socket", self._socket, "--log-format", "json")
        self._daemon = self._stage.run(self.name, *words, cwd=ROOT, stderr=subprocess.PIPE)
        _listen(self._daemon, self._log)

    def stop(self) -> None:
        """SIGTERM to the daemon, and wait for its end."""
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait()

    def kill_daemon(self) -> None:
        """SIGKILL to all its processes, which are stopped first: none sees another one's end, and says farewell."""
        assert self._daemon is not None
        pids = family(self._daemon.pid)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                os.kill(pid, number)
        self._daemon.wait()

    def kill_vrrp(self) -> None:
        """SIGKILL to the process that sends the adverts."""
        assert self._daemon is not None
        pids = family(self._daemon.pid)
        os.kill(next(pid for pid in pids if Path(f"/proc/{pid}/comm").read_text() == "us-vrrp\n"), signal.SIGKILL)

    def kill_application(self) -> None:
        """SIGKILL: its connections are reset, and new ones refused."""
        assert self._application is not None
        self._application.kill()
        self._application.wait()

    def _log(self, line: bytes) -> None:
        """Tell what is of interest here: verdicts, roles, and whatever is wrong."""
        with contextlib.suppress(json.JSONDecodeError):
            record: dict[str, Any] = json.loads(line)
            actor, why = record.get("actor", ""), record.get("reason") or record.get("detail")
            if record["event"].startswith("Entering"):
                self.role = record["event"].split()[1]
            if record["level"] != "info" or actor.startswith(("check/", "vrrp/")):
                self._tell(self.name, f"{actor}: {record['event']}" + (f" ({why})" if why else ""))


def family(pid: int) -> list[int]:
    """A process and all that descend from it, the eldest first."""
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            found += map(int, Path(f"/proc/{each}/task/{each}/children").read_text().split())
    return found


def until(what: Callable[[], Any], limit: float = 15.0) -> Any:
    """The first true value of ``what()``; ends the demo if there is none within ``limit`` seconds."""
    end = time.monotonic() + limit
    while not (value := what()):
        if time.monotonic() > end:
            sys.exit(f"demo: nothing came of it within {limit:g} s: the lines above may tell why")
        time.sleep(0.005)
    return value


def _listen(program: subprocess.Popen[bytes], hear: Callable[[bytes], None]) -> None:
    def lines() -> None:
        for line in program.stdout or program.stderr or ():
            hear(line)

    threading.Thread(target=lines, daemon=True).start()
