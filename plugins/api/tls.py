"""TLS over any connected socket. One SSLContext is made for each distinct set of files and shared by all checks."""

import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CHUNK = 16384 + 1024  # a record of TLS and its wrapping


@dataclass(frozen=True)
class Tls:
    """How to speak TLS. ``server_name`` is sent as SNI; "" sends none.

    ``verify`` asks for a certificate that is valid for ``server_name`` (the address when that is empty) and signed by
    the authorities in file ``ca``, the system's when that is empty. ``certificate`` and ``key`` are files
    to show to a server that asks; the key may lie in the certificate's file. ``protocols`` are offered by ALPN.
    """

    server_name: str = ""
    verify: bool = False
    ca: str = ""
    certificate: str = ""
    key: str = ""
    protocols: tuple[str, ...] = ()


Files = tuple[bool, str, str, str]
Stamp = tuple[int, ...]
_contexts: dict[tuple[Files, tuple[str, ...]], tuple[Stamp, ssl.SSLContext]] = {}


def context_of(tls: Tls) -> ssl.SSLContext:
    """The context for ``tls``, made again only when one of its files has changed. Raises OSError saying which."""
    files = (tls.verify, tls.ca, tls.certificate, tls.key)
    stamp = tuple(os.stat(name).st_mtime_ns for name in files[1:] if name)
    known = _contexts.get((files, tls.protocols))
    if known is None or known[0] != stamp:
        known = _contexts[files, tls.protocols] = (stamp, _make_context(tls))
    return known[1]


def _make_context(tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = tls.verify
    context.verify_mode = ssl.CERT_REQUIRED if tls.verify else ssl.CERT_NONE
    if tls.protocols:
        context.set_alpn_protocols(list(tls.protocols))
    try:
        if tls.ca:
            context.load_verify_locations(tls.ca)
        elif tls.verify:
            context.load_default_certs()
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.key or None, password=_no_password)
    except ssl.SSLError as error:
        names = ", ".join(name for name in (tls.ca, tls.certificate, tls.key) if name)
        raise OSError(f"not usable for TLS: {names}: {error.reason or error}") from None
    return context


def _no_password() -> str:
    # Without this, OpenSSL would ask for an encrypted key's pass phrase on the terminal.
    return ""


class TlsSocket:
    """A TLS client over ``sock``, which keeps the time. Ends of stream without TLS's farewell count as ends; whether
    there was one is in ``ended_well``.

    The records pass through memory, so that it works alike over every kind of socket.
    """

    def __init__(self, sock: Any, tls: Tls, address: str) -> None:
        self._sock = sock
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._io_refs = 0
        self._closed = False
        self.ended_well = False
        name = tls.server_name or (address.partition("%")[0] if tls.verify else None)
        try:
            self._tls = context_of(tls).wrap_bio(self._in, self._out, server_hostname=name)
        except ValueError as error:
            raise OSError(f"not a server name for TLS: {name!r}: {error}") from None
        self._drive(self._tls.do_handshake)

    def __enter__(self) -> "TlsSocket":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def recv(self, size: int = 1024, flags: int = 0) -> bytes:
        """At least one and at most ``size`` bytes; none at the end of the stream."""
        _refuse_flags(flags)
        try:
            data = bytes(self._drive(self._tls.read, size)) if size else b""
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as end:
            self.ended_well = isinstance(end, ssl.SSLZeroReturnError)
            return b""
        self.ended_well = bool(size) and not data
        return data

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """As `recv`, into ``buffer``; returns the number of bytes."""
        view = memoryview(buffer).cast("B")
        data = self.recv(min(size, len(view)) if size else len(view), flags)
        view[: len(data)] = data
        return len(data)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of ``data``."""
        _refuse_flags(flags)
        view = memoryview(data).cast("B")
        while view:
            view = view[self._drive(self._tls.write, view) :]

    def send(self, data: Any, flags: int = 0) -> int:
        """Send all of ``data`` and return its length."""
        self.sendall(data, flags)
        return memoryview(data).nbytes

    makefile = socket.socket.makefile

    def close(self) -> None:
        """Close the connection, when no file made of it is open any more. No farewell is sent."""
        self._closed = True
        if self._io_refs < 1:
            self._sock.close()

    def __getattr__(self, name: str) -> Any:
        # The connection's own: addresses, descriptor, time limits; and TLS's: certificate, version, cipher.
        if name in _OF_SOCKET:
            return getattr(self._sock, name)
        if name in _OF_TLS:
            return getattr(self._tls, name)
        raise AttributeError(f"a TLS connection has no {name!r}")

    def _decref_socketios(self) -> None:
        self._io_refs -= 1
        if self._closed:
            self.close()

    def _drive(self, step: Callable[..., Any], *args: Any) -> Any:
        """Take a step of TLS, moving records to and from the wire until it succeeds."""
        while True:
            try:
                result = step(*args)
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLError:
                self._say_why()
                raise
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if self._out.pending:
            self._sock.sendall(self._out.read())

    def _fill(self) -> None:
        data = self._sock.recv(CHUNK)
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()

    def _say_why(self) -> None:
        """Send the alert, so that the server's log has the reason too; the server may be gone."""
        try:
            self._flush()
        except OSError:
            self._out.read()


_OF_SOCKET = frozenset(
    {"family", "fileno", "getpeername", "getsockname", "getsockopt", "proto", "setsockopt", "type"}
    | {"gettimeout", "renew", "settimeout", "setblocking"}
)
_OF_TLS = frozenset({"cipher", "get_channel_binding", "getpeercert", "pending", "selected_alpn_protocol", "version"})


def _refuse_flags(flags: int) -> None:
    if flags:
        raise ValueError("flags mean nothing over TLS")
