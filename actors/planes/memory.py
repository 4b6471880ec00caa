"""A data plane that only remembers: for tests and ``--dry-run``."""

from actors.core.table import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Destination,
    Edit,
    EditDestination,
    EditService,
    Pool,
    Service,
    ServiceKey,
)
from actors.planes import PlaneError


class MemoryPlane:
    """Holds the table in this process. ``edits`` are those applied; the next ``refusals`` edits are refused."""

    name = "memory"

    def __init__(self) -> None:
        self.edits: list[Edit] = []
        self.refusals = 0
        self._table: dict[ServiceKey, tuple[Service, dict[tuple[str, int], Destination]]] = {}

    def open(self) -> None:
        """Always ready."""

    def close(self) -> None:
        """Nothing to release."""

    def services(self) -> tuple[ServiceKey, ...]:
        """See `DataPlane.services`."""
        return tuple(self._table)

    def read(self, key: ServiceKey) -> Pool | None:
        """See `DataPlane.read`."""
        if key not in self._table:
            return None
        service, destinations = self._table[key]
        return Pool(service, tuple(destinations.values()))

    def connections(self, key: ServiceKey) -> dict[tuple[str, int], int]:
        """None are ever open."""
        return {}

    def apply(self, edit: Edit) -> None:
        """See `DataPlane.apply`."""
        if self.refusals:
            self.refusals -= 1
            raise PlaneError(f"{type(edit).__name__}: refused as asked")
        match edit:
            case AddService(service):
                _absent(service.key in self._table, edit)
                self._table[service.key] = (service, {})
            case EditService(service):
                _present(service.key in self._table, edit)
                self._table[service.key] = (service, self._table[service.key][1])
            case DeleteService(key):
                _present(key in self._table, edit)
                del self._table[key]
            case AddDestination(key, destination):
                _absent(destination.key in self._of(key, edit), edit)
                self._of(key, edit)[destination.key] = destination
            case EditDestination(key, destination):
                _present(destination.key in self._of(key, edit), edit)
                self._of(key, edit)[destination.key] = destination
            case DeleteDestination(key, destination):
                _present(destination.key in self._of(key, edit), edit)
                del self._of(key, edit)[destination.key]
        self.edits.append(edit)

    def _of(self, key: ServiceKey, edit: Edit) -> dict[tuple[str, int], Destination]:
        _present(key in self._table, edit)
        return self._table[key][1]


def _absent(there: bool, edit: Edit) -> None:
    if there:
        raise PlaneError(f"{type(edit).__name__}: it exists already")


def _present(there: bool, edit: Edit) -> None:
    if not there:
        raise PlaneError(f"{type(edit).__name__}: no such service or destination")
