"""The silences of a conversation: how long, between what, and whose turn it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tlslab.trace.conversation import Conversation, Message, Side
from tlslab.trace.frames import WINDOWS, PieceKind
from tlslab.trace.progress import Progress
from tlslab.trace.turns import Turn, turn


@dataclass(frozen=True, slots=True)
class Silence:
    """A gap in which neither side said anything; `before` is None where the capture ends first."""

    seconds: float
    after: Message
    before: Message | None
    turn: Turn


def silences(conversation: Conversation) -> list[Silence]:
    """Every gap between two messages, and the one before the end of the capture if the connection is open.

    Pure acknowledgements, repetitions and receive windows end no silence; a window that was closed for most of one
    counts for the turn. Where bytes are missing from the capture, no turn is certain.
    """
    progress, found = Progress(), []
    last: Message | None = None
    windows: list[Message] = []
    for message in conversation.messages:
        if message.kind in WINDOWS:
            windows.append(message)
            continue
        if last is not None:
            found.append(_silence(progress, windows, last, message, message.at))
        for one in (*windows, message):
            progress.take(one)
        last, windows = message, []
    if last is not None and not conversation.is_over and conversation.seconds > last.at:
        found.append(_silence(progress, windows, last, None, conversation.seconds))
    return [_unsure(one) for one in found] if conversation.has_gaps else found


def _silence(
    progress: Progress, windows: Sequence[Message], after: Message, before: Message | None, ends: float
) -> Silence:
    seconds = max(ends - after.at, 0.0)
    known = progress.full
    progress.full = _closed(known, windows, after.at, ends)
    found = turn(progress, seconds, before)
    progress.full = known
    return Silence(seconds, after, before, found)


def _closed(full: dict[Side, Message], windows: Sequence[Message], begins: float, ends: float) -> dict[Side, Message]:
    """Whose receive window was closed for most of a silence, and the message that says so."""
    closed, seconds = dict(full), dict.fromkeys(Side, 0.0)
    since = {side: begins for side in Side if side in full}
    for one in windows:
        if one.kind is PieceKind.ZERO_WINDOW:
            since[one.sender] = one.at
            closed[one.sender] = one
        elif one.sender in since:
            seconds[one.sender] += one.at - since.pop(one.sender)
    for side, at in since.items():
        seconds[side] += ends - at
    return {side: one for side, one in closed.items() if seconds[side] > (ends - begins) / 2}


def _unsure(silence: Silence) -> Silence:
    return replace(silence, turn=replace(silence.turn, is_probable=True))


def longest(found: list[Silence], *, idle: bool = False) -> Silence | None:
    """The longest in which a side had to move, or (`idle`) none had to, or cannot be seen to; the first of equals."""
    fitting = [silence for silence in found if isinstance(silence.turn.who, Side) is not idle]
    return max(fitting, key=lambda silence: silence.seconds, default=None)
