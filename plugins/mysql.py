"""MYSQL_CHECK: does MySQL or MariaDB let one in, answer, and is it the writable one?"""

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

SYNTAX_ERROR = 1064
CLIENTS_OWN = range(2000, 3000)
"""Numbers of errors that the client makes, not the server."""

_STATUS = ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS")  # now, and before MariaDB 10.5 and MySQL 8.0.22
_LAGS = ("Seconds_Behind_Source", "Seconds_Behind_Master")  # MySQL since 8.0.22, MariaDB


@checker("MYSQL_CHECK")
class MysqlCheck(Sql):
    """Healthy when MySQL or MariaDB accepts the login, answers the query, and has the role that is asked for."""

    user: str = option(help="user to log in as; a lag needs the right to see the replication's status")

    def probe(self, target: Target) -> Passed | Degraded:
        """Log in, ask, and look at the replication if that matters."""
        mysql = library("pymysql", "mysql")
        with conversation(target.connect(), "MySQL") as sock:
            try:
                client = self._client(mysql, sock, target.address)
                self._ask(mysql, client)
                result = self._replication(mysql, client) if self.wants_role else Passed()
                client.close()
                return result
            except mysql.MySQLError as error:
                if sock.error is None and _number(error) not in CLIENTS_OWN:
                    raise Failed(str(error.args[-1])) from None
                raise
            except RuntimeError as error:  # how it says what is missing for an authentication plugin
                raise Failed(str(error)) from None

    def _client(self, mysql: Any, sock: Lent, address: str) -> Any:
        client = mysql.Connection(
            host=address,
            user=self.user,
            password=self.password,
            database=self.database or None,
            ssl_disabled=True,
            defer_connect=True,
            conv=mysql.converters.encoders,  # no decoders: every value as its text
            auth_plugin_map={} if self.encryption() else {"mysql_clear_password": _Unsafe},
        )
        if tls := self.encryption():
            client.ssl = client._ssl_required = True
            client.ctx = Upgrade(tls, address)
        client.connect(sock)
        return client

    def _ask(self, mysql: Any, client: Any) -> None:
        if self.query:
            self.judge(list(_row(mysql, client, self.query).values()))

    def _replication(self, mysql: Any, client: Any) -> Passed | Degraded:
        writable = _row(mysql, client, "SELECT @@global.read_only AS read_only")["read_only"] == "0"
        status = _status(mysql, client) if self.wants_lag else {}
        lag = next((status[name] for name in _LAGS if status.get(name) is not None), None)
        if self.role == "replica" and status and lag is None:
            raise Failed("does not replicate")
        return self.judged(writable, bool(status), None if lag is None else float(lag))


class _Unsafe:
    """What takes the place of an authentication plugin that would send the password as it is."""

    def __init__(self, client: Any) -> None:
        pass

    def authenticate(self, packet: Any) -> None:
        """Refuse: anybody could pose as the server."""
        raise Failed("asks for the password in clear text: use `tls`")


def _status(mysql: Any, client: Any) -> dict[str, Any]:
    """Of a replica; nothing of others."""
    try:
        return _row(mysql, client, _STATUS[0])
    except mysql.MySQLError as error:
        if _number(error) != SYNTAX_ERROR:
            raise
        return _row(mysql, client, _STATUS[1])


def _row(mysql: Any, client: Any, query: str) -> dict[str, Any]:
    """The first row that there is, by column."""
    with client.cursor(mysql.cursors.DictCursor) as cursor:
        cursor.execute(query)
        return cursor.fetchone() or {}


def _number(error: Any) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else CLIENTS_OWN.start
