"""Interfaces that go, come back, and are renamed under a router that leads."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.lab import until
from tests.system.netns import Host, Lan, Ours, asked, ip, lan, started

CONF = """
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 150
    version 3
    advert_int 0.1
    virtual_ipaddress {
        10.99.0.100/24
    }
}
"""


@pytest.fixture
def wire() -> Iterator[Lan]:
    with lan() as made:
        yield made


def plug(wire: Lan, host: Host) -> None:
    """Give the host its interface, as it was at first."""
    port = host.port
    ip("-n", wire.name, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", host.name)
    ip("-n", wire.name, "link", "set", port, "master", "br0", "up")
    ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "eth0")
    ip("-n", host.name, "link", "set", "eth0", "up")


def test_a_router_follows_its_interface_through_everything(wire: Lan, tmp_path: Path) -> None:
    ours = Ours(wire.host(), tmp_path, CONF)
    host = ours.host

    def role() -> str:
        rows = asked(ours, ask="status")["routers"]
        return f"{rows[0]['role']} {rows[0]['reason']}"

    with started(ours):
        until(ours.is_master)
        ip("-n", host.name, "link", "set", "eth0", "down")
        until(lambda: role().startswith("FAULT interface eth0 is down"))
        ip("-n", host.name, "link", "set", "eth0", "up")
        until(ours.is_master)
        ip("-n", wire.name, "link", "set", host.port, "down")  # the other end: the carrier is lost
        until(lambda: role().startswith("FAULT interface eth0 is down"))
        ip("-n", wire.name, "link", "set", host.port, "up")
        until(ours.is_master)
        ip("-n", host.name, "addr", "del", f"{host.address}/24", "dev", "eth0")
        until(lambda: role().startswith("FAULT no source address"))
        ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "eth0")
        until(ours.is_master)
        ip("-n", host.name, "link", "set", "eth0", "down")
        ip("-n", host.name, "link", "set", "eth0", "name", "wan0")
        until(lambda: role().startswith("FAULT"))
        ip("-n", host.name, "link", "set", "wan0", "name", "eth0")
        ip("-n", host.name, "link", "set", "eth0", "up")
        until(ours.is_master)
        ip("-n", host.name, "link", "del", "eth0")
        until(lambda: role().startswith("FAULT"))
        plug(wire, host)
        until(ours.is_master)
        assert "late itself" in asked(ours, ask="why", id="vrrp/VI_1")["lines"][1]
    assert '"late_ms":' in ours.log.read_text()
