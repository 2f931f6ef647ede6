"""What requests are answered with: paths, methods, pages, and requests that are none."""

from __future__ import annotations

import json

import pytest

from tlslab.core.connection import UNSENT_LIMIT
from tlslab.events import BadRequestReceived, HttpErrLogged, ResponseSent
from tlslab.httpsys.client_certificate import AfterResponse, ReadAhead413, Synchronous
from tlslab.tls.context import Protocol
from tlslab.types import Drain

TLS_1_2 = Protocol.TLS1_2
RECORD = 16_384


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/open", "200"),
        ("GET", "/open/below?x=y", "200"),
        ("PUT", "/open", "200"),
        ("POST", "/open", "200"),
        ("GET", "/upload", "200"),
        ("GET", "https://localhost:8443/upload", "200"),
        ("GET", "https://localhost:8443/", "200"),
        ("GET", "/", "200"),
        ("GET", "/?x", "200"),
        ("GET", "/nowhere", "404"),
        ("GET", "/uploads", "404"),
        ("GET", "/../etc/passwd", "404"),
        ("POST", "/%00", "404"),
        ("DELETE", "/open", "405"),
        ("OPTIONS", "*", "405"),
        ("OPTIONS", "/", "405"),
        ("OPTIONS", "/open", "200"),
        ("CONNECT", "example.com:443", "405"),
        ("TRACE", "/", "405"),
        ("BREW", "/upload", "405"),
    ],
)
def test_paths_and_methods(talk, request_bytes, method, target, status):
    """Each request has its answer, and the connection goes on to the next."""
    client = talk(TLS_1_2)
    client.send(request_bytes(method, target))
    client.send(request_bytes("GET", "/open"))
    assert client.statuses(method.encode()) == [status, "200"]
    assert client.server.closing is None


def test_405_says_what_would_do(talk, request_bytes):
    """Allow is part of a 405 (RFC 9110, 15.5.6), and of nothing else."""
    client = talk(TLS_1_2)
    client.send(request_bytes("DELETE", "/open"))
    assert b"\r\nAllow: GET, HEAD, POST, PUT, OPTIONS\r\n" in client.received
    other = talk(TLS_1_2)
    other.send(request_bytes("GET", "/nowhere"))
    assert b"Allow" not in other.received


@pytest.mark.parametrize("target", ["/upload", "/", "/nowhere"])
def test_head_is_get_without_a_body(talk, request_bytes, target):
    """The same status and the same length; for `/upload` the certificate is asked for as well."""
    heads = []
    for method in ("GET", "HEAD"):
        client = talk(TLS_1_2)
        client.send(request_bytes(method, target))
        head, _, body = client.received.partition(b"\r\n\r\n")
        assert bool(body) is (method == "GET")
        heads.append([line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")])
        if target == "/upload":
            assert client.only(ResponseSent).certificate == "CN=alice"
    assert heads[0] == heads[1]


@pytest.mark.parametrize("notify", [False, True])
@pytest.mark.parametrize("host", [b"", b"Host: localhost\r\n"])
def test_http_1_0(talk, host, notify):
    """It works, with Host or without, and ends the connection drained, with close_notify only if that is set."""
    client = talk(TLS_1_2, enable_ssl_close_notify=notify)
    client.send(b"GET /upload HTTP/1.0\r\n" + host + b"\r\n")
    assert client.statuses() == ["200"]
    assert isinstance(client.server.closing, Drain)
    assert client.client.said_close_notify is notify


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"GET /open HTTP/1.1\r\n\r\n", "Hostname"),
        (b"hello\r\n\r\n", "BadRequest"),
        (b"GET /open HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 18_000, "RequestLength"),
    ],
)
def test_what_is_no_request(talk, sent, reason):
    """400, a line in HTTPERR, and a drained end: no Host, no HTTP, a head over 16 KiB."""
    client = talk(TLS_1_2)
    client.send(sent)
    assert client.received.startswith(b"HTTP/1.1 400 ")
    assert client.only(HttpErrLogged).reason == reason
    assert client.only(BadRequestReceived).detail
    assert isinstance(client.server.closing, Drain)


def test_a_head_below_16_kib_is_served(talk, request_bytes):
    """The contrast of the above."""
    client = talk(TLS_1_2)
    client.send(request_bytes("GET", "/open", ["X: " + "x" * 16_000]))
    assert client.statuses() == ["200"]


@pytest.mark.parametrize(
    ("target", "identity", "marks"),
    [
        ("/", "alice", (b"A title", b"A story.", b"/upload")),
        ("/upload", "alice", (b"CN=alice",)),
        ("/upload", None, (b"403.7",)),
        ("/nowhere", None, (b"404.0",)),
    ],
)
def test_browsers_get_pages(talk, request_bytes, target, identity, marks):
    """By Accept: who asks for HTML gets it, everyone else gets JSON of the same status."""
    client = talk(TLS_1_2, identity=identity)
    client.send(request_bytes("GET", target, ["Accept: text/html,*/*;q=0.8"]))
    assert b"Content-Type: text/html; charset=utf-8" in client.received
    assert all(mark in client.received for mark in marks)
    client.received = b""
    client.send(request_bytes("GET", target))
    assert b"Content-Type: application/json" in client.received
    json.loads(client.received.partition(b"\r\n\r\n")[2])


def test_the_start_page_needs_no_certificate(talk, request_bytes):
    """Nobody is asked for one there, so that a browser can begin somewhere."""
    client = talk(TLS_1_2, identity=None)
    client.send(request_bytes("GET", "/"))
    assert client.answers()[0][1]["title"] == "A title"
    assert "CertificateRequest" not in client.messages()


def test_the_facts_of_the_connection(talk, request_bytes):
    """What the answer tells is what the connection is: before the renegotiation and after it."""
    client = talk(TLS_1_2)
    client.send(request_bytes("GET", "/open"))
    client.send(request_bytes("GET", "/upload"))
    (_, before), (_, after) = client.answers()
    assert (before["renegotiated"], before["client_certificate"]) == (False, None)
    assert (after["renegotiated"], after["client_certificate"]["subject"]) == (True, "CN=alice")
    assert (after["protocol"], after["session_resumed"], after["binding"]) == ("TLS 1.2", False, "site")


@pytest.mark.parametrize(
    ("identity", "statuses"), [("alice", ["200", "200"]), (None, ["200", "403.7"]), ("bob", ["200", "403.16"])]
)
def test_a_path_that_answers_before_it_asks(talk, request_bytes, identity, statuses):
    """With `after_response` the first answer cannot depend on the certificate; the next one does."""
    client = talk(TLS_1_2, client_cert_retrieval=AfterResponse(), identity=identity)
    for _ in statuses:
        client.send(request_bytes("GET", "/upload"))
    assert client.statuses() == statuses


# --- what is held back ---


def test_requests_whose_answers_nobody_reads(talk):
    """32 KiB of requests for a page are answered a piece at a time, each when the one before has gone."""
    page = b"GET / HTTP/1.1\r\nHost:x\r\nAccept:text/html\r\n\r\n"
    client, count = talk(TLS_1_2), 2 * RECORD // len(page)
    client.client.write((page * count)[:RECORD])
    client.client.write((page * count)[RECORD:])
    client.server.receive_data(client.client.data_to_send(), 0.0)
    pieces = client.server.take_flights()
    while client.server.holds_back:
        client.server.tick(0.0)
        pieces += client.server.take_flights()
    assert len(pieces) > 5
    assert max(map(len, pieces)) < 2 * UNSENT_LIMIT
    client.told += client.server.take_events()
    assert len(client.all(ResponseSent)) == count


def test_few_requests_are_answered_at_once(talk, get):
    """Its twin: nothing is held back."""
    client = talk(TLS_1_2)
    client.send(get("/open") * 20)
    assert not client.server.holds_back
    assert len(client.all(ResponseSent)) == 20


@pytest.mark.parametrize(("limit", "statuses"), [(9, ["413.1"]), (10, ["200"]), (None, ["200"])])
def test_request_filtering(talk, post, limit, statuses):
    """What announces more than maxAllowedContentLength is refused at once, and no 100 invites the body."""
    client = talk(TLS_1_2, client_cert_retrieval=ReadAhead413(), max_allowed_content_length=limit)
    client.send(post("/upload", bytes(10)))
    assert client.statuses() == statuses
    waiting = talk(TLS_1_2, client_cert_retrieval=ReadAhead413(), max_allowed_content_length=limit)
    waiting.send(post("/upload", bytes(10), "Expect: 100-continue").partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    assert waiting.statuses() == (statuses if limit == 9 else ["100"])
    assert isinstance(waiting.server.closing, Drain) is (limit == 9)


def test_an_application_on_http_sys_filters_nothing(talk, post):
    """Request filtering is IIS', and such an application is not IIS."""
    client = talk(TLS_1_2, client_cert_retrieval=Synchronous(), max_allowed_content_length=9)
    client.send(post("/upload", bytes(10)))
    assert client.statuses() == ["200"]
