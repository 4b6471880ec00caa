"""The main job on real traffic: checkers decide who is in the pool, programs tell of it, a crash harms nobody."""

import json
import socket
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.system import lab
from tests.system.lab import Daemon, backends, fetch, free_ports, running, until

CHECKERS = """
global_defs {{
    router_id lab
    dataplane userspace
    plugin_checker_location {plugins}
}}
RT_HTTP_GET web {{
    delay_loop 0.2
    connect_timeout 1
    retry 1
    delay_before_retry 0.1
    warmup 0.1
    url {{
        path /
        status_code 200
    }}
}}
TH_TCP_CHECK port {{
    delay_loop 0.2
    connect_timeout 1
    retry 1
    delay_before_retry 0.1
    warmup 0.1
}}
"""


def service(port: int, servers: list[int], notes: Path, checkers: str = "web port", extra: str = "") -> str:
    """A virtual server over ``servers`` whose programs append a line to ``notes``."""
    note = notes.with_suffix(".sh")
    if not note.exists():  # it cannot be written while it runs
        note.write_text(f'#!/bin/sh\necho "$@" >> {notes}\n')
        note.chmod(0o755)
    notes.touch()
    blocks = "\n".join(
        f"""    real_server 127.0.0.1 {each} {{
        weight 1
        checkers {checkers}
        notify_up "{note} {each} up"
        notify_down "{note} {each} down"
    }}"""
        for each in servers
    )
    return f"""
virtual_server 127.0.0.1 {port} {{
    lb_algo rr
    lb_kind NAT
    protocol TCP
    quorum 1
    quorum_up "{note} quorum up"
    quorum_down "{note} quorum down"
    {extra}
{blocks}
}}
"""


@pytest.fixture(autouse=True, params=[(), ("--single-process",)], ids=["processes", "single"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it holds with processes and without."""
    monkeypatch.setattr(lab, "WAY", request.param)


@pytest.fixture
def ports() -> list[int]:
    return free_ports(5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plugins").mkdir(mode=0o755)
    return tmp_path


def head(folder: Path) -> str:
    return CHECKERS.format(plugins=folder / "plugins")


def test_a_killed_server_leaves_the_pool_its_script_runs_once_and_it_comes_back(folder: Path, ports: list[int]) -> None:
    notes = folder / "notes"
    vip, *servers = ports[:4]
    with backends(servers) as processes, running(folder, head(folder) + service(vip, servers, notes)) as daemon:
        until(lambda: daemon.pool() == set(servers))
        assert {int(fetch(vip)) for _ in range(9)} == set(servers)
        processes[servers[0]].kill()
        lost = Counter()
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            try:
                fetch(vip)
                lost["good"] += 1
            except OSError:
                lost["lost"] += 1
        assert daemon.pool() == set(servers[1:])
        assert lost["good"] > 20
        assert lost["lost"] <= 1
        processes[servers[0]].start()
        until(lambda: daemon.pool() == set(servers))
        until(lambda: notes.read_text().count(f"{servers[0]} up") == 2)
        assert notes.read_text().count(f"{servers[0]} down") == 1
        assert notes.read_text().count("quorum up") == 1
        assert daemon.stop() == 0


def test_the_sorry_server_serves_while_quorum_is_lost(folder: Path, ports: list[int]) -> None:
    notes = folder / "notes"
    vip, sorry, *servers = ports[:4]
    conf = head(folder) + service(vip, servers, notes, extra=f"sorry_server 127.0.0.1 {sorry}")
    with backends([sorry, *servers]) as processes, running(folder, conf) as daemon:
        until(lambda: daemon.pool() == set(servers))
        for port in servers:
            processes[port].kill()
        until(lambda: daemon.status()["services"][0]["sorry"])
        assert int(fetch(vip)) == sorry
        until(lambda: "quorum down" in notes.read_text())
        processes[servers[0]].start()
        until(lambda: daemon.pool() == {servers[0]})
        assert int(fetch(vip)) == servers[0]
        until(lambda: notes.read_text().count("quorum up") == 2)


def test_a_crashed_checker_restarts_keeps_its_verdict_and_nobody_flaps(folder: Path, ports: list[int]) -> None:
    notes = folder / "notes"
    vip, *servers = ports[:3]
    console = folder / "console.sock"
    conf = head(folder) + service(vip, servers, notes)
    with backends(servers), running(folder, conf, "--console", str(console)) as daemon:
        until(lambda: daemon.pool() == set(servers))
        checker = f"check/web@127.0.0.1:{servers[0]}"
        until(lambda: len(notes.read_text().splitlines()) == len(servers) + 1)
        before = notes.read_text()
        for crashes in (1, 2, 3):
            type_into(console, f"tell({checker!r}, Crash('on purpose'))")
            until(lambda crashes=crashes: row(daemon, checker)["crashes"] == crashes)
            until(lambda: row(daemon, checker)["phase"] == "RUNNING")
            assert row(daemon, checker)["verdict"] == "OK"
            assert daemon.pool() == set(servers)
        for _ in range(3):
            until(lambda: row(daemon, checker)["phase"] in ("RUNNING", "PARKED"))
            type_into(console, f"tell({checker!r}, Crash('on purpose'))")
            time.sleep(2.0)
        assert row(daemon, checker)["phase"] == "PARKED"
        assert row(daemon, checker)["verdict"] == "OK"
        assert daemon.pool() == set(servers)
        assert notes.read_text() == before
        assert {r["phase"] for r in daemon.status()["checkers"] if r["id"] != checker} == {"RUNNING"}


def test_the_console_is_private_and_only_there_when_asked_for(folder: Path, ports: list[int]) -> None:
    notes = folder / "notes"
    console = folder / "console.sock"
    vip, *servers = ports[:2]
    conf = head(folder) + service(vip, servers, notes)
    with backends(servers), running(folder, conf) as daemon:
        assert not console.exists()
        assert daemon.socket.stat().st_mode & 0o777 == 0o600
    with backends(servers), running(folder, conf, "--console", str(console)):
        assert console.stat().st_mode & 0o777 == 0o600
        assert "check/web@" in type_into(console, "tree()")
        assert "results in a row against it" in type_into(console, f"why('check/web@127.0.0.1:{servers[0]}')")


def test_what_has_come_to_stay_is_spared_by_the_collector_after_the_start_and_after_a_reload(
    folder: Path, ports: list[int]
) -> None:
    console = folder / "console.sock"
    conf = head(folder) + service(ports[0], ports[1:3], folder / "notes")
    with running(folder, conf, "--console", str(console)) as daemon:
        until(lambda: spared(console) > 10_000)
        type_into(console, "import gc; gc.unfreeze()")
        daemon.conf.write_text(conf.replace("weight 1", "weight 2"))
        daemon.reload()
        until(lambda: spared(console) > 10_000)


def spared(console: Path) -> int:
    """Objects that the garbage collector does not look at."""
    said = type_into(console, "import gc; print('spared', gc.get_freeze_count())")
    return int(said.rpartition("spared ")[2].split()[0])


def test_a_reload_touches_only_what_changed(folder: Path, ports: list[int]) -> None:
    notes = folder / "notes"
    vip, *servers = ports[:4]
    with backends(servers), running(folder, head(folder) + service(vip, servers[:2], notes)) as daemon:
        until(lambda: daemon.pool() == set(servers[:2]))
        runs = row(daemon, f"check/web@127.0.0.1:{servers[0]}")["runs"]
        daemon.conf.write_text(head(folder) + service(vip, servers, notes))
        daemon.reload()
        until(lambda: daemon.pool() == set(servers))
        assert row(daemon, f"check/web@127.0.0.1:{servers[0]}")["runs"] >= runs, "an unchanged checker was restarted"
        until(lambda: notes.read_text().count(f"{servers[0]} up") == 1)
        daemon.conf.write_text(head(folder) + service(vip, servers[1:], notes))
        daemon.reload()
        until(lambda: daemon.pool() == set(servers[1:]))
        assert {int(fetch(vip)) for _ in range(6)} == set(servers[1:])
        assert "down" not in notes.read_text()


def test_a_reload_that_fails_changes_nothing_and_says_so(folder: Path, ports: list[int]) -> None:
    notes = folder / "notes"
    vip, *servers = ports[:3]
    with backends(servers), running(folder, head(folder) + service(vip, servers, notes)) as daemon:
        until(lambda: daemon.pool() == set(servers))
        daemon.conf.write_text(head(folder) + service(vip, servers, notes).replace("lb_algo", "lb_allgo"))
        daemon.reload()
        until(lambda: "did you mean 'lb_algo'" in daemon.logged())
        until(lambda: "nothing has changed" in daemon.logged())
        assert daemon.pool() == set(servers)
        assert {int(fetch(vip)) for _ in range(4)} == set(servers)


MINE = """
from plugins.api import Degraded, Passed, checker
@checker("MINE")
class Mine:
    "As it says."
    def probe(self, target):
        return {result}
"""


def test_a_plugin_that_was_changed_is_read_anew_at_a_reload_and_a_degraded_server_has_less_weight(
    folder: Path, ports: list[int]
) -> None:
    def weights() -> list[int]:
        return [row["weight"] for row in daemon.status()["servers"]]

    vip, *servers = ports[:2]
    plugin = folder / "plugins" / "mine.py"
    plugin.write_text(MINE.format(result="Passed(metrics={'lag_seconds': 1.5})"))
    conf = head(folder) + "RT_MINE mine {\n    delay_loop 0.2\n    warmup 0.1\n}\n"
    conf += service(vip, servers, folder / "notes", "mine").replace("weight 1", "weight 10")
    with backends(servers), running(folder, conf) as daemon:
        until(lambda: weights() == [10])
        mine = f"check/mine@127.0.0.1:{servers[0]}"
        assert row(daemon, mine)["metrics"] == {"lag_seconds": 1.5}
        assert "lag_seconds 1.5" in daemon.ask(ask="why", id=mine)["lines"]
        plugin.write_text(MINE.format(result="Degraded(30, 'slow')"))
        daemon.reload()
        until(lambda: weights() == [3])
        assert (row(daemon, mine)["verdict"], row(daemon, mine)["share"]) == ("OK", 30)
        assert not [line for line in daemon.logged().splitlines() if '"server"' in line and "FAILED" in line]


BAD_PLUGINS = {
    "raises.py": """
from plugins.api import checker
@checker("RAISES")
class Raises:
    "Always raises."
    def probe(self, target):
        raise RuntimeError("this plugin is broken")
""",
    "hangs.py": """
import time
from plugins.api import checker
@checker("HANGS")
class Hangs:
    "Never returns."
    def probe(self, target):
        while True:
            try:
                time.sleep(3600)
            except Exception:
                pass
""",
    "nonsense.py": """
from plugins.api import checker
@checker("NONSENSE")
class Nonsense:
    "Returns nonsense."
    def probe(self, target):
        return "fine, I guess"
""",
    "broken.py": "import no_such_module_anywhere\n",
    "probeless.py": """
from plugins.api import checker
@checker("PROBELESS")
class Probeless:
    "Cannot probe."
""",
}


def test_bad_plugins_are_blamed_and_harm_only_themselves(folder: Path, ports: list[int]) -> None:
    for name, text in BAD_PLUGINS.items():
        (folder / "plugins" / name).write_text(text)
    notes = folder / "notes"
    vip, other, *servers = ports[:4]
    kinds = [f"{mode}_{kind}" for mode in ("RT", "TH") for kind in ("RAISES", "HANGS", "NONSENSE")]
    timing = "delay_loop 0.2\n    connect_timeout 0.3\n    warmup 0.1"
    bad = "".join(f"{kind} bad_{kind} {{\n    {timing}\n}}\n" for kind in kinds)
    names = " ".join(f"bad_{kind}" for kind in kinds)
    conf = head(folder) + bad + service(vip, servers, notes) + service(other, servers, notes, checkers=names)
    with backends(servers), running(folder, conf) as daemon:
        until(lambda: healthy(daemon, vip) == set(servers))
        until(lambda: row(daemon, f"check/bad_TH_HANGS@127.0.0.1:{servers[0]}")["hung"] >= 3)
        until(lambda: row(daemon, f"check/bad_RT_HANGS@127.0.0.1:{servers[0]}")["hung"] >= 3)
        until(lambda: row(daemon, f"check/bad_RT_RAISES@127.0.0.1:{servers[0]}")["phase"] == "PARKED", limit=20)
        assert row(daemon, f"check/bad_TH_HANGS@127.0.0.1:{servers[0]}")["verdict"] == "FAILED"
        assert row(daemon, f"check/bad_RT_RAISES@127.0.0.1:{servers[0]}")["verdict"] == "UNKNOWN"
        assert healthy(daemon, vip) == set(servers)
        assert healthy(daemon, other) == set()
        assert {int(fetch(vip)) for _ in range(4)} == set(servers)
        log = daemon.logged()
        assert "broken.py" in log
        assert "no_such_module_anywhere" in log
        assert "probeless.py" in log
        assert "this plugin is broken" in log
        assert "fine, I guess" in log
        threads = len(list(Path(f"/proc/{daemon.process.pid}/task").iterdir())) if daemon.process else 0
        assert threads < 20, "a hanging check was started again and again"
        assert daemon.stop() == 0


def healthy(daemon: Daemon, vip: int) -> set[int]:
    """The servers in the pool of the service on port ``vip``."""
    rows = daemon.status()["servers"]
    return {r["port"] for r in rows if r["in_pool"] and r["service"] == f"vs/127.0.0.1:{vip}:tcp"}


def row(daemon: Daemon, checker: str) -> dict[str, object]:
    """The status row of one checker."""
    return next(r for r in daemon.status()["checkers"] if r["id"] == checker)


def type_into(console: Path, line: str) -> str:
    """What the console answers to one line."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(console))
        client.sendall(line.encode() + b"\n")
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b"")).decode()


def test_the_control_socket_speaks_json(folder: Path, ports: list[int]) -> None:
    notes = folder / "notes"
    vip, *servers = ports[:2]
    with backends(servers), running(folder, head(folder) + service(vip, servers, notes)) as daemon:
        until(lambda: daemon.pool() == set(servers))
        state = daemon.status()
        assert json.loads(json.dumps(state)) == state
        assert state["router_id"] == "lab"
        assert [s["quorum"] for s in state["services"]] == [True]


def test_init_last_begins_with_the_verdict_of_the_run_before(folder: Path, ports: list[int]) -> None:
    notes = folder / "notes"
    vip, *servers = ports[:3]
    conf = head(folder).replace("warmup 0.1", "warmup 30\n    init last") + service(vip, servers, notes)
    quick = conf.replace("warmup 30", "warmup 0.1")
    with backends(servers) as processes:
        with running(folder, quick) as daemon:
            until(lambda: daemon.pool() == set(servers))
            processes[servers[0]].kill()
            until(lambda: daemon.pool() == set(servers[1:]))
            assert daemon.stop() == 0
        with running(folder, conf) as daemon:
            until(lambda: daemon.pool() == set(servers[1:]), limit=2)
            assert {r["verdict"] for r in daemon.status()["checkers"]} == {"OK", "FAILED"}


def test_a_dry_run_checks_for_real_and_changes_nothing(folder: Path, ports: list[int]) -> None:
    notes = folder / "notes"
    vip, *servers = ports[:3]
    conf = (head(folder) + service(vip, servers, notes)).replace("dataplane userspace", "dataplane ipvs")
    with backends(servers), running(folder, conf, "--dry-run") as daemon:
        until(lambda: daemon.pool() == set(servers))
        until(lambda: f"running {folder}/notes.sh quorum up" in daemon.logged())
        assert f"adding real server 127.0.0.1:{servers[0]} to 127.0.0.1:{vip}:tcp" in daemon.logged()
        with pytest.raises(ConnectionRefusedError):
            fetch(vip)
        assert daemon.stop() == 0
    assert notes.read_text() == ""


def test_without_ipvs_the_program_says_why_and_both_ways_out(folder: Path, ports: list[int]) -> None:
    conf = head(folder) + service(ports[0], ports[1:3], folder / "notes")
    daemon = Daemon(folder, conf.replace("dataplane userspace", "dataplane ipvs"))
    if Path("/proc/net/ip_vs").exists():
        pytest.fail("this test needs a kernel in which IPVS is not loaded")
    with pytest.raises(AssertionError, match="has ended"):
        daemon.start()
    assert daemon.process is not None
    assert daemon.process.returncode == 1
    assert "IPVS" in daemon.logged()
    assert "modprobe ip_vs" in daemon.logged()
    assert "dataplane userspace" in daemon.logged()
