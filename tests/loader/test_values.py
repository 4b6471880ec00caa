"""Single values: what is taken, as what, and how a refusal reads."""

import ipaddress
import socket

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loader.fields import Block, Keyword
from loader.scripts import Script, script, split_command
from loader.values import DOTTED, Fault, address, default, prefix, scalar, several


@pytest.mark.parametrize(
    ("kind", "word", "expected"),
    [
        ("str", "x y", "x y"),
        ("int", "-12", -12),
        ("int", "007", 7),
        ("float", "1.5", 1.5),
        ("seconds", ".25", 0.25),
        ("seconds", "3", 3.0),
        ("seconds", "3.", 3.0),
        ("bool", "on", True),
        ("bool", "no", False),
        ("address", "10.0.0.1", "10.0.0.1"),
        ("address", "FD00:0:0::1", "fd00::1"),
        ("port", "65535", 65535),
        ("prefix", "24", 24),
        ("prefix", "255.255.254.0", 23),
        ("prefix", "0.0.0.0", 0),
        ("pattern", "^a[b-d]+$", "^a[b-d]+$"),
    ],
)
def test_a_value_is_taken(kind: str, word: str, expected: object) -> None:
    value = scalar(Keyword("it", kind), word, 1)  # type: ignore[arg-type]
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize("word", ["rr", "RR", "Rr"])
def test_a_choice_is_taken_in_any_case_of_letters(word: str) -> None:
    keyword = Keyword("c", choices=("wrr", "rr"))
    assert (scalar(keyword, word, 1), several(keyword, ["WRR", word])) == ("rr", ("wrr", "rr"))


def test_of_choices_that_differ_in_case_alone_the_one_that_was_written_is_taken() -> None:
    keyword = Keyword("c", choices=("1.0C", "1.0c"))
    assert [scalar(keyword, word, 1) for word in keyword.choices] == ["1.0C", "1.0c"]


@pytest.mark.parametrize(
    ("kind", "word", "message"),
    [
        ("int", "1.5", "'1.5' is not a whole number"),
        ("int", "9" * 5000, f"'{'9' * 60}...' is not a whole number"),
        ("int", "٣", "'٣' is not a whole number"),
        ("seconds", "1e3", "'1e3' is not a number of seconds"),
        ("seconds", "inf", "'inf' is not a number of seconds"),
        ("bool", "On", "'On' is not on or off"),
        ("address", "10.0.0.256", "'10.0.0.256' is not an IP address"),
        ("address", "10.0.0.01", "'10.0.0.01' is not an IP address"),
        ("address", "fe80::1%eth0", "'fe80::1%eth0' is not an IP address"),
        ("address", "example.org", "'example.org' is not an IP address"),
        ("port", "0", "'0' is not a port"),
        ("port", "65536", "'65536' is not a port"),
        ("prefix", "129", "'129' is not a prefix length or a netmask"),
        ("prefix", "0.0.0.255", "'0.0.0.255' is not a prefix length or a netmask"),
        ("prefix", "255.0.255.0", "'255.0.255.0' is not a prefix length or a netmask"),
        ("pattern", "a(", "'a(' is not a regular expression"),
    ],
)
def test_a_word_of_the_wrong_kind_is_refused(kind: str, word: str, message: str) -> None:
    fault = scalar(Keyword("it", kind), word, 1)  # type: ignore[arg-type]
    assert isinstance(fault, Fault)
    assert (fault.message, fault.word) == (message, 1)


@pytest.mark.parametrize(
    ("keyword", "word", "expected"),
    [
        (Keyword("n", "int", min=1, max=5), "6", Fault("6 is out of range for 'n'", 1, "expected n N (1..5)")),
        (Keyword("n", "int", min=1), "0", Fault("0 is out of range for 'n'", 1, "expected n N (1..)")),
        (
            Keyword("t", "seconds", max=9.5, unit="s"),
            "10",
            Fault("10 is out of range for 't'", 1, "expected t SECONDS (..9.5 s)"),
        ),
        (Keyword("c", choices=("red", "blue")), "rde", Fault("'rde' is not a value of 'c'", 1, "did you mean 'red'?")),
        (Keyword("c", choices=("red", "blue")), "x", Fault("'x' is not a value of 'c'", 1, "expected red blue")),
        (Keyword("p", pattern="[0-9a-f]+"), "xyz", Fault("'xyz' does not fit 'p'", 1, "expected [0-9a-f]+")),
        (Keyword("p", pattern="a+", help="only a"), "aab", Fault("'aab' does not fit 'p'", 1, "expected only a")),
    ],
)
def test_a_value_against_the_keywords_own_limits_is_refused(keyword: Keyword, word: str, expected: Fault) -> None:
    assert scalar(keyword, word, 1) == expected


def test_a_regular_expression_is_refused_with_its_compilers_reason() -> None:
    fault = scalar(Keyword("regex", "pattern"), "a[", 1)
    assert fault == Fault("'a[' is not a regular expression", 1, "unterminated character set at position 1")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["200"], ((200, 200),)),
        (["200-299", "301"], ((200, 299), (301, 301))),
        (["200,204-206"], ((200, 200), (204, 206))),
        (["299-200"], Fault("the range 299-200 ends before it begins", 1, "did you mean 200-299?")),
        (["200", "x"], Fault("'x' is not a number or a range N-M", 2)),
        (["200", "600"], Fault("'600' is out of range for 'codes'", 2, "expected codes N|N-M ... (100..599)")),
    ],
)
def test_ranges_are_pairs(words: list[str], expected: object) -> None:
    assert several(Keyword("codes", "ranges", min=100, max=599), words) == expected


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        (Keyword("t", "seconds", 5), 5.0),
        (Keyword("r", "ranges", "200-299 301"), ((200, 299), (301, 301))),
        (Keyword("r", "ranges", [[200, 299], 301]), ((200, 299), (301, 301))),
        (Keyword("w", "words", ["a", "b"]), ("a", "b")),
        (Keyword("s", repeated=True), ()),
        (Keyword("s"), None),
        (Keyword("s", default=""), ""),
    ],
)
def test_a_default_has_the_type_of_a_decoded_value(keyword: Keyword, expected: object) -> None:
    value = default(keyword)
    assert (value, type(value)) == (expected, type(expected))


@given(st.ip_addresses(v=4))
def test_every_ipv4_address_is_its_own_canonical_text(parsed: ipaddress.IPv4Address) -> None:
    assert DOTTED.fullmatch(str(parsed))
    assert address(str(parsed)) == str(parsed)


@given(st.ip_addresses(v=6))
@example(ipaddress.IPv6Address("::ffff:10.0.0.1"))
@example(ipaddress.IPv6Address("::10.0.0.1"))
@example(ipaddress.IPv6Address("::1:0"))
@example(ipaddress.IPv6Address("::ffff"))
@example(ipaddress.IPv6Address("1:0:0:2::"))
def test_an_ipv6_address_is_written_as_the_c_library_does(parsed: ipaddress.IPv6Address) -> None:
    assert address(parsed.exploded.upper()) == socket.inet_ntop(socket.AF_INET6, parsed.packed)


@given(st.integers(0, 32))
def test_a_netmask_is_its_prefix_length(length: int) -> None:
    assert prefix(str(ipaddress.IPv4Network(f"0.0.0.0/{length}").netmask)) == length
    assert prefix(str(length)) == length


@pytest.mark.parametrize(
    ("words", "is_quoted", "expected"),
    [
        (["/bin/x a 'b c'", "www", "adm"], True, Script(("/bin/x", "a", "b c"), "www", "adm")),
        (["/bin/x a", "www"], True, Script(("/bin/x", "a"), "www")),
        (["/bin/x", "www", "adm"], False, Script(("/bin/x",), "www", "adm")),
        (["/bin/x", "a", "www"], False, Script(("/bin/x", "a", "www"))),
        (["/bin/x"], False, Script(("/bin/x",))),
        (["  ", "www"], True, Fault("the command is empty", 1)),
        (["/bin/x 'a"], True, Fault("a quote within the command is not closed", 1)),
        (["/bin/x", "wwv"], True, Fault("no user 'wwv' on this machine", 2, "did you mean 'www'?")),
        (
            ["/bin/x", "www", "adm", "y"],
            True,
            Fault("surplus word 'y'", 4, "after the command only a user and a group"),
        ),
    ],
)
def test_a_script_is_a_command_and_whom_it_runs_as(words: list[str], is_quoted: bool, expected: object) -> None:
    assert script(words, is_quoted, frozenset({"www", "root"})) == expected


def test_without_known_users_a_quoted_commands_user_is_believed() -> None:
    assert script(["/bin/x", "anyone"], True, frozenset()) == Script(("/bin/x",), "anyone")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a b", ("a", "b")),
        ("a  'b  c'd \"e f\"", ("a", "b  cd", "e f")),
        (r"a b\ c \'d", ("a", "b c", "'d")),
        (r'a "b \"c\""', ("a", 'b "c"')),
        ("a 'b\tc'", ("a", "b\tc")),
        ("", ()),
        ('a "b', None),
        ("a b\\", None),
    ],
)
def test_a_command_line_is_split(line: str, expected: tuple[str, ...] | None) -> None:
    assert split_command(line) == expected


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        ({"keyword": "X", "options": [{"name": "a", "kind": "colour"}]}, "Invalid enum value 'colour'"),
        ({"keyword": "X", "options": [{"name": "a", "pattern": "("}]}, "pattern of 'a'"),
        ({"keyword": "X", "options": [{}]}, "missing required field `name`"),
    ],
)
def test_a_plugins_schema_is_checked_when_converted(raw: object, complaint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.convert(raw, Block)


def test_a_schema_can_be_hashed_whatever_its_defaults() -> None:
    assert hash(Keyword("a", "words", [["x"], "y"])) == hash(Keyword("a", "words", (("x",), "y")))
