"""Logs: key and value, on standard error. For people on a terminal, JSON (one object a line) anywhere else."""

import os
import re
import select
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

import msgspec
import structlog
from gevent.monkey import get_original

PATIENCE = 20
"""Milliseconds that a line waits for a reader that lags, once; until it reads again, lines are dropped and counted."""

PIECE = 4096
"""Bytes that a pipe that is ready for writing takes without blocking (PIPE_BUF)."""

SECRET = re.compile(r"pass(word|wd)?$|auth_pass|secret|token|community", re.IGNORECASE)
CREDENTIALS = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
MASK = "***"

# The plain one: a cooperative poll would let other greenlets run in the middle of a log call.
poll: Callable[[], Any] = get_original("select", "poll")
_encode = msgspec.json.Encoder(enc_hook=repr).encode


def configure(level: str = "info", format: str = "auto", stream: TextIO | None = None) -> None:
    """Set logging up for this process. ``level``: debug, info, warning, error. ``format``: auto, human, json."""
    out = stream or sys.stderr  # None when the program was started with it closed
    fd = os.open(os.devnull, os.O_WRONLY) if out is None else out.fileno()
    terminal = os.isatty(fd)
    human = format == "human" or (format == "auto" and terminal)
    writer = Writer(fd)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f" if human else "iso", utc=not human),
            mask_secrets,
            writer.note_losses,
            *(_for_people(terminal) if human else _for_programs()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=False,
    )


def _for_people(colors: bool) -> list[Any]:
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)]


def _for_programs() -> list[Any]:
    dumps = structlog.processors.JSONRenderer(lambda event, **_: _encode(event).decode())
    return [structlog.processors.format_exc_info, dumps]


def mask_secrets(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace values whose key names a secret, also one level down, and passwords within URLs."""
    for key, value in event.items():
        event[key] = _masked(key, value)
    return event


class Writer:
    """Writes lines to ``fd`` so that a reader that has stopped reading cannot stop the daemon.

    A write to a full pipe or a held terminal blocks the whole process, and making it non-blocking would do so for every
    other program that shares it. So it is asked first whether it would take more, with a little patience once; what is
    lost meanwhile is counted, and told in the first line that gets through.
    """

    def __init__(self, fd: int) -> None:
        self.lost = 0
        self._fd = fd
        self._ready = poll()
        self._ready.register(fd, select.POLLOUT)

    def note_losses(self, _: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A structlog processor: adds ``lines_lost_before`` when there were any."""
        if self.lost:
            event["lines_lost_before"] = self.lost
        return event

    def msg(self, line: str) -> None:
        """Write one line, or lose it (or, of a long one, the rest)."""
        data = (line + "\n").encode(errors="replace")
        try:
            complete = all(self._put(data[at : at + PIECE]) for at in range(0, len(data), PIECE))
        except OSError:
            complete = False  # closed by its reader: there is nowhere left to say so
        self.lost = 0 if complete else self.lost + 1

    debug = info = warning = error = critical = exception = msg

    def _put(self, piece: bytes) -> bool:
        ready = bool(self._ready.poll(0 if self.lost else PATIENCE))
        if ready:
            os.write(self._fd, piece)
        return ready


def _masked(key: str, value: Any) -> Any:
    if SECRET.search(key):
        return MASK
    if isinstance(value, str):
        return CREDENTIALS.sub(rf"\1{MASK}@", value)
    if isinstance(value, Mapping):
        return {name: MASK if SECRET.search(str(name)) else each for name, each in value.items()}
    return value
