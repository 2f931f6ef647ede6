"""What the connections of a lab share: its plan, its contexts, their sessions, and who reads what."""

from __future__ import annotations

import pytest

from tlslab.core.machine import Machine
from tlslab.events import (
    ALL,
    CertificateRequested,
    ClientHelloReceived,
    ConnectionOpened,
    Event,
    HelloRequestSent,
    ResponseSent,
    ServerHelloSent,
    SstpCertificatesDiffer,
)
from tlslab.httpsys.bindings import ServerCertificate
from tlslab.tls.context import Protocol, client_context

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
BOTH = pytest.mark.parametrize("protocol", [TLS_1_2, TLS_1_3])


def test_connections_are_counted_and_numbered(make_lab):
    """From 1: 0 is the lab itself."""
    lab = make_lab()
    [listener] = lab.plan.listeners
    connections = [lab.accept(listener, f"peer:{n}", "local:1", 2.0) for n in range(3)]
    opened = [connection.take_events()[0] for connection in connections]
    assert [event.connection for event in opened] == [1, 2, 3]
    assert opened[1] == ConnectionOpened(2.0, 2, "", "peer:1", "local:1")
    assert lab.connections_accepted == 3


def test_a_key_log_is_for_all_connections(make_lab, talk):
    """Whoever captures gets the secrets."""
    lines: list[bytes] = []
    talk(lab=Machine(make_lab().plan, ALL, lines.append))
    assert lines


@pytest.mark.parametrize(
    "wanted", [frozenset(), frozenset({ResponseSent}), frozenset({HelloRequestSent, ResponseSent})]
)
def test_only_what_is_wanted_is_told(talk, request_bytes, wanted):
    """Nothing is built that nobody reads; the conversation is the same."""
    client = talk(TLS_1_2, wanted=wanted)
    client.send(request_bytes("GET", "/upload"))
    assert client.statuses() == ["200"]
    assert {type(event) for event in client.told} == wanted


def test_a_reader_that_comes_late(make_lab, talk, request_bytes):
    """What is wanted may change while connections are open."""
    wanted: set[type[Event]] = set()
    client = talk(lab=Machine(make_lab().plan, wanted))
    wanted.add(ResponseSent)
    client.send(request_bytes("GET", "/upload"))
    assert [type(event) for event in client.told] == [ResponseSent]


# --- SSTP ---

BOTH_FAMILIES = {"four": ("0.0.0.0:8443", False), "six": ("[::]:8443", False)}
RSA, DELETED = ServerCertificate.SERVER_RSA, ServerCertificate.DELETED


@pytest.mark.parametrize(
    ("bindings", "named", "differ"),
    [
        (BOTH_FAMILIES, {}, None),
        (BOTH_FAMILIES, {"six": RSA}, ("server", "server-rsa")),
        (BOTH_FAMILIES, {"four": DELETED}, ("deleted", "server")),
        (BOTH_FAMILIES, {"four": DELETED, "six": DELETED}, None),
        ({"four": BOTH_FAMILIES["four"]}, {}, ("server", "")),
        ({"six": BOTH_FAMILIES["six"]}, {}, ("", "server")),
        ({"name": ("a.localhost:8443", False), "exact": ("127.0.0.1:8443", False)}, {"exact": RSA}, None),
        ({**BOTH_FAMILIES, "exact": ("127.0.0.1:8443", False)}, {"exact": RSA}, None),
    ],
)
def test_sstp_compares_the_wildcards_of_its_port(make_lab, bindings, named, differ):
    """Once, at the start, of the lab itself; names and exact addresses are nothing to it."""
    lab = make_lab(bindings=bindings, certificates=named, sstp_listener_port=8443)
    told = [] if differ is None else [SstpCertificatesDiffer(0.0, 0, "", 8443, *differ)]
    assert lab.take_events() == told
    lab.tick(1000.0)
    [listener] = lab.plan.listeners
    lab.accept(listener, "peer:1", "local:1", 1000.0)
    assert lab.take_events() == []


@pytest.mark.parametrize("port", [None, 443])
def test_sstp_elsewhere_or_nowhere(make_lab, port):
    """Without SSTP, or with it on a port that has no record at all, certificates may differ as they like."""
    lab = make_lab(bindings=BOTH_FAMILIES, certificates={"six": RSA}, sstp_listener_port=port)
    assert lab.take_events() == []


def test_nobody_asks_what_sstp_says(make_lab):
    """As every event, it is built for its readers alone."""
    wanted = ALL - {SstpCertificatesDiffer}
    assert make_lab(sstp_listener_port=8443, wanted=wanted).take_events() == []
    assert len(make_lab(sstp_listener_port=8443).take_events()) == 1


# --- sessions ---


class Regular:
    """A client that comes back with the session of its last visit."""

    def __init__(self, talk, lab, context):
        self._talk, self._lab, self._context = talk, lab, context
        self._session = None

    def visit(self, *requests, name="localhost", resets=False):
        """Connect, say something, and go: as a client should, or by a reset."""
        client = self._talk(lab=self._lab, client=self._context, opened=False, name=name)
        if self._session is not None:
            client.client._connection.set_session(self._session)
        client.open()
        for request in requests:
            client.send(request)
        self._session = client.client._connection.get_session()
        if resets:
            client.server.receive_reset(0.0)
        else:
            client.client.close()
        client.run()
        client.server.note_closed(0.0)
        del client.server, client.driver  # OpenSSL decides about the session when it frees the connection
        return client


@pytest.fixture
def regular(talk, client_settings):
    """Make such a client."""
    return lambda lab, identity="alice": Regular(talk, lab, client_context(client_settings(identity)))


@BOTH
@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize("resets", [False, True])
def test_a_session_keeps_the_certificate(make_lab, regular, request_bytes, protocol, asks, resets):
    """However the first connection ended, the second resumes and knows who this is: no question, 200."""
    client = regular(make_lab(protocol, asks=asks))
    get = request_bytes("GET", "/upload")
    first = client.visit(get, resets=resets)
    assert len(first.all(CertificateRequested)) == 1
    second = client.visit(get)
    assert second.only(ServerHelloSent).resumed
    assert second.only(ResponseSent).certificate == "CN=alice"
    assert not second.all(CertificateRequested)
    assert second.answers()[0][1]["session_resumed"] is True


def test_a_large_upload_on_a_resumed_session_does_not_freeze(make_lab, regular, request_bytes):
    """Nobody has to be asked any more."""
    client = regular(make_lab(TLS_1_2))
    client.visit(request_bytes("GET", "/upload"))
    second = client.visit(request_bytes("POST", "/upload", body=bytes(100_000)))
    assert second.statuses() == ["200"]


@BOTH
def test_a_session_without_the_certificate_has_none(make_lab, regular, request_bytes, protocol):
    """It resumes, and is asked as the first connection would have been."""
    client = regular(make_lab(protocol))
    client.visit(request_bytes("GET", "/open"))
    second = client.visit(request_bytes("GET", "/upload"))
    assert second.all(ServerHelloSent)[0].resumed
    assert len(second.all(CertificateRequested)) == 1
    assert second.only(ResponseSent).certificate == "CN=alice"


@BOTH
def test_a_bad_certificate_is_bad_when_resumed(make_lab, regular, request_bytes, protocol):
    """The verdict stays with the session."""
    client = regular(make_lab(protocol), "bob")
    assert client.visit(request_bytes("GET", "/upload")).statuses() == ["403.16"]
    second = client.visit(request_bytes("GET", "/upload"))
    assert second.only(ServerHelloSent).resumed
    assert second.statuses() == ["403.16"]


def test_sessions_of_another_binding_are_strange(make_lab, regular, request_bytes):
    """Each binding knows its own."""
    lab = make_lab(TLS_1_2, bindings={"site": ("0.0.0.0:8443", True), "upload": ("upload.localhost:8443", True)})
    client = regular(lab)
    client.visit(request_bytes("GET", "/upload"))
    second = client.visit(request_bytes("GET", "/upload"), name="upload.localhost")
    assert second.only(ClientHelloReceived).session_id
    assert not second.only(ServerHelloSent).resumed
    assert second.only(CertificateRequested)
