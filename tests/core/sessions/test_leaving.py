"""What leaves the session table of a lab, and when."""

from __future__ import annotations

import pytest

from tlslab.core.connection import Connection
from tlslab.events import (
    ClientHelloReceived,
    ServerHelloSent,
    SessionEvicted,
    SessionNotResumed,
    SessionResumed,
    TlsFailed,
)
from tlslab.httpsys.timers import Timers

IDLE_SECONDS = 300.0
HOURS_10 = 36_000.0
JUNK_RECORD = b"\x17\x03\x03\x00\x20" + bytes(32)  # application data that does not decrypt


@pytest.mark.parametrize("closed", [True, False])
def test_idle_sessions_are_purged_when_due(regular, closed):
    """At the moment the lab names, with nobody connecting; whether the connection is open or not."""
    client = regular(enable_kernel_ssl=False, timers=Timers(idle_connection=1200.0))
    first = client.visit(10.0) if closed else client.connect(10.0)
    lab = client.lab
    assert lab.next_deadline == 10.0 + IDLE_SECONDS
    lab.tick(309.9)
    assert client.of_lab() == []
    lab.tick(lab.next_deadline)
    [gone] = client.of_lab()
    assert isinstance(gone, SessionEvicted)
    assert (gone.at, gone.connection, gone.binding) == (310.0, 0, "site")
    assert (gone.reason, gone.knob, gone.age_seconds, gone.entries) == ("idle_purge", "EnableKernelSSL", 300.0, 0)
    assert gone.session_id == first.only(ServerHelloSent).session_id
    assert gone.session_id == client.visit(310.0).only(SessionNotResumed).old_id
    assert lab.next_deadline == 610.0


def test_use_of_the_connection_keeps_the_session(regular, request_bytes):
    """Any byte that arrives starts the five minutes anew; the lab's own answer does not."""
    client = regular(enable_kernel_ssl=False)
    open_one = client.connect(0.0)
    open_one.now = 200.0
    open_one.send(request_bytes("GET", "/open"))
    assert open_one.statuses() == ["200"]
    assert client.lab.next_deadline == 500.0


def test_a_resumed_connection_uses_its_session(regular):
    """It has an object of its own; the first connection's goes in its time and takes the session along."""
    client = regular(enable_kernel_ssl=False)
    client.visit(0.0)
    assert client.resumes(299.0)
    client.lab.tick(300.0)
    assert not client.resumes(300.0)


def test_the_kernel_does_not_mind_idle_minutes(regular):
    """With EnableKernelSSL only the ten hours count, and use does not extend them."""
    client = regular()
    client.visit(0.0)
    for now in (301.0, 18_000.0, 35_999.0):
        client.lab.tick(now)
        assert client.resumes(now)
    client.lab.tick(HOURS_10)
    [gone] = client.of_lab()
    assert (gone.reason, gone.knob, gone.age_seconds) == ("lifetime", "ServerCacheTime", HOURS_10)
    assert not client.resumes(HOURS_10)


def test_fifo_is_told_when_it_happens(regular):
    """The eviction carries the time of the handshake that needed the room."""
    client = regular(schannel={"maximum_cache_size": 1})
    old = client.visit(1.0).only(ServerHelloSent).session_id
    client.newcomers(1, now=5.0)
    [gone] = client.of_lab()
    assert (gone.at, gone.session_id, gone.reason, gone.age_seconds, gone.entries) == (5.0, old, "fifo", 4.0, 1)


def test_a_table_that_is_off_evicts_nothing(regular):
    """Nothing came in, so nothing leaves, and there is nothing to wait for."""
    client = regular(schannel={"maximum_cache_size": 0})
    client.newcomers(3)
    assert (client.of_lab(), client.lab.next_deadline) == ([], None)


@pytest.mark.parametrize("by", ["client", "server"])
def test_a_fatal_alert_ends_the_session(regular, by):
    """Sent or received, it makes the session unresumable, for its other connections too (RFC 5246, 7.2.2)."""
    client = regular()
    client.visit()
    hello = client.hello()
    broken = client.connect()
    assert broken.all(SessionResumed)
    if by == "client":
        broken.client.receive(JUNK_RECORD)  # which the client answers with bad_record_mac
        broken.client.read(1)
        broken.run()
    else:
        broken.raw(JUNK_RECORD)
    assert broken.only(TlsFailed)
    [gone] = client.of_lab()
    assert (gone.reason, gone.session_id) == ("fatal_alert", broken.only(SessionResumed).session_id)
    again = client.say(hello)
    assert again.only(ClientHelloReceived).session_id == gone.session_id
    assert not again.only(ServerHelloSent).resumed


def test_a_connection_that_breaks_without_an_alert_keeps_it(regular):
    """A client that vanishes has said nothing against its session."""
    client = regular()
    client.visit()
    hello = client.hello()
    for vanish in (Connection.receive_reset, Connection.receive_eof):
        gone = client.say(hello).server
        vanish(gone, 0.0)
        gone.note_closed(0.0)
        gone = client.connect().server
        vanish(gone, 0.0)
        gone.note_closed(0.0)
    assert client.say(hello).only(ServerHelloSent).resumed


def left_by_a_bare_fin(visit):
    """The client goes without close_notify, and keeps its session all the same."""
    visit.client.leave_resumable()
    visit.driver.receive_eof(visit.now)
    visit.driver.finish_step(visit.now)
    visit.driver.closed(visit.now)


@pytest.mark.parametrize("notify", [False, True])
def test_who_closes_without_close_notify(regular, notify):
    """EnableSslCloseNotify: unset, http.sys resumes whatever the client did; set, only for who said goodbye, too."""
    client = regular(enable_ssl_close_notify=notify)
    left_by_a_bare_fin(client.connect())
    assert client.resumes() is not notify
    evicted = [event for event in client.of_lab() if isinstance(event, SessionEvicted)]
    assert [(event.reason, event.knob) for event in evicted] == [("no_close_notify", "EnableSslCloseNotify")] * notify
    assert client.resumes()  # its last visit ended with close_notify


@pytest.mark.parametrize("piece", [1, 7, 1024])
def test_a_goodbye_in_answer_to_the_labs(regular, request_bytes, piece):
    """The lab closes first, and the client's close_notify comes while it throws the rest away: the session lives."""
    client = regular(enable_ssl_close_notify=True)
    visit = client.connect()
    visit.send(request_bytes("GET", "/open", "Connection: close"))
    assert visit.client.said_close_notify
    visit.client.close()
    goodbye = visit.client.data_to_send()
    for start in range(0, len(goodbye), piece):
        visit.driver.receive_data(goodbye[start : start + piece], visit.now)
    visit.driver.closed(visit.now)
    assert client.resumes()
