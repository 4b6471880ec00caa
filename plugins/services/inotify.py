"""inotify: the kernel tells when files change. Own code of a few lines, since the libraries look for the C library by
starting programs, which a checker's process does not do."""

import ctypes
import os
from pathlib import Path

CREATE, DELETE, MOVED_FROM, MOVED_TO = 0x100, 0x200, 0x40, 0x80
MODIFY, ATTRIB, CLOSE_WRITE, DELETE_SELF, MOVE_SELF = 0x2, 0x4, 0x8, 0x400, 0x800
"""Of linux/inotify.h."""

LIBC = ctypes.CDLL(None, use_errno=True)
CHUNK = 1 << 16


class Inotify:
    """Can be read when something has happened to what is watched. Raises OSError where there are too many."""

    def __init__(self) -> None:
        self.descriptor = _checked(LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def watch(self, path: Path, events: int) -> None:
        """Watch a file or folder too. Raises OSError."""
        _checked(LIBC.inotify_add_watch(self.descriptor, os.fsencode(path), events), path)

    def drain(self) -> bool:
        """Forget what has happened; whether anything had."""
        try:
            return bool(os.read(self.descriptor, CHUNK))
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Watch nothing."""
        os.close(self.descriptor)


def _checked(result: int, path: Path | None = None) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path and str(path))
    return result
