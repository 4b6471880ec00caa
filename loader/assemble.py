"""A whole configuration: blocks decoded or from the cache, names that have to be known, what may be said once. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from loader.cache import Cache, Entry, Reference
from loader.decode import Decoder, list_parts
from loader.diagnostics import Mark, Problem, Severity, did_you_mean, error, shown, warning
from loader.draft import Draft
from loader.fields import Block
from loader.grammar import Statement, flaws, word_spans, words
from loader.includes import Reader
from loader.meaning import PREFIXES, checker, global_defs
from loader.model import Checker, Config, GlobalDefs, VirtualServer, VrrpInstance
from loader.schema import Plan, plan_of, plugin_plan
from loader.services import virtual_server
from loader.source import Position, Source
from loader.vrrp import vrrp_instance

Schemas = Callable[[str], Mapping[str, Block]]
"""Gives the blocks of all checker plugins by bare keyword, for a ``plugin_checker_location`` ("" if unset).

May raise `OSError` or `ValueError`: their text becomes an error at that keyword."""

GLOBAL = plan_of(GlobalDefs, "global_defs")
SERVICE = plan_of(VirtualServer, "virtual_server")
INSTANCE = plan_of(VrrpInstance, "vrrp_instance")
VRID = "virtual_router_id"


class Assembly:
    """One load. ``problems`` have marks that name their files."""

    def __init__(self, reader: Reader, path: str, users: frozenset[str], cache: Cache) -> None:
        self.problems: list[Problem] = []
        self._reader = reader
        self._path = path
        self._users = users
        self._cache = cache
        self._hints: dict[str, str] = {}
        self._decoder = Decoder(reader, users, self._hints)
        self._references: list[tuple[Reference, Statement]] = []
        self._instances: dict[tuple[str, ...], Statement] = {}

    def config(self, schemas: Schemas) -> Config | None:
        """The configuration, None when there is any error."""
        found, wrong = self._reader.inside(self._reader.sources[self._path].text, (self._path,))
        self.problems += [problem.within(0, self._path) for problem in wrong]
        defs, where = self._global_defs([s for s in found if _first(s) == GLOBAL.title])
        try:
            blocks = schemas(defs.plugin_checker_location)
        except (OSError, ValueError) as refusal:
            self.problems.append(error(f"checker plugins cannot be used: {refusal}", where))
            return None
        return self._judged(self._rest(defs, [s for s in found if _first(s) != GLOBAL.title], blocks))

    def _judged(self, config: Config) -> Config | None:
        return None if any(problem.severity is Severity.ERROR for problem in self.problems) else config

    def _global_defs(self, found: list[Statement]) -> tuple[GlobalDefs, Mark]:
        """All blocks of them in one, the later words winning, and the place of the last plugin location."""
        fields: dict[str, Any] = {}
        where = Mark(0, 0, self._path)
        for statement in found:
            draft = self._draft(GLOBAL, statement)
            said = global_defs(draft, self._users)
            if "plugin_checker_location" in said:
                folder = PurePath(self._file(statement)).parent
                said["plugin_checker_location"] = str(folder / said["plugin_checker_location"])
                where = draft.where("plugin_checker_location").within(statement.offset, self._file(statement))
            self._place(draft.problems, statement)
            fields = fields | said | {"at": fields.get("at", self._position(statement))}
        return GlobalDefs(**fields), where

    def _rest(self, defs: GlobalDefs, found: list[Statement], blocks: Mapping[str, Block]) -> Config:
        """Checkers and virtual servers, and what they say of each other."""
        self._hints.update({bare: f"declare RT_{bare} NAME {{ ... }}, and name it in 'checkers'" for bare in blocks})
        plans = {p + bare: plugin_plan(Checker, p + bare, block) for bare, block in blocks.items() for p in PREFIXES}
        plans |= {plan.title: plan for plan in (SERVICE, INSTANCE)}
        self._cache.begin(self._users)
        declared: dict[str, Statement] = {}
        services: dict[tuple[object, ...], Statement] = {}
        values: dict[type[Any], list[Any]] = {Checker: [], VirtualServer: [], VrrpInstance: []}
        for statement in found:
            value, identity = self._block(plans, statement)
            self._declare(declared, statement)
            if identity:
                self._once(services, identity, statement)
            if value is not None:
                values[type(value)].append(value)
        if self._reader.is_whole:
            self._follow(declared)
        self._complete({checker.name: checker for checker in values[Checker]})
        instances = tuple(self._settled(each, defs) for each in values[VrrpInstance])
        return Config(defs, tuple(values[Checker]), tuple(values[VirtualServer]), instances)

    def _block(self, plans: Mapping[str, Plan], statement: Statement) -> tuple[Any, tuple[object, ...]]:
        """The value of a top-level block, None when it has errors, and its identity when it is a service."""
        plan = plans.get(_first(statement))
        if plan is None:
            self.problems += [problem.within(0, self._path) for problem in self._unknown(plans, statement)]
            return None, ()
        entry = self._entry(plan, statement)
        self._place(entry.problems, statement)
        self._references += [(reference, statement) for reference in entry.references]
        return entry.value, entry.identity

    def _unknown(self, plans: Mapping[str, Plan], statement: Statement) -> list[Problem]:
        word = statement.keyword
        hint = self._hints.get(word) or did_you_mean(word, [*plans, GLOBAL.title])
        return flaws(statement) or [error(f"unknown keyword {shown(word)}", statement.mark, hint)]

    def _entry(self, plan: Plan, statement: Statement) -> Entry:
        """The block as it is known from the last load, moved to its new place, or newly decoded."""
        text, at = self._text(statement), self._position(statement)
        entry = self._cache.get(plan, text)
        if entry is None:
            entry = self._decoded(plan, statement, text, at)
            self._cache.decoded += 1
        elif entry.value is not None and entry.value.at != at:
            entry = entry._replace(value=replace(entry.value, at=at))
        if "include" not in text:
            self._cache.put(plan, text, entry)
        return entry

    def _decoded(self, plan: Plan, statement: Statement, text: str, at: Position) -> Entry:
        draft = self._draft(plan, statement)
        if plan is SERVICE:
            fields = virtual_server(draft, self._placer(draft, text))
        else:
            fields = vrrp_instance(draft) if plan is INSTANCE else checker(draft)
        is_good = not any(problem.severity is Severity.ERROR for problem in draft.problems)
        value = plan.built(**fields, at=at) if is_good and plan.built else None
        return Entry(value, _identity(fields), tuple(draft.problems), tuple(_references(draft, fields)))

    def _draft(self, plan: Plan, statement: Statement) -> Draft:
        """A top-level block, decoded with its marks counted from its own first character."""
        relative = Statement(statement.text, 0, statement.body, statement.inside - statement.offset)
        return self._decoder.block(plan, relative, statement.origin or (self._path,))

    def _placer(self, draft: Draft, text: str) -> Callable[[Statement], Position]:
        """Gives places within a block: counted from it, or in the file that was included."""
        block, inside = Source("", text), draft.head.inside

        def place(statement: Statement) -> Position:
            if statement.origin:
                return self._reader.sources[statement.file].position(statement.offset)
            return block.position(statement.offset + inside)

        return place

    def _declare(self, declared: dict[str, Statement], statement: Statement) -> None:
        """Note a checker's name. One with errors counts too, lest everybody who names it be blamed."""
        name = words(statement.text)[1:2]
        if name and _first(statement)[:3] in PREFIXES:
            self._once(declared, name[0], statement)
        elif name and _first(statement) == INSTANCE.title:
            self._once(self._instances, (name[0],), statement)

    def _once(self, seen: dict[Any, Statement], key: object, statement: Statement) -> None:
        first = seen.setdefault(key, statement)
        if first is not statement:
            what = f"checker {key}" if isinstance(key, str) else " ".join(words(statement.text))
            message = f"{shown(what)} is declared twice"
            if isinstance(key, tuple) and key[0] == VRID:
                message = f"virtual_router_id {key[2]} is taken on {key[1]}"
            related = (("first declared here", self._heading(first)),)
            self.problems.append(error(message, self._heading(statement), related=related))

    def _follow(self, declared: dict[str, Statement]) -> None:
        """Names of checkers that nobody declared, and checkers that nobody names."""
        for reference, service in self._references:
            if reference.name not in declared:
                mark = self._spot(reference, service)
                hint = did_you_mean(reference.name, declared)
                self.problems.append(error(f"no checker is named {shown(reference.name)}", mark, hint))
        named = {reference.name for reference, _ in self._references}
        for name, statement in declared.items():
            if name not in named:
                message = f"nobody names the checker {shown(name)}: it is not run"
                self.problems.append(warning(message, self._heading(statement)))

    def _settled(self, instance: VrrpInstance, defs: GlobalDefs) -> VrrpInstance:
        """With its version, which ``global_defs`` may have said, and which its interval has to fit."""
        settled = instance.of_version(defs.vrrp_version)
        if instance.version == 0 and settled.version == 2 and settled.advert_interval % 1:
            message = f"VRRPv2 adverts come in whole seconds, not {settled.advert_interval:g}"
            statement = self._instances[(instance.name,)]
            self.problems.append(error(message, self._heading(statement), "add version 3"))
        return settled

    def _complete(self, known: Mapping[str, Checker]) -> None:
        """A router has no address for a checker to take: it has to bring its own."""
        for reference, statement in self._references:
            checker = known.get(reference.name)
            if reference.alone and checker and (checker.connect_ip is None or checker.connect_port is None):
                message = f"the checker {shown(reference.name)} has no target of its own"
                hint = "give it connect_ip and connect_port"
                self.problems.append(error(message, self._spot(reference, statement), hint))

    def _spot(self, reference: Reference, service: Statement) -> Mark:
        """The place of a checker's name; of the list that was to replace it, when that one was refused."""
        parts = [(part, words(part.text)) for part in list_parts(reference.statement)]
        marks = (part.mark_of(given.index(reference.name)) for part, given in parts if reference.name in given)
        mark = next(marks, reference.statement.mark)
        return mark.within(reference.inside, reference.file).within(service.inside, self._file(service))

    def _file(self, statement: Statement) -> str:
        return statement.file or self._path

    def _text(self, statement: Statement) -> str:
        """The block as written, braces and all."""
        text = self._reader.sources[self._file(statement)].text
        if statement.body is None:
            return statement.text
        return text[statement.offset : statement.inside + len(statement.body) + 1]

    def _position(self, statement: Statement) -> Position:
        return self._reader.sources[self._file(statement)].position(statement.offset)

    def _heading(self, statement: Statement) -> Mark:
        last = len(word_spans(statement.text)) - 1
        return statement.mark_of(min(1, last), last).within(0, self._path)

    def _place(self, problems: tuple[Problem, ...] | list[Problem], statement: Statement) -> None:
        self.problems += [problem.within(statement.offset, self._file(statement)) for problem in problems]


def _first(statement: Statement) -> str:
    """The keyword as it is most often written; quotes around a top-level keyword make it unknown."""
    return statement.text.split(None, 1)[0]


def _identity(fields: Mapping[str, Any]) -> tuple[object, ...]:
    """What makes a service the same as another; empty for other blocks, and for services whose head was refused."""
    if fields.get("fwmark"):
        return fields["fwmark"], fields["family"]
    if fields.get("vrid") and fields.get("interface"):
        return VRID, fields["interface"], fields["vrid"], fields["family"]
    return (fields["address"], fields["port"], fields["protocol"]) if fields.get("address") else ()


def _references(draft: Draft, fields: Mapping[str, Any]) -> list[Reference]:
    """The checkers that the real servers of a service name, or that a router names."""
    if draft.plan is INSTANCE:
        place = draft.body.places.get("checkers")
        return [Reference(each.name, place, 0, "", alone=True) for each in fields["checkers"]] if place else []
    return [
        Reference(name, server.body.places["checkers"], server.head.inside, server.head.file)
        for server in draft.values.get("real_servers", ())
        for name in server.values.get("checkers", ())
    ]
