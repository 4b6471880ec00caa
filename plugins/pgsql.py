"""PGSQL_CHECK: does PostgreSQL let one in, answer, and is it the writable one?

`pg8000` speaks the protocol, since libpq would open connections of its own, which know nothing of `bindto`.
"""

import re
from functools import cache
from typing import Any

from plugins.api import (
    Degraded,
    Failed,
    Lent,
    Passed,
    Target,
    Upgrade,
    checker,
    conversation,
    library,
    option,
)
from plugins.services.sql import Sql

MOST_ITERATIONS = 100_000
"""Rounds of hashing that a server may ask for at the login: they let nothing else run. PostgreSQL asks for 4096."""

_SASL_CONTINUE = b"\0\0\0\x0b"
_ITERATIONS = re.compile(rb",i=(\d+)")

# A replica that has replayed all that it was sent is not behind, however long ago the last write was; but only while it
# is being sent something. One that has just got the first write for an hour seems an hour behind until it has replayed
# that: `fall` is for such things.
_STATE = """
SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'off', CASE
    WHEN NOT pg_is_in_recovery() THEN NULL
    WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0
    ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END
"""


@checker("PGSQL_CHECK")
class PgsqlCheck(Sql):
    """Healthy when PostgreSQL accepts the login, answers the query, and has the role that is asked for."""

    database: str = option("", help="database to use; that of the user's name when empty")

    def probe(self, target: Target) -> Passed | Degraded:
        """Log in, ask, and look at the replication if that matters."""
        pgsql = library("pg8000.native", "pgsql")
        with conversation(target.connect(), "PostgreSQL") as sock:
            try:
                client = self._client(sock, target.address)
                self._ask(client)
                result = self._replication(client) if self.wants_role else Passed()
                client.close()
                return result
            except pgsql.DatabaseError as error:
                raise Failed(_message(error)) from None
            except pgsql.InterfaceError as error:
                if sock.error is None:
                    raise Failed(str(error)) from None
                raise

    def _client(self, sock: Lent, address: str) -> Any:
        tls = self.encryption()
        client = _connection()(
            self.user,
            password=self.password,
            database=self.database or None,
            application_name="understudy",
            sock=sock,
            ssl_context=Upgrade(tls, address) if tls else False,
        )
        client.pg_types.clear()  # every value as its text
        return client

    def _ask(self, client: Any) -> None:
        if self.query:
            rows = client.run(self.query) or [[]]
            self.judge(rows[0])

    def _replication(self, client: Any) -> Passed | Degraded:
        replica, writable, lag = client.run(_STATE)[0]
        return self.judged(writable == "t", replica == "t", None if lag is None else max(float(lag), 0.0))


@cache
def _connection() -> Any:
    native = library("pg8000.native", "pgsql")

    class Connection(native.Connection):  # type: ignore[name-defined]
        """A login does not take as long as the server pleases."""

        def handle_AUTHENTICATION_REQUEST(self, data: bytes, context: Any) -> None:
            asked = _ITERATIONS.search(data) if data.startswith(_SASL_CONTINUE) else None
            if asked and (len(asked[1]) > 9 or int(asked[1]) > MOST_ITERATIONS):
                raise Failed(f"asks for more than {MOST_ITERATIONS} iterations at the login")
            super().handle_AUTHENTICATION_REQUEST(data, context)

    return Connection


def _message(error: Any) -> str:
    """What the server says, or else its code."""
    fields = error.args[0]
    return str(fields.get("M") or fields.get("C") or "refused without a word")
