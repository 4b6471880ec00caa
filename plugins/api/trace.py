"""`Trace`: how long each step of a probe took, for whoever watches one at work."""

import socket
from time import monotonic
from typing import Any


class Trace:
    """Takes the time of each step, from the end of the one before; the first begins when it is made."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, float]] = []
        self._since = monotonic()

    def mark(self, step: str) -> None:
        """``step`` is done."""
        now = monotonic()
        self.steps.append((step, now - self._since))
        self._since = now


class TracedSocket:
    """A connection whose first byte is a step; in all else it is ``sock``."""

    makefile = socket.socket.makefile

    def __init__(self, sock: Any, trace: Trace) -> None:
        self._sock = sock
        self._trace: Trace | None = trace
        self._io_refs = 0
        self._closed = False

    def __enter__(self) -> "TracedSocket":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def recv(self, *args: Any) -> Any:
        """See `socket.socket.recv`."""
        return self._noted(self._sock.recv(*args))

    def recv_into(self, *args: Any) -> Any:
        """See `socket.socket.recv_into`."""
        return self._noted(self._sock.recv_into(*args))

    def recvfrom(self, *args: Any) -> Any:
        """See `socket.socket.recvfrom`."""
        return self._noted(self._sock.recvfrom(*args))

    def close(self) -> None:
        """Close the connection, when no file made of it is open any more."""
        self._closed = True
        if self._io_refs < 1:
            self._sock.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def _decref_socketios(self) -> None:
        self._io_refs -= 1
        if self._closed:
            self.close()

    def _noted(self, received: Any) -> Any:
        if self._trace is not None:
            self._trace.mark("first byte")
            self._trace = None
        return received
