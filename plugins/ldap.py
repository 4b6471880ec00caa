"""LDAP_CHECK: does the directory let one in, and find what is asked for?"""

from typing import Any

from plugins.api import Encryption, Failed, Lent, Passed, Target, Tls, checker, conversation, library, option

_START_TLS = "1.3.6.1.4.1.1466.20037"

_MOST = 8 * 1024
"""Bytes of all answers: the library keeps each message, and there may be one in every two bytes."""


@checker("LDAP_CHECK")
class LdapCheck(Encryption):
    """Healthy when an LDAP server accepts the bind, and the search finds something."""

    bind_dn: str = option("", help="whom to bind as; anonymous when empty", aliases=("user",))
    password: str = option("", help="password for a simple bind", secret=True)
    base: str = option("", help="where to search; nothing is searched when neither this nor a filter is given")
    filter: str = option("", help="what to find, (objectClass=*) when empty")
    scope: str = option("base", help="how deep to search", choices=("base", "one", "sub"))
    starttls: bool = option(False, help="begin in the clear, and go on through TLS")

    def probe(self, target: Target) -> Passed:
        """Bind, and search if there is something to search for."""
        ldap = library("ldap3", "ldap")
        errors = library("ldap3.core.exceptions", "ldap")
        tls = None if self.starttls else self.encryption()
        with conversation(target.connect(tls), "LDAP", _MOST) as sock:
            try:
                self._converse(ldap, sock, target)
            except (errors.LDAPInvalidFilterError, errors.LDAPPasswordIsMandatoryError) as error:
                raise Failed(str(error)) from None
        return Passed()

    def _converse(self, ldap: Any, sock: Lent, target: Target) -> None:
        client = self._client(ldap, sock, target)
        if self.starttls:
            self._start_tls(client, sock, target.address)
        _require(client.bind(read_server_info=False), "bind", client.result)
        if self.base or self.filter:
            self._search(ldap, client)
        client.unbind()

    def _client(self, ldap: Any, sock: Lent, target: Target) -> Any:
        server = ldap.Server(target.address, target.port, get_info=ldap.NONE)
        client = ldap.Connection(
            server,
            self.bind_dn or None,
            self.password or None,
            authentication=ldap.SIMPLE if self.bind_dn else ldap.ANONYMOUS,
            auto_referrals=False,
        )
        # As its strategy does when it has opened a connection of its own.
        client.socket, client.closed, client.listening = sock, False, True
        client.strategy._outstanding = {}
        return client

    def _start_tls(self, client: Any, sock: Lent, address: str) -> None:
        client.extended(_START_TLS)
        _require(client.result["result"] == 0, "StartTLS", client.result)
        sock.encrypt(self.encryption() or Tls(), address)

    def _search(self, ldap: Any, client: Any) -> None:
        scope = {"base": ldap.BASE, "one": ldap.LEVEL, "sub": ldap.SUBTREE}[self.scope]
        client.search(self.base, self.filter or "(objectClass=*)", scope, attributes=ldap.NO_ATTRIBUTES, size_limit=1)
        found = any(entry["type"] == "searchResEntry" for entry in client.response)
        # That there is more than one is told by an error, which is none to us.
        _require(found or client.result["result"] == 0, "search", client.result)
        if not found:
            raise Failed("the search finds nothing")


def _require(succeeded: bool, what: str, result: Any) -> None:
    if not succeeded:
        raise Failed(f"{what}: {result['description']}")
