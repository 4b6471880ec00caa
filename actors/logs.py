"""Logs: key and value, on standard error. For people on a terminal, JSON (one object a line) anywhere else."""

import os
import re
import select
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, NoReturn

import msgspec
import structlog
from gevent.monkey import get_original

from actors.reports import Reports

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


Later = Callable[[Callable[[], None]], Any]
"""Has something done soon, in order, when what is being done now is done."""


def configure(
    level: str = "info",
    format: str = "auto",
    sink: "Sink | None" = None,
    colors: bool = False,
    later: Later | None = None,
) -> None:
    """Set logging up for this process. ``level``: debug, info, warning, error. ``format``: auto, human, json.

    Lines go to ``sink``, or to standard error, and then have colours when that is a terminal. With ``later`` they are
    made then, with the time of when they were asked for; but at once where an exception is told of.
    """
    colors = colors or (sink is None and is_terminal())
    human = format == "human" or (format == "auto" and colors)
    writer = sink or Writer(_standard_error())
    render = [mask_secrets, writer.note_losses, *(_for_people(colors) if human else _for_programs())]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f" if human else "iso", utc=not human),
            *(render if later is None else [PutOff(writer, render, later)]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=False,
    )


def pass_on(line: str) -> None:
    """Write a line that another process has made."""
    structlog.get_config()["logger_factory"]().msg(line)


def is_terminal() -> bool:
    """Whether people read the log as it is written."""
    return sys.stderr is not None and os.isatty(sys.stderr.fileno())


def _standard_error() -> int:
    # None when the program was started with it closed
    return os.open(os.devnull, os.O_WRONLY) if sys.stderr is None else sys.stderr.fileno()


def _for_people(colors: bool) -> list[Any]:
    line = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
    return [Reports(line, colors)]


def _for_programs() -> list[Any]:
    dumps = structlog.processors.JSONRenderer(lambda event, **_: _encode(event).decode())
    return [structlog.processors.format_exc_info, dumps]


def mask_secrets(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace values whose key names a secret, also one level down, and passwords within URLs."""
    for key, value in event.items():
        event[key] = _masked(key, value)
    return event


class PutOff:
    """The last of structlog's processors: has the others, and the ``sink``, at their work ``later``."""

    def __init__(self, sink: "Sink", processors: list[Any], later: Later) -> None:
        self._sink = sink
        self._processors = processors
        self._later = later
        self._waiting: list[MutableMapping[str, Any]] = []

    def __call__(self, _: object, __: str, event: MutableMapping[str, Any]) -> NoReturn:
        """Take an event, and drop it as far as structlog goes."""
        if not self._waiting:
            self._later(self._make)
        self._waiting.append(event)
        if event.get("exc_info"):  # what is being handled now is not then
            self._make()
        raise structlog.DropEvent

    def _make(self) -> None:
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            line: Any = event
            for processor in self._processors:
                line = processor(None, event.get("level", ""), line)
            self._sink.msg(line)


class Sink:
    """Takes lines, or loses and counts them; what is lost is told in the first line that gets through."""

    def __init__(self) -> None:
        self.lost = 0

    def note_losses(self, _: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A structlog processor: adds ``lines_lost_before`` when there were any."""
        if self.lost:
            event["lines_lost_before"] = self.lost
        return event

    def msg(self, line: str) -> None:
        """Take one line."""
        self.lost = 0 if self.put(line) else self.lost + 1

    debug = info = warning = error = critical = exception = msg

    def put(self, line: str) -> bool:
        """Take one line whole, or not (or, of a long one, not the rest): whether it was taken."""
        raise NotImplementedError


class Writer(Sink):
    """Writes lines to ``fd`` so that a reader that has stopped reading cannot stop the daemon.

    A write to a full pipe or a held terminal blocks the whole process, and making it non-blocking would do so for every
    other program that shares it. So it is asked first whether it would take more, with a little patience once; what is
    lost meanwhile is counted, and told in the first line that gets through.
    """

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._ready = poll()
        self._ready.register(fd, select.POLLOUT)

    def put(self, line: str) -> bool:
        """Write one line."""
        data = (line + "\n").encode(errors="replace")
        try:
            return all(self._put(data[at : at + PIECE]) for at in range(0, len(data), PIECE))
        except OSError:
            return False  # closed by its reader: there is nowhere left to say so

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
