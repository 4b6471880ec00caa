"""The rules of each block: what its values mean together. Pure.

A rule looks at a decoded block, adds to its problems, and returns the fields of the model's value. Where it puts
something right it does what keepalived does, and says so in a warning.
"""

from typing import Any

from loader.decode import options
from loader.diagnostics import shown
from loader.draft import Draft
from loader.expressions import KEYWORD, OPTION, BadExpression, parsed
from loader.model import Identity, Relay, SyncDaemon, Timeouts
from loader.schema import option_key
from loader.values import family, is_multicast

PREFIXES = {"RT_": False, "TH_": True}
"""What a checker's keyword begins with, and whether that means a thread of its own."""


def global_defs(draft: Draft, users: frozenset[str]) -> dict[str, Any]:
    """The fields of one ``global_defs`` that were said."""
    fields = dict(draft.values)
    if "smtp_server" in fields:
        fields["smtp_server"] = Relay(*fields["smtp_server"])
    if "script_user" in fields:
        first, second = fields["script_user"]
        user, _, glued = first.partition(":")
        if users and user not in users:
            draft.error("script_user", f"no user {shown(user)} on this machine")
        fields["script_user"] = Identity(user, glued or second.removeprefix(":"))
    if "lvs_timeouts" in fields:
        fields["lvs_timeouts"] = Timeouts(*fields["lvs_timeouts"])
    if "lvs_sync_daemon" in fields:
        fields["lvs_sync_daemon"] = daemon = SyncDaemon(*fields["lvs_sync_daemon"])
        if daemon.group and not is_multicast(daemon.group):
            draft.error("lvs_sync_daemon", f"{daemon.group} is not a multicast address")
    for key in ("vrrp_cpu_affinity", "checker_cpu_affinity"):
        if key in fields:
            fields[key] = tuple(map(int, fields[key]))
    for key, own in (("vrrp_mcast_group4", 4), ("vrrp_mcast_group6", 6)):
        if key in fields and not (family(fields[key]) == own and is_multicast(fields[key])):
            draft.error(key, f"{fields[key]} is not an IPv{own} multicast address")
    return fields


def checker(draft: Draft) -> dict[str, Any]:
    """The fields of a checker: tries become failures, the plugin's options one tuple."""
    fields = {key: value for key, value in draft.values.items() if not key.startswith("option ")}
    title = draft.plan.title
    threaded = PREFIXES.get(title[:3])
    fields["keyword"], fields["threaded"] = title if threaded is None else title[3:], bool(threaded)
    fields["options"], fields["aims"] = options(draft), draft.plan.aims
    if fields["keyword"] == KEYWORD and option_key(OPTION) in draft.values:
        try:
            parsed(draft.values[option_key(OPTION)])
        except BadExpression as error:
            draft.error(option_key(OPTION), str(error))
    if "retry" in fields:
        _agree(draft, fields["retry"] + 1, fields.get("fall"))
        fields.setdefault("fall", fields["retry"] + 1)
    return fields


def _agree(draft: Draft, by_retry: int, fall: int | None) -> None:
    if fall is not None and fall != by_retry:
        draft.error("fall", f"'retry {by_retry - 1}' means 'fall {by_retry}', not 'fall {fall}'", "give one of the two")
