"""`Target`: what a probe is aimed at, the time it has, and its way to connect."""

import socket
from time import monotonic
from typing import Any, Protocol

from plugins.api.tls import Tls, TlsSocket


class Dial(Protocol):
    """Makes connected sockets; the daemon has one for greenlets and one for native threads."""

    def connect(self, address: str, port: int, deadline: float, bindto: str = "", bind_port: int = 0) -> Any:
        """A connected TCP socket, no call on which waits past ``deadline`` (`time.monotonic`). Raises OSError."""


class PlainDial:
    """Plain blocking sockets, to try a plugin in a script. Each call may wait as long as was left at the connect."""

    def connect(self, address: str, port: int, deadline: float, bindto: str = "", bind_port: int = 0) -> socket.socket:
        """See `Dial.connect`."""
        source = (bindto, bind_port) if bindto or bind_port else None
        return socket.create_connection((address, port), deadline - monotonic(), source)


class Target:
    """One probe's target. Its ``timeout`` seconds for everything that the probe does begin when it is made.

    ``address`` and ``bindto`` are numeric; ``bindto`` is "" and ``bind_port`` 0 where the kernel chooses.
    """

    __slots__ = ("_deadline", "_dial", "_opened", "address", "bind_port", "bindto", "port", "timeout")

    def __init__(
        self,
        address: str,
        port: int,
        timeout: float = 5.0,
        bindto: str = "",
        bind_port: int = 0,
        dial: Dial = PlainDial(),  # noqa: B008  (it holds nothing)
    ) -> None:
        self.address = address
        self.port = port
        self.timeout = timeout
        self.bindto = bindto
        self.bind_port = bind_port
        self._deadline = monotonic() + timeout
        self._dial = dial
        self._opened: list[Any] = []

    def remaining(self) -> float:
        """Seconds that are left, more than 0; raises TimeoutError when none are.

        For client libraries that open connections of their own: give them this as their time limit.
        """
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def connect(self, tls: Tls | None = None) -> Any:
        """A socket connected to the target, through TLS when asked; a context manager that closes it.

        It is closed after the probe in any case. Raises OSError (ssl.SSLError is one), TimeoutError when time is over.
        """
        self.remaining()
        sock = self._dial.connect(self.address, self.port, self._deadline, self.bindto, self.bind_port)
        self._opened.append(sock)
        return sock if tls is None else TlsSocket(sock, tls, self.address)

    def close(self) -> None:
        """Close every connection that was made; the daemon does so after each probe."""
        for sock in self._opened:
            sock.close()
        self._opened.clear()
