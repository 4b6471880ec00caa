"""The edges: the only code that touches kernel or wire. Here are the contracts; each plane has a file or folder."""

from typing import Protocol

from actors.core.table import Edit, Pool, ServiceKey


class PlaneError(Exception):
    """A data plane refused. The text says what was tried and what the kernel (or socket) answered."""


class PlaneUnavailable(PlaneError):
    """The plane cannot work on this machine at all; ``remedies`` are the ways out, each a sentence."""

    def __init__(self, reason: str, remedies: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.remedies = remedies


class DataPlane(Protocol):
    """Holds services and destinations. Every call may be made from any greenlet; calls wait cooperatively.

    ``apply`` and ``read`` raise `PlaneError`; after a failed ``apply`` the plane is as it was before that edit.
    """

    name: str

    def open(self) -> None:
        """Make ready; raises `PlaneUnavailable` when this machine cannot carry the plane."""

    def services(self) -> tuple[ServiceKey, ...]:
        """Keys of all the services that the plane holds, its own and foreign ones."""

    def read(self, key: ServiceKey) -> Pool | None:
        """The service as it is now, or None. Destinations in no particular order."""

    def apply(self, edit: Edit) -> None:
        """Carry out one edit."""

    def connections(self, key: ServiceKey) -> dict[tuple[str, int], int]:
        """Open connections of each destination, by (address, port); for draining and for status."""

    def close(self) -> None:
        """Release what the plane holds in this process. Services in a kernel stay."""
