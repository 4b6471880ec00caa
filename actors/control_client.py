"""The asker's end of the control socket. The standard library only, so that commands start fast."""

import json
import os
import socket
from pathlib import Path
from typing import Any

LINE_LIMIT = 65536
"""Bytes of a request. A reply may be of any length."""


class Unreachable(Exception):
    """Nobody answers at the socket; the text says why and what may help."""


class Refused(Exception):
    """The daemon has answered with an error; the text is its own."""


def default_path() -> Path:
    """Where the daemon listens unless told otherwise; a folder that is missing is the daemon's to make."""
    if os.geteuid() == 0:
        return Path("/run/understudy/control.sock")
    folder = os.environ.get("XDG_RUNTIME_DIR")
    return Path(folder, "understudy-control.sock") if folder else Path(f"/tmp/understudy-{os.geteuid()}/control.sock")


def ask(path: Path, request: dict[str, Any], limit: float = 5.0) -> Any:
    """The daemon's reply to ``request``; waits at most ``limit`` seconds for each part of it.

    Raises `Unreachable` and `Refused`.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(limit)
            line.connect(os.fspath(path))
            line.sendall(json.dumps(request).encode() + b"\n")
            with line.makefile("rb") as reader:
                reply = json.loads(reader.readline())
    except OSError as error:
        raise Unreachable(_reason(path, error)) from None
    except ValueError:
        raise Unreachable(f"what listens at {path} does not speak as understudyd does") from None
    if isinstance(reply, dict) and set(reply) == {"error"}:
        raise Refused(reply["error"])
    return reply


def _reason(path: Path, error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return f"understudyd is not running: there is no socket at {path} (or is it elsewhere? see --socket)"
        case ConnectionRefusedError():
            return f"understudyd is not running: nobody listens at {path}"
        case PermissionError():
            return f"permission denied at {path}: ask as the user that runs understudyd"
        case TimeoutError():
            return f"understudyd does not answer at {path}"
    return f"cannot ask at {path}: {error.strerror or error}"
