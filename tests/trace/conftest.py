"""Conversations written down as a few words for each message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tlslab.trace.conversation import Conversation, Message, Side
from tlslab.trace.frames import Piece, PieceKind

CLIENT, SERVER = ("192.0.2.1", 50000), ("192.0.2.2", 443)
SIDES = {"C": Side.CLIENT, "S": Side.SERVER}
KINDS = {
    "SYN": PieceKind.SYN,
    "FIN": PieceKind.FIN,
    "RST": PieceKind.RST,
    "full": PieceKind.ZERO_WINDOW,
    "open": PieceKind.WINDOW_OPENED,
    "CCS": PieceKind.CHANGE_CIPHER_SPEC,
    "body": PieceKind.BODY,
    "data": PieceKind.DATA,
    "part": PieceKind.PARTIAL,
}
ALERTS = ("no_renegotiation", "close_notify", "handshake_failure")
Line = tuple[Any, ...]  # (seconds, "C" or "S", what, {fields of the piece})
Talk = Callable[..., Conversation]


def _piece(what: str, values: dict[str, Any]) -> Piece:
    if what in KINDS:
        return Piece(KINDS[what], **values)
    if what in ALERTS:
        return Piece(PieceKind.ALERT, what, fatal=what == "handshake_failure")
    if what.isdigit():
        return Piece(PieceKind.RESPONSE, what, status=int(what), **_head(values))
    if " " in what:
        return Piece(PieceKind.REQUEST, what, **_head(values))
    return Piece(PieceKind.HANDSHAKE, what, **values)


def _head(values: dict[str, Any]) -> dict[str, Any]:
    """A head ends its message where nothing says that there is a body."""
    return {"ends": not values.get("content_length") and not values.get("chunked"), **values}


@pytest.fixture
def talk() -> Talk:
    """Return a function that makes a conversation of lines; each is a frame of its own, and frames count from 1."""

    def make(lines: Sequence[Line], *, until: float | None = None, began: float = 0.0, stream: int = 0) -> Conversation:
        messages = []
        for frame, (at, who, what, *more) in enumerate(lines, 1):
            values: dict[str, Any] = more[0] if more else {}
            messages.append(Message(frame, float(at), SIDES[who], _piece(what, values)))
        seconds = messages[-1].at if until is None else until
        return Conversation(stream, CLIENT, SERVER, began, seconds, tuple(messages))

    return make
