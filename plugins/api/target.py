"""`Target`: what a probe is aimed at, the time it has, and its way to connect."""

import socket
from collections.abc import Mapping
from time import monotonic
from typing import Any, Protocol

from plugins.api import program
from plugins.api.program import Command, Exit
from plugins.api.source import ANY, Source, Transport, hear_errors, prepare, where
from plugins.api.tls import Tls, TlsSocket
from plugins.api.trace import Trace, TracedSocket


class Dial(Protocol):
    """Makes connected sockets; the daemon has one for greenlets and one for native threads."""

    def connect(
        self, address: str, port: int, deadline: float, source: Source = ANY, transport: Transport = Transport.TCP
    ) -> Any:
        """A connected socket, no call on which waits past ``deadline`` (`time.monotonic`). Raises OSError.

        Its ``renew(deadline)`` gives it another deadline.
        """

    def run(self, command: Command, limit: float, env: Mapping[str, str]) -> Exit:
        """How the program ended, after ``limit`` seconds at the latest."""


class PlainSocket(socket.socket):
    """A plain blocking socket. Each call may wait as long as was left when it was made, or renewed."""

    __slots__ = ()

    def renew(self, deadline: float) -> None:
        """Be good until ``deadline``."""
        self.settimeout(max(deadline - monotonic(), 0.001))


class PlainDial:
    """Plain blocking sockets, to try a plugin in a script."""

    def connect(
        self, address: str, port: int, deadline: float, source: Source = ANY, transport: Transport = Transport.TCP
    ) -> PlainSocket:
        """See `Dial.connect`."""
        family, peer = where(address, port, transport)
        sock = PlainSocket(family, transport.kind, transport.protocol(family))
        try:
            sock.renew(deadline)
            hear_errors(sock, transport)
            if transport is not Transport.UNIX:
                prepare(sock, source)
            sock.connect(peer)
        except BaseException:
            sock.close()
            raise
        return sock

    run = staticmethod(program.run)


PLAIN = PlainDial()


class Target:
    """One probe's target. Its ``timeout`` seconds for everything that the probe does begin when it is made.

    ``address`` is numeric; ``source`` is how packets leave for it. A ``trace`` is told of each step that is done.
    Programs run as ``user`` and ``group`` unless they name their own.
    """

    __slots__ = ("_deadline", "_dial", "_identity", "_opened", "address", "kept", "port", "source", "timeout", "trace")

    def __init__(
        self,
        address: str,
        port: int,
        timeout: float = 5.0,
        source: Source = ANY,
        dial: Dial = PLAIN,
        trace: Trace | None = None,
        identity: tuple[str, str] = ("", ""),
    ) -> None:
        self.address = address
        self.port = port
        self.timeout = timeout
        self.source = source
        self.trace = trace
        self.kept: list[Any] = []
        self._deadline = monotonic() + timeout
        self._dial = dial
        self._identity = identity
        self._opened: list[Any] = []

    @property
    def late(self) -> bool:
        """Whether its time is over."""
        return monotonic() >= self._deadline

    def remaining(self) -> float:
        """Seconds that are left, more than 0; raises TimeoutError when none are.

        For client libraries that open connections of their own: give them this as their time limit.
        """
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def connect(
        self, tls: Tls | None = None, *, udp: bool = False, icmp: bool = False, path: str = "", keep: bool = False
    ) -> Any:
        """A socket connected to the target, through TLS when asked; a context manager that closes it.

        With ``udp`` it is one for datagrams: what ICMP tells of them, a closed port among it, is an OSError of the
        next call. With ``icmp`` it is one for ICMP, see `Transport`. With a ``path`` it is connected to that Unix
        stream socket instead (``@name``: an abstract one). It is closed after the probe in any case, unless it is to
        ``keep`` for a client that `setup` has made, see `resume`. Raises OSError (ssl.SSLError is one), TimeoutError
        when time is over.
        """
        if (udp or icmp) and (tls or path):
            raise ValueError("datagrams go neither through TLS nor to a path")
        self.remaining()
        if icmp:
            sock = self._ping_socket()
        else:
            transport = Transport.UNIX if path else Transport.UDP if udp else Transport.TCP
            sock = self._dial.connect(path or self.address, self.port, self._deadline, self.source, transport)
        (self.kept if keep else self._opened).append(sock)
        if self.trace is not None:
            return self._traced(sock, tls, self.trace)
        return sock if tls is None else TlsSocket(sock, tls, self.address)

    def resume(self, sock: Any) -> Any:
        """Give ``sock``, which an earlier probe has connected to ``keep``, the time of this one; returns it."""
        self.remaining()
        sock.renew(self._deadline)
        return sock

    def run(self, command: Command, **env: str) -> Exit:
        """Run a program and wait for its end, at most for the time that is left: then it is ended, with all that it
        has started.

        It finds ``CHECK_ADDRESS``, ``CHECK_PORT`` and ``env`` among its variables. Raises OSError when it cannot be
        started, TimeoutError when it took too long.
        """
        if not command.user:
            command = Command(command.argv, *self._identity)
        about = {"CHECK_ADDRESS": self.address, "CHECK_PORT": str(self.port), **env}
        done = self._dial.run(command, self.remaining(), about)
        if self.trace is not None:
            self.trace.mark("run")
        if done.error and self.late:
            raise TimeoutError("timed out")
        if done.error:
            raise OSError(done.error)
        return done

    def close(self) -> None:
        """Close every connection that was made and is not to keep; the daemon does so after each probe."""
        for sock in self._opened:
            sock.close()
        self._opened.clear()

    def _ping_socket(self) -> Any:
        """What any user may have, where the kernel lets this one; else what root may."""
        source = self.source._replace(bind_port=0)
        for transport in (Transport.ICMP, Transport.RAW):
            try:
                return self._dial.connect(self.address, 0, self._deadline, source, transport)
            except PermissionError as error:
                refused = error
        raise refused

    def _traced(self, sock: Any, tls: Tls | None, trace: Trace) -> TracedSocket:
        trace.mark("connect")
        if tls is not None:
            sock = TlsSocket(sock, tls, self.address)
            trace.mark("tls")
        return TracedSocket(sock, trace)
