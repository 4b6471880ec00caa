"""Finding plugins: what is good is found, what is broken is blamed by file and line, and the rest goes on."""

import sys
from importlib.metadata import EntryPoint

import pytest

from plugins import registry, tcp
from plugins.registry import Blame, find

SHIPPED = {"HTTP_GET", "SSL_GET", "TCP_CHECK"}
HEAD = "from plugins.api import Passed, checker, option\n"
GOOD = (
    HEAD
    + '''
@checker("{0}")
class Good:
    """Always healthy."""
    text: str = option("", help="nothing")
    def probe(self, target):
        return Passed()
'''
)


def found_in(tmp_path, **files):
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    return find([tmp_path], entry_points=False)


def test_what_is_shipped_is_found():
    found = find((), entry_points=False)
    assert (set(found.checkers) >= SHIPPED, found.blamed) == (True, ())


def test_a_users_file_is_found_beside_it_under_a_private_name(tmp_path):
    found = found_in(tmp_path, mine=GOOD.format("MINE"), _part="1/0", http=GOOD.format("MY_HTTP"))
    assert set(found.checkers) - set(find((), entry_points=False).checkers) == {"MINE", "MY_HTTP"}
    assert found.blamed == ()
    assert found.checkers["MINE"].__module__.startswith("_understudy_plugin_")
    assert "mine" not in sys.modules
    assert list(tmp_path.glob("__pycache__")) == []


def test_a_file_that_was_changed_is_read_anew(tmp_path):
    found_in(tmp_path, mine=GOOD.format("MINE"))
    assert "OTHER" in found_in(tmp_path, mine=GOOD.format("OTHER")).checkers


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("import no_such_module\n", 1, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = 1\ndef (\n", 2, "SyntaxError: invalid syntax"),
        ("\n\nraise SystemExit(3)\n", 3, "SystemExit: 3"),
        ("x = 'a\0b'\n", 0, "SyntaxError: source code string cannot contain null bytes"),
        (HEAD + '@checker("BAD")\nclass Bad:\n    pass\n', 2, "BAD: class Bad has no method probe(self, target)"),
        (GOOD.format("bad"), 3, "Good: 'bad' is no keyword: A-Z, 0-9 and _, without RT_ or TH_"),
        (
            GOOD.format("BAD").replace("text:", "retry:"),
            3,
            "BAD: option 'retry': 'retry' is a keyword that every checker has",
        ),
        (GOOD.format("TCP_CHECK"), 3, "TCP_CHECK is declared in plugins/tcp.py already; that one is used"),
    ],
)
def test_a_broken_file_is_blamed_by_line_and_the_others_go_on(tmp_path, text, line, reason):
    found = found_in(tmp_path, a_bad=text, b_good=GOOD.format("GOOD"))
    assert "GOOD" in found.checkers
    assert found.checkers["TCP_CHECK"] is tcp.TcpCheck
    assert "BAD" not in found.checkers
    assert [blame.path for blame in found.blamed] == [str(tmp_path / "a_bad.py")]
    assert (found.blamed[0].line, found.blamed[0].reason) == (line, reason)


def test_two_files_that_declare_one_keyword_are_both_named(tmp_path):
    found = found_in(tmp_path, a=GOOD.format("TWICE"), b=GOOD.format("TWICE"))
    reason = f"TWICE is declared in {tmp_path}/a.py already; that one is used"
    assert found.blamed == (Blame(f"{tmp_path}/b.py", 3, reason),)
    assert str(found.blamed[0]) == f"{tmp_path}/b.py:3: {reason}"


def test_a_checker_that_is_only_imported_or_named_twice_is_not_declared_again(tmp_path):
    found = found_in(tmp_path, mine=GOOD.format("MINE") + "Alias = Good\nfrom plugins.tcp import TcpCheck\n")
    assert ("MINE" in found.checkers, found.blamed) == (True, ())


def test_a_folder_that_is_not_there_is_blamed(tmp_path):
    found = find([tmp_path / "none"], entry_points=False)
    reason = "cannot look for plugins here: No such file or directory"
    assert found.blamed == (Blame(f"{tmp_path}/none", 0, reason),)
    assert str(found.blamed[0]) == f"{tmp_path}/none: {reason}"


def test_the_shipped_folder_given_as_a_users_is_not_read_twice():
    assert find([registry.plugins.__path__[0]], entry_points=False) == find((), entry_points=False)


def test_installed_packages_bring_classes_and_modules(tmp_path, monkeypatch):
    (tmp_path / "us_pack_a.py").write_text(GOOD.format("PACKED_A"))
    (tmp_path / "us_pack_b.py").write_text(GOOD.format("PACKED_B"))
    (tmp_path / "us_pack_c.py").write_text("1/0\n")
    monkeypatch.syspath_prepend(tmp_path)
    values = {"a": "us_pack_a:Good", "b": "us_pack_b", "c": "us_pack_c", "d": "us_pack_a:Passed"}
    points = [EntryPoint(name, value, registry.GROUP) for name, value in values.items()]
    monkeypatch.setattr(registry, "installed", lambda group: points)
    found = find()
    assert set(found.checkers) - set(find((), entry_points=False).checkers) == {"PACKED_A", "PACKED_B"}
    assert found.blamed == (
        Blame("entry point c = us_pack_c", 0, "ZeroDivisionError: division by zero"),
        Blame("entry point d = us_pack_a:Passed", 0, "names neither a module nor a class made by @checker"),
    )
