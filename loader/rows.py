"""Lists whose items have options of their own: ``10.0.0.1/24 dev eth0``, ``database weight -20``. Pure.

In braces a line begins an item; on one line (``checkers a weight 5 b``) what is no option of the last item does.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from loader.diagnostics import did_you_mean, shown
from loader.schema import Plan, Slot
from loader.values import Fault, scalar


class Row(NamedTuple):
    """An item: its values by key, those alone that were said. Its words are those from ``start`` until ``end``."""

    values: Mapping[str, Any]
    start: int
    end: int


def rows(plan: Plan, given: Sequence[str], starts: Sequence[int]) -> tuple[tuple[Row, ...], list[Fault]]:
    """The items of a list, and what is wrong with others.

    ``given`` are the words of the statement, its keyword first; ``starts`` has the indices that begin a line, sorted.
    An item is given without what is wrong with it, lest what it names be taken for unnamed.
    """
    found: list[Row] = []
    faults: list[Fault] = []
    index = 1
    while index < len(given):
        after = bisect_right(starts, index)
        row = _row(plan, given, index, starts[after] if after < len(starts) else len(given), faults)
        if row.values:
            found.append(row)
        index = row.end
    return tuple(found), faults


def _row(plan: Plan, given: Sequence[str], start: int, line_end: int, faults: list[Fault]) -> Row:
    key, first = plan.head[""].keys[0], plan.head[""].keywords[0]
    value = scalar(first, given[start], start)
    if isinstance(value, Fault):
        faults.append(value)
        return Row({}, start, line_end)
    values, end = {key: value}, start + 1
    while end < line_end and (slot := plan.slots.get(given[end])):
        after = min(end + (1 if slot.keyword.kind == "flag" else 2), line_end)
        option = _option(slot, values, given[end:after], end)
        if isinstance(option, Fault):
            faults.append(option)
        else:
            values[slot.key] = option
        end = after
    if end < line_end and (stray := _stray(plan, given[end], end)):
        faults.append(stray)
        end = line_end
    return Row(values, start, end)


def _option(slot: Slot, known: Mapping[str, object], given: Sequence[str], index: int) -> object:
    if slot.key in known:
        return Fault(f"{shown(given[0])} is given again", index)
    if slot.keyword.kind == "flag":
        return slot.keyword.bare
    if len(given) == 1:
        return Fault(f"{shown(given[0])} needs a value", index, f"expected {slot.keyword.usage}")
    return scalar(slot.keyword, given[1], index + 1)


def _stray(plan: Plan, word: str, index: int) -> Fault | None:
    """Why a word that is no option cannot begin an item either."""
    if not isinstance(scalar(plan.head[""].keywords[0], word, index), Fault):
        return None
    hint = did_you_mean(word, plan.slots) or f"expected {' '.join(plan.slots)}"
    return Fault(f"unknown word {shown(word)} in {plan.title}", index, hint)
