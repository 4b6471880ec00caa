"""Data planes that only remember: for tests, and for ``--dry-run``."""

import structlog

from actors.core.table import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Destination,
    Edit,
    EditDestination,
    EditService,
    Load,
    Loads,
    Pool,
    Service,
    ServiceKey,
    attempt,
)
from actors.core.whole import Daemon, Timeouts
from actors.planes import PlaneError, WholeTable

log = structlog.get_logger()

Servers = dict[tuple[str, int], Destination]


class MemoryPlane:
    """Holds the table in this process. ``edits`` are those applied; the next ``refusals`` edits are refused."""

    name = "memory"

    def __init__(self) -> None:
        self.whole: WholeTable = self
        self._timeouts = Timeouts(900, 120, 300)
        self._daemons: dict[str, Daemon] = {}
        self.edits: list[Edit] = []
        self.refusals = 0
        self._is_left = False
        self._table: dict[ServiceKey, tuple[Service, Servers]] = {}

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
        service, servers = self._table[key]
        return Pool(service, tuple(servers.values()))

    def loads(self, key: ServiceKey) -> Loads:
        """Nothing is ever carried."""
        return Loads(servers=dict.fromkeys(self._table[key][1], Load())) if key in self._table else Loads()

    def leave(self) -> None:
        """See `DataPlane.leave`."""
        self._is_left = True

    def flush(self) -> None:
        """See `WholeTable.flush`."""
        self._table.clear()

    def timeouts(self) -> Timeouts:
        """See `WholeTable.timeouts`."""
        return self._timeouts

    def set_timeouts(self, wanted: Timeouts) -> None:
        """See `WholeTable.set_timeouts`."""
        self._timeouts = wanted.over(self._timeouts)

    def daemons(self) -> tuple[Daemon, ...]:
        """See `WholeTable.daemons`."""
        return tuple(self._daemons.values())

    def start(self, daemon: Daemon) -> None:
        """See `WholeTable.start`."""
        if daemon.state in self._daemons:
            raise PlaneError(f"starting the sync daemon ({daemon.state}): one runs already")
        self._daemons[daemon.state] = daemon

    def stop(self, state: str) -> None:
        """See `WholeTable.stop`."""
        if self._daemons.pop(state, None) is None:
            raise PlaneError(f"stopping the sync daemon ({state}): none runs")

    def apply(self, edit: Edit) -> None:
        """See `DataPlane.apply`."""
        if self._is_left:
            return
        if self.refusals:
            self.refusals -= 1
            raise PlaneError(f"{attempt(edit)}: refused as asked")
        match edit:
            case AddService(service):
                _check(service.key not in self._table, edit, "it is there already")
                self._table[service.key] = (service, {})
            case EditService(service):
                self._table[service.key] = (service, self._servers(service.key, edit))
            case DeleteService(key):
                self._servers(key, edit)
                del self._table[key]
            case AddDestination(key, server):
                servers = self._servers(key, edit)
                _check(server.key not in servers, edit, "it is there already")
                servers[server.key] = server
            case EditDestination(key, server):
                self._servers_with(key, edit, server)[server.key] = server
            case DeleteDestination(key, server):
                del self._servers_with(key, edit, server)[server.key]
        self.edits.append(edit)

    def _servers(self, key: ServiceKey, edit: Edit) -> Servers:
        _check(key in self._table, edit, "there is no such service")
        return self._table[key][1]

    def _servers_with(self, key: ServiceKey, edit: Edit, server: Destination) -> Servers:
        servers = self._servers(key, edit)
        _check(server.key in servers, edit, "there is no such real server")
        return servers


class DryRunPlane(MemoryPlane):
    """Tells in the log which edits it would have made."""

    name = "dry run"

    def apply(self, edit: Edit) -> None:
        """See `DataPlane.apply`."""
        if self._is_left:
            return
        super().apply(edit)
        self.edits.clear()
        log.info("dry run", would_be=attempt(edit), edit=edit)

    def flush(self) -> None:
        """See `WholeTable.flush`."""
        super().flush()
        log.info("dry run", would_be="emptying the table")

    def set_timeouts(self, wanted: Timeouts) -> None:
        """See `WholeTable.set_timeouts`."""
        super().set_timeouts(wanted)
        log.info("dry run", would_be="setting the timeouts", timeouts=wanted)

    def start(self, daemon: Daemon) -> None:
        """See `WholeTable.start`."""
        super().start(daemon)
        log.info("dry run", would_be=f"starting the sync daemon ({daemon.state})", daemon=daemon)

    def stop(self, state: str) -> None:
        """See `WholeTable.stop`."""
        super().stop(state)
        log.info("dry run", would_be=f"stopping the sync daemon ({state})")


def _check(holds: bool, edit: Edit, reason: str) -> None:
    if not holds:
        raise PlaneError(f"{attempt(edit)}: {reason}")
