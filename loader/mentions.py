"""What a block has for itself alone, and whom it names: what other blocks have to be compared with. Pure."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from loader.cache import Identity, Reference
from loader.diagnostics import shown
from loader.draft import Draft
from loader.expressions import KEYWORD, OPTION, BadExpression, names, parsed
from loader.grammar import words
from loader.schema import INLINE, option_key
from loader.tracker_model import LISTS
from loader.trackers import FILE_CHECK

INTERFACE = "interface"
TRACK_FILE = option_key("track_file")


def identities(draft: Draft, fields: Mapping[str, Any]) -> tuple[Identity, ...]:
    """What no other block may have. Values that were refused are compared with nothing."""
    if fields.get("vrid") and fields.get("interface"):
        return tuple(_of_router(draft, fields))
    twice = f"{shown(' '.join(words(draft.head.text)))} is declared twice"
    if fields.get("fwmark") and "family" in fields:  # a service of marked packets; checks leave with marks too
        return (Identity((fields["fwmark"], fields["family"]), twice, draft.heading()),)
    if fields.get("address"):
        key = (fields["address"], fields["port"], fields["protocol"])
        return (Identity(key, twice, draft.heading()),)
    return ()


def _of_router(draft: Draft, fields: Mapping[str, Any]) -> Iterator[Identity]:
    vrid, interface, family = fields["vrid"], fields["interface"], fields["family"]
    taken = f"virtual_router_id {vrid} is taken on {interface} for IPv{family}"
    yield Identity(("virtual_router_id", interface, vrid, family), taken, draft.where("vrid"))
    if vmac := fields.get("use_vmac"):
        hint = "" if draft.values["use_vmac"] else ": give use_vmac another name"
        yield Identity(("use_vmac", vmac), f"the interface {shown(vmac)} is taken{hint}", draft.where("use_vmac"))


def references(draft: Draft, fields: Mapping[str, Any]) -> Iterator[Reference]:
    """The names in a block: a group's members, and the checkers of real servers, instances and groups."""
    yield from _combined(draft, 0, "")
    built = iter(fields.get("real_servers", ()))  # each that has an address
    for server in draft.values.get("real_servers", ()):
        portless = "address" in server.values and not next(built).port
        yield from (reference._replace(portless=portless) for reference in _of_server(server))
    if name := draft.values.get("group"):
        yield Reference(name, draft.head, 0, "", "virtual_server_group", whole=True)
    members: list[str] = []
    for name in draft.values.get("members", ()):
        place = draft.body.places["members"]
        yield Reference(name, place, 0, "", "vrrp_instance", nth=members.count(name))
        members.append(name)
    if draft.plan.title in ("vrrp_instance", "vrrp_sync_group"):
        for key in ("checkers", *LISTS):
            for row in draft.values.get(key, ()):
                yield Reference(row.values["name"], draft.body.places[key], 0, "", alone=True)
    for key, name in _interfaces(draft):
        yield Reference(name, draft.body.places[key], 0, "", INTERFACE, whole=key == "addresses")


def _of_server(server: Draft) -> Iterator[Reference]:
    """The checkers that a real server names."""
    for own in server.values.get(f"{INLINE}{KEYWORD}", ()):
        yield from _combined(own, server.head.inside + own.head.inside, server.head.file)
    for own in server.values.get(f"{INLINE}{FILE_CHECK}", ()):
        if name := own.values.get(TRACK_FILE):
            yield Reference(name, own.body.places[TRACK_FILE], server.head.inside + own.head.inside, server.head.file)
    for name in server.values.get("checkers", ()):
        yield Reference(name, server.body.places["checkers"], server.head.inside, server.head.file)


def _combined(draft: Draft, inside: int, file: str) -> Iterator[Reference]:
    """The checkers that a COMBINE names; of an expression that is none, nobody."""
    expression = draft.values.get(option_key(OPTION)) if draft.plan.title.endswith(KEYWORD) else None
    if expression:
        with suppress(BadExpression):
            for name in dict.fromkeys(names(parsed(expression))):
                yield Reference(name, draft.body.places[option_key(OPTION)], inside, file)


def _interfaces(draft: Draft) -> Iterator[tuple[str, str]]:
    """The interfaces that a block names, and the keys of their statements."""
    if "interface" in draft.values:
        yield "interface", draft.values["interface"]
    lists = {"track_interfaces": "name", "virtual_addresses": "device", "excluded": "device", "addresses": "device"}
    for key, word in lists.items():
        yield from ((key, row.values[word]) for row in draft.values.get(key, ()) if row.values.get(word))
