"""Packets with one defect each, which no router may believe, and the same without it, which every BACKUP must.

All say priority 200, above every router of the lab but the owners.
"""

from collections.abc import Callable
from typing import NamedTuple

from tests.packets import GROUP4, checksum, frame, number, over4, over6, v2, v3
from tests.system.conformance_lab import (
    BARE,
    CHOOSY,
    OTHERS,
    OURS,
    OWNER,
    PASS,
    PEER,
    PLAIN,
    ROUTERS,
    SIX,
    STRICT,
    THEIRS,
    THREE,
    Scene,
)


class Forged(NamedTuple):
    """A defect: the frame that has it, and how the router counts it.

    ``reason`` "" is not counted by it: the kernel drops the packet, or it is read for no router.
    """

    defect: str
    frame: bytes
    reason: str


LENGTH, TTL, VERSION = "the length does not fit the content", "the TTL or hop limit is not 255", "another VRRP version"
TYPE, CHECKSUM, ZERO = "not an advertisement", "wrong checksum", "an advertisement interval of 0"
DESTINATION, COUNT, AUTH = "sent to another destination", "no addresses", "another authentication type"
VIPS2 = ("10.99.0.3", "10.99.0.4")
VIPS3 = ("10.99.0.53", "10.99.0.63")


def forged_2(scene: Scene) -> list[Forged]:
    good = v2(PLAIN, 200, *VIPS2)
    return [
        *headers(scene, lambda source, to: good),
        Forged("version 1", frame(over4(v2(PLAIN, 200, *VIPS2, first=0x11))), VERSION),
        Forged("version 3 on the layout of 2", frame(over4(v2(PLAIN, 200, *VIPS2, first=0x31))), LENGTH),
        Forged("version 3", frame(over4(v3(PLAIN, 200, *VIPS2))), VERSION),
        Forged("type 2", frame(over4(v2(PLAIN, 200, *VIPS2, first=0x22))), TYPE),
        Forged("type 0", frame(over4(v2(PLAIN, 200, *VIPS2, first=0x20))), TYPE),
        Forged("7 bytes", frame(over4(good[:7])), LENGTH),
        Forged("8 bytes", frame(over4(good[:8])), LENGTH),
        Forged("no authentication data", frame(over4(good[:-8])), LENGTH),
        Forged("a byte short", frame(over4(good[:-1])), LENGTH),
        Forged("8 bytes after it", frame(over4(good + bytes(8))), LENGTH),
        Forged("count 255", frame(over4(v2(PLAIN, 200, *VIPS2, count=255))), LENGTH),
        Forged("count 1 of 2", frame(over4(v2(PLAIN, 200, *VIPS2, count=1))), LENGTH),
        Forged("checksum", frame(over4(v2(PLAIN, 200, *VIPS2, add=1))), CHECKSUM),
        Forged("checksum 0", frame(over4(good[:6] + b"\0\0" + good[8:])), CHECKSUM),
        Forged("checksum of version 3", frame(over4(as_if_3(good))), CHECKSUM),
        Forged("a word", frame(over4(v2(PLAIN, 200, *VIPS2, auth_type=1, auth=b"secret"))), AUTH),
        Forged("type AH", frame(over4(v2(PLAIN, 200, *VIPS2, auth_type=2))), AUTH),
        Forged("auth type 9", frame(over4(v2(PLAIN, 200, *VIPS2, auth_type=9))), "unknown authentication type"),
        Forged("interval 2", frame(over4(v2(PLAIN, 200, *VIPS2, interval=2))), "another advertisement interval"),
        Forged("interval 0", frame(over4(v2(PLAIN, 200, *VIPS2, interval=0))), ZERO),
        Forged("interval 2, leaving", frame(over4(v2(PLAIN, 0, *VIPS2, interval=2))), "another advertisement interval"),
    ]


def as_if_3(message: bytes) -> bytes:
    """With a pseudo-header in the checksum, where there is none."""
    ends = number(THEIRS) + number(GROUP4) + len(message).to_bytes(4) + (112).to_bytes(4)
    return message[:6] + checksum(ends + message[:6] + b"\0\0" + message[8:]).to_bytes(2) + message[8:]


def headers(scene: Scene, made: Callable[[str, str], bytes]) -> list[Forged]:
    """What can be wrong below and beside an IPv4 message that is right for its source and destination."""

    def to(destination: str, place: str = "", source: str = THEIRS) -> bytes:
        return frame(over4(made(source, destination), source, destination), place)

    good = made(THEIRS, GROUP4)
    return [
        Forged("TTL 254", frame(over4(good, ttl=254)), TTL),
        Forged("TTL 1", frame(over4(good, ttl=1)), TTL),
        Forged("to us alone", to(OURS, scene.mac), DESTINATION),
        Forged("to another group", to("224.0.0.1", "01005e000001"), ""),
        Forged("to another machine", frame(over4(good), "020000000099"), ""),
        Forged("from us", to(GROUP4, source=OURS), ""),
        Forged("from a group", to(GROUP4, source="224.0.0.18"), ""),
        Forged("protocol 17", frame(over4(good, protocol=17)), ""),
        Forged("protocol 51", frame(over4(good, protocol=51)), ""),
        Forged("header checksum", frame(over4(good, add=1)), ""),
        Forged("header longer than the packet", frame(over4(good, longer=40)), ""),
        Forged("a first fragment", frame(over4(good, fragment=0x2000)), ""),
        Forged("a later fragment", frame(over4(good, fragment=1)), ""),
        Forged("another VRID", frame(over4(v2(77, 200, "10.99.0.77"))), ""),
        Forged("another VRID, leaving", frame(over4(v3(78, 0, "10.99.0.78"))), ""),
    ]


def forged_3(scene: Scene) -> list[Forged]:
    good = v3(THREE, 200, *VIPS3)
    return [
        *headers(scene, lambda source, to: v3(THREE, 200, *VIPS3, source=source, destination=to)),
        Forged("version 2", frame(over4(v2(THREE, 200, *VIPS3))), VERSION),
        Forged("version 4", frame(over4(v3(THREE, 200, *VIPS3, first=0x41))), VERSION),
        Forged("type 3", frame(over4(v3(THREE, 200, *VIPS3, first=0x33))), TYPE),
        Forged("short", frame(over4(good[:-1])), LENGTH),
        Forged("4 bytes after it", frame(over4(good + bytes(4))), LENGTH),
        Forged("count 255", frame(over4(v3(THREE, 200, *VIPS3, count=255))), LENGTH),
        Forged("count 0", frame(over4(v3(THREE, 200))), COUNT),
        Forged("checksum", frame(over4(v3(THREE, 200, *VIPS3, add=1))), CHECKSUM),
        Forged("checksum of the message alone", frame(over4(v3(THREE, 200, *VIPS3, bare=True))), CHECKSUM),
        Forged("checksum of another source", frame(over4(v3(THREE, 200, *VIPS3, source=OTHERS))), CHECKSUM),
        Forged("interval 0", frame(over4(v3(THREE, 200, *VIPS3, interval=0))), ZERO),
        Forged("reserved bits alone", frame(over4(v3(THREE, 200, *VIPS3, interval=0xF000))), ZERO),
    ]


def forged_6(scene: Scene) -> list[Forged]:
    listed, ends = (f"fe80::{SIX}", f"fd00::{SIX}"), {"source": scene.their6}
    good = v3(SIX, 200, *listed, **ends)  # type: ignore[arg-type]
    own = v3(SIX, 200, *listed, source=scene.own6)
    group = v3(SIX, 200, *listed, source=scene.their6, destination="ff02::1")
    return [
        Forged("hop limit 254", frame(over6(good, scene.their6, hops=254)), TTL),
        Forged("hop limit 1", frame(over6(good, scene.their6, hops=1)), TTL),
        Forged("short", frame(over6(good[:-1], scene.their6)), LENGTH),
        Forged("16 bytes after it", frame(over6(good + bytes(16), scene.their6)), LENGTH),
        Forged("version 2", frame(over6(b"\x21" + good[1:], scene.their6)), VERSION),
        Forged("checksum", frame(over6(v3(SIX, 200, *listed, add=1, source=scene.their6), scene.their6)), CHECKSUM),
        Forged("checksum of the message alone", frame(over6(v3(SIX, 200, *listed, bare=True), scene.their6)), CHECKSUM),
        Forged("count 0", frame(over6(v3(SIX, 200, source=scene.their6), scene.their6)), COUNT),
        Forged("to all nodes", frame(over6(group, scene.their6, "ff02::1"), "333300000001"), DESTINATION),
        Forged("from us", frame(over6(own, scene.own6)), "sent from our own address"),
        Forged("over IPv4", frame(over4(v3(SIX, 200, "10.99.0.54"))), ""),
        Forged("nothing at all", frame(over6(b"", scene.their6)), ""),
    ]


def forged_pass(scene: Scene) -> list[Forged]:
    def word(auth: bytes, auth_type: int = 1) -> bytes:
        return frame(over4(v2(PASS, 200, "10.99.0.52", auth_type=auth_type, auth=auth)))

    return [
        Forged("no word", word(b"", 0), AUTH),
        Forged("the word, but no type", word(b"secret", 0), AUTH),
        Forged("the word, as AH", word(b"secret", 2), AUTH),
        *(
            Forged(f"the word {each!r}", word(each), "wrong password")
            for each in (b"secre", b"secrets", b"SECRET", b"")
        ),
    ]


def forged_choosy(scene: Scene) -> list[Forged]:
    """Unicast, from one peer, with a TTL of 60 to 64."""

    def packet(source: str, ttl: int, to: str = OURS) -> bytes:
        message = v3(CHOOSY, 200, "10.99.0.56", source=source, destination=to)
        return frame(over4(message, source, to, ttl=ttl), scene.mac if to == OURS else "")

    out = "the TTL or hop limit is out of the peer's range"
    return [
        Forged("from another", packet(OTHERS, 62), "the sender is not a peer"),
        *(Forged(f"TTL {ttl}", packet(THEIRS, ttl), out) for ttl in (59, 65, 255)),
        Forged("to the group", packet(THEIRS, 62, GROUP4), DESTINATION),
        Forged(
            "for the group", frame(over4(v3(CHOOSY, 200, "10.99.0.56"), ttl=62, destination=OURS), scene.mac), CHECKSUM
        ),
    ]


def forged_bare(scene: Scene) -> list[Forged]:
    return [
        Forged("with a pseudo-header", frame(over4(v3(BARE, 200, "10.99.0.58"))), CHECKSUM),
        Forged("any checksum", frame(over4(v3(BARE, 200, "10.99.0.58", bare=True, add=7))), CHECKSUM),
    ]


def forged_strict(scene: Scene) -> list[Forged]:
    message = v3(STRICT, 200, f"fd00::{STRICT}", f"fe80::{STRICT}", source=scene.their6)
    return [Forged("first no link-local", frame(over6(message, scene.their6)), "the first address is not link-local")]


def right(scene: Scene, vrid: int) -> bytes:
    """The advert of a better router that has no defect."""
    vips = [word.partition("/")[0] for word in ROUTERS[vrid][1].split()]
    match vrid:
        case _ if vrid in (SIX, STRICT):
            return frame(over6(v3(vrid, 200, *vips, source=scene.their6), scene.their6))
        case _ if vrid in (PEER, CHOOSY):
            return frame(over4(v3(vrid, 200, *vips, destination=OURS), destination=OURS, ttl=62), scene.mac)
        case _ if vrid in (PLAIN, OWNER):
            return frame(over4(v2(vrid, 200, *vips)))
        case _ if vrid == PASS:
            return frame(over4(v2(vrid, 200, *vips, auth_type=1, auth=b"secret")))
    return frame(over4(v3(vrid, 200, *vips, bare=vrid == BARE)))


FORGERS = {
    PLAIN: forged_2,
    PASS: forged_pass,
    THREE: forged_3,
    SIX: forged_6,
    CHOOSY: forged_choosy,
    BARE: forged_bare,
    STRICT: forged_strict,
}
