"""From declarations to decode plans: what a block's words may be, compiled once per block. Pure.

A block is one frozen dataclass whose fields are made by `option`, `switch`, `argument`, `nested`,
`inner`, `rows`, `beside`, `marked`, `flags`, `derived`.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import msgspec

from loader.fields import Block, Keyword, Kind
from loader.source import Position
from loader.values import default as typed_default

KEY = "loader"

INLINE = "inline "
"""What the keys of plugins' blocks in a real server begin with."""

Model = Any
"""A frozen dataclass whose fields were made here. (No more precise type is both hashable and known to have fields.)"""


class Slot(NamedTuple):
    """A keyword in a block: where its value goes, and the plan of its inside when it has one.

    ``role`` is ``option``, ``argument`` (a word of the block's head), ``flag`` (its name is gathered in ``key``). One
    that ``gathers`` may be said again and again.
    """

    key: str
    keyword: Keyword
    role: str
    plan: "Plan | None" = None
    gathers: bool = False


class Form(NamedTuple):
    """One way to write a block's head: its keywords in order, and the keys of their values."""

    keys: tuple[str, ...] = ()
    keywords: tuple[Keyword, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """How one kind of block is decoded. ``built`` is its dataclass, None for a block inside a plugin's.

    ``head`` has the forms that the words before the brace can take, by the word that marks a form, "" for the usual
    one. ``options`` are what a plugin declared: key, name, default. ``usage`` is how the head is written.
    ``aims`` is whether a plugin needs a target.
    """

    title: str
    built: type[Any] | None
    head: Mapping[str, Form]
    slots: Mapping[str, Slot]
    required: tuple[Slot, ...]
    options: tuple[tuple[str, str, object], ...]
    usage: str
    aims: str = "always"


def option(kind: Kind, default: Any = dataclasses.MISSING, **more: Any) -> Any:
    """A keyword inside the braces. Without a default it is required. ``more`` are attributes of `Keyword`."""
    required = default is dataclasses.MISSING
    keyword = Keyword(more.pop("name", ""), kind, None if required else default, required, **more)
    return dataclasses.field(
        default=default, kw_only=True, repr=not keyword.secret, metadata={KEY: ("option", keyword)}
    )


def argument(kind: Kind, default: Any = dataclasses.MISSING, **more: Any) -> Any:
    """A word of the block's head, in the order of declaration; with a ``marker``, the one after that word."""
    required = default is dataclasses.MISSING
    keyword = Keyword("", kind, None if required else default, required or "marker" in more, **more)
    return dataclasses.field(default=default, metadata={KEY: ("argument", keyword)})


def nested(name: str, block: type[Any], **more: Any) -> Any:
    """Any number of blocks inside, gathered in a tuple."""
    keyword = Keyword(name, "block", (), repeated=True, **more)
    return dataclasses.field(default=(), kw_only=True, metadata={KEY: ("option", keyword, block)})


def inner(name: str, block: type[Any], default: Any, **more: Any) -> Any:
    """One block inside; what it decodes to is for the rules of the outer one to take apart."""
    keyword = Keyword(name, "block", None, **more)
    return dataclasses.field(default=default, kw_only=True, metadata={KEY: ("option", keyword, block)})


def rows(name: str, row: type[Any], **more: Any) -> Any:
    """A list of values with options of their own, as ``row`` declares them: its argument, then its options."""
    keyword = Keyword(name, "rows", (), **more)
    return dataclasses.field(default=(), kw_only=True, metadata={KEY: ("rows", keyword, row)})


def switch(on: str, off: str, default: bool | None, **more: Any) -> Any:
    """Two bare keywords for one truth; the later one counts. None: neither was said."""
    pair = [Keyword(name, "flag", default, bare=value, **more) for name, value in ((on, True), (off, False))]
    return dataclasses.field(default=default, kw_only=True, metadata={KEY: ("switch", *pair)})


def beside(name: str, group: type[Any], **more: Any) -> Any:
    """One statement whose arguments are ``group``'s, and whose options stand beside it in the same block."""
    keyword = Keyword(name, "arguments", None, **more)
    return dataclasses.field(default=None, kw_only=True, metadata={KEY: ("beside", keyword, group)})


def marked(name: str, group: type[Any], default: Any, **more: Any) -> Any:
    """One statement with ``group``'s words: those with a marker behind it, in any order, the others in theirs.

    Rules make a ``group`` of the tuple of all of them. Documentation calls the ``default`` what is ``said`` of it.
    """
    words = tuple(slot.keyword for field in dataclasses.fields(group) for slot in _slots(field))
    keyword = Keyword(name, "marked", more.pop("said", None), options=words, **more)
    return dataclasses.field(default=default, kw_only=True, metadata={KEY: ("option", keyword)})


def flags(**helps: str) -> Any:
    """Bare keywords whose names are gathered in a tuple, in the order given here (``_`` in a name is ``-``)."""
    keywords = [Keyword(name.replace("_", "-"), "bool", False, bare=True, help=text) for name, text in helps.items()]
    return dataclasses.field(default=(), kw_only=True, metadata={KEY: ("flags", *keywords)})


def derived(default: Any = dataclasses.MISSING, kw_only: bool = True) -> Any:
    """A field that no keyword sets; what decodes the block fills it."""
    return dataclasses.field(default=default, kw_only=kw_only)


def position() -> Any:
    """Where the block begins. Blocks that differ only in this are equal."""
    return dataclasses.field(default=Position(), kw_only=True, compare=False)


@cache
def plan_of(built: Model, title: str) -> Plan:
    """The plan of a block that a dataclass declares."""
    slots = [slot for field in dataclasses.fields(built) for slot in _slots(field)]
    return _plan(title, built, slots)


@lru_cache(maxsize=4096)
def plugin_plan(built: Model, title: str, block: Block) -> Plan:
    """The plan of a plugin's block: the dataclass with the options that every plugin has, and the plugin's own."""
    common = [slot for field in dataclasses.fields(built) for slot in _slots(field)]
    own = [slot._replace(key=option_key(slot.key)) for slot in _option_slots(block.options)]
    return dataclasses.replace(_plan(title, built, own + common, own), aims=block.aims)


def with_blocks(plan: Plan, inside: str, built: Model, blocks: tuple[Block, ...]) -> Plan:
    """The plan of a block whose inner block ``inside`` also takes those of plugins, any number of each.

    Their drafts are gathered under ``inline KEYWORD``.
    """
    outer = plan.slots[inside]
    assert outer.plan is not None
    more = {block.keyword: _inline(built, block) for block in blocks if block.keyword not in outer.plan.slots}
    inner = dataclasses.replace(outer.plan, slots={**outer.plan.slots, **more})
    return dataclasses.replace(plan, slots={**plan.slots, inside: outer._replace(plan=inner)})


def _inline(built: Model, block: Block) -> Slot:
    keyword = Keyword(block.keyword, "block", (), repeated=True, help=block.help)
    return Slot(f"{INLINE}{block.keyword}", keyword, "option", plugin_plan(built, block.keyword, block), gathers=True)


def option_key(name: str) -> str:
    """The key of a plugin's own option, apart from those of the dataclass."""
    return f"option {name}"


def common_words(built: Model) -> frozenset[str]:
    """Every keyword that a dataclass takes in its braces, with the aliases."""
    return frozenset(plan_of(built, "").slots)


def _plan(title: str, built: type[Any] | None, slots: list[Slot], own: Sequence[Slot] = ()) -> Plan:
    head = {"": Form()}
    for slot in slots:
        if slot.role == "argument":
            form = head.get(slot.keyword.marker, Form())
            head[slot.keyword.marker] = Form((*form.keys, slot.key), (*form.keywords, slot.keyword))
    inside = [slot for slot in slots if slot.role != "argument"]
    return Plan(
        title,
        built,
        head,
        {name: slot for slot in inside for name in slot.keyword.names},
        tuple(slot for slot in inside if slot.keyword.required),
        tuple((slot.key, slot.keyword.name, typed_default(slot.keyword)) for slot in own),
        _usage(title, head.values()),
    )


def _usage(title: str, forms: Iterable[Form]) -> str:
    """``virtual_server ADDRESS [PORT] | fwmark N { ... }``."""
    written = [" ".join(keyword.as_argument for keyword in form.keywords) for form in forms]
    return " ".join(filter(None, [title, " | ".join(filter(None, written)), "{ ... }"]))


def _slots(field: "dataclasses.Field[Any]") -> list[Slot]:
    """The keywords that a field declares: none, one, or for flags and groups several."""
    role, *parts = field.metadata.get(KEY, ("derived",))
    if role == "derived":
        return []
    if role == "flags":
        return [Slot(field.name, keyword, "flag", None, True) for keyword in parts]
    if role == "switch":
        return [Slot(field.name, keyword, "option") for keyword in parts]
    keyword, *block = parts
    named = msgspec.structs.replace(keyword, name=keyword.name or field.name)
    if role == "beside":
        return _beside(field.name, named, block[0])
    if role == "rows":
        return [_rows(field.name, named, plan_of(block[0], named.name))]
    return [Slot(field.name, named, role, plan_of(block[0], named.name) if block else None, named.repeated)]


def _rows(key: str, keyword: Keyword, row: Plan) -> Slot:
    others = dict.fromkeys(slot.keyword for slot in row.slots.values())
    return Slot(key, msgspec.structs.replace(keyword, options=(row.head[""].keywords[0], *others)), "option", row)


def _beside(key: str, keyword: Keyword, group: Model) -> list[Slot]:
    plan = plan_of(group, keyword.name)
    arguments = plan.head[""].keywords
    unsaid = {name: msgspec.structs.replace(slot.keyword, default=None) for name, slot in plan.slots.items()}
    options = [Slot(f"{key} {plan.slots[name].key}", keyword, "option") for name, keyword in unsaid.items()]
    return [Slot(key, msgspec.structs.replace(keyword, options=arguments), "option"), *options]


def _option_slots(options: tuple[Keyword, ...]) -> list[Slot]:
    return [Slot(keyword.name, keyword, "option", _inside(keyword), keyword.repeated) for keyword in options]


def _inside(keyword: Keyword) -> Plan | None:
    if keyword.kind != "block":
        return None
    own = _option_slots(keyword.options)
    return _plan(keyword.name, None, own, own)
