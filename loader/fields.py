"""The schema of configuration keywords, as frozen values. A `Keyword` says everything about one: kind, default, range,
unit, choices, names, help. The program's own blocks declare them in `loader.model`; plugins hand theirs in as `Block`.
"""

import re
from typing import Any, Literal

import msgspec

Kind = Literal[
    "str",
    "int",
    "float",
    "seconds",
    "bool",
    "flag",
    "address",
    "network",
    "port",
    "prefix",
    "words",
    "ranges",
    "pattern",
    "script",
    "arguments",
    "marked",
    "rows",
    "block",
]
"""How a value is written, and what it becomes:

``str`` one word · ``int`` · ``float`` and ``seconds`` decimal, float · ``bool`` bare or on/off/true/false/yes/no ·
``flag`` bare only, and means ``bare`` · ``address`` canonical text · ``network`` an address with its prefix length, all
bits of it if unsaid, tuple · ``port`` 1..65535 · ``prefix`` a length or an IPv4 netmask, int · ``words`` on the line or
in braces, tuple · ``ranges`` N and N-M, tuple of (first, last) · ``pattern`` a regular expression that compiles, str ·
``script`` a `Script` · ``arguments`` words in the order of ``options``, tuple · ``marked`` the same, but those with a
``marker`` stand behind it, wherever that is · ``rows`` on the line or
one a line in braces, each a value and then its own ``options``, tuple of `loader.rows.Row` · ``block`` tuple of
(name, value).
"""

TICK = 0.001
"""Shortest time that makes sense, in seconds: the event loop counts in these."""
MONTH = 2_678_400
"""Longest time, in seconds: that of the longest persistence in IPVS."""


class Keyword(msgspec.Struct, frozen=True):
    """One keyword. ``min`` and ``max`` are inclusive; ``bare`` is the value when the keyword stands alone.

    ``pattern`` has to match a ``str`` wholly. A ``repeated`` keyword gathers a tuple. ``marker`` is the literal word
    that introduces an argument. Lists in ``default`` become tuples, so that a keyword can be hashed.
    """

    name: str
    kind: Kind = "str"
    default: Any = None
    required: bool = False
    min: float | None = None
    max: float | None = None
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    repeated: bool = False
    secret: bool = False
    help: str = ""
    unit: str = ""
    pattern: str = ""
    options: tuple["Keyword", ...] = ()
    bare: Any = None
    marker: str = ""

    def __post_init__(self) -> None:
        default = () if self.repeated and self.default is None else _frozen(self.default)
        msgspec.structs.force_setattr(self, "default", default)
        msgspec.structs.force_setattr(self, "bare", _frozen(self.bare))
        try:
            re.compile(self.pattern)
        except re.error as refusal:
            raise ValueError(f"pattern of {self.name!r}: {refusal}") from None

    @property
    def names(self) -> tuple[str, ...]:
        """Every word that means this keyword, the proper one first."""
        return (self.name, *self.aliases)

    @property
    def usage(self) -> str:
        """How it is written, for hints: ``weight N (0..65535)``."""
        return f"{self.name} {self.value_usage}".rstrip()

    @property
    def value_usage(self) -> str:
        """How its value is written."""
        if self.kind == "rows":
            first, *others = self.options
            return " ".join([FORMS[first.kind], *(f"[{option.usage}]" for option in others), "..."])
        if self.kind == "marked":
            return " ".join(option.as_marked for option in self.options)
        if self.kind == "arguments":
            return " ".join(option.as_argument for option in self.options)
        form = f"{'|'.join(self.choices) or FORMS[self.kind]} {self.limits}".strip()
        is_optional = form and (self.bare is not None or self.kind == "bool")
        return f"[{form}]" if is_optional else form

    @property
    def as_argument(self) -> str:
        """How it is written as one of several words: ``ADDRESS``, ``[PORT]``, ``fwmark N``."""
        if self.marker:
            return f"{self.marker} {FORMS[self.kind]}"
        return self.name.upper() if self.required else f"[{self.name.upper()}]"

    @property
    def as_marked(self) -> str:
        """How it is written as one of several words of which some have markers: ``NAT|DR|TUN``, ``[id N (0..255)]``."""
        own = "|".join(self.choices)
        if not self.marker:
            return own or self.name.upper() if self.required else f"[{own or self.name.upper()}]"
        return f"[{self.marker} {own or f'{FORMS[self.kind]} {self.limits}'.rstrip()}]"

    @property
    def limits(self) -> str:
        """The range in brackets, with its unit; empty when there is none."""
        if self.min is None and self.max is None:
            return f"({self.unit})" if self.unit else ""
        low = "" if self.min is None else f"{self.min:.12g}"
        high = "" if self.max is None else f"{self.max:.12g}"
        return f"({low}..{high} {self.unit}".rstrip() + ")"


class Block(msgspec.Struct, frozen=True):
    """What a checker plugin adds to the language: its bare keyword and the options inside its braces.

    ``aims`` is whether it needs a target: ``always``; ``host``: an address alone; ``maybe``: it makes use of one;
    ``never``.
    """

    keyword: str
    help: str = ""
    options: tuple[Keyword, ...] = ()
    aims: Literal["always", "host", "maybe", "never"] = "always"


FORMS: dict[str, str] = {
    "str": "TEXT",
    "int": "N",
    "float": "NUMBER",
    "seconds": "SECONDS",
    "bool": "on|off",
    "flag": "",
    "address": "IP",
    "network": "IP[/PREFIX]",
    "port": "PORT (1..65535)",
    "prefix": "PREFIX|NETMASK",
    "words": "WORD ...",
    "ranges": "N|N-M ...",
    "pattern": "REGEX",
    "script": '"COMMAND" [USER [GROUP]]',
    "arguments": "",
    "marked": "",
    "rows": "",
    "block": "{ ... }",
}
"""How messages and documentation write a value of each kind."""


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value
