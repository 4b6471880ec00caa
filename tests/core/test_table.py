"""The plan of edits: it arrives, it edits in place, and no packet meets an empty pool on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.table import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Destination,
    Edit,
    EditDestination,
    EditService,
    Pool,
    Service,
    ServiceKey,
    attempt,
    is_alike,
    plan,
)

KEY = ServiceKey(4, "10.0.0.1", 80, "tcp")
A, B, C = (Destination(f"10.0.1.{turn}", 80) for turn in (1, 2, 3))

destinations = st.lists(
    st.builds(
        Destination,
        st.sampled_from(["10.0.1.1", "10.0.1.2", "10.0.1.3", "2001:db8::1"]),
        st.sampled_from([80, 81]),
        st.sampled_from([0, 1, 2, 100]),
        st.sampled_from(["NAT", "DR"]),
        st.sampled_from([0, 10]),
    ),
    unique_by=lambda destination: destination.key,
    max_size=8,
).map(tuple)
services = st.builds(
    Service,
    st.just(KEY),
    st.sampled_from(["rr", "sh"]),
    st.sampled_from([(), ("sh-port",), ("ops", "flag-2"), ("flag-2", "ops")]),
    st.sampled_from([0, 360]),
    st.sampled_from([None, 24, 32]),
)
pools = st.builds(Pool, services, destinations)


def carried_out(edit: Edit, pool: Pool | None) -> Pool | None:
    """What a pool becomes; an edit that a plane would refuse fails the test."""
    match edit:
        case AddService(service):
            assert pool is None
            return Pool(service)
        case DeleteService():
            assert pool is not None
            return None
        case EditService(service):
            assert pool is not None
            return Pool(service, pool.destinations)
    assert pool is not None
    held = {destination.key: destination for destination in pool.destinations}
    assert (edit.destination.key in held) is not isinstance(edit, AddDestination)
    held[edit.destination.key] = edit.destination
    if isinstance(edit, DeleteDestination):
        del held[edit.destination.key]
    return Pool(pool.service, tuple(held.values()))


def steps(desired: Pool | None, actual: Pool | None) -> list[Pool | None]:
    """The pool at the start and after each edit."""
    found = [actual]
    for edit in plan(desired, actual):
        found.append(carried_out(edit, found[-1]))
    return found


def content(pool: Pool | None) -> object:
    return pool and (pool.service.scheduler, pool.service.persistence_timeout, frozenset(pool.destinations))


def serves(pool: Pool | None) -> bool:
    return pool is not None and any(destination.weight > 0 for destination in pool.destinations)


@given(st.none() | pools, st.none() | pools)
def test_a_plan_arrives_at_what_is_desired(desired: Pool | None, actual: Pool | None) -> None:
    end = steps(desired, actual)[-1]
    assert content(end) == content(desired)
    assert end is None or desired is None or is_alike(end.service, desired.service)


@given(pools, st.randoms(use_true_random=False))
def test_a_plan_of_equals_is_empty_whatever_the_order(pool: Pool, chance: object) -> None:
    shuffled = list(pool.destinations)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert plan(pool, Pool(pool.service, tuple(shuffled))) == ()


@given(pools, pools)
def test_a_pool_that_serves_before_and_after_serves_all_the_way(desired: Pool, actual: Pool) -> None:
    if serves(desired) and serves(actual):
        assert all(serves(pool) for pool in steps(desired, actual))


@given(pools, pools)
def test_a_plan_has_one_edit_for_each_difference_and_deletes_nothing_that_stays(desired: Pool, actual: Pool) -> None:
    wanted, present = ({d.key: d for d in pool.destinations} for pool in (desired, actual))
    edits = plan(desired, actual)
    touched = [edit.destination.key for edit in edits if not isinstance(edit, (AddService, EditService, DeleteService))]
    different = {key for key in wanted.keys() | present.keys() if wanted.get(key) != present.get(key)}
    assert sorted(touched) == sorted(different)
    assert not {e.destination.key for e in edits if isinstance(e, DeleteDestination)} & wanted.keys()
    assert len(edits) - len(touched) == (not is_alike(desired.service, actual.service))


def test_the_order_is_service_additions_raises_other_edits_removals() -> None:
    before = Pool(Service(KEY, "rr"), (Destination(*A.key, 5), Destination(*B.key, 1), C))
    after = Pool(Service(KEY, "wlc"), (Destination("10.0.1.4", 80), Destination(*A.key, 1), Destination(*B.key, 5)))
    assert plan(after, before) == (
        EditService(after.service),
        AddDestination(KEY, after.destinations[0]),
        EditDestination(KEY, after.destinations[2]),
        EditDestination(KEY, after.destinations[1]),
        DeleteDestination(KEY, C),
    )


def test_a_new_service_comes_before_its_servers_and_an_old_one_takes_its_own_along() -> None:
    pool = Pool(Service(KEY), (A, B))
    assert plan(pool, None) == (AddService(pool.service), AddDestination(KEY, A), AddDestination(KEY, B))
    assert plan(None, pool) == (DeleteService(KEY),)
    assert plan(None, None) == ()


def test_a_server_that_is_named_twice_is_planned_once_as_it_was_named_last() -> None:
    heavy = Destination(*A.key, 9)
    assert plan(Pool(Service(KEY), (A, heavy)), Pool(Service(KEY))) == (AddDestination(KEY, heavy),)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (Service(KEY, flags=("sh-port",)), Service(KEY, flags=("flag-2",)), True),
        (Service(KEY, flags=("ops", "flag-1")), Service(KEY, flags=("flag-1", "ops")), True),
        (Service(KEY, persistence_prefix=32), Service(KEY), True),
        (Service(KEY, persistence_prefix=31), Service(KEY), False),
        (Service(KEY, flags=("sh-port",)), Service(KEY, flags=("sh-fallback",)), False),
        (Service(KEY, "rr"), Service(KEY, "wrr"), False),
        (Service(KEY, persistence_timeout=1), Service(KEY), False),
        (Service(KEY, persistence_engine="sip"), Service(KEY), False),
        (Service(ServiceKey(6, fwmark=1), persistence_prefix=128), Service(ServiceKey(6, fwmark=1)), True),
        (Service(ServiceKey(6, fwmark=1), persistence_prefix=32), Service(ServiceKey(6, fwmark=1)), False),
    ],
)
def test_services_that_a_plane_cannot_tell_apart_are_alike(one: Service, other: Service, alike: bool) -> None:
    assert is_alike(one, other) is alike


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (AddService(Service(KEY)), "adding service 10.0.0.1:80:tcp"),
        (EditService(Service(ServiceKey(6, "2001:db8::1", 53, "udp"))), "changing service [2001:db8::1]:53:udp"),
        (DeleteService(ServiceKey(6, fwmark=7)), "removing service firewall mark 7 (IPv6)"),
        (AddDestination(KEY, A), "adding real server 10.0.1.1:80 to 10.0.0.1:80:tcp"),
        (EditDestination(KEY, Destination("::1", 8)), "changing real server [::1]:8 of 10.0.0.1:80:tcp"),
        (DeleteDestination(KEY, B), "removing real server 10.0.1.2:80 from 10.0.0.1:80:tcp"),
    ],
)
def test_an_edit_says_what_it_tries(edit: Edit, text: str) -> None:
    assert attempt(edit) == text
