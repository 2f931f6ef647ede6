"""What a client that misbehaves gets, row by row: the end it sees, what is told, and what HTTPERR says.

Each row has a twin that does nearly the same, properly, and is served. docs/misbehaving-clients.md shows the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tlslab.events import (
    BadRequestReceived,
    Event,
    HttpErrLogged,
    PeerClosed,
    PeerReset,
    ResponseSent,
    TimerExpired,
    TlsFailed,
)
from tlslab.httpsys.head_limits import MAX_REQUEST_BYTES
from tlslab.tls.context import Protocol
from tlslab.types import Drain, Reset

TLS_1_2, TLS_1_3 = Protocol.TLS1_2, Protocol.TLS1_3
PAGE = Path(__file__).parents[2] / "docs" / "misbehaving-clients.md"
RECORD = 16_384


# --- what clients do -------------------------------------------------------------------------------


def raw(data):
    """Bytes of no client of ours, at the very beginning."""
    return lambda client: client.raw(data)


def whole(client):
    """Shake hands and ask, as one should."""
    client.open().send(GET)


def in_pieces(client):
    """The same, a few bytes at a time."""
    client.piece = 7
    whole(client)


def wait(client, seconds):
    """Let time pass for the lab alone: what it has sent stays on the way."""
    client.now += seconds
    client.server.tick(client.now)


def hello_of(client, size=None):
    """Send the ClientHello, or as much of it; the rest is on its way."""
    client.client.read(0)
    hello = client.client.data_to_send()
    client.up += hello[size:] if size else b""
    client.server.receive_data(hello[:size], client.now)


def stops(*, after, seconds=120):
    """Do something, and then nothing for as long; go on if it is not too late."""

    def do(client):
        after(client)
        wait(client, seconds)
        if client.server.closing is None:
            whole(client)

    return do


def nothing(client):
    """Connect."""


def half_a_hello(client):
    """The first 50 bytes."""
    hello_of(client, 50)


def instead_of_the_answer(data):
    """The ClientHello, and this where the answer to ServerHello belongs."""

    def do(client):
        hello_of(client)
        client.server.receive_data(data, client.now)
        client.run()

    return do


def afterwards(data):
    """Bytes of no client of ours after the handshake."""
    return lambda client: client.open().raw(data)


def says(*pieces, seconds=0):
    """Plaintext, and time after each piece."""

    def do(client):
        client.open()
        for piece in pieces:
            for start in range(0, len(piece), RECORD):
                client.client.write(piece[start : start + RECORD])
                client.run()
            client.pass_time(seconds)

    return do


def leaves(*pieces, with_reset=False):
    """Plaintext, and the end of the connection."""

    def do(client):
        says(*pieces)(client)
        (client.server.receive_reset if with_reset else client.server.receive_eof)(client.now)
        client.run()

    return do


def is_asked(client):
    """Have the lab ask for the certificate, and keep the question from the client."""
    client.open().client.write(request(b"GET /upload HTTP/1.1", HOST))
    client.server.receive_data(client.client.data_to_send(), client.now)


def answers_by_half(client):
    """The question was answered with a ClientHello, and nothing follows."""
    is_asked(client)
    client.client.receive(b"".join(client.server.take_flights()))
    client.client.read(0)
    client.server.receive_data(client.client.data_to_send(), client.now)


def request(line, *headers):
    """A head."""
    return b"\r\n".join([line, *headers, b"", b""])


HOST, CHUNKED = b"Host: localhost", b"Transfer-Encoding: chunked"
GET = request(b"GET /open HTTP/1.1", HOST)
NINE = request(b"POST /open HTTP/1.1", HOST, b"Content-Length: 9")
IN_CHUNKS = request(b"POST /open HTTP/1.1", HOST, CHUNKED)
ENDLESS = b"x" * 65_536
FITTING = b"X: " + b"x" * (MAX_REQUEST_BYTES - len(request(b"GET /open HTTP/1.1", HOST, b"X: ")))
EARLY = b"\x17\x03\x03\0\x05early"
TINY_RECORDS = b"\x16\x03\x01\0\4\1\2\0\0" + b"\x16\x03\x01\0\1\0" * 44_000


# --- the table -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A misbehaviour and the proper thing, the end the client sees, what is told, and HTTPERR's reason."""

    what: str
    do: Callable[..., None]
    twin: Callable[..., None]
    end: str
    told: str
    httperr: str = "-"
    protocol: Protocol = TLS_1_2


def tls(what, do, end, kind, twin=whole, protocol=TLS_1_2):
    """A row whose end TLS makes: an alert, or a close where there is nobody to understand one."""
    return Row(what, do, twin, end, f"TlsFailed {kind}", protocol=protocol)


def timer(what, do, twin, name, httperr, protocol=TLS_1_2):
    """A row that a timer of http.sys ends."""
    return Row(what, do, twin, "reset", f"TimerExpired {name}", httperr, protocol)


def http(what, sent, httperr, twin=GET, status="400"):
    """A row that a status ends."""
    return Row(what, says(sent), says(twin), status, "BadRequestReceived", httperr)


MISPLACED, MALFORMED, DAMAGED = "unexpected_message", "malformed_hello", "damaged_record"
ROWS = [
    tls("bytes that are not TLS", raw(b"hello world"), "closed", "not_tls"),
    tls("plain HTTP to the TLS port", raw(GET), "closed", "not_tls"),
    tls("an SSL 2.0 ClientHello", raw(b"\x80\x2e\x01\x03\x01" + bytes(60)), "closed", "not_tls"),
    tls("application data first", raw(EARLY), f"alert {MISPLACED}", MISPLACED),
    tls("another handshake message first", raw(b"\x16\x03\x01\0\4\2\0\0\0"), f"alert {MISPLACED}", MISPLACED),
    tls("a ClientHello over 131,396 bytes", raw(b"\x16\3\1\0\4\1\2\1\x45"), "alert illegal_parameter", MALFORMED),
    tls("a ClientHello in endless tiny records", raw(TINY_RECORDS), "alert illegal_parameter", MALFORMED, in_pieces),
    tls("a ClientHello cut short", raw(b"\x16\x03\x01\0\6\1\0\0\2\3\3"), "alert decode_error", MALFORMED),
    tls("application data in the handshake", instead_of_the_answer(EARLY), f"alert {MISPLACED}", MISPLACED),
    tls(
        "application data in the TLS 1.3 handshake",
        instead_of_the_answer(EARLY),
        "alert bad_record_mac",
        DAMAGED,
        protocol=TLS_1_3,
    ),
    tls(
        "a flood of warning alerts",
        instead_of_the_answer(b"\x15\x03\x03\0\2\1\x5a" * 20),
        f"alert {MISPLACED}",
        MISPLACED,
        stops(after=instead_of_the_answer(b"\x15\x03\x03\0\2\1\x5a" * 3), seconds=0),
    ),
    tls("a record over 18 KiB", afterwards(b"\x17\x03\x03\xff\xff"), "alert record_overflow", DAMAGED),
    tls("a made-up record", afterwards(b"\x17\x03\x03\0\x20" + bytes(32)), "alert bad_record_mac", DAMAGED),
    timer(
        "connects and says nothing",
        stops(after=nothing),
        stops(after=nothing, seconds=119),
        "header_wait",
        "Timer_HeaderWait",
    ),
    timer(
        "stops in the ClientHello",
        stops(after=half_a_hello),
        stops(after=half_a_hello, seconds=119),
        "header_wait",
        "Timer_HeaderWait",
    ),
    timer(
        "stops in the handshake",
        stops(after=hello_of),
        stops(after=hello_of, seconds=119),
        "header_wait",
        "Timer_HeaderWait",
    ),
    timer(
        "stops in the TLS 1.3 handshake",
        stops(after=hello_of),
        stops(after=hello_of, seconds=119),
        "header_wait",
        "Timer_HeaderWait",
        TLS_1_3,
    ),
    timer(
        "leaves HelloRequest unanswered",
        stops(after=is_asked),
        stops(after=is_asked, seconds=119),
        "ssl_renegotiation",
        "Timer_SslRenegotiation",
    ),
    timer(
        "stops in the renegotiation",
        stops(after=answers_by_half),
        stops(after=answers_by_half, seconds=119),
        "ssl_renegotiation",
        "Timer_SslRenegotiation",
    ),
    timer(
        "leaves the TLS 1.3 CertificateRequest unanswered",
        stops(after=is_asked),
        stops(after=is_asked, seconds=119),
        "ssl_renegotiation",
        "Timer_SslRenegotiation",
        TLS_1_3,
    ),
    timer(
        "headers that trickle",
        says(*(b"GET /open HTTP/1.1\r\n"[n : n + 1] for n in range(20)), seconds=7),
        says(GET[:-1], GET[-1:], seconds=7),
        "header_wait",
        "Timer_HeaderWait",
    ),
    timer(
        "a body shorter than announced",
        says(NINE + b"half", seconds=120),
        says(NINE, *(b"%d" % n for n in range(9)), seconds=119),
        "entity_body",
        "Timer_EntityBody",
    ),
    timer("is idle", says(GET, seconds=120), says(GET, GET, seconds=119), "idle_connection", "Timer_ConnectionIdle"),
    http("no HTTP", b"hello\r\n\r\n", "BadRequest"),
    http("control characters in the target", request(b"GET /\x1b[2J HTTP/1.1", HOST), "BadRequest"),
    http("NUL in the target", request(b"GET /\0 HTTP/1.1", HOST), "BadRequest"),
    http("a target that is not ASCII", request(b"GET /\xc3\xa9 HTTP/1.1", HOST), "BadRequest"),
    http("no Host", request(b"GET /open HTTP/1.1"), "Hostname", request(b"GET /open HTTP/1.0")),
    http("two Hosts", request(b"GET /open HTTP/1.1", HOST, HOST), "Hostname"),
    http("NUL in a header", request(b"GET /open HTTP/1.1", HOST, b"X: \0"), "Header"),
    http(
        "a folded line before any header",
        request(b"GET /open HTTP/1.1", b" folded", HOST),
        "Header",
        request(b"GET /open HTTP/1.1", HOST, b" "),
    ),
    http("a header line without a colon", request(b"GET /open HTTP/1.1", HOST, b"X"), "Header"),
    http(
        "a head of one byte more than 16 KiB",
        request(b"GET /open HTTP/1.1", HOST, FITTING + b"x"),
        "RequestLength",
        request(b"GET /open HTTP/1.1", HOST, FITTING),
    ),
    http("64 KiB of header", request(b"GET /open HTTP/1.1", HOST, b"X: " + ENDLESS), "RequestLength"),
    http("64 KiB of headers", request(b"GET /open HTTP/1.1", HOST, *[b"X:"] * 16_384), "RequestLength"),
    http("64 KiB of method", ENDLESS, "RequestLength"),
    http("a Content-Length that is no number", NINE.replace(b"9", b"-9"), "Number", NINE + bytes(9)),
    http("two Content-Lengths", NINE[:-2] + b"Content-Length: 8\r\n\r\n", "Number", NINE + bytes(9)),
    http("a chunk without a size", IN_CHUNKS + b"xyz\r\n", "Number", IN_CHUNKS + b"2\r\nab\r\n0\r\n\r\n"),
    http("64 KiB of chunk extension", IN_CHUNKS + b"2;" + ENDLESS, "RequestLength", IN_CHUNKS + b"0;x\r\n\r\n"),
    http("64 KiB of trailer", IN_CHUNKS + b"0\r\nX: " + ENDLESS, "RequestLength", IN_CHUNKS + b"0\r\nX: y\r\n\r\n"),
    http("an encoding nobody knows", IN_CHUNKS.replace(b"chunked", b"gzip"), "N/I", NINE + bytes(9), "501"),
    http("HTTP/2 without negotiation", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "Version_N/S", status="505"),
    http("a body longer than announced", NINE + b"x" * 12 + b"\r\n\r\n", "BadRequest", NINE + bytes(9), "200, 400"),
    Row("leaves in the body", leaves(NINE + b"half"), says(NINE + bytes(9)), "closed", "PeerClosed entity_body"),
    Row("leaves in the headers", leaves(GET[:9]), says(GET), "closed", "PeerClosed request_head"),
    Row(
        "resets in the body",
        leaves(NINE + b"half", with_reset=True),
        says(NINE + bytes(9)),
        "reset",
        "PeerReset entity_body",
    ),
]
EVERY_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what.replace(" ", "-"))


def seen(client):
    """The end as the client sees it."""
    if isinstance(client.server.closing, Reset):
        return "reset"
    assert isinstance(client.server.closing, Drain)
    if client.client.failure:
        return "alert " + client.client.failure.detail.partition("alert ")[2].replace(" ", "_")
    return ", ".join(re.findall(r"HTTP/1.1 (\d+)", client.received.decode())) or "closed"


ENDINGS: dict[type[Event], str] = {
    TlsFailed: "kind",
    TimerExpired: "timer",
    BadRequestReceived: "",
    PeerClosed: "during",
    PeerReset: "during",
}


def endings(client):
    """What is told of the end."""
    client.told += client.server.take_events()
    return [
        f"{kind.__name__} {getattr(event, ENDINGS[kind]) if ENDINGS[kind] else ''}".strip()
        for event in client.told
        if (kind := type(event)) in ENDINGS
    ]


@EVERY_ROW
def test_a_client_that_misbehaves_gets_its_end(talk, row):
    """It sees the end of its row, one event tells why, and nothing is left to wait for."""
    client = talk(row.protocol, opened=False)
    row.do(client)
    assert seen(client) == row.end
    assert endings(client) == [row.told]
    assert [event.reason for event in client.all(HttpErrLogged)] == ([] if row.httperr == "-" else [row.httperr])
    assert client.server.next_deadline is None
    assert not client.server.reading_paused


@EVERY_ROW
def test_its_twin_is_served(talk, row):
    """Who does the same properly gets 200, and nothing is logged."""
    client = talk(row.protocol, opened=False)
    row.twin(client)
    assert endings(client) == []
    assert not client.all(HttpErrLogged)
    assert {event.status for event in client.all(ResponseSent)} == {200}
    assert client.client.established


def test_the_page_shows_the_table():
    """docs/misbehaving-clients.md has every row as it is here, and no other."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    shown = lines[: lines.index("| A flood of | It gets | The timeline tells |")][1:]
    assert shown == [f"| {row.what} | {row.end} | `{row.told}` | {row.httperr} |" for row in ROWS]
