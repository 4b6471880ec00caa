"""docs/recipes.md: each recipe is taken from the page, loaded, and probes the real server, none, and one that errs."""

import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest

from loader import load_from
from loader.fields import Block
from loader.model import Checker, Config
from plugins import registry
from plugins.api import Degraded, Failed, Passed, Result, Target, build, describe, outcome
from tests.loader.house import Memory
from tests.plugins.certificates import certificate
from tests.plugins.peers import peer
from tests.plugins.test_hostile import in_greenlet, in_thread
from tests.system.lab import ROOT, free_ports
from tests.system.services import recipes_lab

PAGE = (ROOT / "docs" / "recipes.md").read_text()
RECIPES = re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PLUGINS = registry.shipped()
BLOCKS = {keyword: msgspec.convert(describe(cls), Block) for keyword, cls in PLUGINS.items()}
AROUND = "virtual_server 10.0.0.1 80 {{\nprotocol TCP\nreal_server 10.0.1.1 80 {{\ncheckers {}\n}}\n}}\n"

SERVED = ("imap", "imap_login", "imaps", "pop3", "ftp", "ftp_login", "ssh", "memcached", "memcached_stores", "mqtt")
"""By real servers here; databases and mail have tests of their own."""
PORTS = {"imap_login": "imap", "ftp_login": "ftp", "memcached_stores": "memcached"}
"""Where a recipe finds its server, when that is not the port of its own name."""

DOUBLES = {
    "amqp": (b"AMQP\0\0\x09\x01", b"\x01\0\0\0\0\x01\x0a\0\x0a\0\x0a\0\x09"),
    "clamd": (b"zPING\0", b"PONG\0"),
    "zookeeper": (b"ruok", b"imok"),
    "agent": (b"", b"75% up\n"),
}
"""Of servers that are too heavy for a test: what they wait for, and what they answer then."""

ERRING = {
    "imap": (b"* BYE too many users\r\n", "closed before '^\\\\* OK' came"),
    "imap_login": (b"* OK ready\r\na NO not you\r\n", "closed before '^a OK' came"),
    "pop3": (b"-ERR locked\r\n", "closed before '^\\\\+OK' came"),
    "ftp": (b"220-welcome\r\n421 Too many users.\r\n", "closed before '^220 ' came"),
    "ftp_login": (b"220 hello\r\n530 This FTP server is for others.\r\n", "closed before '^331 ' came"),
    "ssh": (b"Not allowed at this time\r\n", "closed before '^SSH-2\\\\.0-' came"),
    "memcached": (b"ERROR\r\n", "closed before '^VERSION [0-9]' came"),
    "memcached_stores": (b"SERVER_ERROR out of memory storing object\r\n", "closed before '^STORED' came"),
    "mqtt": (b"\x20\x02\0\x05", "closed before '^\\\\x20\\\\x02\\\\x00\\\\x00' came"),
    "amqp": (
        b"AMQP\0\0\x09\0",
        "closed before '^\\\\x01\\\\x00\\\\x00[\\\\x00-\\\\xff]{4}\\\\x00\\\\x0a\\\\x00\\\\x0a' came",
    ),
    "clamd": (b"UNKNOWN COMMAND\0", "closed before '^PONG' came"),
    "zookeeper": (b"ruok is not executed because it is not in the whitelist.\n", "closed before '^imok' came"),
    "agent": (b"down #no room\n", "the agent says down: no room"),
}
"""By recipe: what a server says that is up and not well, and what is made of it."""


def loaded(recipe: str) -> Config:
    """The configuration with a recipe and a server that follows the last checker in it. It has nothing to complain."""
    name = re.findall(r"^\w+ (\w+) \{$", recipe, re.MULTILINE)[-1]
    found = load_from(Memory({"lb.conf": recipe + AROUND.format(name)}), "lb.conf", lambda location: BLOCKS)
    assert (found.render(), found.config is None) == ("", False)
    assert found.config is not None
    return found.config


CHECKERS = {checker.name: checker for recipe in RECIPES for checker in loaded(recipe).checkers}


def asked(name: str, port: int, seconds: float = 10.0, **other: object) -> Result:
    """What a recipe's probe finds: the same in a greenlet as in a thread."""
    found = [probed(CHECKERS[name], port, way, seconds, other) for way in (in_greenlet, in_thread)]
    assert found[0] == found[1]
    return found[0]


def probed(checker: Checker, port: int, way: Callable[..., Any], seconds: float, other: dict[str, object]) -> Result:
    plugin = build(PLUGINS[checker.keyword], tuple((dict(checker.options) | other).items()))
    result: Result = way(lambda dial: outcome(plugin, Target("127.0.0.1", port, seconds, dial=dial)))
    return result


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """Where the real servers listen."""
    lab = recipes_lab
    with ExitStack() as stack:
        kinds = (lab.dovecot, lab.vsftpd, lab.memcached, lab.mosquitto, lab.sshd)
        yield {name: port for kind in kinds for name, port in stack.enter_context(kind()).items()}


def test_every_recipe_is_a_good_configuration() -> None:
    names = [checker.name for recipe in RECIPES for checker in loaded(recipe).checkers]
    assert len(set(names)) == len(names)
    assert {*SERVED, *DOUBLES} <= set(names)


def test_every_conversation_is_held_with_somebody() -> None:
    talks = {name for name, checker in CHECKERS.items() if checker.keyword in ("TCP_CHECK", "AGENT_CHECK")}
    assert talks - {*SERVED, *DOUBLES} == {"mail_pop3", "mail_imap"}  # the beginnings of others


@pytest.mark.parametrize("name", SERVED)
def test_a_real_server_passes(name: str, ports: dict[str, int]) -> None:
    other = {"ca": certificate()[0], "server_name": ""} if name == "imaps" else {}
    assert asked(name, ports[PORTS.get(name, name)], **other) == Passed()


@pytest.mark.parametrize("name", DOUBLES)
def test_what_a_server_is_documented_to_say_passes(name: str) -> None:
    waits, says = DOUBLES[name]

    def answer(client: socket.socket) -> None:
        assert client.recv(64) == waits if waits else True
        client.sendall(says)
        client.recv(64)

    with peer(answer) as server:
        assert asked(name, server.port) == (Degraded(75) if name == "agent" else Passed())


@pytest.mark.parametrize("name", [*SERVED, *DOUBLES])
def test_nobody_listening_is_a_refusal(name: str) -> None:
    assert asked(name, free_ports(1)[0]) == Failed("connect: Connection refused")


@pytest.mark.parametrize("name", ERRING)
def test_a_wrong_answer_is_a_failure_with_a_reason(name: str) -> None:
    says, reason = ERRING[name]

    def answer(client: socket.socket) -> None:
        client.sendall(says)
        client.shutdown(socket.SHUT_WR)
        while client.recv(1024):
            pass

    with peer(answer) as server:
        assert asked(name, server.port) == Failed(reason)


def test_a_recipe_can_be_tried_as_the_page_says(ports: dict[str, int]) -> None:
    (command,) = re.findall(r"`understudyctl (checker run .*)`", PAGE)
    words = shlex.split(command.replace("mail:110", f"127.0.0.1:{ports['pop3']}"))
    done = subprocess.run([sys.executable, "-m", "actors.ctl", *words], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_certificate_of_nobody_known_is_refused(ports: dict[str, int]) -> None:
    refused = asked("imaps", ports["imaps"])
    assert refused == Failed("certificate not accepted: self-signed certificate")


def test_a_wrong_password_is_a_failure_when_the_time_is_up(ports: dict[str, int]) -> None:
    steps = dict(CHECKERS["imap_login"].options)["step"]
    wrong = tuple(tuple((key, value.replace("sesame", "barley")) for key, value in step) for step in steps)
    assert wrong != steps
    assert asked("imap_login", ports["imap"], 0.5, step=wrong) == Failed("timed out")


def test_ftp_tells_a_stranger_that_is_not_welcome(ports: dict[str, int]) -> None:
    steps = dict(CHECKERS["ftp_login"].options)["step"]
    wrong = tuple(tuple((key, value.replace("watcher", "intruder")) for key, value in step) for step in steps)
    assert wrong != steps
    assert asked("ftp_login", ports["ftp"], 0.5, step=wrong) == Failed("timed out")


def test_mqtt_is_refused_to_a_stranger(ports: dict[str, int]) -> None:
    refused = asked("mqtt", ports["mqtt_closed"])
    assert refused == Failed(ERRING["mqtt"][1])
