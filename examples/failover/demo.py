"""A failover to watch: two routers, a client that counts what it loses, and what can happen to them. Needs root.

Every host is a network namespace of this machine. What counts is what the client sees: from the moment of a deed to the
first answer of the other router, the longest time without any answer, and the requests that nobody answered.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from cast import Client, Player, Request, until
from stage import Stage

VIP = "192.0.2.100"
PLACES = {"one": "192.0.2.1/24", "two": "192.0.2.2/24", "client": "192.0.2.3/24"}
COLOURS = {"one": "33", "two": "36", "client": "32", "deed": "1;31", "scene": "1"}
SETTLE = 0.5
"""Seconds after a takeover until all that was on its way has arrived or is lost."""


class Row(NamedTuple):
    """What a scene came to. Times in milliseconds."""

    scene: str
    takeover: float
    silence: float
    asked: int
    lost: int


class Play:
    """The scenes, told as they happen."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self._colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._begin: float | None = None
        self.rows: list[Row] = []
        for name, address in PLACES.items():
            stage.host(name, address)
        self.one, self.two = (Player(stage, name, folder, self.tell) for name in ("one", "two"))
        self.client = Client(stage, VIP)
        for player in (self.one, self.two):
            player.serve()

    def tell(self, who: str, what: str) -> None:
        """A line with the time since the deed; between two scenes nothing is of interest."""
        if self._begin is not None:
            self._print(who, f"{time.monotonic() - self._begin:8.3f} s  {who:6} {what}")

    def title(self, text: str) -> None:
        """The heading of a scene."""
        self._print("scene", f"\n{text}")

    def _print(self, who: str, text: str) -> None:
        print(f"\033[{COLOURS[who]}m{text}\033[0m" if self._colours else text, flush=True)

    def open(self, timers: str) -> None:
        """Both routers begin anew: the first leads, and the second is ready to."""
        for player in (self.one, self.two):
            player.stop()
        start = time.monotonic()
        for player in (self.one, self.two):
            player.start(timers)
        until(lambda: self.client.answered("one", start))
        until(lambda: self.two.role == "BACKUP")
        time.sleep(SETTLE)

    def scene(self, name: str, deed: str, act: Callable[[], None], successor: str) -> None:
        """Do it, and see what it costs until the successor has answered and all is calm."""
        begin = self._begin = time.monotonic()
        self.tell("deed", deed)
        act()
        first: Request = until(lambda: self.client.answered(successor, begin))
        self.tell("client", f"answered by {successor}")
        time.sleep(SETTLE)
        asked = sorted(self.client.since(begin - 0.1))
        answers = sorted(request.done for request in asked if not request.lost)
        lost = sum(request.lost for request in asked)
        silence = max(later - earlier for earlier, later in pairwise(answers))
        row = Row(name, 1000 * (first.done - begin), 1000 * silence, len(asked), lost)
        self.tell("client", f"{lost} of {len(asked)} requests lost, {row.silence:.0f} ms without an answer")
        self.rows.append(row)
        self._begin = None


def scenes(play: Play) -> None:
    """The whole play."""
    one = play.one
    print(f"two routers, one and two, and a client that asks http://{VIP}:8080/ every 5 ms; one leads")
    play.open("classic")
    play.title("Scene 1: the application dies, with the usual timers: an advert a second (VRRPv2)")
    play.scene("1 the application dies, classic", "kill -9 of one's application", one.kill_application, "two")
    one.serve()
    play.open("fast")
    play.title("Scene 2: the same with an advert every 50 ms (VRRPv3) and a checker every 20 ms")
    play.scene("2 the application dies, fast", "kill -9 of one's application", one.kill_application, "two")
    play.title("and it is back: the better router takes over again")
    play.scene("  the application is back", "one's application is started", one.serve, "one")
    play.title("Scene 3: the process that sends the adverts dies; another one has its place before anybody misses it")
    play.scene("3 the VRRP process dies", "kill -9 of one's VRRP process", one.kill_vrrp, "one")
    play.title("Scene 4: all of the router dies at once; its kernel keeps the address until the other has taken it")
    play.scene("4 the router dies", "kill -9 of all of one's processes", one.kill_daemon, "two")
    play.title("Scene 5: the router is back and takes over again; most of it is the start of the program")
    play.scene("5 the router is back", "one's daemon is started", lambda: one.start("fast"), "one")


def table(rows: list[Row]) -> str:
    """The results."""
    head = f"{'scene':<34} {'takeover':>9} {'no answer':>10} {'requests':>9} {'lost':>5}"
    lines = [f"{r.scene:<34} {r.takeover:6.0f} ms {r.silence:7.0f} ms {r.asked:9} {r.lost:5}" for r in rows]
    return "\n".join(("", head, "─" * len(head), *lines))


def main() -> None:
    """Play, whatever happens clear the stage, and print the table."""
    if os.geteuid() != 0:
        sys.exit("demo: it makes network namespaces, which only root may: sudo make demo-failover")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with tempfile.TemporaryDirectory(prefix="understudy-") as folder, Stage() as stage:
            play = Play(stage, Path(folder))
            scenes(play)
        print(table(play.rows))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except FileNotFoundError as error:
        sys.exit(f"demo: {error.filename} is missing: it comes with iproute2")
    except subprocess.CalledProcessError as error:
        sys.exit(f"demo: {' '.join(error.cmd)}: {error.stderr.strip()}")


if __name__ == "__main__":
    main()
