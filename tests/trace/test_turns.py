"""Whose turn it is after each kind of message, and in the deadlock."""

from __future__ import annotations

import pytest

from tlslab.trace.conversation import Message, Side
from tlslab.trace.frames import Piece, PieceKind
from tlslab.trace.progress import Progress
from tlslab.trace.turns import turn

OPENED = [(0, "C", "SYN"), (0, "S", "SYN")]
HANDSHAKE = [
    (0, "C", "ClientHello"),
    (0, "S", "ServerHello"),
    (0, "S", "ServerHelloDone"),
    (0, "C", "Finished"),
    (0, "S", "Finished"),
]
DARK = {"size": 40, "encrypted": True}
GET = (0, "C", "GET /a", {"content_length": None})
POST = (0, "C", "POST /a", {"content_length": 100_000})
WAITING = (0, "C", "POST /a", {"content_length": 100_000, "expects_continue": True})
CHUNKED = (0, "C", "POST /a", {"chunked": True})
PART = (0, "C", "body", {"size": 60_000})
REST = (0, "C", "body", {"size": 40_000, "ends": True})
ASK, HELLO = (0, "S", "HelloRequest"), (0, "C", "ClientHello")
OK, OK_BODY = (0, "S", "200", {"content_length": 10}), (0, "S", "body", {"size": 10, "ends": True})
DATA = (0, "C", "data", {"size": 20_000, "encrypted": True})
DARK_ASK, DARK_HELLO = (0, "S", "HelloRequest", DARK), (0, "C", "ClientHello", DARK)
TLS13 = [(0, "C", "ClientHello"), (0, "S", "ServerHello", {"is_tls13": True})]
TICKET = (0, "S", "NewSessionTicket")
AGAIN = [DARK_HELLO, (0, "S", "ServerHello", DARK), (0, "C", "Finished", DARK), (0, "S", "Finished", DARK)]

TURNS = {
    "SYN": ("server", OPENED[:1]),
    "TCP is there": ("client", OPENED),
    "ClientHello": ("server", HANDSHAKE[:1]),
    "in a flight": ("server", HANDSHAKE[:2]),
    "ServerHelloDone": ("client", HANDSHAKE[:3]),
    "CertificateRequest": ("client", [*HANDSHAKE[:2], (0, "S", "CertificateRequest"), (0, "S", "ServerHelloDone")]),
    "client's Finished": ("server", HANDSHAKE[:4]),
    "resumption": ("client", [*HANDSHAKE[:2], (0, "S", "Finished")]),
    "handshake complete": ("client", HANDSHAKE),
    "certificate after the handshake, TLS 1.3": ("client", [*HANDSHAKE, (0, "S", "CertificateRequest")]),
    "request": ("server", [*HANDSHAKE, GET]),
    "part of a body": ("client", [*HANDSHAKE, POST, PART]),
    "whole body": ("server", [*HANDSHAKE, POST, PART, REST]),
    "waits for 100": ("server", [*HANDSHAKE, WAITING]),
    "got 100": ("client", [*HANDSHAKE, WAITING, (0, "S", "100")]),
    "part of a chunked body": ("client", [*HANDSHAKE, CHUNKED, PART]),
    "whole chunked body": ("server", [*HANDSHAKE, CHUNKED, PART, REST]),
    "pipelined, the first not answered": ("server", [*HANDSHAKE, GET, POST, PART]),
    "pipelined, one answered": ("server", [*HANDSHAKE, GET, GET, OK, OK_BODY]),
    "part of a chunked answer": ("server", [*HANDSHAKE, GET, (0, "S", "200", {"chunked": True}), (0, "S", "body")]),
    "whole chunked answer": ("nobody", [*HANDSHAKE, GET, (0, "S", "200", {"chunked": True}), OK_BODY]),
    "an answer that ends with the connection": ("server", [*HANDSHAKE, GET, (0, "S", "200", {"ends": False})]),
    "its end": ("client", [*HANDSHAKE, GET, (0, "S", "200", {"ends": False}), (0, "S", "close_notify")]),
    "HEAD": ("nobody", [*HANDSHAKE, (0, "C", "HEAD /a"), (0, "S", "200", {"content_length": 500, "ends": True})]),
    "101": ("nobody", [*HANDSHAKE, GET, (0, "S", "101")]),
    "another protocol behind 101": ("nobody", [*HANDSHAKE, GET, (0, "S", "101"), (9, "C", "data")]),
    "half a head": ("client", [*HANDSHAKE, (0, "C", "part", {"size": 9})]),
    "HelloRetryRequest": ("client", [*HANDSHAKE[:1], (0, "S", "HelloRetryRequest")]),
    "tickets of TLS 1.3 before the client's Finished": ("client", [*TLS13, (0, "S", "Finished"), TICKET]),
    "KeyUpdate": ("client", [*TLS13, *HANDSHAKE[3:], (0, "C", "KeyUpdate")]),
    "part of an answer": ("server", [*HANDSHAKE, GET, OK]),
    "idle": ("nobody", [*HANDSHAKE, GET, OK, OK_BODY]),
    "part of a record": ("client", [*HANDSHAKE, GET, (0, "C", "part", {"size": 9})]),
    "window full": ("client", [*HANDSHAKE, GET, OK, (0, "C", "full")]),
    "window open again": ("server", [*HANDSHAKE, GET, (0, "C", "full"), (0, "C", "open")]),
    "HelloRequest": ("client", [*HANDSHAKE, GET, ASK]),
    "ClientHello again": ("server", [*HANDSHAKE, GET, ASK, HELLO]),
    "ServerHello again": ("server", [*HANDSHAKE, POST, PART, REST, ASK, HELLO, (0, "S", "ServerHello")]),
    "refused": ("server", [*HANDSHAKE, GET, ASK, (0, "C", "no_renegotiation")]),
    "whole body, no ClientHello yet": ("client", [*HANDSHAKE, POST, PART, REST, ASK]),
    "the client holds its body back": ("client", [*HANDSHAKE, WAITING, ASK]),
    "FIN": ("server", [*HANDSHAKE, GET, OK, OK_BODY, (0, "C", "FIN")]),
    "gave up, unanswered": ("server", [*HANDSHAKE, GET, (0, "C", "FIN")]),
    "both ended": ("nobody", [*HANDSHAKE, (0, "C", "close_notify"), (0, "S", "close_notify")]),
    "RST": ("nobody", [*HANDSHAKE, GET, (0, "S", "RST")]),
    "encrypted data": ("server", [*HANDSHAKE, (0, "C", "data", DARK)]),
    "encrypted answer": ("unknown", [*HANDSHAKE, DATA, (0, "S", "data", DARK)]),
    "encrypted behind what was read": ("server", [*HANDSHAKE, GET, OK, OK_BODY, (0, "C", "data", DARK)]),
    "encrypted before a renegotiation": ("server", [*HANDSHAKE, DATA, DARK_ASK, *AGAIN]),
    "encrypted and answered before one": ("unknown", [*HANDSHAKE, DATA, (0, "S", "data", DARK), DARK_ASK, *AGAIN]),
    "encrypted Finished": ("server", [*HANDSHAKE[:3], (0, "C", "Finished", DARK)]),
    "TLS 1.3, encrypted: server's flight": ("client", [*TLS13, (0, "S", "data", DARK)]),
    "TLS 1.3, encrypted: client's Finished": ("unknown", [*TLS13, (0, "S", "data", DARK), (0, "C", "data", DARK)]),
    "TLS 1.3, encrypted: tickets": ("client", [*TLS13, (0, "C", "data", DARK), (0, "S", "data", DARK)]),
    "TLS 1.3, encrypted: request": ("server", [*TLS13, (0, "S", "data", DARK), DATA]),
    "TLS 1.3, encrypted: answer": ("unknown", [*TLS13, (0, "S", "data", DARK), DATA, (0, "S", "data", DARK)]),
    "encrypted HelloRequest": ("client", [*HANDSHAKE, (0, "C", "data", DARK), DARK_ASK]),
    "encrypted handshake": ("client", [*HANDSHAKE[:2], (0, "S", "", DARK)]),
}
RST, GIVEN_UP = ("S", PieceKind.RST), ("C", PieceKind.FIN)
BOTH = {  # how long, what ended it, whether it is probable only
    "ClientHello behind the body": (1.5, RST, False, [*HANDSHAKE, POST, PART, REST, ASK, HELLO]),
    "no room for the body": (1.5, None, False, [*HANDSHAKE, POST, PART, ASK, (0, "S", "full")]),
    "stopped in the body": (1.5, RST, True, [*HANDSHAKE, POST, PART, ASK]),
    "chunked, ClientHello behind it": (1.5, RST, False, [*HANDSHAKE, CHUNKED, PART, ASK, HELLO]),
    "encrypted": (1.5, RST, True, [*HANDSHAKE, DATA, DARK_ASK, DARK_HELLO]),
    "the capture ends": (1.5, None, True, [*HANDSHAKE, POST, PART, REST, ASK, HELLO]),
    "the client gives up": (1.5, GIVEN_UP, True, [*HANDSHAKE, POST, PART, REST, ASK, HELLO]),
    "the client gave up": (1.5, RST, False, [*HANDSHAKE, POST, PART, REST, ASK, HELLO, (0, "C", "FIN")]),
}


def _turn(conversation, seconds=0.1, before=None):
    progress = Progress()
    for message in conversation.messages:
        progress.take(message)
    if before is not None:
        who, kind = before
        before = Message(99, 99.0, Side.CLIENT if who == "C" else Side.SERVER, Piece(kind))
    return turn(progress, seconds, before)


@pytest.mark.parametrize("name", TURNS)
def test_whose_turn(talk, name):
    """Each message leaves it to one side to go on, or to nobody; none of these is the deadlock."""
    who, lines = TURNS[name]
    found = _turn(talk(lines))
    assert (str(found.who), found.both_wait) == (who, False), found.why
    assert found.why.endswith(".")


@pytest.mark.parametrize("name", BOTH)
def test_the_deadlock(talk, name):
    """Both wait, and it is the server that could end it: it does not read the body in front of the answer."""
    seconds, before, is_probable, lines = BOTH[name]
    found = _turn(talk(lines), seconds, before)
    assert (str(found.who), found.both_wait, found.is_probable) == ("server", True, is_probable), found.why


@pytest.mark.parametrize(
    ("seconds", "before"), [(0.5, RST), (4, ("S", PieceKind.HANDSHAKE)), (4, ("C", PieceKind.BODY))]
)
def test_a_healthy_upload_is_no_deadlock(talk, seconds, before):
    """A short silence is none, and no connection that went on was stuck, however long it took."""
    found = _turn(talk([*HANDSHAKE, POST, PART, REST, ASK, HELLO]), seconds, before)
    assert (str(found.who), found.both_wait) == ("server", False)
    assert "only the server" not in found.why


def test_a_closed_window_that_opened(talk):
    """A server that read nothing for long is probably the deadlock even if it then went on; a moment is not."""
    lines = [*HANDSHAKE, POST, PART, ASK, (0, "S", "full")]
    long, short = (_turn(talk(lines), seconds, ("C", PieceKind.BODY)) for seconds in (60, 0.5))
    assert (long.both_wait, long.is_probable, short.both_wait, str(short.who)) == (True, True, False, "server")
    assert long.why.endswith("Both waited, until it went on.")


DARK_NAMES = [name for name, (who, _) in TURNS.items() if "encrypted" in name]


@pytest.mark.parametrize("name", DARK_NAMES)
def test_what_is_not_decrypted(talk, name):
    """What follows from encrypted bytes is never certain."""
    assert _turn(talk(TURNS[name][1]), 5).is_probable


def test_an_encrypted_alert(talk):
    """An alert that cannot be read is probably the end."""
    talked = talk([*HANDSHAKE, DATA])
    progress = Progress()
    for message in (*talked.messages, Message(9, 9.0, Side.SERVER, Piece(PieceKind.ALERT, size=26, encrypted=True))):
        progress.take(message)
    found = turn(progress, 1.0)
    assert (found.who, found.is_probable) == ("nobody", True)


def test_a_slow_upload_is_no_deadlock(talk):
    """A client in the middle of its body for less than a second, with room to send, is only slow."""
    found = _turn(talk([*HANDSHAKE, POST, PART, ASK]), 0.5)
    assert (str(found.who), found.both_wait) == ("client", False)


def test_a_request_without_a_body_is_no_deadlock(talk):
    """A short encrypted request before HelloRequest has no body in front of the answer."""
    small = (0, "C", "data", {"size": 500, "encrypted": True})
    found = _turn(talk([*HANDSHAKE, small, DARK_ASK, DARK_HELLO]), 9)
    assert (str(found.who), found.both_wait, found.is_probable) == ("server", False, True)
