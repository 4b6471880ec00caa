"""The messages as operators read them: each ``golden/NAME.conf`` with what it must print in ``golden/NAME.txt``.

``UPDATE_GOLDEN=1`` rewrites the expectations; read the difference before it is committed.
"""

import os
from pathlib import Path

import pytest

from loader import load_from
from tests.loader.house import Memory, schemas

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.stem for path in GOLDEN.glob("*.conf"))
USERS = frozenset({"root", "nobody", "www"})


def rendered(name: str) -> str:
    """What a case prints. Every case can include ``included.inc``."""
    files = {path.name: path.read_bytes().decode("utf-8", "replace") for path in GOLDEN.glob("*.[ci]*")}
    return load_from(Memory(files), f"{name}.conf", schemas, USERS).render()


@pytest.mark.parametrize("name", CASES)
def test_messages_read_as_agreed(name: str) -> None:
    expected = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(rendered(name))
    assert rendered(name) == expected.read_text()


def test_there_is_a_case_for_every_expectation() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == CASES
