"""The control socket: one JSON request a line, one JSON reply a line, for whoever may open the socket.

::

    -> {"ask": "why", "id": "check/web"}
    <- {"id": "check/web", "lines": ["..."]}

A request that cannot be answered gets ``{"error": "..."}``, and the connection goes on.
"""

import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import gevent
import msgspec
import structlog
from gevent.server import StreamServer
from gevent.socket import socket as GreenSocket

from actors.control_client import LINE_LIMIT

IDLE = 60.0
"""Seconds after which a connection is closed that sends no request, or does not read its reply."""

CLIENTS = 16
"""Connections served at once; one more takes the place of the one whose last request lies back longest."""

log = structlog.get_logger()


class Request(dict[str, Any]):
    """What was asked. A word that it lacks raises a LookupError that says so."""

    def __missing__(self, word: str) -> NoReturn:
        raise LookupError(f"the request needs {word!r}")


Asks = Mapping[str, Callable[[Request], Any]]


class AlreadyInUse(Exception):
    """Another program is listening at the path; the text says so."""


class ControlServer:
    """Answers requests on a Unix socket of mode 0600.

    ``asks`` maps the word of a request to what answers it, given the whole `Request`; its result must be what msgspec
    can write as JSON. A plain LookupError or ValueError in it is the asker's mistake: its text is the error of the
    reply. Anything else is ours and goes to the log. As a context manager it listens within the block.
    """

    def __init__(self, path: Path, asks: Asks, idle: float = IDLE) -> None:
        self.path = path
        self._asks = asks
        self._idle = idle
        self._server: StreamServer | None = None
        self._clients: dict[GreenSocket, None] = {}

    def start(self) -> None:
        """Listen; raises `AlreadyInUse`, or OSError for a path that cannot be used."""
        listener = listen(self.path)
        self._server = StreamServer(listener, self._serve)
        self._server.start()

    def stop(self) -> None:
        """Hang up and remove the socket."""
        if self._server is not None:
            self._server.stop(timeout=0)
            self._server = None
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> "ControlServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, line: bytes) -> bytes:
        """The reply to one line, without its end."""
        try:
            request = Request(msgspec.json.decode(line, type=dict[str, Any]))
            return msgspec.json.encode(self._find(request)(request))
        except Exception as error:
            if type(error) in (LookupError, ValueError) or isinstance(error, msgspec.DecodeError):
                return _error(str(error))
            log.exception("a request crashed", line=line[:200].decode(errors="replace"))
            return _error("the daemon failed to answer: see its log")

    def _find(self, request: Request) -> Callable[[Request], Any]:
        word = request.get("ask")
        if not isinstance(word, str) or word not in self._asks:
            raise LookupError(f"unknown request {word!r}; known: {', '.join(sorted(self._asks))}")
        return self._asks[word]

    def _serve(self, client: GreenSocket, _: object) -> None:
        if len(self._clients) >= CLIENTS:
            self._hang_up(next(iter(self._clients)))
        self._clients[client] = None
        try:
            with contextlib.suppress(OSError), client, client.makefile("rb") as reader:
                while self._exchange(client, reader):
                    self._clients[client] = self._clients.pop(client)
        finally:
            self._clients.pop(client, None)

    def _hang_up(self, client: GreenSocket) -> None:
        del self._clients[client]
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _exchange(self, client: GreenSocket, reader: BinaryIO) -> bool:
        """One request and its reply; whether there may be another."""
        line = b""
        with gevent.Timeout(self._idle, False):
            line = reader.readline(LINE_LIMIT + 1)
        if not line:
            return False
        fits = len(line) <= LINE_LIMIT
        reply = self.answer(line) if fits else _error(f"a request has at most {LINE_LIMIT} bytes")
        client.settimeout(self._idle)
        client.sendall(reply + b"\n")
        client.settimeout(None)
        return fits and client in self._clients


def _error(reason: str) -> bytes:
    return msgspec.json.encode({"error": reason})


def listen(path: Path) -> GreenSocket:
    """A listening Unix socket that only this user can open. What a dead program left at ``path`` is replaced.

    A missing folder is made with mode 0700. Raises `AlreadyInUse` and OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = path.parent.stat()
    if owner.st_uid not in (0, os.geteuid()):
        raise PermissionError(f"{path.parent} belongs to user {owner.st_uid}, who could listen in our stead")
    _clear(path)
    listener = GreenSocket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    finally:
        os.umask(before)
    listener.listen(CLIENTS)
    return listener


def _clear(path: Path) -> None:
    if not path.exists():
        return
    if not path.is_socket():
        raise FileExistsError(f"{path} exists and is not a socket")
    with GreenSocket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise AlreadyInUse(f"another program is listening at {path}: is understudyd running already?")
