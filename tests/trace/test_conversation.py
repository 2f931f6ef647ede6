"""Frames become conversations: who is who, how it ended, and what an encrypted message must be."""

from __future__ import annotations

import pytest

from tlslab.trace.conversation import Side, conversations
from tlslab.trace.frames import Frame, Kind, Piece

CLIENT, SERVER = ("192.0.2.1", 50000), ("192.0.2.2", 8443)
HELLO = Piece(Kind.HANDSHAKE, "ClientHello")
CCS = Piece(Kind.CHANGE_CIPHER_SPEC)


def dark(size):
    """An encrypted handshake message."""
    return Piece(Kind.HANDSHAKE, size=size, encrypted=True)


def frames(*lines):
    """Frames of (who, pieces, flags), a second apart."""
    made = []
    for number, (who, pieces, *flags) in enumerate(lines, 1):
        ends = (CLIENT, SERVER) if who == "C" else (SERVER, CLIENT)
        own = dict.fromkeys(flags, True)
        made.append(Frame(number, float(number), 0, *ends, length=len(pieces), pieces=tuple(pieces), **own))
    return made


@pytest.mark.parametrize(
    "lines",
    [
        [("C", [], "syn"), ("S", [HELLO])],
        [("S", [], "syn", "ack"), ("C", [HELLO])],
        [("S", [Piece(Kind.DATA)]), ("C", [HELLO])],
        [("S", [Piece(Kind.HANDSHAKE, "ServerHello")])],
        [("C", [CCS])],
    ],
    ids=["SYN", "SYN, ACK", "ClientHello", "ServerHello", "nothing"],
)
def test_who_is_the_client(lines):
    """Whoever sent the SYN, else the ClientHello, else the first packet."""
    made = [
        frame if "ack" in line or "syn" not in line else _no_ack(frame)
        for frame, line in zip(frames(*lines), lines, strict=True)
    ]
    [found] = conversations(made)
    assert (found.client, found.server) == (CLIENT, SERVER)


def _no_ack(frame):
    return Frame(frame.number, frame.at, 0, frame.source, frame.destination, syn=True, ack=False)


@pytest.mark.parametrize(
    ("flags", "how", "by"),
    [
        ([], None, None),
        ([("C", "fin")], "half_closed", "client"),
        ([("C", "fin"), ("S", "fin")], "closed", "client"),
        ([("S", "fin"), ("C", "rst")], "closed", "server"),
        ([("S", "rst")], "reset", "server"),
    ],
)
def test_how_it_ended(flags, how, by):
    """A FIN from each closes, the first RST resets, and a RST behind a FIN is only impolite."""
    [found] = conversations(frames(("C", [HELLO]), *[(who, [], flag) for who, flag in flags]))
    end = found.end
    assert (end and end.how, end and end.by) == (how, by)
    assert found.is_over is (how in ("closed", "reset"))


def test_connections_without_tls_are_left_out():
    """Another stream on the same port that never spoke TLS says nothing here."""
    assert conversations(frames(("C", [], "syn"), ("S", [Piece(Kind.PARTIAL, size=9)]))) == []
    assert conversations([]) == []


def test_what_is_repeated_counts_once():
    """Retransmitted bytes and FINs are no messages."""
    [found] = conversations(
        frames(("C", [HELLO]), ("C", [HELLO], "repeated"), ("C", [], "fin"), ("C", [], "fin", "repeated"))
    )
    assert [message.kind for message in found.messages] == [Kind.HANDSHAKE, Kind.FIN]


def test_windows():
    """A window that closes is told once, and that it opens again once."""
    lines = [("C", [HELLO]), ("S", [], "zero_window"), ("S", [], "zero_window"), ("S", []), ("S", [])]
    [found] = conversations(frames(*lines))
    assert [(message.frame, message.kind) for message in found.messages[1:]] == [
        (2, Kind.ZERO_WINDOW),
        (4, Kind.WINDOW_OPENED),
    ]


def test_encrypted_renegotiation():
    """After both Finished the server's short message is HelloRequest, and no other is taken for one."""
    first = [("C", [HELLO]), ("C", [CCS, dark(40)]), ("S", [CCS, dark(40)])]
    again = [
        ("S", [dark(28)]),
        ("C", [dark(268)]),
        ("S", [dark(139), dark(516), dark(28)]),
        ("C", [dark(90), CCS, dark(40)]),
    ]
    last = [("S", [CCS, dark(40)]), ("S", [dark(28)])]
    [found] = conversations(frames(*first, *again, *last))
    names = [message.name for message in found.messages if message.kind is Kind.HANDSHAKE]
    expected = ["ClientHello", "Finished", "Finished", "HelloRequest", "ClientHello", "ServerHello", "", "", ""]
    assert names == [*expected, "Finished", "Finished", "HelloRequest"]


def test_a_long_message_is_no_hello_request():
    """What a server sends after the handshake and is too long for HelloRequest has no name."""
    [found] = conversations(frames(("C", [HELLO, CCS, dark(40)]), ("S", [CCS, dark(40)]), ("S", [dark(120)])))
    assert found.messages[-1].name == ""


REQUEST = Piece(Kind.REQUEST, "POST /a", 50, content_length=100)


def _kinds(*lines):
    [found] = conversations(frames(("C", [HELLO]), *lines))
    return [str(message.kind) for message in found.messages[1:]]


def test_a_body_that_looks_like_a_request():
    """Bytes inside an announced body are body, whatever they look like; the request behind it is one."""
    inside = Piece(Kind.REQUEST, "GET /forged", 60)
    behind = Piece(Kind.REQUEST, "GET /b", 30)
    assert _kinds(("C", [REQUEST]), ("C", [inside]), ("C", [Piece(Kind.BODY, size=40)]), ("C", [behind])) == [
        "request",
        "body",
        "body",
        "request",
    ]


@pytest.mark.parametrize(
    ("request_name", "status", "kind"),
    [("HEAD /a", 200, "response"), ("GET /a", 304, "response"), ("GET /a", 200, "body")],
)
def test_answers_without_a_body(request_name, status, kind):
    """The length in the answer to HEAD, and in a 304, announces nothing; elsewhere what follows is the body."""
    asked = ("C", [Piece(Kind.REQUEST, request_name)])
    answer = Piece(Kind.RESPONSE, str(status), 50, status=status, content_length=100)
    following = Piece(Kind.RESPONSE, "200", 50, status=200)
    assert _kinds(asked, ("S", [answer]), asked, ("S", [following]))[-1] == kind


def test_a_body_that_was_refused():
    """A client that expected 100 and got a final answer sends no body: the next request is one."""
    waiting = Piece(Kind.REQUEST, "POST /a", content_length=100, expects_continue=True)
    lines = [("C", [waiting]), ("S", [Piece(Kind.RESPONSE, "413", status=413)]), ("C", [Piece(Kind.REQUEST, "GET /b")])]
    assert _kinds(*lines) == ["request", "response", "request"]


def test_data_that_waits_for_its_rest():
    """Data that does not decrypt behind data that did is the first part of a head; without keys it stays data."""
    body, data = Piece(Kind.BODY, size=10), Piece(Kind.DATA, size=29, encrypted=True)
    assert _kinds(("C", [body]), ("C", [data]), ("S", [data])) == ["body", "partial", "data"]


def test_bytes():
    """HTTP is counted for each side."""
    lines = [
        ("C", [REQUEST]),
        ("C", [Piece(Kind.BODY, size=100)]),
        ("S", [Piece(Kind.RESPONSE, "200", 70, status=200)]),
    ]
    [found] = conversations(frames(("C", [HELLO]), *lines))
    assert [found.bytes_of(side) for side in Side] == [150, 70]
