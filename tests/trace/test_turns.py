"""Whose turn it is after each kind of message, and in the deadlock."""

from __future__ import annotations

import pytest

from tlslab.trace.turns import Progress, turn

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
REST = (0, "C", "body", {"size": 40_000})
ASK, HELLO = (0, "S", "HelloRequest"), (0, "C", "ClientHello")
OK = (0, "S", "200", {"content_length": 10})
DATA = (0, "C", "data", {"size": 20_000, "encrypted": True})
DARK_ASK, DARK_HELLO = (0, "S", "HelloRequest", DARK), (0, "C", "ClientHello", DARK)

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
    "chunked": ("server", [*HANDSHAKE, CHUNKED, PART]),
    "part of an answer": ("server", [*HANDSHAKE, GET, OK]),
    "idle": ("nobody", [*HANDSHAKE, GET, OK, (0, "S", "body", {"size": 10})]),
    "part of a record": ("client", [*HANDSHAKE, GET, (0, "C", "part", {"size": 9})]),
    "window full": ("client", [*HANDSHAKE, GET, OK, (0, "C", "full")]),
    "window open again": ("server", [*HANDSHAKE, GET, (0, "C", "full"), (0, "C", "open")]),
    "HelloRequest": ("client", [*HANDSHAKE, GET, ASK]),
    "ClientHello again": ("server", [*HANDSHAKE, GET, ASK, HELLO]),
    "ServerHello again": ("server", [*HANDSHAKE, POST, PART, REST, ASK, HELLO, (0, "S", "ServerHello")]),
    "refused": ("server", [*HANDSHAKE, GET, ASK, (0, "C", "no_renegotiation")]),
    "whole body, no ClientHello yet": ("client", [*HANDSHAKE, POST, PART, REST, ASK]),
    "the client holds its body back": ("client", [*HANDSHAKE, WAITING, ASK]),
    "FIN": ("server", [*HANDSHAKE, GET, OK, (0, "S", "body", {"size": 10}), (0, "C", "FIN")]),
    "gave up, unanswered": ("server", [*HANDSHAKE, GET, (0, "C", "FIN")]),
    "both ended": ("nobody", [*HANDSHAKE, (0, "C", "close_notify"), (0, "S", "close_notify")]),
    "RST": ("nobody", [*HANDSHAKE, GET, (0, "S", "RST")]),
    "encrypted data": ("server", [*HANDSHAKE, (0, "C", "data", DARK)]),
    "encrypted answer": ("nobody", [*HANDSHAKE, (0, "S", "data", DARK)]),
    "encrypted HelloRequest": ("client", [*HANDSHAKE, (0, "C", "data", DARK), DARK_ASK]),
    "encrypted handshake": ("client", [*HANDSHAKE[:2], (0, "S", "", DARK)]),
}
BOTH = {
    "ClientHello behind the body": (0.1, False, [*HANDSHAKE, POST, PART, REST, ASK, HELLO]),
    "no room for the body": (0.1, False, [*HANDSHAKE, POST, PART, ASK, (0, "S", "full")]),
    "stopped in the body": (1.5, True, [*HANDSHAKE, POST, PART, ASK]),
    "chunked, ClientHello behind it": (0.1, False, [*HANDSHAKE, CHUNKED, PART, ASK, HELLO]),
    "encrypted": (0.1, True, [*HANDSHAKE, DATA, DARK_ASK, DARK_HELLO]),
    "the client gave up": (0.1, False, [*HANDSHAKE, POST, PART, REST, ASK, HELLO, (0, "C", "FIN")]),
}


def _turn(conversation, seconds=0.1):
    progress = Progress()
    for message in conversation.messages:
        progress.take(message)
    return turn(progress, seconds)


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
    seconds, is_probable, lines = BOTH[name]
    found = _turn(talk(lines), seconds)
    assert (str(found.who), found.both_wait, found.is_probable) == ("server", True, is_probable), found.why


def test_a_slow_upload_is_no_deadlock(talk):
    """A client in the middle of its body for less than a second, with room to send, is only slow."""
    found = _turn(talk([*HANDSHAKE, POST, PART, ASK]), 0.5)
    assert (str(found.who), found.both_wait) == ("client", False)


def test_a_request_without_a_body_is_no_deadlock(talk):
    """A short encrypted request before HelloRequest has no body in front of the answer."""
    small = (0, "C", "data", {"size": 500, "encrypted": True})
    found = _turn(talk([*HANDSHAKE, small, DARK_ASK, DARK_HELLO]), 9)
    assert (str(found.who), found.both_wait, found.is_probable) == ("server", False, True)
