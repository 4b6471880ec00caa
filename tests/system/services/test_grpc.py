"""GRPC_CHECK against grpcio's server and its health service."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from plugins.api import Failed, Passed
from plugins.grpc import GrpcCheck
from tests.plugins.certificates import certificate
from tests.system.lab import free_ports
from tests.system.services.cutting import judge_cuts
from tests.system.services.servers import accepts, asked, folder, server

GREETER = Path(__file__).with_name("greeter.py")


class Ports(NamedTuple):
    """In the clear, through TLS, of a server without the health service, and where nobody listens."""

    clear: int
    tls: int
    bare: int
    none: int


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    with folder() as home:
        at = Ports(*free_ports(4))
        command = [sys.executable, str(GREETER), *map(str, at[:3]), *certificate()]
        with server(command, home, lambda: accepts(at.tls) and accepts(at.bare), own_user=True):
            yield at


@pytest.mark.parametrize(
    ("which", "options", "result"),
    [
        ("clear", {}, Passed()),
        ("clear", {"service": "shop", "authority": "shop.example"}, Passed()),
        ("tls", {"tls": True}, Passed()),
        ("tls", {"verify": True, "ca": certificate()[0], "server_name": "localhost"}, Passed()),
        ("none", {}, Failed("connect: Connection refused")),
        ("clear", {"service": "bank"}, Failed("NOT_SERVING")),
        ("clear", {"service": "mill"}, Failed("UNKNOWN")),
        ("clear", {"service": "none"}, Failed("gRPC status NOT_FOUND")),
        ("bare", {}, Failed("gRPC status UNIMPLEMENTED")),
        ("clear", {"tls": True}, Failed("TLS: wrong version number")),
        ("tls", {"verify": True}, Failed("certificate not accepted: self-signed certificate")),
    ],
)
def test_a_grpc_server_is_judged_by_its_own_word(which: str, options: dict, result: object, ports: Ports) -> None:
    assert asked(GrpcCheck, getattr(ports, which), **options) == result


def test_cut_off_at_any_byte_it_fails_until_all_that_is_needed_has_come(ports: Ports) -> None:
    judge_cuts(GrpcCheck, ports.clear, loose=64)  # frames of its own come when they like
