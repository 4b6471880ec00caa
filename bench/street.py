"""A street of servers behind one socket, that accepts, closes, and keeps when each address was called.

Prints its port. ``begin`` on standard input forgets what was seen, ``look`` tells it; both answer with a line of JSON.
"""

import gc
import json
import os
import select
import socket
import sys
from array import array
from time import monotonic

INTERVAL = 1.0


class Calls:
    """When each address was called last, and how late each call was."""

    def __init__(self) -> None:
        self.last: dict[str, float] = {}
        self.late = array("d")
        self.calls = 0

    def begin(self) -> None:
        """Count anew; who was called last when stays known."""
        self.late, self.calls = array("d"), 0

    def note(self, address: str, now: float) -> None:
        """It is called at ``now``."""
        self.calls += 1
        before = self.last.get(address)
        if before is not None:
            self.late.append(max(0.0, now - before - INTERVAL))
        self.last[address] = now

    def summary(self) -> dict[str, float]:
        """How many calls of how many servers, and seconds of lateness."""
        late = sorted(self.late) or [0.0]
        p50, p99 = (late[min(len(late) - 1, int(len(late) * part))] for part in (0.5, 0.99))
        return {"probes": self.calls, "servers": len(self.last), "p50": p50, "p99": p99, "worst": late[-1]}


def accept(listener: socket.socket, calls: Calls) -> None:
    """Take all who wait."""
    while True:
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            return
        with client:
            calls.note(client.getsockname()[0], monotonic())


def main() -> None:
    """Until standard input ends."""
    gc.disable()
    listener = socket.create_server(("0.0.0.0", 0), backlog=65535)  # noqa: S104 - it stands for all of 127/8
    listener.setblocking(False)
    print(listener.getsockname()[1], flush=True)
    poll, calls = select.epoll(), Calls()
    for each in (listener.fileno(), 0):
        poll.register(each, select.EPOLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor:
                accept(listener, calls)
            elif not (words := os.read(0, 4096).split()):
                return
            else:
                print(json.dumps(calls.summary()), flush=True)
                if words[-1] == b"begin":
                    calls.begin()


if __name__ == "__main__":
    sys.exit(main())
