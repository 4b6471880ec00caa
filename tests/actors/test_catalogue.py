"""The catalogue: what plugins declare is told by another process, and what their code does there harms nobody."""

import os
import sys
from pathlib import Path

import msgspec
import pytest

from actors.catalogue import Catalogue, Catalogues, catalogue
from actors.configuration import Configuration
from loader.fields import Block
from plugins.api import describe
from plugins.registry import Blame, Place, places, shipped

HEAD = "from plugins.api import Passed, checker, option\n"
GOOD = (
    HEAD
    + '''
@checker("{0}")
class Good:
    """Always healthy."""
    codes: tuple[tuple[int, int], ...] = option(((200, 299),), help="nothing")
    text: str = option(help="needed")
    def probe(self, target):
        return Passed()
'''
)
LIMIT = 1.5


def made(folder: Path, **files: str) -> Catalogue:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    found, _ = places([folder], entry_points=False)
    return catalogue(tuple(found), LIMIT)


def test_what_is_shipped_needs_no_other_process() -> None:
    blocks = {keyword: msgspec.convert(describe(cls), Block) for keyword, cls in shipped().items()}
    assert catalogue(()) == Catalogue(blocks, {}, ())


def test_what_a_file_declares_arrives_as_if_it_had_been_imported_here(tmp_path: Path) -> None:
    before = set(sys.modules)
    told = made(tmp_path, mine=GOOD.format("MINE"))
    codes, text = told.blocks["MINE"].options
    assert (codes.default, codes.kind, text.required, told.blamed) == (((200, 299),), "ranges", True, ())
    assert told.places == {"MINE": Place(str(tmp_path / "mine.py"), (tmp_path / "mine.py").stat().st_mtime_ns)}
    assert set(sys.modules) == before


LATE = "is not imported within 1.5 s"
FORKED = "RuntimeError: os.fork while it is imported"
STUBBORN = """
while True:
    try:
        x = 1
    except BaseException:
        pass
"""
HIDDEN = """
import os
try:
    os.fork()
except RuntimeError:
    pass
"""
GARBLED = """
import os
for n in range(3, 20):
    try:
        os.write(n, b"x\\n")
    except OSError:
        pass
"""
BAD = {
    "hangs": ("import time\ntime.sleep(60)\n", 0, LATE),
    "busy": (STUBBORN, 0, LATE),
    "exits": ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
    "leaves": ("import os\nos._exit(3)\n", 0, "ends its process with status 3 while it is imported"),
    "dies": ("import os\nos.abort()\n", 0, "ends its process by SIGABRT while it is imported"),
    "interrupts": ("raise KeyboardInterrupt\n", 1, "KeyboardInterrupt: "),
    "raises": ("class Odd(BaseException): pass\nraise Odd('x')\n", 2, "Odd: x"),
    "forks": ("import os\nos.fork()\n", 2, FORKED),
    "hides": (HIDDEN, 0, FORKED),
    "becomes": ("import os\nos.execv('/bin/true', ['true'])\n", 2, "RuntimeError: os.exec while it is imported"),
    "talks": ("print('hello')\nprint('world')\n", 0, "writes to standard output while it is imported: 'hello'"),
    "shouts": ("import os\nos.write(1, b'hi')\n", 0, "writes to standard output while it is imported: 'hi'"),
    "closes": ("import os\nos.closerange(3, 100)\n", 0, "ends its process with status 70 while it is imported"),
    "garbles": (GARBLED, 0, "writes where it should not while it is imported"),
    "broken": ("def (\n", 1, "SyntaxError: invalid syntax"),
}  # fmt: skip


def test_whatever_a_file_does_when_it_is_imported_it_is_named_and_the_others_are_found(tmp_path: Path) -> None:
    bad = {name: text for name, (text, *_) in BAD.items()}
    told = made(tmp_path, a=GOOD.format("FIRST"), z=GOOD.format("LAST"), **bad)
    assert set(told.places) == {"FIRST", "LAST"}
    said = {Path(blame.path).stem: (blame.line, blame.reason) for blame in told.blamed}
    assert set(said) == set(BAD)
    wrong = {name: said[name] for name, (_, *expected) in BAD.items() if said[name] != tuple(expected)}
    assert wrong == {}


def test_what_a_file_has_started_ends_with_its_description(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    text = f"import subprocess\nopen({str(pid)!r}, 'w').write(str(subprocess.Popen(['sleep', '60']).pid))\n"
    told = made(tmp_path, mine=text + GOOD.format("MINE"))
    assert (set(told.places), told.blamed) == ({"MINE"}, ())
    stat = Path(f"/proc/{pid.read_text()}/stat")
    assert not stat.exists() or stat.read_text().split()[2] == "Z"


def test_two_of_one_keyword_are_an_error_that_names_both_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="TWICE is declared in") as caught:
        made(tmp_path, a=GOOD.format("TWICE"), b=GOOD.format("TWICE"), c=GOOD.format("TCP_CHECK"))
    assert str(caught.value) == (
        f"{tmp_path}/b.py:3: TWICE is declared in {tmp_path}/a.py too; "
        f"{tmp_path}/c.py:3: TCP_CHECK is declared in plugins/tcp.py too"
    )


def test_in_a_configuration_they_are_an_error_at_the_place_that_asks_for_them(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text(GOOD.format("TWICE"))
    conf = tmp_path / "lb.conf"
    conf.write_text(f"global_defs {{\n    plugin_checker_location {tmp_path}\n}}\n")
    loaded = Configuration(conf).read()
    (diagnostic,) = loaded.diagnostics
    assert (loaded.config, diagnostic.span.line) == (None, 2)
    assert diagnostic.message == (
        f"checker plugins cannot be used: {tmp_path}/b.py:3: TWICE is declared in {tmp_path}/a.py too"
    )


def test_a_folder_is_described_anew_when_a_file_of_it_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(GOOD.format("MINE"))
    known = Catalogues()
    assert ("MINE" in known.of(str(tmp_path)).places, known.is_new) == (True, True)
    assert ("MINE" in known.of(str(tmp_path)).places, known.is_new) == (True, False)
    file.write_text(GOOD.format("OTHER"))
    os.utime(file, ns=(0, 1))
    assert (set(known.of(str(tmp_path)).places), known.is_new) == ({"OTHER"}, True)
    tmp_path.chmod(0o777)
    assert known.of(str(tmp_path)).blamed == (Blame(str(tmp_path), 0, "not used: may be written by everybody"),)
