"""The table of failures: each row provoked for real where two engines can, and read from OpenSSL's words elsewhere."""

from __future__ import annotations

import pytest
from OpenSSL import SSL

from tlslab.events import AlertReceived, AlertSent, TlsFailed
from tlslab.tls.context import ClientSettings, Protocol, client_context
from tlslab.tls.failures import FailureKind, classify

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
BOTH = pytest.mark.parametrize("protocol", [TLS_1_2, TLS_1_3])


def failure_of(ends):
    """How the server's side failed, after checking that the event tells the same."""
    failure = ends.server.failure
    told = ends.only(TlsFailed)
    assert (told.kind, told.detail) == (failure.kind, failure.detail)
    return failure.kind


@BOTH
def test_a_client_that_does_not_trust_the_server(join, protocol, certificates):
    """Its alert arrives and ends it; with the authority in its store the same client gets through."""
    stranger = client_context(ClientSettings((certificates.client_authority.certificate,)))
    ends = join(protocol, client=stranger)
    assert failure_of(ends) is FailureKind.PEER_ALERT
    assert ends.only(AlertReceived).description == "unknown_ca"
    assert join(protocol).server.failure is None


@pytest.mark.parametrize(("server", "client"), [(TLS_1_2, TLS_1_3), (TLS_1_3, TLS_1_2)])
def test_no_shared_protocol(join, client_settings, server, client):
    """One side speaks TLS 1.2 alone and the other TLS 1.3 alone: the server says so."""
    context = client_context(client_settings())
    context.set_min_proto_version(client)
    context.set_max_proto_version(client)
    ends = join(server, client=context)
    assert failure_of(ends) is FailureKind.NO_SHARED_PROTOCOL
    assert ends.only(AlertSent).description == "protocol_version"
    assert join(client, client=context).server.failure is None


def test_no_shared_cipher(join, client_settings):
    """A client that can only do RSA finds no cipher with a server whose key is P-256."""
    context = client_context(client_settings())
    context.set_max_proto_version(TLS_1_2)
    context.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256")
    ends = join(TLS_1_2, client=context)
    assert failure_of(ends) is FailureKind.NO_SHARED_CIPHER
    assert ends.only(AlertSent).description == "handshake_failure"


@pytest.mark.parametrize(
    "received",
    [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"CONNECT x:443 HTTP/1.1\r\n\r\n", b"\0" * 64, b"hello world"],
)
def test_what_is_not_tls(join, received):
    """A browser that was told http://, a proxy's client, or anything else."""
    ends = join(handshake=False)
    ends.server.receive(received)
    ends.take(0)
    ends.exchange()
    assert failure_of(ends) is FailureKind.NOT_TLS


@BOTH
def test_a_damaged_record(join, protocol):
    """One bit of one record turned over: bad_record_mac. Unturned, the text arrives."""
    for turned, text in ((1, b""), (0, b"text")):
        ends = join(protocol)
        ends.client.write(b"text")
        record = bytearray(ends.client.data_to_send())
        record[-1] ^= turned
        ends.server.receive(bytes(record))
        assert ends.take(100) == text
    assert ends.server.failure is None


@BOTH
def test_a_damaged_record_is_told(join, protocol):
    """As what it is, with the alert that the RFCs want."""
    ends = join(protocol)
    ends.client.write(b"text")
    record = bytearray(ends.client.data_to_send())
    record[10] ^= 0x40
    ends.server.receive(bytes(record))
    ends.exchange()
    assert failure_of(ends) is FailureKind.DAMAGED_RECORD
    assert ends.only(AlertSent).description == "bad_record_mac"


@pytest.mark.parametrize("after_hello", [False, True])
def test_application_data_during_the_handshake(join, after_hello):
    """Data in the clear, before the ClientHello or after it, is a violation."""
    ends = join(TLS_1_2, handshake=False)
    if after_hello:
        ends.client.read(0)
        ends.pass_on(ends.client, ends.server)
    ends.server.receive(b"\x17\x03\x03\0\x05early")
    ends.take(0)
    ends.exchange()
    assert failure_of(ends) is FailureKind.UNEXPECTED_MESSAGE
    assert ends.only(AlertSent).description == "unexpected_message"


def test_application_data_during_a_renegotiation(join):
    """Between the second ClientHello and Finished there is no place for data in TLS 1.2."""
    ends = join(TLS_1_2)
    ends.client.write(b"too late")
    late = ends.client.data_to_send()
    ends.ask()
    ends.pass_on(ends.server, ends.client)
    ends.server.receive(ends.client.data_to_send())
    ends.take(0)
    ends.server.receive(late)
    ends.take(100)
    assert ends.server.failure is not None
    assert ends.server.client_certificate is None


def test_a_refused_renegotiation(join):
    """no_renegotiation is a kind of its own: no certificate can come, and no 403 either."""
    ends = join(TLS_1_2, refuses=True)
    ends.ask()
    ends.exchange()
    assert ends.server.failure.kind is FailureKind.RENEGOTIATION_REFUSED


# OpenSSL's reasons (its err/openssl.txt) that no peer of these tests can provoke, or that it has in several wordings.
@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("unsafe legacy renegotiation disabled", FailureKind.UNSAFE_RENEGOTIATION),
        ("renegotiation mismatch", FailureKind.UNSAFE_RENEGOTIATION),
        ("renegotiation encoding err", FailureKind.MALFORMED_HELLO),
        ("no renegotiation", FailureKind.RENEGOTIATION_REFUSED),
        ("unsupported protocol", FailureKind.NO_SHARED_PROTOCOL),
        ("version too low", FailureKind.NO_SHARED_PROTOCOL),
        ("wrong version number", FailureKind.NOT_TLS),
        ("http request", FailureKind.NOT_TLS),
        ("https proxy request", FailureKind.NOT_TLS),
        ("no shared cipher", FailureKind.NO_SHARED_CIPHER),
        ("no suitable signature algorithm", FailureKind.NO_SHARED_CIPHER),
        ("unexpected message", FailureKind.UNEXPECTED_MESSAGE),
        ("ccs received early", FailureKind.UNEXPECTED_MESSAGE),
        ("app data in handshake", FailureKind.UNEXPECTED_MESSAGE),
        ("decryption failed or bad record mac", FailureKind.DAMAGED_RECORD),
        ("length mismatch", FailureKind.DAMAGED_RECORD),
        ("peer did not return a certificate", FailureKind.CERTIFICATE_MISSING),
        ("tlsv1 alert unknown ca", FailureKind.PEER_ALERT),
        ("tlsv13 alert certificate required", FailureKind.PEER_ALERT),
        ("sslv3 alert bad certificate", FailureKind.PEER_ALERT),
        ("ssl/tls alert bad certificate", FailureKind.PEER_ALERT),
        ("TLS alert, something of tomorrow", FailureKind.PEER_ALERT),
        ("what nobody has heard of", FailureKind.OTHER),
    ],
)
def test_openssls_words(reason, kind):
    """A reason is known by how it begins, in whatever case; one that is not known keeps its words."""
    failure = classify(SSL.Error([("SSL routines", "", reason)]))
    assert (failure.kind, failure.detail) == (kind, reason)


@pytest.mark.parametrize(
    "error", [SSL.Error(), SSL.Error([]), SSL.Error("text"), SSL.SysCallError(-1, "Unexpected EOF")]
)
def test_an_error_without_a_reason(error):
    """OpenSSL sometimes fails without a word; that is a failure all the same."""
    failure = classify(error)
    assert (failure.kind, failure.detail) == (FailureKind.OTHER, "no reason given")
