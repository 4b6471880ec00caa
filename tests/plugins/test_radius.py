"""RADIUS_CHECK: servers that lie, repeat, lose datagrams or say nothing."""

from collections.abc import Callable
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrad import packet
from pyrad.packet import AccessAccept, AccessChallenge, AccountingResponse, AuthPacket

from plugins.api import Failed, Passed, Result, Target, outcome
from plugins.radius import RadiusCheck, _proven
from tests.plugins.peers import datagrams, no_leak
from tests.plugins.test_hostile import in_greenlet, in_thread

Answer = Callable[[bytes], list[bytes]]


def reply(code: int, secret: bytes = b"sesame", shift: int = 0) -> Answer:
    """A server's answer of that ``code``, which proves to know ``secret``."""

    def answer(data: bytes) -> list[bytes]:
        made = AuthPacket(packet=data, secret=secret).CreateReply()
        made.code, made.id = code, (made.id + shift) % 256
        return [made.ReplyPacket()]

    return answer


def lossy(count: int) -> Answer:
    """Answers after ``count`` datagrams were lost."""
    seen: list[bytes] = []

    def answer(data: bytes) -> list[bytes]:
        seen.append(data)
        assert len(set(seen)) == 1, "what is sent again is the same"
        return reply(AccessAccept)(data) if len(seen) > count else []

    return answer


FORGED = "only answers that do not know the secret"


@pytest.mark.parametrize("run", [in_greenlet, in_thread])
@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (reply(AccessAccept), Passed()),
        (lambda data: [b"junk", b"", *reply(AccessAccept)(data)], Passed()),
        (lambda data: [*reply(AccessAccept, b"guess")(data), *reply(AccessAccept)(data)], Passed()),
        (reply(AccountingResponse), Failed("the answer is none to this question")),
        (reply(AccessChallenge), Failed("the answer for the user is challenge")),
        (reply(AccessAccept, b"guess"), Failed(FORGED)),
        (reply(AccessAccept, shift=1), Failed(FORGED)),
        (lambda data: [b"\2"], Failed(FORGED)),
        (lambda data: [data], Failed(FORGED)),
        (lambda data: [bytes(4096)] * 500, Failed(FORGED)),
        (lambda data: [reply(AccessAccept)(data)[0][:-1]], Failed(FORGED)),
        (lambda data: [], Failed("no answer; a wrong secret gets none either")),
    ],
)
def test_only_an_answer_that_knows_the_secret_counts(
    answer: Answer, result: Result, run: Callable[..., Result]
) -> None:
    plugin = RadiusCheck(secret="sesame", user="watcher", password="hush")
    began = monotonic()
    with no_leak(), datagrams(answer) as port:
        assert run(lambda dial: outcome(plugin, Target("127.0.0.1", port, 0.15, dial=dial))) == result
    assert monotonic() - began < 1.5


def test_a_request_is_sent_again_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugins.radius.RESEND", 0.05)
    plugin = RadiusCheck(secret="sesame")
    with datagrams(lossy(2)) as port:
        assert in_greenlet(lambda dial: outcome(plugin, Target("127.0.0.1", port, 5, dial=dial))) == Passed()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 255))
def test_no_datagram_makes_it_crash(body: bytes, code: int) -> None:
    request = AuthPacket(secret=b"sesame", message_authenticator=True)
    request.RequestPacket()
    header = bytes([code, request.id]) + (20 + len(body)).to_bytes(2, "big") + bytes(16)
    assert [_proven(packet, request, data) for data in (body, header + body, header + body + b"\0")] == [None] * 3
