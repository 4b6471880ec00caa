"""Leaks: what a plugin leaves behind is found, and what others have open meanwhile is not taken for it."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from structlog.testing import capture_logs

from actors.runtime.leaks import Leaks

Probe = Callable[[], object]


@pytest.fixture
def left() -> Iterator[list[socket.socket]]:
    """Sockets that a test's probes leave; closed when it is over."""
    sockets: list[socket.socket] = []
    yield sockets
    for each in sockets:
        each.close()


def looked_at(leaks: Leaks, probe: Probe, times: int = 1, name: str = "BAD") -> list[tuple[str, int, int]]:
    """Who is warned of after so many probes, with how many descriptors and threads."""
    with capture_logs() as lines:
        for _ in range(times):
            look = leaks.look(name)
            probe()
            assert look is not None
            look.end()
            leaks.note(look)
    return [(line["keyword"], line["descriptors"], line["threads"]) for line in lines]


def test_who_leaves_a_descriptor_each_time_is_named_and_again_when_it_is_twice_as_bad(
    left: list[socket.socket],
) -> None:
    leaks = Leaks(every=0.0, grace=0.0, many=4)
    told = looked_at(leaks, lambda: left.append(socket.socket()), times=20)
    assert told == [("BAD", 4, 0), ("BAD", 8, 0), ("BAD", 16, 0)]


def test_who_closes_what_it_opens_is_not_named() -> None:
    leaks = Leaks(every=0.0, grace=0.0, many=1)
    assert looked_at(leaks, lambda: socket.socket().close(), times=50) == []


def test_what_another_has_open_meanwhile_and_closes_later_does_not_count(left: list[socket.socket]) -> None:
    def probe() -> None:
        left.append(socket.socket())
        if len(left) > 3:
            left.pop(0).close()

    assert looked_at(Leaks(every=0.0, grace=0.0, many=4), probe, times=50) == []


def test_what_is_left_counts_only_when_it_is_old(left: list[socket.socket]) -> None:
    leaks = Leaks(every=0.0, grace=60.0, many=1)
    assert looked_at(leaks, lambda: left.append(socket.socket()), times=20) == []


def test_plugins_are_told_apart(left: list[socket.socket]) -> None:
    leaks = Leaks(every=0.0, grace=0.0, many=4)
    assert looked_at(leaks, lambda: None, times=9, name="GOOD") == []
    assert looked_at(leaks, lambda: left.append(socket.socket()), times=4) == [("BAD", 4, 0)]
    assert looked_at(leaks, lambda: None, times=9, name="GOOD") == []


def test_few_probes_are_looked_at() -> None:
    leaks = Leaks(every=60.0)
    assert [leaks.look("BAD") is None for _ in range(3)] == [False, True, True]


THREADED = """
import threading, _thread, time
from actors.runtime.leaks import Leaks
import structlog
spared = set()
leaks = Leaks(lambda: spared, every=0.0, grace=0.0, many=4)
def sleep():
    time.sleep(60)
for n in range(4):
    look = leaks.look("BAD")
    threading.Thread(target=sleep, daemon=True).start()
    own = threading.Thread(target=sleep, daemon=True)
    own.start()
    spared.add(own.native_id)
    look.end()
    leaks.note(look)
"""


def test_threads_are_counted_but_for_the_programs_own() -> None:
    done = subprocess.run([sys.executable, "-c", THREADED], capture_output=True, text=True, timeout=20, env=os.environ)
    assert (done.stdout.count("plugin leaks"), "threads=4" in done.stdout, done.stderr) == (1, True, "")
