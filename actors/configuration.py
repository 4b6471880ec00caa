"""The configuration as the program uses it: the file, the plugins that it asks for, the users of this machine."""

import os
import pwd
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import structlog

from actors.catalogue import Catalogue, Catalogues
from loader import Cache, Loaded, load
from loader.fields import Block
from loader.model import Identity

CHECK_GOOD, CHECK_UNREADABLE, CHECK_FAULTY = 0, 4, 5

log = structlog.get_logger()


class ConfigurationError(Exception):
    """The configuration cannot be used; the text is the rendered diagnostics."""


class Configuration:
    """Reads the file, finds the plugins that it asks for, and keeps what a reload can use again."""

    def __init__(self, conf: Path) -> None:
        self._conf = conf
        self._cache = Cache()
        self._catalogues = Catalogues()

    def read(self) -> Loaded:
        """Load; plugins that were refused are named in the log, once."""
        return load(self._conf, self._checkers, _users(), self._cache, _interfaces())

    def _checkers(self, location: str) -> Mapping[str, Block]:
        found = self._catalogues.of(location)
        for blame in found.blamed if self._catalogues.is_new else ():
            log.error("plugin refused", place=str(blame))
        return found.blocks

    @property
    def catalogue(self) -> Catalogue:
        """The checkers that there are, as of the last `read`."""
        return self._catalogues.latest


def check(conf: Path) -> int:
    """Load ``conf`` and print what is wrong with it: the exit code, as of keepalived's ``--config-test``."""
    if not conf.is_file():
        print(f"{conf}: no such file", file=sys.stderr)
        return CHECK_UNREADABLE
    configuration = Configuration(conf)
    loaded = configuration.read()
    print(loaded.render(), end="", file=sys.stderr)
    return CHECK_FAULTY if loaded.diagnostics or configuration.catalogue.blamed else CHECK_GOOD


def default_identity() -> Identity | None:
    """keepalived's habit: programs run as ``keepalived_script`` where root has such a user, else as the daemon does."""
    return Identity("keepalived_script") if os.geteuid() == 0 and "keepalived_script" in _users() else None


def _interfaces() -> frozenset[str]:
    return frozenset(name for _, name in socket.if_nameindex())


def _users() -> frozenset[str]:
    return frozenset(entry.pw_name for entry in pwd.getpwall())
