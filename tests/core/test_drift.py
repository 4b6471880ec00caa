"""What is believed of a service that others change: what was done of it, and what it is where something was refused."""

import pytest

from actors.core.drift import applied, conceded, reckoned
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
    plan,
)

KEY = ServiceKey(4, "10.0.0.1", 80, "tcp")
SERVICE, OTHER = Service(KEY), Service(KEY, "rr")
A, B, C = (Destination(f"10.0.1.{turn}", 80) for turn in (1, 2, 3))
HEAVY = Destination(B.address, 80, 9)
OURS = Pool(SERVICE, (A, B))


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (AddService(OTHER), Pool(OTHER)),
        (EditService(OTHER), Pool(OTHER, (A, B))),
        (DeleteService(KEY), None),
        (AddDestination(KEY, C), Pool(SERVICE, (A, B, C))),
        (EditDestination(KEY, HEAVY), Pool(SERVICE, (A, HEAVY))),
        (DeleteDestination(KEY, A), Pool(SERVICE, (B,))),
    ],
)
def test_an_edit_that_was_carried_out_is_believed(edit: Edit, expected: Pool | None) -> None:
    assert applied(OURS, edit) == expected


@pytest.mark.parametrize("edit", [EditService(OTHER), AddDestination(KEY, A), DeleteDestination(KEY, A)])
def test_an_edit_of_a_service_that_is_not_there_changes_nothing(edit: Edit) -> None:
    assert (applied(None, edit), conceded(None, OURS, edit)) == (None, None)


@pytest.mark.parametrize(
    ("edit", "actual", "expected"),
    [
        (AddService(SERVICE), Pool(OTHER, (C,)), Pool(OTHER, (C,))),
        (EditService(SERVICE), Pool(OTHER, (C,)), Pool(OTHER, (A, B))),
        (EditService(SERVICE), None, OURS),
        (AddDestination(KEY, C), Pool(OTHER, (C,)), Pool(SERVICE, (A, B, C))),
        (EditDestination(KEY, B), Pool(OTHER, (HEAVY,)), Pool(SERVICE, (A, HEAVY))),
        (DeleteDestination(KEY, B), Pool(OTHER), Pool(SERVICE, (A,))),
        (DeleteDestination(KEY, B), None, Pool(SERVICE, (A,))),
    ],
)
def test_of_an_edit_that_was_refused_what_it_concerns_is_as_it_is(
    edit: Edit, actual: Pool | None, expected: Pool
) -> None:
    assert conceded(OURS, actual, edit) == expected


def test_after_a_service_that_could_not_be_added_nothing_of_it_is_believed() -> None:
    edits = plan(OURS, None)
    assert reckoned(None, None, edits, edits[:1]) is None
    assert reckoned(None, Pool(SERVICE, (A,)), edits, edits[1:2]) == OURS
