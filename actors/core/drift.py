"""What is believed of a service whose changes by others are left alone. Pure.

It is what this program has made of it, so that no plan undoes what others did.
"""

from collections.abc import Collection, Sequence

from msgspec.structs import replace

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
)


def reckoned(
    believed: Pool | None, actual: Pool | None, edits: Sequence[Edit], refused: Collection[Edit]
) -> Pool | None:
    """What is to be believed after ``edits`` of which some were ``refused``. None is done of those that follow an
    `AddService` which was."""
    for edit in edits:
        believed = conceded(believed, actual, edit) if edit in refused else applied(believed, edit)
        if isinstance(edit, AddService) and edit in refused:
            break
    return believed


def applied(pool: Pool | None, edit: Edit) -> Pool | None:
    """The service after an edit that was carried out. One of a service that is not there changes nothing."""
    match edit:
        case AddService(service):
            return Pool(service)
        case DeleteService():
            return None
        case EditService(service):
            return pool and replace(pool, service=service)
        case AddDestination(_, server) | EditDestination(_, server):
            return pool and _with(pool, server, server)
        case DeleteDestination(_, server):
            return pool and _with(pool, server, None)


def conceded(pool: Pool | None, actual: Pool | None, edit: Edit) -> Pool | None:
    """The service after an edit that was refused: what that concerns, and nothing else, is as it ``actual``ly is.

    So a server that others have removed is added again when it is to be changed, and not before.
    """
    match edit:
        case AddService() | DeleteService():
            return actual
        case EditService():
            return pool and replace(pool, service=actual.service) if actual else pool
        case AddDestination(_, server) | EditDestination(_, server) | DeleteDestination(_, server):
            present = {each.key: each for each in actual.destinations} if actual else {}
            return pool and _with(pool, server, present.get(server.key))


def _with(pool: Pool, place: Destination, server: Destination | None) -> Pool:
    """The pool with ``server``, or nobody, where ``place`` is."""
    others = tuple(each for each in pool.destinations if each.key != place.key)
    return replace(pool, destinations=(*others, server) if server else others)
