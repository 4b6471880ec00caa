"""Edits that a data plane refused: which wait before they are tried again, and why. Pure: time is given."""

from collections.abc import Collection

import msgspec

from actors.core.table import Edit

FIRST = 1.0
"""Seconds from the first refusal of an edit to the next try; each further refusal doubles them."""
LONGEST = 60.0


class Refusal(msgspec.Struct, frozen=True):
    """An edit is not tried before ``until``; it waited ``delay`` seconds, for this ``error``."""

    until: float
    delay: float
    error: str


class Refusals:
    """Remembers an edit until it succeeds, or nobody wants it any more."""

    def __init__(self) -> None:
        self._known: dict[Edit, Refusal] = {}

    def bar(self, edit: Edit, now: float) -> str:
        """Why an edit must wait; empty when it may be tried."""
        known = self._known.get(edit)
        return known.error if known is not None and now < known.until else ""

    def note(self, edit: Edit, error: str, now: float) -> None:
        """An edit was refused."""
        known = self._known.get(edit)
        delay = min(known.delay * 2, LONGEST) if known else FIRST
        self._known[edit] = Refusal(now + delay, delay, error)

    def keep(self, wanted: Collection[Edit]) -> None:
        """Forget all but those that are still wanted."""
        if self._known:
            self._known = {edit: self._known[edit] for edit in wanted if edit in self._known}

    @property
    def next(self) -> float | None:
        """When the first of them may be tried; None when there is none."""
        return min((refusal.until for refusal in self._known.values()), default=None)
