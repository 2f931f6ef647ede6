"""Handshake messages: their four-byte header and their names."""

from __future__ import annotations

from enum import IntEnum

from tlslab.types import frozen_for_mypy

HEADER_BYTES = 4


class HandshakeType(IntEnum):
    """Every handshake message of TLS 1.0 to 1.3 over TCP (RFC 5246, 7.4; RFC 8446, 4) and of their extensions."""

    HELLO_REQUEST = 0
    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    NEW_SESSION_TICKET = 4
    END_OF_EARLY_DATA = 5
    ENCRYPTED_EXTENSIONS = 8
    CERTIFICATE = 11
    SERVER_KEY_EXCHANGE = 12
    CERTIFICATE_REQUEST = 13
    SERVER_HELLO_DONE = 14
    CERTIFICATE_VERIFY = 15
    CLIENT_KEY_EXCHANGE = 16
    FINISHED = 20
    CERTIFICATE_STATUS = 22  # RFC 6066
    SUPPLEMENTAL_DATA = 23  # RFC 4680
    KEY_UPDATE = 24
    COMPRESSED_CERTIFICATE = 25  # RFC 8879
    MESSAGE_HASH = 254


_NAMES = {kind.value: kind.name.title().replace("_", "") for kind in HandshakeType}


@frozen_for_mypy
class HandshakeHeader:
    """A handshake message's header. `length` counts the bytes of the body, after the header."""

    message_type: int
    length: int


def message_name(code: int) -> str:
    """Name a handshake message as the RFCs do: `ClientHello`; `handshake_77` where none knows it."""
    return _NAMES.get(code, f"handshake_{code}")


def parse_handshake_header_untrusted(data: bytes | bytearray) -> HandshakeHeader | None:
    """Read the header at the front of `data`; None where fewer than four bytes are there. Nothing else is checked."""
    if len(data) < HEADER_BYTES:
        return None
    return HandshakeHeader(message_type=data[0], length=int.from_bytes(data[1:HEADER_BYTES], "big"))
