"""Programs that a probe has run: what they are, how they end, and how a script tries them."""

import os
import signal
import subprocess
from collections.abc import Mapping
from typing import NamedTuple

NOT_STARTED = 127
"""The status of what never ran, as shells have it."""


class Command(NamedTuple):
    """A program and its arguments, and whose identity it takes; empty: as is configured for all programs."""

    argv: tuple[str, ...]
    user: str = ""
    group: str = ""


class Exit(NamedTuple):
    """How a program ended: exit status, negative for the signal that ended it, and the beginning of what it wrote.

    ``error`` is why it did not start, or was ended.
    """

    status: int
    output: str = ""
    error: str = ""


def run(command: Command, limit: float, env: Mapping[str, str]) -> Exit:
    """Run a program as this user, or as the one that ``command`` names, for at most ``limit`` seconds."""
    try:
        process = subprocess.Popen(
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=os.environ | env,
            start_new_session=True,
            user=command.user or None,
            group=command.group or None,
        )
    except (OSError, LookupError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return Exit(NOT_STARTED, error=f"cannot start {command.argv[0]!r}: {reason}")
    with process:
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return Exit(-signal.SIGKILL, error=f"timed out after {limit:g} s")
    return Exit(process.returncode, output)
