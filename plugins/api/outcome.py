"""How a probe ends: `Passed`, `Failed`, or a crash. `outcome` tells them apart."""

import errno
import ssl
from dataclasses import dataclass
from typing import Any

from plugins.api.target import Target


@dataclass(frozen=True)
class Passed:
    """The service is healthy. ``detail`` is for an operator, and holds nothing that varies from run to run."""

    detail: str = ""


class Failed(Exception):
    """The service is not healthy; returned or raised. Equal details mean that nothing has happened since."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Failed) and other.detail == self.detail

    def __hash__(self) -> int:
        return hash(self.detail)


EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)


def outcome(plugin: Any, target: Target) -> Passed | Failed:
    """Probe, and close whatever connection the probe left open.

    `Failed`, OSError and time-outs are a `Failed`, but for an OSError that says of this machine that it has no more
    descriptors or memory, and nothing of the target. Every other exception is the plugin's crash and passes through,
    as does TypeError for a probe that returned something else.
    """
    try:
        result = plugin.probe(target)
    except Failed as failed:
        return failed
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise
        return Failed(explain(error))
    finally:
        target.close()
    if isinstance(result, (Passed, Failed)):
        return result
    raise TypeError(f"{type(plugin).__name__}.probe returned {result!r}, neither Passed nor Failed")


def explain(error: OSError) -> str:
    """An operating system's or TLS error in words, without numbers."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {error.verify_message}"
    reason = getattr(error, "reason", None)  # only those that OpenSSL raised have it
    if isinstance(error, ssl.SSLError) and reason:
        return f"TLS: {reason.lower().replace('_', ' ')}"
    text = error.strerror or str(error) or type(error).__name__
    return f"{text}: {error.filename}" if error.filename else text
