"""`checker` and `block`: the decorators that make a class a plugin, or a part of a plugin's configuration."""

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform

from plugins.api.options import BadPlugin, Option, defect, option

Class = TypeVar("Class", bound=type)

AIMS = ("always", "host", "maybe", "never")

_KEYWORD = re.compile(r"(?!RT_|TH_)[A-Z][A-Z0-9_]*")
_KINDS: dict[Any, str] = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    tuple[str, ...]: "words",
    tuple[tuple[int, int], ...]: "ranges",
}


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(option,))
def checker(keyword: str, aims: str = "always") -> Callable[[Class], Class]:
    """Make a class with ``probe(self, target)`` the checker plugin of ``keyword``, a frozen value of its options.

    With a ``setup(self)`` that returns a client it is ``probe(self, target, client)``; ``close(self, client)``, or else
    the client's own ``close()``, ends what setup began. ``watch(self, client)`` returns descriptors: as soon as one of
    them can be read, the next probe is due. Where they run, and when: see `plugins.api.Session`.
    One that ``aims`` at a target ``always`` needs an address and a port, at a ``host`` an address alone; ``maybe`` it
    does without, as what runs a program; ``never`` it has none, and runs once for all who follow it.
    Raises `BadPlugin` naming the class and what is wrong with it.
    """

    def declare(cls: Class) -> Class:
        if not isinstance(keyword, str) or not _KEYWORD.fullmatch(keyword):
            raise BadPlugin(f"{cls.__name__}: {keyword!r} is no keyword: A-Z, 0-9 and _, without RT_ or TH_")
        if not callable(getattr(cls, "probe", None)):
            raise BadPlugin(f"{keyword}: class {cls.__name__} has no method probe(self, target)")
        if aims not in AIMS:
            raise BadPlugin(f"{keyword}: aims is none of {', '.join(AIMS)}")
        _refuse_odd_methods(cls, keyword)
        made = _declare(cls, keyword)
        made._aims = aims  # type: ignore[attr-defined]
        return made

    return declare


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(option,))
def block(cls: Class) -> Class:
    """Make a plain class with options a block of the configuration, for ``option(block=...)``."""
    return _declare(cls, "")


def keyword_of(cls: type) -> str:
    """The keyword of a checker class itself; "" for every other class, its subclasses too."""
    return str(cls.__dict__.get("_keyword", ""))


def aims_of(cls: type) -> str:
    """Whether a checker aims at a target: always, a host, maybe or never."""
    return str(cls.__dict__.get("_aims", "always"))


def options_of(cls: type) -> dict[str, Option]:
    """The options of a checker or block class, by attribute. Raises `BadPlugin` for any other class."""
    try:
        options: dict[str, Option] = cls.__dict__["_options"]
    except (AttributeError, KeyError):
        raise BadPlugin(f"{cls!r} is made by neither @checker nor @block") from None
    return options


def _refuse_odd_methods(cls: type, keyword: str) -> None:
    """The methods take what they will be given: noticed at the start, and not by the first probe."""
    keeps = callable(getattr(cls, "setup", None))
    wanted = {"probe": "self, target, client" if keeps else "self, target"}
    if keeps:
        wanted |= {"setup": "self", "close": "self, client", "watch": "self, client"}
    for name in ("close", "watch"):
        if not keeps and callable(getattr(cls, name, None)):
            raise BadPlugin(f"{keyword}: class {cls.__name__} has a {name}(self, client) but no setup(self)")
    for name, parameters in wanted.items():
        method = getattr(cls, name, None)
        if callable(method) and not _takes(method, parameters.count(",") + 1):
            raise BadPlugin(f"{keyword}: class {cls.__name__} must have {name}({parameters})")


def _takes(method: Callable[..., Any], arguments: int) -> bool:
    try:
        inspect.signature(method).bind(*range(arguments))
    except TypeError:
        return False
    except ValueError:  # of what is written in C nothing is known
        return True
    return True


def _declare(cls: Class, keyword: str) -> Class:
    title = keyword or cls.__name__
    if "__init__" in cls.__dict__:
        raise BadPlugin(f"{title}: class {cls.__name__} has an __init__; its options make it")
    try:
        made: Any = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        hints = typing.get_type_hints(made)
    except (TypeError, NameError, ValueError, AttributeError) as error:
        raise BadPlugin(f"{title}: {error}") from None
    options = {field.name: _option(title, field, hints[field.name]) for field in dataclasses.fields(made)}
    _refuse_twins(title, options)
    made._keyword, made._options = keyword, options
    return cls


def _option(title: str, field: Any, hint: Any) -> Option:
    given = field.metadata.get("option")
    if given is None:
        raise BadPlugin(f"{title}: attribute {field.name!r} is not declared by option()")
    kind, block, repeated = _kind(given, hint)
    texts = {key: given[key] for key in ("help", "min", "max", "unit", "secret", "pattern", "bare")}
    made = Option(
        name=given["name"] or field.name,
        kind=kind,
        default=field.default,
        choices=tuple(given["choices"]),
        aliases=tuple(given["aliases"]),
        repeated=repeated,
        block=block,
        **texts,
    )
    wrong = defect(made)
    if wrong:
        raise BadPlugin(f"{title}: option {made.name!r}: {wrong}")
    return made


def _kind(given: dict[str, Any], hint: Any) -> tuple[str, type | None, bool]:
    """Kind, class of the block, and whether it may be repeated."""
    inner, repeated = _inner(hint)
    block = given["block"] or (inner if "_options" in getattr(inner, "__dict__", {}) else None)
    if block is not None:
        options_of(block)
        return "block", block, repeated
    if given["repeated"] and hint == tuple[str, ...]:
        return "str", None, True
    return given["kind"] or _KINDS.get(hint, str(hint)), None, False


def _inner(hint: Any) -> tuple[Any, bool]:
    """What a tuple is of, what an optional value is; and whether it is a tuple."""
    args = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and len(args) == 2 and args[1] is Ellipsis:
        return args[0], True
    if isinstance(hint, types.UnionType) and args[-1] is type(None):
        return args[0], False
    return hint, False


def _refuse_twins(title: str, options: dict[str, Option]) -> None:
    seen: set[str] = set()
    for each in options.values():
        for name in (each.name, *each.aliases):
            if name in seen:
                raise BadPlugin(f"{title}: {name!r} is declared twice")
            seen.add(name)
