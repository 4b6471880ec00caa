"""Both dials under one contract, then what is particular to each."""

import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from time import monotonic

import gevent
import pytest

from actors.runtime.dial import CooperativeDial, NativeDial
from plugins.api import Source, Target, Tls, outcome
from plugins.api.source import ANY, Transport
from tests.plugins.certificates import server_context
from tests.plugins.peers import no_leak, peer

DIALS = [CooperativeDial, NativeDial]
UDP, UNIX = Transport.UDP, Transport.UNIX
HOST = "127.0.0.1"
gevent.get_hub().loop.timer(0)  # the hub's own descriptors are open before any are counted


def run(work):
    """What ``work`` gives, in a greenlet of its own."""
    return gevent.spawn(work).get()


def soon(seconds=1.0):
    return monotonic() + seconds


def echo(client):
    while data := client.recv(65536):
        client.sendall(data)


def mute(client):
    while client.recv(65536):
        pass


def receive_for_ever(sock):
    while True:
        sock.recv(10)


@pytest.fixture(params=DIALS)
def dial(request):
    return request.param()


def test_what_is_sent_comes_back(dial):
    with no_leak(), peer(echo) as server:

        def work():
            with dial.connect(HOST, server.port, soon()) as sock:
                sock.sendall(b"hello")
                buffer = bytearray(5)
                assert sock.recv_into(buffer) == 5
                return bytes(buffer), sock.getpeername(), sock.family

        assert run(work) == (b"hello", (HOST, server.port), socket.AF_INET)


def test_more_than_a_socket_holds_is_sent_whole(dial):
    size = 8 << 20
    counted = []

    def count(client):
        total = 0
        while total < size:
            total += len(client.recv(1 << 20))
        counted.append(total)

    with no_leak(), peer(count) as server:

        def work():
            with dial.connect(HOST, server.port, soon(5)) as sock:
                sock.sendall(memoryview(bytes(size)))
                return sock.recv(1)

        assert run(work) == b""
    assert counted == [size]


def test_ipv6_is_dialled_as_ipv4_is(dial):
    with no_leak(), peer(echo, socket.AF_INET6) as server:

        def work():
            with dial.connect("::1", server.port, soon()) as sock:
                return sock.getpeername()[:2]

        assert run(work) == ("::1", server.port)


def test_the_source_address_is_bound(dial):
    with no_leak(), peer(echo) as server:

        def work():
            with dial.connect(HOST, server.port, soon(), Source("127.0.0.9")) as sock:
                sock.sendall(b"x")
                sock.recv(1)
                return sock.getsockname()

        assert run(work) in server.clients
        assert server.clients[0][0] == "127.0.0.9"


def test_a_source_port_can_be_used_again_at_once(dial):
    with socket.create_server((HOST, 0)) as probe:
        port = probe.getsockname()[1]
    with no_leak(), peer(echo) as server:

        def work():
            with dial.connect(HOST, server.port, soon(), Source(bind_port=port)) as sock:
                sock.sendall(b"x")
                return sock.recv(1), sock.getsockname()

        assert [run(work) for _ in range(3)] == [(b"x", (HOST, port))] * 3


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ((HOST, 1), ConnectionRefusedError, "connect: Connection refused"),
        ((HOST, 1, "192.0.2.1"), OSError, "bind to 192.0.2.1:0: Cannot assign requested address"),
        (("localhost", 1), OSError, "illegal IP address string passed to inet_pton"),
        ((HOST, 1, "::1"), OSError, ""),
    ],
)
def test_a_connect_that_fails_says_why_and_closes(arguments, kind, text, dial):
    host, port, *bind = arguments

    def work():
        with pytest.raises(kind) as caught:
            dial.connect(host, port, soon(), Source(*bind))
        return caught.value.strerror or str(caught.value)

    with no_leak():
        assert text in run(work)


def test_a_datagram_socket_is_connected_and_hears_answers(dial):
    with no_leak(), socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind((HOST, 0))

        def work():
            with dial.connect(HOST, server.getsockname()[1], soon(), ANY, UDP) as sock:
                sock.send(b"ask")
                asked, client = server.recvfrom(9)
                server.sendto(b"answer", client)
                return asked, sock.recv(9), sock.type

        assert run(work) == (b"ask", b"answer", socket.SOCK_DGRAM)


def test_what_icmp_tells_of_a_datagram_is_an_error_of_the_next_call(dial):
    with socket.socket(type=socket.SOCK_DGRAM) as closed:
        closed.bind((HOST, 0))
        port = closed.getsockname()[1]

    def work():
        with dial.connect(HOST, port, soon(), ANY, UDP) as sock:
            sock.send(b"ask")
            with pytest.raises(ConnectionRefusedError):
                sock.recv(9)

    with no_leak():
        run(work)


def test_datagrams_that_nobody_answers_end_at_the_deadline(dial):
    with no_leak(), socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind((HOST, 0))

        def work():
            sock = dial.connect(HOST, server.getsockname()[1], soon(0.05), ANY, UDP)
            with sock, pytest.raises(TimeoutError, match="timed out"):
                sock.recv(9)

        run(work)


@contextmanager
def unix_listener(address, backlog=5):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(backlog)
        yield listener


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_a_unix_socket_is_dialled_by_its_path(dial, abstract, tmp_path):
    name = f"understudy-{dial.__class__.__name__}" if abstract else str(tmp_path / "door")
    with no_leak(), unix_listener(f"\0{name}" if abstract else name) as listener:

        def work():
            with dial.connect(f"@{name}" if abstract else name, 0, soon(), Source("192.0.2.1", 7), UNIX) as sock:
                listener.accept()[0].sendall(b"x")
                return sock.recv(9)

        assert run(work) == b"x"


def test_a_unix_socket_that_is_not_there_says_so(dial, tmp_path):
    def work():
        with pytest.raises(FileNotFoundError, match="connect: No such file or directory"):
            dial.connect(str(tmp_path / "none"), 0, soon(), ANY, UNIX)

    with no_leak():
        run(work)


def test_a_unix_listener_that_accepts_nobody_is_waited_for_until_the_deadline(dial, tmp_path):
    door = str(tmp_path / "door")

    def work():
        first = dial.connect(door, 0, soon(), ANY, UNIX)
        with first, pytest.raises(TimeoutError, match=r"^connect timed out$"):
            dial.connect(door, 0, soon(0.1), ANY, UNIX)

    with no_leak(), unix_listener(door, backlog=0):
        began = monotonic()
        run(work)
        assert 0.1 <= monotonic() - began < 0.5


@pytest.mark.parametrize("host", [HOST, "::1"])
@pytest.mark.parametrize("transport", [Transport.TCP, UDP])
def test_packets_leave_as_they_are_told(dial, transport, host):
    six = ":" in host
    with no_leak(), peer(echo, socket.AF_INET6 if six else socket.AF_INET) as server:

        def work():
            source = Source(fwmark=0xF0000001, tos=0x48, interface="lo")
            with dial.connect(host, server.port, soon(), source, transport) as sock:
                level, name = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS) if six else (socket.IPPROTO_IP, socket.IP_TOS)
                return (
                    sock.getsockopt(socket.SOL_SOCKET, socket.SO_MARK) & 0xFFFFFFFF,
                    sock.getsockopt(level, name),
                    sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16),
                )

        assert run(work) == (0xF0000001, 0x48, b"lo\0")


def test_an_interface_that_is_not_there_is_named(dial):
    def work():
        with pytest.raises(OSError, match="interface nowhere0: No such device"):
            dial.connect(HOST, 1, soon(), Source(interface="nowhere0"))

    with no_leak():
        run(work)


def test_a_connection_that_was_kept_is_good_for_another_deadline(dial):
    def work():
        with dial.connect(HOST, server.port, soon(0.02)) as sock:
            with pytest.raises(TimeoutError):
                sock.recv(1)
            sock.renew(soon())
            sock.sendall(b"x")
            return sock.recv(1)

    with no_leak(), peer(echo) as server:
        assert run(work) == b"x"


def unanswered():
    """A listener whose queue is full: further connects get no answer."""
    listener = socket.create_server((HOST, 0), backlog=0)
    fillers = []
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    return listener, fillers


def test_a_connect_without_answer_ends_at_the_deadline(dial):
    listener, fillers = unanswered()

    def work():
        with pytest.raises(TimeoutError, match=r"^connect timed out$"):
            dial.connect(HOST, listener.getsockname()[1], soon(0.1))

    began = monotonic()
    with no_leak():
        run(work)
    assert 0.1 <= monotonic() - began < 0.5
    for sock in (listener, *fillers):
        sock.close()


def test_one_deadline_is_over_all_that_is_done(dial):
    def chatter(client):
        over = threading.Event()
        while not over.wait(0.01):
            client.sendall(b"x")

    def work():
        with dial.connect(HOST, server.port, soon(0.15)) as sock, pytest.raises(TimeoutError, match="timed out"):
            receive_for_ever(sock)

    began = monotonic()
    with no_leak(), peer(chatter) as server:
        run(work)
    assert 0.15 <= monotonic() - began < 0.6


def test_a_peer_that_never_stops_sending_keeps_to_the_deadline_too(dial):
    def flood(client):
        while True:
            client.sendall(bytes(1 << 20))

    def work():
        with dial.connect(HOST, server.port, soon(0.1)) as sock, pytest.raises(TimeoutError):
            receive_for_ever(sock)

    began = monotonic()
    with no_leak(), peer(flood) as server:
        run(work)
    assert monotonic() - began < 0.6


def test_a_call_may_have_a_limit_of_its_own(dial):
    def work():
        with dial.connect(HOST, server.port, soon()) as sock:
            sock.settimeout(0.05)
            with pytest.raises(TimeoutError):
                sock.recv(1)
            limit = sock.gettimeout()
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.recv(1)
            blocking = sock.getblocking()
            sock.settimeout(None)
            sock.sendall(b"x")
            return limit, blocking, sock.recv(1)

    with no_leak(), peer(echo) as server:
        assert run(work) == (0.05, False, b"x")


def test_a_file_made_of_a_socket_outlives_it(dial):
    def work():
        sock = dial.connect(HOST, server.port, soon())
        with sock, sock.makefile("rwb") as file:
            sock.close()
            file.write(b"one\ntwo\n")
            file.flush()
            return file.readline(), file.readline()

    with no_leak(), peer(echo) as server:
        assert run(work) == (b"one\n", b"two\n")


def test_what_makes_no_sense_is_refused_in_words(dial):
    def work():
        with dial.connect(HOST, server.port, soon()) as sock:
            for refused in (sock.dup, sock.accept):
                with pytest.raises(OSError, match="a probe's socket"):
                    refused()
            with pytest.raises(ValueError, match="not negative"):
                sock.settimeout(-1)

    with no_leak(), peer(mute) as server:
        run(work)


def test_tls_is_the_same_over_both(dial):
    def work():
        target = Target(HOST, server.port, 2, dial=dial)
        with target.connect(tls=Tls("localhost")) as sock, sock.makefile("rwb") as file:
            sock.settimeout(0.5)
            file.write(b"line\n" * 10_000)
            file.flush()
            sock.sendall(b"end\n")
            lines = [file.readline() for _ in range(10_001)]
            return lines[0], lines[-1], sock.version(), sock.getpeername(), hasattr(sock, "listen")

    with no_leak(), peer(echo, context=server_context()) as server:
        assert run(work) == (b"line\n", b"end\n", "TLSv1.3", (HOST, server.port), False)


class DeadlinePassed(BaseException):
    """As the runtime throws into a probe that is too late."""


def loop_watchers():
    return gevent.get_hub().loop.activecnt


class Endless:
    """A probe that waits for ever, for TLS's handshake or, without ``tls``, for a byte."""

    def __init__(self, tls=None):
        self.tls = tls

    def probe(self, target):
        with target.connect(self.tls) as sock:
            sock.recv(1)


def begin(plugin, target):
    """Begin a probe in a greenlet, and let it get to where it waits."""
    greenlet = gevent.spawn(outcome, plugin, target)
    for _ in range(100):
        gevent.idle()
    return greenlet


@pytest.mark.parametrize("tls", [None, Tls()], ids=["receiving", "handshaking"])
def test_what_is_thrown_into_a_probe_leaves_no_socket_and_no_watcher(tls):
    dial = CooperativeDial()
    watchers = loop_watchers()
    with no_leak(), peer(mute) as server:
        greenlet = begin(Endless(tls), Target(HOST, server.port, 5, dial=dial))
        assert loop_watchers() == watchers + 2
        greenlet.kill(DeadlinePassed)
        assert isinstance(greenlet.exception, DeadlinePassed)
        assert loop_watchers() == watchers


def test_what_is_thrown_into_a_connect_leaves_no_socket_and_no_watcher():
    listener, fillers = unanswered()
    watchers = loop_watchers()
    with no_leak():
        greenlet = begin(Endless(), Target(HOST, listener.getsockname()[1], 5, dial=CooperativeDial()))
        assert loop_watchers() == watchers + 2
        greenlet.kill(DeadlinePassed)
        assert isinstance(greenlet.exception, DeadlinePassed)
        assert loop_watchers() == watchers
    for sock in (listener, *fillers):
        sock.close()


def test_two_greenlets_cannot_wait_for_one_socket():
    def work():
        with dial.connect(HOST, server.port, soon()) as sock:
            first = gevent.spawn(sock.recv, 1)
            gevent.sleep(0)
            with pytest.raises(RuntimeError, match="another greenlet waits"):
                sock.recv(1)
            sock.sendall(b"x")
            return first.get()

    dial = CooperativeDial()
    with no_leak(), peer(echo) as server:
        assert run(work) == b"x"


def test_after_a_stall_what_has_arrived_is_believed_before_the_timer():
    def stall():
        end = monotonic() + 0.2
        while monotonic() < end:
            pass

    def work():
        with dial.connect(HOST, server.port, soon(0.1)) as sock:
            gevent.get_hub().loop.run_callback(stall)
            return sock.recv(1)

    dial = CooperativeDial()
    with no_leak(), peer(lambda client: client.sendall(b"x")) as server:
        assert run(work) == b"x"


NATIVE_UNDER_PATCH = """
from gevent import monkey
monkey.patch_all()
from time import monotonic
from gevent import get_hub
from gevent._hub_local import get_hub_if_exists
from actors.runtime.dial import NativeDial
from plugins.api import Target, Tls, outcome
start = monkey.get_original("_thread", "start_new_thread")
queue = monkey.get_original("queue", "SimpleQueue")()
def probe():
    try:
        with Target("127.0.0.1", PORT, 2, dial=NativeDial()).connect(Tls()) as sock:
            sock.sendall(b"native")
            queue.put((sock.recv(6), get_hub_if_exists()))
    except BaseException as error:
        queue.put(error)
start(probe, ())
print(queue.get())
"""


def test_under_a_patched_standard_library_the_native_dial_touches_no_hub():
    with peer(echo, context=server_context()) as server:
        program = NATIVE_UNDER_PATCH.replace("PORT", str(server.port))
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=10)
    assert (done.stdout, done.stderr) == ("(b'native', None)\n", "")
