"""The verdicts of checkers that begin with their last one (``init last``), kept in a file from run to run."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from actors.core.status import CheckStatus

log = structlog.get_logger()


class Verdicts:
    """A JSON file of mode 0600, replaced as a whole. What cannot be read counts as nothing known, with a warning."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: tuple[CheckStatus, ...] = ()

    def read(self) -> tuple[CheckStatus, ...]:
        """What the last run has left."""
        try:
            self._written = msgspec.json.decode(self._path.read_bytes(), type=tuple[CheckStatus, ...])
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("verdicts of the last run cannot be read", file=str(self._path), reason=str(error))
        return self._written

    def write(self, statuses: Iterable[CheckStatus]) -> None:
        """Leave these for the next run; nothing is written when nothing has changed."""
        wanted = tuple(status for status in statuses if not status.assumed)
        if wanted == self._written:
            return
        draft = self._path.with_suffix(".new")
        try:
            draft.touch(mode=0o600)
            draft.write_bytes(msgspec.json.encode(wanted))
            draft.replace(self._path)
            self._written = wanted
        except OSError as error:
            log.warning("verdicts cannot be kept", file=str(self._path), reason=str(error))
