"""Who gets the next connection: weights, thresholds, persistence. Nothing here touches a socket."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from actors.core.table import Destination, Service, ServiceKey
from actors.planes.userspace import pool as pools
from actors.planes.userspace.pool import LivePool

KEY = {4: ServiceKey(4, "10.0.0.1", 80, "tcp"), 6: ServiceKey(6, "2001:db8::1", 80, "tcp")}
A, B, C = (Destination(f"10.0.1.{turn}", 80) for turn in (1, 2, 3))
NAMES = {A.key: "a", B.key: "b", C.key: "c", None: "-"}
CLIENT = ("192.0.2.1", 40000)


class Table(LivePool):
    """A pool with a clock of its own, whose choices are told by letters."""

    def __init__(self, *servers: Destination, scheduler: str = "rr", family: int = 4, **attributes: Any) -> None:
        self.time = 0.0
        super().__init__(Service(KEY[family], scheduler, **attributes), lambda: self.time)
        for server in servers:
            self.put(server)

    def next(self, address: str = CLIENT[0], port: int = CLIENT[1], tried: str = "") -> str:
        keys = frozenset(key for key, name in NAMES.items() if key and name in tried)
        chosen = self.choose((address, port), keys)
        return NAMES[chosen.key if chosen else None]

    def connect(self, times: int = 1) -> str:
        """Choices that are counted as connections."""
        names = []
        for _ in range(times):
            chosen = self.choose(CLIENT)
            names.append(NAMES[chosen.key if chosen else None])
            if chosen:
                self.opened(chosen.key)
        return "".join(names)


def test_weights_are_followed_and_weight_0_takes_nothing() -> None:
    table = Table(Destination(*A.key, 3), B, Destination(*C.key, 0), scheduler="wrr")
    assert sorted(table.connect(8)) == list("aaaaaabb")


@pytest.mark.parametrize("scheduler", ["rr", "wrr", "lc", "wlc", "sed", "nq", "sh", "mh", "fo", "ovf"])
def test_with_every_scheduler_all_servers_are_tried_once_and_then_none(scheduler: str) -> None:
    table = Table(A, B, C, scheduler=scheduler)
    tried = ""
    for _ in range(3):
        tried += table.next(tried=tried)
    assert (sorted(tried), table.next(tried=tried)) == (["a", "b", "c"], "-")


def test_an_overloaded_server_gets_no_more_until_it_is_below_its_lower_threshold() -> None:
    table = Table(Destination(*A.key, 1, upper=4, lower=2))
    assert table.connect(5) == "aaaa-"
    said = []
    for _ in range(3):
        table.closed(A.key)
        said.append(table.next())
    assert said == ["-", "-", "a"]


@pytest.mark.parametrize(("upper", "recovers_at"), [(4, 2), (8, 5), (1, 0), (2, 1)])
def test_without_a_lower_threshold_overload_ends_below_three_quarters(upper: int, recovers_at: int) -> None:
    table = Table(Destination(*A.key, 1, upper=upper))
    table.connect(upper)
    while table.next() == "-":
        table.closed(A.key)
    assert table.open == {A.key: recovers_at}


def test_a_raised_threshold_ends_overload_and_a_lowered_one_begins_it() -> None:
    table = Table(Destination(*A.key, 1, upper=2))
    assert table.connect(3) == "aa-"
    table.put(Destination(*A.key, 1, upper=3))
    assert table.connect(2) == "a-"
    table.put(A)
    assert table.connect() == "a"
    table.put(Destination(*A.key, 1, upper=4))
    assert table.next() == "-"


@pytest.mark.parametrize("flags", [(), ("sh-fallback",), ("flag-1",)])
def test_a_hashed_client_waits_for_its_overloaded_server_unless_it_may_fall_back(flags: tuple[str, ...]) -> None:
    table = Table(*(Destination(*server.key, 1, upper=1) for server in (A, B)), scheduler="sh", flags=flags)
    first, second = tuple(table.connect(2))
    assert (second == "-") is (not flags)
    assert second != first


def test_the_port_counts_for_hashing_only_when_a_flag_says_so() -> None:
    def met(*flags: str) -> set[str]:
        table = Table(A, B, C, scheduler="mh", flags=flags)
        return {table.next(port=port) for port in range(1024, 1124)}

    assert [len(met()), len(met("mh-port")), len(met("flag-2"))] == [1, 3, 3]


def test_a_client_sticks_for_the_time_since_its_last_connection() -> None:
    table = Table(A, B, persistence_timeout=60)
    said = []
    for now in (0, 59, 119, 180):
        table.time = now
        said.append(table.next())
    assert said == ["a", "a", "a", "b"]


@pytest.mark.parametrize(
    ("family", "prefix", "one", "other", "together"),
    [
        (4, None, "192.0.2.1", "192.0.2.2", False),
        (4, 24, "192.0.2.1", "192.0.2.254", True),
        (4, 24, "192.0.2.1", "192.0.3.1", False),
        (4, 0, "192.0.2.1", "10.0.0.1", True),
        (6, None, "2001:db8::1", "2001:db8::2", False),
        (6, 64, "2001:db8::1", "2001:db8::2:0:0:1", True),
        (6, 64, "2001:db8::1", "2001:db8:0:1::1", False),
        (6, 128, "fe80::1%eth0", "fe80::1", True),
    ],
)
def test_clients_of_one_prefix_stick_together(
    family: int, prefix: int | None, one: str, other: str, together: bool
) -> None:
    table = Table(A, B, family=family, persistence_timeout=60, persistence_prefix=prefix)
    assert (table.next(one) == table.next(other)) is together


def test_a_client_leaves_a_server_that_drains_that_refuses_or_that_is_gone() -> None:
    table = Table(A, B, C, persistence_timeout=60)
    assert (table.next(), table.next()) == ("a", "a")
    table.put(Destination(*A.key, 0))
    said = table.next()
    assert said in "bc"
    assert table.next(tried=said) not in ("a", said)
    stuck = table.next()
    table.drop({"b": B, "c": C}[stuck].key)
    assert table.next() in set("bc") - {stuck}


def test_a_client_sticks_to_an_overloaded_server() -> None:
    """As with IPVS: only new clients are sent elsewhere."""
    table = Table(Destination(*A.key, 1, upper=1), B, persistence_timeout=60)
    assert table.connect(3) == "aaa"
    assert table.next("192.0.2.9") == "b"


def test_the_client_that_came_longest_ago_is_forgotten_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "STICKY", 2)
    table = Table(A, B, C, persistence_timeout=60)
    assert [table.next(f"192.0.2.{turn}") for turn in (1, 2, 1, 3)] == ["a", "b", "a", "c"]
    assert [table.next(f"192.0.2.{turn}") for turn in (1, 3, 2)] == ["a", "c", "a"]


def test_a_removed_servers_connections_are_counted_until_they_close() -> None:
    table = Table(A, B)
    table.connect(2)
    table.drop(A.key)
    assert table.open == {A.key: 1, B.key: 1}
    table.closed(A.key)
    assert table.open == {B.key: 1}
    table.closed(B.key)
    table.drop(B.key)
    assert table.open == {}


def test_a_scheduler_that_needs_a_router_is_replaced_and_that_is_told() -> None:
    with capture_logs() as logs:
        table = Table(A, scheduler="dh")
    assert (table.next(), logs) == (
        "a",
        [{"event": "scheduler replaced", "scheduler": "dh", "by": "sh", "log_level": "warning"}],
    )


@given(
    st.lists(st.sampled_from(["choose", "close", "drain", "fill", "drop", "add", "late"]), max_size=60), st.booleans()
)
def test_counts_are_those_of_the_connections_that_are_open(steps: list[str], sticky: bool) -> None:
    table = Table(A, Destination(*B.key, 2, upper=3), scheduler="wlc", persistence_timeout=5 if sticky else 0)
    connections: list[tuple[str, int]] = []
    for step in steps:
        if step == "choose" and (chosen := table.choose(CLIENT)):
            assert chosen.weight > 0
            table.opened(chosen.key)
            connections.append(chosen.key)
        elif step == "close" and connections:
            table.closed(connections.pop())
        elif step in ("drain", "fill"):
            table.put(Destination(*A.key, int(step == "fill")))
        elif step == "drop" and B.key in table.destinations:
            table.drop(B.key)
        elif step == "add":
            table.put(B)
        elif step == "late":
            table.time += 6
    known = {*connections, *table.destinations}
    assert table.open == {key: connections.count(key) for key in known}
