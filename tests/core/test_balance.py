"""Schedulers: exact shares, choices against brute force, and how little a change moves."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.balance import MAGLEV, SCHEDULERS, SLOTS, Key, Picker, Server, maglev, weighted_slots

NOBODY: frozenset[Key] = frozenset()


def server(name: str, weight: int = 1) -> Server:
    return Server((name, 80), weight)


def servers(text: str) -> list[Server]:
    """``a3 b1``: names with weights."""
    return [server(word[0], int(word[1:] or 1)) for word in text.split()]


def made(scheduler: str, text: str) -> Picker:
    picker = SCHEDULERS[scheduler]()
    picker.update(servers(text))
    return picker


def picks(picker: Picker, times: int, barred: str = "", counts: dict[Key, int] | None = None) -> str:
    """Names in order; ``-`` is nobody."""
    bar = {(name, 80) for name in barred}
    return "".join((picker.pick(b"client", counts or {}, bar) or "-")[0] for _ in range(times))


def busy(text: str) -> dict[Key, int]:
    """``a3 b1``: names with open connections."""
    return dict(servers(text))


pools = st.lists(st.integers(1, 40), min_size=1, max_size=8).map(
    lambda weights: [server(chr(97 + number), weight) for number, weight in enumerate(weights)]
)
SCHEDULER = st.sampled_from(sorted(SCHEDULERS))


@pytest.mark.parametrize(
    ("scheduler", "pool", "story"),
    [
        ("rr", "a b c", "abcabcabc"),
        ("rr", "a5 b1", "abababab"),
        ("wrr", "a5 b1 c1", "aabacaaaabacaa"),
        ("wrr", "a2 b2", "abababab"),
        ("lc", "a9 b1", "abababab"),
        ("wlc", "a3 b1", "abaabaaa"),
        ("sed", "a3 b1", "aaaaaaaa"),
        ("nq", "a3 b1", "abaaaaba"),
        ("fo", "a1 b3 c3", "bbbbbbbb"),
        ("ovf", "a1 b3 c2", "bbbbbbbb"),
    ],
)
def test_an_idle_service_shares_out_as_its_scheduler_says(scheduler: str, pool: str, story: str) -> None:
    assert picks(made(scheduler, pool), len(story)) == story


@pytest.mark.parametrize(
    ("scheduler", "pool", "connections", "choice"),
    [
        ("lc", "a1 b9", "a1 b2", "a"),
        ("wlc", "a1 b9", "a1 b2", "b"),
        ("wlc", "a2 b1", "a4 b1", "b"),
        ("sed", "a3 b1", "a1", "a"),
        ("sed", "a3 b1", "a3", "b"),
        ("nq", "a9 b1", "a1", "b"),
        ("nq", "a9 b1", "a1 b1", "a"),
        ("fo", "a1 b9", "b99", "b"),
        ("ovf", "a2 b3", "b2", "b"),
        ("ovf", "a2 b3", "b3", "a"),
        ("ovf", "a2 b3", "a2 b3", "-"),
    ],
)
def test_open_connections_decide(scheduler: str, pool: str, connections: str, choice: str) -> None:
    assert picks(made(scheduler, pool), 1, counts=busy(connections)) == choice


@given(SCHEDULER, pools, st.sets(st.integers(0, 7)), st.binary(min_size=4, max_size=4))
def test_nobody_barred_is_ever_chosen_and_somebody_is_while_anybody_may_be(
    scheduler: str, pool: list[Server], numbers: set[int], client: bytes
) -> None:
    barred = {(chr(97 + number), 80) for number in numbers}
    fine = {one.key for one in pool} - barred
    picker = SCHEDULERS[scheduler]()
    assert picker.pick(client, {}, barred) is None
    picker.update(pool)
    chosen = picker.pick(client, {}, barred)
    assert chosen in fine or (chosen is None and not fine)
    picker.update([])
    assert picker.pick(client, {}, NOBODY) is None


@given(pools)
def test_wrr_gives_exact_shares_in_every_cycle(pool: list[Server]) -> None:
    picker = SCHEDULERS["wrr"]()
    picker.update(pool)
    cycle = sum(weight for _, weight in pool)
    for _ in range(3):
        assert Counter(picker.pick(b"", {}, NOBODY) for _ in range(cycle)) == dict(pool)


@given(pools, pools, st.integers(0, 100))
def test_wrr_is_near_its_shares_at_once_after_any_change(before: list[Server], after: list[Server], turns: int) -> None:
    picker = SCHEDULERS["wrr"]()
    picker.update(before)
    for _ in range(turns):
        picker.pick(b"", {}, NOBODY)
    picker.update(after)
    cycle = sum(weight for _, weight in after)
    found = Counter(picker.pick(b"", {}, NOBODY) for _ in range(cycle))
    assert all(abs(found[key] - weight) <= 1 + len(before) for key, weight in after)


def test_turns_go_on_when_servers_come_and_go() -> None:
    picker = made("rr", "a b c")
    story = picks(picker, 1)
    for pool in ("a b c d", "a b c d", "b c d", "b c d a"):
        picker.update(servers(pool))
        story += picks(picker, 2)
    assert story == "abcadbcdb"


@pytest.mark.parametrize("scheduler", ["rr", "wrr", "lc", "wlc"])
def test_changes_before_every_choice_favour_nobody(scheduler: str) -> None:
    picker, found = made(scheduler, "a2 b2 c2"), ""
    for _ in range(30):
        picker.update(servers("a2 b2 c2"))
        found += picks(picker, 1)
    assert Counter(found) == {"a": 10, "b": 10, "c": 10}


def test_a_newcomer_is_not_flooded_to_catch_up() -> None:
    picker = made("wlc", "a b")
    picks(picker, 1000)
    picker.update(servers("a b c"))
    assert Counter(picks(picker, 30)) == {"a": 10, "b": 10, "c": 10}


COSTS = {
    "lc": lambda connections, weight: connections,
    "wlc": lambda connections, weight: connections / weight,
    "sed": lambda connections, weight: (connections + 1) / weight,
    "nq": lambda connections, weight: (connections + 1) / weight if connections else -1,
}


@given(st.sampled_from(sorted(COSTS)), pools, st.lists(st.integers(0, 9), min_size=8, max_size=8), st.integers(0, 5))
def test_least_costs_are_the_least(scheduler: str, pool: list[Server], connections: list[int], warm: int) -> None:
    picker = SCHEDULERS[scheduler]()
    picker.update(pool)
    for _ in range(warm):
        picker.pick(b"", {}, NOBODY)
    counts = {one.key: number for one, number in zip(pool, connections, strict=False)}
    costs = {key: COSTS[scheduler](counts[key], weight) for key, weight in pool}
    chosen = picker.pick(b"", counts, NOBODY)
    assert chosen is not None
    assert costs[chosen] == min(costs.values())


@given(st.sampled_from(["sh", "mh"]), pools, st.randoms(use_true_random=False))
def test_a_client_stays_where_it_is_whatever_the_order_of_the_servers(
    scheduler: str, pool: list[Server], random: object
) -> None:
    shuffled = sorted(pool, key=lambda _: random.random())  # type: ignore[attr-defined]
    found = []
    for order in (pool, pool, shuffled):
        picker = SCHEDULERS[scheduler]()
        picker.update(order)
        found.append([picker.pick(client.to_bytes(4), {}, NOBODY) for client in range(20)])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("scheduler", ["sh", "mh"])
def test_a_barred_server_passes_its_clients_on_until_it_is_back(scheduler: str) -> None:
    picker = made(scheduler, "a b c")
    home = picks(picker, 1)
    assert picks(picker, 1, barred=home) in set("abc") - {home}
    assert (picks(picker, 1, barred="abc"), picks(picker, 1)) == ("-", home)


@given(pools)
def test_tables_are_full_and_shared_out_by_weight(pool: list[Server]) -> None:
    total = sum(weight for _, weight in pool)
    for table, size in ((maglev(pool), MAGLEV), (weighted_slots(pool), SLOTS)):
        found = Counter(table)
        assert len(table) == size
        assert all(abs(found[key] - size * weight / total) <= len(pool) for key, weight in pool)


def test_weights_far_apart_are_kept_apart() -> None:
    found = Counter(maglev([server("a", 65535), server("b", 1), server("c", 655)]))
    assert found == {("a", 80): 4057, ("b", 80): 1, ("c", 80): 41}


def test_maglev_hardly_moves_the_clients_of_those_who_stay() -> None:
    pool = [server(f"10.0.0.{number}", number % 5 + 1) for number in range(40)]
    before = maglev(pool)
    for gone in pool[::7]:
        after = maglev([one for one in pool if one != gone])
        moved = sum(old != new for old, new in zip(before, after, strict=True) if old != gone.key)
        assert moved < MAGLEV * 0.04, gone


def test_a_small_change_of_one_weight_moves_little() -> None:
    tables = [maglev([server("a", weight), server("b", 100), server("c", 100)]) for weight in (100, 101, 102)]
    assert all(sum(a != b for a, b in zip(old, new, strict=True)) < MAGLEV * 0.04 for old, new in pairwise(tables))
