"""The control socket, served and asked for real on a path of the test's own."""

import contextlib
import json
import os
import select
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.socket import socket as GreenSocket

from actors.control import CLIENTS, AlreadyInUse, ControlServer, Request
from actors.control_client import LINE_LIMIT, Refused, Unreachable, ask, default_path


def why(request: Request) -> dict[str, Any]:
    if request["id"] != "check/web":
        raise LookupError(f"nobody is called {request['id']!r}")
    return {"id": "check/web", "lines": ["because"]}


def crash(request: Request) -> None:
    raise KeyError("a bug")


ASKS = {
    "why": why, "status": lambda request: {"version": 1}, "crash": crash, "much": lambda request: "x" * 10_000_000
}  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ControlServer]:
    with ControlServer(tmp_path / "folder" / "control.sock", ASKS, idle=0.2) as it:
        yield it


def aside(path: Path, request: dict[str, Any]) -> Any:
    """Ask from a thread, as another program would."""
    return gevent.get_hub().threadpool.apply(_outcome, (path, request))


def _outcome(path: Path, request: dict[str, Any]) -> Any:
    try:
        return ask(path, request)
    except (Refused, Unreachable) as error:
        return f"{type(error).__name__}: {error}"


def talk(path: Path, said: bytes) -> list[Any]:
    """Say it on one connection, and collect the replies until the server hangs up."""
    with GreenSocket(socket.AF_UNIX, socket.SOCK_STREAM) as line, gevent.Timeout(5):
        line.connect(os.fspath(path))
        line.sendall(said)
        with line.makefile("rb") as reader:
            return [json.loads(each) for each in reader]


def greet(listener: GreenSocket) -> None:
    """Speak another protocol, once."""
    with listener.accept()[0] as client:
        client.recv(1024)
        client.sendall(b"220 hello\r\n")


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        ({"ask": "status"}, {"version": 1}),
        ({"ask": "why", "id": "check/web"}, {"id": "check/web", "lines": ["because"]}),
        ({"ask": "why", "id": "x"}, "Refused: nobody is called 'x'"),
        ({"ask": "why"}, "Refused: the request needs 'id'"),
        ({"ask": "dance"}, "Refused: unknown request 'dance'; known: crash, much, status, why"),
        ({"ask": ["status"]}, "Refused: unknown request ['status']; known: crash, much, status, why"),
        ({}, "Refused: unknown request None; known: crash, much, status, why"),
        ({"ask": "crash"}, "Refused: the daemon failed to answer: see its log"),
    ],
)
def test_a_request_gets_its_reply_or_the_reason_why_not(
    server: ControlServer, request_: dict[str, Any], reply: Any
) -> None:
    assert aside(server.path, request_) == reply


def test_requests_on_one_connection_are_answered_in_order_bad_ones_too_until_it_idles(server: ControlServer) -> None:
    replies = talk(server.path, b'{"ask":"status"}\n{nonsense}\n[]\n\n{"ask":"status"}\n')
    assert replies == [
        {"version": 1},
        {"error": "JSON is malformed: object keys must be strings (byte 1)"},
        {"error": "Expected `object`, got `array`"},
        {"error": "Input data was truncated"},
        {"version": 1},
    ]


def test_an_endless_line_is_refused_and_the_connection_closed(server: ControlServer) -> None:
    assert talk(server.path, b"x" * (LINE_LIMIT + 1)) == [{"error": "a request has at most 65536 bytes"}]


def test_silent_clients_lock_nobody_out_and_the_one_silent_longest_gives_way(tmp_path: Path) -> None:
    with ControlServer(tmp_path / "control.sock", ASKS) as server, contextlib.ExitStack() as lines:
        silent = [lines.enter_context(GreenSocket(socket.AF_UNIX, socket.SOCK_STREAM)) for _ in range(3 * CLIENTS)]
        for line in silent:
            line.connect(os.fspath(server.path))
            gevent.sleep(0)
        assert aside(server.path, {"ask": "status"}) == {"version": 1}
        assert silent[0].recv(1) == b""
        silent[-1].sendall(b'{"ask":"status"}\n')
        assert silent[-1].recv(100) == b'{"version":1}\n'


def test_a_client_that_does_not_read_its_reply_is_hung_up_on(server: ControlServer) -> None:
    with GreenSocket(socket.AF_UNIX, socket.SOCK_STREAM) as line, gevent.Timeout(5):
        line.connect(os.fspath(server.path))
        line.sendall(b'{"ask":"much"}\n')
        gone = select.poll()
        gone.register(line, 0)
        while not gone.poll(0):
            gevent.sleep(0.01)


def test_only_its_user_can_open_the_socket_and_a_folder_that_it_makes(server: ControlServer) -> None:
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (server.path, server.path.parent)]
    assert modes == [0o600, 0o700]


def test_the_umask_is_left_as_it_was(tmp_path: Path) -> None:
    before = os.umask(0o25)
    with ControlServer(tmp_path / "control.sock", ASKS):
        after = os.umask(before)
    assert after == 0o25


def test_what_a_dead_program_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))
    assert aside(path, {"ask": "status"}) == f"Unreachable: understudyd is not running: nobody listens at {path}"
    with ControlServer(path, ASKS):
        assert aside(path, {"ask": "status"}) == {"version": 1}


def test_a_living_one_is_not_replaced_and_named_in_the_error(server: ControlServer) -> None:
    with pytest.raises(AlreadyInUse, match="another program is listening at .*control.sock: is understudyd running"):
        ControlServer(server.path, ASKS).start()
    assert aside(server.path, {"ask": "status"}) == {"version": 1}


def test_a_file_that_is_no_socket_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(FileExistsError, match="is not a socket"):
        ControlServer(path, ASKS).start()
    assert path.read_text() == "data"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_not_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    with pytest.raises(PermissionError, match="belongs to user 65534"):
        ControlServer(folder / "control.sock", ASKS).start()


def test_after_a_stop_nothing_is_left_and_the_asker_is_told(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with ControlServer(path, ASKS):
        pass
    said = aside(path, {"ask": "status"})
    assert not path.exists()
    assert said.startswith(f"Unreachable: understudyd is not running: there is no socket at {path}")


def test_what_does_not_speak_json_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "other.sock"
    with GreenSocket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(os.fspath(path))
        other.listen()
        gevent.spawn(greet, other)
        assert aside(path, {}) == f"Unreachable: what listens at {path} does not speak as understudyd does"


@pytest.mark.parametrize(
    ("uid", "runtime", "path"),
    [
        (0, "/run/user/0", "/run/understudy/control.sock"),
        (1000, "/run/user/1000", "/run/user/1000/understudy-control.sock"),
        (1000, "", "/tmp/understudy-1000/control.sock"),
    ],
)
def test_the_usual_path_depends_on_who_runs_it(
    monkeypatch: pytest.MonkeyPatch, uid: int, runtime: str, path: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    assert default_path() == Path(path)
