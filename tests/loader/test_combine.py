"""COMBINE: expressions, names that have to be known, circles, and targets for routers."""

import msgspec
import pytest

from loader import load_from
from loader.expressions import BadExpression, Count, Name, Negation, names, parsed
from loader.fields import Block
from plugins.api import describe
from plugins.combine import Combine
from plugins.file import FileCheck
from plugins.ping import PingCheck
from plugins.tcp import TcpCheck
from tests.loader.house import Memory

BLOCKS = {
    each["keyword"]: msgspec.convert(each, Block) for each in map(describe, (Combine, FileCheck, PingCheck, TcpCheck))
}
PARTS = "RT_TCP_CHECK web {\n}\nRT_TCP_CHECK db {\n}\n"
USE = "virtual_server 10.0.0.1 80 {\nprotocol TCP\nreal_server 10.0.1.1 80 {\ncheckers both\n}\n}\n"


def said(text: str) -> list[str]:
    """``LINE:COLUMN message`` for each diagnostic."""
    loaded = load_from(Memory({"test.conf": text}), "test.conf", lambda _: BLOCKS)
    return [f"{each.span.line}:{each.span.column} {each.message}" for each in loaded.diagnostics]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web", Name("web")),
        ("a AND b", Count(2, (Name("a"), Name("b")))),
        ("a and b or c", Count(1, (Count(2, (Name("a"), Name("b"))), Name("c")))),
        ("a AND (b OR c)", Count(2, (Name("a"), Count(1, (Name("b"), Name("c")))))),
        ("NOT a AND b", Count(2, (Negation(Name("a")), Name("b")))),
        ("2 of (a b c)", Count(2, (Name("a"), Name("b"), Name("c")))),
        ("2 OF (a, b, (c OR d))", Count(2, (Name("a"), Name("b"), Count(1, (Name("c"), Name("d")))))),
        ("order AND notes", Count(2, (Name("order"), Name("notes")))),
    ],
)
def test_an_expression(text: str, expected: object) -> None:
    assert parsed(tuple(text.split())) == parsed((text,)) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the expression is wrong at its end"),
        ("(a", "the expression is wrong at its end"),
        ("a b", "the expression is wrong before 'b'"),
        ("a OR )", "the expression is wrong before 'OR'"),
        ("2 of a", "the expression is wrong before 'a'"),
        ("3 of (a b)", "'3 of' must be 1 to 2: so many follow"),
        ("a AND 0 of (b)", "'0 of' must be 1 to 1: so many follow"),
        ("(" * 1000 + "a" + ")" * 1000, "the expression is too long"),
        ("not " * 900 + "a", "the expression is too long"),
        ("a " * 5000, "the expression is too long"),
    ],
)
def test_what_is_none(text: str, complaint: str) -> None:
    with pytest.raises(BadExpression) as caught:
        parsed((text,))
    assert str(caught.value) == complaint


@pytest.mark.parametrize("expression", ["web AND db", '"web AND db"', "(web\tAND db)"])
def test_its_parts_are_named_by_it(expression: str) -> None:
    assert said(f"{PARTS}RT_COMBINE both {{\nexpression {expression}\n}}\n{USE}") == []


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("web AND nosuch", "6:20 no checker is named 'nosuch'"),
        ('"web AND (nosuch OR web)"', "6:22 no checker is named 'nosuch'"),
        ("web AND (nosuch)", "6:21 no checker is named 'nosuch'"),
        ("web AND AND", "6:12 the expression is wrong before 'AND'"),
        ('"web ("', "6:12 the expression is wrong before '('"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(expression: str, complaint: str) -> None:
    text = f"{PARTS}RT_COMBINE both {{\n{' ' * 0}expression {expression}\n}}\n{USE}"
    assert complaint in said(text)


def test_nobody_follows_itself() -> None:
    circle = "RT_COMBINE both {\nexpression web AND other\n}\nRT_COMBINE other {\nexpression NOT both\n}\n"
    assert said(f"{PARTS}{circle}{USE}") == [
        "3:14 nobody names the checker 'db': it is not run",
        "5:12 the checker 'both' would follow itself",
        "8:12 the checker 'other' would follow itself",
    ]


def test_in_a_server_its_names_are_known_too() -> None:
    inline = USE.replace("checkers both", "COMBINE {\n  expression web AND no\n}")
    assert said(f"RT_TCP_CHECK web {{\n}}\n{inline}") == ["7:22 no checker is named 'no'"]


def test_for_a_router_all_that_it_combines_needs_a_target_but_for_what_looks_at_this_machine() -> None:
    router = (
        "vrrp_instance VI {\ninterface lo\nvirtual_router_id 1\ncheckers both\nvirtual_ipaddress {\n10.0.0.9\n}\n}\n"
    )
    file = "RT_FILE_CHECK file {\nfile /tmp/x\n}\n"
    both = "RT_COMBINE both {\nexpression web AND file\n}\n"
    own = "RT_TCP_CHECK web {\nconnect_ip 10.0.0.1\nconnect_port 80\n}\n"
    assert said(f"{own}{file}{both}{router}") == []
    lacking = said(f"RT_TCP_CHECK web {{\n}}\n{file}{both}{router}")
    assert lacking == ["12:10 the checker 'web' has no target of its own"]


def test_a_host_that_is_only_to_answer_needs_no_port() -> None:
    router = (
        "vrrp_instance VI {\ninterface lo\nvirtual_router_id 1\ncheckers web\nvirtual_ipaddress {\n10.0.0.9\n}\n}\n"
    )
    assert said(f"RT_PING_CHECK web {{\nconnect_ip 10.0.0.1\n}}\n{router}") == []
    assert said(f"RT_PING_CHECK web {{\n}}\n{router}") == ["6:10 the checker 'web' has no target of its own"]


def test_the_names_of_an_expression_come_in_order() -> None:
    assert list(names(parsed(("a AND NOT (b OR a)",)))) == ["a", "b", "a"]
