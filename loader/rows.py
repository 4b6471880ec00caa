"""Lists whose items have options of their own: ``10.0.0.1/24 dev eth0``, ``database weight -20``. Pure.

In braces a line begins an item; on one line (``checkers a weight 5 b``) what is no option of the last item does.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from loader.diagnostics import did_you_mean, shown
from loader.fields import Keyword
from loader.schema import Plan
from loader.values import Fault, scalar


class Row(NamedTuple):
    """An item: its values by key, those alone that were said. Its words are those from ``start`` until ``end``."""

    values: Mapping[str, Any]
    start: int
    end: int


def rows(plan: Plan, given: Sequence[str], starts: Sequence[int]) -> tuple[tuple[Row, ...], list[Fault]]:
    """The items of a list, and what is wrong with others.

    ``given`` are the words of the statement, its keyword first; ``starts`` has the indices that begin a line, sorted.
    After a fault the next line is read.
    """
    found: list[Row] = []
    faults: list[Fault] = []
    index = 1
    while index < len(given):
        after = bisect_right(starts, index)
        line_end = starts[after] if after < len(starts) else len(given)
        row = _row(plan, given, index, line_end)
        if isinstance(row, Fault):
            faults.append(row)
        else:
            found.append(row)
        index = line_end if isinstance(row, Fault) else row.end
    return tuple(found), faults


def _row(plan: Plan, given: Sequence[str], index: int, line_end: int) -> Row | Fault:
    first = plan.head[""].keywords[0]
    values: dict[str, object] = {}
    key, value, end = plan.head[""].keys[0], scalar(first, given[index], index), index + 1
    while not isinstance(value, Fault):
        values[key] = value
        slot = plan.slots.get(given[end]) if end < line_end else None
        if slot is None:
            return _stray(plan, given[end : min(end + 1, line_end)], end) or Row(values, index, end)
        if slot.key in values:
            return Fault(f"{shown(given[end])} is given again", end)
        key, value = slot.key, _option(slot.keyword, given[end : min(end + 2, line_end)], end)
        end += 2
    return value


def _option(keyword: Keyword, given: Sequence[str], index: int) -> object:
    if len(given) == 1:
        return Fault(f"{shown(given[0])} needs a value", index, f"expected {keyword.usage}")
    return scalar(keyword, given[1], index + 1)


def _stray(plan: Plan, given: Sequence[str], index: int) -> Fault | None:
    """Why a word that is no option cannot begin an item either."""
    if not given or not isinstance(scalar(plan.head[""].keywords[0], given[0], index), Fault):
        return None
    word = given[0]
    hint = did_you_mean(word, plan.slots) or f"expected {' '.join(plan.slots)}"
    return Fault(f"unknown word {shown(word)} in {plan.title}", index, hint)
