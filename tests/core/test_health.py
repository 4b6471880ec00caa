"""Health: single results to a verdict, verdicts to one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.health import Debounce, Health, combine, observe
from actors.core.status import Verdict

UNKNOWN, OK, FAILED = Verdict.UNKNOWN, Verdict.OK, Verdict.FAILED


def story(results: str, debounce: Debounce, health: Health | None = None) -> list[tuple[str, int]]:
    """Verdict (first letter) and doubts after each result: ``+`` passed, ``-`` failed."""
    health = health or Health()
    seen = []
    for result in results:
        health = observe(health, debounce, result == "+", "")
        seen.append((health.verdict.value[0], health.streak))
    return seen


@pytest.mark.parametrize(
    ("results", "rise", "fall", "verdicts", "doubts"),
    [
        ("+", 3, 3, "O", "0"),
        ("-", 3, 3, "F", "0"),
        ("+-", 1, 1, "OF", "00"),
        ("+-+-", 1, 2, "OOOO", "0101"),
        ("+--", 1, 2, "OOF", "010"),
        ("+--+", 1, 2, "OOFO", "0100"),
        ("+--++", 2, 2, "OOFFO", "01010"),
        ("-+-++", 2, 2, "FFFFO", "01010"),
        ("+---+--", 1, 4, "OOOOOOO", "0123012"),
        ("+----", 1, 4, "OOOOF", "01230"),
        ("-++", 3, 1, "FFF", "012"),
        ("-+++-", 3, 1, "FFFOF", "01200"),
    ],
)
def test_a_verdict_changes_after_that_many_contradictions_in_a_row(
    results: str, rise: int, fall: int, verdicts: str, doubts: str
) -> None:
    expected = list(zip(verdicts, map(int, doubts), strict=True))
    assert story(results, Debounce(rise, fall)) == expected


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("passed", [True, False])
def test_the_first_result_is_final_at_once_whatever_was_assumed(verdict: Verdict, passed: bool) -> None:
    health = observe(Health(verdict), Debounce(100, 100), passed, "seen")
    assert health == Health(OK if passed else FAILED, 0, "seen", assumed=False)


def test_the_detail_belongs_to_the_verdict_and_not_to_what_contradicts_it() -> None:
    debounce = Debounce(2, 2)
    health = observe(Health(), debounce, False, "refused")
    health = observe(health, debounce, True, "fine")
    assert health == Health(FAILED, 1, "refused", assumed=False)
    assert health.doubted
    health = observe(health, debounce, False, "timed out")
    assert health == Health(FAILED, 0, "timed out", assumed=False)
    assert not health.doubted


@given(st.text("+-", max_size=60), st.integers(1, 6), st.integers(1, 6))
def test_after_the_first_a_verdict_only_changes_at_the_end_of_n_in_a_row(results: str, rise: int, fall: int) -> None:
    debounce = Debounce(rise, fall)
    verdicts = [verdict for verdict, _ in story(results, debounce)]
    for at in range(1, len(results)):
        changed = verdicts[at] != verdicts[at - 1]
        needed = rise if verdicts[at - 1] == "F" else fall
        against = "+" if verdicts[at - 1] == "F" else "-"
        run = len(results[1 : at + 1]) - len(results[1 : at + 1].rstrip(against))
        assert changed == (run >= needed)


@pytest.mark.parametrize(
    ("verdicts", "held", "expected"),
    [
        ([], UNKNOWN, OK),
        ([], FAILED, OK),
        ([OK], UNKNOWN, OK),
        ([OK, OK], FAILED, OK),
        ([OK, FAILED], OK, FAILED),
        ([UNKNOWN, FAILED], OK, FAILED),
        ([UNKNOWN], UNKNOWN, UNKNOWN),
        ([OK, UNKNOWN], UNKNOWN, UNKNOWN),
        ([OK, UNKNOWN], OK, OK),
        ([OK, UNKNOWN], FAILED, FAILED),
    ],
)
def test_one_failure_decides_and_an_unknown_leaves_things_as_they_are(
    verdicts: list[Verdict], held: Verdict, expected: Verdict
) -> None:
    assert combine(verdicts, held) is expected
    assert combine(iter(reversed(verdicts)), held) is expected
