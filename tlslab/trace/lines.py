"""What is said of a conversation, line by line: the ladder, its silences and its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, takewhile

from tlslab.text import format_count
from tlslab.trace.conversation import Message, Side
from tlslab.trace.frames import BULK, WINDOWS, PieceKind
from tlslab.trace.ladder import Silence
from tlslab.trace.report import Explained, say

PAUSE = 1.0  # seconds; a body that pauses for longer is two lines
ODD = ("HelloRequest", "no_renegotiation")
ARROWS = {Side.CLIENT: "C -> S", Side.SERVER: "S -> C"}


def main_silence(explained: Explained) -> Silence | None:
    """The silence to ask about: one in which a side had to move, else one of which that cannot be seen."""
    silence, other = explained.silence, explained.idle
    if other is None or other.turn.who != "unknown" or (silence is not None and silence.seconds >= PAUSE):
        return silence
    return other if other.seconds >= PAUSE else silence


def whose(silence: Silence) -> str:
    """Whose turn it was, in a few words."""
    turn = silence.turn
    if turn.who == "unknown":
        return "cannot be seen"
    return f"{'probably ' * turn.is_probable}{turn.who}{' (both wait)' * turn.both_wait}"


def end_text(explained: Explained) -> str:
    """How a connection ended, and by whom."""
    end = explained.conversation.end
    return "open" if end is None else f"{end.how.replace('_', ' ')} by {end.by}"


@dataclass
class LadderLine:
    """A line of the ladder: what one side sent in a frame, or a body over many."""

    messages: list[Message] = field(default_factory=list)

    @property
    def is_bulk(self) -> bool:
        """Whether nothing but parts of bodies and records is in it."""
        return all(message.kind in BULK for message in self.messages)

    @property
    def is_partial(self) -> bool:
        """Whether all of it is part of a message that is not whole yet."""
        return all(message.kind is PieceKind.PARTIAL for message in self.messages)

    def takes(self, message: Message) -> bool:
        """Whether the message belongs to this line."""
        last = self.messages[-1]
        if message.sender is not last.sender or message.at - last.at > PAUSE or message.kind in WINDOWS:
            return False
        if last.kind in WINDOWS or (self.is_bulk and not self.is_partial and message.kind not in BULK):
            return False
        return message.frame == last.frame or self.is_partial or (self.is_bulk and message.kind in BULK)


def ladder_lines(messages: Sequence[Message]) -> Iterator[LadderLine]:
    """The messages of a conversation, those together that are told in one line."""
    line: LadderLine | None = None
    for message in messages:
        if line is None or not line.takes(message):
            if line is not None:
                yield line
            line = LadderLine()
        line.messages.append(message)
    if line is not None:
        yield line


def line_text(line: LadderLine) -> str:
    """What is said of a line, in the order of the wire."""
    parts: list[str] = []
    for is_bulk, messages in groupby(line.messages, lambda message: message.kind in BULK):
        run = list(messages)
        parts += _bulk(run, whole=line.messages[-1]) if is_bulk else map(say, run)
    text = ", ".join(parts)
    return f"... {text}" if line.is_bulk else text


def line_mark(line: LadderLine) -> str:
    """How to take a line: `bad` is a failure, `odd` worth a look, "" plain."""
    pieces = [message.piece for message in line.messages]
    if any(piece.kind is PieceKind.RST or piece.fatal or (piece.status or 0) >= 400 for piece in pieces):
        return "bad"
    return "odd" if any(piece.kind is PieceKind.ZERO_WINDOW or piece.name in ODD for piece in pieces) else ""


def _bulk(run: Sequence[Message], *, whole: Message) -> Iterator[str]:
    """Bodies of a line, counted. Parts of a message count only where nothing of the line completes it."""
    frames = len({message.frame for message in run})
    over = f" in {frames:,} frames" if frames > 1 else ""
    counted = (
        (PieceKind.BODY, False, "of the body"),
        (PieceKind.DATA, True, "of encrypted data"),
        (PieceKind.DATA, False, "of data"),
    )
    for kind, encrypted, what in counted:
        own = (message.piece for message in run if message.kind is kind and message.piece.encrypted is encrypted)
        if size := sum(piece.size for piece in own):
            yield f"{format_count(size, 'byte')} {what}{over}"
    parts = takewhile(lambda message: message.kind is PieceKind.PARTIAL, reversed(run))
    if run[-1] is whole and (size := sum(message.piece.size for message in parts)):
        yield f"{format_count(size, 'byte')} of a message that is not whole yet"


def between(silence: Silence) -> str:
    """Where a silence is, by its frames."""
    before = "the end of the capture" if silence.before is None else f"frame {silence.before.frame}"
    return f"between frame {silence.after.frame} and {before}"


def turn_text(silence: Silence) -> str:
    """Whose turn it was in a silence, and why, in sentences."""
    turn = silence.turn
    if turn.who == "unknown":
        return f"Whose turn it was cannot be seen. {turn.why}"
    if turn.who == "nobody":
        return f"It was probably nobody's turn. {turn.why}" if turn.is_probable else turn.why
    return f"It was {'probably ' * turn.is_probable}the {turn.who}'s turn. {turn.why}"
