"""The documentation that the declarations give."""

import msgspec

from loader.fields import Block
from loader.model import COMMON
from loader.reference import reference
from tests.loader.house import BLOCKS


def test_every_keyword_has_a_line_with_its_range_names_and_default() -> None:
    text = reference(BLOCKS.values())
    assert "## `virtual_server ADDRESS [PORT] | fwmark N | group TEXT { ... }`\n" in text
    assert "|sed|nq|twos`: scheduler; also `lvs_sched`; default wlc\n" in text
    assert "- `smtp_connect_timeout SECONDS (0.001..2678400 s)`: limit for a mail; default 30.0\n" in text
    assert "- `persistence_timeout [N (1..2678400 s)]`: how long clients stick\n" in text
    way = "NAT|DR|TUN [type ipip|gue|gre] [port PORT (1..65535)] [nocsum|csum|remcsum]"
    assert f"- `sorry_server_lvs_method {way}`: the service's if unsaid\n" in text
    assert "- `checkers TEXT [weight N (-253..253)] [reverse] [noreverse] ...`: checkers that it follows\n" in text
    assert "- `nopreempt`: whether it takes over from a lower priority; default True\n" in text
    assert "- `virtual_ipaddress IP[/PREFIX] [dev TEXT] [label TEXT] [scope TEXT] [brd TEXT] ...`: " in text
    assert all(f"`{word} " in text or f"`{word}`" in text for word in COMMON)


def test_every_keyword_of_the_model_says_what_it_is_for() -> None:
    lines = [line for line in reference([]).splitlines() if line.startswith("- ")]
    assert [line for line in lines if line.partition("`: ")[2] == ""] == []


def test_a_plugins_options_are_shown_with_those_of_their_blocks() -> None:
    raw = {
        "keyword": "X",
        "help": "Healthy when X.",
        "options": [{"name": "u", "kind": "block", "required": True, "options": [{"name": "p", "default": "/"}]}],
    }
    assert reference([msgspec.convert(raw, Block)]).endswith(
        "## `RT_X`, `TH_X`\n\nHealthy when X.\n\n- `u { ... }`: required\n  - `p TEXT`: default /\n"
    )
