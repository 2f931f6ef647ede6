"""Requests in and responses out, one after the other; TLS is not needed to see any of it."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlslab.errors import LocalMisuse
from tlslab.events import ALL, BadRequestReceived, EntityBodyReceived, HttpErrLogged, RequestReceived, ResponseSent
from tlslab.httpsys.client_certificate import Synchronous
from tlslab.httpsys.effects import Close, Response, Service
from tlslab.httpsys.entity_body import BULK, RECORD
from tlslab.httpsys.head_limits import MAX_REQUEST_BYTES
from tlslab.httpsys.phases import NEXT, Cause, Phase
from tlslab.httpsys.pipeline import Pipeline
from tlslab.httpsys.question import Question
from tlslab.httpsys.timers import Timers
from tlslab.recorder import Recorder
from tlslab.types import Drain

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
EXPECTS = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
BUFFER = 2000  # above the piece that a head is read in, so that its size is exact
SYNCHRONOUS = Synchronous(buffer=BUFFER, http_sys_buffer=0)


def post(length, *headers):
    """The head of a POST."""
    lines = [b"POST /a HTTP/1.1", b"Host: x", b"Content-Length: %d" % length, *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


# --- requests ---


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"DELETE", b"BREW"])
def test_a_request_is_told_and_answered(converse, method):
    """Whatever the method, there is one answer, and the connection goes on."""
    talk = converse()
    talk.feed(GET.replace(b"GET", method))
    head = talk.only(RequestReceived)
    assert (head.method, head.target, head.http_version) == (method.decode(), "/a", "1.1")
    assert (head.content_length, head.expects_continue) == (0, False)
    assert talk.statuses(method) == [200]
    sent = talk.only(ResponseSent)
    assert (sent.status, sent.substatus, sent.method, sent.target) == (200, 0, method.decode(), "/a")
    assert talk.closed is None


@pytest.mark.parametrize("lines", [b"\r\n", b"\n", b"\r\n" * 3])
def test_empty_lines_in_front_of_a_request_are_ignored(converse, lines):
    """Alone they are nothing; in front of the first request and behind a body they do not stand in its way."""
    talk = converse()
    talk.feed(lines)
    assert talk.pipeline.phase is Phase.IDLE
    talk.feed(lines + post(3) + b"abc" + lines)
    assert talk.pipeline.phase is Phase.IDLE
    talk.feed(lines)
    talk.feed(GET + lines + GET + lines + GET[:9])
    talk.feed(GET[9:])
    assert [answer.status for answer in talk.all(ResponseSent)] == [200] * 4
    assert not talk.all(BadRequestReceived)


@pytest.mark.parametrize(("method", "body"), [(b"GET", b"fine\n"), (b"HEAD", b"")])
def test_head_has_the_length_and_no_body(converse, method, body):
    """The answer to HEAD says how long that to GET would be."""
    talk = converse()
    talk.feed(GET.replace(b"GET", method))
    head, _, content = talk.out.partition(b"\r\n\r\n")
    assert b"Content-Length: 5" in head
    assert content == body


def test_a_response_carries_its_headers(converse):
    """Status line with its phrase, type, length, no caching, and what else the answer wants."""
    talk = converse()
    talk.response = Response(405, 0, "application/json", b"{}", headers=(("Allow", "GET"),))
    talk.feed(GET)
    lines = talk.out.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 405 Method Not Allowed"
    assert set(lines[1:5]) == {
        b"Content-Type: application/json",
        b"Content-Length: 2",
        b"Cache-Control: no-store",
        b"Allow: GET",
    }


@pytest.mark.parametrize(
    ("request_bytes", "closed"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\nHost: x\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n", False),
    ],
)
def test_when_the_connection_ends_with_the_answer(converse, request_bytes, closed):
    """HTTP/1.0, which needs no Host, and `Connection: close` end it, drained so that the answer arrives."""
    talk = converse()
    talk.feed(request_bytes)
    assert talk.statuses() == [200]
    assert isinstance(talk.closed, Drain) is closed


def test_a_drain_is_bounded():
    """In time by its timer, in bytes by the lab."""
    pipeline = Pipeline(Timers(drain_entity_body=7), Question(), Recorder(1, ALL), 90.0)
    pipeline.receive(b"nonsense\r\n\r\n", 100.0)
    [_, close] = pipeline.take_effects()
    assert isinstance(close, Close)
    assert isinstance(close.how, Drain)
    assert close.how.until == 107.0
    assert 0 < close.how.limit_bytes < 2**31


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (post(3) + b"abc", 3),
        (CHUNKED + b"1\r\na\r\n2;x=y\r\nbc\r\n0\r\nT: v\r\n\r\n", None),
    ],
)
def test_a_body_is_counted_and_hashed(converse, body, told):
    """With a length or in chunks; the framing is no part of it."""
    talk = converse()
    talk.feed(body)
    assert talk.only(RequestReceived).content_length == told
    assert talk.only(EntityBodyReceived).length == 3
    assert talk.bodies[0].sha256 == hashlib.sha256(b"abc").hexdigest()
    assert talk.statuses() == [200]


# --- what is not a request ---

LONG = MAX_REQUEST_BYTES - len(b"GET / HTTP/1.1\r\nHost: x\r\nX: \r\n\r\n")


@pytest.mark.parametrize(
    ("received", "reason"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "BadRequest"),
        (b"GET\r\n\r\n", "BadRequest"),
        (b"GET / HTTP/1.1\r\n\r\n", "Hostname"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "Hostname"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\nX\r\n\r\n", "Header"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "Number"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "Number"),
        (CHUNKED + b"xyz\r\n", "Number"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * (LONG + 1) + b"\r\n\r\n", "RequestLength"),
        (b"G" * (MAX_REQUEST_BYTES + 1), "RequestLength"),
    ],
)
def test_what_is_not_http_gets_400(converse, received, reason):
    """Once, logged with its reason, and the connection ends drained."""
    talk = converse()
    talk.feed(received)
    assert talk.out.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert talk.only(BadRequestReceived).detail
    assert talk.only(HttpErrLogged).reason == reason
    assert isinstance(talk.closed, Drain)


@pytest.mark.parametrize(
    ("received", "status", "reason"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "N/I"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, "Version_N/S"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "Version_N/S"),
        (b"GET / HTTP/0.9\r\n\r\n", 505, "Version_N/S"),
    ],
)
def test_what_http_sys_does_not_do(converse, received, status, reason):
    """An encoding or a version that it does not know has a status of its own, once, and ends the connection."""
    talk = converse()
    talk.feed(received)
    assert talk.out.startswith(b"HTTP/1.1 %d " % status)
    assert talk.out.count(b"HTTP/1.1") == 1
    assert talk.only(HttpErrLogged).reason == reason
    assert not talk.all(RequestReceived)
    assert isinstance(talk.closed, Drain)


def test_what_is_told_of_a_fault_is_bounded(converse):
    """A request line of 16 KiB is cut where it is quoted."""
    talk = converse()
    talk.feed(b"\x1b" * 10_000 + b"\r\n\r\n")
    detail = talk.only(BadRequestReceived).detail
    assert len(detail) < 300
    assert detail.isprintable()


@pytest.mark.parametrize("more", [b"", b"Ho"])
def test_half_a_head_behind_a_request_has_the_timer_of_a_head(converse, more):
    """It came with the request before it and goes on, or does not; without it the connection is idle."""
    talk = converse()
    talk.feed(GET + b"GET / HTTP/1.1\r\n")
    talk.pass_time(60)
    talk.feed(more)
    talk.pass_time(60)
    assert talk.only(HttpErrLogged).reason == "Timer_HeaderWait"
    talk = converse()
    talk.feed(GET)
    talk.pass_time(120)
    assert talk.only(HttpErrLogged).reason == "Timer_ConnectionIdle"


def test_a_head_of_16_kib_is_served(converse):
    """The limit of http.sys is what still passes."""
    talk = converse()
    talk.feed(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * LONG + b"\r\n\r\n")
    assert talk.statuses() == [200]


def test_a_bad_chunk_in_the_middle_names_its_request(converse):
    """What was told of the request is logged with the refusal."""
    talk = converse()
    talk.feed(b"PUT /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    talk.feed(b"no size\r\n")
    logged = talk.only(HttpErrLogged)
    assert (logged.reason, logged.method, logged.target) == ("Number", "PUT", "/b")
    assert talk.statuses(b"PUT") == [400]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.binary(max_size=40) | st.sampled_from([GET, EXPECTS, b"\r\n", post(2), b"ab"]), max_size=8))
def test_no_bytes_raise(converse, pieces):
    """Anything is a request, the beginning of one, or refused."""
    talk = converse()
    for piece in pieces:
        talk.feed(piece)
    assert talk.closed is None or isinstance(talk.closed, Drain)


def test_a_long_body_is_taken_in_large_pieces(converse):
    """But never more than is left of it; where a question may stop the reading, or its length is unknown, a record."""
    head = post(3 * BULK // 2)
    for service, first, room in [
        (Service(), head, BULK),
        (Service(), CHUNKED, RECORD),
        (Service(Synchronous(buffer=2**20)), head, RECORD),
    ]:
        talk = converse(service=service)
        talk.feed(first)
        assert talk.pipeline.capacity == room
    talk = converse()
    talk.feed(head + bytes(BULK))
    assert talk.pipeline.capacity == BULK // 2
    talk.feed(bytes(BULK // 2 - 1))
    assert talk.pipeline.capacity == RECORD
    talk.feed(b"x" + GET)
    assert [body.length for body in talk.bodies] == [3 * BULK // 2, 0]


# --- one after the other ---


def test_pipelined_requests_are_answered_in_their_order(converse):
    """Sent at once, answered one by one."""
    talk = converse()
    talk.feed(GET + post(3) + b"abc" + GET.replace(b"GET", b"HEAD") + GET)
    assert talk.statuses(b"GET", b"POST", b"HEAD", b"GET") == [200] * 4
    assert [event.method for event in talk.all(RequestReceived)] == ["GET", "POST", "HEAD", "GET"]
    assert talk.waiting == b""


def test_what_follows_a_get_whose_certificate_is_awaited_is_bounded(converse):
    """A next request is kept up to the size of a head; the rest waits outside until the answer comes."""
    talk = converse(service=Service(SYNCHRONOUS))
    talk.feed(GET)
    assert talk.questions == 1
    more = post(50_000) + bytes(50_000)
    talk.feed(more)
    assert talk.pipeline.capacity == 0
    assert len(more) - len(talk.waiting) == MAX_REQUEST_BYTES
    assert not talk.pipeline.stalled  # the body of the request that waits is complete: nothing is frozen
    talk.service = Service()
    talk.settle()
    assert talk.statuses() == [200, 200]
    assert [body.length for body in talk.bodies] == [0, 50_000]


def test_a_short_pipelined_request_waits_inside(converse):
    """The same, small enough to be kept."""
    talk = converse(service=Service(SYNCHRONOUS))
    talk.feed(GET + GET)
    assert (talk.questions, talk.out, talk.waiting) == (1, b"", b"")
    talk.service = Service()
    talk.settle()
    assert talk.statuses() == [200, 200]


# --- the table ---


def test_every_phase_can_close_and_closed_is_the_end():
    """CLOSE leads from everywhere to CLOSED, and nothing else leads out of it."""
    assert {phase for phase, cause in NEXT if cause is Cause.CLOSE} == set(Phase)
    assert {cause for phase, cause in NEXT if phase is Phase.CLOSED} == {Cause.CLOSE}


@pytest.mark.parametrize(
    "misuse",
    [
        lambda pipeline: pipeline.respond(Response(200, 0, "text/plain", b""), 1.0),
        lambda pipeline: pipeline.serve(Service(), 1.0),
        lambda pipeline: pipeline.serve(Service(Synchronous(), delay_seconds=1), 1.0),
    ],
)
def test_calls_that_make_no_sense_are_misuse(misuse):
    """There is no request to answer or to serve: a defect of the owner, told at once."""
    with pytest.raises(LocalMisuse):
        misuse(Pipeline(Timers(), Question(), Recorder(1, ALL), 0.0))
