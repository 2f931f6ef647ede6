"""HTTP/1 in what was decrypted: where heads and bodies begin and end, told as the bytes come, whole or not.

tshark can do this too, but waits for the end of a head or body before it shows any of it, or takes one for the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from tlslab.text import HostPort, escaped
from tlslab.trace.frames import Frame, Piece, PieceKind

LONGEST_NAME = 200  # characters of a request's target; a header may have 16 KiB of it
LONGEST_HEAD = 1 << 18  # bytes; what is longer is no head. http.sys allows 16 KiB unless set
LINES = {  # the first line of a head
    PieceKind.REQUEST: re.compile(rb"[!#-'*+.^-`|~\w-]+ \S[^\n]* HTTP/1\.\d\r?\n"),
    PieceKind.RESPONSE: re.compile(rb"HTTP/1\.\d \d{3}[^\n]*\n"),
}
BEGINNINGS = {  # what may become one
    PieceKind.REQUEST: re.compile(rb"[A-Za-z_-]*(?: [^\x00-\x1f]*\r?)?"),
    PieceKind.RESPONSE: re.compile(rb"H?T?T?P?|HTTP/1?\.?|HTTP/1\.[^\x00-\x1f]*\r?"),
}
HEAD_END = re.compile(rb"\n\r?\n")
LENGTH = re.compile("[0-9]{1,18}")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
Taken = tuple[list[Piece], bytes]  # what was found, and the bytes behind it


def with_http(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The frames, their decrypted data told as requests, responses, bodies, and what is neither."""
    talks: dict[int, _Talk] = {}
    for frame in frames:
        reader = talks.setdefault(frame.stream, _Talk()).reader(frame.source)
        yield replace(frame, pieces=tuple(reader.read(frame)))


def printable(text: str) -> str:
    """The text without anything that could move a cursor or begin a line, and not too long."""
    if len(text) > LONGEST_NAME:
        text = f"{text[:LONGEST_NAME]}..."
    return escaped(text)


class _Talk:
    """What both sides of a connection have to know of one another."""

    def __init__(self) -> None:
        self.asked: list[Piece] = []  # requests without a final response
        self._readers: dict[HostPort, _Reader] = {}

    def reader(self, source: HostPort) -> _Reader:
        return self._readers.setdefault(source, _Reader(self))

    def hand_over(self) -> None:
        """From here on it is another protocol's."""
        for reader in self._readers.values():
            reader.stop()

    def refuse_body(self, by: _Reader) -> None:
        """A client that waited for 100 and got a final answer does not send its body."""
        for reader in self._readers.values():
            if reader is not by:
                reader.expect_no_body()


class _Reader:
    """One side's bytes. After bytes that are missing, what looks like the first line of a head is one."""

    def __init__(self, talk: _Talk) -> None:
        self._talk = talk
        self._step: Callable[[bytes], Taken] = self._head
        self._kept = b""  # of a head, or of a line of a chunked body
        self._left = 0  # of a body or chunk
        self._in_trailers = False
        self._kinds: tuple[PieceKind, ...] = (PieceKind.REQUEST, PieceKind.RESPONSE)  # of heads that this side may send
        self._has_begun = self._was_read = self._has_gap = False

    def read(self, frame: Frame) -> Iterator[Piece]:
        """The pieces of a frame, HTTP in the place of decrypted data."""
        self._has_gap |= frame.lost_before
        for piece in frame.pieces:
            if not piece.plain:
                self._has_gap |= piece.kind is PieceKind.DATA and self._was_read
                yield piece
            elif not frame.repeated:
                yield from self._take(piece.plain)

    def stop(self) -> None:
        """Read no more HTTP."""
        self._step = self._other

    def expect_no_body(self) -> None:
        """A body that has not begun does not come."""
        if not self._has_begun:
            self._step = self._head

    def _take(self, data: bytes) -> Iterator[Piece]:
        self._was_read = True
        if self._has_gap and any(LINES[kind].match(data) for kind in self._kinds):
            self._step, self._kept, self._has_gap = self._head, b"", False
        while data:
            pieces, data = self._step(data)
            yield from pieces

    # Each step takes some of the bytes, all of them if they are too few.

    def _other(self, data: bytes) -> Taken:
        return [Piece(PieceKind.DATA, size=len(data))], b""

    def _head(self, data: bytes) -> Taken:
        self._kept = (self._kept + data).lstrip(b"\r\n")
        if not self._kept:  # old clients send a line end behind a body, which begins nothing
            return [Piece(PieceKind.BODY, size=len(data))], b""
        if not any(_begins(kind, self._kept) for kind in self._kinds) or len(self._kept) > LONGEST_HEAD:
            self._kept = b""
            return self._no_head(data)
        end = HEAD_END.search(self._kept)
        if end is None:
            return [Piece(PieceKind.PARTIAL, size=len(data))], b""
        head, rest, self._kept = self._kept[: end.end()], self._kept[end.end() :], b""
        piece = _parsed(head)
        self._kinds = (piece.kind,)
        has_end = self._answer(piece) if piece.kind is PieceKind.RESPONSE else self._ask(piece)
        return [replace(piece, ends=has_end)], rest

    def _no_head(self, data: bytes) -> Taken:
        """It is another protocol, or, after a head, something that has no place there."""
        if len(self._kinds) == 1:
            self._has_gap = True
        else:
            self.stop()
        return self._other(data)

    def _ask(self, request: Piece) -> bool:
        self._talk.asked.append(request)
        return not (request.chunked or request.content_length) or self._expect(request)

    def _answer(self, response: Piece) -> bool:
        """Get ready for the response's body; whether there is none."""
        status = response.status or 0
        if status < 200 and status != 101:
            return True
        request = self._talk.asked.pop(0) if self._talk.asked else None
        method = request.name.partition(" ")[0] if request is not None else ""
        if status == 101 or (method == "CONNECT" and status < 300):
            self._talk.hand_over()
            return True
        if request is not None and request.expects_continue:
            self._talk.refuse_body(self)
        if method == "HEAD" or status in (204, 304):
            return True
        return self._expect(response)

    def _expect(self, head: Piece) -> bool:
        self._has_begun = False
        if head.chunked:
            self._step, self._left, self._in_trailers = self._chunks, 0, False
        elif head.content_length is None:
            self._step = self._until_close
        elif head.content_length:
            self._step, self._left = self._counted, head.content_length
        return not head.chunked and head.content_length == 0

    def _until_close(self, data: bytes) -> Taken:
        return [Piece(PieceKind.BODY, size=len(data))], b""

    def _counted(self, data: bytes) -> Taken:
        self._has_begun = True
        size = min(self._left, len(data))
        self._left -= size
        if not self._left:
            self._step = self._head
        return [Piece(PieceKind.BODY, size=size, ends=not self._left)], data[size:]

    def _chunks(self, data: bytes) -> Taken:
        """Size lines, chunks, and trailers up to an empty line."""
        self._has_begun = True
        at = 0
        while at < len(data) and self._step == self._chunks:
            if self._left:
                size = min(self._left, len(data) - at)
                self._left -= size
                at += size
            else:
                line = data[at : data.find(b"\n", at) + 1 or None]
                at += len(line)
                self._line(line)
        return [Piece(PieceKind.BODY, size=at, ends=self._step == self._head)], data[at:]

    def _line(self, part: bytes) -> None:
        """Take a line of a chunked body, or the part of one that is there."""
        self._kept += part
        if not part.endswith(b"\n"):
            return
        line, self._kept = self._kept.strip(), b""
        size = CHUNK_SIZE.fullmatch(line)
        if self._in_trailers:
            self._step = self._chunks if line else self._head
        elif size is None:  # not chunked at all; where it ends cannot be known
            self._step = self._until_close
        else:
            length = int(size[1], 16)
            self._in_trailers, self._left = not length, length and length + 2  # with its line end


def _begins(kind: PieceKind, data: bytes) -> bool:
    """Whether the bytes are, or may become, a request or a response of HTTP/1."""
    if b"\n" in data:
        return LINES[kind].match(data) is not None
    return BEGINNINGS[kind].fullmatch(data) is not None


def _parsed(head: bytes) -> Piece:
    first, *lines = re.split("\r?\n", head.decode("utf-8", "backslashreplace"))
    headers: dict[str, str] = {}
    for name, _, value in (line.partition(":") for line in lines):
        headers.setdefault(name.strip().lower(), value.strip())
    length = headers.get("content-length", "")
    words = first.split(" ")
    is_response = first.startswith("HTTP/")
    return Piece(
        PieceKind.RESPONSE if is_response else PieceKind.REQUEST,
        words[1][:3] if is_response else printable(f"{words[0]} {' '.join(words[1:-1])}"),
        len(head),
        content_length=int(length) if LENGTH.fullmatch(length) else None,
        chunked="chunked" in headers.get("transfer-encoding", "").lower(),
        expects_continue=None if is_response else "100-continue" in headers.get("expect", "").lower(),
        status=int(words[1][:3]) if is_response else None,
    )
