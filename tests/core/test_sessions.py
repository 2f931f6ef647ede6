"""Who may resume what, on the wire: the session table of a lab and the OpenSSL contexts that carry it out."""

from __future__ import annotations

import functools
import gc
import resource
import sys
from collections.abc import Callable
from typing import Any

import pytest
from OpenSSL import SSL

from tlslab.core import sessions
from tlslab.core.connection import Connection
from tlslab.core.machine import Machine
from tlslab.events import (
    CertificateRequested,
    ClientHelloReceived,
    HelloRequestSent,
    InternalFault,
    ResponseSent,
    ServerHelloSent,
    SessionEvicted,
    SessionNotResumed,
    SessionResumed,
    TlsFailed,
)
from tlslab.httpsys.timers import Timers
from tlslab.tls.client import ClientTls
from tlslab.tls.context import Protocol, ServerContext, client_context
from tlslab.wire.client_hello_reader import ClientHelloReader

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
IDLE_SECONDS = 300.0
HOURS_10 = 36_000.0
NO_EXTENDED_MASTER_SECRET = 1  # SSL_OP_NO_EXTENDED_MASTER_SECRET, for which pyOpenSSL has no name
JUNK_RECORD = b"\x17\x03\x03\x00\x20" + bytes(32)  # application data that does not decrypt


class Regular:
    """A client that comes back with the session of its last visit, at whatever time it is."""

    def __init__(self, talk: Callable[..., Any], lab: Machine, client: SSL.Context) -> None:
        self._talk, self.lab, self._client = talk, lab, client
        self.session: Any = None
        self._told_of_lab: list[Any] = []

    def of_lab(self) -> list[Any]:
        """What the lab told of itself since the last call, through its connections or when asked."""
        told = [*self._told_of_lab, *self.lab.take_events()]
        self._told_of_lab.clear()
        return told

    def connect(self, now: float = 0.0, name: str = "localhost", client_options: int = 0) -> Any:
        """Connect with the session and stay."""
        talk = self._begin(name)
        talk.now = now
        talk.client = ClientTls(self._client, name, session=self.session)
        talk.client._connection.set_options(client_options)
        talk.open()
        self.session = talk.client.session() or self.session
        assert not talk.all(InternalFault)
        return talk

    def visit(self, now: float = 0.0, name: str = "localhost", client_options: int = 0) -> Any:
        """Connect with the session, and leave again."""
        talk = self.connect(now, name, client_options)
        talk.client.close()
        talk.run()
        talk.server.note_closed(now)
        return talk

    def hello(self, client_options: int = 0) -> bytes:
        """The ClientHello that offers the session: OpenSSL's client will not send it any more after an error."""
        client = ClientTls(self._client, "localhost", session=self.session)
        client._connection.set_options(client_options)
        client.read(0)
        return client.data_to_send()

    def say(self, hello: bytes) -> Any:
        """Connect with these bytes, and do not answer what comes."""
        talk = self._begin()
        talk.server.receive_data(hello, talk.now)
        talk.told += talk.server.take_events()
        return talk

    def _begin(self, name: str = "localhost") -> Any:
        return self._talk(lab=self.lab, client=self._client, opened=False, name=name, read=self._read)

    def _read(self, event: Any) -> None:
        if event.connection == 0:
            self._told_of_lab.append(event)

    def resumes(self, now: float = 0.0, name: str = "localhost") -> bool:
        """Whether a visit resumes, by ServerHello."""
        return bool(self.visit(now, name).only(ServerHelloSent).resumed)


def newcomers(regular: Regular, count: int, now: float = 0.0) -> None:
    """Others connect."""
    for _ in range(count):
        regular.session, kept = None, regular.session
        regular.visit(now)
        regular.session = kept


@pytest.fixture
def regular(talk, make_lab, client_settings) -> Callable[..., Regular]:
    """Make a client of a lab that is given or made; OpenSSL resumes a session in the context it came from only."""
    settings = functools.cache(client_settings)

    def make(*protocols: Any, lab: Machine | None = None, identity: str | None = None, **options: Any) -> Regular:
        made = lab or make_lab(*protocols, **options)
        return Regular(talk, made, client_context(settings(identity)))

    return make


def cache(maximum: int = 20_000, time: float = HOURS_10) -> dict[str, Any]:
    """The settings of the table."""
    return {"maximum_cache_size": maximum, "server_cache_time": time}


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
        ("lifetime", "ServerCacheTime", {"schannel": cache(time=60)}, 60.0),
        ("disabled", "MaximumCacheSize", {"schannel": cache(maximum=0)}, 0.0),
        ("disabled", "ServerCacheTime", {"schannel": cache(time=0)}, 0.0),
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
    client = regular(schannel=cache(maximum=2))
    client.visit()
    newcomers(client, 1)
    assert client.resumes()
    newcomers(client, 1)
    told = client.visit().only(SessionNotResumed)
    assert (told.reason, told.knob) == ("fifo", "MaximumCacheSize")
    assert (told.entries, told.lsass_bytes_low, told.lsass_bytes_high) == (2, 2 * 2048, 2 * 4096)


def test_the_memory_is_two_to_four_kilobytes_for_each(regular):
    """What lsass is said to need follows the number of sessions in the table."""
    client = regular(schannel=cache(maximum=50))
    client.visit()
    newcomers(client, 50)
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


# --- what leaves, and when ----------------------------------------------------------------------------


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
    client = regular(schannel=cache(maximum=1))
    old = client.visit(1.0).only(ServerHelloSent).session_id
    newcomers(client, 1, now=5.0)
    [gone] = client.of_lab()
    assert (gone.at, gone.session_id, gone.reason, gone.age_seconds, gone.entries) == (5.0, old, "fifo", 4.0, 1)


def test_a_table_that_is_off_evicts_nothing(regular):
    """Nothing came in, so nothing leaves, and there is nothing to wait for."""
    client = regular(schannel=cache(maximum=0))
    newcomers(client, 3)
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


# --- what is no attempt to resume -----------------------------------------------------------------------


def test_random_bytes_of_a_newer_client_are_no_attempt(regular):
    """A client that knows TLS 1.3 puts 32 bytes there that nobody issued (RFC 8446, 4.1.2)."""
    client = regular(TLS_1_2)
    first = client.visit()
    assert len(first.only(ClientHelloReceived).session_id) == 64
    assert first.names(SessionResumed, SessionNotResumed) == []


def test_tls_1_3_has_a_context_of_its_own(regular):
    """Ten thousand of its connections would push every other session out of OpenSSL's memory."""
    client = regular(TLS_1_2, TLS_1_3)
    newer, older = (ClientHelloReader().feed_untrusted(client.hello(options)) for options in (0, SSL.OP_NO_TLSv1_3))
    of_newer, of_older = (client.lab._sessions.choose("site", hello, 0.0).context for hello in (newer, older))
    assert of_newer is not of_older
    assert of_newer is client.lab._sessions.choose("site", newer, 0.0).context


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
    client = regular(identity="alice", asks=True, schannel=cache(time=60))
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


# --- the contexts ------------------------------------------------------------------------------------------


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
    client = regular(schannel=cache(maximum=2))
    client.visit()
    lost = client.session
    for _ in range(10):
        newcomers(client, 2)
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
    client = regular(schannel=cache(maximum=4))
    newcomers(client, 10)
    before = contexts_alive()
    newcomers(client, 40)
    assert contexts_alive() <= before + 1


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory has another unit elsewhere")
def test_twenty_thousand_sessions(regular):
    """The table full at its later default, with handshakes on top: it costs what OpenSSL needs, and no more comes."""
    client = regular(wanted=frozenset())
    newcomers(client, 1_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    newcomers(client, 19_000)
    full = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    newcomers(client, 5_000)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert full - before < 100 * 1024
    assert after - full < 10 * 1024
