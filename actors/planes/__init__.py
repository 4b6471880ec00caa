"""The edges: the only code that touches kernel or wire. Here are the contracts; each plane has a file or folder."""

from typing import Protocol

from actors.core.table import Edit, Loads, Pool, ServiceKey
from actors.core.whole import Daemon, Timeouts


class PlaneError(Exception):
    """A data plane refused. The text says what was tried and what the kernel (or socket) answered."""


class PlaneUnavailable(PlaneError):
    """The plane cannot work on this machine at all; ``remedies`` are the ways out, each a sentence."""

    def __init__(self, reason: str, remedies: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.remedies = remedies


class WholeTable(Protocol):
    """What concerns IPVS as a whole. Every call may be made from any greenlet, waits cooperatively, and raises
    `PlaneError`."""

    def flush(self) -> None:
        """Empty the table of all services, foreign ones too."""

    def timeouts(self) -> Timeouts:
        """When connections are forgotten, now."""

    def set_timeouts(self, wanted: Timeouts) -> None:
        """Set those that are not 0."""

    def daemons(self) -> tuple[Daemon, ...]:
        """The sync daemons that run, at most one of each state."""

    def start(self, daemon: Daemon) -> None:
        """Start one; refused while one of its state runs."""

    def stop(self, state: str) -> None:
        """Stop the one of that state; refused when there is none."""


class DataPlane(Protocol):
    """Holds services and destinations. Every call may be made from any greenlet; calls wait cooperatively.

    ``apply`` and ``read`` raise `PlaneError`; after a failed ``apply`` the plane is as it was before that edit.
    """

    name: str

    @property
    def whole(self) -> WholeTable | None:
        """None where there is no IPVS."""

    def open(self) -> None:
        """Make ready; raises `PlaneUnavailable` when this machine cannot carry the plane."""

    def services(self) -> tuple[ServiceKey, ...]:
        """Keys of all the services that the plane holds, its own and foreign ones."""

    def read(self, key: ServiceKey) -> Pool | None:
        """The service as it is now, or None. Destinations in no particular order."""

    def apply(self, edit: Edit) -> None:
        """Carry out one edit."""

    def loads(self, key: ServiceKey) -> Loads:
        """What the service and its destinations carry; of one that is not there nothing. Raises `PlaneError`."""

    def leave(self) -> None:
        """From here on no edit is carried out: services in a kernel stay as they are when the program ends."""

    def close(self) -> None:
        """Release what the plane holds in this process. Services in a kernel stay."""
