"""The page about the configuration says what the code does."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from actors.checks_tree import CONNECT_TIMEOUT, DELAY_BEFORE_RETRY, DELAY_LOOP, RETRY, WARMUP
from actors.reference import MARK, main, renewed
from loader import load
from loader.fields import Block
from loader.model import COMMON
from plugins import registry
from plugins.api import describe

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"


def test_the_page_is_current() -> None:
    page = PAGE.read_text()
    assert renewed(page) == page, "run: python -m actors.reference docs/configuration.md"


def test_the_part_by_hand_stays_and_the_rest_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"# By hand\n\n{MARK}\ngone long ago\n")
    done = CliRunner().invoke(main, [str(file)])
    text = file.read_text()
    assert (done.exit_code, "long ago" in text) == (0, False)
    assert text.startswith(f"# By hand\n\n{MARK}\n## `global_defs")
    assert "  - `status_code N|N-M ... (100..599)`: accepted answers; default 200-299\n" in text


def test_a_page_without_the_mark_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("# By hand\n")
    done = CliRunner().invoke(main, [str(file)])
    assert (done.exit_code, file.read_text()) == (1, "# By hand\n")
    assert "the page has no line" in done.output


def test_every_checker_and_every_setting_of_all_checkers_is_on_the_page() -> None:
    page = PAGE.read_text()
    sections = {f"## `RT_{keyword}`, `TH_{keyword}`\n" for keyword in registry.find(entry_points=False).checkers}
    assert {section for section in sections if section not in page} == set()
    assert {word for word in COMMON if f"`{word}" not in page} == set()


@pytest.mark.parametrize(
    "row",
    [
        f"| `delay_loop` | {DELAY_LOOP:g} s |",
        f"| `connect_timeout` | {CONNECT_TIMEOUT:g} s |",
        f"| `retry` | {RETRY} |",
        f"| `delay_before_retry` | {DELAY_BEFORE_RETRY:g} s |",
        f"| `warmup` | {WARMUP:g} s,",
    ],
)
def test_the_defaults_in_the_table_are_those_of_the_code(row: str) -> None:
    assert row in PAGE.read_text()


def test_the_example_of_the_page_is_a_good_configuration(tmp_path: Path) -> None:
    conf = tmp_path / "lb.conf"
    conf.write_text(PAGE.read_text().split("```")[1])
    loaded = load(conf, lambda location: blocks())
    assert (loaded.render(), loaded.config is None) == ("", False)


def blocks() -> dict[str, Block]:
    """The checkers shipped here."""
    found = registry.find(entry_points=False).checkers
    return {keyword: msgspec.convert(describe(plugin), Block) for keyword, plugin in found.items()}
