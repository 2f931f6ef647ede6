"""Reads requests, by h11: within http.sys' limit, and whatever empty lines stand in front of one."""

from __future__ import annotations

import h11

from tlslab.httpsys.head_limits import HeadLimits

LINE_END = b"\r\n"


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
