"""The server's TLS: asking for a certificate, in the first handshake or later, and what is told of the answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from OpenSSL import SSL

from tlslab.errors import LocalMisuse
from tlslab.events import (
    AlertReceived,
    AlertSent,
    CertificateRequested,
    ClientCertificateNotSent,
    ClientCertificateReceived,
    HandshakeCompleted,
    HelloRequestSent,
    RenegotiationRefused,
    ServerHelloSent,
    TlsFailed,
)
from tlslab.pki.authorities import issue_client, make_authority, make_intermediate
from tlslab.tls.context import Protocol, client_context
from tlslab.tls.failures import FailureKind
from tlslab.tls.server import Handshake, HandshakeEnded, PlaintextWaits, TlsEnded
from tlslab.types import Verdict

TLS_1_0, TLS_1_2, TLS_1_3 = Protocol.TLS1_0, Protocol.TLS1_2, Protocol.TLS1_3
BOTH = pytest.mark.parametrize("protocol", [TLS_1_2, TLS_1_3])


# --- asking ---


@BOTH
def test_asking_when_the_connection_opens(join, protocol, certificates):
    """The first handshake carries the CertificateRequest with the issuer names, and brings the certificate."""
    ends = join(protocol, asks=True)
    request = ends.only(CertificateRequested)
    assert (request.during, request.issuers) == ("handshake", ("CN=Client Authority",))
    name = certificates.client_authority.certificate.subject.public_bytes()
    assert request.issuers_bytes == len(name) + 2
    received = ends.only(ClientCertificateReceived)
    assert (received.subject, received.issuer, received.verdict) == ("CN=alice", "CN=Client Authority", "trusted")
    assert not ends.all(HelloRequestSent)


@BOTH
@pytest.mark.parametrize("asks", [True, False], ids=["at-once", "later"])
def test_the_list_is_told_at_once(join, protocol, asks, certificates):
    """Who has more to say of the list hears of it with the CertificateRequest, as it went out."""
    ends = join(protocol, asks=asks)
    if not asks:
        assert ends.watcher.lists == []
        ends.ask()
        ends.exchange()
    request = ends.only(CertificateRequested)
    assert ends.watcher.lists == [(request.issuers, request.issuers_bytes)] != [((), 0)]


@BOTH
def test_not_asking_when_the_connection_opens(join, protocol):
    """Without the binding's negotiation the first handshake asks for nothing, and nothing comes."""
    ends = join(protocol)
    assert not ends.all(CertificateRequested)
    assert not ends.all(ClientCertificateNotSent)
    assert ends.server.client_certificate is None


@pytest.mark.parametrize(
    ("protocol", "during", "hello_requests", "handshakes"),
    [(TLS_1_2, "renegotiation", 1, 2), (TLS_1_3, "post_handshake", 0, 2)],
)
def test_asking_later(join, protocol, during, hello_requests, handshakes):
    """TLS 1.2 renegotiates by HelloRequest; TLS 1.3 has a message of its own."""
    ends = join(protocol)
    assert ends.ask()
    assert ends.server.handshake is not Handshake.NONE
    ends.exchange()
    assert ends.server.handshake is Handshake.NONE
    assert ends.only(CertificateRequested).during == during
    assert len(ends.all(HelloRequestSent)) == hello_requests
    assert len(ends.all(HandshakeCompleted)) == handshakes
    facts = ends.server.facts()
    assert facts.client_certificate.subject == "CN=alice"
    assert facts.renegotiated is (protocol is TLS_1_2)


def test_asking_later_in_an_old_protocol(join, client_settings):
    """TLS 1.0 renegotiates as TLS 1.2 does."""
    context = client_context(client_settings("alice"))
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    ends = join(TLS_1_0, client=context)
    ends.ask()
    ends.exchange()
    assert ends.server.facts().protocol == "TLS 1.0"
    assert ends.server.client_certificate.subject == "CN=alice"


@BOTH
def test_a_client_without_a_certificate_says_so(join, protocol):
    """An empty Certificate message is an answer too: the handshake ends, and the absence is told."""
    ends = join(protocol, identity=None)
    ends.ask()
    ends.exchange()
    assert ends.server.handshake is Handshake.NONE
    assert ends.only(ClientCertificateNotSent)
    assert ends.server.client_certificate is None


def test_unavailable_without_the_offer(join, certificates):
    """A TLS 1.3 client that did not offer post-handshake authentication is not asked: nothing goes on the wire."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.use_certificate(certificates.clients["alice"].chain[0])
    context.use_privatekey(certificates.clients["alice"].key)
    ends = join(TLS_1_3, client=context)
    ends.told.clear()
    assert not ends.ask()
    assert ends.server.handshake is Handshake.NONE
    assert ends.server.data_to_send() == b""
    ends.exchange()
    assert ends.told == []
    assert ends.answer(b"the connection goes on")


@pytest.mark.parametrize("protocol", [None, TLS_1_2, TLS_1_3])
def test_asking_during_a_handshake_is_misuse(join, protocol):
    """A defect of the caller, told at once: in the first handshake, and while an answer is awaited."""
    ends = join(*[protocol] if protocol else [], handshake=protocol is not None)
    if protocol:
        ends.ask()
    with pytest.raises(LocalMisuse):
        ends.ask()


# --- what the wire tells ---


def test_hello_request_is_told_when_it_is_sent(join):
    """HelloRequestSent comes from the message itself, between the messages before it and after it."""
    ends = join(TLS_1_2)
    ends.ask()
    ends.exchange()
    order = [
        type(event).__name__
        for event in ends.told
        if isinstance(event, HelloRequestSent | ServerHelloSent | CertificateRequested)
    ]
    assert order == [
        "ServerHelloSent",
        "HelloRequestSent",
        "ServerHelloSent",
        "CertificateRequested",
    ]


def test_the_second_client_hello_is_told(join):
    """A renegotiation's ClientHello is told to who knows what came first; the first one is told by who read it."""
    ends = join(TLS_1_2)
    assert ends.watcher.hellos == []
    ends.ask()
    ends.exchange()
    [hello] = ends.watcher.hellos
    assert hello.server_name == "localhost"


@BOTH
def test_facts_of_a_first_handshake(join, protocol):
    """Protocol and cipher as negotiated, nothing resumed, nothing renegotiated."""
    ends = join(protocol)
    facts = ends.server.facts()
    assert facts.protocol == {TLS_1_2: "TLS 1.2", TLS_1_3: "TLS 1.3"}[protocol]
    assert (facts.resumed, facts.renegotiated, facts.client_certificate) == (False, False, None)
    completed = ends.only(HandshakeCompleted)
    assert (completed.protocol, completed.cipher, completed.resumed) == (facts.protocol, facts.cipher, False)


@pytest.mark.parametrize(
    ("identity", "verdict"),
    [
        ("alice", Verdict.TRUSTED),
        ("bob", Verdict.UNTRUSTED),
        ("carol", Verdict.EXPIRED),
        ("dan", Verdict.NOT_YET_VALID),
        ("erin", Verdict.WRONG_USAGE),
    ],
)
@pytest.mark.parametrize("asks", [True, False])
def test_a_verdict_does_not_end_the_handshake(join, identity, verdict, asks):
    """Whether the certificate came in the first handshake or in a second, its fault is a fact, not an alert."""
    ends = join(TLS_1_2, asks=asks, identity=identity)
    if not asks:
        ends.ask()
        ends.exchange()
    assert ends.server.client_certificate.verdict is verdict
    assert ends.server.client_certificate.subject == f"CN={identity}"
    assert not ends.all(AlertSent)


@pytest.mark.parametrize(
    ("sent", "roots", "verdict"),
    [
        (("leaf", "intermediate", "root"), True, Verdict.TRUSTED),
        (("leaf", "intermediate", "root"), False, Verdict.UNTRUSTED),
        (("leaf", "intermediate"), False, Verdict.INCOMPLETE_CHAIN),
        (("leaf",), True, Verdict.INCOMPLETE_CHAIN),
    ],
)
def test_a_root_nobody_trusts_is_not_a_missing_piece(join, client_settings, sent, roots, verdict):
    """Untrusted is a chain that ends in a root, incomplete one that ends before any; only the first has a number."""
    now = datetime.now(UTC)
    root = make_authority("Root", now)
    above = make_intermediate(root, "Intermediate", now)
    leaf = issue_client(above, "frank", now)
    known = {"leaf": leaf.chain[0], "intermediate": above.certificate, "root": root.certificate}
    chain = tuple(known[name] for name in sent)
    client = client_context(replace(client_settings("alice"), chain=chain, key=leaf.key))
    ends = join(TLS_1_2, asks=True, client=client, client_authorities=(root.certificate,) if roots else ())
    assert ends.only(ClientCertificateReceived).verdict is verdict


# --- refusing ---


def test_a_client_that_refuses_to_renegotiate(join):
    """Its warning is told, OpenSSL's own alert to it stays here, and no other failure is told."""
    ends = join(TLS_1_2, refuses=True)
    ends.told.clear()
    ends.ask()
    ends.pass_on(ends.server, ends.client)
    ends.pass_on(ends.client, ends.server)
    assert ends.server.failure.kind is FailureKind.RENEGOTIATION_REFUSED
    assert ends.server.data_to_send() == b""
    ends.exchange()
    alert = ends.only(AlertReceived)
    assert (alert.level, alert.description, alert.code) == ("warning", "no_renegotiation", 100)
    assert ends.only(RenegotiationRefused)
    assert not ends.all(AlertSent)
    assert not ends.all(TlsFailed)


def test_refusing_matters_only_where_it_is_asked(join):
    """The same client against a binding that asks at once, or speaks TLS 1.3, shows its certificate."""
    assert join(TLS_1_2, asks=True, refuses=True).server.client_certificate.subject == "CN=alice"
    ends = join(TLS_1_3, refuses=True)
    ends.ask()
    ends.exchange()
    assert ends.server.client_certificate.subject == "CN=alice"


def test_a_renegotiation_that_the_client_starts_is_refused(join):
    """The lab asks for no such thing, so nobody gets it; the server is not hurt by the attempt."""
    ends = join(TLS_1_2)
    ends.told.clear()
    ends.client._connection.renegotiate()
    with pytest.raises(SSL.WantReadError):
        ends.client._connection.do_handshake()
    ends.exchange()
    assert ends.only(AlertSent).description == "no_renegotiation"
    assert not ends.server.renegotiated


# --- reading ---


@BOTH
def test_what_reading_yields(join, protocol):
    """What happened comes in order, each thing once: the end of a handshake, plaintext in front, plaintext, the end."""
    ends = join(protocol, handshake=False)

    def read(limit):
        ends.server.receive(ends.client.data_to_send())
        return ends.server.read(limit, 1.0)

    ends.client.read(0)
    assert read(0) == []
    ends.pass_on(ends.server, ends.client)
    assert read(0) == [HandshakeEnded(Handshake.FIRST, None)]
    ends.pass_on(ends.server, ends.client)
    ends.client.write(b"question")
    assert [read(0), read(0), read(4), read(9), read(9)] == [[PlaintextWaits()], [], [b"ques"], [b"tion"], []]
    ends.client.close()
    assert read(0) == [TlsEnded(None)]


def test_what_reading_yields_of_a_failure(join):
    """It is the last thing that happens, and says why."""
    ends = join(TLS_1_2)
    ends.server.receive(b"garbage, not a record")
    [ended] = ends.server.read(0, 1.0)
    assert ended.failure is ends.server.failure
    assert ended.failure is not None
