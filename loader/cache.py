"""What is kept between loads: the top-level blocks of the last one, by their text. Pure."""

from typing import Any, NamedTuple

from loader.diagnostics import Problem
from loader.grammar import Statement
from loader.schema import Plan


class Reference(NamedTuple):
    """A checker's name in a block: its statement, in the text that begins at ``inside`` (of ``file`` if set).

    ``alone``: the block has no address that could complete the checker's own.
    """

    name: str
    statement: Statement
    inside: int
    file: str
    alone: bool = False


class Entry(NamedTuple):
    """A decoded top-level block: its value, None when it has errors, and what no other block may share with it.

    Marks count from its first character.
    """

    value: Any
    identity: tuple[object, ...] = ()
    problems: tuple[Problem, ...] = ()
    references: tuple[Reference, ...] = ()


class Cache:
    """Kept by the caller from load to load: a block whose text is known is neither parsed nor decoded again.

    ``reused`` and ``decoded`` count the top-level blocks of the last load. Other users or other plugins empty it; what
    one load did not need is forgotten. A block that includes files is not kept.
    """

    def __init__(self) -> None:
        self.reused = 0
        self.decoded = 0
        self._users: frozenset[str] = frozenset()
        self._kept: dict[tuple[Plan, str], Entry] = {}
        self._fresh: dict[tuple[Plan, str], Entry] = {}

    def begin(self, users: frozenset[str]) -> None:
        """Start a load."""
        self._kept = self._fresh if users == self._users else {}
        self._users, self._fresh = users, {}
        self.reused = self.decoded = 0

    def get(self, plan: Plan, text: str) -> Entry | None:
        """The block as it was decoded last time."""
        known = self._kept.get((plan, text))
        self.reused += known is not None
        return known

    def put(self, plan: Plan, text: str, entry: Entry) -> None:
        """Keep a block for the next load."""
        self._fresh[plan, text] = entry
