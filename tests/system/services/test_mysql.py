"""MYSQL_CHECK against Debian's MariaDB: a primary, and a replica of it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from plugins.api import Failed, Passed
from plugins.mysql import MysqlCheck
from tests.plugins.certificates import certificate
from tests.system.lab import free_ports, until
from tests.system.services.cutting import judge_cuts
from tests.system.services.servers import accepts, asked, folder, found, own, run, server

USERS = """
CREATE USER watcher@'%' IDENTIFIED BY 'sesame';
GRANT SLAVE MONITOR ON *.* TO watcher@'%';
CREATE USER simple@'%' IDENTIFIED BY 'sesame';
CREATE USER copier@'%' IDENTIFIED BY 'sesame';
GRANT REPLICATION SLAVE ON *.* TO copier@'%';
CREATE USER secret@'%' IDENTIFIED BY 'sesame' REQUIRE SSL;
CREATE DATABASE shop;
GRANT SELECT ON shop.* TO watcher@'%';
USE shop;
CREATE TABLE health (state VARCHAR(9));
INSERT INTO health VALUES ('good'), ('bad');
"""


class Ports(NamedTuple):
    """Of the primary, the replica, and one where nobody listens; and the folder of their files."""

    primary: int
    replica: int
    none: int
    home: Path


def daemon(data: Path, port: int, number: int) -> list[str]:
    options = f"--datadir={data} --port={port} --socket={data}/s --pid-file={data}/p --server-id={number}"
    options += " --bind-address=127.0.0.1 --skip-name-resolve --log-bin=b --innodb-flush-log-at-trx-commit=0"
    options += " --innodb-buffer-pool-size=8M --innodb-log-file-size=4M --lc-messages-dir=/usr/share/mysql"
    return [
        "mariadbd",
        "--no-defaults",
        *options.split(),
        f"--ssl-cert={data.parent}/cert.pem",
        f"--ssl-key={data.parent}/key.pem",
    ]


def sql(data: Path, statements: str) -> None:
    run(["mariadb", "--no-defaults", f"--socket={data}/s", "--user=root"], data, statements)


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    with folder() as home:
        at = Ports(*free_ports(3), home)
        first, second = home / "first", home / "second"
        install = "mariadb-install-db --no-defaults --skip-test-db --skip-name-resolve --innodb-log-file-size=4M"
        run([*install.split(), "--auth-root-authentication-method=normal", f"--datadir={first}"], home)
        shutil.copytree(first, second)
        own(second)
        with (
            server(daemon(first, at.primary, 1), home, lambda: accepts(at.primary)),
            server([*daemon(second, at.replica, 2), "--read-only"], home, lambda: accepts(at.replica)),
        ):
            source = (
                f"MASTER_HOST='127.0.0.1', MASTER_PORT={at.primary}, MASTER_USER='copier', MASTER_PASSWORD='sesame'"
            )
            sql(first, USERS)
            sql(second, f"CHANGE MASTER TO {source}, MASTER_LOG_FILE='b.000001', MASTER_LOG_POS=4; START SLAVE;")
            until(lambda: found(MysqlCheck, at.replica, user="watcher", password="sesame", max_lag=60.0) == Passed())
            yield at


def denied(user: str, using: str) -> Failed:
    return Failed(f"Access denied for user '{user}'@'127.0.0.1' (using password: {using})")


ASKS = {"database": "shop", "query": "SELECT state FROM health"}
CLOSED = "Access denied; you need (at least one of) the SUPER, SLAVE MONITOR privilege(s) for this operation"


@pytest.mark.parametrize(
    ("which", "options", "result"),
    [
        ("primary", {}, Passed()),
        ("primary", {"user": "simple", "role": "read-write"}, Passed()),
        ("primary", {**ASKS, "expect": "good"}, Passed()),
        ("primary", {"role": "read-write", "max_lag": 1.0}, Passed()),
        ("primary", {"max_lag": 1.0}, Passed()),
        ("primary", {"tls": True}, Passed()),
        ("primary", {"verify": True, "ca": certificate()[0], "user": "secret"}, Passed()),
        ("replica", {"role": "replica", "max_lag": 60.0}, Passed()),
        ("none", {}, Failed("connect: Connection refused")),
        ("primary", {"password": "wrong"}, denied("watcher", "YES")),
        ("primary", {"password": ""}, denied("watcher", "NO")),
        ("primary", {"user": "secret"}, denied("secret", "YES")),
        ("primary", {"database": "none"}, Failed("Access denied for user 'watcher'@'%' to database 'none'")),
        ("primary", {**ASKS, "expect": "bad"}, Failed("the query does not give 'bad'")),
        ("primary", {"query": "SELECT 1 WHERE 0", "expect": "1"}, Failed("the query does not give '1'")),
        ("primary", {"role": "replica"}, Failed("not a replica")),
        ("primary", {"verify": True}, Failed("certificate not accepted: self-signed certificate")),
        ("replica", {"role": "read-write"}, Failed("not writable")),
        ("replica", {"user": "simple", "role": "replica"}, Failed(CLOSED)),
    ],
)
def test_mysql_is_judged_by_its_answer_and_its_role(which: str, options: dict, result: object, ports: Ports) -> None:
    login = {"user": "watcher", "password": "sesame"}
    assert asked(MysqlCheck, getattr(ports, which), **login | options) == result


def test_a_replica_that_stops_to_replicate_fails(ports: Ports) -> None:
    replica = {"user": "watcher", "password": "sesame", "role": "replica"}
    sql(ports.home / "second", "STOP SLAVE SQL_THREAD;")
    assert asked(MysqlCheck, ports.replica, **replica) == Failed("does not replicate")
    assert asked(MysqlCheck, ports.replica, user="watcher", password="sesame", max_lag=9.0) == Failed(
        "a replica whose lag is not known"
    )


def test_cut_off_at_any_byte_it_fails_until_all_that_is_needed_has_come(ports: Ports) -> None:
    judge_cuts(MysqlCheck, ports.primary, user="watcher", password="sesame")
