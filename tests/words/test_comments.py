"""The comments on packets."""

from __future__ import annotations

import pytest

from tlslab import events as e
from tlslab.types import Activity, BindingKey, HandshakeKind, Unavailable, Unusable, Verdict
from tlslab.words.comments import ABOUT_WHAT_CAME, CONTINUES, KINDS, LONGEST, comment

AT = (1.5, 7, "site")
SESSION, OTHER = "ab" * 32, "cd" * 32
SENTENCES = [
    (e.ClientHelloReceived(*AT, "h", (), "", False, False, None), ""),
    (e.ClientHelloReceived(*AT, "h", (), "", False, False, None, "it"), "a broken ClientHello: it"),
    (
        e.ClientHelloReceived(*AT, "h", (), "", False, True, 0, "it"),
        "ClientHello: the renegotiation begins, but it is broken: it",
    ),
    (e.ClientHelloReceived(*AT, "h", (), "", False, True, 0), "ClientHello: the renegotiation begins"),
    (
        e.ClientHelloReceived(*AT, "h", (), "", False, True, 40960),
        "ClientHello behind 40,960 bytes of body: the renegotiation begins",
    ),
    (
        e.BindingChosen(*AT, BindingKey.ADDRESS, "0.0.0.0:443", "disable"),
        "binding site (0.0.0.0:443) chosen by address; its clientcertnegotiation is disable",
    ),
    (e.NoBindingMatched(*AT, "h"), "no binding for h"),
    (e.NoBindingMatched(*AT, None), "no binding for a client that names no server"),
    (
        e.CertificateNotUsable(*AT, "0.0.0.0:443", Unusable.DELETED),
        "the record of 0.0.0.0:443 still names a certificate that is no longer in the store (HttpEvent 15021)",
    ),
    (
        e.CertificateNotUsable(*AT, "h:443", Unusable.KEY_MISSING),
        "the record of h:443 names a certificate whose private key is not there or not readable (Schannel 36870)",
    ),
    (e.SessionResumed(*AT, SESSION), "session abababab resumed"),
    (
        e.SessionNotResumed(*AT, SESSION, OTHER, "idle_purge", "EnableKernelSSL", 1, 2048, 4096),
        "session abababab not resumed (idle purge, EnableKernelSSL); the new one is cdcdcdcd",
    ),
    (
        e.SessionNotResumed(*AT, SESSION, OTHER, "not_acceptable", "", 1, 2048, 4096),
        "session abababab not resumed (not acceptable); the new one is cdcdcdcd",
    ),
    (e.HelloRequestSent(*AT), "HelloRequest sent"),
    (
        e.CertificateRequested(*AT, HandshakeKind.RENEGOTIATION, ("CN=a", "CN=b"), 1200),
        "CertificateRequest sent: 2 issuers, 1,200 bytes",
    ),
    (e.CertificateRequested(*AT, HandshakeKind.FIRST, ("CN=a",), 1), "CertificateRequest sent: 1 issuer, 1 byte"),
    (
        e.IssuerListTruncated(*AT, ("CN=a",), ("CN=b",), 16000, 16384, 36885, False),
        "only 1 of 2 issuers fit into 16,384 bytes (Schannel event 36885, not logged)",
    ),
    (
        e.ClientCertificateReceived(*AT, "CN=alice", "CN=CA", "ff", Verdict.NOT_YET_VALID),
        "client certificate CN=alice, issued by CN=CA: not yet valid",
    ),
    (e.ClientCertificateNotSent(*AT), "the client was asked and sent no certificate"),
    (e.RenegotiationRefused(*AT), "the client refused to renegotiate: no certificate can come"),
    (e.TlsFailed(*AT, "not_tls", "http request"), "TLS failed: not tls (http request)"),
    (e.RequestReceived(*AT, "GET", "/", "1.1", 0, False, "", ""), ""),
    (e.RequestReceived(*AT, "PUT", "/a", "1.1", 1000, False, "", ""), "PUT /a, a body of 1,000 bytes"),
    (e.RequestReceived(*AT, "POST", "/a", "1.1", None, False, "", ""), "POST /a, a chunked body"),
    (
        e.CertificateRetrievalStarted(*AT, "synchronous", 40960, 1048576, False, 120.0),
        "client certificate wanted after 40,960 bytes of body (synchronous), waits for 120 s at most; meanwhile the "
        "body is not read",
    ),
    (
        e.CertificateRetrievalStarted(*AT, "async_drain", 0, 0, True, 120.0),
        "client certificate wanted, waits for 120 s at most",
    ),
    (
        e.CertificateRetrievalStarted(*AT, "async_drain", 10, None, True, 120.0),
        "client certificate wanted after 10 bytes of body (async_drain), waits for 120 s at most; meanwhile the body "
        "is read",
    ),
    (
        e.CertificateUnavailable(*AT, Unavailable.NO_POST_HANDSHAKE_AUTH),
        "the certificate cannot be asked for: the client did not offer post-handshake authentication",
    ),
    (
        e.EntityBodyStalled(*AT, 40960, 1048576, 0, 61440, "ClientHello"),
        "40,960 bytes of body buffered, 61,440 waiting in the socket",
    ),
    (
        e.EntityBodyStalled(*AT, 40960, 1048576, 16406, 61440, "ClientHello"),
        "40,960 bytes of body buffered, 61,440 waiting in the socket and 16,406 in TLS",
    ),
    (e.EntityBodyResumed(*AT, 60.0), "the body is read again after 60 s"),
    (e.ContinueSent(*AT, False), "100 Continue sent, before any certificate"),
    (e.ContinueSent(*AT, True), "100 Continue sent, after the certificate"),
    (e.RetrievalCancelled(*AT, 70000, 65536), "given up: 70,000 bytes of body before the certificate, 65,536 at most"),
    (
        e.ReadAheadExceeded(*AT, 49152, 49152, 1048576),
        "refused: the body goes on beyond the 49,152 bytes that are read ahead",
    ),
    (e.TimerExpired(*AT, "ssl_renegotiation", 120.0), "timer ssl_renegotiation ran out after 120 s"),
    (e.HttpErrLogged(*AT, "Timer_SslRenegotiation", "POST", "/upload", "1.1", None), "HTTPERR: Timer_SslRenegotiation"),
    (e.BadRequestReceived(*AT, "illegal header"), "not a request that can be served: illegal header"),
    (e.ResponseSent(*AT, 403, 7, "GET", "/p", None, None, 0.1), "403.7 for GET /p (no client certificate)"),
    (e.ResponseSent(*AT, 200, 0, "GET", "/p", "CN=alice", None, 0.1), "200 for GET /p (CN=alice)"),
]


@pytest.mark.parametrize(("event", "text"), SENTENCES, ids=[type(event).__name__ for event, _ in SENTENCES])
def test_sentences(event, text):
    """Each comment is short and has its event's numbers."""
    assert comment(event) == text


def test_each_kind_has_a_sentence_here():
    """No comment without a test, and no rule for an event that has no comment."""
    assert {type(event) for event, _ in SENTENCES} == KINDS
    assert ABOUT_WHAT_CAME | CONTINUES <= KINDS


def test_what_has_no_comment():
    """An event that is no decision has none."""
    assert comment(e.PeerReset(*AT, Activity.ENTITY_BODY)) == ""


@pytest.mark.parametrize("text", ["\x1b[2J\r\n", "\0" * 400, "\u202e", "\udc80", "x" * 20_000, "\x00\u2028" * 250])
def test_a_peers_text(text):
    """What a peer wrote neither moves a cursor nor fills a screen, and is text that a file can hold."""
    said = comment(e.ResponseSent(*AT, 404, 0, "GET", text, None, None, 0.1))
    assert said.isprintable()
    assert len(said.encode()) <= LONGEST
