"""Fixtures with a certificate; a test module imports those that it uses."""

import ssl

import pytest

from bench.bare import make_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Files of a self-signed certificate for localhost and 127.0.0.1, and of its key."""
    return make_certificate(str(tmp_path_factory.mktemp("certificate")))


@pytest.fixture(scope="session")
def server_context(certificate):
    """A TLS server's context with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context
