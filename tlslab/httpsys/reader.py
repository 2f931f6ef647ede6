"""Reads requests, by h11: within http.sys' limit, and whatever empty lines stand in front of one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import h11

MAX_REQUEST_BYTES = 16384  # http.sys MaxRequestBytes, the request line and headers together (KB820129)
MAX_FIELD_LENGTH = 16384  # http.sys MaxFieldLength, one header (KB820129)
LINE_END = b"\r\n"
FIELD_OVERHEAD = len(b": ")  # chosen: a header is counted as it usually stands on the wire, without the line's end


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """How long the head of a request may be: one header of it, and all of it, in bytes."""

    field_length: int = MAX_FIELD_LENGTH
    request_bytes: int = MAX_REQUEST_BYTES

    def longest_field(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
        """The name of a header that is longer than one may be, None where all fit.

        Where MaxRequestBytes is the lower of the two, the other is adjusted to it (KB820129).
        """
        most = min(self.field_length, self.request_bytes)
        return next((name for name, value in headers if len(name) + len(value) + FIELD_OVERHEAD > most), None)


def make_reader(limits: HeadLimits) -> h11.Connection:
    """What reads the first request of a connection."""
    return h11.Connection(h11.SERVER, max_incomplete_event_size=limits.request_bytes - 1)


def without_empty_lines(plaintext: bytes) -> bytes:
    """The empty lines in front of a request are ignored (RFC 9112, 2.2); h11 refuses them."""
    return plaintext.lstrip(LINE_END)


def next_reader(reader: h11.Connection, limits: HeadLimits) -> h11.Connection:
    """What reads the next request: it has what came along behind the one that was answered."""
    head = without_empty_lines(reader.trailing_data[0])
    reader = make_reader(limits)
    if head:
        reader.receive_data(head)
    return reader
