"""Statements to values. Nothing is raised: what is wrong is gathered, the rest goes on. Pure.

Speed comes from doing nothing twice: a statement is decoded once for all its appearances in blocks of one kind, and so
is the whole inside of a block. Places of words are computed only for problems.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, NamedTuple

from msgspec import UNSET

from loader import values as kinds
from loader.diagnostics import Mark, Problem, did_you_mean, error, shown, warning
from loader.draft import Body, Draft
from loader.fields import Keyword
from loader.grammar import Statement, flaws, list_parts, word_spans, words
from loader.includes import Reader
from loader.rows import rows
from loader.schema import Plan, Slot
from loader.scripts import Script, script
from loader.unused import UNUSED
from loader.values import Fault

LISTS = ("words", "ranges", "rows")


class Read(NamedTuple):
    """A decoded statement: its slot, None when unknown; its value, UNSET when refused; and what is wrong."""

    slot: Slot | None
    value: Any
    problems: Sequence[Problem] = ()


class Decoder:
    """Decodes blocks by their plans.

    ``users`` are the names of the machine's users, for scripts; ``hints`` what to say of certain unknown keywords.
    """

    def __init__(self, reader: Reader, users: frozenset[str], hints: Mapping[str, str]) -> None:
        self._hints = hints
        self._reader = reader
        self._users = users
        self._bodies: dict[tuple[Plan, str], Body] = {}
        self._lines: dict[Plan, dict[str, Read]] = {}

    def block(self, plan: Plan, head: Statement, chain: tuple[str, ...]) -> Draft:
        """A block by its plan, from the last file of ``chain``. Its problems are in the draft."""
        chain = head.origin or chain
        found, wrong = self._head(plan, head)
        body = self._body(plan, head.body or "", chain)
        draft = Draft(plan, head, {**body.values, **found}, body)
        draft.problems += wrong
        for slot in plan.required:
            if not draft.says(slot.key):
                message = f"{plan.title} needs {shown(slot.keyword.name)}"
                draft.problems.append(error(message, head.mark, f"add {slot.keyword.usage}"))
        if head.body is None:
            draft.problems = [error(f"{shown(plan.title)} needs a block {{ ... }}", head.mark)]
        return draft

    def _head(self, plan: Plan, head: Statement) -> tuple[dict[str, Any], list[Problem]]:
        """The values of the words before the brace."""
        if wrong := flaws(head):
            return {}, wrong
        given = words(head.text)[1:]
        marker = given[0] if given and given[0] in plan.head else ""
        form, skipped = plan.head[marker], 1 if marker else 0
        value = _arguments(form.keywords, given[skipped:], 1 + skipped, plan.usage)
        if isinstance(value, Fault):
            return {}, [_problem(value, None, head)]
        return dict(zip(form.keys, value, strict=True)), []

    def _body(self, plan: Plan, text: str, chain: tuple[str, ...]) -> Body:
        known = self._bodies.get((plan, text))
        if known is None:
            known = self._decode_body(plan, text, chain)
            if "include" not in text:
                self._bodies[plan, text] = known
        return known

    def _decode_body(self, plan: Plan, text: str, chain: tuple[str, ...]) -> Body:
        found, problems = self._reader.inside(text, chain)
        values: dict[str, Any] = {}
        places: dict[str, Statement] = {}
        lines = self._lines.setdefault(plan, {})
        for statement in found:
            read = lines.get(statement.text) if statement.body is None else self._braced(plan, statement, chain)
            if read is None:
                read = lines[statement.text] = self._line(plan, Statement(statement.text, 0))
            slot, value, wrong = read
            if wrong:
                problems += _placed(wrong, statement)
            if slot is None:
                continue
            if slot.gathers:
                _gather(slot, value, values)
                if slot.keyword.kind == "arguments" and value is not UNSET:
                    places[f"{slot.key} {len(values[slot.key]) - 1}"] = statement
            else:
                if slot.key in places:
                    problems.append(_twice(places[slot.key], statement, slot.keyword.secret))
                if value is not UNSET:
                    values[slot.key] = value
            if value is not UNSET or slot.key not in places:
                places[slot.key] = statement
        return Body({k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}, places, tuple(problems))

    def _line(self, plan: Plan, statement: Statement) -> Read:
        given = words(statement.text)
        slot = plan.slots.get(given[0])
        if wrong := flaws(statement):
            return Read(None, UNSET, [_hidden(p, statement) if slot and slot.keyword.secret else p for p in wrong])
        if slot is None:
            return Read(None, UNSET, [self._unknown(plan, statement)])
        if slot.keyword.kind == "block":
            return Read(slot, UNSET, [error(f"{shown(given[0])} needs a block {{ ... }}", statement.mark)])
        if slot.plan is not None and len(given) > 1:
            return _rows(slot, slot.plan, given, statement)
        return _read(slot, self._value(slot.keyword, given, statement.text), statement)

    def _braced(self, plan: Plan, statement: Statement, chain: tuple[str, ...]) -> Read:
        """A statement with a block, which may be a block in the schema or a list of words."""
        slot = plan.slots.get(statement.keyword)
        if slot is None:
            return Read(None, UNSET, flaws(statement) or [self._unknown(plan, statement)])
        if slot.plan is not None and slot.keyword.kind == "block":
            draft = self.block(slot.plan, statement, chain)
            return Read(slot, draft if slot.plan.built else options(draft), draft.problems)
        if slot.keyword.kind not in LISTS:
            return Read(slot, UNSET, [error(f"{shown(statement.keyword)} takes no block", statement.mark)])
        return self._list(slot, statement)

    def _list(self, slot: Slot, statement: Statement) -> Read:
        """``keyword { a b }``: a list over several lines."""
        parts = list_parts(statement)
        wrong = [problem for part in parts for problem in flaws(part)]
        wrong += [error("a list has no blocks inside", part.mark) for part in parts[1:] if part.body is not None]
        if wrong:
            return Read(slot, UNSET, wrong)
        given = [word for part in parts for word in words(part.text)]
        if slot.plan is not None and len(given) > 1:
            return _rows(slot, slot.plan, given, *parts)
        return _read(slot, self._value(slot.keyword, given, ""), *parts)

    def _value(self, keyword: Keyword, given: Sequence[str], text: str) -> object:
        """The value of a statement's words, the keyword first, or a `Fault`."""
        if keyword.kind == "arguments":
            return _arguments(keyword.options, given[1:], 1, keyword.usage)
        if keyword.kind == "flag" and len(given) > 1:
            return _surplus(keyword.usage, given[1], 1)
        if len(given) == 1:
            return _alone(keyword, given[0])
        if keyword.kind == "marked":
            return _marked(keyword, given[1:])
        if keyword.kind in LISTS:
            return kinds.several(keyword, given[1:])
        if keyword.kind == "script":
            return script(given[1:], text[len(given[0]) :].lstrip().startswith('"'), self._users)
        return kinds.scalar(keyword, given[1], 1) if len(given) == 2 else _surplus(keyword.usage, given[2], 2)

    def _unknown(self, plan: Plan, statement: Statement) -> Problem:
        word = statement.keyword
        if reason := UNUSED.get(plan.title, {}).get(word):
            return warning(f"{shown(word)} has no effect: {reason}", statement.mark)
        hint = self._hints.get(word) or did_you_mean(word, plan.slots)
        return error(f"unknown keyword {shown(word)} in {plan.title}", statement.mark, hint)


def options(draft: Draft) -> tuple[tuple[str, object], ...]:
    """A plugin's options in the order of its schema, with defaults for those that are unsaid."""
    return tuple((name, _plain(draft.values.get(key, default))) for key, name, default in draft.plan.options)


def _plain(value: object) -> object:
    """A plugin knows none of our classes."""
    return (value.command, value.user, value.group) if isinstance(value, Script) else value


def _placed(problems: Sequence[Problem], statement: Statement) -> Sequence[Problem]:
    """Problems where a statement stands: a line's count from its start, a block's are in place already."""
    if statement.body is not None:
        return problems
    return [problem.within(statement.offset, statement.file) for problem in problems]


def _gather(slot: Slot, value: object, values: dict[str, Any]) -> None:
    """Add a value to the others of its key; of flags, the name."""
    gathered = values.setdefault(slot.key, [])
    if slot.role == "flag":
        gathered += [slot.keyword.name] if value is True else []
    elif value is not UNSET:
        gathered.append(value)


def _read(slot: Slot, value: object, *parts: Statement) -> Read:
    if isinstance(value, Fault):
        return Read(slot, UNSET, [_problem(value, slot.keyword, *parts)])
    return Read(slot, value)


def _rows(slot: Slot, plan: Plan, given: Sequence[str], *parts: Statement) -> Read:
    """The items of a list, and what is wrong with any of them."""
    lengths = [len(words(part.text)) for part in parts]
    found, faults = rows(plan, given, list(accumulate(lengths)))
    return Read(slot, found, [_problem(fault, slot.keyword, *parts) for fault in faults])


def _problem(fault: Fault, keyword: Keyword | None, *parts: Statement) -> Problem:
    """A fault in its place: the word of that index, counted over a statement and the parts of its list."""
    if keyword is not None and keyword.secret and fault.word:
        message = f"the value of {shown(keyword.name)} is refused"
        return _hidden(error(message, parts[0].mark, f"expected {keyword.usage}"), parts[0])
    marks = [part.mark_of(index) for part in parts for index in range(len(words(part.text)))]
    return error(fault.message, marks[min(fault.word, len(marks) - 1)], fault.hint)


def _hidden(problem: Problem, statement: Statement) -> Problem:
    """The same problem with a mark over all that may not be shown."""
    return replace(problem, mark=_values_mark(statement), secret=True)


def _values_mark(statement: Statement) -> Mark:
    last = len(word_spans(statement.text)) - 1
    return statement.mark_of(min(1, last), last)


def _arguments(slots: Sequence[Keyword], given: Sequence[str], index: int, usage: str) -> tuple[object, ...] | Fault:
    """Words in the order of ``slots``, defaults for those that are left out, or a `Fault`."""
    if len(given) > len(slots):
        return _surplus(usage, given[len(slots)], index + len(slots))
    found: list[object] = []
    for place, keyword in enumerate(slots):
        if place >= len(given) and keyword.required:
            return Fault(f"{keyword.name} is missing", 0, f"expected {usage}")
        value = kinds.scalar(keyword, given[place], index + place) if place < len(given) else keyword.default
        if isinstance(value, Fault):
            return value
        found.append(value)
    return tuple(found)


def _marked(keyword: Keyword, given: Sequence[str]) -> tuple[object, ...] | Fault:
    """Words behind their markers wherever these are, the others in order; defaults for the rest, or a `Fault`."""
    markers = {word: slot for slot in keyword.options for word in (slot.marker, *slot.aliases) if word}
    plain = [slot for slot in keyword.options if not slot.marker]
    found: dict[str, object] = {}
    index = 1
    while index <= len(given):
        word = given[index - 1]
        slot = markers.get(word) or next((each for each in plain if each.name not in found), None)
        if slot is None or slot.name in found:
            return _surplus(keyword.usage, word, index)
        index += word in markers
        if index > len(given):
            return Fault(f"{shown(word)} needs a value", index - 1, f"expected {keyword.usage}")
        value = kinds.scalar(slot, given[index - 1], index)
        if isinstance(value, Fault):
            return value
        found[slot.name] = value
        index += 1
    missing = next((slot.name for slot in plain if slot.required and slot.name not in found), "")
    if missing:
        return Fault(f"{missing} is missing", 0, f"expected {keyword.usage}")
    return tuple(found.get(slot.name, slot.default) for slot in keyword.options)


def _alone(keyword: Keyword, word: str) -> object:
    if keyword.bare is not None:
        return keyword.bare
    return True if keyword.kind == "bool" else Fault(f"{shown(word)} needs a value", 0, f"expected {keyword.usage}")


def _surplus(usage: str, word: str, index: int) -> Fault:
    return Fault(f"surplus word {shown(word)}", index, f"expected {usage}")


def _twice(first: Statement, again: Statement, is_secret: bool) -> Problem:
    message = f"{shown(again.keyword)} is given again: the last one counts"
    related = ("first given here", _values_mark(first) if is_secret else first.mark)
    found = warning(message, again.mark, related=(related,))
    return _hidden(found, again) if is_secret else found
