"""What `bench.checks` makes of many checks: how they are counted, and shown."""

from io import StringIO
from pathlib import Path

from rich.console import Console

from bench.checks import show
from bench.street import Calls
from bench.together import Found, measured


def test_a_call_is_late_by_what_the_silence_before_it_was_longer_than_a_second() -> None:
    calls = Calls()
    for address, now in (("a", 0.0), ("b", 0.5), ("a", 1.25), ("a", 2.0), ("b", 2.5)):
        calls.note(address, now)
    assert calls.summary() == {"probes": 5, "servers": 2, "p50": 0.25, "p99": 1.0, "worst": 1.0}
    calls.begin()
    calls.note("a", 3.5)
    assert calls.summary() == {"probes": 1, "servers": 2, "p50": 0.5, "p99": 0.5, "worst": 0.5}


def test_a_whole_program_probes_every_server_every_second(tmp_path: Path) -> None:
    found = measured("ours", 60, 2.0, tmp_path, "dataplane userspace")
    assert 40 < found.rate < 80
    assert 0 < found.cpu < 100_000
    assert 50 < found.memory < 500


def test_both_programs_stand_beside_each_other_with_their_ratio() -> None:
    screen = StringIO()
    both = {"ours": Found(200, 900, 1, 6, 9, 100), "keepalived": Found(200, 300, 2, 3, 3, 20)}
    show(Console(width=120, file=screen), 200, both)
    rows = [
        [word.strip() for word in line.strip("│ ").split("│")] for line in screen.getvalue().splitlines() if "│" in line
    ]
    assert rows == [
        ["ours", "200", "900", "1.0", "6.0", "9.0", "100.0"],
        ["keepalived", "200", "300", "2.0", "3.0", "3.0", "20.0"],
        ["ratio", "1.00", "3.00", "0.50", "2.00", "3.00", "5.00"],
    ]
