"""The rules of trackers: each is a checker in other words, and gives those who follow it a weight. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from loader.diagnostics import did_you_mean, error, shown
from loader.draft import Draft
from loader.fields import Block, Keyword
from loader.model import Checker, Tracked, VirtualServer
from loader.schema import Model, Plan, option_key, plan_of, plugin_plan
from loader.tracker_model import HEAVIEST_SERVER, LISTS, OVERWRITE, Tracker, TrackFile, TrackProcess, VrrpScript
from loader.vrrp_model import Following

Declared = VrrpScript | TrackProcess | TrackFile
Follower = TypeVar("Follower", bound=Following)

KEYWORDS: dict[type[Any], str] = {VrrpScript: "MISC_CHECK", TrackProcess: "PROCESS_CHECK", TrackFile: "FILE_CHECK"}
"""Which checker a tracker is."""

TITLES: dict[str, Model] = {
    "vrrp_script": VrrpScript,
    "vrrp_track_process": TrackProcess,
    "track_file": TrackFile,
    "vrrp_track_file": TrackFile,
}
"""How their blocks are called."""

FILE_CHECK = "FILE_CHECK"
"""Of which a real_server may have one that names a `TrackFile`."""

IN_SERVER = (
    Keyword("track_file", "str", "", help="name of a track_file, in place of the file; its number counts"),
    Keyword(
        "weight",
        "arguments",
        None,
        options=(
            Keyword("weight", "int", None, True, -HEAVIEST_SERVER, HEAVIEST_SERVER),
            Keyword("reverse", "str", "", choices=("reverse", "noreverse")),
        ),
        help="its number times this is added to the server's weight; 0: down while the number is not 0",
    ),
)
"""What that has more than the checker (keepalived)."""

AT_ONCE = {"warmup": 0.0, "rise": 1, "fall": 1}
"""Begun without delay, and each result believed."""


def plans(blocks: Mapping[str, Block]) -> dict[str, Plan]:
    """The plans of trackers' blocks, of those whose checker there is."""
    return {title: plan_of(built, title) for title, built in TITLES.items() if KEYWORDS[built] in blocks}


def in_server(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The blocks of plugins as real_servers have them."""
    return tuple(_following(block) if block.keyword == FILE_CHECK else block for block in blocks)


def _following(block: Block) -> Block:
    own = (
        msgspec.structs.replace(each, required=False, default="") if each.name == "file" else each
        for each in block.options
    )
    return msgspec.structs.replace(block, options=(*own, *IN_SERVER))


def is_followed(check: Draft) -> bool:
    """Whether a check of a real_server's own is the number of a `TrackFile`."""
    return check.plan.title == FILE_CHECK and check.says(option_key("track_file"))


def followed_file(check: Draft) -> Tracker:
    """What such a check follows; beside it nothing else can be said."""
    for key in check.body.places:
        if key not in (option_key("track_file"), option_key("weight")):
            check.error(key, "a FILE_CHECK with a track_file has that and a weight alone")
    weight, direction = check.values.get(option_key("weight")) or (None, "")
    name = check.values.get(option_key("track_file"), "")
    return Tracker(name, weight=weight, reverse=direction == "reverse" if direction else None)


def own_file(check: Draft, fields: dict[str, Any]) -> None:
    """Any other FILE_CHECK: it needs a file, and has no weight."""
    if not check.says(option_key("file")):
        check.problems.append(error("FILE_CHECK has no file", check.heading(), "give it file, or track_file"))
    if check.says(option_key("weight")):
        check.error(option_key("weight"), "only a track_file has a weight")
    more = {each.name for each in IN_SERVER}
    fields["options"] = tuple(each for each in fields["options"] if each[0] not in more)


def served(service: VirtualServer, known: Mapping[str, Declared]) -> VirtualServer:
    """A service whose servers follow each file with a weight."""
    if not any(server.track_files for server in service.real_servers):
        return service
    servers = (
        replace(
            server, track_files=(), files=tuple(_tracked(each, known.get(each.name)) for each in server.track_files)
        )
        for server in service.real_servers
    )
    return replace(service, real_servers=tuple(servers))


def tracker(draft: Draft, users: frozenset[str]) -> dict[str, Any]:
    """The fields of a tracker, its weight apart from the direction of that."""
    fields = dict(draft.values)
    if "weight" in fields:
        fields["weight"], direction = fields["weight"]
        fields["reverse"] = direction == "reverse"
    if user := fields.get("user", ()):
        _user(draft, user, users)
    _processes(draft, fields)
    if "init_file" in fields:
        fields["init_file"] = _first_number(draft, fields["init_file"])
    return fields


def _user(draft: Draft, user: tuple[str, ...], users: frozenset[str]) -> None:
    if len(user) > 2:
        draft.error("user", f"surplus word {shown(user[2])}", "a user and a group")
    elif users and user[0] not in users:
        draft.error("user", f"no user {shown(user[0])} on this machine", did_you_mean(user[0], users))


def _processes(draft: Draft, fields: dict[str, Any]) -> None:
    most = fields.get("quorum_max")
    if most and most < fields.get("quorum", 1):
        draft.error("quorum_max", f"quorum_max {most} is below quorum {fields.get('quorum', 1)}")
    for key in ("terminate_delay", "fork_delay") if "delay" in fields else ():
        fields.setdefault(key, fields["delay"])


def _first_number(draft: Draft, words: tuple[str, ...]) -> str:
    """keepalived's ``[VALUE] [overwrite]``."""
    if words[-1:] == (OVERWRITE,):
        draft.warn("init_file", "what a file has is never overwritten: it is made if it is not there")
        words = words[:-1]
    if len(words) > 1 or OVERWRITE in words:
        draft.error("init_file", f"surplus word {shown(words[-1])}", "a number, and perhaps overwrite")
    return words[0] if words else "0"


def checkers(trackers: Iterable[Declared], blocks: Mapping[str, Block]) -> list[Checker]:
    """The checkers that trackers are."""
    return [_checker(each, blocks[KEYWORDS[type(each)]]) for each in trackers]


def _checker(tracker: Declared, block: Block) -> Checker:
    settings, said = _check(tracker)
    options = plugin_plan(Checker, f"RT_{block.keyword}", block).options
    return Checker(
        name=tracker.name,
        keyword=block.keyword,
        options=tuple((name, said.get(name, default)) for _, name, default in options),
        aims=block.aims,
        at=tracker.at,
        **AT_ONCE | settings,
    )


def _check(tracker: Declared) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of a tracker's check that are not usual, and what is said of its options."""
    match tracker:
        case VrrpScript():
            return _script(tracker)
        case TrackProcess():
            return _process(tracker)
        case TrackFile():
            return {}, {"file": tracker.file, "counts": True, "create": tracker.init_file}


def _script(tracker: VrrpScript) -> tuple[dict[str, Any], dict[str, Any]]:
    """It is on time, and a failure brings no other try sooner."""
    words = tracker.script.command
    if words[0].startswith("<"):  # keepalived leaves these to a shell, of which some know /dev/tcp
        words = ("/bin/sh", "-c", " ".join(words))
    settings = {
        "delay_loop": tracker.interval,
        "delay_before_retry": tracker.interval,
        "rise": tracker.rise,
        "fall": tracker.fall,
        "jitter": 0.0,
        "init": "down" if tracker.init_fail else "unknown",
    }
    return settings, {
        "misc_path": (words, tracker.script.user, tracker.script.group),
        "misc_timeout": tracker.timeout,
        "user": tracker.user,
    }


def _process(tracker: TrackProcess) -> tuple[dict[str, Any], dict[str, Any]]:
    """A delay is a second look after that time; there is one time for both, the longer one."""
    settings: dict[str, Any] = {"reverse": tracker.quorum_max == 0}
    said = {key: getattr(tracker, key) for key in ("process", "param_match", "full_command")}
    if tracker.fork_delay:
        settings |= {"rise": 2, "fast_interval": max(tracker.fork_delay, tracker.terminate_delay)}
    if tracker.terminate_delay:
        settings |= {"fall": 2, "delay_before_retry": tracker.terminate_delay}
    return settings, said | {"quorum": tracker.quorum, "quorum_max": tracker.quorum_max or 0}


def resolved(follower: Follower, known: Mapping[str, Declared]) -> Follower:
    """An instance or a group with its trackers among its checkers, each with a weight."""
    found = [_tracked(each, known.get(each.name)) for key in LISTS for each in getattr(follower, key)]
    if not found:
        return follower
    return replace(
        follower, checkers=(*follower.checkers, *found), track_scripts=(), track_processes=(), track_files=()
    )


def _tracked(follows: Tracker, tracker: Declared | None) -> Tracked:
    """What is unsaid is the tracker's; a checker that is no tracker has nothing to say of it."""
    weight = follows.weight if follows.weight is not None else tracker.weight if tracker else 0
    reverse = follows.reverse if follows.reverse is not None else tracker.reverse if tracker else False
    return Tracked(follows.name, weight=weight, reverse=reverse, counts=isinstance(tracker, TrackFile))
