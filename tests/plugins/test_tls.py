"""TLS: contexts are shared, and every end of a conversation is told apart."""

import os
import shutil

import pytest

from plugins.api import Target, Tls
from plugins.api.tls import context_of
from tests.plugins.certificates import certificate, server_context
from tests.plugins.peers import no_leak, peer


def test_one_context_serves_all_that_differ_in_the_server_name_only():
    files = {"ca": certificate()[0], "certificate": certificate()[0], "key": certificate()[1]}
    shared = context_of(Tls("a.example", **files))
    assert context_of(Tls("b.example", **files)) is shared
    assert context_of(Tls("a.example", verify=True, **files)) is not shared


def test_a_file_that_was_renewed_is_read_again(tmp_path):
    ca = str(tmp_path / "ca.pem")
    shutil.copy(certificate()[0], ca)
    before = context_of(Tls(ca=ca))
    assert context_of(Tls(ca=ca)) is before
    os.utime(ca, ns=(1, 1))
    assert context_of(Tls(ca=ca)) is not before


@pytest.mark.parametrize("option", ["ca", "certificate"])
def test_a_file_without_a_certificate_is_named(option, tmp_path):
    path = tmp_path / "empty.pem"
    path.write_text("nothing")
    with pytest.raises(OSError, match=f"not usable for TLS: {path}: "):
        context_of(Tls(**{option: str(path)}))


def test_a_key_with_a_pass_phrase_is_refused_and_asked_for_on_no_terminal(tmp_path):
    key = str(tmp_path / "locked.pem")
    assert os.system(f"openssl ec -aes128 -passout pass:x -in {certificate()[1]} -out {key} 2>/dev/null") == 0
    with pytest.raises(OSError, match=f"not usable for TLS: {certificate()[0]}, {key}: "):
        context_of(Tls(certificate=certificate()[0], key=key))


def test_a_stream_ends_with_and_without_a_farewell():
    def leave(client):
        client.sendall(b"x")
        client.recv(1)
        client.unwrap()

    def vanish(client):
        client.sendall(b"x")
        client.recv(1)

    for script in (leave, vanish):
        with no_leak(), peer(script, context=server_context()) as server:
            target = Target("127.0.0.1", server.port, timeout=1)
            with target.connect(Tls()) as sock:
                first = sock.recv(10)
                sock.sendall(b"y")
                assert (first, sock.recv(10), sock.recv(10)) == (b"x", b"", b"")


def test_what_makes_no_sense_over_tls_is_refused():
    with no_leak(), peer(lambda client: client.recv(1), context=server_context()) as server:
        sock = Target("127.0.0.1", server.port, timeout=1).connect(Tls())
        with pytest.raises(ValueError, match="flags mean nothing over TLS"):
            sock.recv(1, 2)
        with pytest.raises(AttributeError, match="a TLS connection has no 'sendmsg'"):
            sock.sendmsg([b"x"])
        assert (sock.send(b"x"), sock.recv(0)) == (1, b"")
        sock.close()
