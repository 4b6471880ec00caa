"""AGENT_CHECK: HAProxy's words, and what is none of them."""

import socket
from functools import partial

import pytest

from plugins.agent import LONGEST, AgentCheck, understood
from plugins.api import Degraded, Failed, Passed, Result, Target, build, outcome
from tests.plugins.peers import peer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("up\n", Passed()),
        ("ready\n", Passed()),
        ("up ready 100%\r\n", Passed()),
        ("UP\n", Passed()),
        ("75%\n", Degraded(75)),
        ("ready, up, 30%\n", Degraded(30)),
        ("0%\n", Degraded(0)),
        ("150%\n", Passed()),
        ("drain\n", Degraded(0, "drain")),
        ("drain\t80%\n", Degraded(0, "drain")),
        ("up # all is well\n", Passed("all is well")),
        ("50% #busy\n", Degraded(50, "busy")),
        ("maint\n", Failed("the agent says maint")),
        ("down#disk full\n", Failed("the agent says down: disk full")),
        ("failed\n", Failed("the agent says failed")),
        ("fail\n", Failed("the agent says fail")),
        ("75% stopped\n", Failed("the agent says stopped")),
        ("drain down\n", Failed("the agent says down")),
        ("up\nmaint\n", Passed()),
        ("up", Passed()),
        ("", Failed("the agent said nothing")),
        ("\n", Failed("the agent said nothing")),
        ("# only a reason\n", Failed("the agent said nothing")),
        ("HTTP/1.1 400 Bad Request\r\n", Failed("the agent's answer is not understood: 'HTTP/1.1 400 Bad Request'")),
        ("-5%\n", Failed("the agent's answer is not understood: '-5%'")),
    ],
)
def test_what_an_answer_means(answer: str, expected: Result) -> None:
    try:
        seen: Result = understood(answer)
    except Failed as failed:
        seen = failed
    assert seen == expected


def test_the_limit_of_its_connections_is_a_figure() -> None:
    end = understood("up maxconn:30\n")
    assert (end, end.metrics) == (Passed(), {"maxconn": 30.0})


def agent(client: socket.socket, asked: bytes = b"", answer: bytes = b"") -> None:
    if asked:
        assert client.recv(64) == asked
    client.sendall(answer)


def test_it_asks_when_told_to_and_reads_one_line() -> None:
    plugin = build(AgentCheck, (("agent_send", "who\\n"),))
    with peer(partial(agent, asked=b"who\n", answer=b"20%\nrest")) as server:
        assert outcome(plugin, Target("127.0.0.1", server.port)) == Degraded(20)


def test_an_endless_word_is_cut_short() -> None:
    with peer(partial(agent, answer=b"x" * 10 * LONGEST)) as server:
        end = outcome(build(AgentCheck, ()), Target("127.0.0.1", server.port))
    assert end == Failed(f"the agent's answer is not understood: {'x' * 80!r}")
