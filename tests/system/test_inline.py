"""A configuration as keepalived's users have it: all checks within their real_server, nothing of ours but the plane."""

import subprocess
import tempfile
from pathlib import Path

import pytest

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


PROGRAMS = """
global_defs {{
    dataplane userspace
    script_user nobody
    enable_script_security
}}
virtual_server 127.0.0.1 {front} {{
    delay_loop 0.2
    protocol TCP
    real_server 127.0.0.1 {first} {{
        weight 1
        MISC_CHECK {{
            misc_path "/bin/cat {folder}/weight"
            misc_timeout 1
        }}
        MISC_CHECK {{
            misc_path "/bin/sh -c 'exit $(cat {folder}/weight)'"
            misc_dynamic
            user root
            warmup 0
        }}
    }}
}}
"""


@pytest.mark.parametrize("way", [(), ("--single-process",)])
def test_a_program_takes_a_server_out_and_sets_its_weight(tmp_path: Path, way: tuple[str, ...]) -> None:
    front, first = free_ports(2)
    with tempfile.TemporaryDirectory() as folder:  # one that others may reach, unlike pytest's own
        Path(folder).chmod(0o755)
        weight = Path(folder) / "weight"
        weight.write_text("9")
        conf = PROGRAMS.format(front=front, first=first, folder=folder)
        with running(tmp_path, conf, *way) as daemon:
            until(lambda: weights(daemon) == [(True, 7)])
            weight.write_text("1")
            until(lambda: weights(daemon) == [(False, 0)])
            weight.write_text("0")
            until(lambda: weights(daemon) == [(True, 1)])
            weight.chmod(0o600)  # it runs as nobody
            until(lambda: weights(daemon) == [(False, 0)])
            assert "Permission denied" in daemon.status()["servers"][0]["detail"]


def weights(daemon: Daemon) -> list[tuple[bool, int]]:
    return [(row["in_pool"], row["weight"]) for row in daemon.status()["servers"]]


def verdicts(daemon: Daemon) -> dict[str, str]:
    return {row["id"].removeprefix("check/"): row["verdict"] for row in daemon.status()["checkers"]}


def runs(daemon: Daemon, id: str) -> int:
    return next(int(row["runs"]) for row in daemon.status()["checkers"] if row["id"] == id)


LOCAL = """
global_defs {{
    dataplane userspace
}}
{kind}_FILE_CHECK open {{
    file {folder}/closed
    absent
    delay_loop 3600
}}
{kind}_PROCESS_CHECK helper {{
    process the-helper
    delay_loop 3600
}}
virtual_server 127.0.0.1 {front} {{
    protocol TCP
    real_server 127.0.0.1 {first} {{
        weight 1
        checkers open helper
    }}
}}
"""


@pytest.mark.parametrize("kind", ["RT", "TH"])
def test_what_happens_on_this_machine_is_seen_at_once(tmp_path: Path, kind: str) -> None:
    front, first = free_ports(2)
    (tmp_path / "the-helper").symlink_to("/bin/sleep")
    helper = subprocess.Popen([str(tmp_path / "the-helper"), "600"])
    conf = LOCAL.format(front=front, first=first, folder=tmp_path, kind=kind)
    try:
        with running(tmp_path, conf) as daemon:
            until(lambda: weights(daemon) == [(True, 1)])
            (tmp_path / "closed").touch()
            until(lambda: weights(daemon) == [(False, 0)])
            (tmp_path / "closed").unlink()
            until(lambda: weights(daemon) == [(True, 1)])
            helper.kill()
            until(lambda: weights(daemon) == [(False, 0)])
            assert "0 of 1 the-helper run" in daemon.status()["servers"][0]["detail"]
    finally:
        helper.kill()
        helper.wait()
