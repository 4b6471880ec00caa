"""A router with a seal, in a world: what it counts, what it remarks on, and that a crash does not make it unheard."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from actors.children import Child
from actors.core.authentication import Authentication, Seal, Unsealed, seal
from actors.core.authentication_header import HeaderKey
from actors.core.authentication_trailer import Mode, TrailerKeys
from actors.core.packet import decode_datagram
from actors.core.packet_checks import Expected
from actors.core.packet_values import AH_PROTOCOL, Advert, Header, Reject
from actors.messages import Crash
from actors.planes.network import Endpoint, Received
from tests.actors.test_vrrp import ADVERT, GROUP, VIP, Lan, MemoryWire

KEY = TrailerKeys(((1, b"k" * 32),), 1, 6, mode=Mode.PERMISSIVE)
WORD = HeaderKey(b"secret")
PEER = "10.0.0.2"
replace = msgspec.structs.replace


class RawWire(MemoryWire):
    """Hands over packets as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.listen: Callable[[bytes], None] = lambda _: None

    def send(self, endpoint: Endpoint, destination: str, pdu: bytes) -> None:
        self.listen(pdu)


class SealedLan(Lan):
    """One router that authenticates so, and a seal that stands for its peer. ``answers`` are what that one reads."""

    wires = RawWire
    wire: RawWire

    def __init__(self, how: Authentication) -> None:
        self.how = how
        super().__init__()
        self.peer = seal(self.how, Expected(2, 51, 100, (VIP,), GROUP), (), 255, self.world.clock.wall)
        self.answers: list[type] = []
        self.wire.listen = self.is_read

    def children(self, *args: Any, **router: object) -> tuple[Child, ...]:
        *others, last = super().children(*args, **router)
        ah = isinstance(self.how, HeaderKey)
        spec = last.args[0]
        changed = replace(
            spec, authentication=self.how, advert=replace(ADVERT, ah=ah), expected=replace(spec.expected, ah=ah)
        )
        return (*others, replace(last, args=(changed,)))

    def hears(self, by: Seal, times: int = 1) -> None:
        advert = replace(ADVERT, priority=200, ah=isinstance(self.how, HeaderKey))
        ((_, packet),) = by.write(advert, PEER, (GROUP,))
        assert self.wire.heard is not None
        for _ in range(times):
            self.wire.heard(received(packet, PEER, self.how))
        self.world.settle()

    def counts(self) -> dict[str, int]:
        return {reason: n for reason, n in self.world.actor("vrrp/VI_1").counts.items() if reason != "sent"}

    def is_read(self, packet: bytes) -> None:
        told = received(packet, "10.0.0.1", self.how)
        answer = self.peer.read(told.pdu, Header(told.source, told.destination, told.ttl, told.raw))
        self.answers.append(type(answer))


def received(packet: bytes, source: str, how: Authentication) -> Received:
    if not isinstance(how, HeaderKey):
        return Received(packet, source, GROUP, 255)
    datagram = decode_datagram(packet, AH_PROTOCOL)
    assert not isinstance(datagram, Reject)
    return Received(datagram.pdu, source, GROUP, 255, datagram.header.raw)


@pytest.mark.parametrize("how", [WORD, KEY], ids=["header", "trailer"])
def test_a_router_that_crashes_as_master_is_heard_as_before(how: Authentication) -> None:
    lan = SealedLan(how)
    lan.world.advance(30.0)
    lan.world.tell("vrrp/VI_1", Crash())
    lan.world.advance(3.0)
    assert (lan.role, set(lan.answers), len(lan.answers) > 25) == ("MASTER", {Advert}, True)


@pytest.mark.parametrize(
    ("how", "replayed"),
    [(WORD, "the authentication header has been used before"), (KEY, "the HMAC trailer has been used before")],
    ids=["header", "trailer"],
)
def test_what_is_replayed_is_counted_and_not_heard(how: Authentication, replayed: str) -> None:
    lan = SealedLan(how)
    lan.hears(lan.peer, times=3)
    assert (lan.role, lan.counts()) == ("BACKUP", {"heard": 1, replayed: 2})


def test_what_is_odd_about_a_trailer_is_counted_and_the_advert_heard() -> None:
    lan = SealedLan(KEY)
    lan.hears(Unsealed())
    fast = seal(KEY, Expected(2, 51, 100, (VIP,), GROUP), (), 255, lambda: lan.world.clock.wall() + 4)
    lan.hears(fast)
    assert lan.counts() == {
        "heard": 2,
        "heard without an HMAC trailer": 1,
        "heard from a clock that is far from ours": 1,
    }
