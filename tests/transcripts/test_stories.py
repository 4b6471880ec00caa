"""Failover stories as text: each ``stories/NAME.txt`` has commands, ``----``, and what then happened on the wire.

A new story is a new file with its commands. ``UPDATE_GOLDEN=1`` rewrites what follows each ``----``; read the
difference before it is committed. A line of the trace: time, router, role, the cause; what was done.
"""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.core.vrrp_values import Event, Faulted, Recovered, Router, Shutdown, Startup, Weighed
from tests.transcripts.wire import Wire

STORIES = Path(__file__).parent / "stories"
FILES = sorted(STORIES.glob("*.txt"))

EVENTS: dict[str, Any] = {
    "start": lambda words: Startup(resume=words == ["resume"]),
    "stop": lambda words: Shutdown(),
    "fault": lambda words: Faulted(" ".join(words)),
    "recover": lambda words: Recovered(),
    "weigh": lambda words: Weighed(int(words[0])),
}


def router(number: int, words: list[str]) -> Router:
    """From ``keyword=value`` words; the address is counted up unless given."""
    given = dict(word.split("=") for word in words)
    return msgspec.convert({"address": f"10.0.0.{number}", **given}, Router, strict=False)


def obey(wire: Wire, line: str) -> None:
    command, *words = line.split()
    match command:
        case "router":
            wire.add(words[0], router(len(wire.nodes) + 1, words[1:]))
        case "crash":
            wire.crash(words[0])
        case "renew":
            wire.renew(words[0])
        case "cut":
            wire.cut(*" ".join(words).split(" | "))
        case "heal":
            wire.heal()
        case "run":
            wire.run(float(words[0]))
        case _:
            event: Event = EVENTS[command](words[1:])
            wire.tell(words[0], event)


def retold(text: str) -> str:
    """The story with what happens after each of its blocks of commands."""
    wire, blocks = Wire(), []
    for block in text.strip().split("\n\n"):
        commands = block.split("\n----")[0]
        seen = len(wire.trace)
        for line in commands.splitlines():
            if not line.startswith("#"):
                obey(wire, line)
        summary = f"masters: {' '.join(wire.masters()) or 'none'}"
        blocks.append("\n".join([commands, "----", *wire.trace[seen:], summary]))
    return "\n\n".join(blocks) + "\n"


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_story_goes_as_told(file: Path) -> None:
    text = file.read_text()
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(retold(text))
    assert retold(text) == file.read_text()


def test_the_stories_that_every_operator_asks_about_are_told() -> None:
    asked = {"crash", "stop", "preempt", "nopreempt", "preempt_delay", "tie", "owner_returns"}
    assert asked <= {file.stem for file in FILES}
