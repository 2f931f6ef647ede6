"""The lab's own client."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tlslab.events import AlertReceived, ClientCertificateNotSent, ClientCertificateReceived, HandshakeCompleted
from tlslab.pki.authorities import issue_client, make_intermediate
from tlslab.pki.root_names import root_name
from tlslab.tls.client import ClientTls
from tlslab.tls.context import Protocol, Shown, client_context
from tlslab.wire.hello import read_client_hello_untrusted

HEADERS = 9  # of the record and of the message


@pytest.mark.parametrize(
    ("name", "sent"), [("upload.localhost", "upload.localhost"), ("127.0.0.1", None), ("::1", None), ("", None)]
)
def test_an_address_is_not_a_server_name(client_settings, name, sent):
    """SNI carries names only (RFC 6066, 3)."""
    client = ClientTls(client_context(client_settings()), name)
    client.read(0)
    assert read_client_hello_untrusted(client.data_to_send()[HEADERS:]).server_name == sent


def test_it_offers_post_handshake_authentication(client_settings):
    """So that a TLS 1.3 server can ask it later."""
    client = ClientTls(client_context(client_settings()), "localhost")
    client.read(0)
    assert read_client_hello_untrusted(client.data_to_send()[HEADERS:]).offers_post_handshake_auth


@pytest.mark.parametrize("protocol", [Protocol.TLS1_2, Protocol.TLS1_3])
@pytest.mark.parametrize(("identity", "sent"), [("alice", "CN=alice"), (None, None)])
def test_it_sends_its_identity_when_asked(join, protocol, identity, sent):
    """With an identity it shows it, without one it says that it has none; the connection opens either way."""
    ends = join(protocol, asks=True, identity=identity)
    certificate = ends.server.client_certificate
    assert (certificate.subject if certificate else None) == sent
    assert ends.client.established
    assert ends.only(HandshakeCompleted)


NOBODY, AUTHORITY, OTHERS = (), ("Client Authority",), ("Other Authority", "alice")


@pytest.mark.parametrize("protocol", [Protocol.TLS1_0, Protocol.TLS1_2, Protocol.TLS1_3])
@pytest.mark.parametrize("later", [False, True], ids=["at-once", "later"])
@pytest.mark.parametrize(
    ("filters", "listed", "sent"),
    [
        (False, OTHERS, True),
        (True, OTHERS, False),
        (True, NOBODY, True),
        (True, AUTHORITY, True),
        (True, OTHERS + AUTHORITY, True),
    ],
)
def test_it_may_choose_by_the_issuer(join, client_settings, protocol, later, filters, listed, sent):
    """A client that filters sends its certificate to who names an issuer of its chain, or nobody; another, always."""
    names = tuple(root_name(name) for name in listed)
    context = client_context(client_settings("alice", filters=filters))
    context.set_min_proto_version(protocol)
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    ends = join(protocol, asks=not later, client=context, issuer_names=names)
    if later:
        assert ends.ask()
        ends.exchange()
    assert (ends.server.client_certificate is not None) is sent
    assert [event.subject for event in ends.all(ClientCertificateReceived)] == ["CN=alice"] * sent
    assert len(ends.all(ClientCertificateNotSent)) == (not sent)


@pytest.mark.parametrize(
    ("sends_along", "listed", "sent"),
    [(1, "Client Authority", True), (1, "Between", True), (0, "Between", True), (0, "Client Authority", False)],
)
def test_it_looks_up_the_chain_that_it_has(join, client_settings, certificates, sends_along, listed, sent):
    """The root may be named though another authority issued the certificate, if the client knows how they belong."""
    now = datetime.now(UTC)
    full = issue_client(make_intermediate(certificates.client_authority, "Between", now), "eve", now)
    settings = client_settings("alice", filters=True, shows=Shown(full.chain[: 1 + sends_along], full.key))
    ends = join(asks=True, client=client_context(settings), issuer_names=(root_name(listed),))
    assert (ends.server.client_certificate is not None) is sent


@pytest.mark.parametrize("protocol", [Protocol.TLS1_0, Protocol.TLS1_2, Protocol.TLS1_3])
@pytest.mark.parametrize("later", [False, True], ids=["at-once", "later"])
@pytest.mark.parametrize("identity", ["alice", None])
@pytest.mark.parametrize("filters", [False, True])
def test_it_may_take_its_time_to_answer(join, client_settings, protocol, later, identity, filters):
    """It says that it was asked, and sends nothing of its answer before it is told to; writing waits, too."""
    context = client_context(client_settings(identity, filters=filters))
    context.set_min_proto_version(protocol)
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    ends = join(protocol, asks=not later, client=context, handshake=False)
    ends.client.holds_answer = True
    ends.exchange()
    if later:
        assert not ends.client.was_asked
        assert ends.ask()
        ends.exchange()
    assert ends.client.was_asked
    assert not ends.client.write(b"early")
    assert [*ends.all(ClientCertificateReceived), *ends.all(ClientCertificateNotSent)] == []
    ends.client.answer()
    ends.exchange()
    assert not ends.client.was_asked
    assert len(ends.all(ClientCertificateReceived)) == (identity is not None)
    assert len(ends.all(ClientCertificateNotSent)) == (identity is None)
    assert ends.client.write(b"late")


@pytest.mark.parametrize(
    ("host", "taken"),
    [("", True), ("localhost", True), ("127.0.0.1", True), ("::1", True), ("other.test", False), ("10.0.0.1", False)],
)
def test_it_may_check_whom_it_reached(join, client_settings, host, taken):
    """The certificate has to be for the name or address that it wanted, whatever it said in SNI."""
    ends = join(handshake=False)
    ends.client = ClientTls(client_context(client_settings()), "localhost", checks_host=host)
    ends.exchange()
    assert ends.client.established is taken
    assert [event.description for event in ends.all(AlertReceived)] == ["bad_certificate"] * (not taken)


@pytest.mark.parametrize("ignores", [True, False])
def test_it_may_leave_a_hello_request_where_it_is(join, client_settings, ignores):
    """Then nothing answers it, no alert either, and what it writes goes out as before."""
    ends = join(handshake=False)
    ends.client = ClientTls(client_context(client_settings("alice")), "localhost", ignores_renegotiation=ignores)
    ends.exchange()
    assert ends.ask()
    ends.exchange()
    assert ends.client.was_ignored is ignores
    assert len(ends.all(ClientCertificateReceived)) == (not ignores)
    assert not ends.all(AlertReceived)
    assert ends.client.write(b"on")
    ends.server.receive(ends.client.data_to_send())
    assert ends.take(9) == b"on"


def test_the_client_needs_no_reader(client_settings):
    """It tells nobody what it sees, and works."""
    assert ClientTls(client_context(client_settings()), "localhost").read(0) == b""
