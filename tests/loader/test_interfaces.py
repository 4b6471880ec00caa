"""Interfaces that a configuration names and the machine does not have: pointed at, never refused."""

import pytest

from loader import Cache, Loaded, load_from
from tests.loader.house import Memory, messages, schemas

HERE = frozenset({"lo", "eth0", "eth1"})
INSTANCE = """
vrrp_instance a {{
    interface {interface}
    virtual_router_id 51
    {more}
    virtual_ipaddress {{
        10.0.0.1/24 dev {device}
    }}
}}
"""


def read(text: str, interfaces: frozenset[str] = HERE, cache: Cache | None = None) -> Loaded:
    return load_from(Memory({"lb.conf": text}), "lb.conf", schemas, cache=cache, interfaces=interfaces)


def instance(interface: str = "eth0", device: str = "eth1", more: str = "") -> str:
    return INSTANCE.format(interface=interface, device=device, more=more)


def test_interfaces_that_are_there_are_not_mentioned() -> None:
    assert messages(read(instance())) == []


@pytest.mark.parametrize(
    ("text", "place", "name"),
    [
        (instance(interface="eht0"), "3:15", "eht0"),
        (instance(device="eth7"), "7:25", "eth7"),
        (instance(more="track_interface {\neth8 weight 5\n}"), "6:1", "eth8"),
        ("static_ipaddress {\n10.0.0.9/24 dev eth9\n}", "2:17", "eth9"),
    ],
)
def test_one_that_is_not_is_pointed_at_wherever_it_is_named(text: str, place: str, name: str) -> None:
    loaded = read(text)
    assert messages(loaded) == [f"{place} warning: this machine has no interface '{name}' now"]
    assert loaded.config is not None


def test_a_slip_of_the_pen_gets_a_suggestion() -> None:
    assert "did you mean 'eth0'?" in read(instance(interface="eht0")).render()


@pytest.mark.parametrize("words", ["dynamic_interfaces", "dynamic_interfaces allow_if_changes"])
def test_interfaces_may_come_later_where_that_is_said(words: str) -> None:
    assert messages(read(f"global_defs {{\n{words}\n}}" + instance(interface="ppp0"))) == []


def test_a_router_s_own_interface_is_made_by_it() -> None:
    assert messages(read(instance(device="vip0", more="use_vmac vip0"))) == []


def test_where_the_machine_s_interfaces_are_not_known_nothing_is_said() -> None:
    assert messages(read(instance(interface="ppp0"), frozenset())) == []


def test_a_block_from_the_cache_is_looked_at_again() -> None:
    cache = Cache()
    assert messages(read(instance(), cache=cache)) == []
    assert len(messages(read(instance(), frozenset({"lo"}), cache))) == 2
    assert cache.reused == 1
