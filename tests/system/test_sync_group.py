"""Sync groups on a real wire: all members move together, with ours and Debian's keepalived as each other's peer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.lab import until
from tests.system.netns import Host, Keepalived, Lan, Ours, Router, Witness, asked, ip, lan, masters, started

CONF = """
vrrp_sync_group BOTH {{
    group {{
        OUTER
        INNER
    }}
    notify "{folder}/told"
}}
vrrp_instance OUTER {{
    interface eth0
    state BACKUP
    virtual_router_id 51
    priority {priority}
    virtual_ipaddress {{
        10.99.0.100/24
    }}
}}
vrrp_instance INNER {{
    interface eth0
    state BACKUP
    virtual_router_id 52
    priority {priority}
    track_interface {{
        inside
    }}
    virtual_ipaddress {{
        10.99.0.200/24
    }}
}}
"""
TOLD = "#!/bin/sh\necho $* >> {}/said\n"
VIPS = ("10.99.0.100", "10.99.0.200")


@pytest.fixture
def wire() -> Iterator[Lan]:
    with lan() as made:
        yield made


def host(wire: Lan) -> Host:
    """A host with one more interface, ``inside``."""
    made = wire.host()
    ip("-n", made.name, "link", "add", "inside", "type", "veth", "peer", "name", "beyond")
    for link in ("inside", "beyond"):
        ip("-n", made.name, "link", "set", link, "up")
    return made


def member(kind: type[Router], host: Host, folder: Path, priority: int) -> Router:
    """A router program whose group tells its roles to a file."""
    made = kind(host, folder, "")
    told = made.folder / "told"
    told.write_text(TOLD.format(made.folder))
    told.chmod(0o755)
    made.conf.write_text(CONF.format(folder=made.folder, priority=priority))
    return made


def holds_both(router: Router) -> bool:
    return all(map(router.host.holds, VIPS))


def holds_none(router: Router) -> bool:
    return not any(map(router.host.holds, VIPS))


@pytest.mark.parametrize("pair", [(Ours, Keepalived), (Keepalived, Ours)], ids=lambda p: p[0].__name__)
def test_members_move_together_when_one_of_them_fails_and_return_together(
    wire: Lan, tmp_path: Path, pair: tuple[type[Router], type[Router]]
) -> None:
    better, worse = (member(kind, host(wire), tmp_path, p) for kind, p in zip(pair, (150, 100), strict=True))
    witness = Witness(wire.host())
    with started(better):
        until(lambda: holds_both(better), limit=15)
        moves(better, worse)
    assert masters(witness.adverts()) == [better.host.address, worse.host.address, better.host.address]


def moves(better: Router, worse: Router) -> None:
    with started(worse):
        until(lambda: "BACKUP" in worse.log.read_text())
        ip("-n", better.host.name, "link", "set", "beyond", "down")
        until(lambda: holds_both(worse) and holds_none(better), limit=15)
        ip("-n", better.host.name, "link", "set", "beyond", "up")
        until(lambda: holds_both(better) and holds_none(worse), limit=20)


def test_the_group_tells_its_roles_once_each_and_an_operator_why(wire: Lan, tmp_path: Path) -> None:
    ours = member(Ours, host(wire), tmp_path, 150)
    assert isinstance(ours, Ours)
    said = ours.folder / "said"
    with started(ours):
        until(lambda: holds_both(ours), limit=15)
        ip("-n", ours.host.name, "link", "set", "beyond", "down")
        until(lambda: said.exists() and "FAULT" in said.read_text())
        why = "\n".join(asked(ours, ask="why", id="group/BOTH")["lines"])
        assert "INNER: link/inside is FAILED" in why
        ours.stop()
    assert said.read_text().splitlines() == [f"GROUP BOTH {role} 0" for role in ("BACKUP", "MASTER", "FAULT", "STOP")]
