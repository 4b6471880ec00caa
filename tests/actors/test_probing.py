"""What the end of a probe means to its checker."""

from typing import Any

import msgspec
import pytest

from actors.messages import Probed
from actors.probing import LONGEST, judge
from actors.runtime.lanes import DeadlinePassed, Ended
from plugins.api import Failed, Passed


@pytest.mark.parametrize(
    ("value", "passed", "detail"),
    [
        (Passed(), True, ""),
        (Failed("refused"), False, "refused"),
        (Failed("two\nlines"), False, "two\\nlines"),
        (Failed("\x1b[31mred"), False, "\\x1b[31mred"),
        (Failed("bytes \udcff"), False, "bytes \\udcff"),
        (Failed("x" * 1000), False, "x" * LONGEST),
        (Failed("é 漢"), False, "é 漢"),
        (Failed(404), False, "<int>"),  # type: ignore[arg-type]
    ],
)
def test_a_detail_is_one_short_line_that_logs_and_json_can_carry(value: Any, passed: bool, detail: str) -> None:
    probed = judge(Ended(7, value, None, 0.5))
    assert probed == Probed(7, passed, detail, 0.5)
    assert msgspec.json.decode(msgspec.json.encode(probed), type=Probed) == probed


def test_a_stop_at_the_deadline_is_a_failure_and_no_crash() -> None:
    assert judge(Ended(7, None, DeadlinePassed(), 1.0)) == Probed(7, False, "stopped at its deadline", 1.0)


def test_anything_else_is_a_crash_with_its_traceback() -> None:
    probed = judge(Ended(7, None, KeyError("x"), 1.0))
    assert (probed.passed, probed.detail) == (False, "the plugin crashed")
    assert probed.crash.endswith("KeyError: 'x'\n")
