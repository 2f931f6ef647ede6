"""Broken and large ClientHellos, in front and inside a renegotiation: told as far as they go, refused by OpenSSL."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlslab.core.machine import Machine
from tlslab.events import ALL, AlertSent, ClientHelloReceived, InternalFault, ServerHelloSent, TlsFailed
from tlslab.tls.context import Protocol
from tlslab.types import Drain, Reset
from tlslab.wire.client_hello_reader import BUFFER_LIMIT, MESSAGE_LIMIT
from tlslab.wire.hello import read_client_hello_untrusted

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
HANDSHAKE = 22
RECORD = 16_384
UPLOAD = b"GET /upload HTTP/1.1\r\nHost: localhost\r\n\r\n"
TOLERANT = partial(settings, suppress_health_check=[HealthCheck.function_scoped_fixture])
SNI, GROUPS, SIGNATURES, ALPN, VERSIONS, SHARES, RENEGOTIATION = 0, 10, 13, 16, 43, 51, 0xFF01
EXTENDED_MASTER_SECRET, UNKNOWN = 23, 0xEEEE
SESSION = b"a session id of no server's make"


def vector(size, content):
    """A vector: its length in so many bytes, then its content."""
    return len(content).to_bytes(size, "big") + content


NAMED = vector(2, b"\0" + vector(2, b"localhost"))
USUAL = {
    SNI: NAMED,
    GROUPS: vector(2, b"\0\x1d\0\x17"),
    SIGNATURES: vector(2, bytes.fromhex("04030804")),
    ALPN: vector(2, vector(1, b"h2")),
    VERSIONS: vector(1, b"\3\3"),
    EXTENDED_MASTER_SECRET: b"",  # as in the handshake before, or OpenSSL refuses a renegotiation
    RENEGOTIATION: vector(1, b""),
}


def body(*, session_id=SESSION, suites=b"\xc0\x2b\xc0\x2c", compression=b"\0", tail=None, **changes):
    """A ClientHello's body; of `changes` each is an extension by its name above, or None to leave it out."""
    extensions = USUAL | {globals()[name]: content for name, content in changes.items()}
    listed = b"".join(n.to_bytes(2, "big") + vector(2, c) for n, c in extensions.items() if c is not None)
    tail = vector(2, listed) if tail is None else tail(listed)
    return b"\3\3" + bytes(range(32)) + vector(1, session_id) + vector(2, suites) + vector(1, compression) + tail


def pieces(content):
    """The message, in plaintext of records."""
    message = b"\1" + len(content).to_bytes(3, "big") + content
    return [message[start : start + RECORD] for start in range(0, len(message), RECORD)]


@pytest.fixture
def in_front(talk):
    """Send a ClientHello at the very beginning."""

    def send(make, protocol=TLS_1_2):
        client = talk(protocol, opened=False)
        for piece in pieces(make()):
            client.driver.receive_data(b"\x16\3\1" + vector(2, piece), 0.0)
            client.driver.finish_step(0.0)
        return client

    return send


@pytest.fixture
def inside(forge):
    """Send a ClientHello where HelloRequest was sent; what the lab answers before is taken."""

    def send(make):
        client, forger = forge(TLS_1_2, sends=UPLOAD)
        client.driver.finish_step(0.0)
        client.told.clear()
        verified = {"RENEGOTIATION": vector(1, client.client._connection.get_finished())}
        for piece in pieces(make(**verified)):
            client.driver.receive_data(forger.record(HANDSHAKE, piece), 0.0)
            client.driver.finish_step(0.0)
        return client

    return send


@pytest.fixture(params=["in front", "inside"])
def greet(request, in_front, inside):
    """Send a ClientHello, in front or inside a renegotiation; `make` makes its body of what belongs there."""
    return in_front if request.param == "in front" else inside


def told(client):
    """What the lab tells of the last ClientHello: its name, its session id, what is broken in it."""
    hello = client.all(ClientHelloReceived)[-1]
    return hello.server_name, bytes.fromhex(hello.session_id), hello.detail


# --- broken ones -----------------------------------------------------------------------------------

BROKEN = {
    "an ALPN list with an empty name": ({"ALPN": vector(2, b"\0")}, "decode_error", "alpn has a field"),
    "an ALPN name one byte short": ({"ALPN": vector(2, b"\3h2")}, "decode_error", "alpn is cut short"),
    "an ALPN list one byte long": ({"ALPN": b"\0\2\2h2"}, "decode_error", "alpn is followed by"),
    "an empty ALPN": ({"ALPN": b""}, "decode_error", "alpn is cut short"),
    "odd cipher suites": ({"suites": b"\xc0\x2b\xc0"}, "decode_error", "the list of cipher suites has an odd"),
    "no cipher suites": ({"suites": b""}, "decode_error", "the ClientHello offers no"),
    "no compression": ({"compression": b""}, "decode_error", "the ClientHello offers no"),
    "extensions one byte long": ({"tail": lambda listed: vector(2, listed) + b"\0"}, "decode_error", "the ClientHello"),
    "extensions one byte short": ({"tail": lambda listed: vector(2, listed)[:-1]}, "decode_error", "the ClientHello"),
    "one extension twice": ({"tail": lambda listed: vector(2, listed * 2)}, "illegal_parameter", "the ClientHello has"),
    "groups that OpenSSL alone looks at": ({"GROUPS": vector(2, b"\0\x1d\0")}, "decode_error", ""),
    "signatures that OpenSSL alone looks at": ({"SIGNATURES": b""}, "decode_error", ""),
}
NAMELESS = {
    "an empty server_name": ({"SNI": b""}, "decode_error"),
    "a name one byte short": ({"SNI": b"\0\x0d\0\0\x0alocalhost"}, "decode_error"),
    "another kind of name": ({"SNI": vector(2, b"\1" + vector(2, b"localhost"))}, "decode_error"),
    "a name with a NUL in it": ({"SNI": vector(2, b"\0" + vector(2, b"local\0host"))}, "unrecognized_name"),
    "a session id of 33 bytes": ({"session_id": bytes(33)}, "decode_error"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_hello(greet, inside, what):
    """It is told with its name and session id, OpenSSL's alert goes on the wire; unbroken it is answered.

    OpenSSL does not look at ALPN in a renegotiation, and so goes on.
    """
    changes, alert, flaw = BROKEN[what]
    client = greet(partial(body, **changes))
    name, session_id, detail = told(client)
    assert (name, session_id, detail[: len(flaw)], bool(detail)) == ("localhost", SESSION, flaw, bool(flaw))
    if greet is inside and "ALPN" in changes:
        assert client.names(ServerHelloSent, AlertSent, TlsFailed, InternalFault) == ["ServerHelloSent"]
        return
    assert client.names(AlertSent, TlsFailed, InternalFault) == ["AlertSent", "TlsFailed"]
    assert (client.only(AlertSent).description, client.only(TlsFailed).kind) == (alert, "malformed_hello")
    assert isinstance(client.server.closing, Drain)
    assert len(greet(body).all(ServerHelloSent)) == 1


@pytest.mark.parametrize("what", NAMELESS)
def test_a_hello_without_a_readable_name(greet, what):
    """What stands in front of the flaw is told, nothing of an earlier hello is, and OpenSSL refuses it."""
    changes, alert = NAMELESS[what]
    client = greet(partial(body, **changes))
    name, session_id, detail = told(client)
    assert (name, session_id) == (None, b"" if "session_id" in changes else SESSION)
    assert detail
    assert client.names(AlertSent, TlsFailed, InternalFault) == ["AlertSent", "TlsFailed"]
    assert (client.only(AlertSent).description, client.only(TlsFailed).kind) == (alert, "malformed_hello")


@pytest.mark.parametrize("content", [b"", b"\3", b"\3\3\3\3\3"])
def test_versions_and_key_shares_of_tls_13(in_front, content):
    """Broken, they end it by an alert of OpenSSL's, whatever it is called; they are no InternalFault."""
    for name in ("VERSIONS", "SHARES"):
        client = in_front(
            partial(body, **{"VERSIONS": vector(1, b"\3\4"), "suites": b"\x13\x02", name: content}), TLS_1_3
        )
        assert told(client)[0] == "localhost"
        assert client.names(AlertSent, TlsFailed, InternalFault) == ["AlertSent", "TlsFailed"]
        assert client.only(TlsFailed).kind in ("malformed_hello", "no_shared_protocol")


def test_nothing_of_an_earlier_hello_is_left(inside):
    """A renegotiation whose session id is broken is no attempt to resume the session of the first handshake."""
    client = inside(partial(body, session_id=bytes(33)))
    assert client.server._served.tls._offered_session == b""


@pytest.mark.parametrize(("name", "alert"), [(NAMED[:-1], "decode_error"), (None, None)])
def test_no_binding_for_a_name_that_cannot_be_read(talk, name, alert):
    """A name that is broken is the alert; none at all is the reset of a port that has named bindings only."""
    client = talk(TLS_1_2, opened=False, bindings={"a": ("other.example:8443", False)})
    [piece] = pieces(body(SNI=name))
    client.driver.receive_data(b"\x16\3\1" + vector(2, piece), 0.0)
    client.driver.finish_step(0.0)
    assert [event.description for event in client.all(AlertSent)] == ([alert] if alert else [])
    assert isinstance(client.server.closing, Drain) is (alert is not None)


@TOLERANT(max_examples=3 * settings().max_examples)
@given(st.data())
def test_any_damage(greet, data):
    """Whatever is changed in a hello: it is told once, and answered or refused with an alert; nothing faults."""

    def make(**verified):
        damaged = bytearray(body(**verified))
        for at in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=3)):
            damaged[at] = data.draw(st.integers(0, 255))
        made.append(bytes(damaged))
        return made[0]

    made: list[bytes] = []
    client = greet(make)
    read = read_client_hello_untrusted(made[0])
    assert told(client) == (read.server_name, read.session_id, read.flaw)
    assert len(client.all(ServerHelloSent)) + len(client.all(TlsFailed)) == 1
    assert len(client.all(AlertSent)) == len(client.all(TlsFailed))
    assert not client.all(InternalFault)


# --- large ones ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1_000, 17_000, 60_000, 65_000])
def test_a_large_hello(greet, size):
    """Post-quantum key shares and many extensions make hellos large: they are answered like small ones."""
    client = greet(partial(body, UNKNOWN=bytes(size)))
    assert told(client) == ("localhost", SESSION, "")
    assert len(client.all(ServerHelloSent)) == 1
    assert not client.all(TlsFailed)


@pytest.mark.parametrize(("size", "refused"), [(MESSAGE_LIMIT, False), (MESSAGE_LIMIT + 1, True)])
def test_the_largest(greet, size, refused):
    """One limit in both places, OpenSSL's: one byte more is illegal_parameter, though nothing more has come."""
    client = greet(lambda **_: body().ljust(size, b"\0"))
    alert = "illegal_parameter" if refused else "decode_error"  # junk behind the extensions, which have no more room
    assert client.only(AlertSent).description == alert
    assert client.only(TlsFailed).kind == "malformed_hello"
    assert len(client.all(ClientHelloReceived)) == (0 if refused else 1)


@pytest.mark.parametrize("limit", [None, RECORD, 40_000])
def test_a_limit_of_schannels(talk, make_lab, limit):
    """A binding whose limit it is over resets the connection, and says why; how Windows ends it is not documented."""
    plan = make_lab(TLS_1_2).plan
    limited = {name: replace(settings, message_limit=limit) for name, settings in plan.tls.items()}
    client = talk(lab=Machine(replace(plan, tls=limited), ALL), opened=False)
    for piece in pieces(body(UNKNOWN=bytes(20_000))):
        client.driver.receive_data(b"\x16\3\1" + vector(2, piece), 0.0)
        client.driver.finish_step(0.0)
    is_refused = limit == RECORD
    assert [event.kind for event in client.all(TlsFailed)] == ["message_over_limit"] * is_refused
    assert isinstance(client.server.closing, Reset) is is_refused
    assert len(client.all(ServerHelloSent)) == (not is_refused)
    assert bool(client.wire.down) is not is_refused


def test_what_many_half_sent_hellos_cost(talk, make_lab):
    """A hello that stays unfinished is kept once; and one that was large leaves nothing behind."""
    lab, count = make_lab(TLS_1_2), 20
    message = pieces(body().ljust(MESSAGE_LIMIT, b"\0"))
    half = b"".join(b"\x16\3\1" + vector(2, piece) for piece in message)[:-1]
    clients = [talk(lab=lab, opened=False) for _ in range(count)]
    tracemalloc.start()
    try:
        for client in clients:
            for start in range(0, len(half), 1000):
                client.driver.receive_data(half[start : start + 1000], 0.0)
            client.driver.finish_step(0.0)
        kept = tracemalloc.get_traced_memory()[0] / count
    finally:
        tracemalloc.stop()
    assert all(client.server.closing is None for client in clients)
    assert len(half) <= kept <= 1.2 * len(half) <= BUFFER_LIMIT
