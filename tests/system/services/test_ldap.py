"""LDAP_CHECK against Debian's slapd."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from plugins.api import Failed, Passed
from plugins.ldap import LdapCheck
from tests.plugins.certificates import certificate
from tests.system.lab import free_ports
from tests.system.services.cutting import judge_cuts
from tests.system.services.servers import accepts, asked, folder, own, run, server

SETTINGS = """
include /etc/ldap/schema/core.schema
pidfile {home}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile {home}/cert.pem
TLSCertificateKeyFile {home}/key.pem
database mdb
suffix dc=shop
directory {home}/data
dbnosync
access to dn.base=cn=hidden,dc=shop by users read by anonymous auth
access to * by * read
"""

ENTRIES = """
dn: dc=shop
objectClass: dcObject
objectClass: organization
dc: shop
o: Shop

dn: cn=watcher,dc=shop
objectClass: person
cn: watcher
sn: watcher
userPassword: sesame

dn: cn=hidden,dc=shop
objectClass: person
cn: hidden
sn: hidden
"""


class Ports(NamedTuple):
    """In the clear, of TLS, and where nobody listens."""

    clear: int
    tls: int
    none: int


def configured(home: Path) -> str:
    """The file of settings, with the entries in the database."""
    (home / "data").mkdir()
    (home / "conf").write_text(SETTINGS.format(home=home))
    own(home)
    run(["/usr/sbin/slapadd", "-q", "-f", str(home / "conf")], home, ENTRIES)
    return str(home / "conf")


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    with folder() as home:
        at = Ports(*free_ports(3))
        urls = f"ldap://127.0.0.1:{at.clear} ldaps://127.0.0.1:{at.tls}"
        with server(["/usr/sbin/slapd", "-f", configured(home), "-h", urls, "-d", "0"], home, lambda: accepts(at.tls)):
            yield at


LOGIN = {"bind_dn": "cn=watcher,dc=shop", "password": "sesame"}


@pytest.mark.parametrize(
    ("which", "options", "result"),
    [
        ("clear", {}, Passed()),
        ("clear", LOGIN, Passed()),
        ("clear", {"base": "dc=shop"}, Passed()),
        ("clear", {"base": "dc=shop", "scope": "sub"}, Passed()),
        ("clear", {"base": "dc=shop", "scope": "one", "filter": "(sn=watcher)"}, Passed()),
        ("clear", {**LOGIN, "base": "cn=hidden,dc=shop"}, Passed()),
        ("clear", {"starttls": True}, Passed()),
        ("clear", {**LOGIN, "starttls": True, "verify": True, "ca": certificate()[0]}, Passed()),
        ("tls", {**LOGIN, "verify": True, "ca": certificate()[0]}, Passed()),
        ("none", {}, Failed("connect: Connection refused")),
        ("clear", {**LOGIN, "password": "wrong"}, Failed("bind: invalidCredentials")),
        ("clear", {"bind_dn": "cn=watcher,dc=shop"}, Failed("password is mandatory in simple bind")),
        ("clear", {"bind_dn": "no name", "password": "x"}, Failed("bind: invalidDNSyntax")),
        ("clear", {"base": "dc=none"}, Failed("search: noSuchObject")),
        ("clear", {"base": "dc=shop", "filter": "(sn=x)"}, Failed("the search finds nothing")),
        ("clear", {"base": "cn=hidden,dc=shop"}, Failed("search: insufficientAccessRights")),
        ("clear", {"base": "dc=shop", "filter": "(("}, Failed("invalid filter")),
        ("clear", {"starttls": True, "verify": True}, Failed("certificate not accepted: self-signed certificate")),
        ("tls", {"verify": True}, Failed("certificate not accepted: self-signed certificate")),
    ],
)
def test_a_directory_is_judged_by_its_bind_and_what_it_finds(
    which: str, options: dict, result: object, ports: Ports
) -> None:
    assert asked(LdapCheck, getattr(ports, which), **options) == result


def test_cut_off_at_any_byte_it_fails_until_all_that_is_needed_has_come(ports: Ports) -> None:
    judge_cuts(LdapCheck, ports.clear)
