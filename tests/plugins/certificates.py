"""A certificate for the TLS servers of the tests, made once a session by the openssl command."""

import ssl
from functools import cache
from tempfile import TemporaryDirectory

from bench.bare import make_certificate

_folder = TemporaryDirectory()  # removed at the end of the process


@cache
def certificate() -> tuple[str, str]:
    """Files of a self-signed certificate for localhost and 127.0.0.1, and of its key."""
    return make_certificate(_folder.name)


@cache
def server_context() -> ssl.SSLContext:
    """A TLS server's context with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate())
    return context
