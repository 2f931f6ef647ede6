"""Whatever a peer sends and however its bytes are cut, nothing raises, and the outcome is the same."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlslab.events import HttpErrLogged, InternalFault, ResponseSent, ServerHelloSent
from tlslab.tls.context import Protocol
from tlslab.types import Drain, Reset

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
TOLERANT = partial(settings, suppress_health_check=[HealthCheck.function_scoped_fixture])


@TOLERANT(max_examples=40)
@given(st.lists(st.binary(max_size=100), max_size=6))
def test_random_bytes_never_raise(talk, pieces):
    """They are not TLS, or the beginning of something that looks like it."""
    client = talk(TLS_1_2, opened=False)
    for piece in pieces:
        client.raw(piece)
    assert client.server.closing is None or isinstance(client.server.closing, Drain)


@TOLERANT(max_examples=30)
@given(st.data())
def test_a_damaged_conversation_never_raises(talk, request_bytes, data):
    """Anywhere in it bytes are changed, lost, doubled or put in: it ends, or it goes on."""
    client = talk(data.draw(st.sampled_from([TLS_1_2, TLS_1_3])), opened=False)
    client.client.read(0)
    spoiled = False
    for _ in range(6):
        flight = client.client.data_to_send()
        if not spoiled and data.draw(st.booleans()):
            flight, spoiled = spoil(data, flight), True
        client.raw(flight)
        if client.client.established and not client.client.failure:
            client.client.write(request_bytes("POST", "/upload", body=bytes(2000)))
        elif client.server.closing is not None:
            break
    client.pass_time(120)
    assert isinstance(client.server.closing, Drain | Reset)


def spoil(data, flight):
    """Replace a part of the bytes by others."""
    start = data.draw(st.integers(0, len(flight)))
    end = data.draw(st.integers(start, min(len(flight), start + 20)))
    return flight[:start] + data.draw(st.binary(max_size=20)) + flight[end:]


REQUESTS = [
    b"GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    b"POST /open HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"GET http://a/%00%ff?x HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
]
PIECES = [
    b"\r\n",
    b"\0",
    b":",
    b"HTTP/2.0",
    b"Content-Length: -1\r\n",
    b"9" * 5000,
    b"F" * 40,
    b"Host: b\r\n",
    b"\xff%",
]


@TOLERANT(max_examples=30)
@given(st.sampled_from(REQUESTS), st.lists(st.tuples(st.integers(0, 150), st.sampled_from(PIECES)), max_size=3))
def test_a_damaged_request_never_raises(talk, request_, pieces):
    """Whatever is put into a request: h11 reads it, or it is refused, or a timer ends it."""
    for at, piece in pieces:
        request_ = request_[:at] + piece + request_[at:]
    client = talk(TLS_1_2)
    client.send(request_)
    client.pass_time(120)
    assert client.all(ResponseSent) or client.all(HttpErrLogged)
    assert not client.all(InternalFault)


CONVERSATIONS = {
    "answers": [("GET", "/upload", 0), ("POST", "/upload", 3000), ("GET", "/nowhere", 0)],
    "freeze": [("GET", "/open", 0), ("POST", "/upload", 50_000)],
    "pipelined": [("GET", "/upload", 0), ("HEAD", "/open", 0)],
}


def outcome(client, requests, request_bytes, cuts):
    """Hold a conversation whose bytes arrive in pieces of these sizes, and say how it went."""
    client.client.read(0)
    sent = False
    sizes = iter(cuts)
    while True:
        client.up += client.client.data_to_send()
        if not sent and client.client.established:
            sent = True
            for method, target, size in requests:
                body = request_bytes(method, target, body=bytes(size))
                for start in range(0, len(body), 16_384):
                    client.client.write(body[start : start + 16_384])
        client.piece = next(sizes, 16_384)
        if not (client._up() | client._down() | (not sent)):
            break
    client.run()
    client.pass_time(120)
    closing = type(client.server.closing)
    told = [(type(event), event.status) for event in client.all(ResponseSent)]
    reasons = [event.reason for event in client.all(HttpErrLogged)]
    hellos = [(event.protocol, event.renegotiation) for event in client.all(ServerHelloSent)]
    return told, reasons, hellos, client.messages(), closing


@pytest.mark.parametrize("protocol", [TLS_1_2, TLS_1_3])
@pytest.mark.parametrize("name", CONVERSATIONS)
@TOLERANT(max_examples=20)
@given(st.lists(st.integers(1, 700) | st.integers(1, 20_000), max_size=60))
def test_the_cuts_do_not_matter(talk, request_bytes, protocol, name, cuts):
    """However TCP cuts a conversation, the same messages pass and it ends the same way."""
    requests = CONVERSATIONS[name]
    whole = outcome(talk(protocol, opened=False), requests, request_bytes, [])
    cut = outcome(talk(protocol, opened=False), requests, request_bytes, cuts)
    assert cut == whole
    assert whole[1] == ["Timer_SslRenegotiation" if name == "freeze" else "Timer_ConnectionIdle"]
