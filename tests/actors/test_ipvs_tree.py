"""What a configuration makes of groups of services, and of what concerns IPVS as a whole."""

from typing import Any

import pytest

from actors.core.table import Destination, ServiceKey, Tunnel
from actors.core.whole import Daemon, Timeouts
from actors.ipvs_settings_actor import IpvsSettingsSpec
from actors.sync_daemon_actor import SyncDaemonSpec
from actors.tree import grow
from tests.loader.house import good, read

SERVICE = "virtual_server 10.0.0.1 80 {\nprotocol TCP\nreal_server 10.0.1.1 80 { }\n}\n"
INSTANCE = "vrrp_instance V {\ninterface eth0\nvirtual_router_id 7\nvirtual_ipaddress {\n10.0.0.100\n}\n}\n"


def specs(text: str, folder: str) -> dict[str, Any]:
    children = grow(good(text)).children
    return {child.id: child.args[0] for child in children if child.id.startswith(folder)}


def whole(said: str, rest: str = SERVICE) -> dict[str, Any]:
    return specs(f"global_defs {{\n{said}\n}}\n{INSTANCE}{rest}", "ipvs/")


def test_a_group_is_one_virtual_server_with_several_services() -> None:
    text = "virtual_server_group web {\n10.0.0.1-2 80\nfwmark 7\n}\nvirtual_server group web {\nprotocol UDP\n"
    found = specs(text + "persistence_timeout 9\npersistence_engine sip\nreal_server 10.0.1.1 { }\n}", "vs/")
    assert [*found] == ["vs/group:web:udp/rs/10.0.1.1:0", "vs/group:web:udp"]
    services = found["vs/group:web:udp"].roster.services
    first, second = (ServiceKey(4, f"10.0.0.{turn}", 80, "udp") for turn in (1, 2))
    assert [service.key for service in services] == [first, second, ServiceKey(4, fwmark=7)]
    assert {(service.persistence_timeout, service.persistence_engine) for service in services} == {(9, "sip")}


def test_a_group_without_services_has_no_virtual_server() -> None:
    config = read(f"virtual_server_group web {{\n}}\n{SERVICE.replace('10.0.0.1 80', 'group web')}").config
    assert config is not None
    assert [child.id for child in grow(config).children][-1] == "vs/group:web:tcp/rs/10.0.1.1:80"


def test_a_tunnel_arrives_at_servers_and_the_sorry_server() -> None:
    text = "virtual_server 10.0.0.1 80 {\nprotocol TCP\nlb_kind TUN type gue port 6080 csum\nsorry_server 10.0.2.1\n"
    roster = specs(text + "real_server 10.0.1.1 80 { }\n}", "vs/")["vs/10.0.0.1:80:tcp"].roster
    tunnel = Tunnel("gue", 6080, "csum")
    assert roster.members[0].destination == Destination("10.0.1.1", 80, 1, "TUN", tunnel=tunnel)
    assert roster.sorry.destination == Destination("10.0.2.1", 80, 1, "TUN", tunnel=tunnel)


def test_drift_is_healed_unless_a_report_is_all_that_is_wanted() -> None:
    said = [
        specs(text + SERVICE, "vs/")["vs/10.0.0.1:80:tcp"].heals
        for text in ("", "global_defs {\nipvs_drift report\n}\n")
    ]
    assert said == [True, False]


@pytest.mark.parametrize(
    ("said", "spec"),
    [
        ("lvs_timeouts tcp 60 udp 5", IpvsSettingsSpec("ipvs/settings", Timeouts(60, 0, 5))),
        ("lvs_flush_on_stop", IpvsSettingsSpec("ipvs/settings", empties=True)),
    ],
)
def test_settings_have_who_sees_to_them(said: str, spec: IpvsSettingsSpec) -> None:
    assert whole(said) == {"ipvs/settings": spec}


@pytest.mark.parametrize("said", ["", "lvs_flush", "lvs_flush_on_stop VS", "lvs_flush_on_stop\nlvs_keep_on_stop"])
def test_where_nothing_is_to_be_set_nobody_sees_to_it(said: str) -> None:
    assert whole(said) == {}


@pytest.mark.parametrize("said", ["lvs_timeouts tcp 1\nlvs_sync_daemon eth0", "lvs_flush_on_stop"])
def test_without_ipvs_there_is_nothing_to_see_to(said: str) -> None:
    assert (whole(said, ""), whole(f"{said}\ndataplane userspace")) == ({}, {})


@pytest.mark.parametrize(
    ("said", "daemon", "router"),
    [
        ("eth0", Daemon("", "eth0"), ""),
        ("eth0 V", Daemon("", "eth0", 7), "vrrp/V"),
        ("eth0 V id 0 port 99 ttl 3 maxlen 900 group ff02::1", Daemon("", "eth0", 0, 900, 99, 3, "ff02::1"), "vrrp/V"),
    ],
)
def test_the_sync_daemon_has_the_number_of_its_router_unless_it_is_said(said: str, daemon: Daemon, router: str) -> None:
    assert whole(f"lvs_sync_daemon {said}") == {"ipvs/sync": SyncDaemonSpec("ipvs/sync", daemon, router)}
