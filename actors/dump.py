"""The state in files, on a signal, as keepalived's users know it: SIGUSR1 for all that is known, SIGUSR2 for what was
counted."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import gevent
import msgspec
import structlog

Reply = Mapping[str, Any]

log = structlog.get_logger()


class Dump:
    """Writes into ``folder`` what ``state()`` knows: all that ``status`` and ``tree`` tell.

    It is gathered on the event loop, in turns, and put into words and files by a native thread.
    """

    def __init__(self, folder: Path, state: Callable[[], Reply]) -> None:
        self._folder = folder
        self._state = state

    def data(self) -> None:
        """``understudy.data``, to be read, and the same as ``understudy.json``."""
        self._write({"understudy.data": text, "understudy.json": document})

    def statistics(self) -> None:
        """``understudy.stats``: what routers and checkers have counted, and how late each loop was."""
        self._write({"understudy.stats": statistics})

    def _write(self, files: Mapping[str, Callable[[Reply], bytes]]) -> None:
        try:
            state = self._state()
            for name, render in files.items():
                gevent.get_hub().threadpool.apply(replaced, (self._folder / name, render, state))
        except (OSError, LookupError) as error:
            log.error("the state cannot be written", folder=str(self._folder), reason=str(error))
        else:
            log.info("the state was written", files=[str(self._folder / name) for name in files])


def replaced(path: Path, render: Callable[[Reply], bytes], state: Reply) -> None:
    """Put a file of mode 0600 in the place of the last one, whole."""
    draft = path.with_name(f"{path.name}.new")
    draft.touch(mode=0o600)
    draft.write_bytes(render(state))
    draft.replace(path)


def document(state: Reply) -> bytes:
    """One JSON object."""
    return msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n"


def text(state: Reply) -> bytes:
    """The tables of ``status``, then the tree."""
    from actors.ctl_view import plain  # tables take a while to load, and most runs never need them

    status = {name: value for name, value in state.items() if name != "tree"}
    tree = {name: state[name] for name in ("processes", "tree")}
    return "".join([*plain(status), "\n", *plain(tree)]).encode()


def statistics(state: Reply) -> bytes:
    """A heading for each who counts, and a line for each of its figures."""
    return "\n".join(_counted(state)).encode() + b"\n"


def _counted(state: Reply) -> Iterator[str]:
    for router in state["routers"]:
        yield from _section(f"{router['id']} {router['role']}", router["packets"].items())
    for checker in state["checkers"]:
        yield from _section(checker["id"], ((name, checker[name]) for name in ("runs", "failures", "hung")))
    for process in state["processes"]:
        late = (process["lag"] or {}).get("histogram", {})
        lines = ((f"less than {limit} us", count) for limit, count in late.items())
        yield from _section(f"{process['name']} was late", lines)


def _section(title: str, figures: Iterable[tuple[str, int]]) -> Iterator[str]:
    yield title
    for name, count in figures:
        yield f"  {name:<40} {count:>12}"
