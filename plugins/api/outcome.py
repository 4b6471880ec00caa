"""How a probe ends: `Passed`, `Degraded`, `Weighed`, `Failed`, or a crash. `outcome` and `Session` tell them apart."""

import errno
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from plugins.api.target import Target

WHOLE = 100
HEAVIEST = 2_147_483_647


@dataclass(frozen=True)
class Passed:
    """The service is healthy. ``detail`` is for an operator, and holds nothing that varies from run to run.

    What varies belongs into ``metrics``, numbers by name: shown, and no news to anybody.
    """

    detail: str = ""
    metrics: dict[str, float] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Degraded:
    """The service is healthy, but its servers are to get ``weight`` percent (0 to 100) of their weight.

    At 0 they get no new connections. Of several checkers the least counts. ``detail`` and ``metrics``: see `Passed`.
    """

    weight: int
    detail: str = ""
    metrics: dict[str, float] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.weight, int) or not 0 <= self.weight <= WHOLE:
            raise ValueError(f"a degraded weight is 0 to {WHOLE} percent, not {self.weight!r}")


@dataclass(frozen=True)
class Weighed:
    """The service is healthy, and knows itself which ``weight`` (from 0) its servers are to have, whatever theirs is.

    At 0 they get no new connections. ``detail`` and ``metrics``: see `Passed`.
    """

    weight: int
    detail: str = ""
    metrics: dict[str, float] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.weight, int) or not 0 <= self.weight <= HEAVIEST:
            raise ValueError(f"a weight is 0 to {HEAVIEST}, not {self.weight!r}")


class Failed(Exception):
    """The service is not healthy; returned or raised. Equal details mean that nothing has happened since.

    ``metrics``: see `Passed`.
    """

    def __init__(self, detail: str, metrics: dict[str, float] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.metrics = metrics or {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Failed) and other.detail == self.detail

    def __hash__(self) -> int:
        return hash(self.detail)


class Counted(Failed):
    """The service is not healthy by a number that is not 0. What counts with it, as routers do, is told ``value``."""

    def __init__(self, value: int, detail: str, metrics: dict[str, float] | None = None) -> None:
        super().__init__(detail, metrics)
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Counted) and (other.value, other.detail) == (self.value, self.detail)

    def __hash__(self) -> int:
        return hash((self.value, self.detail))


EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)


Result = Passed | Degraded | Weighed | Failed
RESULTS = (Passed, Degraded, Weighed, Failed)


class Session:
    """A plugin at work: with the client that its ``setup`` makes, if it has one, kept from probe to probe.

    The client is closed, and another made for the next probe, after a probe that raised anything, a `Failed` too, or
    took longer than it may: nobody knows what state it is in.
    """

    __slots__ = ("_client", "_keeps", "_kept", "_open", "_plugin")

    def __init__(self, plugin: Any) -> None:
        self._plugin = plugin
        self._keeps = hasattr(plugin, "setup")
        self._client: Any = None
        self._open = False
        self._kept: list[Any] = []

    @property
    def is_set_up(self) -> bool:
        """Whether the next probe needs no new client."""
        return self._open or not self._keeps

    def news(self) -> tuple[int, ...]:
        """What can be read when the next probe is not to wait for its time: descriptors, none without a client."""
        if not self._open or not hasattr(self._plugin, "watch"):
            return ()
        return tuple(self._plugin.watch(self._client))

    def probe(self, target: Target) -> Result:
        """Probe, and close whatever connection the probe left open, but those to keep.

        `Failed`, OSError and time-outs are a `Failed`, but for an OSError that says of this machine that it has no
        more descriptors or memory, and nothing of the target. Every other exception is the plugin's crash and passes
        through, as does TypeError for a probe that returned something else.
        """
        try:
            return self._probe(target)
        except Failed as failed:
            return failed
        except OSError as error:
            if error.errno in EXHAUSTED:
                raise
            return Failed(explain(error))

    def close(self) -> None:
        """Close the client and all connections that it kept. What is gone already is no matter."""
        kept, self._kept = self._kept, []
        was_open, self._open = self._open, False
        try:
            if was_open:
                with suppress(OSError):
                    self._close_client()
        finally:
            self._client = None
            for sock in kept:
                sock.close()

    def _probe(self, target: Target) -> Result:
        result = None
        try:
            result = self._ask(target)
        finally:
            target.close()
            if self._keeps or target.kept:
                self._tidy(target, result is not None and not target.late)
        return result

    def _tidy(self, target: Target, is_whole: bool) -> None:
        self._kept = [*(sock for sock in self._kept if sock.fileno() >= 0), *target.kept]
        if not self._keeps or not is_whole:
            self.close()

    def _ask(self, target: Target) -> Result:
        if self._keeps and not self._open:
            self._client = self._plugin.setup()
            self._open = True
        result = self._plugin.probe(target, self._client) if self._keeps else self._plugin.probe(target)
        if isinstance(result, RESULTS):
            return result
        kind = type(self._plugin).__name__
        raise TypeError(f"{kind}.probe returned {result!r}, none of Passed, Degraded, Weighed and Failed")

    def _close_client(self) -> None:
        if hasattr(self._plugin, "close"):
            self._plugin.close(self._client)
        elif hasattr(self._client, "close"):
            self._client.close()


def outcome(plugin: Any, target: Target) -> Result:
    """One probe with a session of its own: see `Session.probe`."""
    session = Session(plugin)
    try:
        return session.probe(target)
    finally:
        session.close()


def explain(error: OSError) -> str:
    """An operating system's or TLS error in words, without numbers."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {error.verify_message}"
    reason = getattr(error, "reason", None)  # only those that OpenSSL raised have it
    if isinstance(error, ssl.SSLError) and reason:
        return f"TLS: {reason.lower().replace('_', ' ')}"
    text = error.strerror or str(error) or type(error).__name__
    return f"{text}: {error.filename}" if error.filename else text
