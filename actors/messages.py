"""What the runtime carries: frozen values that fit a mailbox and a socket alike. A status is a message as it is."""

import msgspec

from actors.core.status import OWN, WHOLE, AnyStatus


class Message(msgspec.Struct, frozen=True, tag=True):
    """Anything that can lie in a mailbox."""


class Stop(Message, frozen=True):
    """Asks an actor to end in order. It jumps the mailbox. ``final``: no successor follows, so leave nothing behind."""

    final: bool = True


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


class Replayed(Message, frozen=True):
    """Follows the retained statuses that a new subscription to ``pattern`` brought."""

    pattern: str


class Contested(Message, frozen=True):
    """A router of lower priority claims the addresses of ``source`` too; silent for ``seconds`` it counts as gone."""

    source: str
    seconds: float


class Settle(Message, frozen=True):
    """All the news of this moment has been read: decide."""


class Run(Message, frozen=True):
    """Asks for a program to be run: in order within ``source``, killed after ``limit`` seconds."""

    source: str
    event: str
    argv: tuple[str, ...]
    user: str = ""
    group: str = ""
    limit: float = 60.0


class Program(msgspec.Struct, frozen=True):
    """A program of the configuration: its words, and whose identity it takes (empty: the configured default)."""

    argv: tuple[str, ...]
    user: str = ""
    group: str = ""

    def run(self, source: str, event: str) -> Run:
        """The request to run it now."""
        return Run(source, event, self.argv, self.user, self.group)


class RolePrograms(msgspec.Struct, frozen=True):
    """What is run when a router or a sync group takes a role: one program for that role, and one for each of them."""

    master: Program | None = None
    backup: Program | None = None
    fault: Program | None = None
    stop: Program | None = None
    every: Program | None = None

    def runs(self, source: str, kind: str, state: str, priority: int) -> tuple[Run, ...]:
        """The requests for ``state``: MASTER, BACKUP, FAULT or STOP. ``every`` is told four words more, as keepalived
        does: ``kind``, the name, the state and the priority; the two do not wait for each other."""
        own: Program | None = getattr(self, state.lower(), None)
        more = (kind, source.partition("/")[2], state, str(priority))
        runs = [own.run(source, state)] if own else []
        if self.every:
            heard = msgspec.structs.replace(self.every, argv=(*self.every.argv, *more))
            runs.append(heard.run(f"{source}/notify", state))
        return tuple(runs)


class Ran(Message, frozen=True):
    """A program has ended: exit status (negative: the signal that ended it), or why it did not start."""

    source: str
    event: str
    status: int
    error: str = ""


class Probed(Message, frozen=True):
    """How run number ``run`` of a checker's probe ended. A ``crash`` is a traceback: the plugin itself failed.

    ``share`` is what it leaves servers of their weight, in percent, ``weight`` what they are to have instead of it
    unless that is `OWN`; ``value`` is the number that it has found; ``metrics`` are figures of the plugin's own.
    """

    run: int
    passed: bool
    detail: str = ""
    seconds: float = 0.0
    crash: str = ""
    share: int = WHOLE
    weight: int = OWN
    value: int = 0
    metrics: tuple[tuple[str, float], ...] = ()


class Begun(Message, frozen=True):
    """It is the turn of run number ``run`` of a checker's probe, which had to wait for it."""

    run: int


class Lost(Message, frozen=True):
    """A process has ended and been replaced: nobody lives in it yet.

    ``late``: it was silent for so long before that what its actors have said last no longer holds.
    """

    process: str
    late: bool = False


class Revive(Message, frozen=True):
    """Asks the supervisor to start a child that waits for its restart, now."""

    id: str
    incarnation: int = 0


class Park(Message, frozen=True):
    """Asks the supervisor to stop a child, whose last status stands, until it is revived or the next reload."""

    id: str


class Shutdown(Message, frozen=True):
    """Asks the supervisor to stop every child in order. ``code`` is the exit code of the program."""

    code: int = 0
