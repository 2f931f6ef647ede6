"""Schannel's limits for handshake messages that fit into no record: MessageLimitServer and ...ServerClientAuth."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tlslab.events import ClientCertificateReceived, HandshakeCompleted, ServerHelloSent, TlsFailed
from tlslab.tls.context import Protocol, client_context
from tlslab.tls.failures import FailureKind

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
BOTH = pytest.mark.parametrize("protocol", [TLS_1_2, TLS_1_3])


@pytest.fixture
def long_chain(client_settings):
    """A client whose Certificate has some 20 KB: alice's own, again and again."""
    settings = client_settings("alice")
    return client_context(replace(settings, chain=settings.chain * 30))


@pytest.fixture
def large_hello(client_settings):
    """A client whose ClientHello has some 20 KB: it names many protocols of the application's (ALPN)."""
    context = client_context.__wrapped__(client_settings("alice"))
    context.set_alpn_protos([bytes([65 + number]) * 250 for number in range(80)])
    return context


def refused(ends, message):
    """Nothing is told of what OpenSSL made of it, and nothing of it goes out."""
    failed = ends.only(TlsFailed)
    assert failed.kind is FailureKind.MESSAGE_OVER_LIMIT
    assert failed.detail.startswith(f"a {message} of ")
    assert not ends.all(ClientCertificateReceived)
    assert ends.server.data_to_send() == b""
    return True


@BOTH
@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("limit", [None, 18_000, 30_000])
def test_a_large_hello(join, large_hello, protocol, asks, limit):
    """In the first handshake that limit counts which goes by whether the binding asks; the other does not."""
    mine, other = ("message_limit_client_auth", "message_limit")[:: 1 if asks else -1]
    ends = join(protocol, asks=asks, client=large_hello, **{mine: limit, other: 17_000})
    if limit == 18_000:
        assert refused(ends, "ClientHello")
        assert not ends.all(ServerHelloSent)
    else:
        assert len(ends.all(HandshakeCompleted)) == 1


@BOTH
@pytest.mark.parametrize("limit", [None, 0, 18_000, 30_000])
def test_a_long_chain(join, long_chain, protocol, limit):
    """In the first handshake, and when it is asked for later; where it fits, the same client is let in."""
    for asks in (True, False):
        ends = join(protocol, asks=asks, client=long_chain, message_limit_client_auth=limit)
        if not asks:
            assert ends.ask()
            ends.exchange()
        if limit in (0, 18_000):
            assert refused(ends, "Certificate")
        else:
            assert ends.only(ClientCertificateReceived).subject == "CN=alice"


@BOTH
def test_what_fits_into_a_record(join, protocol):
    """No limit speaks of it, not even 0, which takes no message in fragments."""
    ends = join(protocol, asks=True, message_limit=0, message_limit_client_auth=0)
    assert ends.all(HandshakeCompleted)
