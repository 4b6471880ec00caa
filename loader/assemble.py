"""A whole configuration: blocks decoded or from the cache, names that have to be known, what may be said once. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import PurePath
from typing import Any

from loader.cache import Cache, Entry, Identity, Reference
from loader.decode import Decoder
from loader.diagnostics import Mark, Problem, Severity, did_you_mean, error, shown, warning
from loader.draft import Draft
from loader.fields import Block
from loader.grammar import Statement, flaws, words
from loader.groups import joined, keys, misfits, virtual_server_group
from loader.includes import Reader, Secret
from loader.meaning import PREFIXES, checker, global_defs
from loader.mentions import identities, references
from loader.model import (
    Checker,
    Config,
    GlobalDefs,
    InlineCheck,
    VirtualServer,
    VirtualServerGroup,
    VrrpInstance,
    VrrpSyncGroup,
)
from loader.names import CHECKER, GROUP, INSTANCE, POOL, Names
from loader.schema import Plan, plan_of, plugin_plan, with_blocks
from loader.services import virtual_server
from loader.source import Position, Source
from loader.trackers import TITLES as TRACKERS
from loader.trackers import checkers as tracking
from loader.trackers import in_server, resolved, served, tracker
from loader.trackers import plans as tracker_plans
from loader.unused import UNUSED
from loader.vrrp import static_addresses, sync_group, vrrp_instance
from loader.vrrp_authentication import KEY_FILE
from loader.vrrp_model import StaticAddresses

Schemas = Callable[[str], Mapping[str, Block]]
"""Gives the blocks of all checker plugins by bare keyword, for a ``plugin_checker_location`` ("" if unset).

May raise `OSError` or `ValueError`: their text becomes an error at that keyword."""

GLOBAL = plan_of(GlobalDefs, "global_defs")
SERVICE = plan_of(VirtualServer, "virtual_server")
ROUTER = plan_of(VrrpInstance, INSTANCE)
SYNC_GROUP = plan_of(VrrpSyncGroup, GROUP)
STATIC = plan_of(StaticAddresses, "static_ipaddress")
SERVICES = plan_of(VirtualServerGroup, POOL)
LISTED = (STATIC, SERVICES)
"""All of such a block is one statement with a list."""


class Assembly:
    """One load. ``problems`` have marks that name their files."""

    def __init__(
        self, reader: Reader, path: str, users: frozenset[str], interfaces: frozenset[str], cache: Cache
    ) -> None:
        self.problems: list[Problem] = []
        self._reader = reader
        self._path = path
        self._users = users
        self._cache = cache
        self._hints: dict[str, str] = {}
        self._decoder = Decoder(reader, users, self._hints)
        self._names = Names(path, interfaces)

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
            daemon = said.get("lvs_sync_daemon")
            if daemon and daemon.instance:
                place = draft.body.places["lvs_sync_daemon"]
                self._names.refer(Reference(daemon.instance, place, 0, "", INSTANCE, member=False), statement)
            self._place(draft.problems, statement)
            fields = fields | said | {"at": fields.get("at", self._position(statement))}
        return GlobalDefs(**fields), where

    def _rest(self, defs: GlobalDefs, found: list[Statement], blocks: Mapping[str, Block]) -> Config:
        """All other blocks, and what they say of each other."""
        self._hints.update({bare: f"declare RT_{bare} NAME {{ ... }}, and name it in 'checkers'" for bare in blocks})
        service = _service(tuple(blocks.values()))
        plans = {p + bare: plugin_plan(Checker, p + bare, block) for bare, block in blocks.items() for p in PREFIXES}
        plans |= {plan.title: plan for plan in (service, ROUTER, SYNC_GROUP, *LISTED)}
        plans |= tracker_plans(blocks)
        self._cache.begin(self._users)
        values: dict[type[Any], list[Any]] = {plan.built: [] for plan in plans.values() if plan.built}
        blocks_of: list[Statement] = []
        for statement in found:
            value = self._block(plans, statement, defs)
            if value is not None:
                values[type(value)].append(value)
                blocks_of += [statement] if type(value) is VirtualServer else []
        groups = {group.name: group for group in values[VirtualServerGroup]}
        services = [self._joined(groups, *each) for each in zip(values[VirtualServer], blocks_of, strict=True)]
        trackers = {each.name: each for built in TRACKERS.values() for each in values.get(built, ())}
        services = [served(each, trackers) for each in services]
        checkers: list[Checker] = [*values.get(Checker, ()), *tracking(trackers.values(), blocks)]
        routers = [resolved(each, trackers) for each in values[VrrpInstance]]
        parties = [resolved(each, trackers) for each in values[VrrpSyncGroup]]
        if self._reader.is_whole:
            self._names.follow()
        self._names.aim({checker.name: checker for checker in checkers})
        self._names.part()
        if not defs.dynamic_interfaces:
            self._names.look()
        self._names.level(parties, routers)
        self.problems += self._names.problems
        statics = (address for block in values[StaticAddresses] for address in block.addresses)
        return Config(
            defs,
            tuple(checkers),
            tuple(services),
            tuple(routers),
            tuple(parties),
            tuple(dict.fromkeys(statics)),
        )

    def _joined(
        self, groups: Mapping[str, VirtualServerGroup], service: VirtualServer, block: Statement
    ) -> VirtualServer:
        """A service of a group with the services that it is; each of these has to be the only one of its kind."""
        group = groups.get(service.group)
        if group is None:  # there is none, or that is an error
            return service
        whole, mark = joined(service, group), Statement(block.text, 0).mark_of(1, 2)
        self._place([error(text, mark) for text in misfits(whole)], block)
        for key, title in keys(whole):
            message = f"{title} of the group {shown(group.name)} is declared twice"
            self._names.take(Identity(key, message, mark), block)
        return whole

    def _block(self, plans: Mapping[str, Plan], statement: Statement, defs: GlobalDefs) -> Any:
        """The value of a top-level block, None when it has errors."""
        title = _first(statement)
        kind = title if title in (INSTANCE, GROUP, POOL) else ""
        kind = CHECKER if title[:3] in PREFIXES or title in TRACKERS else kind
        for name in words(statement.text)[1:2] if kind else ():
            self._names.declare(kind, name, statement)
        plan = plans.get(title)
        if plan is None:
            self.problems += [problem.within(0, self._path) for problem in self._unknown(plans, statement)]
            return None
        entry = self._entry(plan, statement, defs)
        self._place(entry.problems, statement)
        for identity in entry.identities:
            self._names.take(identity, statement)
        for reference in entry.references:
            self._names.refer(reference, statement)
        return entry.value

    def _unknown(self, plans: Mapping[str, Plan], statement: Statement) -> list[Problem]:
        word = statement.keyword
        if reason := UNUSED[""].get(word):
            return [warning(f"{shown(word)} has no effect: {reason}", statement.mark)]
        hint = self._hints.get(word) or did_you_mean(word, [*plans, GLOBAL.title])
        return flaws(statement) or [error(f"unknown keyword {shown(word)}", statement.mark, hint)]

    def _entry(self, plan: Plan, statement: Statement, defs: GlobalDefs) -> Entry:
        """The block as it is known from the last load, moved to its new place, or newly decoded."""
        text, at = self._text(statement), self._position(statement)
        outside = defs if plan is ROUTER else None
        entry = self._cache.get(plan, text, outside)
        if entry is None:
            entry = self._decoded(plan, statement, text, defs, at)
            self._cache.decoded += 1
        elif entry.value is not None and entry.value.at != at:
            entry = entry._replace(value=replace(entry.value, at=at))
        if self._reader.is_whole and "include" not in text and KEY_FILE not in text:
            self._cache.put(plan, text, outside, entry)
        return entry

    def _decoded(self, plan: Plan, statement: Statement, text: str, defs: GlobalDefs, at: Position) -> Entry:
        draft = self._draft(plan, statement)
        fields = self._meaning(draft, text, defs)
        is_good = not any(problem.severity is Severity.ERROR for problem in draft.problems)
        value = plan.built(**fields, at=at) if is_good and plan.built else None
        return Entry(value, identities(draft, fields), tuple(draft.problems), tuple(references(draft, fields)))

    def _meaning(self, draft: Draft, text: str, defs: GlobalDefs) -> dict[str, Any]:
        """The fields of a block, by the rules of its kind."""
        if draft.plan.built is VirtualServer:
            return virtual_server(draft, self._placer(draft, text))
        if draft.plan is ROUTER:
            return vrrp_instance(draft, defs, self._key)
        if draft.plan is SYNC_GROUP:
            return sync_group(draft)
        if draft.plan.title in TRACKERS:
            return tracker(draft, self._users)
        if draft.plan is SERVICES:
            return virtual_server_group(draft)
        return static_addresses(draft) if draft.plan is STATIC else checker(draft)

    def _key(self, path: str, file: str) -> Secret:
        return self._reader.secret(path, file or self._path)

    def _draft(self, plan: Plan, statement: Statement) -> Draft:
        """A top-level block, decoded with its marks counted from its own first character."""
        relative = Statement(statement.text, 0, statement.body, statement.inside - statement.offset)
        if plan in LISTED:  # what encloses the list has no words of its own
            relative = Statement(plan.title, 0, self._text(statement), 0)
        return self._decoder.block(plan, relative, statement.origin or (self._path,))

    def _placer(self, draft: Draft, text: str) -> Callable[[Statement], Position]:
        """Gives places within a block: counted from it, or in the file that was included."""
        block, inside = Source("", text), draft.head.inside

        def place(statement: Statement) -> Position:
            if statement.origin:
                return self._reader.sources[statement.file].position(statement.offset)
            return block.position(statement.offset + inside)

        return place

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

    def _place(self, problems: tuple[Problem, ...] | list[Problem], statement: Statement) -> None:
        self.problems += [problem.within(statement.offset, self._file(statement)) for problem in problems]


@lru_cache(maxsize=4)
def _service(blocks: tuple[Block, ...]) -> Plan:
    """The plan of a virtual server whose real servers may have checks of their own; the same for the same plugins, by
    which the cache knows it."""
    return with_blocks(SERVICE, "real_server", InlineCheck, in_server(blocks))


def _first(statement: Statement) -> str:
    """The keyword as it is most often written; quotes around a top-level keyword make it unknown."""
    return statement.text.split(None, 1)[0]
