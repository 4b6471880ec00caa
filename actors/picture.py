"""The supervision tree of a configuration as text, as ``--tree`` prints it."""

from collections import Counter
from collections.abc import Iterable, Mapping

from actors.checker_actor import CheckerSpec
from actors.core.restart import Beyond, Policy
from actors.core.table import endpoint
from actors.ipvs_actor import ServiceSpec
from actors.real_server_actor import RealServerSpec
from actors.supervisor_actor import Child
from actors.tree import Tree

INDENT = 3
"""Columns of a branch."""

BEYOND = {Beyond.PARK: "it is parked", Beyond.ESCALATE: "the program ends"}


def picture(tree: Tree) -> str:
    """Every child below the supervisor, in start order, with what it does and what becomes of it when it crashes.

    The usual fate stands beside the supervisor, one that differs beside its child.
    """
    usual = _usual(tree)
    rows = [(child.id, _role(child, tree.names) + _otherwise(child.policy, usual)) for child in tree.children]
    wide = max(len("supervisor") - INDENT, *(len(id) for id, _ in rows), 0)
    top = f"{'supervisor':<{wide + INDENT}}  {_fate(usual)}" if usual else "supervisor"
    return "\n".join([top, *_branches(f"{id:<{wide}}  {role}" for id, role in rows)])


def _usual(tree: Tree) -> Policy | None:
    """The restart policy that most children have."""
    return next((policy for policy, _ in Counter(child.policy for child in tree.children).most_common(1)), None)


def _branches(lines: Iterable[str]) -> list[str]:
    rows = list(lines)
    return [("└─ " if row is rows[-1] else "├─ ") + row for row in rows]


def _role(child: Child, names: Mapping[str, tuple[str, ...]]) -> str:
    spec = child.args[0] if child.args else None
    match spec:
        case CheckerSpec():
            where = "in a thread of its own" if spec.threaded else "on the event loop"
            return f"{spec.title} every {spec.interval:g} s, {where}"
        case RealServerSpec():
            return f"weight {spec.weight} " + _while(names[check][0] for check in spec.checks)
        case ServiceSpec():
            sorry = f", sorry server {endpoint(*spec.roster.sorry.destination.key)}" if spec.roster.sorry else ""
            return f"{spec.roster.service.scheduler}, quorum {spec.roster.quorum.quorum} of {spec.roster.total}{sorry}"
    return "runs programs, in order within each source"


def _fate(policy: Policy) -> str:
    return f"a child may crash {policy.burst} times in {policy.period:g} s, then {BEYOND[policy.beyond]}"


def _otherwise(policy: Policy, usual: Policy | None) -> str:
    return "" if policy == usual else f"; {policy.burst} in {policy.period:g} s, then {BEYOND[policy.beyond]}"


def _while(names: Iterable[str]) -> str:
    said = " and ".join(names)
    return f"while OK: {said}" if said else "always"
