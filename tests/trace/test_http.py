"""HTTP/1 in decrypted bytes: heads and bodies are told as they come, and nothing is taken for what it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlslab.trace.frames import Frame, Piece, PieceKind
from tlslab.trace.http import printable, with_http

ENDS = {"C": (("192.0.2.1", 50000), ("192.0.2.2", 443)), "S": (("192.0.2.2", 443), ("192.0.2.1", 50000))}
GET, OK = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
POST = b"POST /a HTTP/1.1\r\nContent-Length: 13\r\n\r\n"
WAITS = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
CHUNKED = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b'{"a":"bcdefg}'
DARK = Piece(PieceKind.DATA, size=40, encrypted=True)


def read(*lines):
    """The pieces of records, each a frame of its own: (who, bytes or a piece, flags)."""
    frames = []
    for number, (who, what, *flags) in enumerate(lines, 1):
        piece = what if isinstance(what, Piece) else Piece(PieceKind.DATA, size=len(what), plain=what)
        own: dict[str, Any] = dict.fromkeys(flags, True)
        frames.append(Frame(number, float(number), 0, *ENDS[who], pieces=(piece,), **own))
    return [piece for frame in with_http(frames) for piece in frame.pieces]


def said(*lines):
    """What the pieces are, in a word each, a `.` behind what ends its message."""
    return " ".join((piece.name or str(piece.kind)) + "." * piece.ends for piece in read(*lines))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([("C", POST), ("C", BODY), ("S", OK), ("C", GET)], "POST /a body. 200 body. GET /a."),
        ([("C", POST + BODY + GET + GET[:9]), ("C", GET[9:])], "POST /a body. GET /a. partial GET /a."),
        ([("C", GET[:9]), ("C", GET[9:20]), ("C", GET[20:])], "partial partial GET /a."),
        ([("C", POST + BODY[:5]), ("C", BODY[5:])], "POST /a body body."),
        ([("C", POST), ("C", GET[:13] + b"\r\n")], "POST /a body. body"),
        ([("C", b"\r\n\r\n" + GET)], "GET /a."),
        ([("C", POST + BODY + b"\r\n"), ("S", OK)], "POST /a body. body 200 body."),
        ([("C", b"GET /a HTTP/1.0\n\n")], "GET /a."),
        ([("C", GET), ("S", OK[:20]), ("S", OK[20:])], "GET /a. partial 200 body."),
    ],
    ids=[
        "head, body",
        "one record",
        "head in parts",
        "body in parts",
        "a body like a head",
        "blank",
        "blank behind",
        "1.0",
        "answer",
    ],
)
def test_records(lines, expected):
    """Records cut heads and bodies anywhere, and what is there is told."""
    assert said(*lines) == expected


@pytest.mark.parametrize(
    ("request_line", "answer", "expected"),
    [
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", "304."),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", "204."),
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", "200."),
        (b"GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200."),
        (b"GET", b"HTTP/1.1 200 OK\r\n\r\nabc\n", "200 body"),
        (b"GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "100. 200."),
        (b"GET", b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x05hello", "101. data"),
        (b"CONNECT", b"HTTP/1.1 200 OK\r\n\r\nabc", "200. data"),
    ],
)
def test_where_an_answer_ends(request_line, answer, expected):
    """Some answers have no body whatever length they tell, and some last until the connection ends."""
    assert said(("C", GET.replace(b"GET", request_line)), ("S", answer)).split(". ", 1)[1] == expected


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_chunks(size):
    """A chunked body ends with its last chunk and the trailers, however records cut it."""
    body = b"5\r\nhello\r\nA;ext=1\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
    pieces = read(("C", CHUNKED), *(("C", body[at : at + size]) for at in range(0, len(body), size)), ("C", GET))
    assert [piece.ends for piece in pieces[1:-1]] == [False] * (len(pieces) - 3) + [True]
    assert (sum(piece.size for piece in pieces[1:-1]), pieces[-1].name) == (len(body), "GET /a")


def test_no_chunks():
    """Where the size of a chunk is none, the end of the body is not known."""
    assert said(("C", CHUNKED + b"hello\r\n"), ("C", b"0\r\n\r\n")) == "POST /a body body"


def test_a_body_that_was_refused():
    """A client that expected 100 and got a final answer sends no body: what follows is a request."""
    refused = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
    assert said(("C", WAITS), ("S", refused), ("C", GET)) == "POST /a 413. GET /a."
    assert said(("C", WAITS), ("C", BODY[:3]), ("S", refused), ("C", BODY[3:])) == "POST /a body 413. body."


@pytest.mark.parametrize("first", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00\x00\x12\x04", b"GET /a\r\n\r\n", b"{}"])
def test_another_protocol(first):
    """What is no HTTP/1 is data, and stays so."""
    assert said(("C", first), ("C", b"more")) == "data data"
    assert not any(piece.encrypted for piece in read(("C", first)))


def test_bytes_without_a_place():
    """A body behind an answer that has none is neither, and the next answer is found behind it."""
    stray = ("S", b"HTTP/1.1 304 Not Modified\r\n\r\n"), ("S", b"x" * 100)
    assert said(("C", GET), *stray, ("C", GET), ("S", OK)) == "GET /a. 304. data GET /a. 200 body."


@pytest.mark.parametrize("gap", [(("C", BODY[:2], "lost_before"),), (("C", DARK),)])
def test_missing_bytes(gap):
    """Behind bytes that are missing, what looks like a head is one, and what does not is no head."""
    assert said(("C", POST), *gap, ("C", GET)).endswith(" GET /a.")
    assert said(("C", POST), ("C", BODY[:6]), *gap, ("C", b"GET x"), ("C", GET)).endswith(" GET /a.")


def test_what_is_left_alone():
    """Encrypted data stays encrypted data, and repeated bytes are not read again."""
    assert read(("C", DARK)) == [DARK]
    assert said(("C", GET), ("C", GET, "repeated")) == "GET /a."


def test_a_head():
    """Method, target and the headers that matter are taken; nothing in them moves a cursor."""
    head = b"POST /a\x1b[2J b HTTP/1.1\r\ncontent-LENGTH : 500\r\nExpect: 100-Continue\r\n\r\n"
    [request] = read(("C", head))
    expected = Piece(PieceKind.REQUEST, "POST /a\\x1b[2J b", len(head), content_length=500, chunked=False)
    assert request == replace(expected, expects_continue=True)


@pytest.mark.parametrize("length", ["-5", "1e9", "9" * 30, "", "0x10"])
def test_a_length_that_is_none(length):
    """A Content-Length that is no number of bytes is as good as none."""
    [request] = read(("C", f"POST /a HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode()))
    assert (request.content_length, request.ends) == (None, True)


def test_a_head_without_end():
    """What goes on for longer than any head is none."""
    assert said(("C", GET[:-2] + b"x: " + b"a" * (1 << 18))) == "data"


PARTS = [
    GET,
    POST,
    CHUNKED,
    WAITS,
    OK,
    BODY,
    b"HTTP/1.1 200\x1b[2J\x0b\r\n\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"\r\n",
]


@given(st.lists(st.tuples(st.sampled_from("CS"), st.sampled_from(PARTS) | st.binary(max_size=40), st.integers(0, 60))))
def test_any_bytes(lines):
    """Whatever comes, and however it is cut, it is read without an error, and no name could move a cursor."""
    cut = [(who, part) for who, data, at in lines for part in (data[:at], data[at:]) if part]
    pieces = read(*cut)
    assert all(piece.name.isprintable() and not piece.plain for piece in pieces)


def test_printable():
    """Nothing moves the cursor, begins a line, or fills the screen."""
    text = printable("ü\x07\u202e\n" + "x" * 5000)
    assert text.startswith("ü\\x07\\u202e\\nxxx")
    assert text.endswith("...")
    assert len(text) < 250
