"""What blocks say of each other: names that have to be known, and what only one may have. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping

from loader.cache import Identity, Reference
from loader.diagnostics import Mark, Problem, did_you_mean, error, shown, warning
from loader.expressions import KEYWORD, OPTION, BadExpression, names, parsed
from loader.grammar import Statement, list_parts, words
from loader.mentions import INTERFACE
from loader.model import Checker, VrrpInstance, VrrpSyncGroup

CHECKER, INSTANCE, GROUP, POOL = "checker", "vrrp_instance", "vrrp_sync_group", "virtual_server_group"


def _within(statement: Statement, name: str) -> Iterator[Mark]:
    """Where a name stands inside the words of a statement."""
    for found in re.finditer(rf"(?<![^\s(),\"]){re.escape(name)}(?![^\s(),\"])", statement.text):
        yield Mark(statement.offset + found.start(), len(name), statement.file)


def behind(name: str, known: Mapping[str, Checker]) -> Iterator[Checker]:
    """The checker of that name, or those that it combines in the end. There must be no circle."""
    checker = known.get(name)
    if checker is None:
        return
    parts = combined(checker)
    for part in parts:
        yield from behind(part, known)
    if not parts:
        yield checker


def combined(checker: Checker) -> tuple[str, ...]:
    """The names of the checkers that a COMBINE combines, none for every other."""
    if checker.keyword != KEYWORD:
        return ()
    try:
        return tuple(dict.fromkeys(names(parsed(dict(checker.options)[OPTION]))))  # type: ignore[arg-type]
    except BadExpression:
        return ()


def circular(known: Mapping[str, Checker]) -> Iterator[str]:
    """Checkers that combine themselves in the end."""
    parts = {name: combined(checker) for name, checker in known.items() if checker.keyword == KEYWORD}
    for name in parts:
        reached, ahead = set[str](), list(parts[name])
        while ahead:
            if (each := ahead.pop()) not in reached:
                reached.add(each)
                ahead += parts.get(each, ())
        if name in reached:
            yield name


class Names:
    """The names and identities of one load, gathered block by block; ``path`` is the file that is loaded.

    ``interfaces`` are those that this machine has, empty when that is not known.
    """

    def __init__(self, path: str, interfaces: frozenset[str] = frozenset()) -> None:
        self._interfaces = interfaces
        self.problems: list[Problem] = []
        self._path = path
        self._declared: dict[str, dict[str, Statement]] = {CHECKER: {}, INSTANCE: {}, GROUP: {}, POOL: {}}
        self._taken: dict[tuple[object, ...], Mark] = {}
        self._references: list[tuple[Reference, Statement]] = []

    def declare(self, kind: str, name: str, block: Statement) -> None:
        """Note a name. One whose block has errors counts too, lest everybody who names it be blamed."""
        first = self._declared[kind].setdefault(name, block)
        if first is not block:
            self._twice(f"{shown(f'{kind} {name}')} is declared twice", self._heading(block), self._heading(first))

    def take(self, identity: Identity, block: Statement) -> None:
        """Note what a block has for itself alone."""
        mark = identity.mark.within(block.offset, self._file(block))
        first = self._taken.setdefault(identity.key, mark)
        if first is not mark:
            self._twice(identity.message, mark, first)

    def refer(self, reference: Reference, block: Statement) -> None:
        """Note that a block names another."""
        self._references.append((reference, block))

    def follow(self) -> None:
        """Names that nobody declared, and checkers that nobody names."""
        for reference, block in self._references:
            if reference.kind == INTERFACE:
                continue
            known = self._declared[reference.kind]
            if reference.name not in known:
                message = f"no {reference.kind} is named {shown(reference.name)}"
                hint = did_you_mean(reference.name, known)
                self.problems.append(error(message, self._spot(reference, block), hint))
        named = {reference.name for reference, _ in self._references if reference.kind == CHECKER}
        for name, block in self._declared[CHECKER].items():
            if name not in named:
                message = f"nobody names the checker {shown(name)}: it is not run"
                self.problems.append(warning(message, self._heading(block)))

    def look(self) -> None:
        """Interfaces that are not there, and that no instance makes. They may come: that is no error."""
        known = self._interfaces | {str(key[1]) for key in self._taken if key[0] == "use_vmac"}
        for reference, block in self._references:
            if self._interfaces and reference.kind == INTERFACE and reference.name not in known:
                hint = did_you_mean(reference.name, self._interfaces) or "say dynamic_interfaces if it is to come later"
                message = f"this machine has no interface {shown(reference.name)} now"
                self.problems.append(warning(message, self._spot(reference, block), hint))

    def part(self) -> None:
        """Instances that are in two groups, or twice in one."""
        grouped: dict[str, tuple[Reference, Statement]] = {}
        for member in self._references:
            name = member[0].name
            is_member = member[0].kind == INSTANCE and member[0].member
            if is_member and grouped.setdefault(name, member) is not member:
                marks = self._spot(*member), self._spot(*grouped[name])
                self._twice(f"{shown(name)} is in a group already", *marks, "first put there here")

    def level(self, groups: Iterable[VrrpSyncGroup], instances: Iterable[VrrpInstance]) -> None:
        """Members that track with weights in a group that has one role for all: a weight means FAULT there."""
        equal = {name for group in groups if not group.sync_group_tracking_weight for name in group.members}
        for each in instances:
            if each.name in equal and any(item.weight for item in (*each.checkers, *each.track_interfaces)):
                message = "in a sync group a weight is taken as 0: FAULT while it is not OK"
                hint = "give weights in the group, or say sync_group_tracking_weight there"
                self.problems.append(warning(message, self._heading(self._declared[INSTANCE][each.name]), hint))

    def aim(self, known: Mapping[str, Checker]) -> None:
        """A router has no address that a checker could take: it has to bring its own. Nobody can wait for himself."""
        circles = set(circular(known))
        for name in sorted(circles):
            message = f"the checker {shown(name)} would follow itself"
            self.problems.append(error(message, self._heading(self._declared[CHECKER][name])))
        for reference, block in self._references:
            if not reference.alone or circles:
                continue
            for each in behind(reference.name, known):
                needed = {"always": ("connect_ip", "connect_port"), "host": ("connect_ip",)}.get(each.aims, ())
                if any(getattr(each, name) is None for name in needed):
                    message = f"the checker {shown(each.name)} has no target of its own"
                    hint = f"give it {' and '.join(needed)}"
                    self.problems.append(error(message, self._spot(reference, block), hint))

    def _twice(self, message: str, mark: Mark, first: Mark, note: str = "first declared here") -> None:
        self.problems.append(error(message, mark, related=((note, first),)))

    def _spot(self, reference: Reference, block: Statement) -> Mark:
        """The place of the name in the block that names it; of what was to replace the list, when that was refused."""
        parts = list_parts(reference.statement)
        flat = [(word, part, place) for part in parts for place, word in enumerate(words(part.text))]
        found = [part.mark_of(place) for word, part, place in flat[1:] if word == reference.name]
        found = found or list(_within(reference.statement, reference.name))
        mark = found[min(reference.nth, len(found) - 1)] if found else reference.statement.mark
        return mark.within(reference.inside, reference.file).within(
            block.offset if reference.whole else block.inside, self._file(block)
        )

    def _heading(self, block: Statement) -> Mark:
        last = len(words(block.text)) - 1
        return block.mark_of(min(1, last), last).within(0, self._path)

    def _file(self, block: Statement) -> str:
        return block.file or self._path
