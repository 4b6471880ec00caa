"""IPVS at scale, in Debian's kernel under emulation: 10,000 servers in 500 services, beside keepalived; and a storm.

python -m bench.ipvs [--no-kills]

Boots the kernel lab of the tests and runs its tests of scale there, whole. The emulated machine is some ten times
slower than this one: what counts is the ratio, and the commands that the kernel has counted. Needs what the tests need.
"""

import argparse
import re
import sys

from rich.console import Console
from rich.table import Table

from bench.inside import run_inside

TESTS = (
    "tests/kernel/inside/test_scale.py",
    "tests/kernel/inside/test_daemon.py::test_killed_at_any_point_and_started_again_the_table_is_right_and_connections_live",
)
PROGRAM = re.compile(r"MEASURED (Ours|Theirs) (\S+) (\d+) (\S+) (\d+) (\d+)")
STORM = re.compile(r"MEASURED storm (\d+) (\S+) (\d+)")
KILLS = re.compile(r"MEASURED kills (\d+)")


def main(argv: list[str] | None = None) -> int:
    """Run it, and show what was measured; the exit status is that of the tests."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--no-kills", action="store_true", help="leave out the 50 kills, which take some ten minutes")
    given = parser.parse_args(argv)
    console = Console()
    status, text = run_inside(TESTS[: 1 if given.no_kills else 2], console)
    show(console, text)
    return status


def show(console: Console, text: str) -> None:
    """The tables of what was measured."""
    table = Table("", "start", "commands", "reload", "commands", "MiB", title="10,000 servers in 500 services")
    found = {name: values for name, *values in PROGRAM.findall(text)}
    for name, (start, told, reload, change, memory) in found.items():
        table.add_row(name.lower(), f"{start} s", told, f"{reload} s", change, memory)
    if len(found) == 2:
        ours, theirs = ([float(value) for value in found[name]] for name in ("Ours", "Theirs"))
        table.add_row("ratio", *(f"{mine / other:.2f}" for mine, other in zip(ours, theirs, strict=True)))
    console.print(table)
    for verdicts, seconds, memory in STORM.findall(text):
        console.print(
            f"storm: {verdicts} verdicts decided and carried out in {seconds} s, {memory} MiB more; table right"
        )
    for kills in KILLS.findall(text):
        console.print(f"killed and started again {kills} times: table right, connections alive")


if __name__ == "__main__":
    sys.exit(main())
