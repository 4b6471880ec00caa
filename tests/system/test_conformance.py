"""What a router sends and what it believes, on a wire, to the byte: one running program, and a neighbour that forges.

The tests use the same program one after the other; each leaves the routers that it names on their way to be MASTER.
"""

import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.packets import ARP, GROUP4, GROUP6, IPV4, IPV6, frame, number, over4, over6, v2, v3
from tests.system.conformance_lab import (
    BARE,
    CHOOSY,
    FAST,
    OTHERS,
    OURS,
    OWNER,
    PASS,
    PEER,
    PLAIN,
    QUIET,
    ROUTERS,
    SIX,
    STRICT,
    THEIRS,
    THREE,
    Scene,
    mac,
    scene,
)
from tests.system.forged import FORGERS, VIPS2, VIPS3, right
from tests.system.lab import until
from tests.system.netns import asked, ip
from tests.system.tap import Seen, Tap

Lab = tuple[Scene, Tap]
FIXED = ("role", "reason", "priority", "holds_addresses")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with scene(tmp_path_factory.mktemp("conformance")) as made:
        made[0].leads(PLAIN)
        yield made


def first(tap: Tap, vrid: int) -> Seen:
    return until(lambda: tap.adverts(vrid))[0]  # type: ignore[no-any-return]


# What is sent.


@pytest.mark.parametrize(
    ("vrid", "seconds"), [(PLAIN, 3.609375), (THREE, 0.90234375), (SIX, 0.90234375), (QUIET, 0.721875)]
)
def test_a_start_is_silent_for_the_whole_master_down_interval(lab: Lab, vrid: int, seconds: float) -> None:
    assert first(lab[1], vrid).at - lab[0].began > seconds


def test_an_owner_leads_before_all_others(lab: Lab) -> None:
    begun = min(first(lab[1], vrid).at for vrid in (OWNER, FAST))
    assert all(first(lab[1], vrid).at > begun + 0.5 for vrid in ROUTERS if vrid not in (OWNER, FAST))


ADVERTS = {
    PLAIN: v2(PLAIN, 100, "10.99.0.3", "10.99.0.4"),
    PASS: v2(PASS, 100, "10.99.0.52", auth_type=1, auth=b"secret"),
    THREE: v3(THREE, 100, "10.99.0.53", "10.99.0.63", source=OURS),
    BARE: v3(BARE, 100, "10.99.0.58", bare=True),
    OWNER: v2(OWNER, 255, "10.99.0.60"),
    FAST: v3(FAST, 255, "10.99.0.57", interval=10, source=OURS),
}


@pytest.mark.parametrize("vrid", ADVERTS)
def test_an_ipv4_advert_is_these_bytes(lab: Lab, vrid: int) -> None:
    """TTL 255, precedence 6, no flags, no options, the first address of the interface as its source."""
    scene, tap = lab
    seen = first(tap, vrid)
    identification = int.from_bytes(seen.frame[18:20])
    packet = over4(ADVERTS[vrid], OURS, identification=identification)
    assert seen.frame == frame(packet, sender=scene.mac, pad=b"")
    assert any(each.frame[18:20] != b"\0\0" for each in tap.adverts(vrid)[:2]), "one of 65536 is"


@pytest.mark.parametrize("vrid", [SIX, STRICT])
def test_an_ipv6_advert_is_these_bytes(lab: Lab, vrid: int) -> None:
    """Hop limit 255, traffic class 0xc0, from the interface's own link-local address and not the virtual one."""
    scene, tap = lab
    seen = first(tap, vrid).frame
    message = v3(vrid, 100, f"fe80::{vrid if vrid == STRICT else 54}", f"fd00::{vrid}", source=scene.own6)
    wanted = frame(over6(message, scene.own6), sender=scene.mac)
    assert seen[:15] + bytes([seen[15] & 0xF0, 0, 0]) + seen[18:] == wanted


@pytest.mark.parametrize(("vrid", "peers", "ttl"), [(PEER, (THEIRS, OTHERS), 64), (CHOOSY, (THEIRS,), 255)])
def test_unicast_goes_to_each_peer_and_not_to_the_group(lab: Lab, vrid: int, peers: tuple[str, ...], ttl: int) -> None:
    scene, tap = lab
    until(lambda: len(tap.adverts(vrid)) >= 4 * len(peers))
    seen = [each.frame for each in tap.adverts(vrid)[: 2 * len(peers)]]
    wanted = []
    for place, got in enumerate(seen):
        to = peers[place % len(peers)]
        message = v3(vrid, 100, f"10.99.0.{vrid}", source=OURS, destination=to)
        packet = over4(message, OURS, to, ttl=ttl, identification=int.from_bytes(got[18:20]))
        wanted.append(frame(packet, mac(scene.neighbour), scene.mac, b""))
    assert seen == wanted


def test_every_advert_comes_from_the_first_address_of_the_interface(lab: Lab) -> None:
    scene, tap = lab
    sources = {(each.kind, each.frame[26:30] if each.kind == IPV4 else each.frame[22:38])
               for each in tap.look() if each.vrid}  # fmt: skip
    assert sources == {(IPV4, number(OURS)), (IPV6, number(scene.own6))}


def test_the_advert_comes_before_the_announcements(lab: Lab) -> None:
    tap = lab[1]
    for vrid, vip in ((PLAIN, "10.99.0.3"), (OWNER, "10.99.0.60")):
        announced = [each.at for each in tap.look() if each.kind == ARP and each.frame[28:32] == number(vip)]
        assert announced
        assert first(tap, vrid).at < announced[0]


def test_adverts_keep_their_interval_without_drift(lab: Lab) -> None:
    """Over 60 adverts; a stall longer than an interval begins a new count, so other 60 may be needed."""
    until(lambda: abs(drift([each.at for each in lab[1].adverts(FAST)][-60:], 0.1)) < 0.001, limit=30)


def drift(times: list[float], interval: float) -> float:
    """How much later at the end than at the start; now + interval would add up."""
    late = [at - place * interval for place, at in enumerate(times)]
    return min(late[-20:]) - min(late[:20]) if len(times) == 60 else 1.0


def test_the_groups_are_joined(lab: Lab) -> None:
    words = ip("-n", lab[0].host.name, "maddr", "show", "dev", "eth0").split()
    assert {GROUP4, GROUP6} <= set(words)


# What is believed.


@pytest.mark.parametrize("vrid", FORGERS, ids=lambda vrid: f"R{vrid}")
def test_forged_packets_move_no_master_but_a_counter_and_the_right_one_does(lab: Lab, vrid: int) -> None:
    scene, tap = lab
    scene.leads(vrid)
    before = scene.row(vrid)
    forged = FORGERS[vrid](scene)
    for each in forged:
        tap.put(each.frame, each.frame)
    expected = Counter(each.reason for each in (*forged, *forged) if each.reason)
    until(lambda: discards(scene, vrid, before).total() == expected.total())
    assert discards(scene, vrid, before) == expected
    after = scene.row(vrid)
    assert [after[name] for name in FIXED] == [before[name] for name in FIXED]
    assert after["packets"].get("heard", 0) == before["packets"].get("heard", 0)
    tap.put(right(scene, vrid))
    until(lambda: scene.row(vrid)["role"] == "BACKUP")
    assert not scene.row(vrid)["holds_addresses"]


def discards(scene: Scene, vrid: int, before: dict[str, Any]) -> Counter[str]:
    """What the router has discarded since, by reason."""
    new = Counter(scene.row(vrid)["packets"]) - Counter(before["packets"])
    return Counter({reason: count for reason, count in new.items() if reason not in ("sent", "heard")})


def test_what_can_be_no_routers_is_counted_for_the_interface_and_shown(lab: Lab) -> None:
    scene, tap = lab
    scene.leads(THREE)
    before = Counter(scene.network())
    good = v3(THREE, 200, "10.99.0.53")
    tap.put(frame(over4(b"")), frame(over4(good[:1])), frame(over6(good[:1], scene.their6)))
    tap.put(frame(over4(good[:1] + b"\0" + good[2:])), frame(over6(good[:1] + b"\0" + good[2:], scene.their6)))
    tap.put(frame(over4(v3(77, 200, "10.99.0.77"))))
    expected = {"the length does not fit the content": 3, "unknown virtual router id": 2}
    until(lambda: Counter(scene.network()) - before == expected)
    assert asked(scene.program, ask="why", id=f"vrrp/R{THREE}")["lines"][-3:] == [
        "read on eth0 for no router:",
        *(f"  {reason}: {count}" for reason, count in sorted(scene.network().items())),
    ]


def test_what_comes_in_on_another_interface_is_for_no_router_of_this_one(lab: Lab) -> None:
    scene, tap = lab
    for vrid in (THREE, SIX, PEER):
        scene.leads(vrid)
    rows = [scene.row(vrid) for vrid in (THREE, SIX, PEER)]
    with Tap(scene.neighbour, "eth1") as beside:
        beside.put(right(scene, THREE), right(scene, SIX), mac_changed(right(scene, PEER), mac(scene.host, "eth1")))
    tap.put(*(frame(over4(v3(THREE, 200, *VIPS3, add=1))) for _ in range(3)))
    until(lambda: discards(scene, THREE, rows[0]) == {"wrong checksum": 3})
    heard = [(scene.row(row["vrid"])["role"], scene.row(row["vrid"])["packets"].get("heard")) for row in rows]
    assert heard == [("MASTER", row["packets"].get("heard")) for row in rows]


def mac_changed(whole: bytes, place: str) -> bytes:
    return bytes.fromhex(place) + whole[6:]


def test_a_lower_priority_is_met_with_one_advert_for_each_of_its_own(lab: Lab) -> None:
    scene, tap = lab
    scene.leads(PLAIN)
    known = len(tap.adverts(PLAIN))
    lower = frame(over4(v2(PLAIN, 99, *VIPS2), "10.99.0.250"))
    tap.put(*[lower] * 20)
    until(lambda: len(tap.adverts(PLAIN)) >= known + 20)
    assert len(tap.adverts(PLAIN)) <= known + 21, "its own, which is due each second, may be among them"
    assert scene.row(PLAIN)["role"] == "MASTER"


@pytest.mark.parametrize(
    ("source", "role"), [("10.99.0.19", "MASTER"), ("10.98.255.255", "MASTER"), ("10.99.0.200", "BACKUP")]
)
def test_an_equal_priority_yields_to_a_greater_source_address_alone(lab: Lab, source: str, role: str) -> None:
    scene, tap = lab
    scene.leads(QUIET)
    before = scene.row(QUIET)
    tap.put(frame(over4(v3(QUIET, 100, "10.99.0.59", interval=20, source=source), source)))
    tap.put(frame(over4(v3(QUIET, 99, "10.99.0.59", interval=20, add=1))))
    until(lambda: discards(scene, QUIET, before)["wrong checksum"] == 1)
    assert scene.row(QUIET)["role"] == role


def test_a_router_that_yields_says_nothing_and_its_addresses_go(lab: Lab) -> None:
    scene, tap = lab
    scene.leads(PLAIN)
    tap.put(right(scene, PLAIN))
    until(lambda: scene.row(PLAIN)["role"] == "BACKUP")
    said = len(tap.adverts(PLAIN))
    assert not scene.host.holds("10.99.0.3")
    time.sleep(1.1)
    assert len(tap.adverts(PLAIN)) == said
    assert all(each.priority for each in tap.adverts(PLAIN))


GOOD = {
    "TOS 0": lambda m: frame(over4(m, tos=0)),
    "don't fragment": lambda m: frame(over4(m, fragment=0x4000)),
    "identification 0": lambda m: frame(over4(m, identification=0)),
    "options": lambda m: frame(over4(m, options=b"\x94\x04\0\0")),  # router alert, RFC 2113
    "padding that is not zero": lambda m: frame(over4(m), pad=b"\xff"),
    "any hardware address": lambda m: frame(over4(m), sender="0200000000ee"),
    "the virtual router's": lambda m: frame(over4(m), sender="00005e000135"),
    "reserved bits": lambda m: frame(over4(v3(THREE, 200, "10.99.0.53", "10.99.0.63", interval=0xF019))),
    "another order": lambda m: frame(over4(v3(THREE, 200, "10.99.0.63", "10.99.0.53"))),
}


@pytest.mark.parametrize("difference", GOOD)
def test_what_does_not_matter_is_not_looked_at(lab: Lab, difference: str) -> None:
    scene, tap = lab
    before = scene.row(THREE)
    tap.put(GOOD[difference](v3(THREE, 200, "10.99.0.53", "10.99.0.63")))
    until(lambda: scene.row(THREE)["packets"].get("heard", 0) == before["packets"].get("heard", 0) + 1)
    assert (scene.row(THREE)["role"], discards(scene, THREE, before)) == ("BACKUP", Counter())


ODD = {
    "other addresses": (v3(THREE, 200, "10.99.0.53", "10.99.0.99"), "heard with other addresses"),
    "fewer addresses": (v3(THREE, 200, "10.99.0.53"), "heard with other addresses"),
    "another interval": (v3(THREE, 200, *VIPS3, interval=30), "heard with another advertisement interval"),
}


@pytest.mark.parametrize("oddity", ODD)
def test_what_is_odd_is_believed_and_counted(lab: Lab, oddity: str) -> None:
    scene, tap = lab
    before = scene.row(THREE)
    tap.put(frame(over4(ODD[oddity][0])))
    until(lambda: discards(scene, THREE, before) == {ODD[oddity][1]: 1})
    assert scene.row(THREE)["role"] == "BACKUP"


def test_ipv6_without_a_link_local_address_first_and_from_a_global_source_is_believed(lab: Lab) -> None:
    """Peers that run keepalived are often so; strict mode is not."""
    scene, tap = lab
    scene.leads(SIX)
    tap.put(frame(over6(v3(SIX, 200, f"fd00::{SIX}", source="fd00::9"), "fd00::9")))
    until(lambda: scene.row(SIX)["role"] == "BACKUP")


def test_unicast_without_check_unicast_src_is_believed_from_anybody_and_at_any_distance(lab: Lab) -> None:
    scene, tap = lab
    scene.leads(PEER)
    message = v3(PEER, 200, "10.99.0.55", source="10.99.0.44", destination=OURS)
    tap.put(frame(over4(message, "10.99.0.44", OURS, ttl=3), scene.mac))
    until(lambda: scene.row(PEER)["role"] == "BACKUP")


def test_no_priority_below_255_moves_an_owner_and_another_owner_with_a_greater_address_does(lab: Lab) -> None:
    scene, tap = lab
    scene.leads(OWNER)
    before = scene.row(OWNER)
    own = partial(v2, OWNER, auth=b"")
    tap.put(frame(over4(own(254, "10.99.0.60"), "10.99.0.250")), frame(over4(own(255, "10.99.0.60"), "10.99.0.1")))
    until(lambda: discards(scene, OWNER, before) == {"heard from another owner of the addresses": 1})
    assert scene.row(OWNER)["role"] == "MASTER"
    tap.put(frame(over4(own(255, "10.99.0.60"), "10.99.0.250")))
    until(lambda: scene.row(OWNER)["role"] == "BACKUP")


def test_in_backup_forged_packets_do_not_hold_the_timer_up(lab: Lab) -> None:
    """They come all through the 0.722 s that the last advert which counts has begun, and after."""
    scene, tap = lab
    scene.leads(QUIET)
    good = v3(QUIET, 200, "10.99.0.59", interval=20)
    tap.put(frame(over4(good)))
    until(lambda: scene.row(QUIET)["role"] == "BACKUP")
    began, known = time.time(), len(tap.adverts(QUIET))
    tap.put(frame(over4(good)))
    while len(tap.adverts(QUIET)) == known:
        tap.put(frame(over4(good, ttl=254)), frame(over4(v3(QUIET, 200, "10.99.0.59", add=1))))
        assert time.time() < began + 5
        time.sleep(0.01)
    assert 0.721875 < tap.adverts(QUIET)[known].at - began < 2


def test_a_flood_of_forged_packets_moves_nothing_and_is_a_handful_of_lines(lab: Lab) -> None:
    scene, tap = lab
    scene.leads(PLAIN)
    before, read = scene.row(PLAIN), len(scene.program.log.read_text())
    good = v2(PLAIN, 200, *VIPS2)
    bad = [frame(over4(good, ttl=7)), frame(over4(v2(PLAIN, 200, *VIPS2, add=1))), frame(over4(good[:-1]))]
    for _ in range(100):
        tap.put(*(bad * 34))
        time.sleep(0.002)  # what finds no room in the socket's buffer is lost
    until(lambda: discards(scene, PLAIN, before).total() > 9_000)
    after = scene.row(PLAIN)
    assert [after[name] for name in FIXED] == [before[name] for name in FIXED]
    assert scene.program.log.read_text()[read:].count("advert discarded") <= 3


# The end; no test comes after this.


def test_a_stop_is_priority_0_then_no_addresses_then_silence(lab: Lab) -> None:
    scene, tap = lab
    leading = [PLAIN, FAST, SIX, PEER]
    for vrid in leading:
        scene.leads(vrid)
    tap.put(right(scene, THREE))
    until(lambda: scene.row(THREE)["role"] == "BACKUP")
    quiet = len(tap.adverts(THREE))
    monitor = scene.host.run("ip", "-ts", "-o", "monitor", "address", stdout=subprocess.PIPE)
    time.sleep(0.2)
    process, processes = scene.program.process, scene.program.pids()
    assert process is not None
    scene.program.stop()
    monitor.terminate()
    gone = removals(monitor.communicate()[0].decode())
    farewells = {vrid: [each for each in tap.adverts(vrid) if not each.priority] for vrid in leading}
    assert {vrid: len(seen) for vrid, seen in farewells.items()} == dict.fromkeys(leading, 1) | {PEER: 2}
    assert all(tap.adverts(vrid)[-1] in farewells[vrid] for vrid in leading)
    assert len(tap.adverts(THREE)) == quiet
    assert farewells[PLAIN][0].at < gone["10.99.0.3"]
    assert farewells[PLAIN][0].frame[34:] == v2(PLAIN, 0, *VIPS2)
    assert process.returncode == 0
    until(lambda: not [pid for pid in processes if lives(pid)], limit=3)
    left = ip("-n", scene.host.name, "-o", "addr", "show", "dev", "eth0")
    assert [
        word for _, vips in ROUTERS.values() for word in vips.split() if f" {word.partition('/')[0]}/" in left
    ] == []


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def removals(text: str) -> dict[str, float]:
    """When each address was deleted, by what ``ip -ts monitor`` has printed."""
    found = re.findall(r"^\[([^\]]+)\] *Deleted .*? inet6? ([^/ ]+)", text, re.MULTILINE)
    return {address: datetime.fromisoformat(at).astimezone().timestamp() for at, address in found}
