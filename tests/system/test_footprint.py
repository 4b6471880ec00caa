"""The program's memory is measured whole, and stays within what is aimed at."""

from pathlib import Path

from bench.footprint import AIMS, ours


def test_every_process_is_counted_and_all_together_take_less_than_is_aimed_at(tmp_path: Path) -> None:
    found = ours(tmp_path, 10)
    names = {each.name.rstrip("0123456789") for each in found}
    assert names == {"main", "us-nursery", "scripts", "us-checkers-", "us-vrrp"}
    assert sum(each.pss for each in found) < AIMS[10] * 1.2, found
