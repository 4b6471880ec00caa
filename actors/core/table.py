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

    @property
    def key(self) -> tuple[str, int]:
        """Identity within the service."""
        return (self.address, self.port)


class Pool(msgspec.Struct, frozen=True):
    """A service and its destinations, in the order of their configuration."""

    service: Service
    destinations: tuple[Destination, ...] = ()


class AddService(msgspec.Struct, frozen=True, tag=True):
    service: Service


class EditService(msgspec.Struct, frozen=True, tag=True):
    service: Service


class DeleteService(msgspec.Struct, frozen=True, tag=True):
    key: ServiceKey


class AddDestination(msgspec.Struct, frozen=True, tag=True):
    service: ServiceKey
    destination: Destination


class EditDestination(msgspec.Struct, frozen=True, tag=True):
    service: ServiceKey
    destination: Destination


class DeleteDestination(msgspec.Struct, frozen=True, tag=True):
    service: ServiceKey
    destination: Destination


Edit = AddService | EditService | DeleteService | AddDestination | EditDestination | DeleteDestination


def plan(desired: Pool | None, actual: Pool | None) -> tuple[Edit, ...]:
    """The edits that turn ``actual`` into ``desired``, in an order that keeps traffic served."""
    if desired is None:
        return () if actual is None else (DeleteService(actual.service.key),)
    if actual is None:
        return (AddService(desired.service), *(AddDestination(desired.service.key, d) for d in desired.destinations))
    key = desired.service.key
    wanted, present = {d.key: d for d in desired.destinations}, {d.key: d for d in actual.destinations}
    changed = [d for d in desired.destinations if d.key in present and d != present[d.key]]
    raised = [d for d in changed if d.weight > present[d.key].weight]
    others = [d for d in changed if d.weight <= present[d.key].weight]
    return (
        *((EditService(desired.service),) if desired.service != actual.service else ()),
        *(AddDestination(key, d) for d in desired.destinations if d.key not in present),
        *(EditDestination(key, d) for d in (*raised, *others)),
        *(DeleteDestination(key, d) for d in actual.destinations if d.key not in wanted),
    )
