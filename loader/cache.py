"""What is kept between loads: the top-level blocks of the last one, by their text. Pure."""

from collections.abc import Hashable
from typing import Any, NamedTuple

from loader.diagnostics import Mark, Problem
from loader.grammar import Statement
from loader.schema import Plan


class Reference(NamedTuple):
    """A name in a block: its statement, in the text that begins at ``inside`` (of ``file`` if set).

    ``kind`` is what it names, and ``nth`` which of the same names in the statement it is. ``alone``: the block has no
    address that could complete a checker's own, ``portless``: it has an address and no port. ``whole``: the statement
    is the block itself.
    ``member``: an instance is put into the group that names it.
    """

    name: str
    statement: Statement
    inside: int
    file: str
    kind: str = "checker"
    alone: bool = False
    nth: int = 0
    whole: bool = False
    member: bool = True
    portless: bool = False


class Identity(NamedTuple):
    """What only one block may have, and what is said, where, when another has it."""

    key: tuple[object, ...]
    message: str
    mark: Mark


class Entry(NamedTuple):
    """A decoded top-level block: its value, None when it has errors, and what no other block may share with it.

    Marks count from its first character.
    """

    value: Any
    identities: tuple[Identity, ...] = ()
    problems: tuple[Problem, ...] = ()
    references: tuple[Reference, ...] = ()


class Cache:
    """Kept by the caller from load to load: a block whose text is known is neither parsed nor decoded again.

    ``reused`` and ``decoded`` count the top-level blocks of the last load. Other users or other plugins empty it; what
    one load did not need is forgotten. A block that includes files or names one with a key is not kept, nor what
    follows a broken one.
    """

    def __init__(self) -> None:
        self.reused = 0
        self.decoded = 0
        self._users: frozenset[str] = frozenset()
        self._kept: dict[tuple[Plan, str, Hashable], Entry] = {}
        self._fresh: dict[tuple[Plan, str, Hashable], Entry] = {}

    def begin(self, users: frozenset[str]) -> None:
        """Start a load."""
        self._kept = self._fresh if users == self._users else {}
        self._users, self._fresh = users, {}
        self.reused = self.decoded = 0

    def get(self, plan: Plan, text: str, outside: Hashable) -> Entry | None:
        """The block as it was decoded last time; ``outside`` is all that its meaning takes from elsewhere."""
        known = self._kept.get((plan, text, outside))
        self.reused += known is not None
        return known

    def put(self, plan: Plan, text: str, outside: Hashable, entry: Entry) -> None:
        """Keep a block for the next load."""
        self._fresh[plan, text, outside] = entry
