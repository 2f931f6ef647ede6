"""Frames become conversations: who is who, how it ended, and what an encrypted message must be."""

from __future__ import annotations

from typing import Any

import pytest

from tlslab.trace.conversation import Side, conversations
from tlslab.trace.frames import Frame, Piece, PieceKind

CLIENT, SERVER = ("192.0.2.1", 50000), ("192.0.2.2", 8443)
HELLO = Piece(PieceKind.HANDSHAKE, "ClientHello")
CCS = Piece(PieceKind.CHANGE_CIPHER_SPEC)


def dark(size):
    """An encrypted handshake message."""
    return Piece(PieceKind.HANDSHAKE, size=size, encrypted=True)


def frames(*lines):
    """Frames of (who, pieces, flags), a second apart."""
    made = []
    for number, (who, pieces, *flags) in enumerate(lines, 1):
        ends = (CLIENT, SERVER) if who == "C" else (SERVER, CLIENT)
        own: dict[str, Any] = dict.fromkeys(flags, True)
        made.append(Frame(number, float(number), 0, *ends, length=len(pieces), pieces=tuple(pieces), **own))
    return made


@pytest.mark.parametrize(
    "lines",
    [
        [("C", [], "syn"), ("S", [HELLO])],
        [("S", [], "syn", "ack"), ("C", [HELLO])],
        [("S", [Piece(PieceKind.DATA)]), ("C", [HELLO])],
        [("S", [Piece(PieceKind.HANDSHAKE, "ServerHello")])],
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
    assert conversations(frames(("C", [], "syn"), ("S", [Piece(PieceKind.PARTIAL, size=9)]))) == []
    assert conversations([]) == []


def test_what_is_repeated_counts_once():
    """Retransmitted bytes and FINs are no messages."""
    [found] = conversations(
        frames(("C", [HELLO]), ("C", [HELLO], "repeated"), ("C", [], "fin"), ("C", [], "fin", "repeated"))
    )
    assert [message.kind for message in found.messages] == [PieceKind.HANDSHAKE, PieceKind.FIN]


def test_windows():
    """A window that closes is told once, and that it opens again once."""
    lines = [("C", [HELLO]), ("S", [], "zero_window"), ("S", [], "zero_window"), ("S", []), ("S", [])]
    [found] = conversations(frames(*lines))
    assert [(message.frame, message.kind) for message in found.messages[1:]] == [
        (2, PieceKind.ZERO_WINDOW),
        (4, PieceKind.WINDOW_OPENED),
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
    names = [message.name for message in found.messages if message.kind is PieceKind.HANDSHAKE]
    expected = ["ClientHello", "Finished", "Finished", "HelloRequest", "ClientHello", "ServerHello", "", "", ""]
    assert names == [*expected, "Finished", "Finished", "HelloRequest"]


def test_a_long_message_is_no_hello_request():
    """What a server sends after the handshake and is too long for HelloRequest has no name."""
    [found] = conversations(frames(("C", [HELLO, CCS, dark(40)]), ("S", [CCS, dark(40)]), ("S", [dark(120)])))
    assert found.messages[-1].name == ""


REQUEST = Piece(PieceKind.REQUEST, "POST /a", 50, content_length=100)


def test_bytes():
    """HTTP is counted for each side."""
    lines = [
        ("C", [REQUEST]),
        ("C", [Piece(PieceKind.BODY, size=100)]),
        ("S", [Piece(PieceKind.RESPONSE, "200", 70, status=200)]),
    ]
    [found] = conversations(frames(("C", [HELLO]), *lines))
    assert [found.bytes_of(side) for side in Side] == [150, 70]


def test_gaps():
    """Bytes that are missing from the capture, or that a snapshot length cut off, are known of."""
    whole, lost = ("C", [HELLO]), ("C", [HELLO], "lost_before")
    assert [conversations(frames(one))[0].has_gaps for one in (whole, lost)] == [False, True]


def test_what_is_not_decrypted():
    """Data that was decrypted and is no HTTP/1 is not taken for encrypted."""
    data = [Piece(PieceKind.DATA, size=9, encrypted=encrypted) for encrypted in (False, True)]
    assert [conversations(frames(("C", [HELLO, one])))[0].is_encrypted for one in data] == [False, True]
