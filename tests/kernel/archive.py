"""Files of this machine for a RAM image: a cpio archive ("newc") that holds them at the same paths."""

import os
import re
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

ROOTS = ("/bin", "/lib", "/lib64", "/sbin")
"""Links at the top of a merged /usr."""


class Archive:
    """Grows by ``add`` and ``write``; ``packed`` is the image. A kernel takes several end to end: the later wins."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[int, int, bytes]] = {}
        for link in map(Path, ROOTS):
            if link.is_symlink():
                self._entries[str(link)] = (stat.S_IFLNK | 0o777, 0, os.readlink(link).encode())

    def add(self, path: Path, skipped: re.Pattern[str] | None = None) -> None:
        """A file, a link with what it points to, or a folder with all in it whose path ``skipped`` does not find."""
        here = Path(os.path.realpath(path.parent)) / path.name
        is_folder = here.is_dir() and not here.is_symlink()
        if (str(here) in self._entries and not is_folder) or (skipped and skipped.search(str(here))):
            return
        self._folders(here.parent)
        told = here.lstat()
        if here.is_symlink():
            target = os.readlink(here)
            self._entries[str(here)] = (told.st_mode, int(told.st_mtime), target.encode())
            self.add(here.parent / target, skipped)
        elif is_folder:
            self._folders(here)
            for each in sorted(here.iterdir()):
                self.add(each, skipped)
        elif here.is_file():
            self._entries[str(here)] = (told.st_mode, int(told.st_mtime), here.read_bytes())

    def add_programs(self, names: Iterable[str | Path]) -> None:
        """Programs and shared objects, by name or path, with every library that they load."""
        found = [str(name) for name in names]
        for each in found:
            self.add(Path(each))
        told = subprocess.run(["ldd", *found], capture_output=True, text=True, check=False).stdout
        for library in sorted(set(re.findall(r"(/\S+\.so\S*) \(0x", told))):
            self.add(Path(library))

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """A file of one's own."""
        self._folders(Path(path).parent)
        self._entries[path] = (stat.S_IFREG | mode, 0, data)

    def link(self, path: str, target: str) -> None:
        """A symbolic link of one's own."""
        self._folders(Path(path).parent)
        self._entries[path] = (stat.S_IFLNK | 0o777, 0, target.encode())

    def folder(self, path: str) -> None:
        """An empty folder."""
        self._folders(Path(path))

    def packed(self) -> bytes:
        """The archive."""
        entries = [(name.lstrip("/"), *entry) for name, entry in self._entries.items()]
        records = [_record(turn, *entry) for turn, entry in enumerate([*entries, ("TRAILER!!!", 0, 0, b"")], start=1)]
        return b"".join(records)

    def _folders(self, path: Path) -> None:
        for each in (*reversed(path.parents[:-1]), path):
            self._entries.setdefault(str(each), (stat.S_IFDIR | 0o755, 0, b""))


def _record(number: int, name: str, mode: int, at: int, data: bytes) -> bytes:
    label = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, at, len(data), 0, 0, 0, 0, len(label), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + label
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
