"""Groups of services that share their servers, and how packets get to these."""

import pytest

from loader.model import Entry, RealServer, SyncDaemon, Timeouts, Tunnel
from tests.loader.house import complaints, good, service

SERVICE = "virtual_server group web {\nprotocol TCP\nreal_server 10.0.1.1 80 { }\n}\n"


def entries(text: str) -> tuple[Entry, ...]:
    return good(f"virtual_server_group web {{\n{text}\n}}\n{SERVICE}").virtual_servers[0].entries


def judged(text: str, service: str = SERVICE) -> list[str]:
    return complaints(f"virtual_server_group web {{\n{text}\n}}\n{service}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1 80", (Entry("10.0.0.1", 80, family=4),)),
        ("10.0.0.1 80 10.0.0.2", (Entry("10.0.0.1", 80, family=4), Entry("10.0.0.2", 0, family=4))),
        ("10.0.0.9-11 443", tuple(Entry(f"10.0.0.{turn}", 443, family=4) for turn in (9, 10, 11))),
        ("10.0.0.5/31 80", tuple(Entry(f"10.0.0.{turn}", 80, family=4) for turn in (4, 5))),
        ("fwmark 7", (Entry(fwmark=7, family=4),)),
        ("fwmark 7 inet6\n10.0.0.1 1", (Entry(fwmark=7, family=6), Entry("10.0.0.1", 1, family=4))),
    ],
)
def test_a_group_is_addresses_ranges_networks_and_marks(text: str, expected: tuple[Entry, ...]) -> None:
    servers = "lb_kind TUN\nreal_server 10.0.1.1 80 { }"
    text = f"virtual_server_group web {{\n{text}\n}}\nvirtual_server group web {{\nprotocol TCP\n{servers}\n}}"
    assert good(text).virtual_servers[0].entries == expected


def test_a_range_of_ipv6_addresses_is_counted_in_the_last_sixteen_bits() -> None:
    server = "virtual_server group web {\nprotocol UDP\nreal_server fd00::9 53 { }\n}"
    found = good(f"virtual_server_group web {{\nFD00::FF-101 53\n}}\n{server}").virtual_servers[0]
    assert [entry.address for entry in found.entries] == ["fd00::ff", "fd00::100", "fd00::101"]
    assert (found.family, {entry.family for entry in found.entries}) == (6, {6})


def test_a_service_for_every_port_makes_its_group_persistent() -> None:
    text = "virtual_server_group web {\n10.0.0.1 80\n10.0.0.2\n}\n"
    assert good(text + SERVICE).virtual_servers[0].persistence_timeout == 360


def test_a_group_that_changed_is_joined_anew_though_its_service_is_known() -> None:
    assert entries("10.0.0.1 80") != entries("10.0.0.2 80")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.0.0.300", "2:1 error: '10.0.0.300' is neither an address nor 'fwmark'"),
        ("10.0.0.9-3 80", "2:1 error: the range '10.0.0.9-3' ends with no number from 9 to 255"),
        ("10.0.0.9-256", "2:1 error: the range '10.0.0.9-256' ends with no number from 9 to 255"),
        ("10.0.0.9-", "2:1 error: the range '10.0.0.9-' ends with no number from 9 to 255"),
        ("fd00::9-8", "2:1 error: the range 'fd00::9-8' ends with no number from 9 to ffff"),
        ("10.0.0.1 65536", "2:10 error: '65536' is not a port"),
        ("10.0.0.0/8", "2:1 error: '10.0.0.0/8' has more than 65536 addresses"),
        ("10.0.0.0/33", "2:1 error: '10.0.0.0/33' is not a network"),
        ("fwmark", "2:1 error: fwmark needs a number from 1 to 4294967295"),
        ("fwmark x", "2:8 error: fwmark needs a number from 1 to 4294967295"),
        ("10.0.0.1 80\nfd00::1 80", "1:22 error: a group has addresses of one family"),
        ("10.0.0.1 80\n10.0.0.1 80", "3:1 warning: it is in the group already"),
        ("", "1:22 warning: a virtual_server_group without entries"),
        ("fwmark 7 inet6", "4:16 error: 10.0.1.1 cannot serve an IPv6 service by NAT"),
    ],
)
def test_what_is_wrong_with_a_group_is_told_at_its_place(text: str, message: str) -> None:
    assert judged(text) == [message]


def test_a_group_without_a_name_is_refused() -> None:
    assert complaints("virtual_server_group {\n10.0.0.1 80\n}") == ["1:1 error: a virtual_server_group needs a name"]


def test_a_service_is_in_one_place_alone_and_both_are_told() -> None:
    other = SERVICE.replace("group web", "10.0.0.2 80")
    text = f"{other}virtual_server_group web {{\n10.0.0.1-3 80\n}}\n{SERVICE}"
    assert complaints(text) == ["8:16 error: 10.0.0.2 80 tcp of the group 'web' is declared twice"]
    groups = "".join(f"virtual_server_group {name} {{\n10.0.0.1 80\n}}\n" for name in ("web", "more"))
    again = SERVICE.replace("group web", "group more")
    assert complaints(groups + SERVICE + again) == [
        "11:16 error: 10.0.0.1 80 tcp of the group 'more' is declared twice"
    ]
    udp = again.replace("TCP", "UDP")
    assert complaints(groups + SERVICE + udp) == []


def portless(inside: str, head: str = "group web") -> list[str]:
    """What is said of a server without a port that is checked like this."""
    named = "RT_TCP_CHECK own {\nconnect_port 80\n}\nRT_TCP_CHECK any {\n}\nRT_PING_CHECK ping {\n}\n"
    others = "virtual_server 10.0.9.1 80 {\nprotocol TCP\nreal_server 10.0.1.1 {\ncheckers own any ping\n}\n}\n"
    service = (
        f"virtual_server {head} {{\nprotocol TCP\npersistence_timeout\nreal_server 10.0.1.1 {{\n{inside}\n}}\n}}\n"
    )
    return complaints(f"virtual_server_group web {{\n10.0.0.1 80\n}}\n{service}{named}{others}")


def test_checks_rest_with_the_address_of_their_service_which_a_mark_has_not() -> None:
    assert [service(said).ha_suspend for said in ("", "ha_suspend")] == [False, True]
    text = "virtual_server fwmark 7 {\nprotocol TCP\nha_suspend\nreal_server 10.0.1.1 80 { }\n}\n"
    assert complaints(text)[-1] == "3:1 warning: a firewall mark has no address: its checks never rest"


@pytest.mark.parametrize("head", ["group web", "10.0.0.2", "fwmark 7"])
@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("TCP_CHECK {\n}", "8:1 warning: TCP_CHECK has no port here: the server has none"),
        ("checkers own ping any", "8:19 warning: the checker 'any' has no port here: the server has none"),
        ("TCP_CHECK {\nconnect_port 80\n}\nPING_CHECK {\n}\ncheckers own", ""),
    ],
)
def test_a_server_without_a_port_needs_checkers_that_have_one_or_need_none(head: str, inside: str, said: str) -> None:
    told = [line for line in portless(inside, head) if "port here" in line]
    assert told == ([said] if said else [])


@pytest.mark.parametrize(
    ("said", "method", "tunnel"),
    [
        ("TUN", "TUN", Tunnel()),
        ("tun type IPIP", "TUN", Tunnel()),
        ("TUN type gue port 6080", "TUN", Tunnel("gue", 6080)),
        ("TUN type gue port 6080 nocsum", "TUN", Tunnel("gue", 6080)),
        ("TUN type gue remcsum port 6080", "TUN", Tunnel("gue", 6080, "remcsum")),
        ("TUN type gre csum", "TUN", Tunnel("gre", 0, "csum")),
    ],
)
def test_a_tunnel_is_said_with_the_method(said: str, method: str, tunnel: Tunnel) -> None:
    expected = RealServer("10.0.1.1", 80, weight=1, method=method, tunnel=tunnel)
    assert service(f"lvs_method {said}").real_servers == (expected,)
    assert service(servers=f"real_server 10.0.1.1 80 {{ lvs_method {said} \n }}").real_servers == (expected,)


def test_a_server_that_says_its_own_method_leaves_the_tunnel_of_its_service() -> None:
    text = "lb_kind TUN type gre\nsorry_server 10.0.2.1\nsorry_server_lvs_method NAT"
    found = service(text, servers="real_server 10.0.1.1 80 {\nlb_kind DR\n}\nreal_server 10.0.1.2 80 { }")
    assert [(each.method, each.tunnel) for each in (*found.real_servers, found.sorry_server) if each] == [
        ("DR", Tunnel()),
        ("TUN", Tunnel("gre")),
        ("NAT", Tunnel()),
    ]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("NAT type gre", "3:9 error: NAT has no tunnel"),
        ("TUN type gue", "3:9 error: a gue tunnel needs a port"),
        ("TUN type gre port 7", "3:9 error: gre has no port"),
        ("TUN csum", "3:9 error: ipip has no checksums"),
        ("TUN type", "3:13 error: 'type' needs a value"),
        ("TUN type vxlan", "3:18 error: 'vxlan' is not a value of 'kind'"),
        ("TUN type gre csum csum", "3:27 error: surplus word 'csum'"),
        ("TUN type gre type gre", "3:22 error: surplus word 'type'"),
        ("type gre", "3:1 error: method is missing"),
    ],
)
def test_a_tunnel_that_cannot_be_is_refused(said: str, message: str) -> None:
    text = f"virtual_server 10.0.0.1 80 {{\nprotocol TCP\nlb_kind {said}\nreal_server 10.0.1.1 80 {{ }}\n}}"
    assert complaints(text) == [message]


def test_persistence_by_calls_needs_persistence() -> None:
    assert service("persistence_engine sip\npersistence_timeout").persistence_engine == "sip"
    text = "virtual_server 10.0.0.1 80 {\nprotocol UDP\npersistence_engine sip\nreal_server 10.0.1.1 80 { }\n}"
    assert complaints(text) == ["3:20 warning: it does nothing without persistence_timeout"]


INSTANCE = "vrrp_instance V {\ninterface eth0\nvirtual_router_id 7\nvirtual_ipaddress {\n10.0.0.100\n}\n}\n"


@pytest.mark.parametrize(
    ("said", "daemon"),
    [
        ("eth0", SyncDaemon("eth0")),
        ("eth0 V", SyncDaemon("eth0", "V")),
        (
            "eth0 inst V id 3 maxlen 1000 port 9000 ttl 2 group 224.0.0.99",
            SyncDaemon("eth0", "V", 3, 1000, 9000, 2, "224.0.0.99"),
        ),
        ("eth0 ttl 9 group ff02::99", SyncDaemon("eth0", ttl=9, group="ff02::99")),
    ],
)
def test_the_sync_daemon_is_told_all_in_one_line(said: str, daemon: SyncDaemon) -> None:
    assert good(f"global_defs {{\nlvs_sync_daemon {said}\n}}\n{INSTANCE}").global_defs.lvs_sync_daemon == daemon


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("eth0 W", "2:22 error: no vrrp_instance is named 'W'"),
        ("eth0 V group 10.0.0.1", "2:17 error: 10.0.0.1 is not a multicast address"),
        ("eth0 V id 256", "2:27 error: 256 is out of range for 'id'"),
        ("inst V", "2:1 error: interface is missing"),
    ],
)
def test_a_sync_daemon_that_cannot_be_is_refused(said: str, message: str) -> None:
    assert complaints(f"global_defs {{\nlvs_sync_daemon {said}\n}}\n{INSTANCE}") == [message]


def test_the_rest_of_ipvs_is_said_for_all() -> None:
    text = "global_defs {\nlvs_timeouts udp 30 tcp 900\nlvs_flush\nlvs_flush_onstop\nipvs_drift report\n}"
    found = good(text).global_defs
    assert (found.lvs_timeouts, found.lvs_flush, found.lvs_flush_on_stop, found.ipvs_drift, found.lvs_keep_on_stop) == (
        Timeouts(900, 0, 30),
        True,
        "all",
        "report",
        False,
    )
    assert complaints("global_defs {\nlvs_timeouts\n}") == ["2:1 error: 'lvs_timeouts' needs a value"]
