"""How the routers of a ``vrrp_instance`` know each other: what of it can be, and what is left out. Pure."""

from typing import Any

from loader.draft import Draft
from loader.vrrp_model import Authentication

OWNER = 255
WORD = 8
"""Bytes of a password that VRRP carries."""


def authentication(draft: Draft, fields: dict[str, Any]) -> None:
    """That of version 2, its word cut to what counts; None where there can be none."""
    block: Draft | None = fields.get("authentication")
    fields["authentication"] = None
    if block is None or not {"auth_type", "auth_pass"} <= block.values.keys():
        return
    word = block.values["auth_pass"].encode("utf-8", "replace")
    if fields["version"] == 3:
        draft.warn("authentication", "VRRPv3 has no authentication: ignored")
    elif not word:
        draft.warn("authentication", "the password is empty: ignored")
    else:
        if len(word) > WORD:
            draft.warn("authentication", f"of the password only {WORD} bytes count")
        fields["authentication"] = Authentication(
            auth_type=block.values["auth_type"], auth_pass=word[:WORD].decode(errors="ignore")
        )


def begin_as_backup(draft: Draft, fields: dict[str, Any]) -> None:
    """With AH a router is to hear the others' sequence numbers before it speaks (keepalived)."""
    given: Authentication | None = fields["authentication"]
    if given and given.auth_type == "AH" and fields["state"] == "MASTER" and fields["priority"] != OWNER:
        draft.warn("state", "with AH a router begins as BACKUP, to learn from the master: BACKUP is taken")
        fields["state"] = "BACKUP"
