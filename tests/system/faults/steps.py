"""What is done to programs: each step is a function that does harm and lifts it, and tells about it as it goes.

The choices come from ``random`` alone, so that a seed brings them back; how far the programs have got does not.
"""

import contextlib
import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from tests.system.faults.stage import Program, Stage

PROCESSES = ("vrrp", "checkers-1", "checkers-2", "scripts", "nursery", "main")
ACTORS = (
    "vrrp/VI_1",
    "address/VI_1",
    "link/eth0",
    "notify",
    "vs/10.99.0.100:80:tcp",
    "vs/10.99.0.100:80:tcp/rs/10.99.0.4:80",
    "check/web@10.99.0.4:80",
    "check/odd@10.99.0.5:80",
    "supervisor",
)
MODES = ("spin", "block", "eat", "fail", "leave", "vanish", "linger")


class Scene(NamedTuple):
    """Where a step happens: ``tell`` writes a sentence of the story."""

    stage: Stage
    random: Random
    tell: Callable[[str], None]

    def program(self) -> Program:
        """One of ours."""
        return self.random.choice(self.stage.ours)

    def last(self, least: float, most: float) -> float:
        """A time within limits; they are seconds."""
        return round(self.random.uniform(least, most), 2)


def kill_a_process(scene: Scene) -> None:
    """SIGKILL to one process of a program, a few times in a row."""
    program, name, times = scene.program(), scene.random.choice(PROCESSES), scene.random.randint(1, 3)
    scene.tell(f"kill -9 {name} of {program.name}, {times} times")
    for _ in range(times):
        _signal(program, name, signal.SIGKILL)
        time.sleep(0.3)
        program.keep()


def kill_two_processes(scene: Scene) -> None:
    """SIGKILL to two processes of a program at once."""
    program, names = scene.program(), scene.random.sample(PROCESSES, 2)
    scene.tell(f"kill -9 {' and '.join(names)} of {program.name}")
    for name in names:
        _signal(program, name, signal.SIGKILL)


def stop_a_process(scene: Scene) -> None:
    """SIGSTOP to one process, and SIGCONT after a while; it may have been taken for dead by then."""
    program, name, seconds = scene.program(), scene.random.choice(PROCESSES), scene.last(0.1, 4)
    scene.tell(f"stop {name} of {program.name} for {seconds} s")
    began = time.monotonic()
    pid = _signal(program, name, signal.SIGSTOP)
    time.sleep(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    if name == "main":
        program.glances.excuse(began)


def end_a_program(scene: Scene) -> None:
    """SIGTERM to a program: it ends in order, and is started again."""
    program = scene.program()
    scene.tell(f"terminate {program.name}")
    assert program.process is not None
    program.process.terminate()
    status = program.process.wait(timeout=30)
    assert status == 0, f"{program.name} ended with exit status {status}"
    assert not program.host.holds(), f"{program.name} has ended and left an address behind"


def crash_an_actor(scene: Scene) -> None:
    """A crash on request, from the console, as often as supervision likes it or not."""
    program, id, times = scene.program(), scene.random.choice(ACTORS), scene.random.choice((1, 1, 1, 2, 8))
    scene.tell(f"crash {id} of {program.name}, {times} times")
    for _ in range(times):
        _type(program, f"tell({id!r}, Crash())")
        time.sleep(0.2)


def misbehave(scene: Scene) -> None:
    """The site plugin does something that no plugin should."""
    program, mode, seconds = scene.program(), scene.random.choice(MODES), scene.last(0.5, 4)
    check = scene.random.choice(("odd", "strange"))
    scene.tell(f"the plugin of {check} of {program.name} will {mode} for {seconds} s")
    (program.folder / check).write_text(mode)
    time.sleep(seconds)
    (program.folder / check).write_text("")


def hinder_the_log(scene: Scene) -> None:
    """The disk of the log is full, or its reader stops; meanwhile something has to be told."""
    stage, seconds = scene.stage, scene.last(1, 4)
    if scene.random.random() < 0.5:
        scene.tell(f"the disk of one's log is full for {seconds} s")
        with _full(stage.one):
            _busy(stage.one, seconds)
    else:
        scene.tell(f"the reader of two's log stops for {seconds} s")
        reader = stage.two.reader.pid
        os.kill(reader, signal.SIGSTOP)
        _busy(stage.two, seconds)
        os.kill(reader, signal.SIGCONT)


def reload(scene: Scene) -> None:
    """SIGHUP with changes, a few times, and back; with luck something is killed meanwhile."""
    program, times = scene.program(), scene.random.randint(1, 4)
    killed = scene.random.choice(("", "", "vrrp", "checkers-1", "nursery"))
    scene.tell(f"reload {program.name} {times} times{f' and kill -9 {killed}' if killed else ''}")
    for number in range(times):
        more = "10.99.0.99" if number % 2 else ""
        program.configure(scene.random.choice(("rr", "wrr", "lc")), scene.random.randint(1, 9), more)
        _signal(program, "main", signal.SIGHUP)
        time.sleep(scene.last(0, 0.5))
        if killed and number == 0:
            _signal(program, killed, signal.SIGKILL)
    program.configure()
    _signal(program, "main", signal.SIGHUP)


def starve_of_descriptors(scene: Scene) -> None:
    """A process can open no file and no socket for a while; with luck another has to be replaced meanwhile."""
    program, name, seconds = scene.program(), scene.random.choice(PROCESSES), scene.last(0.5, 4)
    killed = scene.random.choice(("", "vrrp", "checkers-1", "nursery", "scripts"))
    also = f", and kill -9 {killed}" if killed else ""
    scene.tell(f"{name} of {program.name} can open nothing for {seconds} s{also}")
    pids = program.processes()
    usual = _allow(pids[name], len(os.listdir(f"/proc/{pids[name]}/fd"))) if name in pids else 0
    if killed in pids:
        os.kill(pids[killed], signal.SIGKILL)
    time.sleep(seconds)
    for pid in program.processes().values():  # what it has forked meanwhile is as poor as it was
        _allow(pid, usual)


def lose_a_server(scene: Scene) -> None:
    """A server dies and comes back."""
    address, seconds = scene.random.choice(tuple(scene.stage.servers)), scene.last(0.2, 3)
    scene.tell(f"the server {address} is dead for {seconds} s")
    scene.stage.fell(address)
    time.sleep(seconds)
    scene.stage.serve(address)


def lose_the_peer(scene: Scene) -> None:
    """The keepalived dies, and is started again."""
    scene.tell("kill -9 all of three, the keepalived")
    scene.stage.three.kill()
    for address in ("10.99.0.100", "10.99.0.101"):
        scene.stage.three.host.forget(address)
    time.sleep(scene.last(0.2, 1))
    scene.stage.three.start()


def _allow(pid: int, descriptors: int) -> int:
    """Let a process have so many at most; how many it might have before."""
    with contextlib.suppress(ProcessLookupError):
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors or hard, hard))
        return soft
    return 0


def _signal(program: Program, name: str, number: int) -> int:
    """The pid that got it; 0 when there is no such process just now."""
    pid = program.processes().get(name, 0)
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return pid


def _type(program: Program, line: str) -> None:
    """Type a line at the console."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as console:
        console.settimeout(2)
        console.connect(str(program.console))
        console.recv(1 << 16)
        console.sendall(line.encode() + b"\n")
        console.recv(1 << 16)


@contextlib.contextmanager
def _full(program: Program) -> Iterator[None]:
    filler = program.disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        filler.unlink()


def _busy(program: Program, seconds: float) -> None:
    """Reload again and again, which is told at length."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        _signal(program, "main", signal.SIGHUP)
        _signal(program, "checkers-1", signal.SIGKILL)
        time.sleep(0.5)
