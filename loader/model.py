"""What a configuration means: frozen values, equal when they say the same, wherever it stands.

One declaration a keyword: kind, default, range, unit, names, help. From it come parsing, checks and documentation.
To add a block is to add a dataclass here, and its rules (if it has any) to `loader.meaning`.
"""

from dataclasses import dataclass, replace

from loader.schema import argument, beside, common_words, derived, flags, nested, option, position
from loader.scripts import Script
from loader.source import Position

__all__ = [
    "COMMON",
    "Checker",
    "Config",
    "GlobalDefs",
    "Identity",
    "Position",
    "RealServer",
    "Relay",
    "Script",
    "SorryServer",
    "Tracked",
    "UnicastPeer",
    "VirtualAddress",
    "VirtualServer",
    "VrrpInstance",
]

TICK = 0.001
"""Shortest time that makes sense, in seconds: the event loop counts in these."""
MONTH = 2_678_400
"""Longest time, in seconds: that of the longest persistence in IPVS."""
TRIES = 99
"""Most tries after the first: a checker falls after at most 100 failures."""
HEAVIEST = 2_147_483_647
METHODS = ("NAT", "DR", "TUN")
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos")


@dataclass(frozen=True, slots=True)
class Relay:
    """The mail relay: a name or an address, and a port."""

    host: str = argument("str")
    port: int = argument("port", 25)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom programs run as. An empty ``group`` is the user's own."""

    user: str = argument("str")
    group: str = argument("str", "")


@dataclass(frozen=True, slots=True)
class GlobalDefs:
    """``global_defs``: what concerns the whole program. Several of them add up."""

    router_id: str = option("str", "", aliases=("lvs_id",), help="this machine in mails; the host name if empty")
    notification_email: tuple[str, ...] = option("words", (), help="who gets mail")
    notification_email_from: str = option("str", "", help="sender of mails")
    smtp_server: Relay | None = beside("smtp_server", Relay, help="mail relay: name or address, and port")
    smtp_connect_timeout: float = option("seconds", 30.0, min=TICK, max=MONTH, unit="s", help="limit for a mail")
    plugin_checker_location: str = option("str", "", help="folder of further checker plugins, relative to this file")
    dataplane: str = option("str", "ipvs", choices=("ipvs", "userspace"), help="kernel or this program")
    script_user: Identity | None = beside("script_user", Identity, help="user and group that programs run as")
    vrrp_version: int = option("int", 2, min=2, max=3, help="VRRP version of IPv4 instances; IPv6 is always 3")
    vrrp_startup_delay: float = option("seconds", 0.0, min=TICK, max=MONTH, unit="s", help="wait before routers begin")
    at: Position = position()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSettings:
    """What governs a check. A checker's own say goes before its real server's, that before its virtual server's.

    None is unsaid. Times are in seconds.
    """

    connect_timeout: float | None = option("seconds", None, min=TICK, max=MONTH, unit="s", help="limit for a check")
    delay_loop: float | None = option("seconds", None, min=TICK, max=MONTH, unit="s", help="time from check to check")
    delay_before_retry: float | None = option("seconds", None, min=0, max=MONTH, unit="s", help="wait before a try")
    warmup: float | None = option("seconds", None, min=0, max=MONTH, unit="s", help="longest wait before the first")


@dataclass(frozen=True, slots=True)
class Checker(CheckSettings):
    """A named check, ``RT_KEYWORD NAME`` on the event loop or ``TH_KEYWORD NAME`` in a native thread (``threaded``).

    ``options`` are the plugin's, all of them, in its order, defaults filled in; inner blocks look the same.
    ``connect_ip`` and ``connect_port`` are None where the target is whatever real server names the checker.
    """

    name: str = argument("str")
    keyword: str = derived("")
    threaded: bool = derived(False)
    connect_ip: str | None = option("address", None, help="address to check instead of the real server's")
    connect_port: int | None = option("port", None, help="port to check instead of the real server's")
    bindto: str | None = option("address", None, help="source address of the check")
    bind_port: int | None = option("port", None, help="source port of the check")
    retry: int | None = option("int", None, min=0, max=TRIES, aliases=("nb_get_retry",), help="failures forgiven")
    rise: int = option("int", 1, min=1, max=TRIES + 1, help="successes in a row before the check is up")
    fall: int | None = option("int", None, min=1, max=TRIES + 1, help="failures in a row before the check is down")
    jitter: float = option("float", 10.0, min=0, max=50, unit="percent", help="random part of the time between checks")
    init: str = option("str", "unknown", choices=("unknown", "up", "down", "last"), help="before the first result")
    options: tuple[tuple[str, object], ...] = derived(())
    at: Position = position()


COMMON = common_words(Checker)
"""Keywords that every checker takes; no plugin's option may have the name of one."""


@dataclass(frozen=True, slots=True)
class SorryServer:
    """Serves when quorum is lost. With ``inhibit`` it leaves by weight 0 instead of removal."""

    address: str = argument("address")
    port: int = argument("port", 0)
    method: str = option("str", "NAT", name="sorry_server_lvs_method", choices=METHODS, help="the service's if unsaid")
    inhibit: bool = option("bool", False, name="sorry_server_inhibit", bare=True, help="weight 0 instead of removal")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings(CheckSettings):
    """What a virtual server says for all its real servers, and a real server for itself."""

    retry: int | None = option("int", None, min=1, max=TRIES, help="tries after a failure before the check is down")
    inhibit_on_failure: bool = option("bool", False, bare=True, help="weight 0 instead of removal on failure")
    method: str = option("str", "NAT", name="lb_kind", aliases=("lvs_method",), choices=METHODS, help="forwarding")
    alpha: bool = option("bool", False, bare=True, help="down until a check says otherwise")
    virtualhost: str | None = option("str", None, help="host name that checks ask for")


@dataclass(frozen=True, slots=True)
class RealServer(ServerSettings):
    """A server of the pool, up while all its ``checkers`` are. A threshold of 0 is none.

    What it leaves unsaid and its virtual server says is already filled in.
    """

    address: str = argument("address")
    port: int = argument("int", 0, min=0, max=65535)
    weight: int = option("int", 1, min=0, max=HEAVIEST, help="share of the connections; 0 takes no new ones")
    notify_up: Script | None = option("script", None, help="run when the server comes up")
    notify_down: Script | None = option("script", None, help="run when it goes down")
    checkers: tuple[str, ...] = option("words", (), help="names of the checkers it follows")
    uthreshold: int = option("int", 0, min=0, max=4_294_967_295, help="connections at which it takes no more")
    lthreshold: int = option("int", 0, min=0, max=4_294_967_295, help="connections at which it takes them again")
    at: Position = position()


@dataclass(frozen=True, slots=True)
class VirtualServer(ServerSettings):
    """A service: an address, port and protocol, or a firewall mark with ``address`` and ``protocol`` empty.

    ``family`` is 4 or 6, ``persistence_timeout`` in seconds (0 is off), ``persistence_prefix`` a prefix length or None.
    """

    address: str = argument("address")
    port: int = argument("int", 0, min=0, max=65535)
    fwmark: int = argument("int", 0, min=1, max=4_294_967_295, marker="fwmark")
    family: int = option("str", 4, name="ip_family", choices=("inet", "inet6"), help="family of a firewall mark")
    protocol: str = option("str", "tcp", choices=("TCP", "UDP", "SCTP"), help="transport protocol")
    scheduler: str = option("str", "wlc", name="lb_algo", aliases=("lvs_sched",), choices=SCHEDULERS, help="scheduler")
    flags: tuple[str, ...] = flags(
        ops="one-packet scheduling, for UDP",
        sh_port="sh: hash the source port too",
        sh_fallback="sh: try another server if one is down",
        mh_port="mh: hash the source port too",
        mh_fallback="mh: try another server if one is down",
        flag_1="scheduler flag 1",
        flag_2="scheduler flag 2",
        flag_3="scheduler flag 3",
    )
    persistence_timeout: int = option("int", 0, min=1, max=MONTH, bare=360, unit="s", help="how long clients stick")
    persistence_prefix: int | None = option("prefix", None, name="persistence_granularity", help="prefix of clients")
    weight: int = option("int", 1, min=1, max=HEAVIEST, help="weight of real servers that give none")
    quorum: int = option("int", 1, min=1, max=HEAVIEST, help="sum of live weights that the service needs")
    hysteresis: int = option("int", 0, min=0, max=HEAVIEST, help="dead band on both sides of the quorum")
    quorum_up: Script | None = option("script", None, help="run when quorum is gained")
    quorum_down: Script | None = option("script", None, help="run when quorum is lost")
    sorry_server: SorryServer | None = beside("sorry_server", SorryServer, help="serves when quorum is lost")
    omega: bool = option("bool", False, bare=True, help="at stop, run the notifications of going down")
    real_servers: tuple[RealServer, ...] = nested("real_server", RealServer, help="a server of the pool")
    at: Position = position()


@dataclass(frozen=True, slots=True)
class VirtualAddress:
    """An address that the MASTER holds. ``device`` "" is the instance's interface, ``broadcast`` "+" the network's."""

    address: str
    prefix: int
    device: str = ""
    label: str = ""
    scope: str = ""
    broadcast: str = ""


@dataclass(frozen=True, slots=True)
class Tracked:
    """A checker or an interface that an instance follows: FAULT while it is not OK, or with a weight, its priority."""

    name: str
    weight: int = 0


@dataclass(frozen=True, slots=True)
class UnicastPeer:
    """Another router of the instance, and the TTLs or hop limits that its adverts may arrive with."""

    address: str
    min_ttl: int = 0
    max_ttl: int = 255


@dataclass(frozen=True, slots=True)
class Authentication:
    """Of VRRPv2, as RFC 2338 had it: a word in clear text, of which 8 bytes count."""

    auth_type: str = option("str", "PASS", choices=("PASS",), help="only PASS; AH is not there")
    auth_pass: str = option("str", "", secret=True, help="the word, up to 8 bytes")


@dataclass(frozen=True, slots=True)
class VrrpInstance:
    """A virtual router. ``advert_interval`` is in seconds, ``family`` 4 or 6, that of its addresses.

    ``state`` is the role it wishes for; by priority alone it is decided who leads.
    """

    name: str = argument("str")
    interface: str = option("str", help="interface that the adverts go through")
    vrid: int = option("int", name="virtual_router_id", min=1, max=255, help="number of the virtual router on its link")
    priority: int = option("int", 100, min=1, max=255, help="who is highest leads; 255 owns the addresses")
    state: str = option("str", "BACKUP", choices=("MASTER", "BACKUP"), help="wished for; MASTER without priority: 255")
    version: int = option("int", 0, min=2, max=3, help="VRRP version; that of global_defs if unsaid")
    advert_interval: float = option("seconds", 1.0, name="advert_int", min=0.01, max=255, unit="s", help="of adverts")
    preempt: bool = option("bool", True, name="preempt", bare=True, help="take over from a lower one")
    nopreempt: bool = option("bool", False, bare=True, help="leave a lower priority in place")
    preempt_delay: float = option("seconds", 0.0, min=0, max=1000, unit="s", help="wait before that")
    authentication: str = nested("authentication", Authentication, help="a password, in version 2")
    virtual_addresses: tuple[VirtualAddress, ...] = option("words", (), name="virtual_ipaddress", help="what it holds")
    excluded: tuple[VirtualAddress, ...] = option("words", (), name="virtual_ipaddress_excluded", help="unadvertised")
    unicast_src_ip: str | None = option("address", None, help="source of unicast adverts")
    mcast_src_ip: str | None = option("address", None, help="source of multicast adverts")
    unicast_peers: tuple[UnicastPeer, ...] = option("words", (), name="unicast_peer", help="instead of the group")
    unicast_ttl: int = option("int", 255, min=1, max=255, help="TTL of unicast adverts")
    check_unicast_src: bool = option("bool", False, bare=True, help="hear only the peers listed")
    checkers: tuple[Tracked, ...] = option("words", (), help="NAME [weight N] ...: what it follows")
    track_interfaces: tuple[Tracked, ...] = option("words", (), name="track_interface", help="IF [weight N] ...")
    dont_track_primary: bool = option("bool", False, bare=True, help="stay when the own interface goes down")
    garp_master_delay: float = option("seconds", 5.0, min=0, max=MONTH, unit="s", help="until the second announcement")
    garp_master_repeat: int = option("int", 5, min=1, max=1000, help="how often each address is announced")
    garp_master_refresh: float = option("seconds", 0.0, min=0, max=MONTH, unit="s", help="from then on; 0: never")
    garp_master_refresh_repeat: int = option("int", 1, min=1, max=1000, help="how often then")
    down_timer_adverts: int = option("int", 3, min=1, max=100, help="adverts that may be missed")
    lower_prio_no_advert: bool = option("bool", False, bare=True, help="do not answer adverts of lower priority")
    higher_prio_send_advert: bool = option("bool", False, bare=True, help="send one more advert before yielding")
    strict_mode: bool = option("bool", False, bare=True, help="keep to the RFC")
    family: int = derived(4)
    at: Position = position()

    def of_version(self, usual: int) -> "VrrpInstance":
        """The same with its version settled: what it says, 3 for IPv6, else ``usual``."""
        return replace(self, version=self.version or (3 if self.family == 6 else usual))


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. Names that it mentions exist in it."""

    global_defs: GlobalDefs = GlobalDefs()
    checkers: tuple[Checker, ...] = ()
    virtual_servers: tuple[VirtualServer, ...] = ()
    vrrp_instances: tuple[VrrpInstance, ...] = ()
