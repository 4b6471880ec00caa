"""Runs tests of the kernel lab whole, as benchmarks, and shows their progress."""

import os
import subprocess
import sys
from collections.abc import Sequence

from rich.console import Console

SHOWN = ("kernel tests:", "FAILED", "E  ")


def run_inside(tests: Sequence[str], console: Console) -> tuple[int, str]:
    """The exit status of the tests, and what they have said."""
    told = []
    command = [sys.executable, "-m", "pytest", "-q", "-rP", "-o", "timeout=3600", *tests]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"UNDERSTUDY_SLOW": "1"}) as run:
        assert run.stdout is not None
        for line in run.stdout:
            told.append(line)
            if line.startswith(SHOWN):
                console.print(line.rstrip(), style="dim", highlight=False, markup=False)
    return run.returncode, "".join(told)
