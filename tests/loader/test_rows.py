"""Lists whose items have options of their own: on one line, in braces, and what is wrong with them."""

import pytest

from loader.decode import Decoder
from loader.diagnostics import Problem
from loader.grammar import Statement
from loader.includes import Reader
from loader.model import VrrpInstance
from loader.rows import Row
from loader.schema import plan_of
from tests.loader.house import Memory

PLAN = plan_of(VrrpInstance, "vrrp_instance")


def decoded(text: str, key: str) -> tuple[tuple[Row, ...], list[Problem]]:
    """A list in an instance, and the problems of the instance but for what it lacks."""
    decoder = Decoder(Reader(Memory({})), frozenset(), {})
    draft = decoder.block(PLAN, Statement("vrrp_instance a", 0, text, 0), ("lb.conf",))
    wrong = [problem for problem in draft.problems if "needs 'interface'" not in problem.message]
    return draft.values.get(key, ()), [p for p in wrong if "needs 'virtual_router_id'" not in p.message]


def items(text: str, key: str = "checkers") -> list[dict[str, object]]:
    """The items of a list in which nothing is wrong."""
    found, wrong = decoded(text, key)
    assert wrong == []
    return [dict(row.values) for row in found]


@pytest.mark.parametrize(
    "text",
    [
        "checkers web weight 5 db smtp weight -3",
        "checkers {\nweb weight 5\ndb\nsmtp weight -3\n}",
        "checkers { web weight 5 db\n smtp weight -3 }",
        "checkers web weight 5 {\ndb   # why not\nsmtp weight -3\n}",
        'checkers {\n"web" "weight" 5\n\n! another\ndb\nsmtp weight "-3"\n}',
    ],
)
def test_items_stand_on_one_line_or_one_a_line(text: str) -> None:
    assert items(text) == [{"name": "web", "weight": 5}, {"name": "db"}, {"name": "smtp", "weight": -3}]


def test_an_item_may_be_named_like_an_option_where_it_begins() -> None:
    assert items("checkers weight weight 7") == [{"name": "weight", "weight": 7}]
    assert items("checkers {\nweb\nweight 5\n}") == [{"name": "web"}, {"name": "weight"}, {"name": "5"}]


def test_an_item_knows_its_words() -> None:
    found, _ = decoded("checkers {\nweb weight 5\ndb\n}", "checkers")
    assert [(row.start, row.end) for row in found] == [(1, 4), (4, 5)]


def test_options_come_in_any_order_and_under_any_of_their_names() -> None:
    text = "virtual_ipaddress {\n10.0.0.1/24 broadcast + dev eth1\nFD00::0:1\n}"
    assert items(text, "virtual_addresses") == [
        {"address": ("10.0.0.1", 24), "broadcast": "+", "device": "eth1"},
        {"address": ("fd00::1", 128)},
    ]


@pytest.mark.parametrize(
    ("text", "at", "message", "hint"),
    [
        ("checkers a weight", "weight", "'weight' needs a value", "expected weight N (-253..253)"),
        ("checkers {\na weight\nb\n}", "weight", "'weight' needs a value", "expected weight N (-253..253)"),
        ("checkers a weight 254", "254", "254 is out of range for 'weight'", "expected weight N (-253..253)"),
        ("checkers a weight 5 weight 6", "weight 6", "'weight' is given again", ""),
        ("virtual_ipaddress {\n10.0.0.1 devv eth0\n}", "devv", "unknown word 'devv' in virtual_ipaddress", "did you"),
        ("virtual_ipaddress {\n10.0.0.1\ndev eth0\n}", "dev", "'dev' is not an IP address with a prefix length", ""),
        ("virtual_ipaddress 10.0.0.1/33", "10.", "'10.0.0.1/33' is not an IP address with a prefix length", ""),
        ("virtual_ipaddress 10.0.0.1/", "10.", "'10.0.0.1/' is not an IP address with a prefix length", ""),
        ("virtual_ipaddress fe80::1%eth0", "fe", "'fe80::1%eth0' is not an IP address with a prefix length", ""),
        ("virtual_ipaddress 10.0.0.1 dev a/b", "a/b", "'a/b' does not fit 'dev'", "expected the name of"),
        ("virtual_ipaddress 10.0.0.1 label sixteen_letters_", "six", "'sixteen_letters_' does not fit 'label'", ""),
        ("virtual_ipaddress 10.0.0.1 brd 10.0.0", "10.0.0", "'10.0.0' does not fit 'brd'", ""),
        ("virtual_ipaddress 10.0.0.1 scope 256", "256", "'256' does not fit 'scope'", ""),
        ("unicast_peer 10.0.0.2 max_ttl 256", "256", "256 is out of range for 'max_ttl'", ""),
        ("virtual_ipaddress {\n10.0.0.1 {\n}\n}", "10.", "a list has no blocks inside", ""),
        (
            "checkers",
            "checkers",
            "'checkers' needs a value",
            "expected checkers TEXT [weight N (-253..253)] [",
        ),
        ("checkers {\n}", "checkers", "'checkers' needs a value", ""),
    ],
)
def test_what_is_wrong_is_pointed_at(text: str, at: str, message: str, hint: str) -> None:
    _, (problem,) = decoded(text, "checkers")
    assert (problem.message, problem.hint[: len(hint)]) == (message, hint)
    assert text[problem.mark.offset :].startswith(at)


def test_after_what_is_wrong_the_list_goes_on() -> None:
    found, wrong = decoded("checkers {\na weight x\nb weight 5 weight 6\nc weight\nd weight 1\n}", "checkers")
    assert [dict(row.values) for row in found] == [
        {"name": "a"},
        {"name": "b", "weight": 5},
        {"name": "c"},
        {"name": "d", "weight": 1},
    ]
    assert [problem.message for problem in wrong] == [
        "'x' is not a whole number",
        "'weight' is given again",
        "'weight' needs a value",
    ]


@pytest.mark.parametrize(("text", "meant"), [("nopreempt", False), ("preempt", True), ("", None)])
def test_a_switch_is_one_of_two_bare_words(text: str, meant: bool | None) -> None:
    decoder = Decoder(Reader(Memory({})), frozenset(), {})
    draft = decoder.block(PLAN, Statement("vrrp_instance a", 0, text, 0), ("lb.conf",))
    assert draft.values.get("preempt") is meant


def test_a_switch_takes_no_value() -> None:
    _, (problem,) = decoded("nopreempt off", "preempt")
    assert (problem.message, problem.hint) == ("surplus word 'off'", "expected nopreempt")
