"""What a status says in a word, and who is not well."""

import pytest

from actors.core.standing import CRASHED, FAILING, examined, standing
from actors.core.status import (
    AddressStatus,
    AnyStatus,
    CheckStatus,
    ChildStatus,
    GroupStatus,
    LinkStatus,
    Phase,
    ServerStatus,
    ServiceStatus,
    Verdict,
    VrrpStatus,
)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, ("", "")),
        (CheckStatus("c", Verdict.FAILED, "refused"), ("FAILED", "refused")),
        (ServerStatus("s", Verdict.OK, 1), ("OK", "")),
        (ServiceStatus("v", True, 1, False), ("quorum", "")),
        (ServiceStatus("v", False, 0, False, "no device"), ("no quorum", "no device")),
        (VrrpStatus("r", "MASTER", 1, "alone"), ("MASTER", "alone")),
        (GroupStatus("g", "FAULT", "why"), ("FAULT", "why")),
        (AddressStatus("a", True), ("held", "")),
        (AddressStatus("a", False, "taken"), ("released", "taken")),
        (LinkStatus("l", True), ("up", "")),
        (ChildStatus("child/c", Phase.PARKED), ("", "")),
    ],
)
def test_each_status_is_a_word_and_its_reason(status: AnyStatus | None, words: tuple[str, str]) -> None:
    assert standing(status) == words


def test_all_are_counted_and_the_ill_are_ranked_by_the_worst_that_is_known_of_them() -> None:
    assert examined(
        [
            CheckStatus("check/a", Verdict.OK),
            CheckStatus("check/b", Verdict.FAILED),
            ChildStatus("child/check/b", Phase.PARKED, 6, "boom"),
            CheckStatus("check/c", Verdict.FAILED),
            ChildStatus("child/check/d", Phase.RUNNING, 1, "boom"),
            ChildStatus("child/check/e", Phase.RUNNING, 0, "long ago"),
            VrrpStatus("vrrp/a", "FAULT", 1),
            ServiceStatus("vs/a", True, 1, False),
            LinkStatus("link/a", False),
        ]
    ) == (
        {"routers": {"FAULT": 1}, "services": {"quorum": 1}, "checkers": {"OK": 1, "FAILED": 2}},
        {"check/b": 0, "check/c": FAILING, "check/d": CRASHED, "vrrp/a": FAILING, "link/a": FAILING},
    )
