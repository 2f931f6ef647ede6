"""IIS's own way out of the deadlock: the body is read ahead, and one that is too large is answered with 413."""

from __future__ import annotations

import pytest

from tlslab.events import (
    AlertSent,
    CertificateRequested,
    ClientCertificateReceived,
    EntityBodyStalled,
    HttpErrLogged,
    ReadAheadExceeded,
    ResponseSent,
)
from tlslab.httpsys.client_certificate import ReadAhead413
from tlslab.tls.context import Protocol
from tlslab.types import Drain

SIZE = 49_152
BOTH = pytest.mark.parametrize("protocol", [Protocol.TLS1_2, Protocol.TLS1_3])
MIB = bytes(1024 * 1024)


@BOTH
@pytest.mark.parametrize(("size", "status"), [(0, "200"), (SIZE, "200"), (SIZE + 1, "413"), (len(MIB), "413")])
def test_the_size_decides(talk, post, protocol, size, status):
    """Up to the size the certificate is asked for behind the body; one byte more, and nobody is asked."""
    client = talk(protocol, client_cert_retrieval=ReadAhead413())
    client.send(post("/upload", bytes(size)))
    assert client.statuses() == [status]
    assert bool(client.all(CertificateRequested)) is (status == "200")
    assert not client.all(EntityBodyStalled)


@BOTH
def test_the_refusal(talk, post, protocol):
    """413 with its advice, no certificate, no HTTPERR line; then a drain, without close_notify."""
    client = talk(protocol, client_cert_retrieval=ReadAhead413())
    client.send(post("/upload", MIB))
    [(status, answer)] = client.answers()
    assert (status, answer["status"], answer["error"]) == (413, "413.0", "Request Entity Too Large")
    assert "uploadReadAheadSize" in answer["advice"]
    assert (answer["client_certificate"], answer["body"]["length"]) == (None, SIZE)
    sent = client.only(ResponseSent)
    assert (sent.status, sent.substatus, sent.certificate) == (413, 0, None)
    assert client.only(ReadAheadExceeded).body_announced == len(MIB)
    assert isinstance(client.server.closing, Drain)
    assert not client.all(AlertSent)
    assert not client.all(HttpErrLogged)


def test_a_page_for_people(talk, post):
    """Who accepts HTML sees the status as IIS writes it."""
    client = talk(Protocol.TLS1_2, client_cert_retrieval=ReadAhead413())
    client.send(post("/upload", MIB, "Accept: text/html"))
    assert b"HTTP Error 413.0 - Request Entity Too Large" in client.received


@BOTH
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_primed_connection_takes_any_body(talk, request_bytes, post, protocol, method):
    """Once the certificate is there nothing has to be read ahead."""
    client = talk(protocol, client_cert_retrieval=ReadAhead413())
    client.send(request_bytes(method, "/upload"))
    client.send(post("/upload", MIB))
    assert client.statuses(method.encode())[-1] == "200"
    assert len(client.all(ClientCertificateReceived)) == 1


@BOTH
def test_a_binding_that_negotiates_takes_any_body(talk, post, protocol):
    """The certificate came with the connection."""
    client = talk(protocol, client_cert_retrieval=ReadAhead413(), asks=True)
    client.send(post("/upload", MIB))
    assert client.statuses() == ["200"]


@BOTH
def test_who_waits_for_100_continue_is_asked_at_once(talk, post, protocol):
    """Its body is not on its way: no 413, and when the certificate is there the body may come."""
    client = talk(protocol, client_cert_retrieval=ReadAhead413())
    client.send(post("/upload", b"", "Expect: 100-continue").replace(b"Length: 0", b"Length: %d" % len(MIB)))
    assert client.statuses() == ["100"]
    client.send(MIB)
    assert client.statuses() == ["100", "200"]
