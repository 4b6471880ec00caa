"""What is put right or refused in VRRP's blocks, where the value that comes of it matters."""

import pytest

from loader.model import Authentication, VirtualAddress, VrrpInstance
from tests.loader.house import complaints, good, read

STEM = "interface eth0\nvirtual_router_id 51\n"
FOUR = f"{STEM}virtual_ipaddress 10.0.0.1/24\n"
SIX = f"{STEM}virtual_ipaddress fe80::1/64\n"


def judged(inside: str, before: str = "") -> tuple[VrrpInstance | None, list[str]]:
    """The instance with these statements, None if it is refused, and what is said of it."""
    text = f"{before}vrrp_instance a {{\n{inside}\n}}\n"
    config = read(text).config
    return config.vrrp_instances[0] if config else None, [each.partition(" ")[2] for each in complaints(text)]


def taken(inside: str, *said: str, before: str = "") -> VrrpInstance:
    """The instance, of which this is said and nothing else."""
    found, messages = judged(inside, before)
    assert messages == list(said)
    assert found is not None
    return found


def refused(inside: str, *said: str) -> None:
    """Nothing is made of it, and this is said."""
    assert judged(inside) == (None, list(said))


@pytest.mark.parametrize(
    ("said", "state", "priority"),
    [
        ("", "BACKUP", 100),
        ("priority 255", "MASTER", 255),
        ("state BACKUP", "BACKUP", 100),
        ("state backup\npriority 255", "BACKUP", 255),
        ("state MASTER\npriority 254", "MASTER", 254),
    ],
)
def test_state_and_priority_follow_each_other(said: str, state: str, priority: int) -> None:
    found = taken(FOUR + said)
    assert (found.state, found.priority) == (state, priority)


def test_the_wish_to_be_master_alone_makes_an_owner() -> None:
    warning = "warning: without a priority, MASTER means 255, the owner of the addresses"
    assert taken(f"{FOUR}state MASTER", warning).priority == 255


def test_an_address_may_be_on_two_interfaces_and_once_on_each() -> None:
    again = "warning: 10.0.0.7 is given already: ignored"
    found = taken(f"{FOUR}virtual_ipaddress_excluded {{\n10.0.0.7 dev a\n10.0.0.7 dev b\n10.0.0.7 dev a\n}}", again)
    assert [each.device for each in found.excluded] == ["a", "b"]


def test_a_source_is_tracked_where_one_is_given() -> None:
    assert taken(f"{FOUR}track_src_ip\nmcast_src_ip 10.0.0.9").track_src_ip
    warning = "warning: there is no source address to track: ignored"
    assert not taken(f"{FOUR}track_src_ip", warning).track_src_ip


@pytest.mark.parametrize("said", ["priority 255", "state MASTER\npriority 150"])
def test_neither_owners_nor_masters_hold_back(said: str) -> None:
    found, messages = judged(f"{FOUR}{said}\nnopreempt\npreempt_delay 5")
    assert found is not None
    assert (found.preempt, found.preempt_delay, len(messages)) == (True, 0.0, 2)


@pytest.mark.parametrize("said", ["priority 150\npreempt_delay 0.5", "state BACKUP\npreempt_delay 0.5\npreempt"])
def test_a_backup_may_wait_before_it_takes_over(said: str) -> None:
    assert taken(FOUR + said).preempt_delay == 0.5


@pytest.mark.parametrize(
    ("version", "said", "interval"),
    [(2, "1", 1.0), (2, "255", 255.0), (3, "0.01", 0.01), (3, "40.95", 40.95), (3, "0.29", 0.29), (3, "1.10", 1.1)],
)
def test_an_interval_is_taken_as_it_can_be_told(version: int, said: str, interval: float) -> None:
    assert taken(f"{FOUR}version {version}\nadvert_int {said}").advert_interval == interval


@pytest.mark.parametrize(
    ("version", "said", "interval", "unit"),
    [
        (2, "1.4", 1.0, "whole seconds: 1"),
        (2, "1.5", 2.0, "whole seconds: 2"),
        (3, "0.014", 0.01, "hundredths of a second: 0.01"),
        (3, "40.946", 40.95, "hundredths of a second: 40.95"),
    ],
)
def test_an_interval_is_rounded(version: int, said: str, interval: float, unit: str) -> None:
    warning = f"warning: VRRPv{version} counts in {unit} is taken"
    assert taken(f"{FOUR}version {version}\nadvert_int {said}", warning).advert_interval == interval


def test_an_interval_that_cannot_be_told_is_refused() -> None:
    refused(f"{FOUR}advert_int 0.99", "error: VRRPv2 adverts come every second at most, not 0.99")
    refused(f"{SIX}advert_int 40.951", "error: VRRPv3 adverts come at least every 40.95 s, not 40.951")
    refused(f"{FOUR}advert_int 255.1", "error: 255.1 is out of range for 'advert_int'")


def test_the_version_of_an_interval_may_come_from_global_defs() -> None:
    assert taken(f"{FOUR}advert_int 0.5", before="global_defs {\nvrrp_version 3\n}\n").advert_interval == 0.5


def test_ipv6_is_version_3_whatever_global_defs_say() -> None:
    found = taken(SIX)
    assert (found.version, found.family) == (3, 6)
    assert taken(f"{SIX}version 2", "warning: IPv6 is in version 3 alone: 3 is taken").version == 3


def listed(addresses: list[str]) -> str:
    """An instance's statements with these addresses, one a line."""
    return f"{STEM}virtual_ipaddress {{\n" + "\n".join(addresses) + "\n}\n"


@pytest.mark.parametrize(
    ("room", "addresses"),
    [(255, [f"10.0.{n // 250}.{n % 250}" for n in range(260)]), (90, [f"fe80::{n:x}" for n in range(1, 96)])],
)
def test_addresses_beyond_the_room_of_an_advert_are_held_all_the_same(room: int, addresses: list[str]) -> None:
    inside = f"{listed(addresses)}virtual_ipaddress_excluded 10.9.9.9"
    more = len(addresses) - room
    found = taken(inside, f"warning: an advert has room for {room} addresses: {more} are held and not advertised")
    assert [each.address for each in found.virtual_addresses] == addresses[:room]
    assert [each.address for each in found.excluded] == [*addresses[room:], "10.9.9.9"]


def test_all_that_fits_is_advertised() -> None:
    addresses = [f"fe80::{n:x}" for n in range(1, 91)]
    assert len(taken(listed(addresses)).virtual_addresses) == 90


def test_an_address_counts_once_in_both_lists() -> None:
    inside = f"{FOUR}virtual_ipaddress_excluded 10.0.0.1/32 fd00::1"
    found = taken(inside, "warning: 10.0.0.1 is given already: ignored")
    assert found.excluded == (VirtualAddress("fd00::1", 128),)


def test_no_address_is_a_warning_in_version_2_alone() -> None:
    said = "a vrrp_instance needs virtual_ipaddress"
    assert taken(STEM, f"warning: {said}").virtual_addresses == ()
    refused(f"{STEM}version 3", f"error: {said}")
    refused(f"{STEM}strict_mode", f"error: {said}")


def test_without_addresses_the_family_is_that_of_the_peers() -> None:
    said = "error: a vrrp_instance needs virtual_ipaddress"
    refused(f"{STEM}unicast_peer fd00::2", said)
    refused(f"{STEM}unicast_peer fd00::2 10.0.0.1", said, "error: 10.0.0.1 is IPv4, and the instance is IPv6")


def test_an_ipv6_instance_with_peers_needs_no_link_local_address() -> None:
    assert taken(f"{STEM}virtual_ipaddress fd00::1\nunicast_peer fd00::2").family == 6


SECRET = "authentication {\nauth_type PASS\nauth_pass "


@pytest.mark.parametrize(
    ("word", "kept", "said"),
    [
        ("12345678", "12345678", []),
        ("123456789", "12345678", ["warning: of the password only 8 bytes count"]),
        ("1234567é", "1234567", ["warning: of the password only 8 bytes count"]),
    ],
)
def test_a_password_has_8_bytes(word: str, kept: str, said: list[str]) -> None:
    found = taken(f"{FOUR}{SECRET}{word}\n}}", *said).authentication
    assert found == Authentication(auth_type="PASS", auth_pass=kept)


def test_a_password_is_in_no_repr() -> None:
    found = taken(f"{FOUR}{SECRET}word\n}}")
    assert (found.authentication is not None, "word" in repr(found)) == (True, False)


def test_with_ah_a_router_begins_as_backup_unless_it_owns_the_addresses() -> None:
    ah = "authentication {\nauth_type AH\nauth_pass word\n}"
    said = "warning: with AH a router begins as BACKUP, to learn from the master: BACKUP is taken"
    found = taken(f"{FOUR}{ah}\nstate MASTER\npriority 150\nnopreempt", said)
    assert (found.authentication, found.state, found.preempt) == (
        Authentication(auth_type="AH", auth_pass="word"), "BACKUP", False,
    )  # fmt: skip
    assert taken(f"{FOUR}{ah}\npriority 255").state == "MASTER"


def test_an_empty_password_is_none() -> None:
    assert taken(f'{FOUR}{SECRET}""\n}}', "warning: the password is empty: ignored").authentication is None


def test_there_is_no_password_in_version_3_nor_in_strict_mode() -> None:
    assert taken(f"{SIX}{SECRET}word\n}}", "warning: VRRPv3 has no authentication: ignored").authentication is None
    inside = f"{FOUR}strict_mode\n{SECRET}word\n}}"
    assert taken(inside, "warning: strict mode does not know this: ignored").authentication is None


def test_a_strict_backup_neither_answers_nor_announces() -> None:
    found = taken(f"{FOUR}strict_mode")
    silence = (found.lower_prio_no_advert, found.garp_lower_prio_repeat, found.higher_prio_send_advert)
    assert (found.accept, silence) == (False, (True, 0, False))


def test_a_strict_owner_answers_to_its_addresses() -> None:
    assert taken(f"{FOUR}strict_mode\npriority 255\nno_accept").accept is True


def test_what_strict_mode_does_not_know_may_come_from_global_defs_unpunished() -> None:
    before = "global_defs {\nvrrp_strict\nvrrp_down_timer_adverts 9\nvrrp_higher_prio_send_advert\n}\n"
    found = taken(FOUR, before=before)
    assert (found.strict_mode, found.down_timer_adverts, found.higher_prio_send_advert) == (True, 3, False)


def test_peers_force_adverts_below_the_vmac() -> None:
    warning = "warning: unicast adverts go through the interface below the VMAC: vmac_xmit_base is taken"
    assert taken(f"{FOUR}use_vmac\nunicast_peer 10.0.0.2", warning).vmac_xmit_base is True


def pair(first: str, second: str) -> list[str]:
    """What is said of two instances with these statements."""
    return complaints(f"vrrp_instance a {{\n{first}\n}}\nvrrp_instance b {{\n{second}\n}}\n")


@pytest.mark.parametrize("second", [FOUR.replace("eth0", "eth1"), FOUR.replace("51", "52"), SIX])
def test_other_interfaces_numbers_and_families_are_other_routers(second: str) -> None:
    assert pair(FOUR, second) == []


def test_routers_of_the_same_number_need_vmacs_of_different_names() -> None:
    second = FOUR.replace("eth0", "eth1")
    assert pair(f"{FOUR}use_vmac", f"{second}use_vmac") == [
        "11:1 error: the interface 'vrrp.51' is taken: give use_vmac another name"
    ]
    assert pair(f"{FOUR}use_vmac", f"{second}use_vmac other") == []


def test_a_twin_is_found_though_one_of_them_is_refused() -> None:
    said = pair(f"{FOUR}priority 256", FOUR)
    assert said == [
        "5:10 error: 256 is out of range for 'priority'",
        "9:19 error: virtual_router_id 51 is taken on eth0 for IPv4",
    ]


@pytest.mark.parametrize("options", ["connect_ip 10.0.9.1", "connect_port 80", ""])
def test_a_checker_that_a_real_server_completes_is_of_no_use_to_a_router(options: str) -> None:
    checker = f"RT_TCP_CHECK web {{\n{options}\n}}\n"
    service = "virtual_server 10.0.0.1 80 {\nprotocol TCP\nreal_server 10.0.1.1 80 {\ncheckers web\n}\n}\n"
    assert good(checker + service)
    found, said = judged(f"{FOUR}checkers web", checker + service)
    assert (found, said) == (None, ["error: the checker 'web' has no target of its own"])


def test_what_needs_a_host_alone_needs_no_port_for_a_router() -> None:
    checker = "RT_PING_CHECK web {\nconnect_ip 10.0.9.1\n}\n"
    assert judged(f"{FOUR}checkers web", checker)[1] == []
    found, said = judged(f"{FOUR}checkers web", checker.replace("connect_ip 10.0.9.1", "connect_port 80"))
    assert (found, said) == (None, ["error: the checker 'web' has no target of its own"])


def test_a_checker_that_only_a_group_names_is_run() -> None:
    checker = "RT_TCP_CHECK web {\nconnect_ip 10.0.9.1\nconnect_port 80\n}\n"
    group = "vrrp_sync_group g {\ngroup a b\ncheckers web\n}\n"
    second = FOUR.replace("51", "52")
    assert good(f"{checker}{group}vrrp_instance a {{\n{FOUR}}}\nvrrp_instance b {{\n{second}}}\n").checkers
