"""REDIS_CHECK: does Redis answer, and is it the master? Valkey and KeyDB answer alike."""

from typing import Any

from plugins.api import Degraded, Encryption, Failed, Lent, Passed, Target, checker, conversation, library, option
from plugins.services.replication import Replication


@checker("REDIS_CHECK")
class RedisCheck(Replication, Encryption):
    """Healthy when Redis answers a command as expected, and has the role that is asked for."""

    user: str = option("", help="user of the access control list, instead of the default one")
    password: str = option("", help="sent with AUTH", secret=True)
    database: int = option(0, help="number of the database to select", min=0, max=65535)
    command: tuple[str, ...] = option(("PING",), help="what to ask for, a word for each argument")
    expect: str = option("", help="what the answer must be; when empty PONG to PING, and no error to others")

    def probe(self, target: Target) -> Passed | Degraded:
        """Log in, ask, and look at the replication if that matters."""
        redis = library("redis", "redis")
        refusals = (redis.ResponseError, redis.AuthenticationError, redis.BusyLoadingError)
        with conversation(target.connect(self.encryption()), "Redis") as sock:
            try:
                client = self._client(redis, sock)
                self._ask(client)
                return self._replication(client) if self.wants_role else Passed()
            except refusals as error:
                raise Failed(str(error)) from None

    def _client(self, redis: Any, sock: Lent) -> Any:
        login = {"username": self.user or None, "password": self.password or None, "db": self.database}
        client = redis.Connection(**login, protocol=2, driver_info=None)
        client._connect = lambda: sock  # the place where its own subclasses make theirs
        client.connect()
        return client

    def _ask(self, client: Any) -> None:
        client.send_command(*self.command)
        answer = _text(client.read_response())
        expected = self.expect or ("PONG" if self.command == ("PING",) else "")
        if expected and answer != expected:
            raise Failed(f"the answer to {self.command[0]} is not {expected!r}")

    def _replication(self, client: Any) -> Passed | Degraded:
        client.send_command("INFO", "replication")
        lines = _text(client.read_response()).splitlines()
        facts = dict(line.split(":", 1) for line in lines if ":" in line)
        is_master = facts["role"] == "master"
        follows = facts.get("master_link_status") == "up"
        if self.role == "replica" and not is_master and not follows:
            raise Failed("has lost its master")
        return self.judged(is_master, not is_master, float(facts["master_last_io_seconds_ago"]) if follows else None)


def _text(answer: Any) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)
