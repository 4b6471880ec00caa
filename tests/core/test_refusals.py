"""What was refused waits before it is tried again: longer each time, and no longer than anybody wants it."""

from actors.core.refusals import FIRST, LONGEST, Refusals
from actors.core.table import AddService, DeleteService, Service, ServiceKey

KEY = ServiceKey(4, fwmark=7)
ADD, DELETE = AddService(Service(KEY)), DeleteService(KEY)


def test_an_edit_that_was_never_refused_may_be_tried() -> None:
    refusals = Refusals()
    assert (refusals.bar(ADD, 0.0), refusals.next) == ("", None)


def test_each_refusal_doubles_the_wait_up_to_the_longest() -> None:
    refusals, now, waits = Refusals(), 0.0, []
    for _ in range(9):
        refusals.note(ADD, "no", now)
        assert refusals.next is not None
        waits.append(refusals.next - now)
        now = refusals.next
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST, LONGEST, LONGEST]


def test_it_is_barred_until_its_time_and_with_its_own_error() -> None:
    refusals = Refusals()
    refusals.note(ADD, "no", 0.0)
    refusals.note(DELETE, "busy", 0.5)
    assert [refusals.bar(edit, FIRST - 0.01) for edit in (ADD, DELETE)] == ["no", "busy"]
    assert [refusals.bar(edit, FIRST) for edit in (ADD, DELETE)] == ["", "busy"]
    assert refusals.next == FIRST


def test_what_nobody_wants_any_more_is_forgotten() -> None:
    refusals = Refusals()
    refusals.note(ADD, "no", 0.0)
    refusals.note(DELETE, "no", 0.0)
    refusals.keep([DELETE])
    assert (refusals.bar(ADD, 0.0), refusals.bar(DELETE, 0.0)) == ("", "no")
    refusals.keep([])
    assert refusals.next is None
