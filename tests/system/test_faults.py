"""A short fault campaign, always the same one; `make test-faults` is a long one of a new seed."""

from pathlib import Path

import pytest

from tests.system.faults.campaign import Plan, play

SEED = 3
SECONDS = 40.0


@pytest.mark.timeout(240)
def test_whatever_is_done_to_the_routers_all_is_well_again_soon(tmp_path: Path) -> None:
    assert play(Plan(SEED, SECONDS, tmp_path)) > 5
