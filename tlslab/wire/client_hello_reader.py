"""Reading the ClientHello before any TLS engine exists: its name and session id decide which engine that will be."""

from __future__ import annotations

from tlslab.errors import LocalMisuse, WireError
from tlslab.wire.alerts import AlertDescription
from tlslab.wire.handshake import HEADER_BYTES, HandshakeType, message_name, parse_handshake_header_untrusted
from tlslab.wire.hello import ClientHello, read_client_hello_untrusted
from tlslab.wire.records import HEADER_BYTES as RECORD_HEADER_BYTES
from tlslab.wire.records import ContentType, RecordHeader, parse_record_header_untrusted

# OpenSSL's (CLIENT_HELLO_MAX_LENGTH in ssl/statem/statem_local.h, and tests/core/test_client_hellos.py), which holds in
# a renegotiation. Schannel documents one for messages in fragments, MessageLimitServer, 16 KiB unless set otherwise
# (tls-registry-settings; KB2541763), but not what http.sys makes of it, nor how such a handshake ends: not imitated.
MESSAGE_LIMIT = 131_396
# Chosen: room for the largest ClientHello in records of five bytes and more; who splits it finer means no good.
BUFFER_LIMIT = 2 * MESSAGE_LIMIT
MISPLACED = AlertDescription.UNEXPECTED_MESSAGE  # RFC 5246, 7.2.2; RFC 8446, 5
TOO_LONG = AlertDescription.ILLEGAL_PARAMETER  # what OpenSSL says of a message over its limit; Schannel's is unknown


class ClientHelloReader:
    """Collects a connection's first bytes until its ClientHello is whole, over any number of records and segments.

    They are kept once, as they came: at most BUFFER_LIMIT bytes, and what the last call brought.
    """

    __slots__ = ("_buffered", "_done", "_ends", "_header", "_length")

    def __init__(self) -> None:
        self._buffered = bytearray()  # as received, for the engine
        self._ends = 0  # where the last whole record does
        self._header = b""  # of the message, as far as the records have it
        self._length = 0  # bytes of the message that the whole records have
        self._done = False

    @property
    def buffered(self) -> bytes:
        """Everything fed so far, unmodified: what the TLS engine must be given first."""
        return bytes(self._buffered)

    def feed_untrusted(self, data: bytes) -> ClientHello | None:
        """Take what arrived; return the ClientHello once it is whole, None until then. Do not call it again after that.

        WireError for what is not TLS; with the alert that belongs to it for any record but a handshake, for another
        first message, for a ClientHello of more than MESSAGE_LIMIT bytes, and where BUFFER_LIMIT bytes do not hold a
        whole one. What is broken inside of one is OpenSSL's to refuse: see `ClientHello.flaw`.
        """
        if self._done:
            raise LocalMisuse("the ClientHello is already read")
        self._buffered += data
        while self._take_record():
            if (hello := self._whole_hello()) is not None:
                self._done = True
                return hello
        if len(self._buffered) > BUFFER_LIMIT:
            raise WireError(f"no whole ClientHello in the first {len(self._buffered):,} bytes", TOO_LONG)
        return None

    def _take_record(self) -> bool:
        header = parse_record_header_untrusted(self._buffered, self._ends)
        if header is None:
            return False
        _require_handshake(header)
        start = self._ends + RECORD_HEADER_BYTES
        end = start + header.length
        if end > len(self._buffered):
            return False
        if missing := HEADER_BYTES - len(self._header):
            self._header += self._buffered[start : min(start + missing, end)]
        self._ends = end
        self._length += header.length
        return True

    def _whole_hello(self) -> ClientHello | None:
        header = parse_handshake_header_untrusted(self._header)
        if header is None:
            return None
        if header.message_type != HandshakeType.CLIENT_HELLO:
            raise WireError(f"the first message is {message_name(header.message_type)}, not ClientHello", MISPLACED)
        if header.length > MESSAGE_LIMIT:
            raise WireError(f"a ClientHello of {header.length:,} bytes, {MESSAGE_LIMIT:,} are the most", TOO_LONG)
        end = HEADER_BYTES + header.length
        return read_client_hello_untrusted(self._message()[HEADER_BYTES:end]) if self._length >= end else None

    def _message(self) -> bytes:
        """What the whole records carry."""
        pieces, end = [], 0
        while end < self._ends:
            start = end + RECORD_HEADER_BYTES
            end = start + int.from_bytes(self._buffered[start - 2 : start], "big")
            pieces.append(self._buffered[start:end])
        return b"".join(pieces)


def _require_handshake(header: RecordHeader) -> None:
    if header.content_type != ContentType.HANDSHAKE:
        kind = ContentType(header.content_type).name.lower()
        raise WireError(f"a record of type {kind} where the ClientHello belongs", MISPLACED)
