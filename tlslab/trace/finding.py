"""Something recognised in a trace, and how messages are looked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tlslab.trace.conversation import Conversation, Message, Side
from tlslab.trace.frames import PieceKind

Certainty = Literal["certain", "probable"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something recognised. `frames` are Wireshark's numbers of what it is based on."""

    name: str
    certainty: Certainty
    sentence: str
    frames: tuple[int, ...]
    scenarios: tuple[str, ...]


def messages_after(conversation: Conversation, message: Message) -> Iterator[Message]:
    """What comes behind a message."""
    messages = iter(conversation.messages)
    for one in messages:
        if one is message:
            break
    return messages


def first_handshake(messages: Iterator[Message], name: str, sender: Side) -> Message | None:
    """The first handshake message of this name from this side."""
    return next((one for one in messages if one.is_handshake(name, sender)), None)


def final_response(messages: Iterator[Message]) -> Message | None:
    """The first response that is not provisional."""
    return next((one for one in messages if one.kind is PieceKind.RESPONSE and (one.piece.status or 0) >= 200), None)
