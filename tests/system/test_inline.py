"""A configuration as keepalived's users have it: all checks within their real_server, nothing of ours but the plane."""

from pathlib import Path

from tests.system.lab import Daemon, backends, free_ports, running, until

CONF = """
! Configuration File for keepalived
global_defs {{
    notification_email {{
        acassen@firewall.loc
    }}
    router_id LVS_DEVEL
    vrrp_skip_check_adv_addr
    enable_script_security
    dataplane userspace
}}

virtual_server 127.0.0.1 {front} {{
    delay_loop 0.2
    lb_algo rr
    lb_kind NAT
    persistence_timeout 1
    protocol TCP

    real_server 127.0.0.1 {first} {{
        weight 1
        TCP_CHECK {{
            connect_timeout 1
            retry 1
            delay_before_retry 0.1
        }}
        HTTP_GET {{
            url {{
                path /
                status_code 200
            }}
            connect_timeout 1
            nb_get_retry 1
            delay_before_retry 0.1
        }}
    }}
    real_server 127.0.0.1 {second} {{
        weight 1
        TCP_CHECK {{
            connect_timeout 1
            retry 1
            delay_before_retry 0.1
            {alpha}
        }}
    }}
}}
"""


def test_servers_are_up_at_once_leave_when_a_check_of_theirs_fails_and_come_back(tmp_path: Path) -> None:
    front, first, second = free_ports(3)
    conf = CONF.format(front=front, first=first, second=second, alpha="")
    with backends([first, second]) as servers, running(tmp_path, conf) as daemon:
        until(lambda: daemon.pool() == {first, second})
        servers[first].kill()
        until(lambda: daemon.pool() == {second})
        names = [f"{keyword}@127.0.0.1:{first}" for keyword in ("HTTP_GET", "TCP_CHECK")]
        expected = dict.fromkeys(names, "FAILED") | {f"TCP_CHECK@127.0.0.1:{second}": "OK"}
        until(lambda: verdicts(daemon) == expected)
        servers[first].start()
        until(lambda: daemon.pool() == {first, second})


def test_a_reload_keeps_what_stays_and_alpha_begins_outside(tmp_path: Path) -> None:
    front, first, second = free_ports(3)
    conf = CONF.format(front=front, first=first, second=second, alpha="")
    with backends([first]), running(tmp_path, conf) as daemon:
        until(lambda: daemon.pool() == {first})
        before = {row["id"]: row["runs"] for row in daemon.status()["checkers"]}
        daemon.conf.write_text(CONF.format(front=front, first=first, second=second, alpha="alpha"))
        daemon.reload()
        until(lambda: runs(daemon, f"check/HTTP_GET@127.0.0.1:{first}") > before[f"check/HTTP_GET@127.0.0.1:{first}"])
        assert daemon.pool() == {first}


def verdicts(daemon: Daemon) -> dict[str, str]:
    return {row["id"].removeprefix("check/"): row["verdict"] for row in daemon.status()["checkers"]}


def runs(daemon: Daemon, id: str) -> int:
    return next(int(row["runs"]) for row in daemon.status()["checkers"] if row["id"] == id)
