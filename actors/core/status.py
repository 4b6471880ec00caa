"""Statuses: the facts that actors publish on the board.

Only frozen values live here. A status holds no time and no latency: equal means that nothing happened,
and an equal status is not forwarded.
"""

from enum import Enum

import msgspec


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
    """A checker's debounced verdict. ``assumed`` is set while ``init`` spoke, not a result."""

    verdict: Verdict
    detail: str = ""
    assumed: bool = False


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


AnyStatus = CheckStatus | ServerStatus | ServiceStatus | ChildStatus
