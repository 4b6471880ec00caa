"""A session: the client that a plugin keeps from probe to probe, and when it is closed and made anew."""

import errno
from typing import Any

import pytest

from plugins.api import Degraded, Failed, Passed, Session, Target, build, checker, outcome
from tests.plugins.peers import no_leak, peer

STORY: list[str] = []


@pytest.fixture(autouse=True)
def story() -> list[str]:
    STORY.clear()
    return STORY


class Client:
    """Ends probes as it is told."""

    def __init__(self) -> None:
        STORY.append("setup")

    def answer(self, end: Any) -> Any:
        STORY.append("probe")
        if isinstance(end, BaseException) and not isinstance(end, Failed):
            raise end
        return end

    def close(self) -> None:
        STORY.append("closed itself")


ENDS: list[Any] = []


@checker("KEEPS")
class Keeps:
    """Has a client that can close itself."""

    def setup(self) -> Client:
        return Client()

    def probe(self, target: Target, client: Client) -> Any:
        return client.answer(ENDS.pop(0))


@checker("CLOSES")
class Closes(Keeps):
    """Closes its client in its own way."""

    def close(self, client: Client) -> None:
        STORY.append("closed")
        raise ConnectionResetError(errno.ECONNRESET, "gone already")


@checker("RAISING")
class Raising(Keeps):
    """Raises its failures."""

    def probe(self, target: Target, client: Client) -> Any:
        """As told, but for what is to be returned that can be raised."""
        end = super().probe(target, client)
        if isinstance(end, Failed):
            raise end
        return end


def play(cls: type, *ends: Any, timeout: float = 5.0) -> list[str]:
    """What happens to the client over probes that end as told, and at the end of the session."""
    session = Session(build(cls, ()))
    ENDS[:] = ends
    for _ in ends:
        try:
            session.probe(Target("10.0.0.1", 1, timeout))
        except BaseException as crash:
            STORY.append(type(crash).__name__)
    STORY.append("stop")
    session.close()
    session.close()
    return STORY


def test_a_client_is_kept_while_probes_return_and_closed_at_the_stop() -> None:
    told = play(Keeps, Passed(), Degraded(5), Failed("no"), Passed())
    assert told == ["setup", "probe", "probe", "probe", "probe", "stop", "closed itself"]


def test_a_plugin_may_close_it_in_its_own_way_and_what_is_gone_already_is_no_matter() -> None:
    assert play(Closes, Passed()) == ["setup", "probe", "stop", "closed"]


@pytest.mark.parametrize(
    ("end", "crash"),
    [
        (Failed("raised"), []),
        (ConnectionResetError(), []),
        (TimeoutError(), []),
        (KeyError("x"), ["KeyError"]),
        (KeyboardInterrupt(), ["KeyboardInterrupt"]),
        (None, ["TypeError"]),
    ],
)
def test_after_whatever_was_raised_it_is_closed_and_made_anew(end: Any, crash: list[str]) -> None:
    told = play(Raising, end, Passed())
    assert told == ["setup", "probe", "closed itself", *crash, "setup", "probe", "stop", "closed itself"]


def test_after_a_probe_that_took_too_long_it_is_made_anew() -> None:
    assert play(Keeps, Passed(), timeout=0.0) == ["setup", "probe", "closed itself", "stop"]


def test_a_session_that_never_probed_has_nothing_to_close() -> None:
    assert play(Keeps) == ["stop"]


@checker("UNFIT")
class Unfit:
    """Cannot even set up."""

    def setup(self) -> None:
        """Raises."""
        raise FileNotFoundError(2, "No such file or directory", "/ca")

    def probe(self, target: Target, client: None) -> Passed:
        """Never."""
        return Passed()


def test_a_setup_that_fails_is_a_probe_that_fails() -> None:
    assert outcome(build(Unfit, ()), Target("10.0.0.1", 1)) == Failed("No such file or directory: /ca")


class Line:
    """A connection that is made once."""

    sock: Any = None


@checker("TALKS")
class Talks:
    """Asks the same connection again and again."""

    def setup(self) -> Line:
        """Not connected yet."""
        return Line()

    def probe(self, target: Target, line: Line) -> Passed:
        """Connect, or go on."""
        line.sock = target.resume(line.sock) if line.sock else target.connect(keep=True)
        line.sock.sendall(b"ask\n")
        return Passed(line.sock.recv(64).decode())


def echo(client: Any) -> None:
    while data := client.recv(64):
        client.sendall(data)


def test_a_connection_to_keep_serves_many_probes_and_is_closed_without_a_word_of_the_plugin() -> None:
    with no_leak(), peer(echo) as server:
        session = Session(build(Talks, ()))
        assert [session.probe(Target("127.0.0.1", server.port)) for _ in range(3)] == [Passed("ask\n")] * 3
        assert len(server.clients) == 1
        session.close()


def test_one_probe_alone_closes_what_it_was_to_keep() -> None:
    with no_leak(), peer(echo) as server:
        assert outcome(build(Talks, ()), Target("127.0.0.1", server.port)) == Passed("ask\n")


@checker("CARELESS")
class Careless:
    """Keeps connections without a client to keep them for."""

    def probe(self, target: Target) -> Passed:
        """Connect."""
        target.connect(keep=True)
        return Passed()


def test_without_a_setup_nothing_is_kept() -> None:
    with no_leak(), peer() as server:
        session = Session(build(Careless, ()))
        session.probe(Target("127.0.0.1", server.port))
