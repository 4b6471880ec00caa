"""VRRP on a real wire, with Debian's keepalived as the peer and a third host that captures all adverts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.lab import until
from tests.system.netns import Keepalived, Lan, Ours, Router, Witness, asked, becomes_master, ip, lan, masters, started

CONF = """
vrrp_instance VI_1 {{
    interface eth0
    state BACKUP
    virtual_router_id 51
    priority {priority}
    version {version}
    advert_int {interval}
    {more}
    virtual_ipaddress {{
        {vip}
    }}
}}
"""

Make = Callable[..., Router]


def conf(priority: int, version: int = 2, interval: str = "1", more: str = "", vip: str = "10.99.0.100/24") -> str:
    """One instance; the same text serves both programs."""
    return CONF.format(priority=priority, version=version, interval=interval, more=more, vip=vip)


@pytest.fixture
def wire() -> Iterator[Lan]:
    with lan() as made:
        yield made


@pytest.mark.parametrize(("version", "interval"), [(2, "1"), (3, "0.5")])
@pytest.mark.parametrize("pair", [(Ours, Keepalived), (Keepalived, Ours), (Ours, Ours)], ids=lambda p: p[0].__name__)
def test_the_higher_priority_leads_a_crash_fails_over_and_its_return_takes_back(
    wire: Lan, tmp_path: Path, pair: tuple[type[Router], type[Router]], version: int, interval: str
) -> None:
    better = pair[0](wire.host(), tmp_path, conf(150, version, interval))
    worse = pair[1](wire.host(), tmp_path, conf(100, version, interval))
    witness = Witness(wire.host())
    with started(better):
        becomes_master(better)
        with started(worse):
            crash_and_return(better, worse)
    assert masters(witness.adverts()) == [better.host.address, worse.host.address, better.host.address]


def crash_and_return(better: Router, worse: Router) -> None:
    until(lambda: "BACKUP" in worse.log.read_text())
    better.kill()
    ip("-n", better.host.name, "addr", "flush", "to", "10.99.0.100/32", "dev", "eth0")
    becomes_master(worse)
    better.start()
    becomes_master(better)
    until(lambda: not worse.is_master())


@pytest.mark.parametrize("pair", [(Ours, Keepalived), (Keepalived, Ours)], ids=lambda p: p[0].__name__)
def test_a_stop_hands_over_within_the_skew_time(
    wire: Lan, tmp_path: Path, pair: tuple[type[Router], type[Router]]
) -> None:
    better, worse = pair[0](wire.host(), tmp_path, conf(150)), pair[1](wire.host(), tmp_path, conf(100))
    witness = Witness(wire.host())
    with started(better, worse):
        becomes_master(better)
        better.stop()
        becomes_master(worse)
        assert not better.is_master()
    adverts = witness.adverts()
    farewell = next(at for at, _, priority in adverts if priority == 0)
    first = next(at for at, source, _ in adverts if source == worse.host.address)
    assert first - farewell < (256 - 100) / 256 + 0.1


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


def test_a_failing_checker_moves_the_address_and_its_recovery_brings_it_back(wire: Lan, tmp_path: Path) -> None:
    checker = """
RT_TCP_CHECK application {{
    connect_ip {address}
    connect_port 8080
    delay_loop 0.2
    connect_timeout 1
    retry 1
    delay_before_retry 0.1
}}
"""
    host, peer = wire.host(), wire.host()
    text = checker.format(address=host.address) + conf(150, 3, "0.1", "checkers application")
    better, worse = Ours(host, tmp_path, text), Keepalived(peer, tmp_path, conf(100, 3, "0.1"))
    backend = str(Path(__file__).with_name("backend.py"))
    with started(better, worse):
        becomes_master(worse)
        until(lambda: "check/application is FAILED" in asked(better, ask="why", id="vrrp/VI_1")["lines"][1])
        server = host.run("python3", "-S", "-E", backend, "8080", host.address)
        try:
            becomes_master(better)
            until(lambda: not worse.is_master())
        finally:
            server.kill()
            server.wait()
        becomes_master(worse)
        assert not better.is_master()


def test_an_address_that_somebody_removes_is_put_back(wire: Lan, tmp_path: Path) -> None:
    router = Ours(wire.host(), tmp_path, conf(150))
    with started(router):
        becomes_master(router)
        ip("-n", router.host.name, "addr", "del", "10.99.0.100/24", "dev", "eth0")
        becomes_master(router, limit=2)


def test_ipv6_with_keepalived(wire: Lan, tmp_path: Path) -> None:
    text = [conf(priority, 3, "0.5", vip="fe80::100/64\n        fd00::100/64") for priority in (150, 100)]
    better, worse = Ours(wire.host(), tmp_path, text[0]), Keepalived(wire.host(), tmp_path, text[1])
    with started(better, worse):
        until(lambda: better.host.holds("fd00::100"))
        assert not worse.host.holds("fd00::100")
        better.stop()
        until(lambda: worse.host.holds("fd00::100"))
        better.start()
        until(lambda: better.host.holds("fd00::100"))
        until(lambda: not worse.host.holds("fd00::100"))


@pytest.mark.parametrize("pair", [(Ours, Keepalived), (Keepalived, Ours)], ids=lambda p: p[0].__name__)
def test_unicast_with_a_password(wire: Lan, tmp_path: Path, pair: tuple[type[Router], type[Router]]) -> None:
    hosts = [wire.host(), wire.host()]
    texts = []
    for own, other, priority in ((hosts[0], hosts[1], 150), (hosts[1], hosts[0], 100)):
        peer = f"unicast_src_ip {own.address}\n    unicast_peer {{\n        {other.address}\n    }}"
        auth = "authentication {\n        auth_type PASS\n        auth_pass secret\n    }"
        texts.append(conf(priority, more=f"{peer}\n    {auth}"))
    better, worse = pair[0](hosts[0], tmp_path, texts[0]), pair[1](hosts[1], tmp_path, texts[1])
    with started(better, worse):
        becomes_master(better)
        assert not worse.is_master()
        better.stop()
        becomes_master(worse)


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


def test_a_reload_that_changes_an_instance_moves_no_address(wire: Lan, tmp_path: Path) -> None:
    router, peer = Ours(wire.host(), tmp_path, conf(150)), Keepalived(wire.host(), tmp_path, conf(100))
    witness = Witness(wire.host())
    with started(router):
        becomes_master(router)
        with started(peer):
            until(lambda: "BACKUP" in peer.log.read_text())
            router.conf.write_text(conf(160))
            router.reload()
            until(lambda: asked(router, ask="status")["routers"][0]["configured_priority"] == 160)
            until(lambda: asked(router, ask="status")["routers"][0]["role"] == "MASTER")
            assert router.is_master()
            assert not peer.is_master()
    adverts = witness.adverts()
    assert masters(adverts) == [router.host.address]
    assert {priority for _, _, priority in adverts} == {150, 160}
