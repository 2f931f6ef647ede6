"""Whole conversations with a client that does anything, in any order: the lab neither raises, hangs nor grows.

A failure prints the conversation that led to it, made as short as hypothesis can, and the blob that plays it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlslab.core.connection import UNSENT_LIMIT
from tlslab.events import InternalFault
from tlslab.httpsys.client_certificate import AfterBody, AfterResponse, AsyncDrain, EarlyAsyncDrain, Synchronous
from tlslab.tls.context import Protocol

PIECE = 32 * 1024  # what a pump reads at once
HELD = PIECE + 5 + 2**14 + 2048 + 2**14  # bytes: a read, a record that is not whole, a next request
ANSWERED = UNSENT_LIMIT + 16 * 1024  # bytes that come out at once: what is held back at, and one more page
EVENTS_PER_BYTE = 0.5
EVENTS_AT_MOST = 40  # for nothing at all: a handshake of ours and its end
PATIENCE = 1000.0  # lab seconds until a connection on which nothing comes any more is over; the timers have 120
TICKS = 20

HOST = b"Host: localhost\r\n"
SENTENCES = [
    b"GET /open HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /upload HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /accept HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"Accept: text/html\r\n\r\n",
    b"HEAD /open HTTP/1.0\r\n\r\n",
    b"POST /upload HTTP/1.1\r\n" + HOST + b"Content-Length: 50000\r\n\r\n",
    b"POST /upload HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    b"POST /open HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /open HTTP/1.1\r\nHo",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"\r\n\r\n",
    b"x" * 9,
    b"x" * 16_384,
]
# What a client does, and with what; `tell` is to say it, have it carried, and hear the answer.
DEEDS = st.one_of(
    st.tuples(st.just("tell"), st.sampled_from(SENTENCES)),
    st.tuples(st.just("say"), st.sampled_from(SENTENCES) | st.binary(max_size=50)),
    st.tuples(st.just("carry"), st.integers(1, 500) | st.just(PIECE)),
    st.tuples(st.just("hear"), st.none()),
    st.tuples(st.just("wait"), st.floats(0, 20)),
    st.tuples(st.just("unread"), st.integers(0, 10**7)),
)
# What it does once or twice, anywhere among them.
MISDEEDS = st.one_of(
    st.tuples(st.just("spoil"), st.tuples(st.integers(0, 5000), st.binary(max_size=8))),
    st.tuples(st.just("raw"), st.binary(max_size=40)),
    st.tuples(st.just("wait"), st.floats(20, 130)),
    st.tuples(st.just("close"), st.none()),
    st.tuples(st.just("end"), st.sampled_from(["fin", "stuck", "reset"])),
)
RETRIEVALS = [
    Synchronous(),
    AfterBody(),
    AsyncDrain(buffer=10, max=20_000),
    EarlyAsyncDrain(max=20_000),
    AfterResponse(),
]


@dataclass
class Anybody:
    """A client that does as it is told, and a lab whose side is looked at after each deed."""

    talk: Any
    received: int = 0
    events: int = 0
    waiting: bytearray = field(default_factory=bytearray)

    def do(self, deed: str, what: Any) -> None:
        """Do it, if it can still be done."""
        server, client, now = self.talk.server, self.talk.client, self.talk.now
        match deed:
            case "say" if client.established and not client.failure:
                client.write(what)
            case "tell":
                for part, argument in (("say", what), ("carry", PIECE), ("hear", None)):
                    self.do(part, argument)
            case "carry":
                self._carry(what)
            case "hear":
                self._hear()
            case "spoil":
                start, other = what
                self.waiting[start : start + len(other)] = other
            case "raw":
                self.waiting += what
            case "wait":
                self.talk.now += what
                server.tick(self.talk.now)
            case "unread":
                server.note_unread(what, now)
            case "close":
                client.close()
            case "end" if what == "reset":
                server.receive_reset(now)
            case "end":
                server.receive_eof(now, fin_stuck=what == "stuck")
        self.look()

    def shake_hands(self, flights: int) -> None:
        """Go so far in the handshake; four flights are enough for all of it."""
        for _ in range(flights):
            self.do("carry", PIECE)
            self.do("hear", None)

    def _carry(self, size: int) -> None:
        """Bring the lab what it takes: a pump reads nothing while it is told not to."""
        self.talk.client.read(0)
        self.waiting += self.talk.client.data_to_send()
        server = self.talk.server
        if server.closing is None and not server.reading_paused and self.waiting:
            data = bytes(self.waiting[:size])
            del self.waiting[:size]
            self.received += len(data)
            server.receive_data(data, self.talk.now)

    def _hear(self) -> None:
        """Bring the client what the lab says."""
        server = self.talk.server
        while True:
            sent = b"".join(server.take_flights())
            assert len(sent) <= ANSWERED
            self.talk.client.receive(sent)
            while self.talk.client.read(PIECE):
                pass
            if not server.holds_back or server.closing is not None:
                return
            server.tick(self.talk.now)

    def look(self) -> None:
        """Nothing of ours broke, and nothing has grown."""
        server = self.talk.server
        told = server.take_events()
        assert not [event for event in told if isinstance(event, InternalFault)]
        self.events += len(told)
        assert self.events <= EVENTS_AT_MOST + EVENTS_PER_BYTE * self.received
        if server.closing is None and not server.holds_back:
            assert held(server) <= HELD

    def falls_silent(self) -> None:
        """Do nothing more: the lab ends it by itself, soon."""
        begin = self.talk.now
        for _ in range(TICKS):
            self._hear()
            self.look()
            if self.talk.server.closing is not None:
                break
            deadline = self.talk.server.next_deadline
            assert deadline is not None
            self.talk.now = max(self.talk.now, deadline)
            self.talk.server.tick(self.talk.now)
        assert self.talk.server.closing is not None
        assert self.talk.now - begin <= PATIENCE
        assert self.talk.server.next_deadline is None


def held(server: Any) -> int:
    """Bytes of the peer's that the lab keeps."""
    kept = len(server._reception._reader.buffered) if server._reception else 0
    served = server._served
    return kept + (served.tls.unread + len(served.http._http.trailing_data[0]) if served else 0)


@pytest.mark.parametrize("retrieval", RETRIEVALS, ids=lambda retrieval: retrieval.kind)
@pytest.mark.parametrize("protocol", [Protocol.TLS1_2, Protocol.TLS1_3])
@settings(
    max_examples=2 * settings().max_examples,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(data=st.data())
def test_anybody(talk, protocol, retrieval, data):
    """Whatever is done and in whatever order, it ends, nothing raises, and little is kept."""
    delay = data.draw(st.sampled_from([0.0, 3.0]))
    client = Anybody(talk(protocol, opened=False, client_cert_retrieval=retrieval, application_delay=delay))
    client.shake_hands(data.draw(st.integers(0, 4)))
    deeds = data.draw(st.lists(DEEDS, min_size=5, max_size=25))
    for misdeed in data.draw(st.lists(MISDEEDS, max_size=2)):
        deeds.insert(data.draw(st.integers(0, len(deeds))), misdeed)
    for deed, what in deeds:
        client.do(deed, what)
    client.falls_silent()


@pytest.mark.parametrize("protocol", [Protocol.TLS1_2, Protocol.TLS1_3])
def test_somebody(talk, protocol):
    """The same client, well-behaved, is served: the test above is not about a lab that hears nobody."""
    client = Anybody(talk(protocol, opened=False))
    client.shake_hands(4)
    client.do("say", SENTENCES[0])
    client.do("carry", PIECE)
    assert client.talk.server.take_flights()
    client.falls_silent()
