"""What a configuration means: frozen values, equal when they say the same, wherever it stands.

One declaration a keyword: kind, default, range, unit, names, help. From it come parsing, checks and documentation.
To add a block is to add a dataclass here, and its rules (if it has any) to `loader.meaning`.
"""

from dataclasses import dataclass

from loader.fields import MONTH, TICK
from loader.ipvs_model import Entry, Forwarding, IpvsDefaults, SyncDaemon, Timeouts, Tunnel, VirtualServerGroup
from loader.schema import argument, beside, common_words, derived, flags, marked, nested, option, position
from loader.scripts import Script
from loader.source import Position
from loader.tracker_model import Tracker
from loader.vrrp_model import (
    INTERFACE,
    Authentication,
    AuthHmac,
    HmacKey,
    Tracked,
    UnicastPeer,
    VirtualAddress,
    VrrpInstance,
    VrrpSyncGroup,
)

__all__ = [
    "COMMON",
    "AuthHmac",
    "Authentication",
    "Checker",
    "Config",
    "Entry",
    "Forwarding",
    "GlobalDefs",
    "HmacKey",
    "Identity",
    "Position",
    "RealServer",
    "Relay",
    "Script",
    "SorryServer",
    "SyncDaemon",
    "Timeouts",
    "Tracked",
    "Tunnel",
    "UnicastPeer",
    "VirtualAddress",
    "VirtualServer",
    "VirtualServerGroup",
    "VrrpInstance",
    "VrrpSyncGroup",
]

TRIES = 99
"""Most tries after the first: a checker falls after at most 100 failures."""
HEAVIEST = 2_147_483_647
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
class GlobalDefs(IpvsDefaults):
    """``global_defs``: what concerns the whole program. Several of them add up."""

    router_id: str = option("str", "", aliases=("lvs_id",), help="this machine in mails; the host name if empty")
    notification_email: tuple[str, ...] = option("words", (), help="who gets mail")
    notification_email_from: str = option("str", "", help="sender of mails")
    smtp_server: Relay | None = beside("smtp_server", Relay, help="mail relay: name or address, and port")
    smtp_connect_timeout: float = option("seconds", 30.0, min=TICK, max=MONTH, unit="s", help="limit for a mail")
    plugin_checker_location: str = option("str", "", help="folder of further checker plugins, relative to this file")
    dataplane: str = option("str", "ipvs", choices=("ipvs", "userspace"), help="kernel or this program")
    checker_priority: int = option("int", 0, min=-20, max=19, help="nice value of the processes of checkers")
    checker_rt_priority: int = option("int", 0, min=1, max=99, help="their SCHED_RR priority; unsaid: not real-time")
    checker_no_swap: bool = option("bool", False, bare=True, help="keep their memory out of swap")
    checker_cpu_affinity: tuple[int, ...] = option("words", (), pattern="[0-9]{1,4}", help="numbers of their CPUs")
    checker_processes: int = option("int", 0, min=1, max=64, help="processes that share the checkers; one a core")
    checker_concurrency: int = option("int", 0, min=1, max=100_000, help="probes at once in each; unsaid: any number")
    hang_limit: float = option("seconds", 10.0, min=1, max=MONTH, unit="s", help="silence of a process that ends it")
    enable_script_security: bool = option("bool", False, bare=True, help="nothing runs as root that others can change")
    script_user: Identity | None = beside("script_user", Identity, help="user and group that programs run as")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(CheckSettings):
    """What a check is, whoever declares it. ``threaded``: in a native thread.

    ``options`` are the plugin's, all of them, in its order, defaults filled in; inner blocks look the same.
    ``connect_ip`` and ``connect_port`` are None where the target is that of a real server. ``aims`` is whether it needs
    one, see `loader.fields.Block`.
    """

    keyword: str = derived("")
    threaded: bool = derived(False)
    connect_ip: str | None = option("address", None, help="address to check instead of the real server's")
    connect_port: int | None = option("port", None, help="port to check instead of the real server's")
    bindto: str | None = option("address", None, help="source address of the check")
    bind_port: int | None = option("port", None, help="source port of the check")
    bind_if: str = option("str", "", pattern=INTERFACE, help="interface that the check leaves by")
    fwmark: int = option("int", 0, min=0, max=4_294_967_295, help="firewall mark on the check's packets; 0: none")
    tos: int = option("int", 0, min=0, max=255, help="type of service of the check's packets")
    retry: int | None = option("int", None, min=0, max=TRIES, aliases=("nb_get_retry",), help="failures forgiven")
    rise: int = option("int", 1, min=1, max=TRIES + 1, help="successes in a row before the check is up")
    fall: int | None = option("int", None, min=1, max=TRIES + 1, help="failures in a row before the check is down")
    fast_interval: float | None = option(
        "seconds", None, min=TICK, max=MONTH, unit="s", help="delay_loop while results speak against the verdict"
    )
    down_interval: float | None = option(
        "seconds", None, min=TICK, max=MONTH, unit="s", help="delay_loop while the check is down"
    )
    reverse: bool = option("bool", False, bare=True, help="a success is a failure, and a failure a success")
    jitter: float = option("float", 10.0, min=0, max=50, unit="percent", help="random part of the time between checks")
    options: tuple[tuple[str, object], ...] = derived(())
    aims: str = derived("always")
    at: Position = position()


@dataclass(frozen=True, slots=True)
class Checker(Check):
    """A named check, ``RT_KEYWORD NAME`` on the event loop or ``TH_KEYWORD NAME`` in a native thread."""

    name: str = argument("str")
    init: str = option("str", "unknown", choices=("unknown", "up", "down", "last"), help="before the first result")


@dataclass(frozen=True, slots=True)
class InlineCheck(Check):
    """keepalived's own kind: ``KEYWORD { ... }`` in a real_server, for that server alone.

    What it leaves unsaid comes from the server, then from keepalived's defaults for its keyword.
    """

    alpha: bool | None = option("bool", None, bare=True, help="down until it says otherwise; the server's if unsaid")
    log_all_failures: bool = option("bool", False, bare=True, help="taken, and of no effect: every change is logged")


COMMON = common_words(Checker)
"""Keywords that every checker takes; no plugin's option may have the name of one."""


@dataclass(frozen=True, slots=True)
class SorryServer:
    """Serves when quorum is lost. With ``inhibit`` it leaves by weight 0 instead of removal."""

    address: str = argument("address")
    port: int = argument("port", 0)
    method: str = marked("sorry_server_lvs_method", Forwarding, "NAT", help="the service's if unsaid")
    tunnel: Tunnel = derived(Tunnel())
    inhibit: bool = option("bool", False, name="sorry_server_inhibit", bare=True, help="weight 0 instead of removal")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings(CheckSettings):
    """What a virtual server says for all its real servers, and a real server for itself."""

    retry: int | None = option("int", None, min=1, max=TRIES, help="tries after a failure before the check is down")
    inhibit_on_failure: bool = option("bool", False, bare=True, help="weight 0 instead of removal on failure")
    method: str = marked("lb_kind", Forwarding, "NAT", said="NAT", aliases=("lvs_method",), help="forwarding")
    tunnel: Tunnel = derived(Tunnel())
    alpha: bool = option("bool", False, bare=True, help="down until a check says otherwise")
    virtualhost: str | None = option("str", None, help="host name that checks ask for")


@dataclass(frozen=True, slots=True)
class RealServer(ServerSettings):
    """A server of the pool, up while all its ``checkers`` are. A threshold of 0 is none.

    What it leaves unsaid and its virtual server says is already filled in. ``files`` are the ``track_files`` that it
    follows with what was left unsaid of them.
    """

    address: str = argument("address")
    port: int = argument("int", 0, min=0, max=65535)
    weight: int = option("int", 1, min=0, max=HEAVIEST, help="share of the connections; 0 takes no new ones")
    notify_up: Script | None = option("script", None, help="run when the server comes up")
    notify_down: Script | None = option("script", None, help="run when it goes down")
    checkers: tuple[str, ...] = option("words", (), help="names of the checkers it follows")
    checks: tuple[InlineCheck, ...] = derived(())
    track_files: tuple[Tracker, ...] = derived(())
    files: tuple[Tracked, ...] = derived(())
    uthreshold: int = option("int", 0, min=0, max=4_294_967_295, help="connections at which it takes no more")
    lthreshold: int = option("int", 0, min=0, max=4_294_967_295, help="connections at which it takes them again")
    at: Position = position()


@dataclass(frozen=True, slots=True)
class VirtualServer(ServerSettings):
    """A service: an address, port and protocol, or a firewall mark with ``address`` and ``protocol`` empty, or all of
    ``entries`` of the ``group``, with ``address`` empty.

    ``family`` is 4 or 6, ``persistence_timeout`` in seconds (0 is off), ``persistence_prefix`` a prefix length or None.
    """

    address: str = argument("address")
    port: int = argument("int", 0, min=0, max=65535)
    fwmark: int = argument("int", 0, min=1, max=4_294_967_295, marker="fwmark")
    group: str = argument("str", "", marker="group")
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
    persistence_engine: str = option("str", "", choices=("sip",), help="clients stick by the Call-ID of SIP")
    weight: int = option("int", 1, min=1, max=HEAVIEST, help="weight of real servers that give none")
    quorum: int = option("int", 1, min=1, max=HEAVIEST, help="sum of live weights that the service needs")
    hysteresis: int = option("int", 0, min=0, max=HEAVIEST, help="dead band on both sides of the quorum")
    quorum_up: Script | None = option("script", None, help="run when quorum is gained")
    quorum_down: Script | None = option("script", None, help="run when quorum is lost")
    sorry_server: SorryServer | None = beside("sorry_server", SorryServer, help="serves when quorum is lost")
    ha_suspend: bool = option("bool", False, bare=True, help="its checks rest while its address is not on this machine")
    omega: bool = option("bool", False, bare=True, help="at stop, run the notifications of going down")
    real_servers: tuple[RealServer, ...] = nested("real_server", RealServer, help="a server of the pool")
    entries: tuple[Entry, ...] = derived(())
    at: Position = position()


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. Names that it mentions exist in it. ``static_addresses`` all have a device."""

    global_defs: GlobalDefs = GlobalDefs()
    checkers: tuple[Checker, ...] = ()
    virtual_servers: tuple[VirtualServer, ...] = ()
    vrrp_instances: tuple[VrrpInstance, ...] = ()
    vrrp_sync_groups: tuple[VrrpSyncGroup, ...] = ()
    static_addresses: tuple[VirtualAddress, ...] = ()
