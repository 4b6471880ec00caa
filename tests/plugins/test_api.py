"""Declaring a checker, describing it, building it, and what its probe may come to."""

import errno
import ssl
from typing import Any

import pytest

from plugins import api
from plugins.api import (
    BadPlugin,
    Degraded,
    Failed,
    Passed,
    Source,
    Target,
    block,
    build,
    checker,
    describe,
    option,
    outcome,
)
from plugins.http import HttpGet, SslGet
from plugins.registry import find
from tests.plugins.peers import Wire, no_leak, peer


@checker("REDIS_PING")
class RedisPing:
    """Healthy when Redis answers PING with PONG."""

    password: str = option("", help="sent with AUTH before PING")

    def probe(self, target):
        with target.connect() as sock:  # address, port, bindto, fwmark, TLS, time limit already handled
            sock.sendall(b"PING\r\n")
            reply = sock.recv(64)
        return Passed() if b"PONG" in reply else Failed(f"answered {reply!r}")


PLAIN = {
    "help": "",
    "min": None,
    "max": None,
    "choices": [],
    "aliases": [],
    "repeated": False,
    "secret": False,
    "unit": "",
    "pattern": "",
    "bare": None,
    "options": [],
}


@block
class Part:
    """A nested block."""

    path: str = option(help="what to ask for")
    codes: tuple[tuple[int, int], ...] = option(((200, 299),), min=100, max=599)


@checker("EVERY_KIND")
class EveryKind:
    """Has an option of every kind.

    And a longer explanation.
    """

    parts: tuple[Part, ...] = option(block=Part, name="part")
    one: Part | None = option(None, help="at most one")
    text: str = option("a", choices=("a", "b"), aliases=("words-of-old",), pattern="[a-z]")
    count: int = option(3, min=1, max=5)
    ratio: float = option(0.5)
    pause: float = option(1.0, kind="seconds", unit="s")
    flag: bool = option(False)
    where: str = option("", kind="address")
    to: int = option(0, kind="port")
    names: tuple[str, ...] = option(())
    matching: str = option("", kind="pattern")
    run: str = option("", kind="script")
    token: str = option("none", secret=True)

    def probe(self, target: Target) -> Passed:
        """Nothing."""
        return Passed()


def test_the_example_of_the_design_works_word_for_word():
    wire = Wire(b"+PONG\r\n", b"-LOADING\r\n")
    results = [outcome(build(RedisPing, ()), Target("10.0.0.1", 6379, dial=wire)) for _ in range(2)]
    assert results == [Passed(), Failed(r"answered b'-LOADING\r\n'")]
    assert (wire.sent, wire.open) == ([b"PING\r\n"] * 2, 0)


def test_a_checker_is_described_in_builtins():
    part = [
        PLAIN | {"name": "path", "kind": "str", "default": None, "required": True, "help": "what to ask for"},
        PLAIN
        | {"name": "codes", "kind": "ranges", "default": ((200, 299),), "required": False, "min": 100, "max": 599},
    ]
    optional = PLAIN | {"required": False}
    assert describe(EveryKind) == {
        "aims": "always",
        "keyword": "EVERY_KIND",
        "help": "Has an option of every kind.",
        "options": [
            PLAIN
            | {"name": "part", "kind": "block", "default": None, "required": True, "repeated": True, "options": part},
            optional | {"name": "one", "kind": "block", "default": None, "help": "at most one", "options": part},
            optional
            | {"name": "text", "kind": "str", "default": "a", "choices": ["a", "b"]}
            | {"aliases": ["words-of-old"], "pattern": "[a-z]"},
            optional | {"name": "count", "kind": "int", "default": 3, "min": 1, "max": 5},
            optional | {"name": "ratio", "kind": "float", "default": 0.5},
            optional | {"name": "pause", "kind": "seconds", "default": 1.0, "unit": "s"},
            optional | {"name": "flag", "kind": "bool", "default": False},
            optional | {"name": "where", "kind": "address", "default": ""},
            optional | {"name": "to", "kind": "port", "default": 0},
            optional | {"name": "names", "kind": "words", "default": ()},
            optional | {"name": "matching", "kind": "pattern", "default": ""},
            optional | {"name": "run", "kind": "script", "default": ""},
            optional | {"name": "token", "kind": "str", "default": "none", "secret": True},
        ],
    }


def test_options_become_an_instance_also_when_tuples_have_become_lists():
    given = [["part", [[["path", "/"]], [["path", "/b"], ["codes", [[500, 599]]]]]], ["names", ["x", "y"]]]
    built = build(EveryKind, given)
    parts = (Part(path="/"), Part(path="/b", codes=((500, 599),)))
    assert built == EveryKind(parts=parts, names=("x", "y"))
    assert hash(built) == hash(build(EveryKind, given))


def test_a_secret_is_not_shown():
    built = build(EveryKind, [("part", []), ("token", "hush")])
    assert (built.token, "hush" in repr(built)) == ("hush", False)


def test_an_instance_cannot_be_changed():
    with pytest.raises(AttributeError):
        build(RedisPing, ()).password = "other"


@pytest.mark.parametrize(
    ("cls", "options", "complaint"),
    [
        (RedisPing, [("pasword", "x")], "REDIS_PING has no option 'pasword'"),
        (EveryKind, [], "EVERY_KIND: option 'part' is required"),
        (EveryKind, [("part", [[]])], "Part: option 'path' is required"),
        (EveryKind, [("part", [[("x", 1)]])], "Part has no option 'x'"),
        (int, [], "<class 'int'> is made by neither @checker nor @block"),
    ],
)
def test_wrong_options_are_refused_in_words(cls, options, complaint):
    with pytest.raises(BadPlugin) as caught:
        build(cls, options)
    assert str(caught.value) == complaint


class Probing:
    def probe(self, target: Target) -> Passed:
        return Passed()


def declared(hint: Any, value: Any, keyword: str = "BAD") -> type:
    """A checker class with one attribute ``x``."""
    content = {"__annotations__": {"x": hint}, "x": value, "__module__": __name__}
    return checker(keyword)(type("Bad", (Probing,), content))


@pytest.mark.parametrize("name", sorted(api.RESERVED))
def test_a_reserved_name_is_refused_as_name_and_as_alias(name):
    for given in ({"name": name}, {"aliases": (name,)}):
        with pytest.raises(BadPlugin, match=f"'{name}' is a keyword that every checker has"):
            declared(str, option("", **given))


@pytest.mark.parametrize(
    ("hint", "value", "complaint"),
    [
        (str, "plain", "BAD: attribute 'x' is not declared by option()"),
        (str, option("", name="two words"), "'two words' is no keyword: letters, digits, _ and -, a letter first"),
        (dict, option(), "kind \"<class 'dict'>\" is none of address, "),
        (str, option("", kind="strange"), "kind 'strange' is none of address, "),
        (str, option("", min=1), "min and max mean nothing to kind str"),
        (int, option(2, min=3, max=1), "min 3 is above max 1"),
        (int, option(2, pattern="2"), "a pattern means nothing to kind int"),
        (str, option("", pattern="("), "pattern '(' is no regular expression: missing ), unterminated subpattern"),
        (int, option("2"), "default '2' is not of kind int"),
        (int, option(True), "default True is not of kind int"),
        (str, option(None), "default None is not of kind str"),
        (int, option(9, max=8), "default 9 is outside its range"),
        (str, option("c", choices=("a", "b")), "default 'c' is none of the choices"),
        (tuple[Part, ...], option(5), "a block's default is () when it is repeated, else None"),
        (str, option("", aliases=("x",)), "BAD: 'x' is declared twice"),
        ("Nowhere", option(""), "BAD: name 'Nowhere' is not defined"),
        (list, option([]), "BAD: mutable default <class 'list'> for field x is not allowed"),
        (str, option("", block=int), "<class 'int'> is made by neither @checker nor @block"),
    ],
)
def test_a_bad_declaration_is_refused_in_words(hint, value, complaint):
    with pytest.raises(BadPlugin) as caught:
        declared(hint, value)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("keyword", ["http_get", "", "A B", "RT_X", "TH_X", "1X", None])
def test_a_bad_keyword_is_refused(keyword):
    with pytest.raises(BadPlugin, match="is no keyword"):
        declared(str, option(""), keyword)


def test_a_checker_without_probe_or_with_an_init_is_refused():
    with pytest.raises(BadPlugin, match=r"^NONE: class Idle has no method probe\(self, target\)$"):
        checker("NONE")(type("Idle", (), {}))
    with pytest.raises(BadPlugin, match="^OWN: class Own has an __init__"):
        checker("OWN")(type("Own", (Probing,), {"__init__": lambda self: None}))


@pytest.mark.parametrize(
    ("methods", "complaint"),
    [
        ({"probe": lambda self: None}, "ODD: class Odd must have probe(self, target)"),
        (
            {"setup": lambda self: None, "probe": lambda self, target: None},
            "ODD: class Odd must have probe(self, target, client)",
        ),
        (
            {"setup": lambda self, target: None, "probe": lambda self, target, client: None},
            "ODD: class Odd must have setup(self)",
        ),
        (
            {"close": lambda self, client: None, "probe": lambda self, target: None},
            "ODD: class Odd has a close(self, client) but no setup(self)",
        ),
    ],
)
def test_methods_that_do_not_take_what_they_will_be_given_are_refused(methods, complaint):
    with pytest.raises(BadPlugin) as caught:
        checker("ODD")(type("Odd", (), methods))
    assert str(caught.value) == complaint


def test_a_checker_may_inherit_the_options_of_another():
    names = [[each["name"] for each in describe(cls)["options"]] for cls in (HttpGet, SslGet)]
    own = ["enable_sni", "sni_name", "verify", "ca", "certificate", "key", "certificate_days", "tls_compliant"]
    assert names[1] == names[0] + own


def test_every_checker_that_is_shipped_explains_itself_and_each_option():
    for cls in find((), entry_points=False).checkers.values():
        schema = describe(cls)
        options = [*schema["options"], *(inner for each in schema["options"] for inner in each["options"])]
        assert [schema["keyword"]] * (not schema["help"]) + [each["name"] for each in options if not each["help"]] == []


class Ending:
    """A probe that ends as it is told."""

    def __init__(self, end: Any) -> None:
        self.end = end

    def probe(self, target: Target) -> Any:
        target.connect()
        if isinstance(self.end, BaseException) and not isinstance(self.end, Failed):
            raise self.end
        return self.end


@pytest.mark.parametrize(
    ("end", "result"),
    [
        (Passed("as leader"), Passed("as leader")),
        (Failed("no"), Failed("no")),
        (Degraded(50, "slow"), Degraded(50, "slow")),
        (ConnectionRefusedError(111, "Connection refused"), Failed("Connection refused")),
        (TimeoutError("timed out"), Failed("timed out")),
        (TimeoutError(), Failed("TimeoutError")),
        (FileNotFoundError(2, "No such file or directory", "/x"), Failed("No such file or directory: /x")),
        (ssl.SSLError(1, "[SSL] odd (_ssl.c:1006)"), Failed("[SSL] odd (_ssl.c:1006)")),
    ],
)
def test_what_may_be_expected_of_a_probe_is_a_result(end, result):
    wire = Wire(b"")
    assert (outcome(Ending(end), Target("10.0.0.1", 1, dial=wire)), wire.open) == (result, 0)


@pytest.mark.parametrize(
    ("end", "crash"),
    [
        (None, TypeError),
        (True, TypeError),
        (KeyError("x"), KeyError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError(errno.EMFILE, "Too many open files"), OSError),
    ],
)
def test_anything_else_is_a_crash_and_still_closes_the_connection(end, crash):
    wire = Wire(b"")
    with pytest.raises(crash):
        outcome(Ending(end), Target("10.0.0.1", 1, dial=wire))
    assert wire.open == 0


@pytest.mark.parametrize("weight", [-1, 101, 2.5, "50"])
def test_a_degraded_weight_is_a_percentage(weight):
    with pytest.raises(ValueError, match="a degraded weight is 0 to 100 percent, not"):
        Degraded(weight)


def test_figures_make_no_difference():
    assert {Passed("a", {"lag": 1.0}), Passed("a")} == {Passed("a")}
    assert Degraded(5, "a", {"lag": 1.0}) == Degraded(5, "a")
    assert Failed("a", {"lag": 1.0}) == Failed("a")
    assert (Passed().metrics, Failed("a").metrics, Failed("a", {"lag": 1.0}).metrics) == ({}, {}, {"lag": 1.0})


def test_failures_are_equal_by_their_detail():
    assert {Failed("a"), Failed("a"), Failed("b")} == {Failed("b"), Failed("a")}
    assert Failed("a") != Passed("a")


def test_without_a_daemon_a_target_connects_plainly():
    with no_leak(), peer(lambda client: client.sendall(b"+PONG\r\n")) as server:
        target = Target("127.0.0.1", server.port, timeout=1, source=Source(bindto="127.0.0.3"))
        assert outcome(build(RedisPing, ()), target) == Passed()
    assert 0 < target.remaining() <= 1
