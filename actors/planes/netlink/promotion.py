"""Removing a primary IPv4 address without its secondaries, which are other people's: the kernel promotes one of them.

By default the kernel removes them all; the interface's ``promote_secondaries`` is set for as long as it takes.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from actors.core.address import Address

SETTINGS = Path("/proc/sys/net/ipv4/conf")

log = structlog.get_logger()


class Promotion:
    """Counts who needs it on which interface; the last one puts back what was there."""

    def __init__(self, settings: Path = SETTINGS) -> None:
        self._settings = settings
        self._users: Counter[str] = Counter()
        self._changed: set[str] = set()

    @contextmanager
    def during(self, interface: str, addresses: Iterable[Address]) -> Iterator[None]:
        """Promote while these are being removed. Where the setting cannot be written, that is told and no more."""
        # All alone in its network, an address can be nobody's primary.
        networks = (item for item in addresses if ":" not in item.address and item.prefix < 32)
        places = {item.interface or interface for item in networks}
        try:
            for place in places:
                self._users[place] += 1
                if self._users[place] == 1 and self._turn(place, "0", "1"):
                    self._changed.add(place)
            yield
        finally:
            for place in places:
                self._users[place] -= 1
                if not self._users[place] and place in self._changed:
                    self._changed.discard(place)
                    self._turn(place, "1", "0")

    def _turn(self, place: str, before: str, after: str) -> bool:
        """Whether the setting was ``before``, and is ``after`` now. An interface that has gone has none."""
        file = self._settings / place / "promote_secondaries"
        try:
            if file.read_text().strip() != before:
                return False
            file.write_text(after)
        except FileNotFoundError:
            return False
        except OSError as error:
            log.warning("secondary addresses may go with their primary", interface=place, reason=str(error))
            return False
        return True
