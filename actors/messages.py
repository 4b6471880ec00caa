"""What the runtime carries: frozen values that fit a mailbox and a socket alike. A status is a message as it is."""

import msgspec

from actors.core.status import AnyStatus


class Message(msgspec.Struct, frozen=True, tag=True):
    """Anything that can lie in a mailbox."""


class Stop(Message, frozen=True):
    """Asks an actor to end in order. It jumps the mailbox."""


class Crash(Message, frozen=True):
    """Makes the receiver crash; for operators and tests, by the console's ``tell``."""

    reason: str = "crashed on request"


class Died(Message, frozen=True):
    """An actor's own last message: it crashed. ``incarnation`` tells an old report from a new one."""

    id: str
    incarnation: int
    error: str
    trace: str
    handling: str


class Stopped(Message, frozen=True):
    """An actor's own last message: it ended in order."""

    id: str
    incarnation: int


class Published(Message, frozen=True):
    """Asks the board to retain a status and to forward it."""

    status: AnyStatus


class Subscribe(Message, frozen=True):
    """Asks the board for every status whose source matches ``pattern`` (``*`` matches any text), the retained first."""

    subscriber: str
    pattern: str


class Unsubscribe(Message, frozen=True):
    """Withdraws all subscriptions of ``subscriber``."""

    subscriber: str


class Run(Message, frozen=True):
    """Asks for a program to be run: in order within ``source``, killed after ``limit`` seconds."""

    source: str
    event: str
    argv: tuple[str, ...]
    user: str = ""
    group: str = ""
    limit: float = 60.0


class Ran(Message, frozen=True):
    """A program has ended: exit status (negative: the signal that ended it), or why it did not start."""

    source: str
    event: str
    status: int
    error: str = ""
