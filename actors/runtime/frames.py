"""What crosses between processes: letters to actors, orders to a process, its answers. Values and their codec."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Union

import msgspec

from actors import messages
from actors.core import status as statuses
from actors.core.status import AnyStatus, Status
from actors.messages import Message, Published

KINDS: tuple[type, ...] = tuple(
    kind
    for module in (statuses, messages)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Status | Message) and kind not in (Status, Message)
)
"""All that can lie in a mailbox in another process."""

if TYPE_CHECKING:
    AnyMessage = Any
else:
    AnyMessage = Union[KINDS]  # noqa: UP007 - made of values


class Frame(msgspec.Struct, frozen=True, tag=True):
    """Anything that crosses."""


class Letter(Frame, frozen=True):
    """A message to the actor ``to``."""

    to: str
    message: AnyMessage


class Begin(Frame, frozen=True):
    """Bring an actor to life: its incarnation, the name of its class, its arguments, its ports, its last status."""

    id: str
    incarnation: int
    kind: str
    args: msgspec.Raw
    ports: tuple[str, ...] = ()
    last: AnyStatus | None = None


class Abandon(Frame, frozen=True):
    """Treat an actor as dead."""

    id: str


class Recall(Frame, frozen=True):
    """What actors of this process said before it was replaced."""

    said: tuple[AnyStatus, ...]


class Ask(Frame, frozen=True):
    """A question ``about`` one actor, or with an empty id about all: answered by `Answer` with the same number."""

    number: int
    question: str
    about: str = ""


class Answer(Frame, frozen=True):
    """The answer to a question, as plain data."""

    number: int
    value: Any = None


class Adjust(Frame, frozen=True):
    """From now on be as these orders say: what a reload has changed of them."""

    orders: dict[str, Any]


class Here(Frame, frozen=True):
    """The first word of a process: which one it is."""

    pid: int


class Said(Frame, frozen=True):
    """A line for the log."""

    line: str


AnyFrame: Any = Union[tuple(Frame.__subclasses__())]  # noqa: UP007 - made of values

encode: Callable[[Frame], bytes] = msgspec.msgpack.Encoder().encode
decode: Callable[[Any], Frame] = msgspec.msgpack.Decoder(AnyFrame).decode


def stale_by(frame: Frame) -> str:
    """What a later frame with the same text makes stale: statuses of one source, on their way to one receiver."""
    if not isinstance(frame, Letter):
        return ""
    message: Any = frame.message
    if isinstance(message, Published):
        return f"{message.status.source} {frame.to}"
    return f"{message.source} {frame.to}" if isinstance(message, Status) else ""
