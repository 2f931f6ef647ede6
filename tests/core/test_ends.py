"""How a refused upload ends is set; and an application that asks for the certificate at a moment of its own."""

from __future__ import annotations

import pytest

from tlslab.events import CertificateRetrievalStarted, ClientHelloReceived, EntityBodyStalled
from tlslab.httpsys.client_certificate import AfterAWhile, ReadAhead413
from tlslab.httpsys.timers import DRAIN_LIMIT, Timers
from tlslab.tls.context import Protocol
from tlslab.types import Drain, Reset

TLS_1_2 = Protocol.TLS1_2
BODY = bytes(64 * 1024)
NO_TIME = Timers(drain_entity_body=0)


@pytest.mark.parametrize(
    ("changes", "closing"),
    [
        ({}, Drain(120.0, DRAIN_LIMIT)),
        ({"timers": Timers(drain_entity_body=3), "drain_entity_body_limit": 1000}, Drain(3.0, 1000)),
        ({"timers": NO_TIME}, Reset()),
        ({"drain_entity_body_limit": 0}, Reset()),
    ],
)
def test_a_refused_upload_is_drained_as_it_is_set(talk, post, changes, closing):
    """So many bytes, for so long; nothing of either is a reset, on the heels of the 413."""
    client = talk(TLS_1_2, client_cert_retrieval=ReadAhead413(size=1024), **changes)
    client.send(post("/upload", BODY))
    assert (client.statuses(), client.server.closing) == (["413"], closing)


@pytest.mark.parametrize("changes", [{"timers": NO_TIME}, {"drain_entity_body_limit": 0}])
def test_without_a_body_to_come_nothing_is_reset(talk, get, changes):
    """The contrast: the last answer of a connection is waited for, whatever is set for uploads."""
    client = talk(TLS_1_2, **changes)
    client.send(get("/open", "Connection: close"))
    assert client.statuses() == ["200"]
    assert isinstance(client.server.closing, Drain)


# --- an application that asks at a moment of its own ---


@pytest.mark.parametrize("size", [0, 100, len(BODY)])
def test_it_asks_after_a_while_whatever_has_come(talk, post, size):
    """Not before, though the body is whole; the certificate comes, and the answer is 200."""
    client = talk(TLS_1_2, client_cert_retrieval=AfterAWhile(delay=5))
    client.send(post("/upload", bytes(size)))
    client.pass_time(4.9)
    assert not client.all(CertificateRetrievalStarted)
    assert client.server.next_deadline == 5.0
    client.pass_time(0.1)
    assert client.only(CertificateRetrievalStarted).body_received == size
    assert client.statuses() == ["200"]


def test_no_timer_waits_for_the_application(talk, post):
    """With the body there, an application may take longer than any timer of http.sys."""
    client = talk(TLS_1_2, client_cert_retrieval=AfterAWhile(delay=500), timers=Timers(entity_body=10))
    client.send(post("/upload", b"x"))
    client.pass_time(499)
    assert client.server.closing is None
    client.pass_time(1)
    assert client.statuses() == ["200"]


def _half_way(talk, post, policy):
    """An upload of which a part comes, then the moment of the question, then the rest."""
    client = talk(TLS_1_2, client_cert_retrieval=policy)
    upload = post("/upload", BODY)
    client.send(upload[: len(upload) // 2])
    # The rest is written before the client sees the question, so that its ClientHello comes behind it.
    rest = upload[len(upload) // 2 :]
    for start in range(0, len(rest), 16_000):
        assert client.client.write(rest[start : start + 16_000])
    behind = client.client.data_to_send()
    client.driver.tick(5.0)
    client.now = 5.0
    client.up += behind
    client.run()
    return client


def test_it_reads_meanwhile(talk, post):
    """What comes while the answer is awaited is read, the ClientHello behind it too."""
    client = _half_way(talk, post, AfterAWhile(delay=5))
    assert 0 < client.only(CertificateRetrievalStarted).body_received < len(BODY)
    assert client.all(ClientHelloReceived)[-1].behind_body_bytes == len(BODY)
    assert client.statuses() == ["200"]


def test_it_need_not(talk, post):
    """The contrast: a blocking call at the same moment reads nothing, and freezes."""
    client = _half_way(talk, post, AfterAWhile(delay=5, max=None))
    assert client.only(EntityBodyStalled)
    assert client.statuses() == []
    client.pass_time(120)
    assert client.server.closing == Reset()
