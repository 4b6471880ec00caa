"""The real servers of docs/recipes.md: Debian's Dovecot, vsftpd, memcached, mosquitto and OpenSSH."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.lab import free_ports
from tests.system.services.servers import accepts, folder, own, server

Ports = dict[str, int]
"""Where what listens."""

DOVECOT = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
protocols = imap pop3
listen = 127.0.0.1
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
first_valid_uid = 1
mail_location = maildir:{home}/mail
ssl_cert = <{home}/cert.pem
ssl_key = <{home}/key.pem
disable_plaintext_auth = no
auth_failure_delay = 0
passdb {{
  driver = static
  args = password=sesame
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={home}/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""

VSFTPD = """
listen=YES
background=NO
listen_address=127.0.0.1
listen_port={ftp}
run_as_launching_user=YES
anonymous_enable=YES
anon_root={home}/mail
ftp_username=nobody
banner_file={home}/banner
deny_email_enable=YES
banned_email_file={home}/banned
delay_failed_login=0
secure_chroot_dir={home}/mail
seccomp_sandbox=NO
"""

MOSQUITTO = """
per_listener_settings true
listener {mqtt} 127.0.0.1
allow_anonymous true
listener {mqtt_closed} 127.0.0.1
allow_anonymous false
"""

SSHD = """
ListenAddress 127.0.0.1
Port {ssh}
HostKey {home}/host_key
PidFile none
"""


@contextmanager
def dovecot() -> Iterator[Ports]:
    """IMAP, IMAP through TLS, and POP3, for a user ``watcher`` with the password ``sesame``."""
    with serving(DOVECOT, ["/usr/sbin/dovecot", "-F", "-c"], "imap", "imaps", "pop3") as ports:
        yield ports


@contextmanager
def vsftpd() -> Iterator[Ports]:
    """FTP for everybody but ``intruder@example.com``, with a greeting of two lines."""
    with home(VSFTPD, "ftp") as (at, conf, ports):
        (at / "banner").write_text("welcome\nto the files\n")
        (at / "banned").write_text("intruder@example.com\n")
        own(at)
        with server(["/usr/sbin/vsftpd", conf], at, up(ports)):
            yield ports


@contextmanager
def memcached() -> Iterator[Ports]:
    """A store in memory."""
    with home("", "memcached") as (at, _, ports):
        command = ["/usr/bin/memcached", "-l", "127.0.0.1", "-p", str(ports["memcached"]), "-U", "0"]
        with server(command, at, up(ports)):
            yield ports


@contextmanager
def mosquitto() -> Iterator[Ports]:
    """A broker for everybody, and a port of it where nobody may come without a password."""
    with serving(MOSQUITTO, ["/usr/sbin/mosquitto", "-c"], "mqtt", "mqtt_closed") as ports:
        yield ports


@contextmanager
def sshd() -> Iterator[Ports]:
    """A server that greets; it needs not be able to log anybody in."""
    with home(SSHD, "ssh") as (at, conf, ports):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(at / "host_key")], check=True)
        own(at)
        with server(["/usr/sbin/sshd", "-D", "-e", "-f", conf], at, up(ports)):
            yield ports


@contextmanager
def serving(text: str, command: list[str], *names: str) -> Iterator[Ports]:
    """A server whose ``command`` ends with the path of its configuration, on ports of these names."""
    with home(text, *names) as (at, conf, ports), server([*command, conf], at, up(ports)):
        yield ports


@contextmanager
def home(text: str, *names: str) -> Iterator[tuple[Path, str, Ports]]:
    """A folder of the servers' user with a configuration, its path, and a free port for each of these."""
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    with folder() as at:
        (at / "mail").mkdir()
        (at / "conf").write_text(text.format(home=at, **ports))
        own(at)
        yield at, str(at / "conf"), ports


def up(ports: Ports) -> Callable[[], bool]:
    """Tells whether all of them are listened on."""
    return lambda: all(map(accepts, ports.values()))
