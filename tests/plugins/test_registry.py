"""Finding plugins: what is good is found, what is broken is blamed by file and line, and the rest goes on."""

import os
import sys
from importlib.metadata import EntryPoint

import pytest

from plugins import registry, tcp
from plugins.api import BadPlugin
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
        (GOOD.format("TCP_CHECK"), 3, "TCP_CHECK is declared in plugins/tcp.py too"),
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
    reason = f"TWICE is declared in {tmp_path}/a.py too"
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


def other(path):
    """Give a path to a user who is neither root nor whoever runs this."""
    os.chown(path, 12345, -1)


def everybody(path):
    path.chmod(0o777)


def group(path):
    os.chown(path, -1, 12345)
    path.chmod(0o770)


@pytest.mark.parametrize("what", [".", "mine.py"])
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (other, "not used: belongs to user 12345: it has to be root's, or the user's as whom this runs"),
        (everybody, "not used: may be written by everybody"),
        (group, "not used: may be written by group 12345"),
    ],
)
def test_what_others_may_write_is_not_run(tmp_path, what, spoil, reason):
    (tmp_path / "mine.py").write_text(GOOD.format("MINE"))
    spoil(tmp_path / what)
    found = find([tmp_path], entry_points=False)
    assert ("MINE" in found.checkers, found.blamed) == (False, (Blame(str(tmp_path / what), 0, reason),))


def test_what_the_group_of_root_may_write_is_run(tmp_path):
    (tmp_path / "mine.py").write_text(GOOD.format("MINE"))
    for path in (tmp_path, tmp_path / "mine.py"):
        os.chown(path, -1, 0)
        path.chmod(0o770)
    assert "MINE" in find([tmp_path], entry_points=False).checkers


def test_a_link_is_as_safe_as_what_it_leads_to(tmp_path):
    (tmp_path / "safe").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "mine.py").write_text(GOOD.format("MINE"))
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "safe" / "mine.py").symlink_to(tmp_path / "open" / "mine.py")
    (tmp_path / "safe" / "none.py").symlink_to(tmp_path / "nowhere")
    found = find([tmp_path / "safe"], entry_points=False)
    assert found.blamed == (
        Blame(f"{tmp_path}/safe/mine.py", 0, f"not used: {tmp_path}/open may be written by everybody"),
        Blame(f"{tmp_path}/safe/none.py", 0, "cannot be read: No such file or directory"),
    )


def test_a_library_loads_what_is_asked_for_and_another_edition_anew(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(GOOD.format("MINE"))
    (place,), _ = registry.places([tmp_path], entry_points=False)
    library = registry.Library()
    first = library.checker("MINE", place)
    assert library.checker("MINE", place) is first
    os.utime(file, ns=(0, place.edition + 1))
    (newer,), _ = registry.places([tmp_path], entry_points=False)
    assert newer != place
    assert library.checker("MINE", newer) is not first
    assert library.checker("TCP_CHECK") is tcp.TcpCheck


@pytest.mark.parametrize(
    ("keyword", "text", "complaint"),
    [
        ("MINE", "1/0\n", "{0}/mine.py:1: ZeroDivisionError: division by zero"),
        ("MINE", "import sys\nsys.exit(3)\n", "{0}/mine.py:2: SystemExit: 3"),
        ("MINE", "raise KeyboardInterrupt\n", "{0}/mine.py:1: KeyboardInterrupt: "),
        ("OTHER", GOOD.format("MINE"), "OTHER is not declared in {0}/mine.py"),
    ],
)
def test_a_library_says_what_is_wrong_with_a_file(tmp_path, keyword, text, complaint):
    (tmp_path / "mine.py").write_text(text)
    (place,), _ = registry.places([tmp_path], entry_points=False)
    with pytest.raises(BadPlugin) as caught:
        registry.Library().checker(keyword, place)
    assert str(caught.value) == complaint.format(tmp_path)


def test_a_keyword_that_is_not_shipped_is_refused_in_words():
    with pytest.raises(BadPlugin, match="NOPE is not declared in this package"):
        registry.Library().checker("NOPE")


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
