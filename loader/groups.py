"""``virtual_server_group``: the services of a group, and what a virtual server makes of them. Pure."""

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from loader.diagnostics import error, shown, warning
from loader.draft import Draft
from loader.model import Entry, VirtualServer, VirtualServerGroup
from loader.services import ANY_PORT_STICKS, FAMILIES
from loader.values import address, family, whole

MOST = 65536
"""Most addresses of one range: keepalived's limit too."""
MARKS = 4_294_967_295


class Found(NamedTuple):
    """What stands at one place of a group: entries or what is wrong with which word, and how long it is."""

    entries: tuple[Entry, ...]
    length: int
    wrong: str = ""
    blamed: int = 1


def virtual_server_group(draft: Draft) -> dict[str, Any]:
    """The fields of a group: its name, and its services, each once."""
    words = draft.values.get("words", ())
    if not words or not draft.body.places["words"].text.split()[1:]:
        draft.problems.append(error("a virtual_server_group needs a name", draft.head.mark))
        return {"name": "", "entries": ()}
    entries: dict[Entry, None] = {}
    at = 1
    while at < len(words):
        found = _found(words[at:])
        if found.wrong:
            draft.problems.append(error(found.wrong, draft.spot("words", at + found.blamed)))
        if any(entry in entries for entry in found.entries):
            draft.problems.append(warning("it is in the group already", draft.spot("words", at + 1)))
        entries |= dict.fromkeys(found.entries)
        at += found.length
    _agree(draft, entries)
    return {"name": words[0], "entries": tuple(entries)}


def _agree(draft: Draft, entries: dict[Entry, None]) -> None:
    if len({family(entry.address) for entry in entries if entry.address}) > 1:
        draft.problems.append(error("a group has addresses of one family", draft.spot("words", 1)))
    if not entries and not draft.problems:
        draft.problems.append(warning("a virtual_server_group without entries", draft.spot("words", 1)))


def _found(words: tuple[str, ...]) -> Found:
    """What the first of the words begins."""
    if words[0] == "fwmark":
        return _mark(words)
    places = _places(words[0])
    length = 2 if words[1:] and words[1].isdecimal() else 1
    port = int(words[1][:6]) if length == 2 else 0
    if isinstance(places, str):
        return Found((), length, places)
    if port > 65535:
        return Found((), length, f"{shown(words[1])} is not a port", 2)
    return Found(tuple(Entry(place, port) for place in places), length)


def _mark(words: tuple[str, ...]) -> Found:
    number = whole(words[1]) if len(words) > 1 else None
    if number is None or not 1 <= number <= MARKS:
        length = min(len(words), 2)
        return Found((), length, f"fwmark needs a number from 1 to {MARKS}", length)
    said = FAMILIES.get(words[2], 0) if len(words) > 2 else 0
    return Found((Entry(fwmark=number, family=said),), 3 if said else 2)


def _places(word: str) -> list[str] | str:
    """The addresses of ``10.0.0.1``, ``10.0.0.1-20``, ``fd00::1-ff`` or ``10.0.0.0/28``, or what is wrong."""
    text, dash, last = word.partition("-")
    if "/" in word:
        return _network(word)
    first = address(text)
    if first is None:
        return f"{shown(word)} is neither an address nor 'fwmark'"
    number = ipaddress.ip_address(first)
    if not dash:
        return [first]
    bits, base, digits = (8, 10, "d") if number.version == 4 else (16, 16, "x")
    start, highest, end = int(number) & ((1 << bits) - 1), (1 << bits) - 1, _number(last, base)
    if end is None or not start <= end <= highest:
        return f"the range {shown(word)} ends with no number from {start:{digits}} to {highest:{digits}}"
    return [_text(number + step) for step in range(end - start + 1)]


def _network(word: str) -> list[str] | str:
    try:
        network = ipaddress.ip_network(word, strict=False)
    except ValueError:
        return f"{shown(word)} is not a network"
    if network.num_addresses > MOST:
        return f"{shown(word)} has more than {MOST} addresses"
    return [_text(each) for each in network]


def _text(number: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return address(str(number)) or str(number)


def _number(text: str, base: int) -> int | None:
    try:
        return int(text, base) if text.isalnum() else None
    except ValueError:
        return None


def joined(service: VirtualServer, group: VirtualServerGroup) -> VirtualServer:
    """The service with the entries of its group, and of their family."""
    own = next((family(entry.address) for entry in group.entries if entry.address), service.family)
    any_port = any(entry.address and not entry.port for entry in group.entries)
    stick = ANY_PORT_STICKS if any_port and not service.persistence_timeout else service.persistence_timeout
    entries = tuple(
        replace(entry, family=family(entry.address) if entry.address else entry.family or own)
        for entry in group.entries
    )
    return replace(service, entries=entries, family=own, persistence_timeout=stick)


def misfits(service: VirtualServer) -> Iterator[str]:
    """What of its servers cannot serve all of its group."""
    sorry = service.sorry_server
    for server in (*service.real_servers, *((sorry,) if sorry else ())):
        for own in sorted({entry.family for entry in service.entries} - {family(server.address)}):
            if server.method != "TUN":
                yield f"{server.address} cannot serve an IPv{own} service by {server.method}"


def keys(service: VirtualServer) -> Iterator[tuple[tuple[object, ...], str]]:
    """What each of its services has for itself alone, and its name."""
    for entry in service.entries:
        if entry.fwmark:
            yield (entry.fwmark, entry.family), f"fwmark {entry.fwmark}"
        else:
            yield (entry.address, entry.port, service.protocol), f"{entry.address} {entry.port} {service.protocol}"
