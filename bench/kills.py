"""What it costs when a process is killed: a client asks the virtual address every millisecond meanwhile.

python -m bench.kills [--kills 100] [--mains 50]

A router of ours leads, keepalived is its backup. First the VRRP process is killed (SIGKILL) at random moments, with an
advert every 0.1 s and every second: the backup must not notice, and what is told is how many questions in a row went
unanswered at most. Then main is killed again and again: what is told is how long after the kill the address was off
the router, and how long after the farewell the backup spoke, less its skew time. Milliseconds. Needs root.
"""

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.system.capture import Recording
from tests.system.lab import until
from tests.system.netns import VIP, Host, Keepalived, Lan, Ours, asked, becomes_master, ip, lan

CONF = """
vrrp_instance VI_1 {{
    interface eth0
    state BACKUP
    virtual_router_id 51
    priority {priority}
    version 3
    advert_int {interval:g}
    virtual_ipaddress {{
        10.99.0.100/24
    }}
}}
"""
BETTER, WORSE = 150, 100
PAUSE = 0.5
"""Seconds between two kills at least: more than a backup waits at 0.1 s."""

ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 7))
while True:
    data, who = s.recvfrom(64)
    s.sendto(data, who)
"""
ASK = """
import socket, struct, sys, threading, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 0))
heard = set()
def listen():
    while True:
        heard.add(struct.unpack("<I", s.recv(64))[0])
threading.Thread(target=listen, daemon=True).start()
threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
done = threading.Event()
number, due = 0, time.monotonic()
while not done.is_set():
    try:
        s.sendto(struct.pack("<I", number), (sys.argv[1], 7))
    except OSError:
        pass
    number, due = number + 1, due + 0.001
    time.sleep(max(0.0, due - time.monotonic()))
time.sleep(0.2)
worst = run = 0
for each in range(number):
    run = 0 if each in heard else run + 1
    worst = max(worst, run)
print(number, number - len(heard), worst)
"""


class Client:
    """Asks the virtual address every millisecond until it is told to stop."""

    def __init__(self, host: Host) -> None:
        pipe = subprocess.PIPE
        self._process = host.run(sys.executable, "-c", ASK, VIP, stdin=pipe, stdout=pipe)

    def result(self) -> tuple[int, int, int]:
        """Questions, those without an answer, and the most of them in a row."""
        asked_, lost, worst = map(int, self._process.communicate()[0].split())
        return asked_, lost, worst


@contextlib.contextmanager
def pair(wire: Lan, folder: Path, interval: float) -> Iterator[tuple[Ours, Keepalived]]:
    """Ours leading, keepalived its backup, and something that answers on both."""
    ours = Ours(wire.host(), folder, CONF.format(priority=BETTER, interval=interval))
    peer = Keepalived(wire.host(), folder, CONF.format(priority=WORSE, interval=interval))
    echoes = [each.host.run(sys.executable, "-c", ECHO) for each in (ours, peer)]
    try:
        ours.start()
        becomes_master(ours)
        peer.start()
        until(lambda: "BACKUP" in peer.log.read_text())
        yield ours, peer
    finally:
        for router in (ours, peer):
            router.kill()
        for echo in echoes:
            echo.kill()
            echo.wait()


def vrrp_process(ours: Ours) -> int:
    """The process that sends the adverts."""
    return int(asked(ours, ask="internals")["processes"]["vrrp"]["pid"])


def kill_vrrp(wire: Lan, folder: Path, interval: float, kills: int, random: Random) -> str:
    """Kill it at random moments; how the client and the backup fared."""
    with pair(wire, folder, interval) as (ours, peer):
        client = Client(wire.host())
        for number in range(kills):
            print(f"\radvert_int {interval:g}: {number + 1}/{kills} ", end="", file=sys.stderr)
            pid = vrrp_process(ours)
            time.sleep(random.random())
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: vrrp_process(ours) not in (0, pid))  # type: ignore[misc]
            time.sleep(PAUSE)
        questions, lost, worst = client.result()
        took_over = peer.log.read_text().count("Entering MASTER STATE")
    facts = f"{kills} kills of the VRRP process, the backup took over {took_over} times"
    return f"advert_int {interval:g}: {facts}; {questions} questions, {lost} lost, at most {worst} in a row"


def kill_main(wire: Lan, folder: Path, capture: Recording, kills: int) -> str:
    """Kill main; how soon the address was off, and how soon the backup spoke."""
    off, spoke = [], []
    with pair(wire, folder, 1.0) as (ours, peer):
        for number in range(kills):
            print(f"\rmain: {number + 1}/{kills} ", end="", file=sys.stderr)
            since, began = time.time(), time.monotonic()
            assert ours.process is not None
            os.kill(ours.process.pid, signal.SIGKILL)
            until(lambda: not ours.is_master(), step=0.001)
            off.append(1000 * (time.monotonic() - began))
            becomes_master(peer)
            frames = [frame for frame in capture.adverts(since) if frame.vrid == 51]
            farewell = next(frame.at for frame in frames if frame.priority == 0)
            first = next(frame.at for frame in frames if frame.at > farewell and frame.priority == WORSE)
            spoke.append(1000 * (first - farewell - (256 - WORSE) / 256))
            ours.process.wait()
            ours.start()
            becomes_master(ours)
            until(lambda: not peer.is_master())
        left = f"{VIP}/" in ip("-n", peer.host.name, "addr", "show", "dev", "eth0")
    times = f"address off after {statistics.median(off):.1f} ms, at most {max(off):.1f}"
    backup = f"the backup spoke {statistics.median(spoke):.1f} ms after its skew time, at most {max(spoke):.1f}"
    return f"{kills} kills of main: {times}; {backup}; addresses left behind: {int(left)}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--mains", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench.kills: it makes network namespaces, which only root may")
    random = Random(options.seed)
    with TemporaryDirectory() as name:
        for interval in (0.1, 1.0):
            with lan() as wire:
                told = kill_vrrp(wire, Path(name), interval, options.kills, random)
            print(f"\r{told}")
        with lan() as wire, contextlib.closing(Recording(wire.host(), Path(name) / "capture")) as capture:
            told = kill_main(wire, Path(name), capture, options.mains)
        print(f"\r{told}")


if __name__ == "__main__":
    main()
