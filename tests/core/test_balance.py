"""Schedulers against what they promise: exact shares, the least cost, and hashing that hardly moves anybody."""

from collections import Counter
from functools import partial
from math import gcd
from operator import ne

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.balance import MAGLEV, SCHEDULERS, Picker, Server, maglev, weighted_slots

Key = tuple[str, int]
Counts = dict[Key, int]


def servers_of(*weights: int) -> list[Server]:
    return [Server((f"10.0.1.{turn}", 80), weight) for turn, weight in enumerate(weights)]


def scheduler(name: str, *weights: int, fallback: bool = False) -> Picker:
    return SCHEDULERS[name](servers_of(*weights), fallback)


def always(key: Key) -> bool:
    return True


def idle(key: Key) -> int:
    return 0


def turns(picker: Picker, times: int, closed: frozenset[int] = frozenset()) -> str:
    """Choices one after the other, by the number of the server; ``-`` is nobody. Connections end at once."""
    picked = (picker.pick(b"client", idle, lambda key: number(key) not in closed) for _ in range(times))
    return "".join("-" if key is None else str(number(key)) for key in picked)


def number(key: Key | None) -> int:
    assert key is not None
    return int(key[0].rpartition(".")[2])


def client(turn: int) -> bytes:
    return turn.to_bytes(4)


weights = st.lists(st.integers(1, 20), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("name", "shares", "story"),
    [
        ("rr", (1, 1, 1), "012012012"),
        ("rr", (5, 1), "010101"),
        ("wrr", (5, 1, 1), "0010200" * 2),
        ("wrr", (1, 1), "0101"),
        ("wrr", (2, 4), "101" * 3),
        ("lc", (5, 1), "0101"),
        ("wlc", (1, 1, 1), "012012"),
        ("wlc", (3, 1), "01000100"),
        ("fo", (1, 3, 2), "1111"),
        ("ovf", (1, 3, 2), "1111"),
    ],
)
def test_the_order_of_choices_among_idle_servers(name: str, shares: tuple[int, ...], story: str) -> None:
    assert turns(scheduler(name, *shares), len(story)) == story


@pytest.mark.parametrize("name", SCHEDULERS)
def test_without_servers_nobody_is_chosen(name: str) -> None:
    assert turns(scheduler(name), 2) == "--"


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_server_that_does_not_fit_is_never_chosen(name: str) -> None:
    picker = scheduler(name, 1, 2, 3, fallback=True)
    assert set(turns(picker, 12, closed=frozenset({2}))) <= set("01")
    assert turns(picker, 2, closed=frozenset({0, 1, 2})) == "--"


@given(weights)
def test_wrr_gives_each_server_exactly_its_share_in_every_cycle(shares: list[int]) -> None:
    picker, cycle = scheduler("wrr", *shares), sum(shares) // gcd(*shares)
    for _ in range(2):
        had = Counter(number(picker.pick(b"", idle, always)) for _ in range(cycle))
        assert had == {turn: weight // gcd(*shares) for turn, weight in enumerate(shares)}


@given(st.integers(1, 8), st.integers(0, 40))
def test_rr_never_serves_anybody_twice_more_than_another(count: int, times: int) -> None:
    picker = scheduler("rr", *[7] * count)
    had = Counter(number(picker.pick(b"", idle, always)) for _ in range(times))
    assert max(had.values(), default=0) - min((had[turn] for turn in range(count)), default=0) <= 1


COSTS = {
    "lc": lambda busy, weight: busy,
    "wlc": lambda busy, weight: busy / weight,
    "sed": lambda busy, weight: (busy + 1) / weight,
    "nq": lambda busy, weight: (busy + 1) / weight if busy else -1,
}


@given(
    st.sampled_from(sorted(COSTS)), st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=6)
)
def test_the_least_schedulers_choose_the_least_cost(name: str, pairs: list[tuple[int, int]]) -> None:
    counts = {server.key: busy for server, (_, busy) in zip(servers_of(*(1 for _ in pairs)), pairs, strict=True)}
    costs = [COSTS[name](busy, weight) for weight, busy in pairs]
    picker = scheduler(name, *(weight for weight, _ in pairs))
    for _ in range(3):
        assert costs[number(picker.pick(b"", counts.__getitem__, always))] == min(costs)


@given(weights)
def test_wlc_shares_short_connections_by_weight(shares: list[int]) -> None:
    picker = scheduler("wlc", *shares)
    had = Counter(number(picker.pick(b"", idle, always)) for _ in range(3 * sum(shares)))
    assert had == {turn: 3 * weight for turn, weight in enumerate(shares)}


def test_ovf_goes_on_to_the_next_when_a_server_has_as_many_connections_as_its_weight() -> None:
    picker, counts = scheduler("ovf", 1, 3, 2), Counter[Key]()
    story = []
    for _ in range(7):
        key = picker.pick(b"", counts.__getitem__, always)
        story.append("-" if key is None else str(number(key)))
        if key is not None:
            counts[key] += 1
    assert "".join(story) == "111220-"


@pytest.mark.parametrize("name", ["sh", "mh"])
def test_a_client_comes_to_the_same_server_every_time(name: str) -> None:
    one, other = scheduler(name, 1, 2, 3), scheduler(name, 1, 2, 3)
    for turn in range(100):
        chosen = one.pick(client(turn), idle, always)
        assert chosen == one.pick(client(turn), idle, always) == other.pick(client(turn), idle, always)


@pytest.mark.parametrize("name", ["sh", "mh"])
@pytest.mark.parametrize("fallback", [False, True])
def test_a_hashed_client_goes_elsewhere_only_when_it_may(name: str, fallback: bool) -> None:
    picker = scheduler(name, 1, 1, 1, fallback=fallback)
    for turn in range(50):
        home = picker.pick(client(turn), idle, always)
        instead = picker.pick(client(turn), idle, partial(ne, home))
        assert (instead is not None) is fallback
        assert instead != home


@pytest.mark.parametrize(("slots", "count"), [(weighted_slots, 256), (maglev, MAGLEV)])
def test_the_slots_are_shared_by_weight(slots: object, count: int) -> None:
    table = slots(servers_of(1, 2, 5))  # type: ignore[operator]
    had = Counter(number(key) for key in table)
    assert len(table) == count
    assert [abs(had[turn] - count * weight / 8) < 2 for turn, weight in enumerate((1, 2, 5))] == [True] * 3


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=120))
def test_maglev_gives_every_server_its_share_however_many_there_are(shares: list[int]) -> None:
    had = Counter(number(key) for key in maglev(servers_of(*shares)))
    assert sum(had.values()) == MAGLEV
    for turn, weight in enumerate(shares):
        exact = MAGLEV * weight / sum(shares)
        assert abs(had[turn] - exact) <= max(2, 0.02 * exact + 1)


def moved(servers: list[Server], gone: Server) -> float:
    """The part of all clients that move although their server stays."""
    before, after = maglev(servers), maglev([server for server in servers if server != gone])
    return sum(old != new for old, new in zip(before, after, strict=True) if old != gone.key) / MAGLEV


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=3, max_size=40), st.data())
def test_maglev_hardly_moves_the_clients_of_the_servers_that_stay(shares: list[int], data: st.DataObject) -> None:
    servers = servers_of(*shares)
    assert moved(servers, data.draw(st.sampled_from(servers))) < 0.1


def test_maglev_moves_one_client_in_forty_at_most_where_weights_differ_much() -> None:
    servers = servers_of(*range(1, 9))
    assert max(moved(servers, gone) for gone in servers) < 0.025


@given(st.permutations(servers_of(1, 2, 3, 4)))
@settings(max_examples=5, deadline=None)
def test_maglev_does_not_care_for_the_order_of_the_configuration(servers: list[Server]) -> None:
    assert maglev(servers) == maglev(servers_of(1, 2, 3, 4))
