"""FILE_CHECK: what it says of a file, and what it notices between two looks."""

import os
import select
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.api import Counted, Failed, Passed, Session, Target, build
from plugins.file import FileCheck

TARGET = ("127.0.0.1", 0)


class Watched:
    """A session on a file."""

    def __init__(self, path: Path, **options: Any) -> None:
        self._session = Session(build(FileCheck, (("file", str(path)), *options.items())))

    def look(self) -> Any:
        return self._session.probe(Target(*TARGET))

    def notices(self) -> bool:
        """Whether something has happened since it looked."""
        (descriptor,) = self._session.news()
        return bool(select.select([descriptor], [], [], 0)[0])

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.fixture
def watched(file: Path) -> Iterator[Watched]:
    it = Watched(file)
    yield it
    it.close()


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("", {}, ""),
        ("ready\n", {"contains": "^ready$"}, ""),
        ("ready", {"contains": "^ready$"}, ""),
        ("not yet", {"contains": "ready"}, "F does not contain 'ready'"),
        ("0\n", {"number": True}, ""),
        ("", {"number": True}, ""),
        ("-0 ", {"number": True}, ""),
        ("7\n", {"number": True}, "F is 7"),
        ("-7\n", {"number": True}, "F is -7"),
        ("x\n", {"number": True}, "F has no number: 'x'"),
        ("+-+\n", {"number": True}, "F has no number: '+-+'"),
        ("here", {"absent": True}, "F is there"),
    ],
)
def test_what_a_file_says(file: Path, content: str, options: dict[str, Any], expected: str) -> None:
    file.write_text(content)
    watched = Watched(file, **options)
    said = expected.replace("F", str(file), 1) if expected.startswith("F ") else expected
    assert watched.look() == (Failed(said) if said else Passed())
    watched.close()


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("0\n", 0),
        ("5", 5),
        (" \n-5 and more", -5),
        ("+7", 7),
        ("0x10", 16),
        ("0X1f", 31),
        ("0x", 0),
        ("010", 8),
        ("08", 0),
        ("-0x10", -16),
        ("", 0),
        ("no number", 0),
        ("- 5", 0),
        ("9" * 30, 2_147_483_647),
        ("-" + "9" * 60_000, -2_147_483_647),
    ],
)
def test_a_number_counts_as_c_reads_it(file: Path, content: str, value: int) -> None:
    file.write_text(content)
    watched = Watched(file, counts=True)
    assert watched.look() == (Counted(value, f"{file} is {value}") if value else Passed())
    watched.close()


def test_what_is_no_file_counts_nothing(file: Path) -> None:
    watched = Watched(file, counts=True)
    assert watched.look() == Passed()
    file.mkdir()
    assert watched.look() == Passed()
    watched.close()


def test_a_file_is_made_once_if_it_is_not_there(file: Path) -> None:
    for _ in range(2):
        watched = Watched(file, counts=True, create="-7")
        assert watched.look() == Counted(-7, f"{file} is -7")
        watched.close()
    file.write_text("3")
    watched = Watched(file, counts=True, create="-7")
    assert watched.look() == Counted(3, f"{file} is 3")
    file.unlink()
    assert watched.look() == Passed()
    watched.close()


def test_where_no_file_can_be_made_there_is_none(file: Path) -> None:
    watched = Watched(file / "below", counts=True, create="1")
    assert watched.look() == Passed()
    watched.close()


def test_a_file_that_is_not_there_is_down_and_with_absent_up(file: Path, watched: Watched) -> None:
    assert watched.look() == Failed(f"{file}: No such file or directory")
    absent = Watched(file, absent=True)
    assert absent.look() == Passed()
    absent.close()


def test_one_that_was_not_written_for_too_long_is_down(file: Path) -> None:
    file.write_text("")
    watched = Watched(file, max_age=60.0)
    assert watched.look() == Passed()
    os.utime(file, (0, 0))
    assert watched.look() == Failed(f"{file} was not written for 60 s")
    watched.close()


def test_only_a_plain_file_is_read(file: Path) -> None:
    os.mkfifo(file)
    watched = Watched(file, contains="x")
    assert watched.look() == Failed(f"{file} is no plain file")
    watched.close()


def test_a_pattern_without_end_gives_up(file: Path) -> None:
    file.write_text("a" * 40_000 + "!")
    watched = Watched(file, contains="(a|aa)+$")
    assert watched.look() == Failed("contains took too long")
    watched.close()


def test_it_notices_that_the_file_comes_changes_is_replaced_and_goes(file: Path, watched: Watched) -> None:
    seen = []
    watched.look()
    for change in (
        lambda: None,
        lambda: file.write_text("1"),
        lambda: file.write_text("2"),
        lambda: file.with_name("new").write_text("3"),
        lambda: file.with_name("new").rename(file),
        lambda: file.write_text("4"),
        file.unlink,
    ):
        change()
        seen.append(watched.notices())
        watched.look()
        assert not watched.notices()
    assert seen == [False, True, True, True, True, True, True]


def test_it_notices_a_file_in_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "a" / "b" / "file")
    watched.look()
    for change in (lambda: (tmp_path / "a").mkdir(), lambda: (tmp_path / "a" / "b").mkdir()):
        change()
        assert watched.notices()
        watched.look()
    (tmp_path / "a" / "b" / "file").write_text("")
    assert (watched.notices(), watched.look()) == (True, Passed())
    watched.close()


def test_it_notices_a_change_of_what_a_link_leads_to_and_of_the_link(tmp_path: Path, file: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        (folder / "real").write_text("1")
    file.symlink_to(one / "real")
    watched = Watched(file, number=True)
    assert watched.look() == Failed(f"{file} is 1")
    (one / "real").write_text("0")
    assert (watched.notices(), watched.look()) == (True, Passed())
    (tmp_path / "link").symlink_to(two / "real")
    (tmp_path / "link").rename(file)
    assert (watched.notices(), watched.look()) == (True, Failed(f"{file} is 1"))
    watched.close()


def test_its_eye_is_closed_with_it(file: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    watched = Watched(file)
    watched.look()
    watched.close()
    assert len(os.listdir("/proc/self/fd")) == before
