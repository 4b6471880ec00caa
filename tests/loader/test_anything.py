"""Whatever a file holds: a configuration or diagnostics, never an exception; and places that exist."""

from hypothesis import given, settings
from hypothesis import strategies as st

from loader import Cache, Severity
from loader.assemble import GLOBAL, ROUTER, SERVICE, SYNC_GROUP
from loader.decode import Decoder
from loader.fields import Keyword
from loader.grammar import Statement
from loader.includes import Reader
from loader.model import Checker, RealServer
from loader.schema import Plan, plan_of, plugin_plan
from tests.loader.house import BLOCKS, Memory, read

PLANS = [GLOBAL, SERVICE, plan_of(RealServer, "real_server"), plugin_plan(Checker, "RT_HTTP_GET", BLOCKS["HTTP_GET"])]
PLANS += [ROUTER, SYNC_GROUP]
WORDS = sorted({word for plan in PLANS for word in plan.slots})
HEADS = ["global_defs", "virtual_server 10.0.0.1 80", "virtual_server fwmark 3", "RT_HTTP_GET a", "TH_TCP_CHECK b"]
HEADS += ["vrrp_instance a", "vrrp_instance b", "vrrp_sync_group g", "static_ipaddress", "authentication"]
VALUES = ["1", "0.5", "-1", "10.0.1.1", "fd00::1", "80", "on", "a", '"x y"', "TCP", "DR", "sh", "/", "200-299"]
VALUES += ["x\x00", '"', "\\", "10.0.0.1/24 dev eth0", "fd00::1/64", "weight", "{ a\n b weight 5 }", "MASTER", "255"]
PIECES = [*WORDS, *HEADS, *VALUES, "real_server 10.0.1.1 80", "url", "include lb.conf", "include b.conf", "# c", "!"]
PIECES += [" ", " ", "\n", "\n", "{", "{\n", "}", "\n}\n", "\t", "\r\n"]


def holds_together(text: str) -> None:
    """All that is promised of any load."""
    cache = Cache()
    others = {"b.conf": "real_server 10.0.1.9 80 {\nweight x\n}"}
    loaded, again = read(text, cache=cache, others=others), read(text, cache=cache, others=others)
    assert (again.config, again.diagnostics) == (loaded.config, loaded.diagnostics)
    assert (loaded.config is None) == any(d.severity is Severity.ERROR for d in loaded.diagnostics)
    hash(loaded.config)
    loaded.render().encode()
    for diagnostic in loaded.diagnostics:
        for span in (diagnostic.span, *(span for _, span in diagnostic.related)):
            line = loaded.sources[span.file].line(span.line)
            assert 1 <= span.column <= len(line) + 1
            assert span.length <= len(line) + 1


@given(st.binary(max_size=200))
def test_any_bytes_give_a_configuration_or_diagnostics(raw: bytes) -> None:
    holds_together(raw.decode("utf-8-sig", "replace"))


@given(st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join))
def test_any_order_of_known_words_gives_a_configuration_or_diagnostics(text: str) -> None:
    holds_together(text)


given_values = st.lists(st.sampled_from(VALUES), max_size=3).map(" ".join)
statement = st.builds("{} {}".format, st.sampled_from(WORDS), given_values)
inner = st.lists(statement, max_size=4).map("\n".join).map("real_server 10.0.1.1 80 {{\n{}\n}}".format)
block = st.builds(
    "{} {{\n{}\n}}\n".format, st.sampled_from(HEADS), st.lists(statement | inner, max_size=5).map("\n".join)
)


@given(st.lists(block, max_size=4).map("".join))
@settings(max_examples=200)
def test_any_well_formed_blocks_give_a_configuration_or_diagnostics(text: str) -> None:
    holds_together(text)


STEM = "vrrp_instance {} {{\ninterface eth0\nvirtual_router_id 7\nvirtual_ipaddress {}\n{}\n}}\n"
addresses = st.sampled_from(["10.0.0.1/24", "fd00::1/64 fe80::1", "10.0.0.2 fd00::1", "10.0.0.1 10.0.0.1"])
said = st.lists(st.builds("{} {}".format, st.sampled_from(sorted(ROUTER.slots)), given_values), max_size=6)
router = st.builds(STEM.format, st.sampled_from("ab"), addresses, said.map("\n".join))
other = st.sampled_from(
    ["vrrp_sync_group g { group a b }\n", "global_defs { vrrp_strict }\n", "static_ipaddress { x }\n"]
)


@given(st.lists(router | other, max_size=4).map("".join))
@settings(max_examples=200)
def test_any_routers_give_a_configuration_or_diagnostics(text: str) -> None:
    holds_together(text)


def written(keyword: Keyword) -> list[tuple[str, object]]:
    """Values of a keyword as they are written, with what they mean."""
    low, high = int(keyword.min or 0), int(min(keyword.max or 65535, 4_294_967_295))
    forms: dict[str, list[tuple[str, object]]] = {
        "int": [(str(low), low), (str(high), high)],
        "seconds": [(f"{max(low, 1)}.25", max(low, 1) + 0.25), (str(high), float(high))],
        "bool": [("", True), ("on", True), ("no", False)],
        "prefix": [("24", 24), ("255.255.0.0", 16)],
        "words": [("a", ("a",)), ('a "b c"', ("a", "b c")), ("{ a\n b }", ("a", "b"))],
    }
    if keyword.pattern:
        return [("7 12", ("7", "12"))]
    words = [(choice, choice) for choice in keyword.choices] or [("x", "x"), ('"x # y"', "x # y")]
    return forms.get(keyword.kind, list(words))


def values_of(plan: Plan, name: str, text: str) -> object:
    """The decoded value of one statement, as the plan's slot takes it."""
    decoder = Decoder(Reader(Memory({})), frozenset(), {})
    draft = decoder.block(plan, Statement(plan.title, 0, f"\n{name} {text}\n", len(plan.title)), ("lb.conf",))
    return draft.values.get(plan.slots[name].key)


def test_every_plain_keyword_of_the_model_comes_back_as_it_was_written() -> None:
    plain = ("int", "seconds", "bool", "prefix", "words", "str")
    for plan in PLANS[:3]:
        for name, slot in plan.slots.items():
            if slot.keyword.kind in plain and slot.role == "option":
                for text, meant in written(slot.keyword):
                    assert (name, text, values_of(plan, name, text)) == (name, text, meant)
