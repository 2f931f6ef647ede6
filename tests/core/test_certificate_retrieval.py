"""The client certificate of a request: TLS, http.sys and IIS together, with the failures they are documented for."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from OpenSSL import SSL

from tlslab.events import (
    AlertReceived,
    CertificateRequested,
    CertificateRetrievalStarted,
    CertificateUnavailable,
    ClientHelloReceived,
    EntityBodyResumed,
    EntityBodyStalled,
    HandshakeCompleted,
    HelloRequestSent,
    HttpErrLogged,
    RenegotiationRefused,
    RequestReceived,
    ResponseSent,
    RetrievalCancelled,
    TimerExpired,
    UnreadBytesChanged,
)
from tlslab.httpsys.client_certificate import AfterResponse, EarlyAsyncDrain, Synchronous
from tlslab.httpsys.settings import Continue100, OnUnavailable
from tlslab.tls.context import Protocol
from tlslab.types import Reset
from tlslab.wire.records import ContentType

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
BOTH = pytest.mark.parametrize("protocol", [TLS_1_2, TLS_1_3])
BUFFER = 40 * 1024
MIB = bytes(1024 * 1024)


# --- the certificate after the request ---


def test_the_order_on_the_wire(talk, get):
    """No CertificateRequest at first; GET; HelloRequest; a second handshake with the issuer names; 200."""
    client = talk(TLS_1_2)
    client.send(get("/upload"))
    assert client.statuses() == ["200"]
    order = (
        HandshakeCompleted,
        RequestReceived,
        CertificateRetrievalStarted,
        HelloRequestSent,
        ClientHelloReceived,
        CertificateRequested,
        ResponseSent,
    )
    assert client.names(*order) == [
        "ClientHelloReceived",
        "HandshakeCompleted",
        "RequestReceived",
        "CertificateRetrievalStarted",
        "HelloRequestSent",
        "ClientHelloReceived",
        "CertificateRequested",
        "HandshakeCompleted",
        "ResponseSent",
    ]
    assert client.only(CertificateRequested).issuers == ("CN=Client Authority",)
    assert client.only(ResponseSent).certificate == "CN=alice"


@BOTH
@pytest.mark.parametrize(
    ("identity", "target", "status"),
    [
        ("alice", "/upload", "200"),
        (None, "/upload", "403.7"),
        (None, "/accept", "200"),
        ("bob", "/upload", "403.16"),
        ("bob", "/accept", "403.16"),
        ("carol", "/upload", "403.17"),
        ("dan", "/upload", "403.17"),
        ("erin", "/upload", "403.16"),
        ("erin", "/accept", "403.16"),
        ("carol", "/open", "200"),
        (None, "/open", "200"),
    ],
)
@pytest.mark.parametrize("asks", [True, False])
def test_verdicts(talk, get, protocol, identity, target, status, asks):
    """The same answers whether the binding asked at once or the request made it ask."""
    client = talk(protocol, identity=identity, asks=asks)
    client.send(get(target))
    assert client.statuses() == [status]
    assert bool(client.all(CertificateRequested)) is (asks or target != "/open")
    assert client.server.closing is None


# --- the freeze ---


@pytest.mark.parametrize(
    ("protocol", "waits_for", "answer"),
    [
        (TLS_1_2, "ClientHello", [ContentType.HANDSHAKE]),
        (TLS_1_3, "Certificate", [ContentType.APPLICATION_DATA] * 3),
    ],
)
def test_a_large_upload_freezes_until_the_timer(talk, post, protocol, waits_for, answer):
    """Exactly the buffer is read, the rest stays where it is, and two minutes later comes the reset."""
    client = talk(protocol)
    client.send(post("/upload", MIB))
    stalled = client.only(EntityBodyStalled)
    assert (stalled.body_buffered, stalled.body_announced, stalled.waiting_for) == (BUFFER, len(MIB), waits_for)
    assert stalled.socket_unread > 900_000
    assert content_types(client.up[stalled.socket_unread :]) == answer  # it came later, and stands behind them
    assert client.server.reading_paused
    assert client.server.next_deadline == 120.0
    client.pass_time(119.9)
    assert client.server.closing is None
    client.pass_time(0.1)
    assert client.server.closing == Reset()
    assert client.only(TimerExpired).timer == "ssl_renegotiation"
    assert client.only(HttpErrLogged).reason == "Timer_SslRenegotiation"
    assert client.received == b""


def content_types(records):
    """The types of whole records."""
    found = []
    while records:
        found.append(records[0])
        del records[: 5 + int.from_bytes(records[3:5], "big")]
    return found


def test_the_freeze_is_real(talk, post):
    """OpenSSL never saw the answer: let the lab read on, and it appears behind the body; the request is answered."""
    client = talk(TLS_1_2, client_cert_retrieval=Synchronous(read_on_after=60))
    client.send(post("/upload", MIB))
    assert client.messages()[-1] == "HelloRequest"
    client.pass_time(59)
    assert client.messages()[-1] == "HelloRequest"
    client.pass_time(1)
    hello = client.all(ClientHelloReceived)[-1]
    assert (hello.renegotiation, hello.behind_body_bytes) == (True, len(MIB))
    assert client.only(EntityBodyResumed).after_seconds == 60.0
    [(status, answer)] = client.answers()
    assert (status, answer["client_certificate"]["subject"]) == (200, "CN=alice")
    assert answer["body"] == {"length": len(MIB), "sha256": hashlib.sha256(MIB).hexdigest()}


@BOTH
@pytest.mark.parametrize(("size", "frozen"), [(0, False), (BUFFER, False), (BUFFER + 1, True), (100_000, True)])
def test_the_size_decides(talk, post, protocol, size, frozen):
    """Up to the buffer there is no freeze; one byte more is one."""
    client = talk(protocol)
    client.send(post("/upload", bytes(size)))
    assert bool(client.all(EntityBodyStalled)) is frozen
    assert client.statuses() == ([] if frozen else ["200"])


def test_a_record_behind_the_buffer_is_noticed_at_once(talk, post):
    """Where a record ends exactly with the buffer, the next one is looked at: the question need not wait for more."""
    client = talk(TLS_1_2)
    upload = post("/upload", bytes(BUFFER + 1))
    head = len(upload) - BUFFER - 1
    bounds = [0, head, head + 16_384, head + 32_768, head + BUFFER, len(upload)]
    records = b"".join(encrypted(client, upload[start:end]) for start, end in pairwise(bounds))
    client.server.receive_data(records, 0.0)
    client.run()
    assert client.only(CertificateRetrievalStarted).body_received == BUFFER
    assert client.only(EntityBodyStalled)


def test_what_follows_the_certificate_at_once_is_read(talk, post):
    """TLS 1.3 allows data right behind the client's Finished; it may come in one piece with it."""
    client = talk(TLS_1_3, client_cert_retrieval=EarlyAsyncDrain())
    upload = post("/upload", b"abcdef")
    client.server.receive_data(encrypted(client, upload[:-3]), 0.0)
    client.client.receive(b"".join(client.server.take_flights()))
    client.client.read(0)
    client.server.receive_data(encrypted(client, upload[-3:]), 0.0)
    client.run()
    assert client.statuses() == ["200"]
    assert client.only(ResponseSent).certificate == "CN=alice"


@BOTH
@pytest.mark.parametrize(("size", "cancelled"), [(1000, False), (5000, True)])
def test_an_upload_while_the_question_after_a_response_is_open(talk, get, post, protocol, size, cancelled):
    """It comes before the certificate, and is read as by early_async_drain: up to the maximum."""
    client = talk(protocol, client_cert_retrieval=AfterResponse(max=1000))
    client.server.receive_data(encrypted(client, get("/upload")), 0.0)
    client.send(post("/upload", bytes(size)))
    assert bool(client.all(RetrievalCancelled)) is cancelled
    assert client.statuses() == (["200"] if cancelled else ["200", "200"])


def test_counting_again_while_frozen(talk, post):
    """More that arrives in the socket is told; outside a freeze a count means nothing."""
    client = talk(TLS_1_2)
    client.server.note_unread(4711, 0.0)
    client.send(post("/upload", MIB))
    counted = client.only(EntityBodyStalled).socket_unread
    client.server.note_unread(counted, 1.0)
    client.server.note_unread(counted + 100, 2.0)
    client.run()
    assert client.only(UnreadBytesChanged).socket_unread == counted + 100
    client.pass_time(120)
    client.server.note_unread(0, 121.0)
    client.run()
    assert len(client.all(UnreadBytesChanged)) == 1


def test_the_applications_delay(talk, get):
    """An application that thinks first asks later: nothing is on the wire until then."""
    client = talk(TLS_1_2, application_delay=30.0)
    client.send(get("/upload"))
    assert client.server.next_deadline == 30.0
    assert not client.all(HelloRequestSent)
    client.pass_time(30)
    assert client.statuses() == ["200"]


@pytest.mark.parametrize(
    ("order", "before"), [(Continue100.AFTER_CERTIFICATE, []), (Continue100.BEFORE_CERTIFICATE, ["100"])]
)
def test_expect_100_continue(talk, post, order, before):
    """After the certificate the 100 cures the freeze; before it, the body is let loose into it."""
    client = talk(TLS_1_2, continue_100=order)
    head, body = post("/upload", MIB, "Expect: 100-continue")[: -len(MIB)], MIB
    client.server.receive_data(encrypted(client, head), 0.0)
    client.told += client.server.take_events()
    asked_first = bool(client.all(HelloRequestSent))
    assert asked_first is (before == [])
    client.run()
    client.send(body)
    assert client.statuses() == (["100", "200"] if asked_first else ["100"])
    assert bool(client.all(EntityBodyStalled)) is not asked_first


def encrypted(client, plaintext):
    """What the client would put on the wire."""
    client.client.write(plaintext)
    return client.client.data_to_send()


# --- who cannot or will not ---


def test_a_client_that_refuses_to_renegotiate(talk, get):
    """Its warning ends the connection by a reset: no certificate can come, and no 403 either."""
    client = talk(TLS_1_2, refuses=True)
    client.send(get("/upload"))
    assert client.only(RenegotiationRefused)
    assert client.only(AlertReceived).description == "no_renegotiation"
    assert client.server.closing == Reset()
    assert client.received == b""
    assert not client.all(ResponseSent)


def test_a_client_that_refuses_is_served_where_nobody_asks(talk, get):
    """The contrast: a path without a certificate, or a binding that asked before."""
    client = talk(TLS_1_2, refuses=True)
    client.send(get("/open"))
    assert client.statuses() == ["200"]
    negotiated = talk(TLS_1_2, refuses=True, asks=True)
    negotiated.send(get("/upload"))
    assert negotiated.statuses() == ["200"]


@pytest.fixture
def no_offer(certificates):
    """A client with a certificate that does not offer post-handshake authentication."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.use_certificate(certificates.clients["alice"].chain[0])
    context.use_privatekey(certificates.clients["alice"].key)
    return context


def test_unavailable_ends_in_a_reset(talk, get, no_offer):
    """Windows Server 2022: the connection is gone, and nobody was asked."""
    client = talk(TLS_1_3, client=no_offer)
    client.send(get("/upload"))
    assert client.only(CertificateUnavailable).reason
    assert client.server.closing == Reset()
    assert not client.all(CertificateRequested)
    assert client.received == b""


def test_unavailable_ends_in_a_500(talk, get, no_offer):
    """Windows Server 2025: 500, and other paths go on working on the same connection."""
    client = talk(TLS_1_3, client=no_offer, on_unavailable=OnUnavailable.STATUS_500)
    for target in ("/upload", "/open", "/accept"):
        client.send(get(target))
    assert client.statuses() == ["500", "200", "500"]
    assert len(client.all(CertificateUnavailable)) == 1
    assert "0x80070032" in client.answers()[0][1]["error"]


@pytest.mark.parametrize(
    ("how", "statuses"),
    [
        (OnUnavailable.NO_CERTIFICATE, ["200", "403.7", "200", "403.7"]),
        (OnUnavailable.STATUS_500, ["500", "500", "200", "500"]),
        (OnUnavailable.RESET, []),
    ],
)
def test_a_request_goes_on_without_a_certificate(talk, get, no_offer, how, statuses):
    """As if the client had none, and nobody is asked twice; the contrasts are the two ends that are documented."""
    client = talk(TLS_1_3, client=no_offer, on_unavailable=how)
    for target in ("/accept", "/upload", "/open", "/upload"):
        if client.server.closing is None:
            client.send(get(target))
    assert client.statuses() == statuses
    assert len(client.all(CertificateUnavailable)) == 1


def test_unavailable_is_cured_by_the_binding(talk, get, no_offer):
    """Asked in the first handshake, the same client shows its certificate."""
    client = talk(TLS_1_3, client=no_offer, asks=True)
    client.send(get("/upload"))
    assert client.statuses() == ["200"]


# --- bounds ---


@BOTH
def test_requests_behind_one_that_waits_are_bounded(talk, get, protocol):
    """A client that pipelines without end behind a GET whose certificate is awaited is not read for ever."""
    client = talk(protocol)
    client.server.receive_data(encrypted(client, get("/upload")), 0.0)
    taken = 0
    while not client.server.reading_paused:
        data = encrypted(client, get("/open") * 100)
        client.server.receive_data(data, 0.0)
        taken += len(data)
        assert taken < 100_000
    client.pass_time(120)
    assert client.only(HttpErrLogged).reason == "Timer_SslRenegotiation"


@BOTH
def test_a_request_behind_one_that_waits_is_answered_after_it(talk, get, post, protocol):
    """Small enough to be kept, it has its turn; the certificate serves both."""
    client = talk(protocol)
    client.send(get("/upload") + post("/upload", b"abc") + get("/open"))
    assert client.statuses() == ["200", "200", "200"]
    assert len(client.all(CertificateRequested)) == 1
