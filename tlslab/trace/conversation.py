"""Frames made into conversations: for each TCP connection, who said what and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from tlslab.text import HostPort
from tlslab.trace.frames import Frame, Piece, PieceKind

# An encrypted HelloRequest: 4 bytes, and at most 16 of IV, 48 of MAC and 16 of padding (AES-CBC with SHA-384).
LARGEST_HELLO_REQUEST = 84


class Side(StrEnum):
    """Who."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def other(self) -> Side:
        """The peer."""
        return Side.SERVER if self is Side.CLIENT else Side.CLIENT


@dataclass(frozen=True, slots=True)
class Message:
    """A piece that one side sent. `at` is seconds since the connection's first packet."""

    frame: int
    at: float
    sender: Side
    piece: Piece

    @property
    def kind(self) -> PieceKind:
        """What it is."""
        return self.piece.kind

    @property
    def name(self) -> str:
        """Its name; of an encrypted message, what it must be from where it stands, or empty."""
        return self.piece.name

    def is_handshake(self, name: str, sender: Side | None = None) -> bool:
        """Whether it is the handshake message of this name (from this side)."""
        return self.kind is PieceKind.HANDSHAKE and self.name == name and sender in (None, self.sender)


@dataclass(frozen=True, slots=True)
class End:
    """How a connection ended: `closed` has a FIN from both, `half_closed` from one."""

    how: Literal["reset", "closed", "half_closed"]
    by: Side


@dataclass(frozen=True, slots=True)
class Conversation:
    """One TCP connection. `began` is seconds since 1970, `seconds` until the capture's last packet.

    `has_gaps`: bytes of it are missing from the capture.
    """

    stream: int
    client: HostPort
    server: HostPort
    began: float
    seconds: float
    messages: tuple[Message, ...]
    has_gaps: bool = False

    @property
    def end(self) -> End | None:
        """Who ended it; None while it is open."""
        ends = [message for message in self.messages if message.kind in (PieceKind.FIN, PieceKind.RST)]
        if not ends:
            return None
        sides = {message.sender for message in ends if message.kind is PieceKind.FIN}
        if ends[0].kind is PieceKind.RST:
            return End("reset", ends[0].sender)
        if len(sides) == 1 and ends[-1].kind is PieceKind.FIN:
            return End("half_closed", ends[0].sender)
        return End("closed", ends[0].sender)

    @property
    def is_over(self) -> bool:
        """Whether nothing can come any more."""
        return self.end is not None and self.end.how != "half_closed"

    @property
    def is_encrypted(self) -> bool:
        """Whether there is application data that could not be decrypted."""
        return any(message.kind is PieceKind.DATA and message.piece.encrypted for message in self.messages)

    def bytes_of(self, sender: Side) -> int:
        """The bytes of HTTP that a side sent, where they are decrypted; of its encrypted data, where not."""
        kinds = (PieceKind.REQUEST, PieceKind.RESPONSE, PieceKind.BODY, PieceKind.DATA)
        return sum(one.piece.size for one in self.messages if one.sender is sender and one.kind in kinds)


def conversations(frames: Sequence[Frame]) -> list[Conversation]:
    """One for each TCP connection that has TLS in it, in the order in which they began."""
    if not frames:
        return []
    last_seen = max(frame.at for frame in frames)
    streams: dict[int, list[Frame]] = {}
    for frame in frames:
        streams.setdefault(frame.stream, []).append(frame)
    return [_conversation(own, last_seen) for own in streams.values() if any(_has_tls(frame) for frame in own)]


def _has_tls(frame: Frame) -> bool:
    return any(piece.kind is not PieceKind.PARTIAL for piece in frame.pieces)


def _conversation(frames: Sequence[Frame], last_seen: float) -> Conversation:
    client, server = _roles(frames)
    began = frames[0].at
    messages = tuple(_named(_messages(frames, client, began)))
    has_gaps = any(frame.lost_before or frame.cut_bytes for frame in frames)
    return Conversation(frames[0].stream, client, server, began, round(last_seen - began, 6), messages, has_gaps)


def _roles(frames: Iterable[Frame]) -> tuple[HostPort, HostPort]:
    """Client and server: who sent the SYN, else the first ClientHello, else the first packet."""
    first = None
    for frame in frames:
        first = first or frame
        if frame.syn:
            return (frame.destination, frame.source) if frame.ack else (frame.source, frame.destination)
        for piece in frame.pieces:
            if piece.kind is PieceKind.HANDSHAKE and piece.name in ("ClientHello", "ServerHello"):
                pair = frame.source, frame.destination
                return pair if piece.name == "ClientHello" else (pair[1], pair[0])
    assert first is not None
    return first.source, first.destination


def _messages(frames: Iterable[Frame], client: HostPort, began: float) -> Iterator[Message]:
    full: set[Side] = set()
    for frame in frames:
        sender = Side.CLIENT if frame.source == client else Side.SERVER
        kinds = [
            kind
            for kind, is_set in ((PieceKind.RST, frame.rst), (PieceKind.FIN, frame.fin and not frame.repeated))
            if is_set
        ]
        if frame.zero_window and sender not in full:
            full.add(sender)
            kinds.append(PieceKind.ZERO_WINDOW)
        elif not frame.zero_window and sender in full and not frame.rst:
            full.remove(sender)
            kinds.append(PieceKind.WINDOW_OPENED)
        syn = [Piece(PieceKind.SYN)] if frame.syn else []
        own = () if frame.repeated else frame.pieces
        for piece in (*syn, *own, *map(Piece, kinds)):
            yield Message(frame.number, round(frame.at - began, 6), sender, piece)


def _named(messages: Iterable[Message]) -> Iterator[Message]:
    """Give encrypted handshake messages of TLS 1.2 and older the names that they must have where they stand."""
    changed: set[Side] = set()  # whose ChangeCipherSpec is out, and Finished not
    finished: set[Side] = set()
    last = ""  # of a renegotiation
    for message in messages:
        piece, sender = message.piece, message.sender
        if piece.kind is PieceKind.CHANGE_CIPHER_SPEC:
            changed.add(sender)
            finished.discard(sender)
        elif piece.kind is PieceKind.HANDSHAKE and sender in changed and (piece.encrypted or piece.name == "Finished"):
            changed.remove(sender)
            finished.add(sender)
            last = ""
            piece = replace(piece, name="Finished")
        elif piece.kind is PieceKind.HANDSHAKE and piece.encrypted and len(finished) == len(Side):
            piece = replace(piece, name=_next_in_renegotiation(last, sender, piece.size))
            last = piece.name or last
        yield replace(message, piece=piece)


def _next_in_renegotiation(last: str, sender: Side, size: int) -> str:
    if last == "" and sender is Side.SERVER and size <= LARGEST_HELLO_REQUEST:
        return "HelloRequest"
    if last == "HelloRequest" and sender is Side.CLIENT:
        return "ClientHello"
    if last == "ClientHello" and sender is Side.SERVER:
        return "ServerHello"
    return ""
