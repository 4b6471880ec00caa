"""SMTP_CHECK against Debian's Exim: in the clear, through TLS from the start and by STARTTLS, and turned away."""

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from plugins.api import Failed, Passed
from plugins.smtp import SmtpCheck
from tests.plugins.certificates import certificate
from tests.system.lab import free_ports
from tests.system.services.cutting import judge_cuts
from tests.system.services.servers import accepts, asked, folder, own, server

CONF = """
primary_hostname = mail.example.com
daemon_smtp_ports = {plain} : {tls}
tls_on_connect_ports = {tls}
local_interfaces = 127.0.0.1
spool_directory = {home}/spool
log_file_path = {home}/%slog
pid_file_path = {home}/pid
exim_user = {user}
exim_group = {group}
never_users =
tls_certificate = {home}/cert.pem
tls_privatekey = {home}/key.pem
tls_advertise_hosts = *
smtp_banner = ${{if eq{{$received_port}}{{{plain}}}{{mail.example.com ready\\nfor you}}{{mail.example.com}}}}
acl_smtp_helo = helo
acl_smtp_rcpt = refuse
host_lookup =
rfc1413_hosts =
helo_accept_junk_hosts = *
begin acl
helo:
  deny message = not you
       condition = ${{if eq{{$sender_helo_name}}{{stranger.example.com}}}}
  accept
refuse:
  deny
begin routers
begin transports
begin retry
begin rewrite
begin authenticators
"""


class Ports(NamedTuple):
    """In the clear, through TLS from the start, and where nobody listens."""

    plain: int
    tls: int
    none: int


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    with folder() as home:
        at = Ports(*free_ports(3))
        (home / "spool").mkdir()
        text = CONF.format(home=home, user="nobody", group="nogroup", **at._asdict())
        (home / "exim.conf").write_text(text)
        own(home)
        os.chown(home / "exim.conf", 0, 0)  # root's, or Exim does not read it

        command = ["exim4", "-bdf", "-C", str(home / "exim.conf")]
        with server(command, home, lambda: accepts(at.tls), own_user=True):
            yield at


@pytest.mark.parametrize(
    ("port", "options", "result"),
    [
        ("plain", {}, Passed()),
        ("plain", {"helo_name": "check.example.com"}, Passed()),
        ("plain", {"starttls": True}, Passed()),
        ("plain", {"starttls": True, "verify": True, "ca": certificate()[0]}, Passed()),
        ("tls", {"tls": True}, Passed()),
        ("plain", {"helo_name": "stranger.example.com"}, Failed("HELO is answered by 550")),
        ("plain", {"starttls": True, "verify": True}, Failed("certificate not accepted: self-signed certificate")),
        ("none", {}, Failed("connect: Connection refused")),
    ],
)
def test_a_mail_server(ports: Ports, port: str, options: dict[str, Any], result: Any) -> None:
    assert asked(SmtpCheck, getattr(ports, port), **options) == result


def test_tls_where_none_is_spoken_is_a_failure_with_a_reason(ports: Ports) -> None:
    end = asked(SmtpCheck, ports.plain, tls=True)
    assert isinstance(end, Failed)
    assert end.detail.startswith("TLS: ")


def test_cut_off_at_any_byte_it_fails_until_all_that_is_needed_has_come(ports: Ports) -> None:
    judge_cuts(SmtpCheck, ports.plain, 30)
    judge_cuts(SmtpCheck, ports.plain, 25, starttls=True)
