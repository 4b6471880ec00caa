"""What is measured of routers is what there is: their memory whole, their adverts by when they were on the wire."""

from pathlib import Path

from bench.footprint import AIMS, ours
from bench.jitter import LOADS, lateness, measured
from tests.system.capture import Advert


def test_every_process_is_counted_and_all_together_take_little_more_than_is_aimed_at(tmp_path: Path) -> None:
    found = ours(tmp_path, 10)
    names = {each.name.rstrip("0123456789") for each in found}
    assert names == {"main", "us-nursery", "scripts", "us-checkers-", "us-vrrp"}
    assert sum(each.pss for each in found) < AIMS[10] * 1.2, found


def test_an_advert_is_as_late_as_the_silence_before_it_was_too_long() -> None:
    times = (0.0, 0.1, 0.25, 0.3, 0.402)
    others = [Advert(0.35, "", 3, 52, 150, 0.1), Advert(0.36, "", 3, 51, 0, 0.1)]
    adverts = [Advert(at, "", 3, 51, 150, 0.1) for at in times] + others
    assert [round(late, 6) for late in lateness(adverts, 51, 0.1)] == [0, 0, 2, 50]


def test_all_three_routers_are_heard_under_load() -> None:
    found = measured(LOADS["spin"], 0.1, 1.0)
    assert set(found) == {"ours", "keepalived", "its real-time"}
    assert all(len(late) >= 3 for late in found.values()), found
