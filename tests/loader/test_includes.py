"""Included files: where they are looked for, what is insisted on, and whose place a mistake has."""

from pathlib import Path

import pytest

from loader import load, load_from
from tests.loader.house import Memory, messages, read, schemas

SERVER = "real_server 10.0.1.1 80 { }\n"


def load_files(files: dict[str, str], path: str = "etc/lb.conf") -> tuple[list[str], Memory]:
    memory = Memory(files)
    loaded = load_from(memory, path, schemas)
    return [f"{d.span.file}:{text}" for d, text in zip(loaded.diagnostics, messages(loaded), strict=True)], memory


def test_a_path_is_relative_to_the_including_file() -> None:
    files = {
        "etc/lb.conf": "include sub/a.conf",
        "etc/sub/a.conf": "include b.conf",
        "etc/sub/b.conf": "global_defs { router_id x\n }",
    }
    wrong, memory = load_files(files)
    assert (wrong, memory.reads) == ([], ["etc/lb.conf", "etc/sub/a.conf", "etc/sub/b.conf"])


def test_an_absolute_path_stays() -> None:
    wrong, memory = load_files({"etc/lb.conf": "include /srv/a.conf", "/srv/a.conf": ""})
    assert (wrong, memory.reads) == ([], ["etc/lb.conf", "/srv/a.conf"])


def test_a_wildcard_reads_all_that_matches_in_order_of_name() -> None:
    _, memory = load_files({"etc/lb.conf": "include d/*.conf", "etc/d/b.conf": "", "etc/d/a.conf": "", "etc/d/c": ""})
    assert memory.reads == ["etc/lb.conf", "etc/d/a.conf", "etc/d/b.conf"]


def test_alternatives_in_braces_are_read_in_turn() -> None:
    _, memory = load_files({"etc/lb.conf": 'include "{b,a{1,2}}"', "etc/a1": "", "etc/a2": "", "etc/b": ""})
    assert memory.reads == ["etc/lb.conf", "etc/b", "etc/a1", "etc/a2"]


def test_a_block_can_include_its_servers() -> None:
    text = "virtual_server 10.0.0.1 80 {\nprotocol TCP\ninclude s.conf\ninclude s2.conf\n}"
    loaded = read(text, others={"s.conf": SERVER, "s2.conf": "\n" + SERVER.replace("1.1", "1.2")})
    assert loaded.config is not None, loaded.render()
    servers = loaded.config.virtual_servers[0].real_servers
    assert [(server.address, str(server.at)) for server in servers] == [
        ("10.0.1.1", "s.conf:1:1"),
        ("10.0.1.2", "s2.conf:2:1"),
    ]


def test_a_mistake_in_an_included_file_has_its_place_there() -> None:
    text = "virtual_server 10.0.0.1 80 {\nprotocol TCP\ninclude s.conf\n}"
    loaded = read(text, others={"s.conf": "real_server 10.0.1.1 80 {\n  wieght 1\n  checkers x\n}\nweight x"})
    assert [f"{d.span.file}:{text}" for d, text in zip(loaded.diagnostics, messages(loaded), strict=True)] == [
        "s.conf:2:3 error: unknown keyword 'wieght' in real_server",
        "s.conf:3:12 error: no checker is named 'x'",
        "s.conf:5:8 error: 'x' is not a whole number",
    ]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("include none", "1:9 error: cannot read 'none': No such file or directory"),
        ("include none*", None),
        ("includer none*", None),
        ("includem none*", "1:10 error: nothing matches 'none*'"),
        ("includew a.conf\nincludew none*", "2:10 error: nothing matches 'none*'"),
        ('includew "{a.conf,none*}"', "1:10 error: nothing matches 'none*'"),
        ('includem "{a.conf,none*}"', None),
        ('includeb "{a.conf,none*}"', "1:10 error: nothing matches 'none*'"),
        ("includeb none*", None),
        ("includea none*", "1:10 error: nothing matches 'none*'"),
        ("include", "1:1 error: 'include' takes one path"),
        ("include a b", "1:11 error: 'include' takes one path"),
        ("include {a,b}", "1:1 error: an include takes a path, not a block"),
        ("includex a", "1:1 error: unknown keyword 'includex'"),
    ],
)
def test_each_include_insists_on_its_own(statement: str, message: str | None) -> None:
    assert messages(read(statement, others={"a.conf": ""})) == ([message] if message else [])


def test_a_file_may_be_included_twice_but_not_by_itself() -> None:
    wrong, _ = load_files({"etc/lb.conf": "include a\ninclude a", "etc/a": "include b", "etc/b": "\n include a"})
    assert wrong == ["etc/b:2:10 error: this include leads back to itself"]


def test_a_cycle_through_blocks_is_found() -> None:
    files = {"a": "real_server 10.0.0.2 {\ninclude a\n}"}
    loaded = read("virtual_server 10.0.0.1 80 {\nprotocol TCP\ninclude a\n}", others=files)
    assert messages(loaded) == ["2:9 error: this include leads back to itself"]


def test_a_brace_is_missed_in_the_file_that_lacks_it() -> None:
    wrong, _ = load_files({"etc/lb.conf": "include a\n}", "etc/a": "b {"})
    assert wrong == ["etc/lb.conf:2:1 error: '}' closes nothing"]
    wrong, _ = load_files({"etc/lb.conf": "include a\n", "etc/a": "b {"})
    assert wrong == ["etc/a:1:1 error: this block is not closed: '}' is missing"]


def test_files_on_disk_are_read(tmp_path: Path) -> None:
    (tmp_path / "d.conf").mkdir()
    (tmp_path / "b.conf").write_bytes(b"\xef\xbb\xbfglobal_defs { router_id b\n}\n# \xff\n")
    (tmp_path / "lb.conf").write_text("include [bd].conf\n")
    loaded = load(tmp_path / "lb.conf", schemas)
    assert loaded.config is not None, loaded.render()
    assert (loaded.config.global_defs.router_id, loaded.config.global_defs.at.file) == ("b", str(tmp_path / "b.conf"))


def test_what_is_no_file_cannot_be_read(tmp_path: Path) -> None:
    none, folder = load(tmp_path / "none", schemas), load(tmp_path, schemas)
    assert none.render() == (
        f"{tmp_path}/none:1:1: error: cannot read the file: No such file or directory\n    1 |\n      | ^\n"
    )
    assert (none.config, messages(folder)) == (None, ["1:1 error: cannot read the file: not a regular file"])
