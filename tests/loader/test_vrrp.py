"""VRRP's blocks: what they become, what they inherit, and how they are written."""

import pytest

from loader import Cache
from loader.model import (
    Authentication,
    Config,
    GlobalDefs,
    Script,
    Tracked,
    UnicastPeer,
    VirtualAddress,
    VrrpInstance,
    VrrpSyncGroup,
)
from tests.loader.house import complaints, good, read

CHECKER = "RT_TCP_CHECK {} {{\nconnect_ip 10.0.9.1\nconnect_port 80\n}}\n"
STEM = "interface eth0\nvirtual_router_id 51\nvirtual_ipaddress 10.0.0.1/24\n"

WHOLE = """
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    state BACKUP
    priority 150
    version 2
    advert_int 2
    nopreempt
    accept
    authentication {
        auth_type PASS
        auth_pass "a word"
    }
    virtual_ipaddress {
        10.0.0.1/24 dev eth1 label eth1:1 scope link brd +
        10.0.0.2
    }
    virtual_ipaddress_excluded {
        fd00::1/64 dev eth2
    }
    unicast_src_ip 10.0.0.9
    mcast_src_ip 10.0.0.8
    unicast_peer {
        10.0.0.10
        10.0.0.11 min_ttl 250 max_ttl 254
    }
    unicast_ttl 254
    check_unicast_src
    track_interface {
        eth3
        eth4 weight -20
    }
    dont_track_primary
    checkers web weight 30 db
    use_vmac vrrp.51
    vmac_xmit_base
    garp_master_delay 1.5
    garp_master_repeat 2
    garp_master_refresh 60
    garp_master_refresh_repeat 3
    garp_lower_prio_delay 4
    garp_lower_prio_repeat 6
    garp_interval 0.001
    gna_interval 0.000001
    down_timer_adverts 4
    lower_prio_no_advert
    higher_prio_send_advert
    skip_check_adv_addr
    owner_ignore_adverts
    v3_checksum_as_v2
    debug 4
    notify_master "/bin/up 'a b'"
    notify_backup /bin/down x y
    notify_fault /bin/fault
    notify_stop /bin/stop
    notify /bin/any
}
"""


def router(inside: str, before: str = "") -> VrrpInstance:
    """An instance with these statements, one address and nothing wrong."""
    (found,) = good(f"{before}vrrp_instance a {{\n{STEM}{inside}\n}}\n").vrrp_instances
    return found


def test_every_keyword_arrives_where_it_belongs() -> None:
    assert good(CHECKER.format("web") + CHECKER.format("db") + WHOLE).vrrp_instances == (
        VrrpInstance(
            "VI_1",
            interface="eth0",
            vrid=51,
            state="BACKUP",
            priority=150,
            version=2,
            advert_interval=2.0,
            preempt=False,
            preempt_delay=0.0,
            accept=True,
            authentication=Authentication(auth_type="PASS", auth_pass="a word"),
            virtual_addresses=(
                VirtualAddress("10.0.0.1", 24, device="eth1", label="eth1:1", scope="link", broadcast="+"),
                VirtualAddress("10.0.0.2", 32),
            ),
            excluded=(VirtualAddress("fd00::1", 64, device="eth2"),),
            unicast_src_ip="10.0.0.9",
            mcast_src_ip="10.0.0.8",
            unicast_peers=(UnicastPeer("10.0.0.10"), UnicastPeer("10.0.0.11", min_ttl=250, max_ttl=254)),
            unicast_ttl=254,
            check_unicast_src=True,
            track_interfaces=(Tracked("eth3"), Tracked("eth4", weight=-20)),
            dont_track_primary=True,
            checkers=(Tracked("web", weight=30), Tracked("db")),
            use_vmac="vrrp.51",
            vmac_xmit_base=True,
            garp_master_delay=1.5,
            garp_master_repeat=2,
            garp_master_refresh=60.0,
            garp_master_refresh_repeat=3,
            garp_lower_prio_delay=4.0,
            garp_lower_prio_repeat=6,
            garp_interval=0.001,
            gna_interval=0.000001,
            down_timer_adverts=4,
            lower_prio_no_advert=True,
            higher_prio_send_advert=True,
            strict_mode=False,
            skip_check_adv_addr=True,
            owner_ignore_adverts=True,
            v3_checksum_as_v2=True,
            debug=4,
            notify_master=Script(("/bin/up", "a b")),
            notify_backup=Script(("/bin/down", "x", "y")),
            notify_fault=Script(("/bin/fault",)),
            notify_stop=Script(("/bin/stop",)),
            notify=Script(("/bin/any",)),
            family=4,
        ),
    )


def test_what_is_unsaid_has_its_default() -> None:
    assert router("") == VrrpInstance(
        "a",
        interface="eth0",
        vrid=51,
        priority=100,
        state="BACKUP",
        version=2,
        advert_interval=1.0,
        preempt=True,
        accept=True,
        virtual_addresses=(VirtualAddress("10.0.0.1", 24),),
    )


DEFAULTS = """
global_defs {
    vrrp_version 3
    vrrp_garp_master_delay 1
    vrrp_garp_master_repeat 2
    vrrp_garp_master_refresh 3
    vrrp_garp_master_refresh_repeat 4
    vrrp_garp_interval 0.5
    vrrp_gna_interval 0.25
    vrrp_check_unicast_src
    vrrp_skip_check_adv_addr on
    vrrp_owner_ignore_adverts
    v3_checksum_as_v2
    vrrp_down_timer_adverts 5
    vrrp_lower_prio_no_advert
    vrrp_higher_prio_send_advert yes
}
"""


def test_what_global_defs_say_holds_for_instances_that_do_not() -> None:
    assert router("", DEFAULTS) == VrrpInstance(
        "a",
        interface="eth0",
        vrid=51,
        version=3,
        virtual_addresses=(VirtualAddress("10.0.0.1", 24),),
        garp_master_delay=1.0,
        garp_master_repeat=2,
        garp_master_refresh=3.0,
        garp_master_refresh_repeat=4,
        garp_lower_prio_delay=1.0,
        garp_lower_prio_repeat=2,
        garp_interval=0.5,
        gna_interval=0.25,
        check_unicast_src=True,
        skip_check_adv_addr=True,
        owner_ignore_adverts=True,
        v3_checksum_as_v2=True,
        down_timer_adverts=5,
        lower_prio_no_advert=True,
        higher_prio_send_advert=True,
    )


def test_an_instance_has_its_own_say_before_global_defs() -> None:
    own = "version 2\ngarp_master_repeat 7\ncheck_unicast_src off\ngarp_lower_prio_delay 0\ndown_timer_adverts 3"
    found = router(own, DEFAULTS)
    assert (found.version, found.garp_master_repeat, found.garp_lower_prio_repeat) == (2, 7, 2)
    assert (found.check_unicast_src, found.garp_lower_prio_delay, found.down_timer_adverts) == (False, 0.0, 3)


def test_announcements_after_a_lower_advert_have_a_default_of_their_own() -> None:
    more = DEFAULTS + "global_defs {\nvrrp_garp_lower_prio_delay 8\nvrrp_garp_lower_prio_repeat 9\n}\n"
    found = router("garp_master_delay 2", more)
    assert (found.garp_lower_prio_delay, found.garp_lower_prio_repeat) == (8.0, 9)


def test_the_process_and_its_groups_are_in_global_defs() -> None:
    text = """
    global_defs {
        vrrp_startup_delay 2.5
        vrrp_mcast_group4 224.0.0.99
        vrrp_mcast_group6 FF02::99
        vrrp_priority -20
        vrrp_rt_priority 50
        vrrp_no_swap
        vrrp_cpu_affinity 0 3 12
    }
    """
    assert good(text) == Config(
        GlobalDefs(
            vrrp_startup_delay=2.5,
            vrrp_mcast_group4="224.0.0.99",
            vrrp_mcast_group6="ff02::99",
            vrrp_priority=-20,
            vrrp_rt_priority=50,
            vrrp_no_swap=True,
            vrrp_cpu_affinity=(0, 3, 12),
        )
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("vrrp_mcast_group4 10.0.0.1", "10.0.0.1 is not an IPv4 multicast address"),
        ("vrrp_mcast_group4 ff02::12", "ff02::12 is not an IPv4 multicast address"),
        ("vrrp_mcast_group6 224.0.0.18", "224.0.0.18 is not an IPv6 multicast address"),
        ("vrrp_cpu_affinity 0 two", "'two' does not fit 'vrrp_cpu_affinity'"),
        ("vrrp_priority 20", "20 is out of range for 'vrrp_priority'"),
        ("vrrp_rt_priority 0", "0 is out of range for 'vrrp_rt_priority'"),
        ("vrrp_version 4", "4 is out of range for 'vrrp_version'"),
    ],
)
def test_defaults_that_cannot_be_are_refused(line: str, message: str) -> None:
    assert [text.partition(": ")[2] for text in complaints(f"global_defs {{\n{line}\n}}\n")] == [message]


GROUPED = f"""
vrrp_sync_group G1 {{
    group {{
        a
        b
    }}
    checkers web weight -5
    track_interface {{
        eth1 weight 3
    }}
    notify_master /bin/up
    notify /bin/any
}}
vrrp_instance a {{
{STEM}}}
vrrp_instance b {{
{STEM.replace("51", "52")}}}
"""


def test_a_group_names_instances_wherever_they_stand() -> None:
    assert good(CHECKER.format("web") + GROUPED).vrrp_sync_groups == (
        VrrpSyncGroup(
            "G1",
            members=("a", "b"),
            checkers=(Tracked("web", weight=-5),),
            track_interfaces=(Tracked("eth1", weight=3),),
            notify_master=Script(("/bin/up",)),
            notify=Script(("/bin/any",)),
        ),
    )


def test_static_addresses_add_up_and_each_counts_once() -> None:
    text = "static_ipaddress {\n10.0.0.1/24 dev eth0\n10.0.0.1/24 dev eth0 scope host\n}\n"
    more = "static_ipaddress {\nfd00::1/64 dev eth1\n10.0.0.1/24 dev eth0\n}\n"
    loaded = read(text + more)
    assert loaded.config == Config(
        static_addresses=(VirtualAddress("10.0.0.1", 24, device="eth0"), VirtualAddress("fd00::1", 64, device="eth1"))
    )
    assert [d.message for d in loaded.diagnostics] == ["10.0.0.1 is given already: ignored"]


def test_static_addresses_may_come_from_another_file() -> None:
    loaded = read("include b.conf\n", others={"b.conf": "\nstatic_ipaddress {\n10.0.0.1\n}\n"})
    (found,) = loaded.diagnostics
    assert (str(found.span.file), found.span.line, found.message) == ("b.conf", 3, "a static address needs a device")


def test_an_instance_knows_its_place_and_is_equal_wherever_it_stands() -> None:
    first, moved = router(""), router("", before="\n\n")
    assert (first, hash(first)) == (moved, hash(moved))
    assert (str(first.at), str(moved.at)) == ("lb.conf:1:1", "lb.conf:3:1")


def test_a_cached_instance_follows_what_global_defs_say_now() -> None:
    cache, text = Cache(), f"vrrp_instance a {{\n{STEM}}}\n"
    versions = []
    for said in ("", "", "vrrp_version 3\n", "vrrp_version 3\n"):
        config = read(f"global_defs {{\n{said}}}\n{text}", cache=cache).config
        assert config is not None
        versions.append((config.vrrp_instances[0].version, cache.reused))
    assert versions == [(2, 0), (2, 1), (3, 0), (3, 1)]


def test_a_vmac_without_a_name_is_named_after_the_router() -> None:
    assert router("use_vmac").use_vmac == "vrrp.51"
    six = "vrrp_instance a {\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress fe80::1\nuse_vmac\n}\n"
    assert good(six).vrrp_instances[0].use_vmac == "vrrp6.5"


def test_a_repeated_list_of_checkers_that_is_empty_changes_nothing_before_it() -> None:
    text = f"{CHECKER.format('web')}vrrp_instance a {{\n{STEM}checkers web\ncheckers\n}}\n"
    assert complaints(text) == [
        "10:1 error: 'checkers' needs a value",
        "10:1 warning: 'checkers' is given again: the last one counts",
    ]
