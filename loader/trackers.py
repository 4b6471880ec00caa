"""The rules of trackers: each is a checker in other words, and gives those who follow it a weight. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from loader.diagnostics import did_you_mean, shown
from loader.draft import Draft
from loader.fields import Block
from loader.model import Checker, Tracked
from loader.schema import Plan, plan_of, plugin_plan
from loader.tracker_model import LISTS, Tracker, VrrpScript
from loader.vrrp_model import Following

Declared = VrrpScript
Follower = TypeVar("Follower", bound=Following)

KEYWORDS: dict[type[Any], str] = {VrrpScript: "MISC_CHECK"}
"""Which checker a tracker is."""

TITLES = {"vrrp_script": VrrpScript}
"""How their blocks are called."""


def plans(blocks: Mapping[str, Block]) -> dict[str, Plan]:
    """The plans of trackers' blocks, of those whose checker there is."""
    return {title: plan_of(built, title) for title, built in TITLES.items() if KEYWORDS[built] in blocks}


def tracker(draft: Draft, users: frozenset[str]) -> dict[str, Any]:
    """The fields of a tracker, its weight apart from the direction of that."""
    fields = dict(draft.values)
    if "weight" in fields:
        fields["weight"], direction = fields["weight"]
        fields["reverse"] = direction == "reverse"
    if user := fields.get("user", ()):
        _user(draft, user, users)
    return fields


def _user(draft: Draft, user: tuple[str, ...], users: frozenset[str]) -> None:
    if len(user) > 2:
        draft.error("user", f"surplus word {shown(user[2])}", "a user and a group")
    elif users and user[0] not in users:
        draft.error("user", f"no user {shown(user[0])} on this machine", did_you_mean(user[0], users))


def checkers(trackers: Iterable[Declared], blocks: Mapping[str, Block]) -> list[Checker]:
    """The checkers that trackers are: run without delay, on time, and by nobody else's settings."""
    return [_checker(each, blocks[KEYWORDS[type(each)]]) for each in trackers]


def _checker(tracker: Declared, block: Block) -> Checker:
    said: dict[str, Any] = {"misc_path": _plain(tracker), "misc_timeout": tracker.timeout, "user": tracker.user}
    plan = plugin_plan(Checker, f"RT_{block.keyword}", block)
    return Checker(
        name=tracker.name,
        keyword=block.keyword,
        delay_loop=tracker.interval,
        delay_before_retry=tracker.interval,
        warmup=0.0,
        rise=tracker.rise,
        fall=tracker.fall,
        jitter=0.0,
        init="down" if tracker.init_fail else "unknown",
        options=tuple((name, said.get(name, default)) for _, name, default in plan.options),
        aims=block.aims,
        at=tracker.at,
    )


def _plain(tracker: VrrpScript) -> tuple[tuple[str, ...], str, str]:
    return tracker.script.command, tracker.script.user, tracker.script.group


def resolved(follower: Follower, known: Mapping[str, Declared]) -> Follower:
    """An instance or a group with its trackers among its checkers, each with a weight."""
    found = [_tracked(each, known.get(each.name)) for key in LISTS for each in getattr(follower, key)]
    if not found:
        return follower
    return replace(follower, checkers=(*follower.checkers, *found), track_scripts=())


def _tracked(follows: Tracker, tracker: Declared | None) -> Tracked:
    """What is unsaid is the tracker's; a checker that is no tracker has nothing to say of it."""
    weight = follows.weight if follows.weight is not None else tracker.weight if tracker else 0
    reverse = follows.reverse if follows.reverse is not None else tracker.reverse if tracker else False
    return Tracked(follows.name, weight=weight, reverse=reverse)
