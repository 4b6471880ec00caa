"""The rules of a ``virtual_server`` and of its servers: what is inherited, what cannot be, what is put right. Pure."""

from collections.abc import Callable, Iterable
from typing import Any

from loader.diagnostics import Problem, error, shown, warning
from loader.draft import Draft
from loader.grammar import Statement
from loader.meaning import checker
from loader.model import Forwarding, InlineCheck, RealServer, SorryServer, Tunnel
from loader.schema import INLINE
from loader.source import Position
from loader.tracker_model import Tracker
from loader.trackers import FILE_CHECK, followed_file, is_followed, own_file
from loader.values import family, is_multicast

FAMILIES = {"inet": 4, "inet6": 6}
INHERITED = (
    "connect_timeout",
    "delay_loop",
    "retry",
    "delay_before_retry",
    "warmup",
    "weight",
    "inhibit_on_failure",
    "method",
    "tunnel",
    "alpha",
    "virtualhost",
)
"""What a virtual server says for its real servers."""

ANY_PORT_STICKS = 360
"""Persistence in seconds that a service without a port gets, since IPVS takes it only with some."""

Place = Callable[[Statement], Position]
"""Gives the place of a statement inside a block, counted from the block."""


def virtual_server(draft: Draft, place: Place) -> dict[str, Any]:
    """The fields of a virtual server, its real servers among them."""
    fields = {key: value for key, value in draft.values.items() if not key.startswith("sorry_server ")}
    fields.setdefault("address", "")
    if "method" in fields:
        draft.problems += [error(wrong, draft.where("method")) for wrong in _forward(fields)]
    servers: list[Draft] = fields.pop("real_servers", ())
    _family(draft, fields, servers)
    _protocol(draft, fields)
    _persistence(draft, fields)
    _flags(draft, fields)
    fields["sorry_server"] = _sorry_server(draft, fields)
    fields["real_servers"] = _real_servers(draft, fields, servers, place)
    _quorum(draft, fields)
    return fields


def _family(draft: Draft, fields: dict[str, Any], servers: list[Draft]) -> None:
    """An address has its family; a mark the one that is said, or its first server's."""
    said = FAMILIES[fields["family"]] if "family" in fields else 0
    first = next((d.values["address"] for d in servers if "address" in d.values), "0.0.0.0")
    own = fields["address"] or first
    fields["family"] = family(own) if fields["address"] else said or family(own)
    if said and said != fields["family"]:
        draft.error("family", f"{fields['address']} is an IPv{fields['family']} address")
    if fields["address"] and (wrong := _unfit(fields["address"])):
        draft.problems.append(error(f"{fields['address']} is {wrong}: no service can have it", draft.head.mark_of(1)))


def _unfit(address: str) -> str:
    """Why an address can be nobody's own; empty when it can. Takes the canonical text."""
    if address in ("0.0.0.0", "::"):
        return "no machine's address"
    if address == "255.255.255.255":
        return "the broadcast address"
    return "a multicast address" if is_multicast(address) else ""


def _protocol(draft: Draft, fields: dict[str, Any]) -> None:
    if fields.get("fwmark"):
        if draft.says("protocol"):
            draft.warn("protocol", "a firewall mark has no protocol: ignored")
        fields["protocol"] = ""
        if fields.get("ha_suspend"):
            draft.warn("ha_suspend", "a firewall mark has no address: its checks never rest")
        return
    if not draft.says("protocol"):
        draft.warn("protocol", "no protocol: TCP is taken", "add protocol TCP")
    fields["protocol"] = fields.get("protocol", "TCP").lower()


def _persistence(draft: Draft, fields: dict[str, Any]) -> None:
    prefix = fields.get("persistence_prefix")
    longest = 32 if fields["family"] == 4 else 128
    if prefix is not None and prefix > longest:
        draft.error("persistence_prefix", f"an IPv{fields['family']} prefix has at most {longest} bits")
    if fields.get("persistence_engine") and not draft.says("persistence_timeout"):
        draft.warn("persistence_engine", "it does nothing without persistence_timeout", "add persistence_timeout")
    any_port = fields["address"] and not fields.get("port")
    if any_port and not draft.says("persistence_timeout"):
        message = f"a service for every port has to be persistent: {ANY_PORT_STICKS} seconds are taken"
        draft.warn("persistence_timeout", message, "add persistence_timeout")
        fields["persistence_timeout"] = ANY_PORT_STICKS


def _flags(draft: Draft, fields: dict[str, Any]) -> None:
    """The flags in the order of the schema, so that their order in the file makes no difference."""
    given = fields.get("flags", ())
    fields["flags"] = tuple(name for name in draft.plan.slots if name in given)
    scheduler = fields.get("scheduler", "wlc")
    for name in fields["flags"]:
        if name[:3] in ("sh-", "mh-") and name[:2] != scheduler:
            draft.warn("flags", f"{shown(name)} does nothing with the scheduler {shown(scheduler)}")


def _sorry_server(draft: Draft, fields: dict[str, Any]) -> SorryServer | None:
    extras = {key.removeprefix("sorry_server "): value for key, value in draft.values.items() if " " in key}
    if not draft.says("sorry_server"):
        for name in extras:
            draft.warn(f"sorry_server {name}", "there is no sorry_server to which this could apply")
    if not fields.get("sorry_server"):
        return None
    address, port = fields["sorry_server"]
    given = {key: fields[key] for key in ("method", "tunnel") if key in fields}
    if "method" in extras:
        draft.problems += [error(wrong, draft.where("sorry_server method")) for wrong in _forward(extras)]
    extras = given | extras
    method = extras.setdefault("method", "NAT")
    if problem := _misfit(fields, address, method):
        draft.error("sorry_server", problem)
    own_port = port if port and method == "NAT" else fields.get("port", 0)
    if port and port != own_port and fields["address"]:
        draft.warn("sorry_server", f"{method} cannot change the port: {own_port} is taken")
    return SorryServer(address, own_port if fields["address"] else port, **extras)


def _forward(fields: dict[str, Any]) -> list[str]:
    """Parts the method, if one is given, from its tunnel; what is wrong with them."""
    if "method" not in fields:
        return []
    given = Forwarding(*fields["method"])
    checksum = "" if given.checksum == "nocsum" else given.checksum
    fields["method"], fields["tunnel"] = given.method, Tunnel(given.kind, given.port, checksum)
    if given.method != "TUN" and given != Forwarding(given.method):
        return [f"{given.method} has no tunnel"]
    if (given.kind == "gue") != bool(given.port):
        return ["a gue tunnel needs a port" if given.kind == "gue" else f"{given.kind} has no port"]
    return [f"{given.kind} has no checksums"] if given.kind == "ipip" and given.checksum else []


def _misfit(service: dict[str, Any], address: str, method: str) -> str:
    """Why an address cannot serve behind a service; empty when it can."""
    if wrong := _unfit(address):
        return f"{address} is {wrong}: no server can have it"
    if family(address) != service["family"] and method != "TUN":
        return f"{address} cannot serve an IPv{service['family']} service by {method}"
    return ""


def _checks(server: Draft, place: Place) -> tuple[tuple[InlineCheck, ...], list[Problem]]:
    """The server's own checks, in order of their keywords, and what is wrong with them beyond each word of them."""
    built: list[InlineCheck] = []
    wrong: list[Problem] = []
    for key in sorted(key for key in server.values if key.startswith(INLINE)):
        for each in server.values[key]:
            if is_followed(each):
                continue
            known = len(each.problems)
            fields = checker(each)
            if each.plan.title == FILE_CHECK:
                own_file(each, fields)
            found = each.problems[known:]
            wrong += [server.out(problem) for problem in found]
            built.append(InlineCheck(**fields, at=place(each.head)))
    return tuple(built), wrong


def _files(server: Draft) -> tuple[tuple[Tracker, ...], list[Problem]]:
    """The files whose numbers the server follows, and what is wrong with that."""
    found = [each for each in server.values.get(f"{INLINE}{FILE_CHECK}", ()) if is_followed(each)]
    known = [len(each.problems) for each in found]
    built = tuple(followed_file(each) for each in found)
    wrong = (problem for each, count in zip(found, known, strict=True) for problem in each.problems[count:])
    return built, [server.out(problem) for problem in wrong]


def _real_servers(draft: Draft, fields: dict[str, Any], servers: list[Draft], place: Place) -> tuple[RealServer, ...]:
    """The servers with what they inherit. Those whose address was refused are left out: there is an error."""
    if not draft.says("real_servers"):
        draft.problems.append(warning("a virtual_server without a real_server serves nobody", draft.heading()))
    inherited = {key: fields[key] for key in INHERITED if key in fields}
    seen: dict[tuple[str, int], Draft] = {}
    built: list[RealServer] = []
    for server in servers:
        if "address" not in server.values:
            continue
        own = {key: value for key, value in server.values.items() if not key.startswith(INLINE)}
        own["checks"], misdeclared = _checks(server, place)
        own["track_files"], misfollowed = _files(server)
        wrong = [error(text, server.where("method")) for text in _forward(own)]
        values = inherited | own
        wrong += _server_problems(server, values, fields)
        wrong += () if values["port"] else _portless(server)
        key = values["address"], values["port"]
        if key in seen:
            message = f"real_server {key[0]} {key[1]} is in this virtual_server already"
            wrong.append(error(message, server.heading(), related=(("first declared here", seen[key].heading()),)))
        draft.problems += [draft.out(problem) for problem in (*wrong, *misdeclared, *misfollowed)]
        seen.setdefault(key, server)
        built.append(RealServer(**values, at=place(server.head)))
    return tuple(built)


def _portless(server: Draft) -> Iterable[Problem]:
    """The checks of its own that a server without a port leaves without one."""
    for key in sorted(key for key in server.values if key.startswith(INLINE)):
        for each in server.values[key]:
            if each.plan.aims == "always" and not each.says("connect_port"):
                message = f"{each.plan.title} has no port here: the server has none"
                yield server.out(warning(message, each.heading(), "give it connect_port"))


def _server_problems(server: Draft, values: dict[str, Any], service: dict[str, Any]) -> list[Problem]:
    """What is wrong with a server behind this service. An unsaid or unchangeable port is the service's."""
    address, method = values["address"], values.get("method", "NAT")
    misfit = _misfit(service, address, method)
    wrong = [error(misfit, server.head.mark_of(1))] if misfit else []
    given, own = values["port"], service.get("port", 0)
    forced = service["address"] != "" and method != "NAT"
    if given and given != own and forced:
        wrong.append(warning(f"{method} cannot change the port: {own} is taken", server.head.mark_of(2)))
    values["port"] = own if forced or not given else given
    upper, lower = values.get("uthreshold", 0), values.get("lthreshold", 0)
    if upper and lower > upper:
        wrong.append(error(f"lthreshold {lower} is above uthreshold {upper}", server.where("lthreshold")))
    return wrong


def _quorum(draft: Draft, fields: dict[str, Any]) -> None:
    """Quorum at most the weights' sum, hysteresis below quorum: as keepalived lowers them."""
    total = sum(server.weight for server in fields["real_servers"])
    quorum = fields.get("quorum", 1)
    if quorum > total > 0:
        draft.warn("quorum", f"quorum {quorum} is above the weights' sum: lowered to {total}")
        fields["quorum"] = quorum = total
    hysteresis = fields.get("hysteresis", 0)
    if hysteresis >= quorum:
        draft.warn("hysteresis", f"hysteresis {hysteresis} is not below quorum {quorum}: lowered to {quorum - 1}")
        fields["hysteresis"] = quorum - 1
