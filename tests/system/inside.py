"""The network planes at work in a namespace, on command: a program, and how a test talks to it.

``python -m tests.system.inside`` reads one command a line, a JSON list of a name and its arguments, and writes one JSON
list a line: ``["done"]`` or ``["error", TEXT]`` after each command, and whatever the planes call back with as it comes.
"""

import json
import select
import subprocess
import sys
import time
from typing import Any

import msgspec
import structlog
from gevent.fileobject import FileObjectPosix

from actors.planes import PlaneError
from actors.planes.netlink import NetlinkAddresses, NetlinkLinks
from actors.planes.network import Address, Endpoint, LinkEvent, Received, Rules
from actors.planes.nftables import NftablesFirewall
from actors.planes.wire import RawWire
from tests.system.lab import ROOT
from tests.system.netns import Host

LIMIT = 5.0
"""Seconds that anything may take."""


class Inside:
    """The program in a host's namespace; for use in a ``with`` block, which ends it."""

    def __init__(self, host: Host) -> None:
        words = [sys.executable, "-m", "tests.system.inside"]
        pipe = subprocess.PIPE
        self._process = host.run(*words, cwd=ROOT, stdin=pipe, stdout=pipe, bufsize=0)
        self.pid = self._process.pid
        self.told: list[Any] = []
        self._rest = b""

    def __enter__(self) -> "Inside":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def do(self, *command: Any) -> None:
        """Carry out a command; raises `PlaneError` as the plane did."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(command) + b"\n")
        while (line := self._line())[0] not in ("done", "error"):
            self.told.append(line)
        if line[0] == "error":
            raise PlaneError(line[1])

    def heard(self, count: int) -> list[Received]:
        """The next adverts that were handed over."""
        return [msgspec.convert(told, Received) for told in self._next("heard", count)]

    def link(self) -> LinkEvent:
        """The next news of a link."""
        return msgspec.convert(self._next("link", 1)[0], LinkEvent)

    def places(self, count: int) -> list[bool]:
        """The next news of whether an address is here."""
        return [bool(told) for told in self._next("place", count)]

    def link_until(self, wanted: LinkEvent) -> list[LinkEvent]:
        """The news of a link up to the one that is wanted."""
        news = [self.link()]
        while news[-1] != wanted:
            news.append(self.link())
        return news

    def errors(self) -> dict[str, dict[str, int]]:
        """What the wire has read for nobody on each interface."""
        self.do("errors")
        return dict(self._next("errors", 1)[0])

    def resyncs(self) -> int:
        """How often all links were read anew."""
        self.do("resyncs")
        return int(self._next("resyncs", 1)[0])

    def stands(self) -> bool:
        """Whether the firewall's rules are there."""
        self.do("stands")
        return bool(self._next("stands", 1)[0])

    def _next(self, kind: str, count: int) -> list[Any]:
        while len(found := [told for told in self.told if told[0] == kind][:count]) < count:
            self.told.append(self._line())
        for told in found:
            self.told.remove(told)
        return [told[1] for told in found]

    def _line(self) -> Any:
        assert self._process.stdout is not None
        end = time.monotonic() + LIMIT
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"nothing said within {LIMIT} s; so far: {self.told}"
            piece = self._process.stdout.read(65536)
            assert piece, "the program has ended"
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)


class Stage:
    """The commands, each a method."""

    def __init__(self) -> None:
        self._wire = RawWire()
        self._addresses = NetlinkAddresses()
        self._links = NetlinkLinks()
        self._firewall = NftablesFirewall("understudy")

    def open(self, endpoint: Any, source: str) -> None:
        self._wire.open(msgspec.convert(endpoint, Endpoint), source, lambda received: say("heard", received))

    def close(self, endpoint: Any) -> None:
        self._wire.close(msgspec.convert(endpoint, Endpoint))

    def send(self, endpoint: Any, destination: str, pdu: str) -> None:
        self._wire.send(msgspec.convert(endpoint, Endpoint), destination, bytes.fromhex(pdu))

    def announce(self, interface: str, frame: str) -> None:
        self._wire.announce(interface, bytes.fromhex(frame))

    def pause_and_drain(self, endpoint: Any, seconds: float) -> None:
        """Hold the loop, as a stall would, then read: the adverts come before the answer to this command."""
        time.sleep(seconds)
        self._wire.drain(msgspec.convert(endpoint, Endpoint))

    def errors(self) -> None:
        say("errors", self._wire.errors)

    def add(self, interface: str, addresses: Any) -> None:
        self._addresses.add(interface, msgspec.convert(addresses, tuple[Address, ...]))

    def remove(self, interface: str, addresses: Any) -> None:
        self._addresses.remove(interface, msgspec.convert(addresses, tuple[Address, ...]))

    def watch(self, interface: str) -> None:
        self._links.watch(interface, lambda event: say("link", event))

    def seek(self, address: str) -> None:
        self._links.seek(address, lambda here: say("place", here))

    def unseek(self, address: str) -> None:
        self._links.unseek(address)

    def narrow(self) -> None:
        """From now on with so small a buffer for news that it overflows soon."""
        self._links.close()
        self._links = NetlinkLinks(buffer=4096)

    def resyncs(self) -> None:
        say("resyncs", self._links.resyncs)

    def apply(self, rules: Any) -> None:
        self._firewall.apply(msgspec.convert(rules, Rules))

    def stands(self) -> None:
        say("stands", self._firewall.stands())


def say(*words: Any) -> None:
    """One line to the test."""
    sys.stdout.buffer.write(msgspec.json.encode(words) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Carry out what standard input says, until it ends."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    stage = Stage()
    for line in FileObjectPosix(sys.stdin.buffer, "rb"):
        name, *arguments = json.loads(line)
        try:
            getattr(stage, name)(*arguments)
        except PlaneError as error:
            say("error", str(error))
        else:
            say("done")


if __name__ == "__main__":
    main()
