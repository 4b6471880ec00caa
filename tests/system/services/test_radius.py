"""RADIUS_CHECK against Debian's FreeRADIUS."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from plugins.api import Failed, Passed
from plugins.radius import RadiusCheck
from tests.system.lab import free_ports
from tests.system.services.cutting import flipped, garbled, shortened
from tests.system.services.servers import asked, folder, found, own, server

SETTINGS = """
prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = {home}
run_dir = {home}
logdir = {home}
name = radius
log {{ destination = stdout }}
security {{ status_server = yes }}
client here {{
    ipaddr = 127.0.0.1
    secret = sesame
    require_message_authenticator = yes
}}
modules {{
    pap {{ }}
    files {{ usersfile = {home}/users }}
}}
server default {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {port}
    }}
    listen {{
        type = status
        ipaddr = 127.0.0.1
        port = {status}
    }}
    authorize {{
        files
        pap
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
    }}
}}
"""

USERS = 'watcher Cleartext-Password := "hush"\n'


class Ports(NamedTuple):
    """For users, for the status, and where nobody listens."""

    users: int
    status: int
    none: int


def configured(home: Path, at: Ports) -> None:
    """A folder of settings."""
    (home / "radiusd.conf").write_text(SETTINGS.format(home=home, port=at.users, status=at.status))
    (home / "users").write_text(USERS)
    (home / "dictionary").write_text("")
    own(home)


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    with folder() as home:
        at = Ports(*free_ports(3))
        configured(home, at)
        command = ["/usr/sbin/freeradius", "-f", "-d", str(home)]

        def is_up() -> bool:
            return found(RadiusCheck, at.status, 1.0, secret="sesame") == Passed()

        with server(command, home, is_up):
            yield at


KNOWN = {"secret": "sesame", "user": "watcher", "password": "hush"}
STRANGER = {"secret": "sesame", "user": "stranger", "password": "x"}


@pytest.mark.parametrize(
    ("which", "options", "result"),
    [
        ("status", {"secret": "sesame"}, Passed()),
        ("users", {"secret": "sesame"}, Passed()),
        ("users", KNOWN, Passed()),
        ("users", {**STRANGER, "expect": "reject"}, Passed()),
        ("users", {**STRANGER, "expect": "any"}, Passed()),
        ("none", KNOWN, Failed("Connection refused")),
        ("users", {**KNOWN, "password": "wrong"}, Failed("the answer for the user is reject")),
        ("users", {**KNOWN, "expect": "reject"}, Failed("the answer for the user is accept")),
    ],
)
def test_a_radius_server_is_judged_by_its_answer(which: str, options: dict, result: object, ports: Ports) -> None:
    assert asked(RadiusCheck, getattr(ports, which), **options) == result


def test_a_wrong_secret_is_not_answered(ports: Ports) -> None:
    silence = Failed("no answer; a wrong secret gets none either")
    assert asked(RadiusCheck, ports.users, 0.3, secret="wrong", user="watcher", password="hush") == silence


def test_no_answer_that_was_changed_underway_or_comes_from_elsewhere_is_taken(ports: Ports) -> None:
    login = {"secret": "sesame", "user": "watcher", "password": "hush"}
    seen: list[int] = []
    assert garbled(RadiusCheck, ports.users, [lambda answer: seen.append(len(answer)) or answer], **login) == [Passed()]
    ends = garbled(RadiusCheck, ports.users, [*shortened(seen[0]), *flipped(seen[0])], **login)
    assert [end for end in ends if not isinstance(end, Failed) or not end.detail] == []
    (end,) = garbled(RadiusCheck, ports.users, [bytes], elsewhere=True, **login)
    assert isinstance(end, Failed)
