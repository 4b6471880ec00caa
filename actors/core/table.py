"""The load-balancing table: what a data plane holds, and the edits that turn one state into another.

Pure values and functions. ``plan`` never deletes and adds again what only changed, and orders its edits so that
no packet meets an empty pool that could be full.
"""

import msgspec


class ServiceKey(msgspec.Struct, frozen=True, order=True):
    """Identity of a virtual service: address, port and protocol, or a firewall mark with a family.

    ``address`` is in canonical text form, empty for a mark. ``protocol`` is ``tcp``, ``udp`` or ``sctp``, empty
    for a mark. ``family`` is 4 or 6. ``fwmark`` is 0 unless the service is a mark's.
    """

    family: int
    address: str = ""
    port: int = 0
    protocol: str = ""
    fwmark: int = 0


class Service(msgspec.Struct, frozen=True):
    """A virtual service with its attributes.

    ``persistence_timeout`` is in seconds, 0 is off. ``persistence_prefix`` is the prefix length by which clients
    are grouped (32 or 128: each client). ``flags`` are scheduler flags such as ``sh-port``, and ``ops``.
    """

    key: ServiceKey
    scheduler: str = "wlc"
    flags: tuple[str, ...] = ()
    persistence_timeout: int = 0
    persistence_prefix: int | None = None
    persistence_engine: str = ""


class Tunnel(msgspec.Struct, frozen=True):
    """What the method TUN wraps packets in: ``ipip``, ``gue`` (UDP to ``port``) or ``gre``.

    ``checksum`` is empty, ``csum`` or ``remcsum``.
    """

    kind: str = "ipip"
    port: int = 0
    checksum: str = ""


class Destination(msgspec.Struct, frozen=True):
    """A real server of a service. ``method`` is NAT, DR or TUN; weight 0 takes no new connections (draining).

    ``upper`` and ``lower`` are connection thresholds, 0 is none.
    """

    address: str
    port: int
    weight: int = 1
    method: str = "NAT"
    upper: int = 0
    lower: int = 0
    tunnel: Tunnel = Tunnel()

    @property
    def key(self) -> tuple[str, int]:
        """Identity within the service."""
        return (self.address, self.port)


class Pool(msgspec.Struct, frozen=True):
    """A service and its destinations, in the order of their configuration."""

    service: Service
    destinations: tuple[Destination, ...] = ()


class Load(msgspec.Struct, frozen=True):
    """What a destination or a service carries now (connections), has carried since it was added (64 bits), and carries
    a second."""

    active: int = 0
    inactive: int = 0
    persistent: int = 0
    connections: int = 0
    packets_in: int = 0
    packets_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    connection_rate: int = 0
    packet_rate_in: int = 0
    packet_rate_out: int = 0
    byte_rate_in: int = 0
    byte_rate_out: int = 0


class Loads(msgspec.Struct, frozen=True):
    """What a service carries, and each of its destinations by (address, port)."""

    total: Load = Load()
    servers: dict[tuple[str, int], Load] = {}


class AddService(msgspec.Struct, frozen=True, tag=True):
    """A service that is not there yet, with no destinations."""

    service: Service


class EditService(msgspec.Struct, frozen=True, tag=True):
    """Other attributes for a service that is there; its destinations and connections stay."""

    service: Service


class DeleteService(msgspec.Struct, frozen=True, tag=True):
    """A service goes, with all its destinations."""

    key: ServiceKey


class AddDestination(msgspec.Struct, frozen=True, tag=True):
    """A destination that the service has not yet."""

    service: ServiceKey
    destination: Destination


class EditDestination(msgspec.Struct, frozen=True, tag=True):
    """Another weight, method or threshold for a destination that is there; its connections stay."""

    service: ServiceKey
    destination: Destination


class DeleteDestination(msgspec.Struct, frozen=True, tag=True):
    """A destination goes."""

    service: ServiceKey
    destination: Destination


Edit = AddService | EditService | DeleteService | AddDestination | EditDestination | DeleteDestination

FLAG_BITS = {
    "ops": 0x0004,
    "flag-1": 0x0008,
    "sh-fallback": 0x0008,
    "mh-fallback": 0x0008,
    "flag-2": 0x0010,
    "sh-port": 0x0010,
    "mh-port": 0x0010,
    "flag-3": 0x0020,
}
"""What each flag means to a scheduler, as bits of linux/ip_vs.h: one bit has a name with each scheduler."""


def plan(desired: Pool | None, actual: Pool | None) -> tuple[Edit, ...]:
    """The edits that turn ``actual`` into ``desired``, in an order that keeps traffic served."""
    if desired is None:
        return () if actual is None else (DeleteService(actual.service.key),)
    key = desired.service.key
    wanted = {d.key: d for d in desired.destinations}
    if actual is None:
        return (AddService(desired.service), *(AddDestination(key, d) for d in wanted.values()))
    present = {d.key: d for d in actual.destinations}
    changed = [d for d in wanted.values() if d.key in present and d != present[d.key]]
    raised = [d for d in changed if d.weight > present[d.key].weight]
    others = [d for d in changed if d.weight <= present[d.key].weight]
    return (
        *(() if is_alike(desired.service, actual.service) else (EditService(desired.service),)),
        *(AddDestination(key, d) for d in wanted.values() if d.key not in present),
        *(EditDestination(key, d) for d in (*raised, *others)),
        *(DeleteDestination(key, d) for d in present.values() if d.key not in wanted),
    )


def in_use(key: ServiceKey, load: Load) -> int:
    """Open connections. IPVS counts datagram flows as inactive connections, TCP's closing ones too.

    What a firewall mark carries is not known: there both count, so that none is taken for drained too early.
    """
    if key.fwmark:
        return load.active + load.inactive
    return load.inactive if key.protocol == "udp" else load.active


def is_alike(one: Service, other: Service) -> bool:
    """Whether a data plane cannot tell the two apart: flags by other names, the longest prefix said or not."""
    return _plain(one) == _plain(other)


def longest_prefix(family: int) -> int:
    """Bits of an address: 32 or 128."""
    return 128 if family == 6 else 32


def title(key: ServiceKey) -> str:
    """A service as operators are told of it: ``10.0.0.1:80:tcp``, or ``firewall mark 7 (IPv4)``."""
    if key.fwmark:
        return f"firewall mark {key.fwmark} (IPv{key.family})"
    return f"{endpoint(key.address, key.port)}:{key.protocol}"


def endpoint(address: str, port: int) -> str:
    """Address and port in one text, an IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def attempt(edit: Edit) -> str:
    """What an edit tries, for the beginning of an error: ``adding real server 10.0.1.1:80 to 10.0.0.1:80:tcp``."""
    match edit:
        case AddService(service):
            return f"adding service {title(service.key)}"
        case EditService(service):
            return f"changing service {title(service.key)}"
        case DeleteService(key):
            return f"removing service {title(key)}"
        case AddDestination(key, server):
            return f"adding real server {endpoint(*server.key)} to {title(key)}"
        case EditDestination(key, server):
            return f"changing real server {endpoint(*server.key)} of {title(key)}"
        case DeleteDestination(key, server):
            return f"removing real server {endpoint(*server.key)} from {title(key)}"


def _plain(service: Service) -> tuple[object, ...]:
    prefix = service.persistence_prefix
    return (
        service.key,
        service.scheduler,
        frozenset(FLAG_BITS.get(flag, flag) for flag in service.flags),
        service.persistence_timeout,
        longest_prefix(service.key.family) if prefix is None else prefix,
        service.persistence_engine,
    )
