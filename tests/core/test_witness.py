"""What the core adds to what TLS sees: the body before a ClientHello, and the issuers that had no room."""

from __future__ import annotations

import pytest

from tlslab.core.plan import CutIssuers
from tlslab.events import CertificateRequested, ClientHelloReceived, IssuerListTruncated
from tlslab.tls.context import Protocol

CUT = {"site": CutIssuers(("CN=Somebody Else",), 4711)}
BOTH = pytest.mark.parametrize("protocol", [Protocol.TLS1_2, Protocol.TLS1_3])


@BOTH
@pytest.mark.parametrize("asks", [True, False], ids=["at-once", "later"])
def test_a_list_that_was_cut(talk, request_bytes, protocol, asks):
    """With the CertificateRequest it is told which issuers it names, as they went out, and which did not fit."""
    client = talk(protocol, asks=asks, cut_issuers=CUT)
    client.send(request_bytes("GET", "/upload"))
    request, cut = client.only(CertificateRequested), client.only(IssuerListTruncated)
    assert client.told.index(cut) == client.told.index(request) + 1
    assert (cut.sent, cut.wire_bytes) == (request.issuers, request.issuers_bytes) != ((), 0)
    assert (cut.dropped, cut.limit_bytes, cut.event_id) == (("CN=Somebody Else",), 4711, 36885)


@pytest.mark.parametrize(("event_logging", "logged"), [(1, False), (3, True)])
def test_whether_windows_writes_it(talk, event_logging, logged):
    """The entry is a warning, which EventLogging lets through from 3 on (KB933430)."""
    client = talk(asks=True, cut_issuers=CUT, schannel={"event_logging": event_logging})
    assert client.only(IssuerListTruncated).logged is logged


def test_a_list_that_fits(talk):
    """Its twin: nothing was dropped, and nothing is told."""
    client = talk(asks=True)
    assert client.only(CertificateRequested)
    assert not client.all(IssuerListTruncated)


@pytest.mark.parametrize("wanted", [{CertificateRequested}, {IssuerListTruncated}, set()])
def test_each_event_of_the_list_is_told_to_who_wants_it(talk, wanted):
    """One without the other, or neither."""
    client = talk(asks=True, cut_issuers=CUT, wanted=frozenset(wanted))
    assert {type(event) for event in client.told} == wanted


def test_how_much_body_came_before_the_second_hello(talk, request_bytes):
    """A ClientHello that answers HelloRequest is told with the body that was read before it, the first with none."""
    client = talk(Protocol.TLS1_2)
    client.send(request_bytes("POST", "/upload", body=b"a body"))
    first, second = client.all(ClientHelloReceived)
    assert (first.renegotiation, first.behind_body_bytes) == (False, None)
    assert (second.renegotiation, second.behind_body_bytes, second.server_name) == (True, 6, "localhost")
