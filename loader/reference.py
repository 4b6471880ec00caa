"""The keywords as documentation, from the same declarations that decode them. Pure."""

from collections.abc import Iterable
from itertools import groupby

from loader.fields import Block, Keyword
from loader.model import (
    Checker,
    GlobalDefs,
    InlineCheck,
    RealServer,
    VirtualServer,
    VirtualServerGroup,
    VrrpInstance,
    VrrpSyncGroup,
)
from loader.schema import Plan, plan_of
from loader.trackers import TITLES as TRACKERS
from loader.unused import UNUSED
from loader.vrrp_model import Authentication, AuthHmac, StaticAddresses


def reference(blocks: Iterable[Block]) -> str:
    """Markdown: a section for every block, a line for every keyword; ``blocks`` are the checker plugins'."""
    plans = [plan_of(GlobalDefs, "global_defs"), plan_of(VirtualServer, "virtual_server")]
    plans += [plan_of(VirtualServerGroup, "virtual_server_group")]
    plans += [plan_of(RealServer, "real_server"), plan_of(Checker, "RT_KEYWORD")]
    plans += [plan_of(InlineCheck, "KEYWORD")]
    plans += [plan_of(VrrpInstance, "vrrp_instance"), plan_of(Authentication, "authentication")]
    plans += [plan_of(AuthHmac, "auth_hmac")]
    plans += [plan_of(built, title) for title, built in TRACKERS.items()]
    plans += [plan_of(VrrpSyncGroup, "vrrp_sync_group"), plan_of(StaticAddresses, "static_ipaddress")]
    own = [_section(f"`RT_{block.keyword}`, `TH_{block.keyword}`", block.help, block.options) for block in blocks]
    return "\n".join([*(_section(f"`{plan.usage}`", "", _keywords(plan)) for plan in plans), *own])


def unused() -> str:
    """Markdown: the section of what is taken and has no effect: a line for every block and reason."""
    lines = ["## Of no effect\n", "keepalived's, and taken with a warning:\n"]
    for title, reasons in UNUSED.items():
        for reason, group in groupby(reasons, reasons.__getitem__):
            lines.append(f"- {' '.join(f'`{word}`' for word in group)}{f' in {title}' if title else ''}: {reason}")
    return "\n".join(lines) + "\n"


def _section(title: str, text: str, keywords: Iterable[Keyword]) -> str:
    lines = [f"## {title}\n", *([f"{text}\n"] if text else []), *(_line(keyword) for keyword in keywords)]
    return "\n".join(lines) + "\n"


def _keywords(plan: Plan) -> Iterable[Keyword]:
    """The keywords of a plan, each once."""
    return dict.fromkeys(slot.keyword for slot in plan.slots.values())


def _line(keyword: Keyword, depth: int = 0) -> str:
    names = ", ".join(f"`{name}`" for name in keyword.aliases)
    notes = [keyword.help, f"also {names}" if names else "", _default(keyword)]
    line = f"{'  ' * depth}- `{keyword.usage}`: {'; '.join(filter(None, notes))}"
    inner = keyword.options if keyword.kind == "block" else ()
    return "\n".join([line, *(_line(option, depth + 1) for option in inner)])


def _default(keyword: Keyword) -> str:
    if keyword.required:
        return "required"
    is_said = keyword.default not in (None, "", (), False)
    is_written_so = not keyword.choices or keyword.default in keyword.choices
    return f"default {keyword.default}" if is_said and is_written_so else ""
