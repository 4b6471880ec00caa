"""From a plugin's class to the schema of its configuration, and from configured options to its instance."""

import inspect
from typing import Any

from plugins.api.declare import aims_of, keyword_of, options_of
from plugins.api.options import REQUIRED, BadPlugin, Option
from plugins.api.program import Command

_PLAIN = ("name", "kind", "help", "min", "max", "repeated", "unit", "secret", "pattern", "bare")


def describe(cls: type) -> dict[str, Any]:
    """The schema of a checker, in builtins: keyword, help (its docstring's first line), options in their order, and
    whether it aims at a target.

    A required option has default None and ``required`` set; a block's options are nested under ``options``.
    """
    return {"keyword": keyword_of(cls), "help": _first_line(cls), "options": _options(cls), "aims": aims_of(cls)}


def build(cls: type, options: Any) -> Any:
    """The plugin that ``options`` make: pairs of name and value, a block being such pairs again.

    What is left out takes its default. Raises `BadPlugin` for an unknown option and for a missing one.
    """
    title = keyword_of(cls) or cls.__name__
    declared = options_of(cls)
    attributes = {option.name: attribute for attribute, option in declared.items()}
    values: dict[str, Any] = {}
    for name, value in options:
        if name not in attributes:
            raise BadPlugin(f"{title} has no option {name!r}")
        values[attributes[name]] = _value(declared[attributes[name]], value)
    for attribute, option in declared.items():
        if option.default is REQUIRED and attribute not in values:
            raise BadPlugin(f"{title}: option {option.name!r} is required")
    return cls(**values)


def _options(cls: type) -> list[dict[str, Any]]:
    return [_describe(option) for option in options_of(cls).values()]


def _describe(option: Option) -> dict[str, Any]:
    required = option.default is REQUIRED
    return {name: getattr(option, name) for name in _PLAIN} | {
        "default": None if required else option.default,
        "required": required,
        "choices": list(option.choices),
        "aliases": list(option.aliases),
        "options": _options(option.block) if option.block else [],
    }


def _value(option: Option, value: Any) -> Any:
    if option.kind == "script" and value:
        return Command(*_frozen(value))
    if option.block is None or value is None:
        return _frozen(value)
    if option.repeated:
        return tuple(build(option.block, each) for each in value)
    return build(option.block, value)


def _frozen(value: Any) -> Any:
    """Lists, which tuples become on their way between processes, as tuples again."""
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


def _first_line(cls: type) -> str:
    # A dataclass without a docstring is given one that shows its signature, which explains nothing.
    text = cls.__doc__ or ""
    return "" if text.startswith(f"{cls.__name__}(") else inspect.cleandoc(text).partition("\n")[0]
