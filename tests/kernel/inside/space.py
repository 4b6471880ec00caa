"""Network namespaces for a process that stays: a thread goes to one, makes its sockets there, and comes back."""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

from tests.system.netns import ip

NEW_NET = 0x40000000  # CLONE_NEWNET
_LIBC = ctypes.CDLL(None, use_errno=True)


def own_namespace() -> None:
    """Go to a new namespace with a loopback that is up. What is started later is in it too."""
    _checked(_LIBC.unshare(NEW_NET))
    ip("link", "set", "lo", "up")


@contextlib.contextmanager
def within(name: str) -> Iterator[None]:
    """In a named namespace for the time of a block; sockets made in it stay there."""
    with open("/proc/thread-self/ns/net") as before, open(f"/run/netns/{name}") as there:
        _checked(_LIBC.setns(there.fileno(), NEW_NET))
        try:
            yield
        finally:
            _checked(_LIBC.setns(before.fileno(), NEW_NET))


def setting(name: str, value: int) -> None:
    """A sysctl of the namespace, by its path under /proc/sys."""
    Path("/proc/sys", name).write_text(str(value))


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
