"""`Sql`: what checkers of databases that speak SQL have in common."""

from collections.abc import Sequence

from plugins.api import Encryption, Failed, block, option
from plugins.services.replication import Replication


@block
class Sql(Replication, Encryption):
    """What such a checker inherits: the login, and a query with what it must give."""

    user: str = option(help="user to log in as")
    password: str = option("", help="password of that user", secret=True)
    database: str = option("", help="database to use")
    query: str = option("", help="statement to run, besides the login")
    expect: str = option("", help="what the first column of the query's first row must be")

    def judge(self, row: Sequence[object]) -> None:
        """Raise `Failed` if the query's first row, empty if there is none, does not begin as expected."""
        if self.expect and list(row[:1]) != [self.expect]:
            raise Failed(f"the query does not give {self.expect!r}")
