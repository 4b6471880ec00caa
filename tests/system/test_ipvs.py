"""The whole program on a table that is only remembered: what it would do to IPVS, from its first edit to its last."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.system.lab import running, until

GROUP = """
virtual_server_group web {{
    10.0.0.1-{last} 80
    fwmark 7
}}
virtual_server group web {{
    protocol TCP
    lb_kind TUN type gre
    real_server 10.0.1.1 {{ }}
}}
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="us") as path:  # short enough for a Unix socket
        yield Path(path)


def conf(last: int, *said: str) -> str:
    lines = "\n".join(said)
    return f"global_defs {{\n{lines}\n}}\n{GROUP.format(last=last)}"


def test_a_group_is_served_changed_in_place_and_taken_away_in_order(folder: Path) -> None:
    said = ("lvs_timeouts tcp 60", "lvs_flush", "lvs_flush_on_stop", "lvs_sync_daemon lo id 3")
    with running(folder, conf(2, *said), "--dry-run") as daemon:
        until(lambda: len(daemon.ask(ask="ipvs")["ipvs"]) == 3)
        (row, *_) = daemon.ask(ask="ipvs")["ipvs"]
        assert (row["id"], row["servers"][0]["health"]) == ("vs/group:web:tcp", "OK")
        assert row["servers"][0]["tunnel"] == {"kind": "gre", "port": 0, "checksum": ""}
        daemon.conf.write_text(conf(3, *said))
        daemon.reload()
        until(lambda: len(daemon.ask(ask="ipvs")["ipvs"]) == 4)
        assert "removing" not in daemon.logged()
        assert [row["state"] for row in daemon.status()["ipvs"]] == [
            "timeouts: tcp 60 s, tcpfin 120 s, udp 300 s",
            "master and backup on lo",
        ]
        assert daemon.stop() == 0
        told = daemon.logged()
    marks = ["emptying the table", "adding service 10.0.0.1:80:tcp", "stopping the sync daemon (master)"]
    marks += ["removing service 10.0.0.1:80:tcp", "removing service 10.0.0.3:80:tcp"]
    places = [told.index(mark) for mark in marks] + [
        told.rindex("setting the timeouts"),
        told.rindex("emptying the table"),
    ]
    assert places == sorted(places)


def test_the_table_is_left_as_it_is_where_that_is_asked(folder: Path) -> None:
    with running(folder, conf(2, "lvs_keep_on_stop"), "--dry-run") as daemon:
        until(lambda: len(daemon.ask(ask="ipvs")["ipvs"]) == 3)
        daemon.conf.write_text(conf(1, "lvs_keep_on_stop"))
        daemon.reload()
        until(lambda: "removing service 10.0.0.2:80:tcp" in daemon.logged())
        assert daemon.stop() == 0
        assert daemon.logged().count("removing service") == 1
