"""Checkers of the simplest conversations, with answers that are cut off anywhere, or changed."""

import socket
from collections.abc import Callable

from plugins.agent import AgentCheck
from plugins.api import Failed, Passed
from plugins.tcp import TcpCheck
from plugins.udp import UdpCheck
from tests.plugins.peers import datagrams, peer
from tests.system.services.cutting import flipped, garbled, judge_cuts, shortened


def talk(*words: bytes) -> Callable[[socket.socket], None]:
    """Says the first, and each other one in answer to something."""

    def script(client: socket.socket) -> None:
        client.sendall(words[0])
        for word in words[1:]:
            if not client.recv(4096):
                return
            client.sendall(word)

    return script


def test_a_conversation_cut_off_at_any_byte_fails_until_all_that_is_needed_has_come() -> None:
    with peer(talk(b"220-one\r\n220 two\r\n", b"221 bye\r\n")) as server:
        step = (("expect", "^220 "),)
        judge_cuts(TcpCheck, server.port, step=(step,), send=b"QUIT\\r\\n".decode(), expect="^221 bye")
    with peer(talk(b"ready up\n")) as server:
        judge_cuts(AgentCheck, server.port)


def test_a_datagram_that_is_not_what_is_required_or_comes_from_elsewhere_is_no_answer() -> None:
    required = {"require_reply": "A1B2C3D4", "min_reply_length": 4}
    with datagrams(lambda _: [bytes.fromhex("A1B2C3D4")]) as port:
        assert garbled(UdpCheck, port, [bytes], **required) == [Passed()]
        ends = garbled(UdpCheck, port, [*shortened(4), *flipped(4)], **required)
        ends += garbled(UdpCheck, port, [bytes], elsewhere=True, **required)
    assert [end for end in ends if not isinstance(end, Failed) or not end.detail] == []
