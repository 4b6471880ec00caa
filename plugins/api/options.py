"""Options: what a plugin declares of its configuration keywords, and the rules that a declaration must keep."""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

RESERVED = frozenset(
    {"connect_ip", "connect_port", "bindto", "bind_port", "bind_if", "fwmark", "tos"}
    | {"connect_timeout", "delay_loop", "retry", "nb_get_retry"}
    | {"delay_before_retry", "warmup", "rise", "fall", "jitter", "init", "alpha", "log_all_failures"}
    | {"fast_interval", "down_interval", "reverse"}
)
"""Keywords that every checker has; the daemon owns them, no plugin may declare them."""

NUMERIC = frozenset({"int", "float", "seconds", "port", "ranges"})
KINDS = NUMERIC | {"str", "bool", "address", "words", "pattern", "block", "script"}
_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "port": (int,), "float": (int, float), "seconds": (int, float)}
_TYPES |= {"bool": (bool,), "words": (tuple,), "ranges": (tuple,), "script": (str, tuple)}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class BadPlugin(ValueError):
    """A plugin is declared wrongly, or was given options that it does not have. The text says which and why."""


class Required:
    """The type of `REQUIRED`."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = Required()
"""The default of an option that has none: the configuration must give it."""


@dataclass(frozen=True)
class Option:
    """One option as it was declared, its name and kind filled in. ``block`` is the class of a nested block."""

    name: str
    kind: str
    default: Any
    help: str
    min: float | None
    max: float | None
    choices: tuple[Any, ...]
    aliases: tuple[str, ...]
    repeated: bool
    unit: str
    secret: bool
    pattern: str
    bare: Any
    block: type | None


def option(
    default: Any = REQUIRED,
    *,
    help: str = "",
    kind: str = "",
    min: float | None = None,
    max: float | None = None,
    choices: tuple[Any, ...] = (),
    aliases: tuple[str, ...] = (),
    unit: str = "",
    secret: bool = False,
    pattern: str = "",
    name: str = "",
    bare: Any = None,
    block: type | None = None,
    repeated: bool = False,
) -> Any:
    """Declare an attribute of a plugin to be a configuration keyword.

    ``kind`` comes from the annotation unless given: str, int, float, bool, ``tuple[str, ...]`` (words), pairs of
    numbers (ranges), or a class made by `block` (one block, or a tuple of them when it may be repeated). Only
    ``kind`` can say seconds, address, port, pattern (a regular expression) or script (a `Command`). ``min`` and
    ``max`` are inclusive, ``pattern`` must match the whole of a str and each of words, ``bare`` is the value of a
    keyword that stands alone, ``name`` is the keyword where it is not the attribute's name, a ``secret`` is never
    shown. A tuple of str that is ``repeated`` gathers one of each statement, where words are all in one.
    """
    given = {key: value for key, value in locals().items() if key != "default"}
    return dataclasses.field(default=default, repr=not secret, metadata={"option": given})


def defect(option: Option) -> str:
    """What is wrong with an option, in words; empty when it is well formed."""
    return _name_defect(option) or _kind_defect(option) or _default_defect(option)


def _name_defect(option: Option) -> str:
    for name in (option.name, *option.aliases):
        if not _NAME.fullmatch(name):
            return f"{name!r} is no keyword: letters, digits, _ and -, a letter first"
        if name in RESERVED:
            return f"{name!r} is a keyword that every checker has"
    return ""


def _kind_defect(option: Option) -> str:
    if option.kind not in KINDS:
        return f"kind {option.kind!r} is none of {', '.join(sorted(KINDS))}"
    if (option.min is not None or option.max is not None) and option.kind not in NUMERIC:
        return f"min and max mean nothing to kind {option.kind}"
    if option.min is not None and option.max is not None and option.min > option.max:
        return f"min {option.min} is above max {option.max}"
    if option.pattern and option.kind not in ("str", "words"):
        return f"a pattern means nothing to kind {option.kind}"
    try:
        re.compile(option.pattern)
    except re.error as error:
        return f"pattern {option.pattern!r} is no regular expression: {error}"
    return ""


def _default_defect(option: Option) -> str:
    default = option.default
    if default is REQUIRED or (option.kind == "block" and default in ((), None)) or (option.repeated and default == ()):
        return ""
    if option.kind == "block":
        return "a block's default is () when it is repeated, else None"
    kinds = _TYPES.get(option.kind, (str,))
    if not isinstance(default, kinds) or (isinstance(default, bool) and bool not in kinds):
        return f"default {default!r} is not of kind {option.kind}"
    if option.kind in NUMERIC and option.kind != "ranges":
        return _bounds_defect(option)
    if default and option.choices and default not in option.choices:
        return f"default {default!r} is none of the choices"
    return ""


def _bounds_defect(option: Option) -> str:
    below = option.min is not None and option.default < option.min
    above = option.max is not None and option.default > option.max
    return f"default {option.default!r} is outside its range" if below or above else ""
