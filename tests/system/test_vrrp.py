"""VRRP on a real wire: what scenes with two routers do not show (`tests.system.test_vrrp_scenes`)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.lab import until
from tests.system.netns import Keepalived, Lan, Ours, Witness, asked, becomes_master, ip, lan, masters, started

CONF = """
vrrp_instance VI_1 {{
    interface eth0
    state BACKUP
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 0.25
    virtual_ipaddress {{
        10.99.0.100/24
    }}
}}
"""


def conf(priority: int) -> str:
    """One instance; the same text serves both programs."""
    return CONF.format(priority=priority)


@pytest.fixture
def wire() -> Iterator[Lan]:
    with lan() as made:
        yield made


def test_a_link_that_goes_down_is_fault_and_comes_back(wire: Lan, tmp_path: Path) -> None:
    better, worse = Ours(wire.host(), tmp_path, conf(150)), Keepalived(wire.host(), tmp_path, conf(100))
    with started(better, worse):
        becomes_master(better)
        ip("-n", wire.name, "link", "set", better.host.port, "down")
        until(lambda: asked(better, ask="why", id="vrrp/VI_1")["lines"][1].startswith("FAULT"))
        becomes_master(worse)
        ip("-n", wire.name, "link", "set", better.host.port, "up")
        becomes_master(better)
        until(lambda: not worse.is_master())


def test_an_address_that_somebody_removes_is_put_back(wire: Lan, tmp_path: Path) -> None:
    router = Ours(wire.host(), tmp_path, conf(150))
    with started(router):
        becomes_master(router)
        ip("-n", router.host.name, "addr", "del", "10.99.0.100/24", "dev", "eth0")
        becomes_master(router, limit=2)


def test_a_dry_run_hears_the_others_but_says_nothing_and_takes_no_address(wire: Lan, tmp_path: Path) -> None:
    dry, peer = Ours(wire.host(), tmp_path, conf(150)), Keepalived(wire.host(), tmp_path, conf(100))
    dry.options = ("--dry-run",)
    witness = Witness(wire.host())
    with started(dry, peer):
        becomes_master(peer)
        until(lambda: "adding 10.99.0.100/24 on eth0" in dry.log.read_text())
        assert asked(dry, ask="status")["routers"][0]["packets"]["heard"] > 0
        assert not dry.is_master()
        assert peer.is_master()
    assert masters(witness.adverts()) == [peer.host.address]
