"""The lists of VRRP's blocks: addresses, peers, what is followed. Pure."""

from typing import Any

from loader.diagnostics import error, warning
from loader.draft import Draft
from loader.model import Tracked, UnicastPeer, VirtualAddress
from loader.rows import Row
from loader.tracker_model import LISTS, Tracker
from loader.values import family

ROOM = {4: 255, 6: 90}
"""Addresses that an advert can hold: what its counter can tell, and what 1500 bytes have room for."""
ROOM_SIGNED = 89
"""IPv6 addresses that have room beside a trailer of 28 bytes; with IPv4 the counter is still the limit."""


def advertised(draft: Draft, fields: dict[str, Any]) -> None:
    """The addresses of an instance, and its family: that of the first of them, else of its first peer."""
    seen: set[tuple[str, str]] = set()
    for key in ("virtual_addresses", "excluded"):
        fields[key] = addresses(draft, key, seen)
    known = [*fields["virtual_addresses"], *draft.values.get("unicast_peers", ())]
    first = known[0].address if fields["virtual_addresses"] else known[0].values["address"] if known else ""
    fields["family"] = family(first)
    for row in draft.values.get("virtual_addresses", ()):
        if family(row.values["address"][0]) != fields["family"]:
            hint = "put the others into virtual_ipaddress_excluded"
            mark = draft.spot("virtual_addresses", row.start)
            draft.problems.append(error("IPv4 and IPv6 addresses cannot be advertised together", mark, hint))
            return


def addresses(draft: Draft, key: str, seen: set[tuple[str, str]]) -> tuple[VirtualAddress, ...]:
    """The addresses of a list, each once; what IPv6 does not know is left out."""
    found = []
    for row in _distinct(draft, key, seen):
        values = dict(row.values)
        address, prefix = values.pop("address")
        for option in ("label", "broadcast"):
            if family(address) == 6 and values.pop(option, ""):
                draft.problems.append(warning(f"an IPv6 address has no {option}: ignored", draft.spot(key, row.start)))
        found.append(VirtualAddress(address, prefix, **values))
    return tuple(found)


def fit(draft: Draft, fields: dict[str, Any]) -> None:
    """Addresses for which an advert has no room are held all the same, as keepalived does it."""
    given, room = fields["virtual_addresses"], ROOM[fields["family"]]
    if fields["auth_hmac"] and fields["family"] == 6:
        room = ROOM_SIGNED
    if len(given) > room:
        more = len(given) - room
        draft.warn("virtual_addresses", f"an advert has room for {room} addresses: {more} are held and not advertised")
        fields["virtual_addresses"] = given[:room]
        fields["excluded"] = (*given[room:], *fields["excluded"])


def followed(draft: Draft) -> dict[str, Any]:
    """What an instance or a group follows, each once, by the field that it is in."""
    kinds: dict[str, type[Any]] = {"checkers": Tracked, "track_interfaces": Tracked, **dict.fromkeys(LISTS, Tracker)}
    return {key: tuple(kind(**row.values) for row in _distinct(draft, key, set())) for key, kind in kinds.items()}


def peers(draft: Draft, fields: dict[str, Any]) -> tuple[UnicastPeer, ...]:
    """The peers, each once; they and the sources of adverts have to be of the instance's family."""
    found = []
    for row in _distinct(draft, "unicast_peers", set()):
        peer = UnicastPeer(**row.values)
        found.append(peer)
        if wrong := _unlike(peer.address, fields["family"]):
            draft.problems.append(error(wrong, draft.spot("unicast_peers", row.start)))
        if peer.min_ttl > peer.max_ttl:
            message = f"min_ttl {peer.min_ttl} is above max_ttl {peer.max_ttl}"
            draft.problems.append(error(message, draft.spot("unicast_peers", row.start)))
    for key in ("unicast_src_ip", "mcast_src_ip"):
        if wrong := _unlike(fields.get(key), fields["family"]):
            draft.error(key, wrong)
    return tuple(found)


def _unlike(address: str | None, own: int) -> str:
    """Why an address cannot be that of an advert; empty when it can."""
    if not address or family(address) == own:
        return ""
    return f"{address} is IPv{family(address)}, and the instance is IPv{own}"


def _distinct(draft: Draft, key: str, seen: set[tuple[str, str]]) -> list[Row]:
    """The items of a list without those that have been there, in this list or in ``seen``, on the same interface."""
    found = []
    for row in draft.values.get(key, ()):
        first = next(iter(row.values.values()))
        name = first[0] if isinstance(first, tuple) else first
        place = (name, row.values.get("device", ""))
        if place in seen:
            draft.problems.append(warning(f"{name} is given already: ignored", draft.spot(key, row.start)))
        else:
            seen.add(place)
            found.append(row)
    return found
