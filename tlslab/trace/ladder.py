"""The silences of a conversation: how long, between what, and whose turn it was."""

from __future__ import annotations

from dataclasses import dataclass

from tlslab.trace.conversation import Conversation, Message
from tlslab.trace.frames import WINDOWS
from tlslab.trace.turns import Progress, Turn, turn


@dataclass(frozen=True, slots=True)
class Silence:
    """A gap in which neither side said anything; `before` is None where the capture ends first."""

    seconds: float
    after: Message
    before: Message | None
    turn: Turn


def silences(conversation: Conversation) -> list[Silence]:
    """Every gap between two messages, and the one before the end of the capture if the connection is open.

    Pure acknowledgements, repetitions and receive windows end no silence; windows that close in it count for the turn.
    """
    progress, found = Progress(), []
    last: Message | None = None
    for message in conversation.messages:
        if message.kind in WINDOWS:
            progress.take(message)
            continue
        if last is not None:
            found.append(_silence(progress, last, message, message.at))
        progress.take(message)
        last = message
    if last is not None and not conversation.is_over and conversation.seconds > last.at:
        found.append(_silence(progress, last, None, conversation.seconds))
    return found


def _silence(progress: Progress, after: Message, before: Message | None, ends: float) -> Silence:
    seconds = max(ends - after.at, 0.0)
    return Silence(seconds, after, before, turn(progress, seconds))


def longest(found: list[Silence], *, idle: bool = False) -> Silence | None:
    """The longest in which it was somebody's turn, or (`idle`) nobody's; the first of equals."""
    fitting = [silence for silence in found if (silence.turn.who == "nobody") is idle]
    return max(fitting, key=lambda silence: silence.seconds, default=None)


def in_seconds(seconds: float) -> str:
    """A duration as it is read best: `350 ms`, `5.0 s`, `1,234 s`."""
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 1000 else f"{seconds:,.0f} s"
