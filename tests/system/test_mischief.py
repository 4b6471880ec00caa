"""Plugins that do what they must not while they probe: their process may suffer, and is replaced; nobody else does."""

from pathlib import Path

import psutil

from tests.system.lab import Daemon, backends, free_ports, running, until

HEAD = "import os, socket, sys, threading\nimport gevent\nfrom plugins.api import Passed, checker\n"
PLUGIN = """
@checker("{name}")
class {name}:
    "Does {name}."
    def probe(self, target):
        {body}
        return Passed()
"""
MISCHIEF = {
    "QUITS": "sys.exit(3)",
    "INTERRUPTS": "raise KeyboardInterrupt",
    "UNWINDS": "raise gevent.GreenletExit",
    "FORKS": "os.fork()",
    "DOUBLES": "gevent.fork()",
    "RAWFORKS": "__import__('multiprocessing').get_context('fork').Process(target=print).start()",
}
ONCE = {
    "ENDS": "os._exit(0)",
    "ABORTS": "os.abort()",
    "KILLS": "os.kill(os.getpid(), 9)",
    "BECOMES": "os.execv('/bin/true', ['true'])",
    "PATCHES": "import time; socket.socket = os.close = os.read = time.monotonic = None; os.closerange(3, 512)",
}
"""What ends their process, done by the first probe alone."""

CONF = """
global_defs {{
    dataplane userspace
    checker_processes 1
    hang_limit 1
    plugin_checker_location {folder}
}}
RT_TCP_CHECK good {{
    {timing}
}}
{checkers}
virtual_server 127.0.0.1 {vip} {{
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 127.0.0.1 {server} {{
        checkers good
    }}
}}
virtual_server 127.0.0.1 {other} {{
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 127.0.0.1 {server} {{
        checkers {names}
    }}
}}
"""
TIMING = "delay_loop 0.2\n    connect_timeout 0.5\n    warmup 0.1\n    connect_ip 127.0.0.1\n    connect_port {0}"


def written(folder: Path, ports: list[int], bodies: dict[str, str], kinds: tuple[str, ...]) -> str:
    """The plugins into a folder, and a configuration that uses each of them."""
    plugins = folder / "plugins"
    plugins.mkdir()
    for name, body in bodies.items():
        (plugins / f"{name.lower()}.py").write_text(HEAD + PLUGIN.format(name=name, body=body))
    vip, other, server = ports
    timing = TIMING.format(server)
    names = [f"{kind}_{name}" for kind in kinds for name in bodies]
    checkers = "\n".join(f"{name} bad_{name} {{\n    {timing}\n}}" for name in names)
    return CONF.format(
        folder=plugins,
        timing=timing,
        checkers=checkers,
        vip=vip,
        other=other,
        server=server,
        names=" ".join(f"bad_{name}" for name in names),
    )


def rows(daemon: Daemon) -> dict[str, dict[str, object]]:
    return {row["id"]: row for row in daemon.status()["checkers"]}


def is_served(daemon: Daemon, vip: int) -> bool:
    return any(row["in_pool"] for row in daemon.status()["servers"] if row["service"] == f"vs/127.0.0.1:{vip}:tcp")


def checker_processes(daemon: Daemon) -> int:
    """How many there are: the nursery's children of that name."""
    assert daemon.process is not None
    family = psutil.Process(daemon.process.pid).children(recursive=True)
    return sum(Path(f"/proc/{each.pid}/comm").read_text().startswith("us-checkers") for each in family)


def test_what_a_probe_throws_or_forks_is_a_crash_of_its_checker_alone(tmp_path: Path) -> None:
    ports = free_ports(3)
    conf = written(tmp_path, ports, MISCHIEF, ("RT", "TH"))
    with backends([ports[2]]), running(tmp_path, conf) as daemon:
        until(lambda: is_served(daemon, ports[0]))
        bad = [f"check/bad_{kind}_{name}" for kind in ("RT", "TH") for name in MISCHIEF if name != "DOUBLES"]
        until(lambda: all(rows(daemon)[id]["crashes"] for id in bad))
        said = daemon.logged()
        assert "a plugin must not fork" in said
        assert [word for word in ("SystemExit", "KeyboardInterrupt", "GreenletExit") if word not in said] == []
        assert is_served(daemon, ports[0])
        assert not is_served(daemon, ports[1])
        assert "process ended" not in said
        until(lambda: checker_processes(daemon) == 1)  # a double may be about to end
        assert daemon.stop() == 0


def test_a_process_that_a_plugin_ends_is_replaced_and_all_that_lived_there_go_on(tmp_path: Path) -> None:
    ports = free_ports(3)
    once = {name: f"{_once(tmp_path / name)}{body}" for name, body in ONCE.items()}
    with backends([ports[2]]), running(tmp_path, written(tmp_path, ports, once, ("RT",))) as daemon:
        until(lambda: is_served(daemon, ports[0]) and is_served(daemon, ports[1]), limit=20)
        assert all((tmp_path / name).exists() for name in ONCE)
        assert daemon.logged().count('"process ended"') >= 1
        assert checker_processes(daemon) == 1
        assert {row["verdict"] for row in rows(daemon).values()} == {"OK"}
        assert daemon.stop() == 0


def _once(mark: Path) -> str:
    return f"if os.path.exists({str(mark)!r}): return Passed()\n        open({str(mark)!r}, 'w').close()\n        "
