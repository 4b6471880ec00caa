"""``auth_hmac``: keys from three places, what is refused and where, what is put right; no secret is shown."""

import os
from pathlib import Path

import pytest

from loader import Cache, load
from loader.model import AuthHmac, HmacKey, VrrpInstance
from tests.loader.house import messages, read, schemas

STEM = "interface eth0\nvirtual_router_id 51\n"
FOUR = "virtual_ipaddress 10.0.0.1/24\n"
TEXT = "correct horse battery staple 0123"
DIGITS = "00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100"
LONGEST = "x" * 64
FILES = {"a.key": f"{TEXT}\n", "dos.key": f"{TEXT}\r\n", "raw.key": "\xff" * 40, "short.key": "secret\n"}
FILES |= {"loose.key": TEXT}


def said(inside: str, head: str = STEM + FOUR) -> tuple[VrrpInstance | None, list[str]]:
    """The instance, and all that is said of it with the line of its block (the second is 1) and the column."""
    loaded = read(f"vrrp_instance a {{\n{head}auth_hmac {{\n{inside}\n}}\n}}\n", others=FILES)
    assert all(word not in loaded.render() for word in (TEXT, DIGITS, "secret", LONGEST, "hunter2"))
    instances = loaded.config.vrrp_instances if loaded.config else (None,)
    return instances[0], messages(loaded)


def taken(inside: str, *more: str, head: str = STEM + FOUR) -> AuthHmac | None:
    found, lines = said(inside, head)
    assert (found is not None, lines) == (True, list(more))
    assert found is not None
    return found.auth_hmac


def test_every_keyword_arrives_where_it_belongs() -> None:
    inside = f"""
        key 1 "{TEXT}"
        key 2 hex:{DIGITS}
        key 255 file:a.key
        active_key 2
        time_window 30
        anti_replay monotonic
        mode receive-only
    """
    assert taken(inside) == AuthHmac(
        keys=(HmacKey(1, TEXT.encode()), HmacKey(2, bytes.fromhex(DIGITS)), HmacKey(255, TEXT.encode())),
        active_key=2,
        time_window=30,
        anti_replay="monotonic",
        mode="receive-only",
    )


@pytest.mark.parametrize(
    ("name", "content"), [("a.key", TEXT.encode()), ("dos.key", TEXT.encode()), ("raw.key", b"\xff" * 40)]
)
def test_of_a_key_file_the_end_of_its_line_is_no_part(name: str, content: bytes) -> None:
    assert taken(f"key 1 file:{name}\nactive_key 1") == AuthHmac(
        keys=(HmacKey(1, content),), active_key=1, time_window=5
    )


@pytest.mark.parametrize(
    ("interval", "window"), [("", 5), ("advert_int 1", 5), ("advert_int 2", 6), ("advert_int 255", 300)]
)
def test_the_window_is_three_intervals_and_at_least_5_seconds(interval: str, window: int) -> None:
    found = taken(f"key 1 {LONGEST}\nactive_key 1", head=f"{STEM}{FOUR}{interval}\n")
    assert found is not None
    assert found.time_window == window


REFUSED = [
    ("key 1 {LONGEST}", ["5:1 error: auth_hmac needs 'active_key'"]),
    ("active_key 1", ["6:12 error: there is no key 1"]),
    ("key 1 {LONGEST}\nactive_key 2", ["7:12 error: there is no key 2"]),
    ("key 1 {LONGEST}\nactive_key 0", ["7:12 error: 0 is out of range for 'active_key'"]),
    ("active_key 1\nkey 1 hunter2", ["7:5 error: a key has 32 to 64 bytes, this one 7"]),
    ("active_key 1\nkey 1 {LONGEST}x", ["7:5 error: a key has 32 to 64 bytes, this one 65"]),
    ("active_key 1\nkey 1 {LONGEST}\nkey 1 {TEXT}", ["8:5 error: the value of 'key' is refused"]),
    ("active_key 1\nkey 1 {LONGEST}\nkey 1 {DIGITS}", ["8:5 error: key 1 is given already"]),
    (
        "active_key 1\nkey 1 hex:{DIGITS}0",
        ["7:5 error: after 'hex:' an even number of hexadecimal digits has to come"],
    ),
    ("active_key 1\nkey 1 hex:", ["7:5 error: a key has 32 to 64 bytes, this one 0"]),
    (
        "active_key 1\nkey 1 file:none.key",
        ["7:5 error: cannot read the key file 'none.key': No such file or directory"],
    ),
    ("active_key 1\nkey 1 file:short.key", ["7:5 error: a key has 32 to 64 bytes, this one 6"]),
    ("active_key 1\nkey 1 {LONGEST}\nkey 300 {DIGITS}", ["8:5 error: the value of 'key' is refused"]),
    ("active_key 1\nkey 1 {LONGEST}\nkey 2", ["8:1 error: value is missing"]),
    ("active_key 1\nkey 1 {LONGEST}\nmode off", ["8:6 error: 'off' is not a value of 'mode'"]),
    ("active_key 1\nkey 1 {LONGEST}\ntime_window 301", ["8:13 error: 301 is out of range for 'time_window'"]),
]


@pytest.mark.parametrize(("inside", "lines"), REFUSED)
def test_what_cannot_be_is_refused_where_it_stands_and_no_key_is_shown(inside: str, lines: list[str]) -> None:
    filled = inside.replace("{LONGEST}", LONGEST).replace("{TEXT}", TEXT).replace("{DIGITS}", DIGITS)
    assert said(filled) == (None, lines)


def test_a_key_file_that_others_may_read_is_taken_with_a_warning() -> None:
    warning = "7:5 warning: others than its owner may read or write the key file 'loose.key'"
    assert taken("active_key 1\nkey 1 file:loose.key", warning) == AuthHmac(
        keys=(HmacKey(1, TEXT.encode()),), active_key=1, time_window=5
    )


def test_no_key_is_in_a_repr() -> None:
    assert LONGEST not in repr(said(f"key 1 {LONGEST}\nactive_key 1"))


def test_it_takes_the_place_of_a_password() -> None:
    password = "authentication {\nauth_type PASS\nauth_pass word\n}\n"
    found, lines = said(f"key 1 {LONGEST}\nactive_key 1", STEM + FOUR + password)
    assert lines == ["5:1 warning: auth_hmac takes its place: ignored"]
    assert found is not None
    assert (found.authentication, found.auth_hmac is not None) == (None, True)


def test_strict_mode_enforces_it() -> None:
    inside, strict = f"key 1 {LONGEST}\nactive_key 1\nmode ", f"{STEM}{FOUR}strict_mode\n"
    warning = "6:1 warning: strict mode hears signed adverts alone: enforce is taken, not permissive"
    loose, tight = taken(inside + "permissive", warning, head=strict), taken(inside + "enforce", head=strict)
    assert loose is not None
    assert (loose == tight, loose.mode) == (True, "enforce")


def test_beside_a_trailer_there_is_room_for_an_ipv6_address_less() -> None:
    listed = "fe80::1\n" + "\n".join(f"fd00::{n:x}" for n in range(1, 90))
    head = f"{STEM}virtual_ipaddress {{\n{listed}\n}}\n"
    found, lines = said(f"key 1 {LONGEST}\nactive_key 1", head)
    assert [line.partition("warning: ")[2] for line in lines] == [
        "an advert has room for 89 addresses: 1 are held and not advertised"
    ]
    assert found is not None
    assert (len(found.virtual_addresses), len(found.excluded)) == (89, 1)


def instance(path: Path) -> str:
    inside = f"key 1 file:{path.name}\nactive_key 1"
    return f"vrrp_instance a {{\n{STEM}{FOUR}auth_hmac {{\n{inside}\n}}\n}}\n"


def test_a_key_file_is_read_again_by_the_next_load_and_found_beside_the_configuration(tmp_path: Path) -> None:
    conf, key, cache = tmp_path / "lb.conf", tmp_path / "a.key", Cache()
    conf.write_text(instance(key))
    found = []
    for content in (b"a" * 32, b"b" * 32):
        key.write_bytes(content)
        os.chmod(key, 0o600)
        loaded = load(conf, schemas, cache=cache)
        assert (loaded.config is not None, loaded.render()) == (True, "")
        found += [each.auth_hmac.keys for each in loaded.config.vrrp_instances] if loaded.config else []
    assert found == [(HmacKey(1, b"a" * 32),), (HmacKey(1, b"b" * 32),)]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_the_rights_of_a_key_file_are_looked_at(tmp_path: Path, mode: int) -> None:
    conf, key = tmp_path / "lb.conf", tmp_path / "a.key"
    conf.write_text(instance(key))
    key.write_bytes(b"a" * 32)
    os.chmod(key, mode)
    assert [line.partition(": ")[2] for line in messages(load(conf, schemas))] == [
        "others than its owner may read or write the key file 'a.key'"
    ]


def test_a_key_file_has_to_be_a_regular_one(tmp_path: Path) -> None:
    conf = tmp_path / "lb.conf"
    conf.write_text(instance(tmp_path / "a.key"))
    (tmp_path / "a.key").mkdir()
    assert [line.partition(": ")[2] for line in messages(load(conf, schemas))] == [
        "cannot read the key file 'a.key': not a regular file"
    ]
