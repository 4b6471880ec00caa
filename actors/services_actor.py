"""The services of the data plane, whoever declares them: those that nobody declares any more are taken away."""

from collections.abc import Sequence
from typing import Any

import msgspec

from actors.core.status import TableStatus
from actors.core.table import DeleteService, ServiceKey
from actors.messages import Message
from actors.planes import DataPlane, PlaneError
from actors.runtime.actor import Context

AGAIN = 5.0
"""Seconds until what could not be taken away is tried again."""


class ServicesSpec(msgspec.Struct, frozen=True):
    """All services of a configuration, those of its groups too."""

    id: str
    services: tuple[ServiceKey, ...]


class ClearAway(Message, frozen=True):
    """Try again to take away what is to go."""


class ServicesActor:
    """Of what its predecessor had, it takes away what is not its own.

    It starts before those who declare services and stops after them. So one that another declares after a reload, a
    group instead of a virtual_server or the other way round, stays as it is, and its new owner finds it there.
    """

    def __init__(self, context: Context, spec: ServicesSpec, plane: DataPlane) -> None:
        self._context = context
        self._spec = spec
        self._plane = plane
        self._status = context.last if isinstance(context.last, TableStatus) else TableStatus(spec.id)

    def on_start(self) -> None:
        """Take away what is not wanted any more, before others begin."""
        self._see_to_it()

    def receive(self, message: Any) -> None:
        """It is time to try again."""
        if isinstance(message, ClearAway):
            self._see_to_it()

    def on_stop(self, final: bool) -> None:
        """When no successor follows, take all services away."""
        if final:
            self._take_away(self._status.services)

    def explain(self) -> list[str]:
        """For an operator: how many services there are to be, and what cannot be taken away."""
        own = f"{len(self._spec.services)} services are configured"
        return [own, *([f"still to go: {self._status.fault}"] if self._status.fault else [])]

    def _see_to_it(self) -> None:
        wanted = set(self._spec.services)
        left, fault = self._take_away([key for key in self._status.services if key not in wanted])
        status = TableStatus(self._spec.id, (*self._spec.services, *left), fault)
        if status != self._status:
            self._status = status
            self._context.publish(status)
        if left:
            self._context.after("again", AGAIN, ClearAway(), grain=0.05)

    def _take_away(self, services: Sequence[ServiceKey]) -> tuple[list[ServiceKey], str]:
        """Those that are still there, and the first reason why."""
        try:
            present = set(self._plane.services()) if services else set()
        except PlaneError as error:
            return [*services], self._complain(str(error))
        errors = {key: wrong for key in services if key in present and (wrong := self._delete(key))}
        return [*errors], self._complain(next(iter(errors.values()), ""))

    def _delete(self, key: ServiceKey) -> str:
        edit = DeleteService(key)
        try:
            self._plane.apply(edit)
        except PlaneError as error:
            return str(error)
        self._context.log.debug("edit", edit=edit)
        return ""

    def _complain(self, error: str) -> str:
        if error and error != self._status.fault:
            self._context.log.error("data plane", error=error)
        return error
