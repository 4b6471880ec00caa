"""The post of a process that is not the main one: what its actors say to each other stays here, the rest goes to main.

The board in main is the authority. Of sources that live here a part of it is kept here, so that those who follow them
hear of them at once, whatever main is busy with.
"""

from collections.abc import Callable
from typing import Any

from actors.core.board import Board
from actors.core.status import AnyStatus
from actors.messages import Died, Published, Replayed, Stop, Stopped, Subscribe
from actors.runtime.frames import Frame, Letter
from actors.runtime.system import System


class Post:
    """Takes what `System` has no receiver for. ``folders`` are those of the sources that live here: ``vrrp/``."""

    def __init__(self, system: System, folders: tuple[str, ...], send: Callable[[Frame], None]) -> None:
        self.board = Board()
        self._system = system
        self._folders = folders
        self._send = send
        self._leaving: set[str] = set()
        system.elsewhere = self._pass_on

    def deliver(self, letter: Letter) -> None:
        """A letter from main. To somebody who is dead it is late: main has not heard of the death yet."""
        if isinstance(letter.message, Stop) and letter.message.final:
            self._leaving.add(letter.to)
        context = self._system.find(letter.to)
        if context is not None:
            self._system.deliver(context, letter.message)

    def recall(self, said: tuple[AnyStatus, ...]) -> None:
        """Know what was said here before this process took the place of another."""
        for status in said:
            self.board.publish(status)

    def _pass_on(self, id: str, message: Any) -> bool:
        if id == self._system.supervisor and self._is_settled(message):
            return True
        self._send(Letter(id, message))
        return True

    def _is_settled(self, message: Any) -> bool:
        """Do what can be done here; whether main need not hear of it."""
        match message:
            case Published(status):
                self._publish(status)
            case Subscribe(subscriber, pattern) if pattern.startswith(self._folders):
                self._subscribe(subscriber, pattern)
                return True
            case Died(id) | Stopped(id):
                self._bury(id)
        return False

    def _publish(self, status: AnyStatus) -> None:
        if status.source.startswith(self._folders):
            for subscriber in self.board.publish(status):
                self._system.tell(subscriber, status)

    def _subscribe(self, subscriber: str, pattern: str) -> None:
        for status in self.board.subscribe(subscriber, pattern):
            self._system.tell(subscriber, status)
        self._system.tell(subscriber, Replayed(pattern))

    def _bury(self, id: str) -> None:
        self.board.unsubscribe(id)
        if id in self._leaving:
            self._leaving.remove(id)
            self.board.forget(id)
