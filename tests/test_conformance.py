"""The page about conformance has a row for every statement, and the tests that it names exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "conformance.md"

STATEMENTS = {
    "VX-IP4": range(1, 10),
    "V3-IP6": range(1, 9),
    "V2-FMT": range(1, 8),
    "V3-FMT": range(1, 10),
    "VX-FMT": (10, 11),
    "VX-RX": (*range(1, 7), 10, 13, *range(15, 25)),
    "V2-RX": (7, 8, 9),
    "V3-RX": (11, 12, 14, 25, 26),
    "V2-TMR": (1, 2),
    "V3-TMR": (1, 2, 3, 4, 6),
    "VX-TMR": (3, 4, 5),
    "VX-FSM": (*range(1, 15), *range(16, 23)),
    "V3-FSM": (15,),
    "VX-PRE": range(1, 6),
    "VX-ARP": range(1, 12),
    "V3-ND": range(1, 9),
    "VX-MAC": range(1, 10),
    "VX-GRP": range(1, 4),
    "VX-ACC": range(1, 5),
    "VX-ADR": range(1, 6),
    "VX-LIF": range(1, 12),
    "V2-AUT": range(1, 9),
    "UNI": range(1, 12),
    "SYN": range(1, 9),
    "KA": range(1, 8),
}
"""Every statement of the checklist: which numbers there are of each kind."""

UNTESTED = re.compile(r"the kernel's duty|not built: \w.*|planned")
"""What may stand in the place of a test."""


def rows() -> dict[str, list[str]]:
    """The cells of each row by its id."""
    found: dict[str, list[str]] = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if re.fullmatch(r"[A-Z0-9]+(-[A-Z0-9]+)?-\d\d", cells[0]):
            assert cells[0] not in found, f"{cells[0]} has two rows"
            found[cells[0]] = cells
    return found


@cache
def names_in(file: Path) -> frozenset[str]:
    """The tests of a file, those of a class with its name before them."""
    found = set()
    for node in ast.parse(file.read_text()).body:
        parts = node.body if isinstance(node, ast.ClassDef) else [node]
        before = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {
            before + part.name for part in parts if isinstance(part, ast.FunctionDef) and part.name[:5] == "test_"
        }
    return frozenset(found)


def elsewhere(name: str) -> list[str]:
    """The files that have a test of this name, for who has moved one."""
    files = (ROOT / "tests").rglob("test_*.py")
    return [str(file.relative_to(ROOT)) for file in files if name in names_in(file)]


def test_every_statement_has_its_row_and_no_other_row_is_there() -> None:
    assert sorted(rows()) == sorted(f"{kind}-{number:02}" for kind, numbers in STATEMENTS.items() for number in numbers)


@pytest.mark.parametrize("id", rows())
def test_a_row_says_what_is_demanded_by_whom_and_names_tests_that_exist(id: str) -> None:
    _, demanded, by, _, held = rows()[id]
    assert demanded
    assert by
    named = re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", held)
    assert named or UNTESTED.fullmatch(held), f"{id} is held by nothing: {held}"
    assert ", ".join(f"`{file}::{name}`" for file, name in named) in ("", held)
    missing = {f"{file}::{name}": elsewhere(name) for file, name in named if name not in names_in(ROOT / file)}
    assert missing == {}, "moved to where the list says, or gone"
