"""Several bindings on one port: which record answers, and that each asks for the certificate in its own way."""

from __future__ import annotations

import pytest

from tlslab.events import (
    BindingChosen,
    CertificateNotUsable,
    CertificateRequested,
    ClientHelloReceived,
    ConnectionClosed,
    ConnectionOpened,
    HelloRequestSent,
    NoBindingMatched,
    ResponseSent,
)
from tlslab.httpsys.bindings import ServerCertificate
from tlslab.tls.context import Protocol
from tlslab.types import Reset

TLS_1_2 = Protocol.TLS1_2
NO_NAME = "127.0.0.1"  # RFC 6066, 3: a client does not send an address as a server name
BINDINGS = {
    "address": ("0.0.0.0:8443", False),
    "asking": ("asking.localhost:8443", True),
    "quiet": ("quiet.localhost:8443", False),
}
NAMES_ONLY = {name: BINDINGS[name] for name in ("asking", "quiet")}
BY_NAME = [
    ("asking.localhost", "asking", "sni", "handshake"),
    ("ASKING.localhost", "asking", "sni", "handshake"),
    ("quiet.localhost", "quiet", "sni", "renegotiation"),
]


@pytest.mark.parametrize(
    ("server_name", "binding", "by", "during"),
    [
        *BY_NAME,
        ("localhost", "address", "address", "renegotiation"),
        ("unknown.localhost", "address", "address", "renegotiation"),
        ("x.asking.localhost", "address", "address", "renegotiation"),
        (NO_NAME, "address", "address", "renegotiation"),
    ],
)
def test_each_record_has_its_own_settings(talk, request_bytes, server_name, binding, by, during):
    """A known name gets its record; any other name, or none, that of the address. The record decides when to ask."""
    client = talk(TLS_1_2, bindings=BINDINGS, name=server_name)
    client.send(request_bytes("GET", "/upload"))
    assert client.statuses() == ["200"]
    chosen = client.only(BindingChosen)
    assert (chosen.binding, chosen.by) == (binding, by)
    assert chosen.client_cert_negotiation == ("enable" if during == "handshake" else "disable")
    assert [event.during for event in client.all(CertificateRequested)] == [during]
    assert len(client.all(HelloRequestSent)) == (during == "renegotiation")


@pytest.mark.parametrize("asks", [True, False])
def test_the_record_of_the_address_can_be_the_one_that_asks(talk, request_bytes, asks):
    """The contrast: the settings belong to the record, not to the kind of record."""
    bindings = {"address": ("0.0.0.0:8443", asks), "name": ("name.localhost:8443", not asks)}
    for server_name, asked in (("localhost", asks), ("name.localhost", not asks), (NO_NAME, asks)):
        client = talk(TLS_1_2, bindings=bindings, name=server_name)
        client.send(request_bytes("GET", "/upload"))
        assert bool(client.all(HelloRequestSent)) is not asked


@pytest.mark.parametrize("protocol", [TLS_1_2, Protocol.TLS1_3])
@pytest.mark.parametrize("server_name", [NO_NAME, "localhost"])
def test_names_alone_leave_the_others_without_a_binding(talk, protocol, server_name):
    """Without a record for the address, whoever names none of the names is reset, and both reasons are told apart."""
    client = talk(protocol, bindings=NAMES_ONLY, name=server_name)
    named = None if server_name == NO_NAME else server_name
    assert client.only(NoBindingMatched).server_name == named
    assert client.only(ClientHelloReceived).server_name == named
    assert isinstance(client.server.closing, Reset)
    assert client.server.take_flights() == []
    assert not client.all(BindingChosen)


@pytest.mark.parametrize(("server_name", "binding", "by", "during"), BY_NAME)
def test_names_alone_serve_their_own_clients(talk, request_bytes, server_name, binding, by, during):
    """The same port still works for those who name one of them."""
    client = talk(TLS_1_2, bindings=NAMES_ONLY, name=server_name)
    client.send(request_bytes("GET", "/upload"))
    assert client.statuses() == ["200"]
    assert (client.only(BindingChosen).binding, client.only(BindingChosen).by) == (binding, by)
    assert [event.during for event in client.all(CertificateRequested)] == [during]


# --- a certificate that is no longer in the store ---

GONE = {"quiet": ServerCertificate.DELETED}


@pytest.mark.parametrize("protocol", [TLS_1_2, Protocol.TLS1_3])
def test_a_record_without_its_certificate_resets(talk, protocol):
    """As soon as the hello has chosen it: nothing is sent, nothing else is told, and time changes nothing."""
    client = talk(protocol, bindings=BINDINGS, certificates=GONE, name="quiet.localhost")
    event = client.only(CertificateNotUsable)
    assert (event.connection, event.binding, event.endpoint) == (1, "quiet", "quiet.localhost:8443")
    assert isinstance(client.server.closing, Reset)
    assert client.server.take_flights() == []
    assert client.server.next_deadline is None
    client.server.receive_data(b"more", 1.0)
    client.server.note_closed(1.0)
    client.told += client.server.take_events()
    kinds = [ConnectionOpened, ClientHelloReceived, BindingChosen, CertificateNotUsable, ConnectionClosed]
    assert [type(event) for event in client.told] == kinds
    closed = client.only(ConnectionClosed)
    assert (closed.how, closed.binding) == ("reset", "quiet")  # what follows the choice is told of it


@pytest.mark.parametrize(
    ("server_name", "binding"), [("asking.localhost", "asking"), ("localhost", "address"), (NO_NAME, "address")]
)
def test_the_other_records_have_theirs(talk, request_bytes, server_name, binding):
    """The contrast, on the same address and port."""
    client = talk(TLS_1_2, bindings=BINDINGS, certificates=GONE, name=server_name)
    client.send(request_bytes("GET", "/upload"))
    assert client.statuses() == ["200"]
    assert client.only(ResponseSent).binding == binding
    assert not client.all(CertificateNotUsable)


def test_a_lab_without_any_certificate(talk):
    """It can be had, and resets everybody."""
    client = talk(TLS_1_2, certificates={"site": ServerCertificate.DELETED})
    assert client.only(CertificateNotUsable).endpoint == "0.0.0.0:8443"
    assert isinstance(client.server.closing, Reset)


@pytest.mark.parametrize("piece", [1, 50])
def test_before_the_hello_is_whole_nothing_is_decided(make_lab, talk, piece):
    """It takes the hello to choose the record; what comes in pieces is waited for."""
    lab = make_lab(TLS_1_2, certificates={"site": ServerCertificate.DELETED})
    client = talk(lab=lab, opened=False)
    client.client.read(0)
    hello = client.client.data_to_send()
    for start in range(0, len(hello), piece):
        assert client.server.closing is None
        client.server.receive_data(hello[start : start + piece], 0.0)
    assert isinstance(client.server.closing, Reset)
