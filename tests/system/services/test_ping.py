"""PING_CHECK over a link: a host that answers, one that is not there, and one that has gone."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.system.lab import ROOT
from tests.system.netns import ip

NAME = "usping"
PROBE = """
import sys
from plugins.api import Failed, Target, outcome
from plugins.{module} import {kind}
end = outcome({kind}(), Target(sys.argv[1], int(sys.argv[2]), 8.0))
print(end.detail if isinstance(end, Failed) else "passed")
"""


@pytest.fixture
def link() -> Iterator[None]:
    """A namespace with a link that nobody else is on."""
    ip("netns", "add", NAME)
    try:
        ip("-n", NAME, "link", "add", "left", "type", "veth", "peer", "name", "right")
        for name in ("lo", "left", "right"):
            ip("-n", NAME, "link", "set", name, "up")
        ip("-n", NAME, "addr", "add", "10.99.1.1/24", "dev", "left")
        yield
    finally:
        ip("netns", "del", NAME)


def asked(address: str, port: int = 0, module: str = "ping", kind: str = "PingCheck") -> str:
    script = PROBE.format(module=module, kind=kind)
    command = ["ip", "netns", "exec", NAME, sys.executable, "-c", script, address, str(port)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def test_who_is_there_answers_and_who_is_not_cannot_be_reached(link: None) -> None:
    assert asked("10.99.1.1") == "passed"
    assert asked("10.99.1.2") == "No route to host"
    assert asked("10.99.1.2", 53, "dns", "DnsCheck") == "No route to host"
    assert "unreachable" in asked("10.98.0.1")
