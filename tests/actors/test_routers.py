"""From a configuration to routers: what each sends, where, and what it demands of what it hears."""

from typing import Any

import pytest

from actors.core.authentication_header import HeaderKey
from actors.core.authentication_trailer import Mode, TrailerKeys
from actors.core.packet_checks import Expected, Peer
from actors.core.packet_values import Advert
from actors.core.tracking import Follow
from actors.core.vrrp_values import Router
from actors.planes.network import Device, Endpoint
from actors.routers import routers
from actors.station import VrrpSpec
from actors.vrrp_actor import VrrpActor
from loader.model import Identity
from tests.loader.house import good, read

STEM = "vrrp_instance a {{\ninterface eth0\nvirtual_router_id 51\nvirtual_ipaddress {vips}\n{inside}\n}}\n"
VIP = ("10.0.0.1",)


def spec(inside: str = "", before: str = "", vips: str = "10.0.0.1/24") -> VrrpSpec:
    """The first router of a configuration with this in its instance."""
    config = good(before + STEM.format(inside=inside, vips=vips))
    children = routers(config, str, Identity(""))
    return next(child.args[0] for child in children if child.kind is VrrpActor)  # type: ignore[no-any-return]


def test_an_instance_that_says_little_is_a_router_like_keepalived_s() -> None:
    assert spec() == VrrpSpec(
        "vrrp/a",
        Router(address=""),
        Endpoint("eth0", 4, 51, ("224.0.0.18",)),
        Advert(2, 51, 100, 100, VIP),
        Expected(2, 51, 100, VIP, "224.0.0.18"),
        virtual=VIP,
        announcers=("announcer/eth0",),
    )


EXPECTED4 = Expected(3, 51, 100, VIP, "224.0.0.18")


@pytest.mark.parametrize(
    ("inside", "changes"),
    [
        ("version 3\nskip_check_adv_addr", {"any_addresses": True}),
        ("version 3\nv3_checksum_as_v2", {"v3_checksum_as_v2": True}),
        ("version 3\nadvert_int 0.25", {"interval_cs": 25}),
        ("version 3\nstrict_mode", {"link_local_first": True}),
        ("version 3\npriority 255", {"owns": True}),
        ("version 3\npriority 255\nowner_ignore_adverts", {"owns": True, "owner_ignores": True}),
        ("version 3\npriority 255\nstrict_mode", {"owns": True, "owner_ignores": True, "link_local_first": True}),
        ("version 3\npriority 254\nowner_ignore_adverts", {}),
        ("version 2\nauthentication {\nauth_type PASS\nauth_pass secret\n}", {"version": 2, "auth": b"secret"}),
        ("version 2\nauthentication {\nauth_type AH\nauth_pass secret\n}", {"version": 2, "ah": True}),
    ],
)
def test_each_keyword_reaches_what_is_demanded_of_a_packet(inside: str, changes: dict[str, Any]) -> None:
    facts = {name: getattr(EXPECTED4, name) for name in EXPECTED4.__struct_fields__}
    assert spec(inside).expected == Expected(**facts | changes)


@pytest.mark.parametrize(
    ("vips", "groups"), [("10.0.0.1/24", ("239.1.1.1",)), ("fe80::1/64\nvirtual_ipaddress fd00::1/64", ("ff02::99",))]
)
def test_the_groups_of_global_defs_are_sent_to_and_demanded(vips: str, groups: tuple[str, ...]) -> None:
    before = "global_defs {\nvrrp_mcast_group4 239.1.1.1\nvrrp_mcast_group6 ff02::99\n}\n"
    found = spec(before=before, vips="{\n" + vips.replace("\nvirtual_ipaddress", "") + "\n}")
    assert (found.endpoint.destinations, found.expected.group) == (groups, groups[0])


@pytest.mark.parametrize(
    ("ttl", "check", "peers"),
    [
        ("", "", ()),
        ("", "check_unicast_src", (Peer("10.0.0.10"), Peer("10.0.0.11"))),
        ("min_ttl 250 max_ttl 254", "", (Peer("10.0.0.10"), Peer("10.0.0.11", 250, 254))),
    ],
)
def test_in_unicast_mode_the_peers_are_sent_to_and_a_range_of_ttl_makes_them_the_only_ones_heard(
    ttl: str, check: str, peers: tuple[Peer, ...]
) -> None:
    found = spec("unicast_peer {\n10.0.0.10\n10.0.0.11 " + ttl + "\n}\n" + check)
    assert found.endpoint.destinations == ("10.0.0.10", "10.0.0.11")
    assert (found.expected.group, found.expected.peers) == ("", peers)


@pytest.mark.parametrize("keyword", ["mcast_src_ip", "unicast_src_ip"])
def test_a_source_may_be_configured(keyword: str) -> None:
    assert spec(f"{keyword} 10.0.0.8").source == "10.0.0.8"


def test_who_announces_is_told_of_rivals_and_the_source_is_tracked_if_so_asked() -> None:
    found = spec("virtual_ipaddress_excluded {\n10.0.1.1 dev eth1\nfd00::1\n}\nmcast_src_ip 10.0.0.9\ntrack_src_ip")
    assert found.announcers == ("announcer/eth0", "announcer/eth1")
    assert (found.source, found.tracks_source) == ("10.0.0.9", True)


def test_no_router_sends_from_an_address_that_any_router_here_may_hold() -> None:
    second = STEM.format(vips="10.0.0.2", inside="virtual_ipaddress_excluded 10.0.0.3").replace(" a ", " b ", 1)
    assert spec(before=second.replace(" 51", " 52")).virtual == ("10.0.0.2", "10.0.0.3", "10.0.0.1")


def test_another_interface_or_vrid_makes_another_router_of_it_and_nothing_else_does() -> None:
    def identity(**changes: str) -> str:
        text = STEM.format(vips="10.0.0.1", inside="priority 90")
        for old, new in changes.items():
            text = text.replace(old, new)
        (found,) = (child for child in routers(good(text), str, Identity("")) if child.kind is VrrpActor)
        return found.identity

    assert identity() == identity(priority="version 3\npriority") == "eth0 IPv4 51"
    assert identity(eth0="eth1") == "eth1 IPv4 51"
    assert identity(**{"51": "52"}) == "eth0 IPv4 52"


def test_another_name_or_mac_or_interface_below_makes_another_device_of_it() -> None:
    def identity(inside: str, **changes: str) -> str:
        text = STEM.format(vips="10.0.0.1", inside=inside)
        for old, new in changes.items():
            text = text.replace(old, new)
        return {child.id: child for child in routers(good(text), str, Identity(""))}["device/a"].identity

    assert identity("use_vmac v") == identity("use_vmac v\npriority 90") == "v on eth0 with 00:00:5e:00:01:33"
    assert identity("use_vmac w") == "w on eth0 with 00:00:5e:00:01:33"
    assert identity("use_vmac v", **{"51": "52", "eth0": "eth1"}) == "v on eth1 with 00:00:5e:00:01:34"


GROUPED = """
RT_TCP_CHECK db {{
    connect_ip 10.0.0.9
    connect_port 80
}}
vrrp_sync_group g {{
    group {{
        a
        b
    }}
    track_interface {{
        eth9 weight 5
    }}
    {weighs}
}}
vrrp_instance b {{
    interface eth1
    virtual_router_id 52
    virtual_ipaddress 10.0.1.1/24
}}
"""


@pytest.mark.parametrize(("weighs", "weight"), [("", 0), ("sync_group_tracking_weight", -20)])
def test_in_a_group_a_member_s_own_weights_count_only_if_the_group_says_so(weighs: str, weight: int) -> None:
    config = read(
        GROUPED.format(weighs=weighs) + STEM.format(inside="checkers db weight -20", vips="10.0.0.1/24")
    ).config
    assert config is not None
    children = routers(config, str, Identity(""))
    specs = {child.id: child.args[0] for child in children if child.kind is VrrpActor}
    assert specs["vrrp/a"].follows == (Follow("db", weight), Follow("link/eth9", 5))
    assert specs["vrrp/b"].follows == (Follow("link/eth9", 5),)
    assert {spec.group for spec in specs.values()} == {"group/g"}


@pytest.mark.parametrize(
    ("inside", "endpoint", "below", "where"),
    [
        ("", Endpoint("eth0", 4, 51, ("224.0.0.18",)), "", "eth0"),
        ("use_vmac", Endpoint("vrrp.51", 4, 51, ("224.0.0.18",), borrows=True, below="eth0"), "eth0", "vrrp.51"),
        (
            "use_vmac vip0\nvmac_xmit_base",
            Endpoint("eth0", 4, 51, ("224.0.0.18",), ear="vip0", below="eth0"),
            "eth0",
            "vip0",
        ),
        (
            "use_vmac vip0\nvmac_xmit_base\nunicast_peer 10.0.0.9",
            Endpoint("eth0", 4, 51, ("10.0.0.9",), below="eth0"),
            "eth0",
            "vip0",
        ),
    ],
)
def test_a_router_with_an_interface_of_its_own_has_its_addresses_there(
    inside: str, endpoint: Endpoint, below: str, where: str
) -> None:
    config = good(STEM.format(inside=inside, vips="10.0.0.1/24"))
    children = {child.id: child for child in routers(config, str, Identity(""))}
    router, held = children["vrrp/a"].args[0], children["address/a"].args[0]
    assert (router.endpoint, router.below, held.interface) == (endpoint, below, where)
    assert router.device == ("device/a" if below else "")
    assert (f"link/{where}" in children, f"announcer/{where}" in children) == (True, True)
    if below:
        assert children["device/a"].args[0].device == Device(where, "eth0", "00:00:5e:00:01:33", 4)


def test_an_interface_with_another_name_place_or_mac_is_another_interface() -> None:
    def identity(inside: str, **changes: str) -> str:
        text = STEM.format(inside=inside, vips="10.0.0.1/24")
        for old, new in changes.items():
            text = text.replace(old, new)
        children = {child.id: child for child in routers(good(text), str, Identity(""))}
        return children["device/a"].identity

    assert identity("use_vmac x") == identity("use_vmac x\npriority 9") == "x on eth0 with 00:00:5e:00:01:33"
    assert identity("use_vmac y") == "y on eth0 with 00:00:5e:00:01:33"
    assert identity("use_vmac x", eth0="eth1") == "x on eth1 with 00:00:5e:00:01:33"
    assert identity("use_vmac x", **{" 51": " 52"}) == "x on eth0 with 00:00:5e:00:01:34"


def test_with_ah_adverts_are_of_another_protocol_and_the_word_is_a_key_and_in_no_repr() -> None:
    found = spec("version 2\nauthentication {\nauth_type AH\nauth_pass secret\n}")
    assert (found.endpoint.protocol, found.authentication, found.advert.ah) == (51, HeaderKey(b"secret"), True)
    assert "secret" not in repr(found)
    assert "secret" not in repr(spec("version 2\nauthentication {\nauth_type PASS\nauth_pass secret\n}"))


def test_with_auth_hmac_its_keys_go_with_the_router_and_no_repr_has_them() -> None:
    found = spec(f"version 3\nauth_hmac {{\nkey 3 {'k' * 32}\nactive_key 3\nmode permissive\nanti_replay monotonic\n}}")
    assert found.authentication == TrailerKeys(((3, b"k" * 32),), 3, 5, True, Mode.PERMISSIVE)
    assert (found.endpoint.protocol, found.advert.ah, "kkk" in repr(found)) == (112, False, False)
