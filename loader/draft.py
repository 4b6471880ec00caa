"""A block half way: its values by key, where each was said, and what is wrong so far. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from loader.diagnostics import Mark, Problem, error, warning
from loader.grammar import Statement, list_parts, word_spans, words
from loader.schema import Plan


class Body(NamedTuple):
    """What stands in a block's braces, decoded. It is shared by all blocks with the same text: nobody changes it.

    ``places`` has every key that was said, also those whose value was refused; of arguments that are said again and
    again also ``KEY 0`` and so on. Marks count in the body's text.
    """

    values: Mapping[str, Any]
    places: Mapping[str, Statement]
    problems: tuple[Problem, ...]


class Draft:
    """One block. All its marks count in the text in which its ``head`` stands."""

    __slots__ = ("body", "head", "plan", "problems", "values")

    def __init__(self, plan: Plan, head: Statement, values: dict[str, Any], body: Body) -> None:
        self.plan = plan
        self.head = head
        self.body = body
        self.values = values
        self.problems = [self.out(problem) for problem in body.problems]

    def says(self, key: str) -> bool:
        """Whether the block itself has the keyword, with a good value or not."""
        return key in self.body.places

    def where(self, key: str) -> Mark:
        """The place of all the words of a value, or of a bare keyword; when unsaid, of the block's `heading`."""
        statement = self.body.places.get(key)
        if statement is not None:
            last = len(word_spans(statement.text)) - 1
            return statement.mark_of(min(1, last), last).within(self.head.inside, self.head.file)
        return self.heading()

    def spot(self, key: str, index: int) -> Mark:
        """The place of one word of a value that is a list, counted over its lines, the keyword being 0; within what
        was to replace the list, when that was refused."""
        parts = list_parts(self.body.places[key])
        marks = [part.mark_of(place) for part in parts for place in range(len(words(part.text)))]
        return marks[min(index, len(marks) - 1)].within(self.head.inside, self.head.file)

    def heading(self) -> Mark:
        """The place of the words that name the block, of its keyword when there are none."""
        last = len(word_spans(self.head.text)) - 1
        return self.head.mark_of(min(1, last), last)

    def error(self, key: str, message: str, hint: str = "") -> None:
        """Refuse the value of a key."""
        self.problems.append(error(message, self.where(key), hint))

    def warn(self, key: str, message: str, hint: str = "") -> None:
        """Point at the value of a key."""
        self.problems.append(warning(message, self.where(key), hint))

    def out(self, problem: Problem) -> Problem:
        """A problem inside the braces, with its marks counted as this block's own."""
        return problem.within(self.head.inside, self.head.file)
