"""REDIS_CHECK against Debian's Redis: one master, one replica of it."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from plugins.api import Failed, Passed
from plugins.redis import RedisCheck
from tests.plugins.certificates import certificate
from tests.system.lab import free_ports, until
from tests.system.services.cutting import judge_cuts
from tests.system.services.servers import accepts, asked, folder, found, server


class Ports(NamedTuple):
    """Of the master, its TLS, the replica, one that lost its master, and one where nobody listens."""

    master: int
    tls: int
    replica: int
    orphan: int
    none: int


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    with folder() as home:
        at = Ports(*free_ports(5))
        common = ["redis-server", "--dir", str(home), "--save", "", "--bind", "127.0.0.1", "--masterauth", "sesame"]
        login = ["--requirepass", "sesame", "--user", "watcher", "on", ">hush", "+ping", "+info", "+select"]
        tls = ["--tls-port", str(at.tls), "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem"]
        tls += ["--tls-ca-cert-file", "cert.pem", "--tls-auth-clients", "no"]
        fast = ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"]
        of_master = ["--port", str(at.replica), "--replicaof", "127.0.0.1", str(at.master)]
        of_nobody = ["--port", str(at.orphan), "--replicaof", "127.0.0.1", str(at.none)]
        with (
            server([*common, "--port", str(at.master), *login, *tls, *fast], home, lambda: accepts(at.master)),
            server([*common, *of_master], home, lambda: accepts(at.replica)),
            server([*common, *of_nobody], home, lambda: accepts(at.orphan)),
        ):
            until(lambda: found(RedisCheck, at.replica, role="replica") == Passed())
            yield at


REFUSED = "WRONGPASS invalid username-password pair or user is disabled."


@pytest.mark.parametrize(
    ("which", "options", "result"),
    [
        ("master", {"password": "sesame"}, Passed()),
        ("master", {"user": "watcher", "password": "hush", "database": 3}, Passed()),
        ("master", {"password": "sesame", "command": ("ECHO", "hello"), "expect": "hello"}, Passed()),
        ("master", {"password": "sesame", "role": "read-write", "max_lag": 1.0}, Passed()),
        ("tls", {"password": "sesame", "tls": True}, Passed()),
        ("tls", {"password": "sesame", "verify": True, "ca": certificate()[0]}, Passed()),
        ("replica", {}, Passed()),
        ("replica", {"role": "replica", "max_lag": 60.0}, Passed()),
        ("orphan", {}, Passed()),
        ("none", {}, Failed("connect: Connection refused")),
        ("master", {}, Failed("Authentication required.")),
        ("master", {"password": "wrong"}, Failed(REFUSED.removeprefix("WRONGPASS "))),
        ("master", {"password": "sesame", "database": 99}, Failed("DB index is out of range")),
        (
            "master",
            {"password": "sesame", "command": ("GET", "x"), "expect": "1"},
            Failed("the answer to GET is not '1'"),
        ),
        (
            "master",
            {"password": "sesame", "command": ("OH",)},
            Failed("unknown command 'OH', with args beginning with: "),
        ),
        ("master", {"password": "sesame", "role": "replica"}, Failed("not a replica")),
        ("tls", {"password": "sesame", "verify": True}, Failed("certificate not accepted: self-signed certificate")),
        ("replica", {"role": "read-write"}, Failed("not writable")),
        ("orphan", {"role": "replica"}, Failed("has lost its master")),
        ("orphan", {"max_lag": 5.0}, Failed("a replica whose lag is not known")),
    ],
)
def test_redis_is_judged_by_its_answer_and_its_role(which: str, options: dict, result: object, ports: Ports) -> None:
    assert asked(RedisCheck, getattr(ports, which), **options) == result


def test_cut_off_at_any_byte_it_fails_until_all_that_is_needed_has_come(ports: Ports) -> None:
    judge_cuts(RedisCheck, ports.master, password="sesame", role="read-write")
    judge_cuts(RedisCheck, ports.tls, 60, password="sesame", tls=True)
