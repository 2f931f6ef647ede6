"""One connection from its first byte to its last: TLS, http.sys and IIS together."""

from __future__ import annotations

import pytest

from tlslab.errors import LocalMisuse
from tlslab.events import (
    BindingChosen,
    CertificateRequested,
    ClientHelloReceived,
    ConnectionClosed,
    ConnectionOpened,
    NoBindingMatched,
    TlsFailed,
)
from tlslab.tls.context import Protocol, client_context
from tlslab.tls.engine import SMALL_READ_BYTES
from tlslab.types import Drain, Reset
from tlslab.wire.records import ContentType

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
BOTH = pytest.mark.parametrize("protocol", [TLS_1_2, TLS_1_3])


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
    assert client.server.take_flights() == []
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
        (b"\x16\x03\x01\0\x04\x01\x03\0\0", "malformed_hello", "ClientHello of 196,608 bytes"),
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


# --- its turns ---


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
        flights = client.server.take_flights()
        for flight in flights:
            client.client.receive(flight)
        if client.client.read(65536):
            return flights


def test_little_is_read_while_a_question_may_stop_the_reading(talk, post):
    """Before a request and while its certificate is awaited; a body that nobody is asked for comes in large pieces."""
    (stalled := talk()).send(post("/upload", bytes(2**20)))
    (flowing := talk()).send(post("/open", bytes(2**20))[:100_000])
    assert [one.server.read_limit <= SMALL_READ_BYTES for one in (talk(), stalled, flowing)] == [
        True,
        True,
        False,
    ]
