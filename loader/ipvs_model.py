"""What is told to IPVS, and to IPVS alone: frozen values. They are used through `loader.model`."""

from dataclasses import dataclass

from loader.fields import MONTH
from loader.schema import argument, derived, marked, option, position
from loader.source import Position
from loader.vrrp_model import INTERFACE, VrrpDefaults

METHODS = ("NAT", "DR", "TUN")
TUNNELS = ("ipip", "gue", "gre")
CHECKSUMS = ("nocsum", "csum", "remcsum")


@dataclass(frozen=True, slots=True)
class Forwarding:
    """How packets get to a server, as it is written: see `Tunnel`."""

    method: str = argument("str", choices=METHODS)
    kind: str = argument("str", "ipip", choices=TUNNELS, marker="type")
    port: int = argument("port", 0, marker="port")
    checksum: str = argument("str", "", choices=CHECKSUMS)


@dataclass(frozen=True, slots=True)
class Tunnel:
    """What TUN wraps packets in: ``ipip``, ``gue`` (UDP to ``port``) or ``gre``.

    ``checksum`` is empty, csum or remcsum.
    """

    kind: str = "ipip"
    port: int = 0
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds without a packet after which IPVS forgets a connection; 0 leaves what the kernel has."""

    tcp: int = argument("int", 0, min=0, max=MONTH, marker="tcp")
    tcpfin: int = argument("int", 0, min=0, max=MONTH, marker="tcpfin")
    udp: int = argument("int", 0, min=0, max=MONTH, marker="udp")


@dataclass(frozen=True, slots=True)
class SyncDaemon:
    """Tells another machine of the connections, or is told. Of the role of ``instance``; both when that is empty.

    ``id`` None is the instance's virtual_router_id, 0 without one; other numbers that are 0 are the kernel's own.
    """

    interface: str = argument("str", pattern=INTERFACE)
    instance: str = argument("str", "", aliases=("inst",))
    id: int | None = argument("int", None, min=0, max=255, marker="id")
    maxlen: int = argument("int", 0, min=1, max=65507, marker="maxlen")
    port: int = argument("port", 0, marker="port")
    ttl: int = argument("int", 0, min=1, max=255, marker="ttl")
    group: str = argument("address", "", marker="group")


@dataclass(frozen=True, slots=True, kw_only=True)
class IpvsDefaults(VrrpDefaults):
    """What ``global_defs`` says of IPVS."""

    lvs_timeouts: Timeouts | None = marked(
        "lvs_timeouts", Timeouts, None, help="when connections are forgotten, in seconds"
    )
    lvs_sync_daemon: SyncDaemon | None = marked(
        "lvs_sync_daemon", SyncDaemon, None, help="tells of connections while the instance is MASTER, hears else"
    )
    lvs_flush: bool = option("bool", False, bare=True, help="empty IPVS's whole table at the start")
    lvs_flush_on_stop: str = option(
        "str",
        "",
        choices=("VS",),
        bare="all",
        aliases=("lvs_flush_onstop",),
        help="empty IPVS's whole table at the end; VS: what is configured, which goes in any case",
    )
    lvs_keep_on_stop: bool = option("bool", False, bare=True, help="leave IPVS's table as it is at the end")
    ipvs_drift: str = option(
        "str", "heal", choices=("heal", "report"), help="what others change in a service is put right, or only told"
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """A service of a group: an address, port 0 being any; or a mark, of ``family`` 4 or 6, 0 if that is not said."""

    address: str = ""
    port: int = 0
    fwmark: int = 0
    family: int = 0


@dataclass(frozen=True, slots=True)
class VirtualServerGroup:
    """Several services that share their real servers: ``entries``, ranges spelt out."""

    name: str = derived()
    entries: tuple[Entry, ...] = derived(())
    words: tuple[str, ...] = option(
        "words", (), name="virtual_server_group", help="its name, then ADDRESS[-LAST] [PORT] or fwmark N [inet|inet6]"
    )
    at: Position = position()
