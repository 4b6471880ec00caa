"""What strict mode takes away from a ``vrrp_instance``, as keepalived does. Pure."""

from dataclasses import replace
from typing import Any

from loader.draft import Draft
from loader.vrrp_model import AuthHmac

OWNER = 255

SILENT = {"garp_lower_prio_repeat": 0, "lower_prio_no_advert": True}
"""A strict MASTER lets a lower priority talk."""

NEVER: dict[str, Any] = {
    "preempt_delay": 0.0,
    "down_timer_adverts": 3,
    "higher_prio_send_advert": False,
    "vmac_xmit_base": False,
    "authentication": None,
}
"""What the RFCs do not know, and what is taken instead."""


def strict(draft: Draft, fields: dict[str, Any]) -> None:
    """Put a strict instance right; what it said itself and loses is pointed out."""
    for key, value in NEVER.items():
        if fields.get(key, value) != value and draft.says(key):
            draft.warn(key, "strict mode does not know this: ignored")
        if key in fields:
            fields[key] = value
    fields |= SILENT
    _enforce(draft, fields)
    if fields["unicast_peers"]:
        draft.error("unicast_peers", "strict mode has no unicast", "drop strict_mode, or the peers")
    owner = fields["priority"] == OWNER
    _state(draft, fields, "MASTER" if owner else "BACKUP")
    if draft.says("accept") and fields.get("accept") and not owner:
        draft.warn("accept", "in strict mode only the owner answers to the addresses: ignored")
    fields["accept"] = owner


def _enforce(draft: Draft, fields: dict[str, Any]) -> None:
    given: AuthHmac | None = fields["auth_hmac"]
    if given is not None and given.mode != "enforce":
        draft.warn("auth_hmac", f"strict mode hears signed adverts alone: enforce is taken, not {given.mode}")
        fields["auth_hmac"] = replace(given, mode="enforce")


def _state(draft: Draft, fields: dict[str, Any], due: str) -> None:
    """The wish follows the priority."""
    if fields["state"] != due:
        draft.warn("state", f"strict mode begins by priority {fields['priority']}: {due} is taken")
        fields["state"] = due
