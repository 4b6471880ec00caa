"""Statuses: the facts that actors publish on the board.

Only frozen values live here. A status holds no time and no latency: equal means that nothing happened,
and an equal status is not forwarded.
"""

from collections.abc import Collection
from enum import Enum

import msgspec

from actors.core.address import Address
from actors.core.table import ServiceKey

WHOLE = 100
"""The share of its weight, in percent, that a healthy server has."""

OWN = -1
"""Stands for the weight that a server has by its configuration."""


class Verdict(Enum):
    """What is known of something checked. UNKNOWN, the state before any result, is not OK."""

    UNKNOWN = "UNKNOWN"
    OK = "OK"
    FAILED = "FAILED"


class Phase(Enum):
    """Where a supervised child stands in its life."""

    RUNNING = "RUNNING"
    RESTARTING = "RESTARTING"
    PARKED = "PARKED"
    STOPPED = "STOPPED"


class Status(msgspec.Struct, frozen=True, tag=True):
    """A retained fact. ``source`` is the id of what it is about; the board keeps the last one of each source."""

    source: str


class CheckStatus(Status, frozen=True):
    """A checker's debounced verdict. ``assumed`` is set while ``init`` spoke, not a result.

    ``share`` is how much of their weight servers are to have while it is OK, in percent; ``weight`` is what they are to
    have instead of it, unless that is `OWN`. ``value`` is a number that it has found, not 0 only while FAILED.
    """

    verdict: Verdict
    detail: str = ""
    assumed: bool = False
    share: int = WHOLE
    weight: int = OWN
    value: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether it leaves its servers their weight."""
        return self.share == WHOLE and self.weight == OWN

    def __str__(self) -> str:
        least = f" at {self.share} percent" if self.share < WHOLE else ""
        least += f" with weight {self.weight}" if self.weight != OWN else ""
        return self.verdict.value + least + (f", {self.detail}" if self.detail else "")


class ServerStatus(Status, frozen=True):
    """A real server: in the pool with ``weight`` while ``verdict`` is OK."""

    verdict: Verdict
    weight: int
    detail: str = ""


class ServiceStatus(Status, frozen=True):
    """A virtual server: whether it has quorum, its servers that are up, whether the sorry server serves, and what the
    data plane refuses."""

    quorum: bool
    servers_up: int
    sorry: bool
    error: str = ""


class ChildStatus(Status, frozen=True):
    """A supervised child (source ``child/ID``): its phase, crashes within the period, and the last error."""

    phase: Phase
    crashes: int = 0
    error: str = ""


class VrrpStatus(Status, frozen=True):
    """A virtual router: INIT, BACKUP, MASTER or FAULT, its effective priority, and why it took that role.

    For its sync group: ``ready`` is one that is not MASTER and would be, were it alone; ``fault`` is what of its own
    speaks against it.
    """

    role: str
    priority: int
    reason: str = ""
    ready: bool = False
    fault: str = ""

    @property
    def leads(self) -> bool:
        """Whether it is MASTER, or would be if its sync group were."""
        return self.role == "MASTER" or self.ready


class GroupStatus(Status, frozen=True):
    """A sync group: the role of all its members, MASTER, BACKUP or FAULT, and why it took that role."""

    role: str
    reason: str = ""


class LinkStatus(Status, frozen=True):
    """An interface: whether it is up and running, its hardware address, and the addresses that it has."""

    up: bool
    mac: str = ""
    addresses: tuple[str, ...] = ()

    def source_of(self, family: int, besides: Collection[str] = ()) -> str:
        """The address that adverts are sent from: the first of IPv4, the first link-local of IPv6; empty if none.

        Those in ``besides`` are not looked at.
        """
        own = (a for a in self.addresses if (":" in a) == (family == 6) and a not in besides)
        return next((a for a in own if family == 4 or a.startswith("fe80:")), "")


class PresenceStatus(Status, frozen=True):
    """An address: whether any interface of this machine has it, and it can be used."""

    here: bool


class AddressStatus(Status, frozen=True):
    """The virtual addresses of a router: whether they are held, what keeps them from being, and those that are there.

    Of these ``own`` were the machine's before the router held them.
    """

    held: bool
    fault: str = ""
    addresses: tuple[Address, ...] = ()
    own: tuple[Address, ...] = ()


class DeviceStatus(Status, frozen=True):
    """Something in the kernel that a router needs: the index of its own interface, 0 while there is none, and what
    keeps it from being as it should be."""

    index: int = 0
    fault: str = ""


class IpvsStatus(Status, frozen=True):
    """Something of IPVS as a whole: how it is now, in words, and what keeps it from being as it should be.

    ``before`` are the timeouts (tcp, tcpfin, udp) that are put back at the end, empty where there are none.
    """

    state: str = ""
    before: tuple[int, ...] = ()
    fault: str = ""


class TableStatus(Status, frozen=True):
    """The services that are to be in the data plane, those that should be gone and cannot be taken away among them,
    and what keeps these there."""

    services: tuple[ServiceKey, ...] = ()
    fault: str = ""


AnyStatus = (
    CheckStatus
    | ServerStatus
    | ServiceStatus
    | ChildStatus
    | VrrpStatus
    | GroupStatus
    | LinkStatus
    | AddressStatus
    | DeviceStatus
    | IpvsStatus
    | TableStatus
    | PresenceStatus
)
