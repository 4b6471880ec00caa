"""TCP_CHECK: a table of what a port may do."""

from plugins.api import Failed, Passed, Target, outcome
from plugins.tcp import TcpCheck
from tests.plugins.peers import no_leak, peer


def test_a_port_that_accepts_is_healthy():
    with no_leak(), peer() as server:
        assert outcome(TcpCheck(), Target("127.0.0.1", server.port)) == Passed()


def test_a_port_that_refuses_is_not():
    with peer() as server:
        port = server.port
    with no_leak():
        assert outcome(TcpCheck(), Target("127.0.0.1", port)) == Failed("Connection refused")


def test_a_probe_without_time_left_fails_before_it_connects():
    assert outcome(TcpCheck(), Target("127.0.0.1", 1, timeout=0)) == Failed("timed out")
