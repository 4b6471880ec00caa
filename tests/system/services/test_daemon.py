"""The daemon itself with a checker that uses a client library: on the event loop, in a thread, and inside a server."""

from pathlib import Path
from typing import Any

from tests.plugins.peers import peer
from tests.plugins.test_hostile import silence
from tests.system.lab import free_ports, running, until
from tests.system.services.servers import accepts, folder, server

CONF = """
global_defs {{
    dataplane userspace
}}
RT_REDIS_CHECK writable {{
    delay_loop 0.2
    password sesame
    role read-write
}}
TH_REDIS_CHECK answering {{
    delay_loop 0.2
    password sesame
    command ECHO hello
    expect hello
}}
RT_PGSQL_CHECK silent {{
    connect_timeout 30
    user watcher
}}
virtual_server 127.0.0.1 {service} {{
    protocol TCP
    real_server 127.0.0.1 {redis} {{
        checkers writable answering
    }}
    real_server 127.0.0.1 {silent} {{
        checkers silent
    }}
}}
virtual_server 127.0.0.1 {other} {{
    protocol TCP
    delay_loop 0.2
    real_server 127.0.0.1 {redis} {{
        REDIS_CHECK {{
            password sesame
            retry 0
        }}
    }}
}}
"""


def pools(status: dict[str, Any]) -> list[set[int]]:
    """Ports of the servers in each service's pool."""
    rows = status["servers"]
    services = sorted({row["service"] for row in rows})
    return [{row["port"] for row in rows if row["service"] == name and row["in_pool"]} for name in services]


def test_a_pool_follows_redis_by_checkers_of_every_kind_while_another_server_is_silent(tmp_path: Path) -> None:
    service, other, redis = free_ports(3)
    command = f"redis-server --port {redis} --bind 127.0.0.1 --requirepass sesame".split()
    with folder() as home, peer(silence) as silent:
        conf = CONF.format(service=service, other=other, redis=redis, silent=silent.port)
        with running(tmp_path, conf) as daemon:
            with server([*command, "--dir", str(home)], home, lambda: accepts(redis)):
                until(lambda: pools(daemon.status()) == [{redis}, {redis}])
            until(lambda: pools(daemon.status()) == [set(), set()])
            assert daemon.stop() == 0
            assert "sesame" not in daemon.logged()
            assert "blocked" not in daemon.logged()
            assert "crash" not in daemon.logged()
