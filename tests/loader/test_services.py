"""Virtual and real servers: what they become, what is inherited, put right, or refused."""

import pytest

from loader.model import RealServer, Script, SorryServer, VirtualServer
from tests.loader.house import complaints, good, service

WHOLE = """
TH_TCP_CHECK a {
}
TH_TCP_CHECK b {
}
virtual_server 10.0.0.1 80 {
    delay_loop 6
    lvs_sched sh
    lvs_method TUN
    protocol SCTP
    persistence_timeout 50
    persistence_granularity 255.255.255.0
    quorum 3
    hysteresis 1
    quorum_up "/bin/up now" www adm
    quorum_down /bin/down
    sorry_server fd00::9 80
    sorry_server_inhibit
    sorry_server_lvs_method TUN
    inhibit_on_failure
    alpha
    omega
    sh-fallback
    ops
    sh-port
    flag-3
    retry 2
    delay_before_retry 0
    warmup 0.5
    connect_timeout 2.5
    virtualhost www.example.org
    weight 5
    real_server 10.0.1.1 80 {
        weight 0
        inhibit_on_failure off
        alpha no
        notify_up "/bin/up 'a b'"
        notify_down /bin/down x y
        checkers a b
        uthreshold 10
        lthreshold 2
        retry 7
        delay_loop 1
        virtualhost other.example.org
    }
    real_server fd00:0::2 {
        checkers {
            a   # the first
            b
        }
        lb_kind TUN
    }
}
"""


def test_every_keyword_arrives_where_it_belongs() -> None:
    assert good(WHOLE).virtual_servers == (
        VirtualServer(
            "10.0.0.1",
            80,
            family=4,
            protocol="sctp",
            scheduler="sh",
            method="TUN",
            flags=("ops", "sh-port", "sh-fallback", "flag-3"),
            persistence_timeout=50,
            persistence_prefix=24,
            quorum=3,
            hysteresis=1,
            quorum_up=Script(("/bin/up", "now"), "www", "adm"),
            quorum_down=Script(("/bin/down",)),
            sorry_server=SorryServer("fd00::9", 80, method="TUN", inhibit=True),
            inhibit_on_failure=True,
            alpha=True,
            omega=True,
            delay_loop=6.0,
            retry=2,
            virtualhost="www.example.org",
            weight=5,
            delay_before_retry=0.0,
            warmup=0.5,
            connect_timeout=2.5,
            real_servers=(
                RealServer(
                    "10.0.1.1",
                    80,
                    weight=0,
                    inhibit_on_failure=False,
                    alpha=False,
                    method="TUN",
                    notify_up=Script(("/bin/up", "a b")),
                    notify_down=Script(("/bin/down", "x", "y")),
                    checkers=("a", "b"),
                    uthreshold=10,
                    lthreshold=2,
                    retry=7,
                    delay_loop=1.0,
                    virtualhost="other.example.org",
                    delay_before_retry=0.0,
                    warmup=0.5,
                    connect_timeout=2.5,
                ),
                RealServer(
                    "fd00::2",
                    80,
                    weight=5,
                    inhibit_on_failure=True,
                    alpha=True,
                    method="TUN",
                    checkers=("a", "b"),
                    retry=2,
                    delay_loop=6.0,
                    virtualhost="www.example.org",
                    delay_before_retry=0.0,
                    warmup=0.5,
                    connect_timeout=2.5,
                ),
            ),
        ),
    )


def test_what_is_unsaid_has_its_default() -> None:
    assert service() == VirtualServer(
        "10.0.0.1", 80, protocol="tcp", real_servers=(RealServer("10.0.1.1", 80, weight=1, method="NAT"),)
    )


def test_values_are_hashable_and_compare_without_their_places() -> None:
    again = service("\n\n")
    assert (service(), hash(service())) == (again, hash(again))
    assert service().real_servers[0].at != again.real_servers[0].at


INNER = " protocol UDP\n real_server 10.0.1.2 { } }"


def test_a_real_server_knows_its_place_from_its_virtual_server() -> None:
    config = good("\n  virtual_server 10.0.0.1 80 { real_server 10.0.1.1 { }\n" + INNER)
    found = config.virtual_servers[0]
    assert str(found.at) == "lb.conf:2:3"
    assert [str(server.at.within(found.at)) for server in found.real_servers] == ["lb.conf:2:32", "lb.conf:4:2"]


def test_an_ipv6_service_is_of_family_6() -> None:
    found = service(head="FD00::1 80", servers="real_server fd00::2 8080 { }")
    assert (found.address, found.family, found.real_servers[0].address) == ("fd00::1", 6, "fd00::2")


def test_a_bare_persistence_timeout_is_360_seconds() -> None:
    assert service("persistence_timeout").persistence_timeout == 360


@pytest.mark.parametrize(
    ("inside", "server", "family"),
    [("", "10.0.1.1", 4), ("", "fd00::1", 6), ("ip_family inet6", "fd00::1", 6), ("ip_family inet", "10.0.1.1", 4)],
)
def test_a_firewall_mark_has_the_family_that_is_said_or_its_servers(inside: str, server: str, family: int) -> None:
    found = good(f"virtual_server fwmark 7 {{\n{inside}\nreal_server {server} 80 {{ }}\n}}").virtual_servers[0]
    assert (found.fwmark, found.address, found.port, found.protocol, found.family) == (7, "", 0, "", family)
    assert found.real_servers[0].port == 80


def test_a_sorry_server_follows_port_and_method_of_its_service() -> None:
    assert service("lb_kind DR\nsorry_server 10.0.2.1").sorry_server == SorryServer("10.0.2.1", 80, method="DR")
    assert service("sorry_server 10.0.2.1 8080").sorry_server == SorryServer("10.0.2.1", 8080)


def test_services_of_other_ports_protocols_marks_and_families_are_different() -> None:
    heads = ["10.0.0.1 80", "10.0.0.1 81", "10.0.0.2 80", "fwmark 1", "fwmark 2"]
    texts = [f"virtual_server {head} {{\nprotocol TCP\nreal_server 10.0.1.1 80 {{ }}\n}}" for head in heads[:3]]
    texts += [f"virtual_server {head} {{\nreal_server 10.0.1.1 80 {{ }}\n}}" for head in heads[3:]]
    texts += ["virtual_server 10.0.0.1 80 {\nprotocol UDP\nreal_server 10.0.1.1 80 { }\n}"]
    texts += ["virtual_server fwmark 1 {\nreal_server fd00::1 80 { }\n}"]
    assert len(good("\n".join(texts)).virtual_servers) == 7


def judged(inside: str, head: str = "10.0.0.1 80") -> list[str]:
    text = f"virtual_server {head} {{\n{inside}\n}}"
    return [message.partition(" ")[2] for message in complaints(text)]


SERVERS = "real_server 10.0.1.1 80 {\nweight 2\n}\nreal_server 10.0.1.2 80 { }"


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("protocol TCP", "warning: a virtual_server without a real_server serves nobody"),
        (SERVERS, "warning: no protocol: TCP is taken"),
        (f"protocol TCP\nquorum 4\n{SERVERS}", "warning: quorum 4 is above the weights' sum: lowered to 3"),
        (
            f"protocol TCP\nquorum 2\nhysteresis 2\n{SERVERS}",
            "warning: hysteresis 2 is not below quorum 2: lowered to 1",
        ),
        (
            "protocol TCP\nlb_kind DR\nreal_server 10.0.1.1 81 { }",
            "warning: DR cannot change the port: 80 is taken",
        ),
        (
            f"protocol TCP\nlb_kind DR\nsorry_server 10.0.1.9 81\n{SERVERS}",
            "warning: DR cannot change the port: 80 is taken",
        ),
        (
            f"protocol TCP\nsorry_server_inhibit\n{SERVERS}",
            "warning: there is no sorry_server to which this could apply",
        ),
        (f"protocol TCP\nmh-port\n{SERVERS}", "warning: 'mh-port' does nothing with the scheduler 'wlc'"),
        (f"protocol TCP\nomega\nomega\n{SERVERS}", "warning: 'omega' is given again: the last one counts"),
        (f"protocol TCP\nip_family inet6\n{SERVERS}", "error: 10.0.0.1 is an IPv4 address"),
        (f"protocol TCP\npersistence_granularity 33\n{SERVERS}", "error: an IPv4 prefix has at most 32 bits"),
        ("protocol TCP\nreal_server fd00::1 80 { }", "error: fd00::1 cannot serve an IPv4 service by NAT"),
        ("protocol TCP\nreal_server 0.0.0.0 80 { }", "error: 0.0.0.0 is no machine's address: no server can have it"),
        (
            "protocol TCP\nreal_server 224.0.0.18 80 { }",
            "error: 224.0.0.18 is a multicast address: no server can have it",
        ),
        (
            f"protocol TCP\nsorry_server 255.255.255.255\n{SERVERS}",
            "error: 255.255.255.255 is the broadcast address: no server can have it",
        ),
        (
            "protocol TCP\nreal_server 10.0.1.1 80 { }\nreal_server 10.0.1.1 { }",
            "error: real_server 10.0.1.1 80 is in this virtual_server already",
        ),
        (
            "protocol TCP\nreal_server 10.0.1.1 80 {\nuthreshold 5\nlthreshold 6\n}",
            "error: lthreshold 6 is above uthreshold 5",
        ),
        ("protocol TCP\nreal_server x 80 { }", "error: 'x' is not an IP address"),
        ("protocol TCP\nreal_server { }", "error: address is missing"),
        ("protocol TCP\nreal_server 10.0.1.1", "error: 'real_server' needs a block { ... }"),
    ],
)
def test_what_cannot_be_meant_is_pointed_out(inside: str, message: str) -> None:
    assert judged(inside) == [message]


def test_a_service_for_every_port_is_made_persistent() -> None:
    assert judged(f"protocol TCP\n{SERVERS}", "10.0.0.1") == [
        "warning: a service for every port has to be persistent: 360 seconds are taken"
    ]
    assert judged(f"protocol TCP\npersistence_timeout 5\n{SERVERS}", "10.0.0.1") == []


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("ff02::1 80", "error: ff02::1 is a multicast address: no service can have it"),
        (":: 80", "error: :: is no machine's address: no service can have it"),
        ("10.0.0.1 80 90", "error: surplus word '90'"),
        ("10.0.0.1 http", "error: 'http' is not a whole number"),
        ("group x", "error: no virtual_server_group is named 'x'"),
        ("group", "error: group is missing"),
        ("fwmark", "error: fwmark is missing"),
        ("fwmark 0", "error: 0 is out of range for 'fwmark'"),
        ("fwmark 1 2", "error: surplus word '2'"),
    ],
)
def test_a_head_that_names_no_service_is_refused(head: str, message: str) -> None:
    family = "fd00::2" if "::" in head else "10.0.1.1"
    assert judged(f"protocol TCP\nreal_server {family} 80 {{ }}", head) == [message]


def test_quorum_is_not_lowered_to_nothing_while_all_weights_are_zero() -> None:
    assert service("quorum 2", servers="real_server 10.0.1.1 80 {\nweight 0\n}").quorum == 2


def test_a_protocol_of_a_mark_is_ignored() -> None:
    assert judged("protocol TCP\nreal_server 10.0.1.1 80 { }", "fwmark 3") == [
        "warning: a firewall mark has no protocol: ignored"
    ]


def test_protocol_method_and_scheduler_are_the_same_in_any_case_of_letters() -> None:
    shouted = "virtual_server 10.0.0.1 80 {\nprotocol UDP\nlb_kind DR\nlb_algo wrr\nreal_server 10.0.1.1 80 { }\n}\n"
    mixed = shouted.replace("UDP", "udp").replace("DR", "dr").replace("wrr", "WRR")
    assert good(mixed) == good(shouted)
