"""The supervision tree of a configuration as text, as ``--tree`` prints it."""

from collections import Counter
from collections.abc import Iterable, Mapping

from actors.address_actor import AddressSpec
from actors.announcer_actor import AnnouncerSpec
from actors.checker_actor import CheckerSpec
from actors.children import Child
from actors.combine_actor import CombineSpec
from actors.core.combining import leaves
from actors.core.restart import Beyond
from actors.core.table import endpoint
from actors.device_actor import DeviceSpec
from actors.firewall_actor import FirewallSpec
from actors.group_actor import GroupSpec
from actors.ipvs_actor import ServiceSpec
from actors.ipvs_settings_actor import IpvsSettingsSpec
from actors.presence_actor import PresenceSpec
from actors.real_server_actor import RealServerSpec
from actors.services_actor import ServicesSpec
from actors.station import VrrpSpec
from actors.sync_daemon_actor import SyncDaemonSpec
from actors.tree import Tree

INDENT = 3
"""Columns of a branch."""


def picture(tree: Tree) -> str:
    """Every child below the supervisor, in start order, with what it does and what becomes of it when it crashes.

    The usual fate stands beside the supervisor, one that differs beside its child.
    """
    fates = Counter(_fate(child) for child in tree.children)
    usual = max(fates, key=fates.__getitem__, default="")
    rows = [(child.id, _role(child, tree.names) + _otherwise(child, usual)) for child in tree.children]
    wide = max(len("supervisor") - INDENT, *(len(id) for id, _ in rows), 0)
    top = f"{'supervisor':<{wide + INDENT}}  restarts a child {usual}" if usual else "supervisor"
    return "\n".join([top, *_branches(f"{id:<{wide}}  {role}" for id, role in rows)])


def _branches(lines: Iterable[str]) -> list[str]:
    rows = list(lines)
    return [("└─ " if row is rows[-1] else "├─ ") + row for row in rows]


def _role(child: Child, names: Mapping[str, tuple[str, ...]]) -> str:
    spec = child.args[0] if child.args else None
    match spec:
        case CheckerSpec():
            where = "in a thread of its own" if spec.threaded else "on the event loop"
            return f"{spec.title} every {spec.interval:g} s, {where}"
        case CombineSpec():
            return f"follows {_list(leaf.name for leaf in leaves(spec.term))}"
        case RealServerSpec():
            return f"weight {spec.weight} " + _while(names[check][0] for check in spec.checks)
        case ServiceSpec():
            sorry = f", sorry server {endpoint(*spec.roster.sorry.destination.key)}" if spec.roster.sorry else ""
            return f"{spec.roster.service.scheduler}, quorum {spec.roster.quorum.quorum} of {spec.roster.total}{sorry}"
        case AddressSpec():
            when = f"while {spec.router} is MASTER" if spec.router else "always"
            return f"held {when}: {_list(item.address for item in spec.addresses)}"
        case AnnouncerSpec():
            return f"tells the neighbours behind {spec.interface} which addresses are here"
        case PresenceSpec():
            return f"tells whether {spec.address} is on this machine"
        case DeviceSpec(device=device):
            return f"the interface {device.name} with {device.mac} on {device.below}"
        case FirewallSpec(rules=rules):
            shut = [f"packets to {_list(rules.closed)}"] if rules.closed else []
            return f"drops {_list([*shut, *(f'reports of groups through {name}' for name in rules.silent)])}"
        case GroupSpec():
            return f"one role for {_list(spec.members)}"
        case VrrpSpec():
            return _router(spec)
        case ServicesSpec():
            return "takes away the services that nobody declares any more"
        case IpvsSettingsSpec():
            return "what concerns all services of IPVS"
        case SyncDaemonSpec():
            return "tells other machines of IPVS's connections, or is told"
        case str():
            return f"tells of the interface {spec}"
    return "runs programs, in order within each source"


def _router(spec: VrrpSpec) -> str:
    router, endpoint = spec.router, spec.endpoint
    fatal = [f"{'not ' if each.reverse else ''}{each.source}" for each in spec.follows if not each.weight]
    health = f", {_while(fatal)}" if fatal else ""
    return f"VRRPv{router.version} router {endpoint.vrid} on {endpoint.interface}, priority {router.priority}{health}"


def _fate(child: Child) -> str:
    policy = child.policy
    beyond = "the program ends" if policy.beyond is Beyond.ESCALATE else "it is parked"
    return f"{policy.burst} times in {policy.period:g} s, then {beyond}"


def _otherwise(child: Child, usual: str) -> str:
    fate = _fate(child)
    return "" if fate == usual else f"; {fate}"


def _while(names: Iterable[str]) -> str:
    said = _list(names)
    return f"while OK: {said}" if said else "always"


def _list(names: Iterable[str]) -> str:
    return " and ".join(names)
