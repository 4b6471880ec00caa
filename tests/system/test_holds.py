"""Plugins that keep the event loop from others: found, named with their stack, moved to a thread of their own."""

from pathlib import Path

from tests.system.lab import Daemon, free_ports, running, until

PLUGIN = '''
"""Checkers that hold the loop."""

from time import monotonic

from gevent import monkey

from plugins.api import Passed, checker

native_sleep = monkey.get_original("time", "sleep")


@checker("SPINS", aims="never")
class Spins:
    """Computes."""

    def probe(self, target):
        end = monotonic() + 0.3
        while monotonic() < end:
            pass
        return Passed("computed")


@checker("BLOCKS", aims="never")
class Blocks:
    """Waits in C."""

    def probe(self, target):
        native_sleep(0.3)
        return Passed("waited")


@checker("WAITS", aims="never")
class Waits:
    """Waits as it should: others run meanwhile."""

    def probe(self, target):
        import time

        time.sleep(0.3)
        return Passed()
'''
CONF = """
global_defs {{
    dataplane userspace
    plugin_checker_location {folder}
    checker_processes 1
}}
RT_SPINS spins {{
    delay_loop 0.8
}}
RT_BLOCKS blocks {{
    delay_loop 0.8
}}
RT_WAITS waits {{
    delay_loop 0.8
}}
virtual_server 127.0.0.1 {front} {{
    protocol TCP
    real_server 127.0.0.1 {back} {{
        weight 1
        checkers spins blocks waits
    }}
}}
"""


def test_who_holds_the_loop_too_often_goes_on_in_a_thread_with_its_verdict(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "holding.py").write_text(PLUGIN)
    front, back = free_ports(2)
    with running(tmp_path, CONF.format(folder=folder, front=front, back=back)) as daemon:
        until(lambda: keywords(daemon) == ["RT_WAITS", "TH_BLOCKS", "TH_SPINS"], 30)
        until(lambda: daemon.pool() == {back})
        before = {row["id"]: row for row in daemon.status()["checkers"]}
        assert {row["verdict"] for row in before.values()} == {"OK"}
        assert before["check/waits"]["holds"] == 0
        assert all(before[f"check/{name}"]["holds"] >= 3 for name in ("spins", "blocks"))
        until(lambda: runs(daemon, "check/spins") > before["check/spins"]["runs"] + 1)
        told = "\n".join(daemon.ask(ask="why", id="check/spins")["lines"])
        assert "and runs in a thread of its own now" in told
        log = daemon.logged()
    assert "plugin holds the event loop" in log
    assert "in probe" in log
    assert "checker goes on in a thread of its own" in log


def keywords(daemon: Daemon) -> list[str]:
    return sorted(row["keyword"] for row in daemon.status()["checkers"])


def runs(daemon: Daemon, id: str) -> int:
    return next(int(row["runs"]) for row in daemon.status()["checkers"] if row["id"] == id)
