"""What VRRP's blocks mean: frozen values. They are used through `loader.model`; their rules are in `loader.vrrp`."""

from dataclasses import dataclass, field

from loader.fields import MONTH, TICK, Keyword
from loader.schema import argument, derived, inner, option, position, rows, switch
from loader.scripts import Script
from loader.source import Position
from loader.tracker_model import Tracker
from loader.values import OCTET

INTERFACE = r"[^/\s]{1,15}"
SCOPE = rf"global|site|link|host|nowhere|{OCTET}"
BROADCAST = rf"[+-]|{OCTET}(\.{OCTET}){{3}}"
MOST = 1000
"""Most announcements of an address in a row."""


@dataclass(frozen=True, slots=True)
class VirtualAddress:
    """An address that the MASTER holds, or the program as long as it runs.

    ``device`` "" is the instance's interface, ``scope`` "" as the address has it. ``broadcast`` "+" is the network's
    last address, "-" its first, "" none.
    """

    address: str = argument("network")
    prefix: int = derived(kw_only=False)
    device: str = option("str", "", name="dev", pattern=INTERFACE, help="the name of the interface that holds it")
    label: str = option("str", "", pattern=INTERFACE, help="a label of up to 15 characters")
    scope: str = option("str", "", pattern=SCOPE, help="global, site, link, host, nowhere or 0..255")
    broadcast: str = option("str", "", name="brd", aliases=("broadcast",), pattern=BROADCAST, help="an address, + or -")

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.address else 4


@dataclass(frozen=True, slots=True)
class Tracked:
    """A checker or an interface that an instance follows: FAULT while it is not OK, or with a weight, its priority.

    ``reverse`` turns round what the verdict does; of what ``counts`` it is the number that counts, times the weight.
    """

    name: str = argument("str")
    weight: int = option("int", 0, min=-253, max=253, help="what it adds while OK, or takes away while not; 0: FAULT")
    reverse: bool = switch("reverse", "noreverse", False, help="turns round what it does")
    counts: bool = derived(False)


@dataclass(frozen=True, slots=True)
class UnicastPeer:
    """Another router of the instance, and the TTLs or hop limits that its adverts may arrive with."""

    address: str = argument("address")
    min_ttl: int = option("int", 0, min=0, max=255, help="lowest TTL that its adverts may have")
    max_ttl: int = option("int", 255, min=0, max=255, help="highest")


@dataclass(frozen=True, slots=True)
class Authentication:
    """Of VRRPv2, as RFC 2338 had it: a word of up to 8 bytes, in clear text or as the key of an IPsec header."""

    auth_type: str = option("str", choices=("PASS", "AH"), help="the word in clear text, or as the key of IPsec AH")
    auth_pass: str = option("str", secret=True, help="the word, up to 8 bytes")


@dataclass(frozen=True, slots=True)
class HmacKey:
    """A secret of 32 to 64 bytes, and the number (1 to 255) by which adverts name it."""

    id: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthHmac:
    """A signed trailer behind each advert. ``time_window`` is in seconds.

    All ``keys`` verify, ``active_key`` signs.
    """

    keys: tuple[HmacKey, ...] = option(
        "arguments",
        (),
        name="key",
        repeated=True,
        secret=True,
        options=(Keyword("id", "int", None, True, 1, 255), Keyword("value", "str", None, True, secret=True)),
        help="its number, 1 to 255, and 32 to 64 bytes: text, hex:DIGITS, or file:PATH, relative to this file",
    )
    active_key: int = option("int", min=1, max=255, help="number of the key that signs")
    time_window: int = option(
        "int", 0, min=1, max=300, unit="s", help="how far clocks may differ; unsaid: three intervals, at least 5"
    )
    anti_replay: str = option(
        "str", "time", choices=("time", "monotonic"), help="old adverts are known by clock and count, or by count alone"
    )
    mode: str = option(
        "str",
        "enforce",
        choices=("enforce", "permissive", "receive-only"),
        help="discard what is not signed, hear it, or hear it and sign nothing",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """What an instance or a group of them follows, and the programs that hear of its role.

    In a whole configuration the trackers stand among the ``checkers``.
    """

    checkers: tuple[Tracked, ...] = rows("checkers", Tracked, help="checkers that it follows")
    track_interfaces: tuple[Tracked, ...] = rows("track_interface", Tracked, help="interfaces that it follows")
    track_scripts: tuple[Tracker, ...] = rows("track_script", Tracker, help="vrrp_scripts that it follows")
    track_processes: tuple[Tracker, ...] = rows("track_process", Tracker, help="vrrp_track_processes that it follows")
    track_files: tuple[Tracker, ...] = rows("track_file", Tracker, help="track_files that it follows")
    notify_master: Script | None = option("script", None, help="run when it becomes MASTER")
    notify_backup: Script | None = option("script", None, help="run when it becomes BACKUP")
    notify_fault: Script | None = option("script", None, help="run when it goes to FAULT")
    notify_stop: Script | None = option("script", None, help="run when the program stops")
    notify: Script | None = option("script", None, help="run at every change, with kind, name, role and priority")


@dataclass(frozen=True, slots=True)
class VrrpInstance(Following):
    """A virtual router. What it leaves unsaid and ``global_defs`` says is already filled in.

    ``state`` is the role it wishes for; by priority alone it is decided who leads. ``advert_interval`` is in seconds:
    whole ones in version 2, hundredths in 3. ``family`` (4 or 6) is that of its addresses. ``authentication`` is that
    of version 2. ``use_vmac`` is the name of its own interface, "" without one.
    """

    name: str = argument("str")
    interface: str = option("str", pattern=INTERFACE, help="the name of the interface that adverts go through")
    vrid: int = option("int", name="virtual_router_id", min=1, max=255, help="number of the virtual router on its link")
    priority: int = option("int", 100, min=1, max=255, help="the highest leads; 255 owns the addresses")
    state: str = option("str", "BACKUP", choices=("MASTER", "BACKUP"), help="wished for; MASTER without priority: 255")
    version: int = option("int", 2, min=2, max=3, help="VRRP version, vrrp_version if unsaid; IPv6 is always 3")
    advert_interval: float = option(
        "seconds", 1.0, name="advert_int", min=0.01, max=255, unit="s", help="time from advert to advert"
    )
    preempt: bool = switch("preempt", "nopreempt", True, help="whether it takes over from a lower priority")
    preempt_delay: float = option("seconds", 0.0, min=0, max=1000, unit="s", help="wait before it does")
    accept: bool = switch("accept", "no_accept", True, help="whether it answers to its addresses without owning them")
    authentication: Authentication | None = inner(
        "authentication", Authentication, None, help="a password, in version 2"
    )
    auth_hmac: AuthHmac | None = inner("auth_hmac", AuthHmac, None, help="a signed trailer, in both versions")
    virtual_addresses: tuple[VirtualAddress, ...] = rows(
        "virtual_ipaddress", VirtualAddress, help="addresses that it holds and advertises, all of one family"
    )
    excluded: tuple[VirtualAddress, ...] = rows(
        "virtual_ipaddress_excluded", VirtualAddress, help="addresses that it holds and does not advertise"
    )
    unicast_src_ip: str | None = option("address", None, help="source of unicast adverts")
    mcast_src_ip: str | None = option("address", None, help="source of multicast adverts")
    unicast_peers: tuple[UnicastPeer, ...] = rows("unicast_peer", UnicastPeer, help="to these, not to the group")
    unicast_ttl: int = option("int", 255, min=1, max=255, help="TTL of unicast adverts")
    check_unicast_src: bool = option("bool", False, bare=True, help="hear only the peers listed")
    track_src_ip: bool = option("bool", False, bare=True, help="FAULT while the source of adverts is not there")
    promote_secondaries: bool = option(
        "bool", False, bare=True, help="taken, and always so: addresses of others stay when ours go"
    )
    dont_track_primary: bool = option("bool", False, bare=True, help="stay when the own interface goes down")
    use_vmac: str = option("str", "", bare="", pattern=INTERFACE, help="a name for an interface with the router's MAC")
    vmac_xmit_base: bool = option("bool", False, bare=True, help="send adverts from the interface below that one")
    garp_master_delay: float = option("seconds", 5.0, min=0, max=MONTH, unit="s", help="until the second announcement")
    garp_master_repeat: int = option("int", 5, min=0, max=MOST, help="how often each address is announced")
    garp_master_refresh: float = option("seconds", 0.0, min=0, max=MONTH, unit="s", help="from then on; 0: never")
    garp_master_refresh_repeat: int = option("int", 1, min=0, max=MOST, help="how often then")
    garp_lower_prio_delay: float = option(
        "seconds", 5.0, min=0, max=MONTH, unit="s", help="until the second announcement after a lower advert"
    )
    garp_lower_prio_repeat: int = option("int", 5, min=0, max=MOST, help="how often after a lower advert")
    garp_interval: float = option("seconds", 0.0, min=0, max=MONTH, unit="s", help="gap between IPv4 announcements")
    gna_interval: float = option("seconds", 0.0, min=0, max=MONTH, unit="s", help="gap between those of IPv6")
    down_timer_adverts: int = option("int", 3, min=1, max=100, help="adverts that may be missed")
    lower_prio_no_advert: bool = option("bool", False, bare=True, help="do not answer adverts of lower priority")
    higher_prio_send_advert: bool = option("bool", False, bare=True, help="send one more advert before yielding")
    strict_mode: bool = option("bool", False, bare=True, help="keep to the RFC")
    skip_check_adv_addr: bool = option("bool", False, bare=True, help="no remark when a master lists other addresses")
    owner_ignore_adverts: bool = option("bool", False, bare=True, help="with priority 255, heed no other router")
    v3_checksum_as_v2: bool = option(
        "bool", False, bare=True, help="version 3 over IPv4: checksum of the message alone, sent and demanded"
    )
    debug: int = option("int", 0, min=0, max=4, help="taken, and of no effect")
    family: int = derived(4)
    at: Position = position()


@dataclass(frozen=True, slots=True)
class VrrpSyncGroup(Following):
    """Instances that share one role: one in FAULT takes all others there."""

    name: str = argument("str")
    members: tuple[str, ...] = option("words", name="group", help="names of the instances")
    sync_group_tracking_weight: bool = option("bool", False, bare=True, help="let members track with weights")
    global_tracking: bool = option("bool", False, bare=True, help="taken, and of no effect: it is always so")
    at: Position = position()


@dataclass(frozen=True, slots=True)
class StaticAddresses:
    """Addresses that the program holds as long as it runs."""

    addresses: tuple[VirtualAddress, ...] = rows("static_ipaddress", VirtualAddress, help="held while it runs")
    at: Position = position()


@dataclass(frozen=True, slots=True, kw_only=True)
class VrrpDefaults:
    """What ``global_defs`` says for all instances, and for the process that they run in. Times are in seconds."""

    dynamic_interfaces: str = option(
        "str", "", bare="yes", choices=("allow_if_changes",), help="interfaces may come later: no warning for those"
    )
    vrrp_version: int = option("int", 2, min=2, max=3, help="VRRP version of IPv4 instances; IPv6 is always 3")
    vrrp_startup_delay: float = option("seconds", 0.0, min=TICK, max=MONTH, unit="s", help="wait before routers begin")
    vrrp_mcast_group4: str = option("address", "224.0.0.18", help="where IPv4 adverts go")
    vrrp_mcast_group6: str = option("address", "ff02::12", help="where IPv6 adverts go")
    vrrp_garp_master_delay: float = option("seconds", 5.0, min=0, max=MONTH, unit="s", help="garp_master_delay of all")
    vrrp_garp_master_repeat: int = option("int", 5, min=0, max=MOST, help="garp_master_repeat of all")
    vrrp_garp_master_refresh: float = option(
        "seconds", 0.0, min=0, max=MONTH, unit="s", help="garp_master_refresh of all"
    )
    vrrp_garp_master_refresh_repeat: int = option("int", 1, min=0, max=MOST, help="garp_master_refresh_repeat of all")
    vrrp_garp_lower_prio_delay: float | None = option(
        "seconds", None, min=0, max=MONTH, unit="s", help="garp_lower_prio_delay of all; else vrrp_garp_master_delay"
    )
    vrrp_garp_lower_prio_repeat: int | None = option(
        "int", None, min=0, max=MOST, help="garp_lower_prio_repeat of all; else vrrp_garp_master_repeat"
    )
    vrrp_garp_interval: float = option("seconds", 0.0, min=0, max=MONTH, unit="s", help="garp_interval of all")
    vrrp_gna_interval: float = option("seconds", 0.0, min=0, max=MONTH, unit="s", help="gna_interval of all")
    vrrp_down_timer_adverts: int = option("int", 3, min=1, max=100, help="down_timer_adverts of all")
    vrrp_lower_prio_no_advert: bool = option("bool", False, bare=True, help="lower_prio_no_advert of all")
    vrrp_higher_prio_send_advert: bool = option("bool", False, bare=True, help="higher_prio_send_advert of all")
    vrrp_check_unicast_src: bool = option("bool", False, bare=True, help="check_unicast_src of all")
    vrrp_skip_check_adv_addr: bool = option("bool", False, bare=True, help="skip_check_adv_addr of all")
    vrrp_owner_ignore_adverts: bool = option("bool", False, bare=True, help="owner_ignore_adverts of all")
    v3_checksum_as_v2: bool = option("bool", False, bare=True, help="v3_checksum_as_v2 of all")
    vrrp_strict: bool = option("bool", False, bare=True, help="strict_mode of all")
    vrrp_priority: int = option("int", 0, min=-20, max=19, help="nice value of the VRRP process")
    vrrp_rt_priority: int = option("int", 0, min=1, max=99, help="its SCHED_RR priority; unsaid: 1")
    vrrp_no_swap: bool = option("bool", False, bare=True, help="taken, and of no effect: it is always so")
    vrrp_cpu_affinity: tuple[int, ...] = option("words", (), pattern="[0-9]{1,4}", help="numbers of its CPUs")
