"""A director between a client and servers: namespaces in the guest, all their sockets in this process."""

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator

from tests.kernel.inside.space import own_namespace, setting, within
from tests.system.netns import ip

VIP, MARKED = "10.1.0.100", 7
CLIENT, SERVERS = "client", "servers"
ADDRESSES = ("10.2.0.11", "10.2.0.12", "10.2.0.13")
PORT = 8080
PATIENCE = 20.0
"""Seconds that a socket waits: emulation is slow."""


class Server:
    """Accepts in the servers' namespace, says its address, and then echoes; ``drop`` closes the door, not the calls."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._door: socket.socket | None = None

    def open(self) -> None:
        """Accept from now on."""
        with within(SERVERS):
            self._door = socket.create_server((self.address, PORT), backlog=64)
        threading.Thread(target=self._accept, args=(self._door,), daemon=True).start()

    def drop(self) -> None:
        """Refuse from now on; connections that stand, stand."""
        if self._door is not None:
            self._door.shutdown(socket.SHUT_RDWR)  # wakes the one who accepts
            self._door.close()
            self._door = None

    def _accept(self, door: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._talk, args=(door.accept()[0],), daemon=True).start()

    def _talk(self, call: socket.socket) -> None:
        with call, contextlib.suppress(OSError):
            call.sendall(f"{self.address}\n".encode())
            while said := call.recv(4096):
                call.sendall(said)


class Call:
    """A client's connection; ``server`` is who answered."""

    def __init__(self, port: int, address: str = VIP) -> None:
        with within(CLIENT):
            self._socket = socket.socket()
        self._socket.settimeout(PATIENCE)
        self._socket.connect((address, port))
        self._file = self._socket.makefile("rb")
        self.server = self._file.readline().decode().strip()

    def echoes(self, word: str = "still here") -> bool:
        """Whether the connection carries data both ways."""
        self._socket.sendall(f"{word}\n".encode())
        return self._file.readline().decode().strip() == word

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


@contextlib.contextmanager
def street() -> Iterator[dict[str, Server]]:
    """A fresh director, this process in it, and open servers by address; all ends with the block."""
    own_namespace()
    setting("net/ipv4/ip_forward", 1)
    try:
        for name, net in ((CLIENT, "10.1.0"), (SERVERS, "10.2.0")):
            ip("netns", "add", name)
            ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("addr", "add", f"{net}.1/24", "dev", name)
            ip("link", "set", name, "up")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "eth0", "up")
        ip("addr", "add", f"{VIP}/24", "dev", CLIENT)
        for address in ("10.1.0.2", *ADDRESSES):
            name = SERVERS if address in ADDRESSES else CLIENT
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        ip("-n", SERVERS, "route", "add", "default", "via", "10.2.0.1")
        servers = {address: Server(address) for address in ADDRESSES}
        for server in servers.values():
            server.open()
        yield servers
        for server in servers.values():
            server.drop()
    finally:
        for name in (CLIENT, SERVERS):
            with contextlib.suppress(Exception):
                ip("netns", "del", name)


def answered(port: int, count: int) -> Counter[str]:
    """Who answers so many calls, made one after the other."""
    heard: Counter[str] = Counter()
    for _ in range(count):
        call = Call(port)
        heard[call.server] += 1
        call.close()
    return heard
