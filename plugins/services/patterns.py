"""Regular expressions on what servers send: compiled once, and searched for a limited time only."""

from functools import cache
from typing import Any

import regex

from plugins.api import Failed

SECONDS = 0.05
"""Time after which a search gives up: some patterns would need years, and a search lets nothing else run."""


@cache
def compiled(pattern: str, flags: int = 0) -> Any:
    """The expression for bytes; its ``search`` takes a ``timeout``. Raises `Failed` for what is none."""
    try:
        return regex.compile(pattern.encode(), flags)
    except (regex.error, RecursionError) as error:
        raise Failed(f"regex cannot be used: {error}") from None
