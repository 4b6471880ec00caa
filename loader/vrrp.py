"""The rules of a ``vrrp_instance``: its lists of addresses and of what it follows, and what cannot be. Pure."""

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

from loader.decode import list_parts
from loader.diagnostics import Mark, error, shown
from loader.draft import Draft
from loader.grammar import words
from loader.model import Tracked, UnicastPeer, VirtualAddress
from loader.values import address, family, whole

SCOPES = ("site", "link", "host", "nowhere", "global")
OWNER = 255
HEAVIEST = 253
WORD = 8
"""Bytes of a password that VRRP carries."""
PACKET = 255
"""Addresses that an advert can count."""

Item = tuple[int, list[str]]
"""A value with the words that belong to it, and the index of the first among all words of its list."""


def vrrp_instance(draft: Draft) -> dict[str, Any]:
    """The fields of an instance."""
    fields = dict(draft.values)
    fields["virtual_addresses"] = _addresses(draft, "virtual_addresses")
    fields["excluded"] = _addresses(draft, "excluded")
    fields["checkers"] = _tracked(draft, "checkers")
    fields["track_interfaces"] = _tracked(draft, "track_interfaces")
    fields["unicast_peers"] = _peers(draft)
    _family(draft, fields)
    _priority(draft, fields)
    _preempt(draft, fields)
    _interval(draft, fields)
    _authentication(draft, fields)
    return fields


def _family(draft: Draft, fields: dict[str, Any]) -> None:
    """One family for all that is advertised; IPv6 begins with the link-local address and speaks version 3."""
    given = fields["virtual_addresses"]
    families = {family(each.address) for each in given}
    fields["family"] = family(given[0].address) if given else 4
    if len(families) > 1:
        hint = "put the others into virtual_ipaddress_excluded"
        draft.error("virtual_addresses", "IPv4 and IPv6 addresses cannot be advertised together", hint)
    if fields["family"] == 6 and not given[0].address.startswith("fe80:"):
        draft.warn("virtual_addresses", "the first IPv6 address should be link-local (fe80::/10)")
    if len(given) > PACKET:
        draft.error("virtual_addresses", f"{len(given)} addresses do not fit an advert: {PACKET} do")
    if fields["family"] == 6 and fields.get("version") == 2:
        draft.error("version", "VRRPv2 cannot carry IPv6 addresses", "use version 3")
    if not given and draft.says("virtual_addresses") is False:
        draft.problems.append(error("a vrrp_instance needs virtual_ipaddress", draft.heading()))


def _priority(draft: Draft, fields: dict[str, Any]) -> None:
    """keepalived's trap: a wish to be MASTER without a priority makes the owner of the addresses."""
    if not draft.says("priority") and fields.get("state") == "MASTER":
        draft.warn("state", "without a priority, MASTER means 255, the owner of the addresses", "add priority")
        fields["priority"] = OWNER


def _preempt(draft: Draft, fields: dict[str, Any]) -> None:
    wanted = not fields.pop("nopreempt", False)
    if not wanted and fields.get("priority") == OWNER:
        draft.warn("nopreempt", "the owner of the addresses always takes over: ignored")
        wanted = True
    if not wanted and fields.get("state") == "MASTER":
        draft.warn("nopreempt", "nopreempt needs state BACKUP: ignored")
        wanted = True
    if not wanted and fields.get("preempt_delay"):
        draft.warn("preempt_delay", "without preemption there is nothing to delay: ignored")
    fields["preempt"] = wanted and fields.get("preempt", True)


def _interval(draft: Draft, fields: dict[str, Any]) -> None:
    """Whole seconds in version 2, centiseconds up to 40.95 s in 3. Without a version, only what both can is certain."""
    seconds = fields.get("advert_interval", 1.0)
    if fields.get("version") == 2 and (seconds < 1 or seconds % 1):
        draft.error("advert_interval", f"VRRPv2 adverts come in whole seconds, not {seconds:g}", "use version 3")
    if (fields.get("version") == 3 or fields["family"] == 6) and seconds > 40.95:
        draft.error("advert_interval", f"VRRPv3 adverts come at least every 40.95 s, not {seconds:g}")


def _authentication(draft: Draft, fields: dict[str, Any]) -> None:
    blocks = fields.get("authentication", ())
    word = blocks[-1].values.get("auth_pass", "") if blocks else ""
    fields["authentication"] = word
    if len(word.encode()) > WORD:
        draft.warn("authentication", f"of the password only {WORD} bytes count")
        fields["authentication"] = word.encode()[:WORD].decode(errors="ignore")
    if word and (fields.get("version") == 3 or fields["family"] == 6):
        draft.warn("authentication", "VRRPv3 has no authentication: ignored")
        fields["authentication"] = ""


def _addresses(draft: Draft, key: str) -> tuple[VirtualAddress, ...]:
    """``IP[/PREFIX] [dev IF] [label TEXT] [scope SCOPE] [brd IP|+]``, as many as there are."""
    found = []
    for index, item in _items(draft.values.get(key, ()), lambda word: _interface(word) is not None, ("brd",)):
        parsed = _interface(item[0])
        options = _pairs(draft, key, index, item, ("dev", "label", "scope", "brd"))
        if parsed is None:
            _refuse(draft, key, index, f"{shown(item[0])} is not an address with a prefix length")
        elif options is not None:
            scope = options.get("scope", "")
            if scope and scope not in SCOPES:
                _refuse(draft, key, index, f"{shown(scope)} is not a scope", f"expected {' '.join(SCOPES)}")
            dev, label, brd = (options.get(name, "") for name in ("dev", "label", "brd"))
            found.append(VirtualAddress(str(parsed.ip), parsed.network.prefixlen, dev, label, scope, brd))
    return tuple(found)


def _tracked(draft: Draft, key: str) -> tuple[Tracked, ...]:
    """``NAME [weight N] ...``"""
    found = []
    for index, item in _items(draft.values.get(key, ()), lambda word: word != "weight", ("weight",)):
        options = _pairs(draft, key, index, item, ("weight",))
        weight = whole((options or {}).get("weight", "0"))
        if weight is None or not -HEAVIEST <= weight <= HEAVIEST:
            _refuse(draft, key, index, f"the weight of {shown(item[0])} is not within -{HEAVIEST} to {HEAVIEST}")
        elif options is not None:
            found.append(Tracked(item[0], weight))
    return tuple(found)


def _peers(draft: Draft) -> tuple[UnicastPeer, ...]:
    """``IP [min_ttl N] [max_ttl N] ...``"""
    key, found = "unicast_peers", []
    for index, item in _items(draft.values.get(key, ()), lambda word: address(word) is not None):
        options = _pairs(draft, key, index, item, ("min_ttl", "max_ttl"))
        low, high = (whole((options or {}).get(name, usual)) for name, usual in (("min_ttl", "0"), ("max_ttl", "255")))
        if address(item[0]) is None or low is None or high is None or not 0 <= low <= high <= 255:
            _refuse(draft, key, index, f"{shown(' '.join(item))} is not a peer", "expected IP [min_ttl N] [max_ttl N]")
        elif options is not None:
            found.append(UnicastPeer(str(address(item[0])), low, high))
    return tuple(found)


def _items(given: Sequence[str], begins: Callable[[str], bool], takers: tuple[str, ...] = ()) -> list[Item]:
    """The words in groups, each from one that ``begins`` a value; a word after one of ``takers`` begins nothing."""
    items: list[Item] = []
    for index, word in enumerate(given):
        taken = index > 0 and given[index - 1] in takers
        if not items or (begins(word) and not taken):
            items.append((index, []))
        items[-1][1].append(word)
    return items


def _pairs(draft: Draft, key: str, index: int, item: list[str], names: tuple[str, ...]) -> dict[str, str] | None:
    """The options after a value, None when there is something wrong with them."""
    rest = item[1:]
    for place in range(0, len(rest), 2):
        if rest[place] not in names:
            hint = f"expected {' '.join(names)}"
            _refuse(draft, key, index + 1 + place, f"{shown(rest[place])} is not an option of {shown(item[0])}", hint)
            return None
    if len(rest) % 2:
        _refuse(draft, key, index + len(rest), f"{shown(rest[-1])} needs a value")
        return None
    return dict(zip(rest[::2], rest[1::2], strict=True))


def _refuse(draft: Draft, key: str, index: int, message: str, hint: str = "") -> None:
    draft.problems.append(error(message, _mark(draft, key, index), hint))


def _mark(draft: Draft, key: str, index: int) -> Mark:
    """The place of a list's word, counted from 0 over all its lines; within the list that replaced it, if one did."""
    parts = list_parts(draft.body.places[key])
    marks = [part.mark_of(place) for part in parts for place in range(len(words(part.text)))]
    return draft.out(error("", marks[min(index + 1, len(marks) - 1)])).mark


def _interface(word: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
    try:
        return ipaddress.ip_interface(word)
    except ValueError:
        return None
