"""Reading the ClientHello before any TLS engine exists: its name and session id decide which engine that will be."""

from __future__ import annotations

from tlslab.errors import LocalMisuse, WireError
from tlslab.wire.alerts import AlertDescription
from tlslab.wire.handshake import HEADER_BYTES, HandshakeType, message_name, parse_handshake_header_untrusted
from tlslab.wire.hello import ClientHello, parse_client_hello_untrusted
from tlslab.wire.records import HEADER_BYTES as RECORD_HEADER_BYTES
from tlslab.wire.records import ContentType, RecordHeader, complete_record_untrusted, parse_record_header_untrusted

# Schannel's default for MessageLimitServer (learn.microsoft.com, tls-registry-settings). Whether it counts the
# message's header is not documented; here it does not.
MESSAGE_LIMIT = 0x4000
# Chosen: room for the largest ClientHello in records of five bytes and more; who splits it finer means no good.
BUFFER_LIMIT = 2 * MESSAGE_LIMIT
MISPLACED = AlertDescription.UNEXPECTED_MESSAGE  # RFC 5246, 7.2.2; RFC 8446, 5
TOO_LONG = AlertDescription.ILLEGAL_PARAMETER  # what OpenSSL says of a message over its limit; Schannel's is unknown


class ClientHelloReader:
    """Collects a connection's first bytes until its ClientHello is whole, over any number of records and segments.

    At most BUFFER_LIMIT bytes, and what the last call brought, are kept.
    """

    __slots__ = ("_buffered", "_done", "_message", "_records")

    def __init__(self) -> None:
        self._buffered = bytearray()  # as received, for the engine
        self._records = bytearray()  # not yet cut into records
        self._message = bytearray()  # the records' content
        self._done = False

    @property
    def buffered(self) -> bytes:
        """Everything fed so far, unmodified: what the TLS engine must be given first."""
        return bytes(self._buffered)

    def feed_untrusted(self, data: bytes) -> ClientHello | None:
        """Take what arrived; return the ClientHello once it is whole, None until then. Do not call it again after that.

        WireError for what is not TLS; with the alert that belongs to it for any record but a handshake, for another
        first message, for a ClientHello that does not parse or has more than MESSAGE_LIMIT bytes, and where
        BUFFER_LIMIT bytes do not hold a whole one.
        """
        if self._done:
            raise LocalMisuse("the ClientHello is already read")
        self._buffered += data
        self._records += data
        while self._take_record():
            if (hello := self._whole_hello()) is not None:
                self._done = True
                return hello
        if len(self._buffered) > BUFFER_LIMIT:
            raise WireError(f"no whole ClientHello in the first {len(self._buffered):,} bytes", TOO_LONG)
        return None

    def _take_record(self) -> bool:
        header = parse_record_header_untrusted(self._records)
        if header is None:
            return False
        _require_handshake(header)
        record = complete_record_untrusted(self._records)
        if record is None:
            return False
        self._message += record[RECORD_HEADER_BYTES:]
        return True

    def _whole_hello(self) -> ClientHello | None:
        header = parse_handshake_header_untrusted(self._message)
        if header is None:
            return None
        if header.message_type != HandshakeType.CLIENT_HELLO:
            raise WireError(f"the first message is {message_name(header.message_type)}, not ClientHello", MISPLACED)
        if header.length > MESSAGE_LIMIT:
            raise WireError(f"a ClientHello of {header.length:,} bytes, {MESSAGE_LIMIT:,} are the most", TOO_LONG)
        end = HEADER_BYTES + header.length
        if len(self._message) < end:
            return None
        try:
            return parse_client_hello_untrusted(bytes(self._message[HEADER_BYTES:end]))
        except WireError as error:
            raise WireError(str(error), AlertDescription.DECODE_ERROR) from None


def _require_handshake(header: RecordHeader) -> None:
    if header.content_type != ContentType.HANDSHAKE:
        kind = ContentType(header.content_type).name.lower()
        raise WireError(f"a record of type {kind} where the ClientHello belongs", MISPLACED)
