"""Routers that prove who they are, on a wire: beside others that do not, against forgers, and with keepalived."""

import hmac
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packets import frame, number, over4, v2, v3
from tests.system.lab import until
from tests.system.netns import Host, Keepalived, Lan, Ours, Router, asked, becomes_master, lan, started
from tests.system.tap import Tap

INSTANCE = """
vrrp_instance {name} {{
    interface eth0
    virtual_router_id {vrid}
    version {version}
    priority {priority}
    {more}
    virtual_ipaddress {{
        {vips}
    }}
}}
"""
AH = "authentication {{\n auth_type AH\n auth_pass {}\n }}"
GROUP = "224.0.0.18"


def conf(
    priority: int, more: str = "", vrid: int = 51, version: int = 2, vips: str = "10.99.0.100/24", name: str = "VI_1"
) -> str:
    """One instance."""
    return INSTANCE.format(name=name, vrid=vrid, version=version, priority=priority, more=more, vips=vips)


@pytest.fixture
def wire() -> Iterator[Lan]:
    with lan("auth") as made:
        yield made


def packets(router: Router, vrid: int = 51) -> dict[str, int]:
    """What one of our routers has counted."""
    assert isinstance(router, Ours)
    (found,) = [each for each in asked(router, ask="status")["routers"] if each["vrid"] == vrid]
    return dict(found["packets"])


def behind_header(tap: Tap, source: Host) -> list[bytes]:
    """The frames of a host that have an authentication header."""
    ours = bytes.fromhex(source.mac.replace(":", ""))
    return [
        each.frame for each in tap.look() if each.kind == 0x0800 and each.frame[23] == 51 and each.frame[6:12] == ours
    ]


def sealed(word: bytes, source: str, count: int, message: bytes) -> bytes:
    """A frame with an authentication header, by hand."""
    start = bytes.fromhex("70040000") + number(source) + count.to_bytes(4)
    packet = over4(start + bytes(12) + message, source, protocol=51)
    value = hmac.digest(word, packet[:1] + b"\0" + packet[2:10] + b"\0\0" + packet[12:], "md5")[:12]
    return frame(packet[:32] + value + packet[44:])


def test_a_replayed_or_forged_header_moves_no_master_but_a_counter_and_the_right_one_does(
    wire: Lan, tmp_path: Path
) -> None:
    """Beside it on the interface is a router that has no authentication, which goes its own way."""
    both = conf(100, AH.format("secret")) + conf(100, "", 52, 3, "10.99.0.102/24", "VI_2")
    ours, peer = Ours(wire.host(), tmp_path, both), Keepalived(wire.host(), tmp_path, conf(150, AH.format("secret")))
    forger = wire.host()
    with Tap(forger) as tap, started(ours):
        with started(peer):
            becomes_master(peer)
            until(lambda: packets(ours).get("heard", 0) > 1)
        peer.host.forget("10.99.0.100")
        old = behind_header(tap, peer.host)
        becomes_master(ours)
        until(lambda: ours.host.holds("10.99.0.102"))
        until(lambda: behind_header(tap, ours.host))
        latest = int.from_bytes(behind_header(tap, ours.host)[-1][14 + 28 : 14 + 32])
        message = v2(51, 200, "10.99.0.100", auth_type=2)
        tap.put(*old[:2], frame(over4(message)))
        tap.put(sealed(b"Secret", forger.address, latest + 999, message))
        tap.put(sealed(b"secret", forger.address, latest, message))
        until(lambda: "wrong value in the authentication header" in packets(ours))
        until(lambda: packets(ours).get("the authentication header has been used before") == 1 + len(old[:2]))
        assert packets(ours)["wrong value in the authentication header"] == 1
        assert ours.is_master()
        assert "authentication" not in str(packets(ours, 52))
        tap.put(sealed(b"secret", forger.address, latest + 999, message))
        until(lambda: not ours.is_master())
        assert ours.host.holds("10.99.0.102")


def signed(key: bytes, source: str, priority: int, count: int = 0) -> bytes:
    """A frame of version 3 with a signed trailer, by hand, as of now."""
    start = bytes([1, 7, 0, 0]) + int(time.time()).to_bytes(4) + count.to_bytes(4)
    bare = v3(51, priority, "10.99.0.100", source=source, interval=100)
    return frame(over4(bare + start + tag(key, bare, start, source), source))


def tag(key: bytes, message: bytes, start: bytes, source: str) -> bytes:
    pseudo_header = bytes([4, message[0] >> 4, message[1], 0]) + number(source) + bytes(12)
    text = pseudo_header + message[:6] + b"\0\0" + message[8:] + start + bytes(16)
    return hmac.digest(key, text, "sha256")[:16]


def test_a_signed_advert_is_28_bytes_longer_and_what_is_not_signed_or_was_before_moves_no_master(
    wire: Lan, tmp_path: Path
) -> None:
    """The key is in a file; the worse of two leads after the better one, whose adverts are then replayed."""
    key = b"a key that is as long as has to be"
    file = tmp_path / "vrrp.key"
    file.write_bytes(key + b"\n")
    file.chmod(0o600)
    trailer = f"auth_hmac {{\n key 7 file:{file}\n active_key 7\n }}"
    ours, peer = (Ours(wire.host(), tmp_path, conf(priority, trailer, version=3)) for priority in (100, 150))
    forger = wire.host()
    with Tap(forger) as tap, started(ours):
        with started(peer):
            becomes_master(peer)
            until(lambda: packets(ours).get("heard", 0) > 1)
        peer.host.forget("10.99.0.100")
        old = [each.frame for each in tap.adverts(51)]
        message = v3(51, 150, "10.99.0.100", source=peer.host.address, interval=100)
        for each in old:
            packet = each[34:]
            assert (len(packet), packet[:-28].hex(), packet[-28:-24].hex()) == (40, message.hex(), "01070000")
            assert packet[-16:] == tag(key, message, packet[-28:-16], peer.host.address)
        becomes_master(ours)
        unsigned = frame(over4(v3(51, 200, "10.99.0.100", source=forger.address, interval=100), forger.address))
        tap.put(old[-1], old[-1], unsigned, signed(key[::-1], forger.address, 200))
        until(lambda: packets(ours).get("wrong HMAC") == 1 and packets(ours).get("no HMAC trailer") == 1)
        replayed = ("the HMAC trailer has been used before", "the HMAC trailer is out of the time window")
        assert sum(packets(ours).get(reason, 0) for reason in replayed) == 2
        assert ours.is_master()
        tap.put(signed(key, forger.address, 200))
        until(lambda: not ours.is_master())
        assert packets(ours)["wrong HMAC"] == 1
    assert key.decode() not in ours.log.read_text() + peer.log.read_text()


@pytest.mark.parametrize("words", [("secret", "Secret"), ("secret", "secrets")])
def test_with_different_words_neither_hears_the_other(wire: Lan, tmp_path: Path, words: tuple[str, str]) -> None:
    ours = Ours(wire.host(), tmp_path, conf(150, AH.format(words[0])))
    peer = Keepalived(wire.host(), tmp_path, conf(100, AH.format(words[1])))
    with started(ours, peer):
        becomes_master(ours)
        becomes_master(peer)
        # keepalived as MASTER puts its next advert off with each that it refuses: there may be one only.
        until(lambda: packets(ours).get("wrong value in the authentication header"))
        assert (ours.is_master(), peer.is_master(), packets(ours).get("heard")) == (True, True, None)
