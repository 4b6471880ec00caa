"""Checkers of the simplest conversations, with answers that are cut off anywhere."""

import socket
from collections.abc import Callable

from plugins.agent import AgentCheck
from plugins.tcp import TcpCheck
from tests.plugins.peers import peer
from tests.system.services.cutting import judge_cuts


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
