"""``python -m actors.reference FILE``: writes the reference of the configuration anew, as the code declares it.

Of the page everything down to the mark is written by hand and stays; what follows it comes from the declarations.
"""

from pathlib import Path
from typing import TypeVar

import click
import msgspec

from loader.fields import Block, Keyword
from loader.reference import reference, unused
from plugins import registry
from plugins.api import describe

MARK = "<!-- What follows is written by `python -m actors.reference docs/configuration.md`. -->\n"


def renewed(page: str) -> str:
    """The page with its generated part made anew; raises ValueError when it has no mark."""
    by_hand, mark, _ = page.partition(MARK)
    if not mark:
        raise ValueError(f"the page has no line {MARK.strip()}")
    found = registry.find(entry_points=False).checkers
    blocks = [msgspec.convert(describe(found[keyword]), Block) for keyword in sorted(found)]
    return f"{by_hand}{mark}\n{reference(map(_as_written, blocks))}\n{unused()}"


T = TypeVar("T", Block, Keyword)


def _as_written(part: T) -> T:
    """The same with the defaults of ranges as a configuration has them: ``200-299 301``."""
    options = tuple(_as_written(option) for option in part.options)
    if isinstance(part, Keyword) and part.kind == "ranges" and not isinstance(part.default, str):
        spans = " ".join(f"{first}-{last}" if last > first else str(first) for first, last in part.default or ())
        return msgspec.structs.replace(part, options=options, default=spans)
    return msgspec.structs.replace(part, options=options)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def main(file: Path) -> None:
    """Write the generated part of FILE anew: every keyword, with its kind, range and default."""
    try:
        file.write_text(renewed(file.read_text()))
    except ValueError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
