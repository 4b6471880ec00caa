"""COMBINE in the running program: over a file and a process of this machine, for a pool and for a router at once."""

from pathlib import Path

from tests.system.lab import free_ports, running, until

CONF = """
global_defs {{
    dataplane userspace
}}
RT_FILE_CHECK first {{
    file {folder}/first
}}
TH_FILE_CHECK second {{
    file {folder}/second
}}
RT_FILE_CHECK closed {{
    file {folder}/closed
}}
RT_COMBINE open {{
    expression "(first OR second) AND NOT closed"
}}
virtual_server 127.0.0.1 {front} {{
    protocol TCP
    real_server 127.0.0.1 {back} {{
        weight 1
        checkers open
    }}
}}
vrrp_instance VI {{
    interface lo
    virtual_router_id 7
    priority 100
    version 3
    advert_int 0.05
    checkers open
    virtual_ipaddress {{
        127.0.7.7/32 dev lo
    }}
}}
"""


def test_a_pool_and_a_router_follow_an_expression_over_checkers(tmp_path: Path) -> None:
    front, back = free_ports(2)
    with running(tmp_path, CONF.format(folder=tmp_path, front=front, back=back), "--dry-run") as daemon:

        def seen() -> tuple[str, str, str]:
            status = daemon.status()
            (combined,) = (row for row in status["checkers"] if row["id"] == "check/open")
            return combined["verdict"], status["servers"][0]["verdict"], status["routers"][0]["role"]

        down, up = ("FAILED", "FAILED", "FAULT"), ("OK", "OK", "MASTER")
        until(lambda: seen() == down)
        for name, change, expected in (
            ("second", "touch", up),
            ("first", "touch", up),
            ("second", "unlink", up),
            ("closed", "touch", down),
            ("closed", "unlink", up),
            ("first", "unlink", down),
        ):
            getattr(tmp_path / name, change)()
            until(lambda expected=expected: seen() == expected)  # type: ignore[misc]
        told = daemon.ask(ask="why", id="check/open")
        assert "AND: FAILED" in str(told)
