"""The programs of checkers: each process that has any runs them by a ``scripts`` process of its own.

So they neither wait behind notifications nor hold these up, and main need not be awake for them.
"""

from collections.abc import Mapping
from typing import Any

import gevent
from gevent import monkey

from actors.spawner import Ended, Spawner
from plugins.api import Command, Exit

AT_ONCE = 256
"""Programs that run side by side; the rest wait in order of arrival, within their probes' time."""

NativeQueue = monkey.get_original("queue", "SimpleQueue")


class Programs:
    """Starts that process with the first program. While ``secure``, what others than root may change does not run as
    root. Made in a thread with a gevent hub, and so used but for `run_from_thread`."""

    def __init__(self) -> None:
        self._secure = False
        self._spawner: Spawner | None = None
        self._loop = gevent.get_hub().loop

    @property
    def secure(self) -> bool:
        """See the class."""
        return self._secure

    @secure.setter
    def secure(self, secure: bool) -> None:
        self._secure = secure
        if self._spawner is not None:
            self._spawner.secure = secure

    def run(self, command: Command, limit: float, env: Mapping[str, str]) -> Exit:
        """Wait cooperatively for the end of a program; if the wait is broken off it is ended."""
        return _exit(self._open().run(*command, limit, env, listen=True))

    def run_from_thread(self, command: Command, limit: float, env: Mapping[str, str]) -> Exit:
        """As `run`, blocking the calling thread."""
        answers = NativeQueue()
        self._loop.run_callback_threadsafe(gevent.spawn, self._answer, answers, command, limit, env)
        end: Exit | Exception = answers.get()
        if isinstance(end, Exception):
            raise end
        return end

    def close(self) -> None:
        """End what runs."""
        if self._spawner is not None:
            self._spawner.close()

    def _answer(self, answers: Any, command: Command, limit: float, env: Mapping[str, str]) -> None:
        try:
            answers.put(self.run(command, limit, env))
        except Exception as error:  # for want of descriptors, say: the thread that waits is to hear of it
            answers.put(error)

    def _open(self) -> Spawner:
        if self._spawner is None:
            self._spawner = Spawner(AT_ONCE)
            self._spawner.secure = self._secure
        return self._spawner


def _exit(end: Ended) -> Exit:
    return Exit(end.status, end.output, end.error)
