"""VRRP routers on a wire that loses, doubles, delays and is cut: once it is healed there is one MASTER."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.core.vrrp_values import Faulted, Recovered, Router, Shutdown, Startup
from tests.transcripts.wire import Wire

LEAST, MOST = 0.0001, 0.002
"""Delays in seconds; below the skew of neighbouring priorities at 1 s (1/256 s), above it at shorter intervals."""


def troupe(random: Random, version: int, distinct: bool = True, **keywords: bool) -> list[Router]:
    """Two to five routers; in version 3 each with an interval of its own. The last one has the highest priority."""
    count = random.randint(2, 5)
    priorities = sorted(random.sample(range(1, 256), count)) if distinct else [random.randint(1, 254)] * count
    return [
        Router(
            address=f"10.0.{random.randint(0, 255)}.{number}",
            priority=priority,
            version=version,
            interval=random.choice([10, 50, 100]) if version == 3 else 100,
            **keywords,
        )
        for number, priority in enumerate(priorities, 1)
    ]


def stage(seed: int, routers: list[Router]) -> Wire:
    """A wire with these routers, named 0, 1, 2 ..., all started."""
    wire = Wire(seed, LEAST, MOST)
    for number, router in enumerate(routers):
        wire.add(str(number), router)
    for name in wire.nodes:
        wire.tell(name, Startup())
    return wire


def mishap(wire: Wire, random: Random) -> None:
    """One thing that happens to a network."""
    name = random.choice(list(wire.nodes))
    match random.randrange(7):
        case 0:
            names = random.sample(list(wire.nodes), len(wire.nodes))
            at = random.randint(1, len(names) - 1)
            wire.cut(names[:at], names[at:])
        case 1:
            wire.crash(name)
        case 2:
            wire.renew(name)
            wire.tell(name, Startup())
        case 3:
            wire.tell(name, Faulted("tried"))
        case 4:
            wire.tell(name, Shutdown())
        case 5:
            wire.loss, wire.twice = random.choice([0.1, 0.5, 0.9]), random.choice([0.0, 0.5])
        case 6:
            wire.least, wire.most = random.choice([(LEAST, MOST), (0.0, 0.3), (0.0, 3.0)])


def trouble(wire: Wire, random: Random, mishaps: int = 8) -> None:
    """A bad time, after which all routers live, want to lead, and hear each other again."""
    for _ in range(mishaps):
        mishap(wire, random)
        wire.run(random.uniform(0.0, 4.0))
    wire.heal()
    wire.run(wire.most)  # what was sent before is not held against the healed wire
    wire.least, wire.most = LEAST, MOST
    for name, node in wire.nodes.items():
        if not node.alive:
            wire.renew(name)
        wire.tell(name, Startup())
        wire.tell(name, Recovered())


def overlaps_after(wire: Wire, begin: float) -> list[float]:
    """How long there was more than one MASTER, each time, counted from ``begin``."""
    return [end - max(since, begin) for since, end in wire.overlaps if end > begin]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("seed", range(40))
def test_after_any_trouble_the_highest_leads_alone(seed: int, version: int) -> None:
    random = Random(seed)
    routers = troupe(random, version)
    wire = stage(seed, routers)
    trouble(wire, random)
    healed = wire.now
    wire.run(10)
    assert wire.masters() == [str(len(routers) - 1)]
    slowest = max(router.interval for router in routers) / 100
    assert max(overlaps_after(wire, healed), default=0.0) <= slowest + 2 * MOST


@pytest.mark.parametrize("keywords", [{"preempt": False}, {"lower_prio_no_advert": True}, {"strict_mode": True}])
@pytest.mark.parametrize("seed", range(10))
def test_with_any_keyword_one_router_leads_alone(seed: int, keywords: dict[str, bool]) -> None:
    random = Random(seed)
    wire = stage(seed, troupe(random, 3, **keywords))
    trouble(wire, random)
    wire.run(10)
    assert len(wire.masters()) == 1


@pytest.mark.parametrize("seed", range(20))
def test_among_equals_one_leads_alone_and_stays(seed: int) -> None:
    random = Random(seed)
    wire = stage(seed, troupe(random, 2, distinct=False))
    trouble(wire, random)
    wire.run(10)
    leading = wire.masters()
    assert len(leading) == 1
    wire.run(30)
    assert wire.masters() == leading


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.0, 1.0, exclude_max=True))
def test_on_a_good_wire_a_crash_is_made_good_in_time_and_no_two_lead_for_longer_than_an_advert_travels(
    seed: int, moment: float
) -> None:
    random = Random(seed)
    routers = troupe(random, 2)
    wire = stage(seed, routers)
    wire.run(10 + moment)
    leader, heir = str(len(routers) - 1), routers[-2]
    assert wire.masters() == [leader]
    wire.crash(leader)
    wire.run(3 + (256 - heir.priority) / 256 + MOST)
    assert str(len(routers) - 2) in wire.masters()
    wire.run(MOST)
    assert wire.masters() == [str(len(routers) - 2)]
    assert max(overlaps_after(wire, 0.0), default=0.0) <= MOST


@pytest.mark.parametrize("seed", range(10))
def test_a_stop_in_order_hands_over_within_the_skew_time(seed: int) -> None:
    random = Random(seed)
    routers = troupe(random, 2)
    wire = stage(seed, routers)
    wire.run(10)
    wire.tell(str(len(routers) - 1), Shutdown())
    wire.run((256 - routers[-2].priority) / 256 + 2 * MOST)
    assert wire.masters() == [str(len(routers) - 2)]


@pytest.mark.parametrize("seed", range(10))
def test_one_lost_advert_and_a_doubled_one_move_nothing(seed: int) -> None:
    random = Random(seed)
    wire = stage(seed, troupe(random, 2))
    wire.run(10)
    told = len(wire.trace)
    wire.twice = 1.0
    for _ in range(10):
        wire.loss = 1.0
        wire.run(1)
        wire.loss = 0.0
        wire.run(1)
    assert wire.trace[told:] == []


def test_the_same_seed_tells_the_same_story() -> None:
    def told() -> list[str]:
        random = Random(7)
        wire = stage(7, troupe(random, 3))
        trouble(wire, random)
        return wire.trace

    assert told() == told() != []
