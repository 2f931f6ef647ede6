"""TLS records: their five-byte header (RFC 5246, 6.2; RFC 8446, 5.1)."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from tlslab.errors import WireError

HEADER_BYTES = 5
# RFC 5246, 6.2.3: an encrypted record may be 2,048 bytes longer than its plaintext. TLS 1.3 allows 256 only.
MAX_RECORD_LENGTH = 2**14 + 2048

_MAJOR_VERSION = 3  # of SSL 3.0 and every TLS
_HEADER = struct.Struct("!BHH")
# A header's length is all that is surely there when the question comes up, so methods are cut to it.
_HTTP_STARTS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELET", b"OPTIO", b"PATCH", b"TRACE", b"CONNE", b"PRI *")


class ContentType(IntEnum):
    """What a record carries."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23
    HEARTBEAT = 24


_CONTENT_TYPES = frozenset(map(int, ContentType))


class RecordHeader(NamedTuple):  # every record has one, and a frozen dataclass takes twice as long to make
    """A record's header. `version` is the legacy one, `length` counts the bytes after the header."""

    content_type: int
    version: int
    length: int


def parse_record_header_untrusted(data: bytes | bytearray | memoryview, start: int = 0) -> RecordHeader | None:
    """Read the header that begins at `start` in `data`; None where fewer than five bytes are there.

    WireError where this is not TLS: its text is `plain HTTP`, `an SSL 2.0 ClientHello` or `not TLS`.
    """
    if len(data) - start < HEADER_BYTES:
        return None
    content_type, version, length = _HEADER.unpack_from(data, start)
    if content_type not in _CONTENT_TYPES or version >> 8 != _MAJOR_VERSION or length > MAX_RECORD_LENGTH:
        raise WireError(_resemblance(bytes(data[start : start + HEADER_BYTES])))
    return RecordHeader(content_type, version, length)


def _resemblance(start: bytes) -> str:
    if start.startswith(_HTTP_STARTS):
        return "plain HTTP"
    # RFC 5246, E.2: top bit set, length, message type 1, then the version: 0x0002 or that of a later protocol.
    if start[0] & 0x80 and start[2] == 1 and start[3:4] in (b"\x00", b"\x03"):
        return "an SSL 2.0 ClientHello"
    return "not TLS"
