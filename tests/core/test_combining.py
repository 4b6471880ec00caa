"""Combining verdicts: three-valued logic, shares, and which parts are told of."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.combining import Leaf, Not, Some, Term, drawn, judged, leaves
from actors.core.health import Finding
from actors.core.status import CheckStatus, Verdict

UNKNOWN, OK, FAILED = Verdict.UNKNOWN, Verdict.OK, Verdict.FAILED
A, B, C = (Leaf(f"check/{name}", name) for name in "abc")

terms: st.SearchStrategy[Term] = st.recursive(
    st.sampled_from([A, B, C]),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=1, max_size=3).flatmap(
            lambda parts: st.integers(1, len(parts)).map(lambda needed: Some(needed, tuple(parts)))
        ),
    ),
    max_leaves=8,
)


def known(**said: Verdict) -> dict[str, CheckStatus]:
    return {f"check/{name}": CheckStatus(f"check/{name}", verdict) for name, verdict in said.items()}


def plain(term: Term, truth: dict[str, bool]) -> bool:
    """Two-valued logic."""
    match term:
        case Leaf(id):
            return truth[id]
        case Not(part):
            return not plain(part, truth)
        case Some(needed, parts):
            return sum(plain(part, truth) for part in parts) >= needed


@given(terms, st.lists(st.booleans(), min_size=3, max_size=3))
def test_when_all_is_known_it_is_plain_logic(term: Term, values: list[bool]) -> None:
    said = known(**{name: OK if value else FAILED for name, value in zip("abc", values, strict=True)})
    expected = plain(term, {id: status.verdict is OK for id, status in said.items()})
    assert judged(term, said).verdict is (OK if expected else FAILED)


@given(terms, st.lists(st.sampled_from([UNKNOWN, OK, FAILED]), min_size=3, max_size=3))
def test_what_is_decided_with_something_unknown_stays_so_whatever_that_turns_out_to_be(
    term: Term, values: list[Verdict]
) -> None:
    said = dict(zip("abc", values, strict=True))
    verdict = judged(term, known(**said)).verdict
    choices = [[each] if each is not UNKNOWN else [OK, FAILED] for each in values]
    later = {judged(term, known(**dict(zip("abc", each, strict=True)))).verdict for each in product(*choices)}
    if verdict is not UNKNOWN:
        assert later == {verdict}


@pytest.mark.parametrize(
    ("term", "said", "verdict"),
    [
        (Some(2, (A, B)), {"a": OK}, UNKNOWN),
        (Some(2, (A, B)), {"a": FAILED}, FAILED),
        (Some(1, (A, B)), {"a": OK}, OK),
        (Some(1, (A, B)), {"a": FAILED}, UNKNOWN),
        (Some(2, (A, B, C)), {"a": OK, "b": FAILED}, UNKNOWN),
        (Some(2, (A, B, C)), {"a": OK, "c": OK}, OK),
        (Some(2, (A, B, C)), {"a": FAILED, "c": FAILED}, FAILED),
        (Not(A), {}, UNKNOWN),
        (Not(A), {"a": FAILED}, OK),
    ],
)
def test_what_is_unknown_matters_only_where_the_rest_does_not_decide(
    term: Term, said: dict[str, Verdict], verdict: Verdict
) -> None:
    assert judged(term, known(**said)).verdict is verdict


@pytest.mark.parametrize(
    ("term", "shares", "share"),
    [
        (Some(3, (A, B, C)), (100, 50, 20), 20),
        (Some(1, (A, B, C)), (10, 50, 20), 50),
        (Some(2, (A, B, C)), (10, 50, 20), 20),
        (Some(1, (A, Some(2, (B, C)))), (10, 50, 20), 20),
        (A, (30, 0, 0), 30),
    ],
)
def test_of_shares_and_has_the_least_or_the_greatest_and_k_of_the_kth(
    term: Term, shares: tuple[int, ...], share: int
) -> None:
    said = {f"check/{name}": CheckStatus(f"check/{name}", OK, share=n) for name, n in zip("abc", shares, strict=True)}
    assert (judged(term, said).verdict, judged(term, said).share) == (OK, share)


def test_the_parts_that_decide_are_told_of() -> None:
    said = known(a=OK) | {"check/b": CheckStatus("check/b", FAILED, "refused")}
    term = Some(2, (A, Some(1, (B, C))))
    assert judged(term, said) == Finding(UNKNOWN, "b FAILED, refused; c has said nothing yet")
    assert judged(Some(2, (A, B)), said) == Finding(FAILED, "b FAILED, refused")
    assert judged(Not(A), said) == Finding(FAILED, "a OK")
    assert judged(A, said) == Finding(OK, "a OK")
    assert judged(Some(1, (A, B)), said) == Finding(OK)
    assert [leaf.name for leaf in leaves(term)] == ["a", "b", "c"]
    assert drawn(term, said) == [
        "AND: UNKNOWN",
        "  a OK",
        "  OR: UNKNOWN",
        "    b FAILED, refused",
        "    c has said nothing yet",
    ]
