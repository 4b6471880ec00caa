"""Twenty virtual routers on one wire, each with three hosts to be on: one of ours and two of Debian's keepalived."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.capture import Recording, leaders, silences
from tests.system.lab import until
from tests.system.netns import Keepalived, Lan, Ours, Router, ip, lan, started

COUNT = 20
INSTANCE = """
vrrp_instance VI_{vrid} {{
    interface eth0
    state BACKUP
    virtual_router_id {vrid}
    version 3
    priority {priority}
    advert_int 0.5
    virtual_ipaddress {{
        10.99.1.{vrid}/16
    }}
}}
"""


@pytest.fixture
def wire() -> Iterator[Lan]:
    with lan("m") as made:
        yield made


def conf(place: int) -> str:
    """Every virtual router has another order of its three hosts."""
    return "".join(INSTANCE.format(vrid=n, priority=100 + 50 * ((n + place) % 3)) for n in range(1, COUNT + 1))


def held(router: Router) -> set[int]:
    """The virtual routers whose address is on the host."""
    words = ip("-n", router.host.name, "-o", "addr", "show", "dev", "eth0", "to", "10.99.1.0/24").split()
    return {int(word.partition("/")[0].rpartition(".")[2]) for word in words if word.startswith("10.99.1.")}


def shared(routers: list[Router], order: list[int]) -> bool:
    """Whether each address is on one host alone: the best of the places in ``order`` that are still there."""
    best = {n: max(order, key=lambda place: (n + place) % 3) for n in range(1, COUNT + 1)}
    return all(held(routers[place]) == {n for n in best if best[n] == place} for place in order)


def test_each_has_one_leader_when_one_of_three_hosts_dies_and_is_back(wire: Lan, tmp_path: Path) -> None:
    kinds = (Ours, Keepalived, Keepalived)
    routers: list[Router] = [kind(wire.host(), tmp_path, conf(place)) for place, kind in enumerate(kinds)]
    recording = Recording(wire.host(), tmp_path / "capture")
    with closing(recording), started(*routers):
        until(lambda: shared(routers, [0, 1, 2]), limit=25, step=0.2)
        settled = time.time()
        routers[0].kill()
        ip("-n", routers[0].host.name, "addr", "flush", "to", "10.99.1.0/24", "dev", "eth0")
        until(lambda: shared(routers, [1, 2]), limit=25, step=0.2)
        routers[0].start()
        until(lambda: shared(routers, [0, 1, 2]), limit=25, step=0.2)
        routers[1].stop()
        until(lambda: shared(routers, [0, 2]), limit=25, step=0.2)
    names = {router.host.mac: place for place, router in enumerate(routers)}
    adverts = recording.adverts()
    for vrid in range(1, COUNT + 1):
        own = [each for each in adverts if each.vrid == vrid]
        led = [names[source] for source in leaders(own)]
        assert story(vrid) == led[-len(story(vrid)) :], f"{led} led {vrid}"
        since = [names[source] for source in leaders([each for each in own if each.at > settled])]
        assert since in (story(vrid), story(vrid)[1:]), f"{since} led {vrid}"  # the first may not have spoken since
        assert silences(own) == []


def story(vrid: int) -> list[int]:
    """The places that lead, one after the other, once the best one does; at the start a worse one may be sooner."""
    best = [max(order, key=lambda place: (vrid + place) % 3) for order in ([0, 1, 2], [1, 2], [0, 1, 2], [0, 2])]
    return [place for n, place in enumerate(best) if n == 0 or best[n - 1] != place]
