"""One connection from its first byte to its last: TLS, http.sys and IIS together."""

from __future__ import annotations

import pytest

from tlslab.core.connection import ALERT_DRAIN_BYTES, Patience
from tlslab.core.machine import Machine
from tlslab.errors import LocalMisuse
from tlslab.events import (
    ALL,
    AlertReceived,
    AlertSent,
    BindingChosen,
    CertificateRequested,
    ClientHelloReceived,
    ConnectionClosed,
    ConnectionOpened,
    HttpErrLogged,
    NoBindingMatched,
    PeerClosed,
    PeerReset,
    TlsFailed,
)
from tlslab.tls.context import Protocol, client_context
from tlslab.tls.engine import SMALL_READ_BYTES
from tlslab.types import Activity, Drain, Reset
from tlslab.wire.records import ContentType

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
BOTH = pytest.mark.parametrize("protocol", [TLS_1_2, TLS_1_3])
BUFFER = 40 * 1024
MIB = bytes(1024 * 1024)

PATIENCE = Patience()
AT_24 = Patience(24 * PATIENCE.alert_drain, 24 * PATIENCE.fin)  # the same where the lab's clock runs so fast


@pytest.fixture
def get(request_bytes):
    """A GET."""
    return lambda target, *headers: request_bytes("GET", target, headers)


@pytest.fixture
def post(request_bytes):
    """A POST of this body."""
    return lambda target, body, *headers: request_bytes("POST", target, headers, body)


# --- the binding ---

NAMED = {"site": ("0.0.0.0:8443", False), "upload": ("upload.localhost:8443", True)}


@pytest.mark.parametrize(
    ("name", "binding", "by"),
    [("localhost", "site", "address"), ("upload.localhost", "upload", "sni"), ("127.0.0.1", "site", "address")],
)
def test_the_server_name_chooses_the_binding(talk, get, name, binding, by):
    """A name of its own has settings of its own: here it alone asks in the first handshake."""
    client = talk(TLS_1_2, bindings=NAMED, name=name)
    assert client.only(BindingChosen).by == by
    assert bool(client.all(CertificateRequested)) is (binding == "upload")
    client.send(get("/open"))
    assert client.answers()[0][1]["binding"] == binding
    assert {event.binding for event in client.told if not isinstance(event, ConnectionOpened)} == {binding}


def test_no_binding_for_the_name(talk):
    """Nobody answers: a reset before any TLS."""
    client = talk(TLS_1_2, bindings={"upload": ("upload.localhost:8443", False)}, name="localhost")
    assert client.only(NoBindingMatched).server_name == "localhost"
    assert client.server.closing == Reset()
    assert client.server.data_to_send() == b""
    assert not client.client.established


def test_h2_is_never_negotiated(talk, get, client_settings):
    """A client that offers h2 in ALPN gets no answer to that, and HTTP/1.1 works."""
    context = client_context(client_settings("alice"))
    context.set_alpn_protos([b"h2", b"http/1.1"])
    client = talk(TLS_1_2, client=context)
    client.send(get("/open"))
    assert client.statuses() == ["200"]
    assert client.client._connection.get_alpn_proto_negotiated() == b""


# --- what is not TLS, and what is not in its place ---


def test_a_client_hello_byte_by_byte(talk, get):
    """However it arrives, it is read, and told once."""
    client = talk(TLS_1_2, opened=False)
    client.piece = 1
    client.open()
    client.send(get("/open"))
    assert client.only(ClientHelloReceived).server_name == "localhost"
    assert client.statuses() == ["200"]


@pytest.mark.parametrize(
    ("received", "kind", "detail"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "not_tls", "plain HTTP"),
        (b"\x80\x2e\x01\x03\x01" + bytes(60), "not_tls", "an SSL 2.0 ClientHello"),
        (b"hello world", "not_tls", "not TLS"),
        (b"\x17\x03\x03\0\x05early", "unexpected_message", "application_data"),
        (b"\x15\x03\x03\0\x02\x02\x28", "unexpected_message", "alert"),
        (b"\x16\x03\x01\0\x04\x02\0\0\0", "unexpected_message", "ServerHello"),
        (b"\x16\x03\x01\0\x04\x01\x01\0\0", "malformed_hello", "ClientHello of 65,536 bytes"),
    ],
)
def test_what_is_no_client_hello(talk, received, kind, detail):
    """It is told for what it is, and ends the connection; no engine was made for it."""
    client = talk(TLS_1_2, opened=False)
    client.raw(received)
    failed = client.only(TlsFailed)
    assert (failed.kind, failed.binding) == (kind, "")
    assert detail in failed.detail
    assert isinstance(client.server.closing, Drain)
    client.raw(b"more of it")
    assert len(client.all(TlsFailed)) == 1


def test_a_client_hello_that_never_ends_is_bounded(talk):
    """Tiny records of a hello that is never whole: given up at a limit, not kept for ever."""
    client = talk(TLS_1_2, opened=False)
    sent = 0
    client.raw(b"\x16\x03\x01\0\x04\x01\0\x40\0")
    while client.server.closing is None:
        client.raw(b"\x16\x03\x01\0\x01\0" * 100)
        sent += 600
        assert sent < 100_000


def test_a_hello_that_openssl_refuses(talk, client_settings):
    """No protocol in common: an alert goes out, and what follows is drained so that it arrives."""
    client = talk(TLS_1_3, client=old_client(client_settings))
    assert client.only(TlsFailed).kind == "no_shared_protocol"
    assert isinstance(client.server.closing, Drain)
    assert client.client.failure is not None


def old_client(client_settings):
    """A client that speaks TLS 1.2 at most."""
    context = client_context(client_settings())
    context.set_max_proto_version(TLS_1_2)
    return context


@BOTH
def test_garbage_after_the_handshake(talk, get, protocol):
    """The connection ends with an alert; what was answered before stays answered."""
    client = talk(protocol)
    client.send(get("/open"))
    client.raw(b"\x17\x03\x03\0\x20" + bytes(32))
    assert client.statuses() == ["200"]
    assert client.only(TlsFailed).kind == "damaged_record"
    assert isinstance(client.server.closing, Drain)


# --- the contract ---


def test_nothing_happens_after_the_end(talk, get):
    """Bytes, time and goodbyes that come late do nothing and tell nothing."""
    client = talk(TLS_1_2, refuses=True)
    client.send(get("/upload"))
    assert client.server.closing == Reset()
    client.told.clear()
    client.raw(b"anything")
    client.pass_time(1000)
    client.server.receive_eof(1001.0)
    client.server.receive_reset(1001.0)
    client.run()
    assert client.told == []
    assert client.server.next_deadline is None
    assert not client.server.wants_unread_count


def test_the_last_call(talk):
    """note_closed tells how the connection ended and how long it lasted, once."""
    client = talk(TLS_1_2)
    client.pass_time(5)
    client.server.note_closed(7.5)
    client.server.note_closed(8.0)
    client.run()
    closed = client.only(ConnectionClosed)
    assert (closed.how, closed.seconds) == ("abandoned", 7.5)


def test_asking_twice_is_misuse(talk):
    """A defect of ours is raised where it happens; peers cannot do it."""
    client = talk(TLS_1_2)
    client.server._served.tls.request_client_certificate(1.0)
    with pytest.raises(LocalMisuse):
        client.server._served.tls.request_client_certificate(1.0)


# --- peers that vanish ---


def silent(_client, _bytes):
    """Nothing was said."""


def half_a_hello(client, _bytes):
    """The ClientHello is on its way."""
    client.client.read(0)
    client.server.receive_data(client.client.data_to_send()[:50], 0.0)


def half_a_handshake(client, _bytes):
    """The server has answered, the client has not."""
    client.client.read(0)
    client.server.receive_data(client.client.data_to_send(), 0.0)


def at_rest(client, _bytes):
    """The handshake is through."""
    client.open()


def half_a_head(client, _bytes):
    """The headers are on their way."""
    client.open().send(b"GET / HTTP/1.1\r\nHo")


def half_a_body(client, request_bytes):
    """The body is on its way, and nobody waits for a certificate."""
    client.open().send(request_bytes("POST", "/open", body=MIB)[:100_000])


def frozen(client, request_bytes):
    """The body is not read."""
    client.open().send(request_bytes("POST", "/upload", body=MIB))


def unanswered(client, request_bytes):
    """The question is out, and nothing has come back."""
    ask(client, request_bytes)


def half_a_renegotiation(client, request_bytes):
    """The question was answered with a ClientHello, and the server waits for the certificate."""
    ask(client, request_bytes)
    client.client.receive(client.server.data_to_send())
    client.client.read(0)
    client.server.receive_data(client.client.data_to_send(), 0.0)


def ask(client, request_bytes):
    """Have the server ask, and keep its question from the client."""
    client.open().client.write(request_bytes("GET", "/upload"))
    client.server.receive_data(client.client.data_to_send(), 0.0)


def thinking(client, request_bytes):
    """The application has the request."""
    client.open().send(request_bytes("GET", "/slow"))


PHASES = [
    (silent, TLS_1_2, Activity.TLS_HANDSHAKE),
    (half_a_hello, TLS_1_2, Activity.TLS_HANDSHAKE),
    (half_a_handshake, TLS_1_2, Activity.TLS_HANDSHAKE),
    (half_a_handshake, TLS_1_3, Activity.TLS_HANDSHAKE),
    (at_rest, TLS_1_2, Activity.IDLE),
    (half_a_head, TLS_1_2, Activity.REQUEST_HEAD),
    (half_a_body, TLS_1_3, Activity.ENTITY_BODY),
    (frozen, TLS_1_2, Activity.CERTIFICATE_RETRIEVAL),
    (frozen, TLS_1_3, Activity.CERTIFICATE_RETRIEVAL),
    (unanswered, TLS_1_2, Activity.CERTIFICATE_RETRIEVAL),
    (unanswered, TLS_1_3, Activity.CERTIFICATE_RETRIEVAL),
    (half_a_renegotiation, TLS_1_2, Activity.RENEGOTIATION),
    (thinking, TLS_1_2, Activity.APPLICATION),
]


@pytest.mark.parametrize(("phase", "protocol", "during"), PHASES)
def test_a_client_that_resets(talk, request_bytes, phase, protocol, during):
    """It is told at once and for what it interrupted, and the lab's side ends by a reset too."""
    client = talk(protocol, opened=False, application_delay=30.0 if phase is thinking else 0.0)
    phase(client, slow(request_bytes))
    client.server.receive_reset(1.0)
    client.run()
    assert client.only(PeerReset).during is during
    assert client.server.closing == Reset()
    assert not client.all(HttpErrLogged)


@pytest.mark.parametrize(("phase", "protocol", "during"), PHASES)
def test_a_client_that_ends_its_side(talk, request_bytes, phase, protocol, during):
    """A FIN is the end as well; where bytes of the client are left unread, only a reset can follow it."""
    client = talk(protocol, opened=False, application_delay=30.0 if phase is thinking else 0.0)
    phase(client, slow(request_bytes))
    paused = client.server.reading_paused
    assert paused is (phase is frozen)
    client.server.receive_eof(1.0, fin_stuck=paused)
    client.run()
    closed = client.only(PeerClosed)
    assert (closed.during, closed.fin_stuck) == (during, paused)
    assert client.server.closing == (Reset() if paused else Drain(1.0, 0))


def slow(request_bytes):
    """Requests for `/slow` go to `/upload`, whose application thinks first in these tests."""
    return lambda method, target, **more: request_bytes(method, target.replace("/slow", "/upload"), **more)


@BOTH
def test_a_client_that_says_close_notify(talk, get, protocol):
    """TLS's own goodbye: it is answered in kind (RFC 5246, 7.2.1), a moment later, if no FIN follows it."""
    client = said_goodbye(talk(protocol), get)
    assert client.server.closing is None
    client.pass_time(PATIENCE.fin)
    until = PATIENCE.fin + PATIENCE.alert_drain  # the FIN may still come
    assert client.server.closing == Drain(until, ALERT_DRAIN_BYTES)
    assert client.only(AlertSent).description == "close_notify"
    assert client.client.said_close_notify


@BOTH
def test_a_client_that_says_close_notify_and_ends_its_side(talk, get, protocol):
    """Its FIN is answered with a FIN and no alert, which its closed socket would answer with a reset."""
    client = said_goodbye(talk(protocol), get)
    client.raw(b"ignored")
    client.server.receive_eof(0.1)
    client.run()
    assert client.server.closing == Drain(0.1, 0)
    assert len(client.all(PeerClosed)) == 1
    assert not client.all(AlertSent)


def test_a_client_that_talks_on_after_its_goodbye(talk, get):
    """What it still says is thrown away, but not without end."""
    client = said_goodbye(talk(), get)
    client.server.receive_data(bytes(ALERT_DRAIN_BYTES), 0.01)
    assert client.server.closing is None
    client.server.receive_data(b"!", 0.01)
    assert client.server.closing == Reset()


def test_a_client_that_leaves_with_its_certificate(talk, request_bytes):
    """It answers the question and says goodbye in one flight: the request was whole, and its response was due."""
    client = talk(TLS_1_3, opened=False)
    ask(client, request_bytes)
    client.client.receive(client.server.data_to_send())
    client.client.read(0)
    client.client.close()
    client.server.receive_data(client.client.data_to_send(), 0.0)
    client.run()
    assert client.only(PeerClosed).during is Activity.RESPONSE


def test_a_goodbye_takes_the_clients_time(talk, get, make_lab):
    """A lab whose clock runs 24 times as fast waits for the FIN as long as any other, by the client's watch."""
    client = said_goodbye(talk(lab=Machine(make_lab().plan, ALL, patience=AT_24)), get)
    assert client.server.next_deadline == pytest.approx(24 * PATIENCE.fin)


def said_goodbye(client, get):
    """A client that had its answer and says close_notify."""
    client.send(get("/open"))
    client.client.close()
    client.run()
    assert client.only(PeerClosed).during is Activity.IDLE
    assert client.only(AlertReceived).description == "close_notify"
    return client


def test_the_answer_after_a_renegotiation_is_a_flight_of_its_own(talk, get):
    """Finished leaves before the answer does, as in Microsoft's trace; without a renegotiation there is one flight."""
    flights = {target: renegotiated(talk(), get, target) for target in ("/upload", "/open")}
    assert [len(flights["/upload"]), len(flights["/open"])] == [2, 1]
    assert [flight[0] for flight in flights["/upload"]] == [
        ContentType.CHANGE_CIPHER_SPEC,
        ContentType.APPLICATION_DATA,
    ]


def renegotiated(client, get, target):
    """The last flights of the lab to a client that asked for `target`."""
    client.client.write(get(target))
    while True:
        client.server.receive_data(client.client.data_to_send(), 0.0)
        flights = list(iter(client.server.data_to_send, b""))
        for flight in flights:
            client.client.receive(flight)
        if client.client.read(65536):
            return flights


def test_little_is_read_while_a_question_may_stop_the_reading(talk, request_bytes):
    """Before a request and while its certificate is awaited; a body that nobody is asked for comes in large pieces."""
    frozen(stalled := talk(), request_bytes)
    half_a_body(flowing := talk(), request_bytes)
    assert [one.server.read_limit <= SMALL_READ_BYTES for one in (talk().open(), stalled, flowing)] == [
        True,
        True,
        False,
    ]
