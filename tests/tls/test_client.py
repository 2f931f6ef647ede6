"""The lab's own client."""

from __future__ import annotations

import pytest

from tlslab.events import HandshakeCompleted
from tlslab.tls.client import ClientTls
from tlslab.tls.context import Protocol, client_context
from tlslab.wire.hello import parse_client_hello_untrusted

HEADERS = 9  # of the record and of the message


@pytest.mark.parametrize(
    ("name", "sent"), [("upload.localhost", "upload.localhost"), ("127.0.0.1", None), ("::1", None), ("", None)]
)
def test_an_address_is_not_a_server_name(client_settings, name, sent):
    """SNI carries names only (RFC 6066, 3)."""
    client = ClientTls(client_context(client_settings()), name)
    client.read(0)
    assert parse_client_hello_untrusted(client.data_to_send()[HEADERS:]).server_name == sent


def test_it_offers_post_handshake_authentication(client_settings):
    """So that a TLS 1.3 server can ask it later."""
    client = ClientTls(client_context(client_settings()), "localhost")
    client.read(0)
    assert parse_client_hello_untrusted(client.data_to_send()[HEADERS:]).offers_post_handshake_auth


@pytest.mark.parametrize("protocol", [Protocol.TLS1_2, Protocol.TLS1_3])
@pytest.mark.parametrize(("identity", "sent"), [("alice", "CN=alice"), (None, None)])
def test_it_sends_its_identity_when_asked(join, protocol, identity, sent):
    """With an identity it shows it, without one it says that it has none; the connection opens either way."""
    ends = join(protocol, asks=True, identity=identity)
    certificate = ends.server.client_certificate
    assert (certificate.subject if certificate else None) == sent
    assert ends.client.established
    assert ends.only(HandshakeCompleted)
