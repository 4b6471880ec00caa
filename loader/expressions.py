"""Expressions over checkers, as COMBINE has them. Pure."""

from collections.abc import Iterator
from functools import lru_cache

import msgspec
import pyparsing as pp

from loader.diagnostics import shown

KEYWORD = "COMBINE"
OPTION = "expression"
LONGEST = 4096
"""Characters of an expression."""

DEEPEST = 50
"""Brackets within brackets, and NOT behind NOT."""


class Name(msgspec.Struct, frozen=True):
    """A checker."""

    name: str


class Count(msgspec.Struct, frozen=True):
    """At least ``needed`` of ``parts``."""

    needed: int
    parts: tuple["Expression", ...]


class Negation(msgspec.Struct, frozen=True):
    """Not ``part``."""

    part: "Expression"


Expression = Name | Count | Negation


class BadExpression(ValueError):
    """Why a text is no expression."""


def _some(tokens: pp.ParseResults, everyone: bool) -> object:
    parts = tuple(tokens)
    return parts[0] if len(parts) == 1 else Count(len(parts) if everyone else 1, parts)


def _grammar() -> pp.ParserElement:
    word = pp.CaselessKeyword
    open_, close = pp.Suppress("("), pp.Suppress(")")
    reserved = word("AND") | word("OR") | word("NOT") | word("OF")
    name = ~reserved + pp.Regex(r"[^\s(),]+").set_parse_action(lambda tokens: Name(tokens[0])).set_name("a name")
    whole = pp.Forward()
    number = pp.Regex(r"[0-9]{1,4}").set_parse_action(lambda tokens: int(tokens[0]))
    listed = open_ - pp.OneOrMore(whole + pp.Optional(pp.Suppress(","))) - close
    count = number + pp.Suppress(word("OF")) - pp.Group(listed)
    count.set_parse_action(lambda tokens: Count(tokens[0], tuple(tokens[1])))
    atom = count | name | open_ - whole - close
    negation = pp.Forward()
    negation <<= (pp.Suppress(word("NOT")) - negation).set_parse_action(lambda tokens: Negation(tokens[0])) | atom
    both = pp.DelimitedList(negation, word("AND")).set_parse_action(lambda tokens: _some(tokens, True))
    whole <<= pp.DelimitedList(both, word("OR")).set_parse_action(lambda tokens: _some(tokens, False))
    return whole + pp.StringEnd()


GRAMMAR = _grammar()


@lru_cache(maxsize=1024)
def parsed(words: tuple[str, ...]) -> Expression:
    """The expression of ``words``, parsed once though several ask. Raises `BadExpression`."""
    text = " ".join(words)
    if len(text) > LONGEST or text.count("(") + text.lower().count("not") > DEEPEST:
        raise BadExpression("the expression is too long")
    try:
        found: Expression = GRAMMAR.parse_string(text)[0]
    except pp.ParseBaseException as error:
        rest = text[error.loc :].strip()
        near = f"before {shown(rest.split()[0])}" if rest else "at its end"
        raise BadExpression(f"the expression is wrong {near}") from None
    for each in _counts(found):
        if not 1 <= each.needed <= len(each.parts):
            raise BadExpression(f"'{each.needed} of' must be 1 to {len(each.parts)}: so many follow")
    return found


def names(expression: Expression) -> Iterator[str]:
    """The checkers that it names, in order."""
    match expression:
        case Name(name):
            yield name
        case Negation(part):
            yield from names(part)
        case Count(_, parts):
            for part in parts:
                yield from names(part)


def _counts(expression: Expression) -> Iterator[Count]:
    match expression:
        case Negation(part):
            yield from _counts(part)
        case Count(_, parts):
            yield expression
            for part in parts:
                yield from _counts(part)
