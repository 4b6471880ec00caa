"""The supervision tree of a configuration as text, as ``--tree`` prints it."""

from collections.abc import Iterable

from actors.checker_actor import CheckerSpec
from actors.core.restart import Beyond
from actors.core.table import endpoint
from actors.ipvs_actor import ServiceSpec
from actors.real_server_actor import RealServerSpec
from actors.supervisor_actor import Child
from actors.tree import Tree


def picture(tree: Tree) -> str:
    """Every child below the supervisor, in start order, with what it does and what a crash of it means."""
    rows = [(child.id, _role(child), _fate(child)) for child in tree.children]
    wide = max((len(id) for id, _, _ in rows), default=0)
    middle = max((len(role) for _, role, _ in rows), default=0)
    return "\n".join(["supervisor", *_branches(f"{id:<{wide}}  {role:<{middle}}  {fate}" for id, role, fate in rows)])


def _branches(lines: Iterable[str]) -> list[str]:
    rows = list(lines)
    return [("└─ " if row is rows[-1] else "├─ ") + row for row in rows]


def _role(child: Child) -> str:
    spec = child.args[0] if child.args else None
    match spec:
        case CheckerSpec():
            where = "in a thread of its own" if spec.threaded else "on the event loop"
            return f"{spec.title} every {spec.interval:g} s, {where}"
        case RealServerSpec():
            return f"weight {spec.weight} while OK: {', '.join(spec.checks) or 'always'}"
        case ServiceSpec():
            sorry = f", sorry server {endpoint(*spec.roster.sorry.destination.key)}" if spec.roster.sorry else ""
            return f"{spec.roster.service.scheduler}, quorum {spec.roster.quorum.quorum} of {spec.roster.total}{sorry}"
    return "runs programs, in order within each source"


def _fate(child: Child) -> str:
    policy = child.policy
    beyond = "the program ends" if policy.beyond is Beyond.ESCALATE else "parked"
    return f"restarts {policy.burst} in {policy.period:g} s, then {beyond}"
