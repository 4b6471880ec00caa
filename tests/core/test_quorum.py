"""Quorum with its dead band, and the pool that follows from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.quorum import Member, Quorum, Roster, Sorry, decided, placed, pool, pools, servers_up, weight_up
from actors.core.status import ServerStatus, Verdict
from actors.core.table import Destination, Pool, Service, ServiceKey

UNKNOWN, OK, FAILED = Verdict.UNKNOWN, Verdict.OK, Verdict.FAILED
SERVICE = Service(ServiceKey(4, "10.0.0.1", 80, "tcp"))
SPARE = Destination("10.0.9.9", 80)
ONE = Quorum()


def place(name: str, weight: int = 1) -> Destination:
    return Destination(f"10.0.1.{ord(name) - ord('a') + 1}", 80, weight)


def roster(*names: str, weight: int = 1, sorry: Sorry | None = None, quorum: Quorum = ONE) -> Roster:
    """Members by name; a ``!`` after the name inhibits on failure."""
    members = tuple(Member(name[0], place(name[0], weight), name.endswith("!")) for name in names)
    return Roster(SERVICE, members, sorry, quorum)


def statuses(**verdicts: Verdict) -> dict[str, ServerStatus]:
    return {name: ServerStatus(name, verdict, 1) for name, verdict in verdicts.items()}


def transcript(rule: Quorum, total: int, weights: list[int]) -> str:
    """Weight and state after each step, from lost."""
    held, lines = False, []
    for weight in weights:
        held = rule.held(held, weight, total)
        lines.append(f"{weight}:{'up' if held else 'down'}")
    return " ".join(lines)


@pytest.mark.parametrize(
    ("rule", "total", "story"),
    [
        (Quorum(1, 0), 3, "0:down 1:up 3:up 1:up 0:down"),
        (Quorum(3, 0), 10, "2:down 3:up 2:down 3:up 10:up"),
        (Quorum(7, 2), 10, "8:down 9:up 8:up 7:up 6:up 5:up 4:down 5:down 8:down 9:up 10:up"),
        (Quorum(2, 2), 10, "3:down 4:up 1:up 0:down 3:down 4:up"),
        (Quorum(5, 3), 6, "5:down 6:up 2:up 1:down 5:down 6:up"),
        (Quorum(100, 0), 3, "2:down 3:up 3:up 2:down"),
        (Quorum(100, 1), 3, "2:down 3:up 2:up 1:down 2:down"),
        (Quorum(1, 0), 0, "0:down"),
    ],
)
def test_quorum_is_gained_above_and_lost_below_the_dead_band(rule: Quorum, total: int, story: str) -> None:
    assert transcript(rule, total, [int(step.partition(":")[0]) for step in story.split()]) == story


@given(st.integers(1, 20), st.integers(0, 19), st.integers(1, 30), st.lists(st.integers(0, 30), max_size=40))
def test_quorum_never_changes_within_the_dead_band(quorum: int, band: int, total: int, weights: list[int]) -> None:
    rule, held = Quorum(quorum, min(band, quorum - 1)), False
    for weight in (min(weight, total) for weight in weights):
        before, held = held, rule.held(held, weight, total)
        if held is not before and held:
            assert weight >= min(quorum + rule.hysteresis, total)
        elif held is not before:
            assert weight == 0 or weight < min(quorum, total) - rule.hysteresis
        assert not held or weight > 0
        assert held or weight < total or weight == 0


def test_the_sums_count_members_that_are_up_and_nobody_else() -> None:
    three = roster("a", "b", "c", weight=2)
    heard = {
        "a": ServerStatus("a", OK, 5),
        "b": ServerStatus("b", FAILED, 7),
        "stranger": ServerStatus("stranger", OK, 9),
    }
    assert (three.total, weight_up(three, heard), servers_up(three, heard)) == (6, 5, 1)


def test_a_roster_is_decided_when_every_member_has_a_verdict() -> None:
    two = roster("a", "b")
    assert not decided(two, {})
    assert not decided(two, statuses(a=OK))
    assert not decided(two, statuses(a=OK, b=UNKNOWN))
    assert decided(two, statuses(a=OK, b=FAILED))
    assert decided(roster(), {})


POOLS = [
    # members, sorry server, quorum held: the pool as name:weight, in order
    ("a b", None, True, "a:1"),
    ("a b", None, False, "a:1"),
    ("a b!", None, True, "a:1 b:0"),
    ("a b!", None, False, "a:1 b:0"),
    ("a b", Sorry(SPARE), True, "a:1"),
    ("a b", Sorry(SPARE), False, "sorry:1"),
    ("a b!", Sorry(SPARE), False, "b:0 sorry:1"),
    ("a! b!", Sorry(SPARE), False, "b:0 sorry:1"),
    ("a b", Sorry(SPARE, inhibit=True), True, "a:1 sorry:0"),
    ("a b", Sorry(SPARE, inhibit=True), False, "sorry:1"),
    ("c c!", Sorry(SPARE), True, "c:0"),
    ("", Sorry(SPARE), False, "sorry:1"),
    ("", None, False, ""),
]


def names(of: Pool) -> str:
    known = {place(name).address: name for name in "abc"} | {SPARE.address: "sorry"}
    return " ".join(f"{known[d.address]}:{d.weight}" for d in of.destinations)


@pytest.mark.parametrize(("members", "sorry", "held", "expected"), POOLS)
def test_the_pool_holds_who_is_up_or_the_sorry_server(
    members: str, sorry: Sorry | None, held: bool, expected: str
) -> None:
    heard = statuses(a=OK, b=FAILED, c=UNKNOWN)
    wanted = pool(roster(*members.split(), sorry=sorry), heard, held)
    assert wanted.service == SERVICE
    assert names(wanted) == expected


def test_a_member_serves_with_the_weight_of_its_status() -> None:
    assert pool(roster("a"), {"a": ServerStatus("a", OK, 7)}, True).destinations == (place("a", 7),)


@pytest.mark.parametrize(
    ("verdict", "held", "expected"),
    [(OK, True, (place("a", 1),)), (FAILED, False, (place("a", 1),)), (FAILED, True, ())],
)
def test_a_sorry_server_that_is_a_member_too_is_in_the_pool_once(
    verdict: Verdict, held: bool, expected: tuple[Destination, ...]
) -> None:
    both = roster("a!" if held is False else "a", sorry=Sorry(place("a"), inhibit=verdict is OK))
    assert pool(both, statuses(a=verdict), held).destinations == expected


@given(
    st.lists(st.sampled_from(["a", "b", "c", "a!", "b!", "c!"]), max_size=3, unique_by=lambda name: name[0]),
    st.sampled_from([None, Sorry(SPARE), Sorry(SPARE, inhibit=True)]),
    st.fixed_dictionaries({name: st.sampled_from(Verdict) for name in "abc"}),
    st.booleans(),
)
def test_who_serves_is_up_or_the_sorry_server_and_never_both(
    members: list[str], sorry: Sorry | None, verdicts: dict[str, Verdict], held: bool
) -> None:
    wanted = pool(roster(*members, sorry=sorry), statuses(**verdicts), held)
    serving = {d.address for d in wanted.destinations if d.weight}
    up = {place(name[0]).address for name in members if verdicts[name[0]] is OK}
    assert serving == ({SPARE.address} if sorry and not held else up)
    inhibited = {place(name[0]).address for name in members if name.endswith("!") and verdicts[name[0]] is not OK}
    assert {d.address for d in wanted.destinations if not d.weight} - {SPARE.address} == inhibited
    assert len({d.key for d in wanted.destinations}) == len(wanted.destinations)


@pytest.mark.parametrize(
    ("server", "port"),
    [
        (Destination("10.0.1.1", 8080), 8080),
        (Destination("10.0.1.1", 0), 443),
        (Destination("10.0.1.1", 8080, 1, "DR"), 443),
        (Destination("10.0.1.1", 8080, 1, "TUN"), 443),
    ],
)
def test_a_server_of_a_group_has_the_services_port_where_it_cannot_have_its_own(server: Destination, port: int) -> None:
    assert placed(server, ServiceKey(4, "10.0.0.1", 443, "tcp")).port == port
    assert placed(server, ServiceKey(4, fwmark=7)) == server


def test_every_service_of_a_group_has_the_pool() -> None:
    more = (ServiceKey(4, "10.0.0.2", 81, "tcp"), ServiceKey(6, fwmark=7))
    member = Member("a", Destination("10.0.1.1", 0, 1, "DR"))
    whole = Roster(SERVICE, (member,), None, ONE, more)
    assert pools(whole, statuses(a=OK), True) == (
        Pool(SERVICE, (Destination("10.0.1.1", 80, 1, "DR"),)),
        Pool(Service(more[0]), (Destination("10.0.1.1", 81, 1, "DR"),)),
        Pool(Service(more[1]), (Destination("10.0.1.1", 0, 1, "DR"),)),
    )
