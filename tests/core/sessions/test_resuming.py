"""Who may resume what, on the wire, and what is told of it."""

from __future__ import annotations

import pytest

from tlslab.events import (
    CertificateRequested,
    ClientHelloReceived,
    HelloRequestSent,
    ResponseSent,
    ServerHelloSent,
    SessionNotResumed,
    SessionResumed,
    TlsFailed,
)
from tlslab.tls.context import Protocol

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
IDLE_SECONDS = 300.0
HOURS_10 = 36_000.0
NO_EXTENDED_MASTER_SECRET = 1  # SSL_OP_NO_EXTENDED_MASTER_SECRET, for which pyOpenSSL has no name


# --- what is told ------------------------------------------------------------------------------------


def test_a_session_is_resumed(regular):
    """The ServerHello repeats the id of the ClientHello, and that is what the event says."""
    client = regular()
    issued = client.visit().only(ServerHelloSent).session_id
    again = client.visit()
    assert again.only(ClientHelloReceived).session_id == issued
    assert again.only(ServerHelloSent).session_id == again.only(SessionResumed).session_id == issued
    assert not again.all(SessionNotResumed)


def test_a_first_visit_tells_nothing_of_sessions(regular):
    """Who offers none is neither resumed nor refused."""
    first = regular().visit()
    assert first.names(SessionResumed, SessionNotResumed) == []


@pytest.mark.parametrize(
    ("reason", "knob", "options", "now"),
    [
        ("idle_purge", "EnableKernelSSL", {"enable_kernel_ssl": False}, IDLE_SECONDS),
        ("lifetime", "ServerCacheTime", {}, HOURS_10),
        ("lifetime", "ServerCacheTime", {"schannel": {"server_cache_time": 60}}, 60.0),
        ("disabled", "MaximumCacheSize", {"schannel": {"maximum_cache_size": 0}}, 0.0),
        ("disabled", "ServerCacheTime", {"schannel": {"server_cache_time": 0}}, 0.0),
    ],
)
def test_why_it_was_not_resumed(regular, reason, knob, options, now):
    """The old and the new id are those on the wire; the reason and its knob are the table's."""
    client = regular(**options)
    client.visit(0.0)
    again = client.visit(now)
    told = again.only(SessionNotResumed)
    assert (told.reason, told.knob) == (reason, knob)
    assert told.old_id == again.only(ClientHelloReceived).session_id
    assert told.new_id == again.only(ServerHelloSent).session_id != told.old_id
    assert not again.all(SessionResumed)
    if reason != "disabled":
        assert client.resumes(now)


def test_first_in_first_out_on_the_wire(regular):
    """Two fit: the third takes the first away, however often it was used, and the event counts what is left."""
    client = regular(schannel={"maximum_cache_size": 2})
    client.visit()
    client.newcomers(1)
    assert client.resumes()
    client.newcomers(1)
    told = client.visit().only(SessionNotResumed)
    assert (told.reason, told.knob) == ("fifo", "MaximumCacheSize")
    assert (told.entries, told.lsass_bytes_low, told.lsass_bytes_high) == (2, 2 * 2048, 2 * 4096)


def test_the_memory_is_two_to_four_kilobytes_for_each(regular):
    """What lsass is said to need follows the number of sessions in the table."""
    client = regular(schannel={"maximum_cache_size": 50})
    client.visit()
    client.newcomers(50)
    told = client.visit().only(SessionNotResumed)
    assert (told.entries, told.lsass_bytes_low, told.lsass_bytes_high) == (50, 102_400, 204_800)


def test_a_session_that_does_not_fit(regular):
    """The table has it, and TLS does not take it up: the client offers more than it did then (RFC 7627, 5.3)."""
    client = regular()
    client.visit(client_options=NO_EXTENDED_MASTER_SECRET)
    told = client.visit().only(SessionNotResumed)
    assert (told.reason, told.knob, told.entries) == ("not_acceptable", "", 1)


def test_a_session_that_fits_less(regular):
    """The client offers less than it did then: TLS must end, nobody is told of a session, and it stays."""
    client = regular()
    client.visit()
    worse = client.connect(client_options=NO_EXTENDED_MASTER_SECRET)
    assert worse.only(TlsFailed)
    assert worse.names(SessionResumed, SessionNotResumed, ServerHelloSent) == []
    assert client.of_lab() == []


# --- what is no attempt to resume -----------------------------------------------------------------------


def test_random_bytes_of_a_newer_client_are_no_attempt(regular):
    """A client that knows TLS 1.3 puts 32 bytes there that nobody issued (RFC 8446, 4.1.2)."""
    client = regular(TLS_1_2)
    first = client.visit()
    assert len(first.only(ClientHelloReceived).session_id) == 64
    assert first.names(SessionResumed, SessionNotResumed) == []


def test_tls_1_3_has_no_ids(regular):
    """What TLS 1.3 resumes is not in the table, and is told of all the same."""
    client = regular(TLS_1_3)
    client.visit()
    client.visit()
    assert (client.of_lab(), client.lab.next_deadline) == ([], None)


def test_an_id_of_before_the_lab_started_is_strange(regular):
    """Two labs share nothing; what the other issued is no attempt here."""
    one, other = regular(), regular()
    one.visit()
    other.session = one.session
    visit = other.visit()
    assert visit.only(ClientHelloReceived).session_id == one.visit().only(SessionResumed).session_id
    assert visit.names(SessionResumed, SessionNotResumed) == []


def test_sessions_of_another_binding_are_strange(regular):
    """Each binding has its own; the first one's session is still good for the first."""
    client = regular(bindings={"site": ("0.0.0.0:8443", False), "upload": ("upload.localhost:8443", False)})
    client.visit()
    kept = client.session
    other = client.visit(name="upload.localhost")
    assert not other.only(ServerHelloSent).resumed
    assert not other.all(SessionNotResumed)
    client.session = kept
    assert client.resumes()


# --- certificates and renegotiation ----------------------------------------------------------------------


def test_the_certificate_comes_with_the_session(regular, request_bytes):
    """A resumed session knows who this is, and nobody is asked."""
    client = regular(identity="alice", asks=True)
    client.visit()
    again = client.connect()
    again.send(request_bytes("GET", "/upload"))
    assert again.all(SessionResumed)
    assert not again.all(CertificateRequested)
    assert again.only(ResponseSent).certificate == "CN=alice"


def test_a_session_that_has_left_is_asked_again(regular, request_bytes):
    """The full handshake asks, as the first did."""
    client = regular(identity="alice", asks=True, schannel={"server_cache_time": 60})
    client.visit(0.0)
    again = client.connect(60.0)
    assert len(again.all(CertificateRequested)) == 1
    again.send(request_bytes("GET", "/upload"))
    assert again.only(ResponseSent).certificate == "CN=alice"


def test_a_renegotiation_makes_a_session_and_refuses_none(regular, request_bytes):
    """The second handshake of a connection is full by intent, and its session is in the table with the certificate."""
    client = regular(identity="alice")
    asked = client.connect()
    asked.send(request_bytes("GET", "/upload"))
    assert asked.all(HelloRequestSent)
    assert not asked.all(SessionNotResumed)
    client.session = asked.client.session()
    again = client.visit()
    assert again.only(SessionResumed).session_id == asked.all(ServerHelloSent)[1].session_id
    assert not again.all(CertificateRequested)
