"""Health: single results to a verdict, verdicts to one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.health import Debounce, Finding, Health, combine, observe, weighed
from actors.core.status import OWN, Verdict

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
    assert health == Health(OK if passed else FAILED, "seen", assumed=False)


def test_the_detail_belongs_to_the_verdict_and_not_to_what_contradicts_it() -> None:
    debounce = Debounce(2, 2)
    health = observe(Health(), debounce, False, "refused")
    health = observe(health, debounce, True, "fine")
    assert health == Health(FAILED, "refused", assumed=False, against=(Finding(OK, "fine"),))
    assert health.doubted
    health = observe(health, debounce, False, "timed out")
    assert health == Health(FAILED, "timed out", assumed=False)
    assert not health.doubted


def shares(results: list[int | None], debounce: Debounce) -> list[int | None]:
    """What servers have of their weight after each result, in percent: None stands for a failure."""
    health, seen = Health(), []
    for share in results:
        health = observe(health, debounce, share is not None, "", 100 if share is None else share)
        seen.append(health.share if health.verdict is OK else None)
    return seen


@pytest.mark.parametrize(
    ("results", "rise", "fall", "expected"),
    [
        ([50], 3, 3, [50]),
        ([100, 50, 50], 1, 2, [100, 100, 50]),
        ([100, 50, 100, 50], 1, 2, [100] * 4),
        ([50, 100, 100], 2, 1, [50, 50, 100]),
        # Several that differ change it to what all of them agree on.
        ([100, 50, None, None], 1, 2, [100, 100, 50, None]),
        ([100, None, 50, None, 50], 1, 2, [100, 100, 50, 50, 50]),
        ([100, 50, None, None, None], 1, 3, [100, 100, 100, 50, None]),
        ([None, 100, 50, 50], 2, 2, [None, None, 50, 50]),
        ([None, 50, 100, 100], 2, 2, [None, None, 50, 100]),
        # Better and worse are not added up.
        ([50, 40, 60, 40], 2, 2, [50] * 4),
        ([0, 0, None, None], 1, 2, [0, 0, 0, None]),
    ],
)
def test_a_share_is_debounced_as_a_verdict_is(
    results: list[int | None], rise: int, fall: int, expected: list[int | None]
) -> None:
    assert shares(results, Debounce(rise, fall)) == expected


@given(st.lists(st.sampled_from([None, 0, 30, 60, 100]), max_size=40), st.integers(1, 5), st.integers(1, 5))
def test_a_share_never_goes_beyond_what_as_many_results_in_a_row_agree_on(
    results: list[int | None], rise: int, fall: int
) -> None:
    def level(share: int | None) -> int:
        return -1 if share is None else share

    seen = [level(share) for share in shares(results, Debounce(rise, fall))]
    levels = [level(share) for share in results]
    for at in range(1, len(seen)):
        if seen[at] < seen[at - 1]:
            assert seen[at] == max(levels[max(0, at + 1 - fall) : at + 1])
        if seen[at] > seen[at - 1]:
            assert seen[at] == min(levels[max(0, at + 1 - rise) : at + 1])


@pytest.mark.parametrize(
    ("weight", "share", "expected"), [(4, 100, 4), (4, 50, 2), (1, 1, 1), (3, 50, 2), (100, 0, 0), (0, 50, 0)]
)
def test_a_weight_is_rounded_up_so_that_only_nothing_is_nothing(weight: int, share: int, expected: int) -> None:
    assert weighed(weight, [share]) == expected


@pytest.mark.parametrize(
    ("asked", "shares", "expected"),
    [
        ([], [], 10),
        ([7], [], 7),
        ([253], [], 253),
        ([0], [], 0),
        ([7, 12], [], 9),
        ([0, 0], [], 0),
        ([20], [100, 50], 10),
    ],
)
def test_a_weight_that_is_asked_for_replaces_the_configured_one_and_several_add_up_as_differences(
    asked: list[int], shares: list[int], expected: int
) -> None:
    assert weighed(10, shares, asked) == expected


def test_another_weight_is_debounced_as_a_share_is() -> None:
    health, seen = Health(), []
    for weight in (5, 7, 7, OWN, OWN, 7):
        health = observe(health, Debounce(2, 2), True, "", weight=weight)
        seen.append(health.weight)
    assert seen == [5, 5, 7, 7, OWN, OWN]
    failed = observe(health, Debounce(1, 1), False, "gone", weight=7)
    assert failed == Health(Verdict.FAILED, "gone", False)


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


def test_a_number_belongs_to_the_failure_and_is_debounced_with_it() -> None:
    health, seen = Health(), []
    for value in (0, 7, 7, 8, 0, 0):
        health = observe(health, Debounce(2, 2), not value, f"{value}", value=value)
        seen.append((health.verdict, health.value))
    assert seen == [(OK, 0), (OK, 0), (FAILED, 7), (FAILED, 8), (FAILED, 8), (OK, 0)]


def test_the_same_number_again_is_no_news() -> None:
    health = observe(Health(), Debounce(), False, "it is 7", value=7)
    assert observe(health, Debounce(), False, "it is 7", value=7) is health
