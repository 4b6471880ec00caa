"""Who may take a connection: persistence, thresholds, weights, and counts that follow what is open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.table import Destination, Service, ServiceKey
from actors.planes.userspace import pool
from actors.planes.userspace.pool import Key, LivePool

SERVICE = ServiceKey(4, "10.0.0.1", 80, "tcp")
A, B, C = (("10.0.1.1", 80), ("10.0.1.2", 80), ("10.0.1.3", 80))


class Clock:
    """Time that the test owns."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(clock: Clock, *keys: Key, **attributes: object) -> LivePool:
    live = LivePool(Service(SERVICE, **({"scheduler": "rr"} | attributes)), clock)  # type: ignore[arg-type]
    for key in keys:
        live.put(Destination(*key))
    return live


def chosen(live: LivePool, client: str = "192.0.2.1", port: int = 1000, tried: frozenset[Key] = frozenset()) -> object:
    destination = live.choose((client, port), tried)
    return destination and destination.key


def test_a_pool_without_servers_chooses_nobody(clock: Clock) -> None:
    assert chosen(made(clock)) is None


def test_servers_without_weight_are_not_chosen(clock: Clock) -> None:
    live = made(clock, A, B)
    live.put(Destination(*A, weight=0))
    assert [chosen(live) for _ in range(3)] == [B] * 3
    live.put(Destination(*B, weight=0))
    assert chosen(live) is None


def test_no_server_is_chosen_that_was_tried(clock: Clock) -> None:
    live = made(clock, A, B)
    assert [chosen(live, tried=frozenset({A})) for _ in range(2)] == [B, B]
    assert chosen(live, tried=frozenset({A, B})) is None


def test_persistence_holds_for_its_time_after_the_last_connection(clock: Clock) -> None:
    live = made(clock, A, B, persistence_timeout=60)
    found = [chosen(live)]
    for step in (60.0, 60.0, 60.1):
        clock.time += step
        found.append(chosen(live))
    assert found == [A, A, A, B]


@pytest.mark.parametrize(
    ("prefix", "client", "same"),
    [
        (None, "192.0.2.77", False),
        (32, "192.0.2.77", False),
        (24, "192.0.2.77", True),
        (24, "192.0.3.1", False),
        (0, "10.9.8.7", True),
        (128, "192.0.2.77", False),
    ],
)
def test_clients_of_one_network_stick_together(clock: Clock, prefix: int | None, client: str, same: bool) -> None:
    live = made(clock, A, B, persistence_timeout=60, persistence_prefix=prefix)
    assert [chosen(live), chosen(live, client)] == [A, A if same else B]


@pytest.mark.parametrize(("prefix", "same"), [(None, False), (128, False), (64, True)])
def test_so_do_those_of_ipv6_whatever_their_zone(clock: Clock, prefix: int | None, same: bool) -> None:
    live = made(clock, A, B, persistence_timeout=60, persistence_prefix=prefix)
    found = [chosen(live, client) for client in ("2001:db8::1", "2001:db8::2", "2001:db8::1%eth0")]
    assert found == [A, A if same else B, A]


def test_a_client_leaves_a_server_that_drains_goes_or_refuses(clock: Clock) -> None:
    live = made(clock, A, B, C, persistence_timeout=60)
    assert chosen(live) == A
    live.put(Destination(*A, weight=0))
    assert [chosen(live), chosen(live)] == [B, B]
    live.drop(B)
    assert [chosen(live), chosen(live)] == [C, C]
    live.put(Destination(*A))
    assert [chosen(live, tried=frozenset({C})), chosen(live)] == [A, A]


def test_a_client_sticks_to_an_overloaded_server(clock: Clock) -> None:
    live = made(clock, B, persistence_timeout=60)
    live.put(Destination(*A, upper=1))
    assert [chosen(live, "192.0.2.9"), chosen(live)] == [B, A]
    live.opened(A)
    assert [chosen(live), chosen(live, "192.0.2.2")] == [A, B]


def test_only_so_many_clients_are_remembered(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "STICKY", 2)
    live = made(clock, A, B, C, ("10.0.1.4", 80), persistence_timeout=60)
    first = [chosen(live, f"192.0.2.{number}") for number in (1, 2)]
    again = chosen(live, "192.0.2.1")
    third = chosen(live, "192.0.2.3")  # forgets 2, that came longest ago
    assert [*first, again, third] == [A, B, A, C]
    assert [chosen(live, "192.0.2.1"), len(live._sticky)] == [A, 2]


def test_other_groups_of_clients_begin_anew(clock: Clock) -> None:
    live = made(clock, A, B, persistence_timeout=60, persistence_prefix=24)
    assert chosen(live) == A
    live.edit(Service(SERVICE, "rr", persistence_timeout=60, persistence_prefix=16))
    assert chosen(live) == B


def full(live: LivePool, key: Key, number: int) -> None:
    for _ in range(number):
        live.opened(key)


@pytest.mark.parametrize(
    ("upper", "lower", "story"),
    [(4, 0, "4:no 3:no 2:yes"), (4, 2, "4:no 3:no 2:no 1:yes"), (4, 4, "4:no 3:yes"), (0, 2, "4:yes 3:yes")],
)
def test_an_overloaded_server_rests_until_it_has_few(clock: Clock, upper: int, lower: int, story: str) -> None:
    live = made(clock)
    live.put(Destination(*A, upper=upper, lower=lower))
    full(live, A, 4)
    found = []
    for _ in story.split():
        found.append(f"{live.open[A]}:{'yes' if chosen(live) else 'no'}")
        live.closed(A)
    assert " ".join(found) == story


def test_an_edit_of_thresholds_counts_at_once_and_other_edits_change_nothing(clock: Clock) -> None:
    live = made(clock)
    found = []
    live.put(Destination(*A))
    full(live, A, 4)
    for upper, weight in ((0, 1), (4, 1), (5, 1), (4, 1), (4, 2), (0, 2)):
        live.put(Destination(*A, weight, upper=upper))
        found.append(bool(chosen(live)))
    assert found == [True, False, True, False, False, True]


def test_an_edit_of_the_weight_keeps_an_overloaded_server_at_rest(clock: Clock) -> None:
    live = made(clock)
    live.put(Destination(*A, upper=4))
    full(live, A, 4)
    live.closed(A)
    live.put(Destination(*A, weight=9, upper=4))
    assert (live.open, chosen(live)) == ({A: 3}, None)


def test_a_change_of_scheduler_keeps_counts_and_persistence(clock: Clock) -> None:
    live = made(clock, A, B, persistence_timeout=60)
    assert chosen(live) == A
    full(live, A, 3)
    live.edit(Service(SERVICE, "lc", persistence_timeout=60))
    assert (live.open, chosen(live), chosen(live, "192.0.2.2")) == ({A: 3, B: 0}, A, B)


@pytest.mark.parametrize(("scheduler", "instead"), pool.SUBSTITUTES.items())
def test_schedulers_of_routers_have_a_substitute(clock: Clock, scheduler: str, instead: str) -> None:
    routed, known = made(clock, A, B, scheduler=scheduler), made(clock, A, B, scheduler=instead)
    assert [chosen(routed, f"192.0.2.{n}") for n in range(9)] == [chosen(known, f"192.0.2.{n}") for n in range(9)]


@pytest.mark.parametrize("scheduler", ["sh", "mh"])
@pytest.mark.parametrize("by_port", [False, True])
def test_hashing_sees_the_port_only_when_told(clock: Clock, scheduler: str, by_port: bool) -> None:
    live = made(clock, A, B, C, scheduler=scheduler, flags=(f"{scheduler}-port",) if by_port else ())
    found = {chosen(live, port=port) for port in range(1000, 1100)}
    assert found == {A, B, C} if by_port else len(found) == 1


@pytest.mark.parametrize(("flag", "helped"), [(None, False), ("{}-fallback", True), ("flag-1", True)])
@pytest.mark.parametrize("scheduler", ["sh", "mh"])
def test_hashing_passes_a_refused_client_on_and_one_of_a_full_server_only_when_told(
    clock: Clock, scheduler: str, flag: str | None, helped: bool
) -> None:
    live = made(clock, scheduler=scheduler, flags=(flag.format(scheduler),) if flag else ())
    for key in (A, B):
        live.put(Destination(*key, upper=1))
    home = live.choose(("192.0.2.1", 1000))
    assert home is not None
    other = B if home.key == A else A
    assert chosen(live, tried=frozenset({home.key})) == other
    live.opened(home.key)
    assert chosen(live) == (other if helped else None)


def test_a_removed_server_is_counted_until_its_last_connection_ends(clock: Clock) -> None:
    live = made(clock, A, B)
    full(live, A, 1)
    live.drop(A)
    live.drop(B)
    assert live.open == {A: 1}
    live.closed(A)
    assert live.open == {}


STEPS = st.lists(st.tuples(st.sampled_from(["open", "close", "put", "drop"]), st.sampled_from([A, B, C])), max_size=60)


@given(STEPS)
def test_counts_are_what_is_open_and_nobody_full_is_chosen(steps: list[tuple[str, Key]]) -> None:
    live, held = made(Clock()), dict.fromkeys((A, B, C), 0)
    for step, key in steps:
        if step == "put":
            live.put(Destination(*key, upper=2, lower=2))
        elif key in live.destinations and step == "drop":
            live.drop(key)
        elif key in live.destinations and step == "open":
            live.opened(key)
            held[key] += 1
        elif step == "close" and held[key]:
            live.closed(key)
            held[key] -= 1
        assert live.open == {one: n for one, n in held.items() if n or one in live.destinations}
        assert (chosen(live) is None) == all(held[one] >= 2 for one in live.destinations)
