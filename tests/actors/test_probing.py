"""What the end of a probe means to its checker."""

from typing import Any

import msgspec
import pytest

from actors.messages import Probed
from actors.probing import LONGEST, METRICS, judge
from actors.runtime.lanes import DeadlinePassed, Ended
from plugins.api import Degraded, Failed, Passed


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


def test_a_degraded_service_is_healthy_with_a_share() -> None:
    assert judge(Ended(7, Degraded(30, "slow"), None, 0.5)) == Probed(7, True, "slow", 0.5, share=30)


@pytest.mark.parametrize("end", [Passed, lambda metrics: Degraded(100, "", metrics), lambda m: Failed("", m)])
def test_figures_of_a_plugin_are_finite_numbers_with_a_name(end: Any) -> None:
    figures = {
        "lag_seconds": 1.5,
        "up": True,
        "count": 3,
        "big": 10**400,
        "nan": float("nan"),
        "text": "1",
        7: 1,
        "bad\n": 2,
    }
    probed = judge(Ended(7, end(metrics=figures) if end is Passed else end(figures), None, 0.5))
    assert probed.metrics == (("lag_seconds", 1.5), ("up", True), ("count", 3), ("<int>", 1), ("bad\\n", 2))
    assert msgspec.json.decode(msgspec.json.encode(probed), type=Probed) == probed


def test_figures_without_end_are_cut_and_what_is_none_is_left_out() -> None:
    many = Passed("", {str(n): n for n in range(1000)})
    assert len(judge(Ended(7, many, None, 0.5)).metrics) == METRICS
    assert judge(Ended(7, Passed("", "lots"), None, 0.5)).metrics == ()  # type: ignore[arg-type]


def test_a_stop_at_the_deadline_is_a_failure_and_no_crash() -> None:
    assert judge(Ended(7, None, DeadlinePassed(), 1.0)) == Probed(7, False, "stopped at its deadline", 1.0)


def test_anything_else_is_a_crash_with_its_traceback() -> None:
    probed = judge(Ended(7, None, KeyError("x"), 1.0))
    assert (probed.passed, probed.detail) == (False, "the plugin crashed")
    assert probed.crash.endswith("KeyError: 'x'\n")
