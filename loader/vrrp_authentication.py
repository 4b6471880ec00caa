"""How the routers of a ``vrrp_instance`` know each other: what of it can be, and what is left out. Pure.

What is said of a key shows neither the key nor the line after it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from loader.diagnostics import Mark, Problem, error, shown, warning
from loader.draft import Draft
from loader.includes import Secret
from loader.vrrp_model import Authentication, AuthHmac, HmacKey

OWNER = 255
WORD = 8
"""Bytes of a password that VRRP carries."""
SHORTEST, LONGEST = 32, 64
"""Bytes of a key that signs."""
KEY_FILE = "file:"
"""Before the path of a file with a key."""
DIGITS = "hex:"
"""Before a key in hexadecimal digits."""

KeyFiles = Callable[[str, str], Secret]
"""Gives a file with a key, whose path counts from the folder of another file ("": the main one); raises OSError."""


def authentication(draft: Draft, fields: dict[str, Any]) -> None:
    """That of version 2, its word cut to what counts; None where there can be none."""
    block: Draft | None = fields.get("authentication")
    fields["authentication"] = None
    if block is None or not {"auth_type", "auth_pass"} <= block.values.keys():
        return
    word = block.values["auth_pass"].encode("utf-8", "replace")
    if draft.says("auth_hmac"):
        draft.warn("authentication", "auth_hmac takes its place: ignored")
    elif fields["version"] == 3:
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


def trailer(draft: Draft, fields: dict[str, Any], read_key: KeyFiles) -> None:
    """The keys of ``auth_hmac``, read from their files, and which of them signs; None where there is none."""
    block: Draft | None = fields.get("auth_hmac")
    fields["auth_hmac"] = None
    if block is None or "active_key" not in block.values:
        return
    ring = _Ring(block, read_key)
    for place, (id, value) in enumerate(block.values.get("keys", ())):
        ring.add(place, id, value)
    active = block.values["active_key"]
    if active not in ring.seen:
        ring.problems.append(error(f"there is no key {active}", block.where("active_key"), "add it"))
    draft.problems += [draft.out(problem) for problem in ring.problems]
    fields["auth_hmac"] = AuthHmac(**{**block.values, "keys": tuple(ring.keys)})


def default_window(fields: dict[str, Any]) -> None:
    """Three intervals and at least five seconds, as keepalived has it."""
    given: AuthHmac | None = fields["auth_hmac"]
    if given is not None and not given.time_window:
        seconds = min(max(round(3 * fields["advert_interval"]), 5), 300)
        fields["auth_hmac"] = replace(given, time_window=seconds)


class _Ring:
    """Keys as they are gathered, and what is wrong with others. (The block may be shared: it is only looked at.)"""

    def __init__(self, block: Draft, read_key: KeyFiles) -> None:
        self.keys: list[HmacKey] = []
        self.seen: set[int] = set()
        self.problems: list[Problem] = []
        self._block = block
        self._read = read_key

    def add(self, place: int, id: int, value: str) -> None:
        """One more ``key``, which is the block's ``place``-th."""
        mark = self._block.where(f"keys {place}")
        if id in self.seen:
            self._say(error(f"key {id} is given already", mark))
        self.seen.add(id)
        content = self._content(value, mark)
        if content is None:
            return
        if SHORTEST <= len(content) <= LONGEST:
            self.keys.append(HmacKey(id, content))
        else:
            self._say(error(f"a key has {SHORTEST} to {LONGEST} bytes, this one {len(content)}", mark))

    def _content(self, value: str, mark: Mark) -> bytes | None:
        if value.startswith(KEY_FILE):
            return self._from_file(value.removeprefix(KEY_FILE), mark)
        if not value.startswith(DIGITS):
            return value.encode("utf-8", "replace")
        try:
            return bytes.fromhex(value.removeprefix(DIGITS))
        except ValueError:
            self._say(error(f"after {shown(DIGITS)} an even number of hexadecimal digits has to come", mark))
            return None

    def _from_file(self, path: str, mark: Mark) -> bytes | None:
        try:
            content, exposed = self._read(path, self._block.head.file)
        except (OSError, ValueError) as refusal:
            reason = getattr(refusal, "strerror", "") or refusal
            self._say(error(f"cannot read the key file {shown(path)}: {reason}", mark))
            return None
        if exposed:
            self._say(warning(f"others than its owner may read or write the key file {shown(path)}", mark))
        return content.removesuffix(b"\n").removesuffix(b"\r")

    def _say(self, problem: Problem) -> None:
        self.problems.append(replace(problem, secret=True))
