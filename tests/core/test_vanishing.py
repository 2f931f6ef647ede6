"""Peers that vanish: by a reset, by a FIN or by a goodbye, and what each of them interrupted."""

from __future__ import annotations

import pytest

from tlslab.core.connection import ALERT_DRAIN_BYTES
from tlslab.core.machine import Machine
from tlslab.core.patience import Patience
from tlslab.events import ALL, AlertReceived, AlertSent, HttpErrLogged, PeerClosed, PeerReset
from tlslab.tls.context import Protocol
from tlslab.types import Activity, Drain, Reset

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
BOTH = pytest.mark.parametrize("protocol", [TLS_1_2, TLS_1_3])
MIB = bytes(1024 * 1024)

PATIENCE = Patience()
AT_24 = Patience(24)  # the same where the lab's clock runs so fast


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
    client.client.receive(b"".join(client.server.take_flights()))
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
    client.client.receive(b"".join(client.server.take_flights()))
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
