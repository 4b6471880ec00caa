"""Many checks of a second each: all are made, at their pace. With UNDERSTUDY_SLOW=1 there are more of them, and
keepalived does the same beside: `python -m bench.checks --guest` prints it."""

import os
from pathlib import Path

import pytest

from bench.together import PROGRAMS, measured
from tests.kernel.inside.judge import ipvsadm

IS_WHOLE = "UNDERSTUDY_SLOW" in os.environ
CHECKS, SECONDS = (200, 30.0) if IS_WHOLE else (40, 3.0)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("program", PROGRAMS if IS_WHOLE else ["ours"])
def test_every_check_is_made_every_second(program: str, tmp_path: Path) -> None:
    ipvsadm("-C")
    found = measured(program, CHECKS, SECONDS, tmp_path)
    print(f"MEASURED checks {program} {CHECKS} {' '.join(f'{value:.3f}' for value in found)}")
    assert 0.7 * CHECKS < found.rate < 1.3 * CHECKS
