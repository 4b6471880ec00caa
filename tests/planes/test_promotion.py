"""The setting that keeps other people's addresses when ours go: who turns it, and what it is afterwards."""

from pathlib import Path

import pytest

from actors.core.address import Address
from actors.planes.netlink.promotion import Promotion

OURS = (Address("192.0.2.1", 24),)


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    for interface in ("eth0", "eth1"):
        (tmp_path / interface).mkdir()
        (tmp_path / interface / "promote_secondaries").write_text("0\n")
    return tmp_path


def said(conf: Path) -> str:
    """Of eth0 and eth1."""
    return "".join((conf / name / "promote_secondaries").read_text().strip() for name in ("eth0", "eth1"))


def test_it_is_on_where_addresses_go_for_as_long_as_they_do(conf: Path) -> None:
    promotion = Promotion(conf)
    with promotion.during("eth0", OURS):
        assert said(conf) == "10"
        with promotion.during("eth0", (*OURS, Address("192.0.2.1", 24, "eth1"))):
            assert said(conf) == "11"
        assert said(conf) == "10"
    assert said(conf) == "00"


def test_of_two_the_first_to_end_leaves_it_to_the_other(conf: Path) -> None:
    promotion = Promotion(conf)
    first, second = promotion.during("eth0", OURS), promotion.during("eth0", OURS)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert said(conf) == "10"
    second.__exit__(None, None, None)
    assert said(conf) == "00"


def test_what_somebody_has_turned_on_stays_on(conf: Path) -> None:
    (conf / "eth0" / "promote_secondaries").write_text("1\n")
    with Promotion(conf).during("eth0", OURS):
        assert said(conf) == "10"
    assert said(conf) == "10"


def test_an_error_turns_it_off_too(conf: Path) -> None:
    def fail() -> None:
        with Promotion(conf).during("eth0", OURS):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - ours
        fail()
    assert said(conf) == "00"


@pytest.mark.parametrize("items", [(), (Address("192.0.2.1", 32),), (Address("fd00::1", 64),)])
def test_where_there_can_be_no_secondaries_it_is_not_touched(conf: Path, items: tuple[Address, ...]) -> None:
    with Promotion(conf).during("eth0", items):
        assert said(conf) == "00"


def test_without_the_interface_or_the_setting_there_is_nothing_to_turn(conf: Path) -> None:
    (conf / "eth2").write_text("no directory")
    with Promotion(conf).during("eth9", (*OURS, Address("192.0.2.1", 24, "eth2"))):
        assert said(conf) == "00"
