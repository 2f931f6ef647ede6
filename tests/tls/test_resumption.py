"""What a session brings along when a client comes back, and when it does not come back at all."""

from __future__ import annotations

import pytest

from tlslab.events import CertificateRequested, ClientCertificateReceived, ServerHelloSent, SessionResumed
from tlslab.tls.context import Protocol, client_context, server_context
from tlslab.tls.server import ServerTls
from tlslab.types import Verdict

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
BOTH = pytest.mark.parametrize("protocol", [TLS_1_2, TLS_1_3])


class Visits:
    """Connections of one client to one binding, each trying to resume the session of the one before."""

    def __init__(self, join, server_settings, client_settings, protocol, asks=True, name="site"):
        self.context = server_context(server_settings(protocol, asks=asks), name)
        self.client = client_context(client_settings("alice"))
        self._join = join
        self._protocol = protocol
        self.session = None

    def visit(self, context=None):
        """Shake hands on a new connection; `context` is another binding's."""
        ends = self._join(self._protocol, client=self.client, handshake=False)
        ends.server = ServerTls(context or self.context, ends.recorder, ends.watcher)
        if self.session is not None:
            ends.client._connection.set_session(self.session)
        ends.exchange()
        return ends

    def remember(self, ends):
        """Keep the client's session for the next visit, tickets that came later included."""
        ends.answer(b"x")
        ends.pass_on(ends.server, ends.client)
        ends.client.read(1)
        self.session = ends.client._connection.get_session()
        ends.client.leave_resumable()  # else OpenSSL would forget it on the client's side


@pytest.fixture
def visits(join, server_settings, client_settings):
    """Make a client that comes back."""
    return lambda protocol, **options: Visits(join, server_settings, client_settings, protocol, **options)


@BOTH
@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("end", ["close", "leave_resumable"])
def test_resumption_keeps_the_certificate(visits, protocol, asks, end):
    """A session that got its certificate, at once or by a later question, brings it along and is not asked again."""
    client = visits(protocol, asks=asks)
    first = client.visit()
    if not asks:
        first.ask()
        first.exchange()
    client.remember(first)
    certificate = first.server.client_certificate
    first.close() if end == "close" else first.server.leave_resumable()
    del first  # OpenSSL decides about the session when it frees the connection
    second = client.visit()
    facts = second.server.facts()
    assert facts.resumed
    assert second.only(ServerHelloSent).resumed
    assert second.only(SessionResumed)
    assert facts.client_certificate == certificate
    assert not second.all(CertificateRequested)
    assert not second.all(ClientCertificateReceived)  # nothing was received: it was remembered


def test_a_new_session_is_not_resumed(visits):
    """Without the session the next connection starts from nothing."""
    client = visits(TLS_1_2)
    client.visit().close()
    second = client.visit()
    assert not second.server.facts().resumed
    assert not second.all(SessionResumed)
    assert second.only(CertificateRequested)


def test_a_connection_that_is_just_dropped_takes_its_session_along(visits):
    """OpenSSL forgets the session of a connection that just went: what close() and leave_resumable() are for."""
    client = visits(TLS_1_2)
    first = client.visit()
    client.remember(first)
    del first
    assert not client.visit().server.facts().resumed


def test_another_binding_does_not_resume(visits, server_settings):
    """Sessions of one binding mean nothing to another: their names keep them apart."""
    client = visits(TLS_1_2)
    first = client.visit()
    client.remember(first)
    first.close()
    other = server_context(server_settings(TLS_1_2, asks=True), "another site")
    assert not client.visit(other).server.facts().resumed
    assert client.visit().server.facts().resumed


def test_an_untrusted_certificate_stays_so_when_resumed(visits, client_settings):
    """The verdict is part of what is remembered."""
    client = visits(TLS_1_2)
    client.client = client_context(client_settings("carol"))
    first = client.visit()
    client.remember(first)
    first.close()
    second = client.visit()
    assert second.server.facts().resumed
    assert second.server.client_certificate.verdict is Verdict.EXPIRED
