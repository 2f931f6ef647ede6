"""The OpenSSL contexts that carry out what the session table says."""

from __future__ import annotations

import gc
import resource
import sys

import pytest
from OpenSSL import SSL

from tlslab.core import sessions
from tlslab.events import SessionNotResumed
from tlslab.tls.context import Protocol, ServerContext
from tlslab.wire.client_hello_reader import ClientHelloReader

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3


def test_tls_1_3_has_a_context_of_its_own(regular):
    """Ten thousand of its connections would push every other session out of OpenSSL's memory."""
    client = regular(TLS_1_2, TLS_1_3)
    newer, older = (ClientHelloReader().feed_untrusted(client.hello(options)) for options in (0, SSL.OP_NO_TLSv1_3))
    of_newer, of_older = (client.lab._sessions.choose("site", hello, 0.0).context for hello in (newer, older))
    assert of_newer is not of_older
    assert of_newer is client.lab._sessions.choose("site", newer, 0.0).context


def test_old_sessions_resume_when_others_issue(regular, monkeypatch):
    """Contexts take turns; a session is resumed by the one that issued it, however long ago."""
    monkeypatch.setattr(sessions, "ISSUED_BEFORE_NEW", 3)
    client = regular()
    visitors = []
    for _ in range(11):
        client.session = None
        client.visit()
        visitors.append(client.session)
    for session in visitors:
        client.session = session
        assert client.resumes()


def test_a_session_that_left_stays_away_when_others_issue(regular, monkeypatch):
    """Whichever context is next, none takes up what the table let go."""
    monkeypatch.setattr(sessions, "ISSUED_BEFORE_NEW", 3)
    client = regular(schannel={"maximum_cache_size": 2})
    client.visit()
    lost = client.session
    for _ in range(10):
        client.newcomers(2)
        client.session = lost
        told = client.visit().only(SessionNotResumed)
        assert told.reason == "fifo"


def contexts_alive() -> int:
    """The contexts of servers that exist in this process."""
    gc.collect()
    return sum(isinstance(one, ServerContext) for one in gc.get_objects())


def test_contexts_go_with_their_last_session(regular, monkeypatch):
    """OpenSSL forgets no session alone, so a context whose sessions have all left is given up."""
    monkeypatch.setattr(sessions, "ISSUED_BEFORE_NEW", 3)
    client = regular(schannel={"maximum_cache_size": 4})
    client.newcomers(10)
    before = contexts_alive()
    client.newcomers(40)
    assert contexts_alive() <= before + 1


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory has another unit elsewhere")
def test_twenty_thousand_sessions(regular):
    """The table full at its later default, with handshakes on top: it costs what OpenSSL needs, and no more comes."""
    client = regular(wanted=frozenset())
    client.newcomers(1_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    client.newcomers(19_000)
    full = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    client.newcomers(5_000)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert full - before < 100 * 1024
    assert after - full < 10 * 1024
