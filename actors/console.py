"""The console: a Python prompt inside the running daemon, on a Unix socket, for debugging. Off unless asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gevent.backdoor import BackdoorServer

from actors.control import listen

BANNER = """Understudy's console: Python inside the running daemon. What you change here is changed for real.
{words}
Ctrl-D leaves; the daemon goes on."""


class Console:
    """Serves prompts at ``path``, mode 0600: whoever opens it is the daemon. It never listens on a network address.

    Reach it with ``socat READLINE UNIX-CONNECT:PATH``. ``words`` are the names that an operator finds there; the first
    line of each one's docstring is its help in the banner. As a context manager it listens within the block.
    """

    def __init__(self, path: Path, words: Mapping[str, Any]) -> None:
        self.path = path
        self._words = dict(words)
        self._server: BackdoorServer | None = None

    def start(self) -> None:
        """Listen; raises `actors.control.AlreadyInUse`, or OSError for a path that cannot be used."""
        self._server = BackdoorServer(listen(self.path), locals=self._words, banner=banner(self._words))
        self._server.start()

    def stop(self) -> None:
        """Hang up and remove the socket."""
        if self._server is not None:
            self._server.stop(timeout=0)
            self._server = None
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> "Console":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def banner(words: Mapping[str, Any]) -> str:
    """The greeting: every word, with the first line of its help."""
    wide = max(map(len, words), default=0)
    lines = [f"  {name:<{wide}}  {(word.__doc__ or '').strip().partition(chr(10))[0]}" for name, word in words.items()]
    return BANNER.format(words="\n".join(line.rstrip() for line in lines))
