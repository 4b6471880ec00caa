"""PGSQL_CHECK against Debian's PostgreSQL: a primary, and a standby that stops to replay."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from plugins.api import Degraded, Failed, Passed
from plugins.pgsql import PgsqlCheck
from tests.plugins.certificates import certificate
from tests.system.lab import free_ports, until
from tests.system.services.cutting import judge_cuts
from tests.system.services.servers import asked, folder, found, run, server

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))

SETTINGS = """
listen_addresses = '127.0.0.1'
fsync = off
shared_buffers = 4MB
ssl = on
ssl_cert_file = '{home}/cert.pem'
ssl_key_file = '{home}/key.pem'
unix_socket_directories = '{home}'
max_wal_senders = 3
"""

ACCESS = """
local all all trust
local replication all trust
host all md5user 127.0.0.1/32 md5
host all plain 127.0.0.1/32 password
hostssl all secret 127.0.0.1/32 scram-sha-256
host all secret 127.0.0.1/32 reject
host all all 127.0.0.1/32 scram-sha-256
"""

USERS = """
CREATE USER watcher PASSWORD 'sesame';
CREATE USER plain PASSWORD 'sesame';
CREATE USER secret PASSWORD 'sesame';
CREATE USER reader PASSWORD 'sesame';
ALTER USER reader SET default_transaction_read_only = on;
SET password_encryption = md5;
CREATE USER md5user PASSWORD 'sesame';
CREATE TABLE health (state text);
INSERT INTO health VALUES ('good'), ('bad');
GRANT SELECT ON health TO watcher;
"""


class Ports(NamedTuple):
    """Of the primary, the standby, and one where nobody listens; and where the primary's socket is."""

    primary: int
    standby: int
    none: int
    home: Path


def tool(name: str, *args: object) -> list[str]:
    return [str(PROGRAMS / name), *map(str, args)]


def sql(home: Path, port: int, statements: str) -> str:
    return run(tool("psql", "-X", "-q", "-t", "-h", home, "-p", port, "-U", "admin", "postgres"), home, statements)


def is_ready(port: int) -> bool:
    return (
        os.spawnv(os.P_WAIT, str(PROGRAMS / "pg_isready"), tool("pg_isready", "-q", "-h", "127.0.0.1", "-p", port)) == 0
    )


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    with folder() as home:
        at = Ports(*free_ports(3), home)
        run(
            tool(
                "initdb", "-D", home / "first", "-U", "admin", "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8"
            ),
            home,
        )
        with (home / "first/postgresql.conf").open("a") as settings:
            settings.write(SETTINGS.format(home=home))
        (home / "first/pg_hba.conf").write_text(ACCESS)
        with server(tool("postgres", "-D", home / "first", "-p", at.primary), home, lambda: is_ready(at.primary)):
            sql(home, at.primary, USERS)
            copy = ("-h", home, "-p", at.primary, "-U", "admin", "--no-sync", "-c", "fast", "-R", "-D", home / "second")
            run(tool("pg_basebackup", *copy), home)
            with server(tool("postgres", "-D", home / "second", "-p", at.standby), home, lambda: is_ready(at.standby)):
                yield at


def denied(user: str) -> Failed:
    return Failed(f'password authentication failed for user "{user}"')


HEALTH = {"database": "postgres", "query": "SELECT state FROM health"}


@pytest.mark.parametrize(
    ("which", "options", "result"),
    [
        ("primary", {}, Passed()),
        ("primary", {"user": "md5user"}, Passed()),
        ("primary", {"user": "plain"}, Passed()),
        ("primary", {**HEALTH, "expect": "good"}, Passed()),
        ("primary", {"query": "SELECT 1 = 1", "expect": "t"}, Passed()),
        ("primary", {"role": "read-write", "max_lag": 1.0}, Passed()),
        ("primary", {"max_lag": 1.0}, Passed()),
        ("primary", {"tls": True}, Passed()),
        ("primary", {"user": "secret", "verify": True, "ca": certificate()[0]}, Passed()),
        ("standby", {**HEALTH, "expect": "good"}, Passed()),
        ("standby", {"role": "replica"}, Passed()),
        ("standby", {"role": "replica", "max_lag": 60.0, "degraded_lag": 30.0}, Passed()),
        ("none", {}, Failed("connect: Connection refused")),
        ("primary", {"password": "wrong"}, denied("watcher")),
        ("primary", {"password": ""}, denied("watcher")),
        ("primary", {"user": "md5user", "password": "wrong"}, denied("md5user")),
        ("primary", {"user": "nobody"}, denied("nobody")),
        ("primary", {"database": "none"}, Failed('database "none" does not exist')),
        ("primary", {**HEALTH, "expect": "bad"}, Failed("the query does not give 'bad'")),
        ("primary", {"query": "SELECT 1 WHERE false", "expect": "1"}, Failed("the query does not give '1'")),
        ("primary", {"query": "SELECT nothing"}, Failed('column "nothing" does not exist')),
        ("primary", {"role": "replica"}, Failed("not a replica")),
        ("primary", {"user": "reader", "database": "postgres", "role": "read-write"}, Failed("not writable")),
        ("primary", {"verify": True}, Failed("certificate not accepted: self-signed certificate")),
        ("standby", {"role": "read-write"}, Failed("not writable")),
    ],
)
def test_postgresql_is_judged_by_its_answer_and_its_role(
    which: str, options: dict, result: object, ports: Ports
) -> None:
    login = {"user": "watcher", "password": "sesame", "database": "postgres"}
    assert asked(PgsqlCheck, getattr(ports, which), **login | options) == result


def test_a_standby_that_stops_to_replay_is_degraded_and_then_fails(ports: Ports) -> None:
    late = {"user": "watcher", "password": "sesame", "database": "postgres", "role": "replica"}
    sql(ports.home, ports.primary, "INSERT INTO health VALUES ('new');")
    until(lambda: sql(ports.home, ports.standby, "SELECT pg_last_xact_replay_timestamp();").strip())
    sql(ports.home, ports.standby, "SELECT pg_wal_replay_pause();")
    sql(ports.home, ports.primary, "INSERT INTO health VALUES ('newer');")
    degraded = Degraded(20, "more than 0.1 s behind")
    until(lambda: found(PgsqlCheck, ports.standby, **late, degraded_lag=0.1, degraded_weight=20) == degraded)
    assert asked(PgsqlCheck, ports.standby, **late, max_lag=0.1) == Failed("more than 0.1 s behind")
    sql(ports.home, ports.standby, "SELECT pg_wal_replay_resume();")
    until(lambda: found(PgsqlCheck, ports.standby, **late, max_lag=0.1) == Passed())


def test_cut_off_at_any_byte_it_fails_until_all_that_is_needed_has_come(ports: Ports) -> None:
    judge_cuts(PgsqlCheck, ports.primary, 60, user="watcher", password="sesame", database="postgres")
