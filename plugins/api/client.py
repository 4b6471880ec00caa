"""Client libraries in a probe: imported when they are needed, and lent a connection that keeps them within bounds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from plugins.api.outcome import Failed
from plugins.api.tls import Tls, TlsSocket

LIMIT = 64 * 1024
"""Bytes that a server may send in one conversation, unless told otherwise."""


def library(module: str, extra: str) -> Any:
    """The ``module`` of a client library, imported at the first call.

    Raises `Failed` naming the ``extra`` of this package that brings it, where it is missing.
    """
    try:
        return import_module(module)
    except ImportError:
        raise Failed(f"{module.partition('.')[0]} is not installed: pip install understudyd[{extra}]") from None


class Lent:
    """A connection as client libraries use them, which is neither theirs to close nor to wait on for longer.

    ``error`` is why it ended, if it did: libraries tell of that in many ways. Being closed by the server is an error,
    since whoever reads waits for something.
    """

    def __init__(self, sock: Any, limit: int = LIMIT) -> None:
        self.error: OSError | None = None
        self._sock = sock
        self._limit = limit
        self._received = 0

    def recv(self, size: int = 1024, flags: int = 0) -> bytes:
        """At least one and at most ``size`` bytes. Raises OSError, at the end of the stream too."""
        data: bytes = self._do(self._sock.recv, size, flags)
        self._count(len(data))
        return data

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """As `recv`, into ``buffer``; returns the number of bytes."""
        count: int = self._do(self._sock.recv_into, buffer, size, flags)
        self._count(count)
        return count

    def send(self, data: Any, flags: int = 0) -> int:
        """Send some of ``data`` and return how much."""
        return int(self._do(self._sock.send, data, flags))

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of ``data``."""
        self._do(self._sock.sendall, data, flags)

    def makefile(self, *_: object, **__: object) -> "Stream":
        """A file to read and write the connection by."""
        return Stream(self, self._limit)

    def encrypt(self, tls: Tls, address: str) -> None:
        """Go on through TLS."""
        self._sock = self._do(TlsSocket, self._sock, tls, address)

    def settimeout(self, limit: float | None) -> None:
        """Changes nothing: the probe's deadline holds."""

    def shutdown(self, how: int) -> None:
        """Changes nothing, as `close`."""

    def close(self) -> None:
        """Changes nothing: whoever lent it will close it."""

    def _do(self, call: Callable[..., Any], *args: Any) -> Any:
        if self.error is not None:
            raise self.error
        try:
            return call(*args)
        except OSError as error:
            self.error = error
            raise

    def _count(self, size: int) -> None:
        if not size:
            self._end("closed within the answer" if self._received else "closed without an answer")
        self._received += size
        if self._received > self._limit:
            self._end(f"more than {self._limit} bytes of answers")

    def _end(self, reason: str) -> None:
        self.error = ConnectionError(reason)
        raise self.error


class Stream:
    """The binary file of a connection. What is written is sent by `flush`."""

    def __init__(self, sock: Lent, limit: int) -> None:
        self._sock = sock
        self._limit = limit
        self._written = bytearray()

    def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes. Raises OSError, and ValueError for more than may come: no memory is set aside."""
        if not 0 <= size <= self._limit:
            raise ValueError(f"a message of {size} bytes")
        data = bytearray()
        while len(data) < size:
            data += self._sock.recv(size - len(data))
        return bytes(data)

    def write(self, data: bytes) -> int:
        """Keep ``data`` to be sent."""
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Send what was written."""
        data, self._written = self._written, bytearray()
        self._sock.sendall(data)

    def close(self) -> None:
        """Changes nothing, as `Lent.close`."""


class Upgrade:
    """Stands for an ``SSLContext`` to a library that begins in the clear and asks the server for TLS."""

    def __init__(self, tls: Tls, address: str) -> None:
        self._tls = tls
        self._address = address

    def wrap_socket(self, sock: Lent, **_: object) -> Lent:
        """The same connection, through TLS from now on."""
        sock.encrypt(self._tls, self._address)
        return sock


@contextmanager
def conversation(sock: Any, protocol: str, limit: int = LIMIT) -> Iterator[Lent]:
    """Lend ``sock`` to a library that speaks ``protocol``, and close it.

    What the library raises within becomes the OSError by which the connection ended, or else `Failed`: the answer made
    no sense to it. `Failed` passes; a library's errors that mean more are to be translated within.
    """
    with sock:
        lent = Lent(sock, limit)
        try:
            yield lent
        except Failed:
            raise
        except Exception as error:  # of a library that is fed garbage anything can come
            if lent.error is not None:
                raise lent.error from None
            raise Failed(f"the answer is not {protocol}") from error
