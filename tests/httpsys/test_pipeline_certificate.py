"""When the pipeline asks for the certificate and what it reads meanwhile; TLS is not needed to see any of it."""

from __future__ import annotations

import pytest

from tlslab.events import (
    CertificateRetrievalStarted,
    ContinueSent,
    EntityBodyResumed,
    EntityBodyStalled,
    HttpErrLogged,
    ReadAheadExceeded,
    RequestReceived,
    RetrievalCancelled,
    UnreadBytesChanged,
)
from tlslab.httpsys.client_certificate import (
    AfterBody,
    AfterResponse,
    AsyncDrain,
    EarlyAsyncDrain,
    ReadAhead413,
    Synchronous,
)
from tlslab.httpsys.effects import Response, Service
from tlslab.httpsys.timers import DRAIN_LIMIT, Timers
from tlslab.types import Drain, Reset

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
EXPECTS = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
BUFFER = 2000  # above the piece that a head is read in, so that its size is exact
SYNCHRONOUS = Synchronous(buffer=BUFFER, http_sys_buffer=0)


def post(length, *headers):
    """The head of a POST."""
    lines = [b"POST /a HTTP/1.1", b"Host: x", b"Content-Length: %d" % length, *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


# --- the certificate ---


def test_without_a_wish_nobody_asks(converse):
    """The same upload with no retrieval is read at once."""
    talk = converse()
    talk.feed(post(50_000) + bytes(50_000))
    assert (talk.questions, talk.statuses()) == (0, [200])


def test_a_get_asks_and_waits(converse):
    """Its body, of no length, is complete: asking freezes nothing, and the answer waits for the certificate."""
    talk = converse(service=Service(SYNCHRONOUS))
    talk.feed(GET)
    assert talk.questions == 1
    started = talk.only(CertificateRetrievalStarted)
    assert (started.kind, started.body_received, started.body_announced, started.reads_on) == (
        "synchronous",
        0,
        0,
        True,
    )
    assert talk.out == b""
    talk.settle()
    assert talk.statuses() == [200]


@pytest.mark.parametrize("size", [BUFFER, BUFFER - 1, 1])
def test_a_body_that_fits_the_buffer_does_not_freeze(converse, size):
    """It is read to its end before the question."""
    talk = converse(service=Service(SYNCHRONOUS))
    talk.feed(post(size) + bytes(size))
    assert talk.only(CertificateRetrievalStarted).body_received == size
    assert not talk.pipeline.stalled


def test_a_body_beyond_the_buffer_freezes(converse):
    """Not one byte is taken from the question on; the certificate, which is behind it, would end it."""
    talk = converse(service=Service(SYNCHRONOUS))
    talk.feed(post(10_000) + bytes(10_000))
    assert talk.questions == 1
    assert talk.only(CertificateRetrievalStarted).reads_on is False
    assert talk.pipeline.stalled
    assert (talk.pipeline.body_received, len(talk.waiting)) == (BUFFER, 10_000 - BUFFER)
    talk.pass_time(100)
    assert len(talk.waiting) == 10_000 - BUFFER
    talk.settle()
    assert talk.statuses() == [200]
    assert talk.bodies[0].length == 10_000


def test_the_question_waits_for_what_is_behind_the_buffer(converse):
    """A full buffer alone does not ask: a client that pauses there could answer in front of the rest of its body."""
    talk = converse(service=Service(SYNCHRONOUS))
    talk.feed(post(10_000) + bytes(BUFFER))
    assert talk.questions == 0
    talk.feed(b"x")
    assert talk.questions == 1


def test_a_stall_is_told_once_and_its_changes_after(converse):
    """The pump counts what waits: the first count is the stall, others are told where they differ."""
    talk = converse(service=Service(SYNCHRONOUS))
    talk.feed(post(10_000) + bytes(10_000))
    for socket_unread in (0, 0, 77):
        assert talk.pipeline.stall_told is bool(talk.all(EntityBodyStalled))
        talk.pipeline.note_unread(8000, socket_unread, "ClientHello", 0.0)
        talk.run()
    stalled = talk.only(EntityBodyStalled)
    assert (stalled.body_buffered, stalled.body_announced, stalled.tls_unread) == (BUFFER, 10_000, 8000)
    assert stalled.waiting_for == "ClientHello"
    assert talk.only(UnreadBytesChanged).socket_unread == 77
    talk.now = 30.0
    talk.settle()
    assert talk.only(EntityBodyResumed).after_seconds == 30.0


def test_reading_on_by_itself(converse):
    """The lab's own experiment: after its time the body is read although the certificate is not there."""
    talk = converse(service=Service(Synchronous(buffer=BUFFER, http_sys_buffer=0, read_on_after=60)))
    talk.feed(post(10_000) + bytes(10_000))
    talk.pipeline.note_unread(8000, 0, "ClientHello", 0.0)
    assert talk.pipeline.next_deadline == 60.0
    talk.pass_time(60)
    assert talk.waiting == b""
    assert talk.only(EntityBodyResumed).after_seconds == 60.0
    assert talk.out == b""  # the answer still waits for the certificate
    talk.settle()
    assert talk.statuses() == [200]


@pytest.mark.parametrize(
    ("retrieval", "asked_after", "left"),
    [
        (SYNCHRONOUS, 2000, 4000),
        (AfterBody(max=5000), 5000, 1000),
        (AfterBody(max=6000), 6000, 0),
        (AsyncDrain(buffer=BUFFER, max=6000), 2000, 0),
    ],
)
def test_each_kind_reads_its_part(converse, retrieval, asked_after, left):
    """How much was read when it asked, and how much of 6,000 bytes is left unread while it waits."""
    talk = converse(service=Service(retrieval))
    talk.feed(post(6000) + bytes(6000))
    assert talk.only(CertificateRetrievalStarted).body_received == asked_after
    assert (len(talk.waiting), talk.pipeline.stalled) == (left, left > 0)
    talk.settle()
    assert talk.statuses() == [200]


def test_asking_early_asks_at_the_head(converse):
    """Before any body has come."""
    talk = converse(service=Service(EarlyAsyncDrain(max=6000)))
    talk.feed(post(6000))
    assert talk.questions == 1
    talk.feed(bytes(6000))
    assert talk.waiting == b""


@pytest.mark.parametrize("retrieval", [AsyncDrain(buffer=BUFFER, max=6000), EarlyAsyncDrain(max=6000)])
@pytest.mark.parametrize(("size", "cancelled"), [(6000, False), (6001, True)])
def test_draining_gives_up_past_the_maximum(converse, retrieval, size, cancelled):
    """One byte more than the maximum ends the connection, with no HTTPERR line: none is documented."""
    talk = converse(service=Service(retrieval))
    talk.feed(post(10_000) + bytes(size))
    assert [event.max_bytes for event in talk.all(RetrievalCancelled)] == [6000] * cancelled
    assert talk.closed == (Reset() if cancelled else None)
    assert not talk.all(HttpErrLogged)


def test_asking_after_the_response(converse):
    """The answer goes out first; the next request has the certificate, or waits for it."""
    talk = converse(service=Service(AfterResponse()))
    talk.feed(post(3) + b"abc")
    assert (talk.statuses(b"POST"), talk.questions) == ([200], 1)
    talk.service = Service()
    talk.feed(GET)
    assert talk.statuses(b"POST") == [200]
    talk.settle()
    assert talk.statuses(b"POST", b"GET") == [200, 200]
    assert talk.questions == 1


# --- reading ahead ---


def chunked(*chunks):
    """A POST in chunks of these lengths."""
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (length, bytes(length)) for length in (*chunks, 0))


def reading_ahead(converse, **service):
    """A conversation that reads ahead, and whose owner answers with 413."""
    talk = converse(Timers(drain_entity_body=7), Service(ReadAhead413(size=BUFFER), **service))
    talk.response = Response(413, 0, "text/plain", b"no\n")
    return talk


@pytest.mark.parametrize("size", [0, 1, BUFFER - 1, BUFFER])
@pytest.mark.parametrize("write", [lambda size: post(size) + bytes(size), lambda size: chunked(*[size] * (size > 0))])
def test_a_body_that_fits_is_read_ahead_and_then_asked_for(converse, size, write):
    """However it is sent: by the time of the question nothing is on its way, so nothing can freeze."""
    talk = reading_ahead(converse)
    talk.feed(write(size))
    assert (talk.questions, talk.only(CertificateRetrievalStarted).body_received) == (1, size)
    assert (talk.waiting, talk.pipeline.stalled) == (b"", False)
    talk.settle()
    assert (talk.bodies[0].length, talk.bodies[0].complete) == (size, True)
    assert not talk.all(ReadAheadExceeded)


@pytest.mark.parametrize("size", [BUFFER + 1, 10_000])
def test_a_body_that_does_not_fit_is_refused(converse, size):
    """The size is read and no more; then 413, Connection: close, and a drain so that it arrives. Nobody is asked."""
    talk = reading_ahead(converse)
    talk.feed(post(size) + bytes(size))
    exceeded = talk.only(ReadAheadExceeded)
    assert (exceeded.body_received, exceeded.size_bytes, exceeded.body_announced) == (BUFFER, BUFFER, size)
    assert len(talk.waiting) == size - BUFFER
    assert (talk.bodies[0].length, talk.bodies[0].complete) == (BUFFER, False)
    assert talk.out.startswith(b"HTTP/1.1 413 Request Entity Too Large\r\n")
    assert b"\r\nConnection: close\r\n" in talk.out
    assert talk.statuses(b"POST") == [413]
    assert talk.closed == Drain(7.0, DRAIN_LIMIT)
    assert talk.questions == 0
    assert not talk.all(HttpErrLogged)


def test_a_body_is_refused_before_the_rest_of_it_comes(converse):
    """The announced length tells that there is more: a client that pauses at the size gets its 413 as well."""
    talk = reading_ahead(converse)
    talk.feed(post(10_000) + bytes(BUFFER - 1))
    assert talk.closed is None
    talk.feed(b"x")
    assert talk.statuses(b"POST") == [413]


@pytest.mark.parametrize("chunks", [[BUFFER + 1], [BUFFER, 1], [1] * (BUFFER + 1), [10_000]])
def test_chunks_are_counted_without_their_frames(converse, chunks):
    """Of a chunked body one byte more than the size is read, which is how one knows that there is one."""
    talk = reading_ahead(converse)
    talk.feed(chunked(*chunks))
    exceeded = talk.only(ReadAheadExceeded)
    assert (exceeded.body_received, exceeded.body_announced) == (BUFFER + 1, None)
    assert talk.statuses(b"POST") == [413]


def test_a_chunked_body_waits_for_its_next_chunk(converse):
    """The size has come and nothing behind it: the next byte decides between the question and the 413."""
    for rest, questions, statuses in ((b"0\r\n\r\n", 1, []), (b"1\r\nx\r\n", 0, [413])):
        talk = reading_ahead(converse)
        talk.feed(chunked(BUFFER).removesuffix(b"0\r\n\r\n"))
        assert (talk.questions, talk.closed) == (0, None)
        talk.feed(rest)
        assert (talk.questions, talk.statuses(b"POST")) == (questions, statuses)


def test_nothing_behind_a_refused_body_is_a_request(converse):
    """What follows on the connection is thrown away, a second request too."""
    talk = reading_ahead(converse)
    talk.feed(post(BUFFER + 1) + bytes(BUFFER + 1) + GET)
    assert len(talk.all(RequestReceived)) == 1
    assert talk.out.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("after", [True, False])
def test_reading_ahead_and_100_continue(converse, after):
    """A client that waits is asked at once, whatever the length; told to go on before, its body counts."""
    talk = reading_ahead(converse, continue_after_certificate=after)
    talk.feed(post(10_000, b"Expect: 100-continue"))
    assert talk.questions == after
    if after:
        talk.settle()
    assert talk.out.startswith(b"HTTP/1.1 100 ")
    talk.feed(bytes(10_000))
    assert [body.complete for body in talk.bodies] == [after]
    assert len(talk.all(ReadAheadExceeded)) == (not after)


# --- Expect: 100-continue ---


def test_a_client_that_waits_is_told_to_go_on(converse):
    """With no certificate to fetch the 100 goes out at once."""
    talk = converse()
    talk.feed(EXPECTS)
    assert talk.only(RequestReceived).expects_continue
    assert talk.statuses(b"POST") == [100]
    talk.feed(b"abc")
    assert talk.statuses(b"POST") == [100, 200]


@pytest.mark.parametrize(("after", "before_the_certificate"), [(True, []), (False, [100])])
def test_continue_before_or_after_the_certificate(converse, after, before_the_certificate):
    """Both orders, for it is not documented which of them Windows has: the certificate is asked for in both."""
    talk = converse(service=Service(SYNCHRONOUS, continue_after_certificate=after))
    talk.feed(EXPECTS)
    assert talk.statuses(b"POST") == before_the_certificate
    talk.feed(b"abc" if before_the_certificate else b"")
    assert talk.questions == 1
    talk.settle()
    assert talk.only(ContinueSent).after_certificate is after
    talk.feed(b"" if before_the_certificate else b"abc")
    assert talk.statuses(b"POST") == [100, 200]


def test_a_client_that_stops_waiting(converse):
    """It sends its body without the 100: none is sent any more, and the body freezes like any other."""
    talk = converse(service=Service(SYNCHRONOUS))
    talk.feed(EXPECTS.replace(b"Length: 3", b"Length: 10000"))
    assert talk.questions == 1
    talk.feed(bytes(10_000))
    assert talk.pipeline.stalled
    talk.settle()
    assert talk.bodies[0].length == 10_000
