"""Keywords of keepalived that mean nothing here. How they are told of is in ``golden/unused.txt``."""

import msgspec
import pytest

from loader.assemble import GLOBAL, ROUTER, SERVICE, SYNC_GROUP
from loader.fields import Block
from loader.model import InlineCheck
from loader.schema import Plan, plugin_plan
from loader.unused import UNUSED
from plugins.api import describe
from plugins.http import HttpGet, SslGet
from tests.loader.house import complaints

PLANS: dict[str, Plan] = {plan.title: plan for plan in (GLOBAL, ROUTER, SERVICE, SYNC_GROUP)}
for kind in (HttpGet, SslGet):
    block = msgspec.convert(describe(kind), Block)
    PLANS[block.keyword] = plugin_plan(InlineCheck, block.keyword, block)
PLANS["url"] = next(slot.plan for slot in PLANS["HTTP_GET"].slots.values() if slot.plan and slot.plan.title == "url")
PLANS["real_server"] = next(s.plan for s in SERVICE.slots.values() if s.plan and s.plan.title == "real_server")


@pytest.mark.parametrize("title", [title for title in UNUSED if title])
def test_none_of_them_means_something_after_all(title: str) -> None:
    assert UNUSED[title].keys() & PLANS[title].slots.keys() == set()


@pytest.mark.parametrize("rest", ["", " 1", " a b c", " { x y }"])
def test_each_is_a_warning_and_no_more_whatever_follows_it(rest: str) -> None:
    lines = "".join(f"{word}{rest}\n" for word in UNUSED["global_defs"])
    said = [
        f"{line} warning: '{word}' has no effect: {reason}"
        for line, (word, reason) in enumerate(UNUSED["global_defs"].items(), 2)
    ]
    assert [text.replace(":1 ", " ", 1) for text in complaints(f"global_defs {{\n{lines}}}\n")] == said
