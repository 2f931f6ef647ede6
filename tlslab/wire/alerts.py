"""TLS alerts and their names."""

from __future__ import annotations

from enum import IntEnum

from tlslab.errors import WireError
from tlslab.types import frozen_for_mypy

ALERT_BYTES = 2


class AlertLevel(IntEnum):
    """How grave an alert is meant to be. In TLS 1.3 it says nothing (RFC 8446, 6)."""

    WARNING = 1
    FATAL = 2


class AlertDescription(IntEnum):
    """Every alert of TLS 1.0 to 1.3 (RFC 2246, 4346, 5246, 8446) and of their extensions."""

    CLOSE_NOTIFY = 0
    UNEXPECTED_MESSAGE = 10
    BAD_RECORD_MAC = 20
    DECRYPTION_FAILED = 21  # RFC 2246; later reserved
    RECORD_OVERFLOW = 22
    DECOMPRESSION_FAILURE = 30
    HANDSHAKE_FAILURE = 40
    NO_CERTIFICATE = 41  # SSL 3.0; later reserved
    BAD_CERTIFICATE = 42
    UNSUPPORTED_CERTIFICATE = 43
    CERTIFICATE_REVOKED = 44
    CERTIFICATE_EXPIRED = 45
    CERTIFICATE_UNKNOWN = 46
    ILLEGAL_PARAMETER = 47
    UNKNOWN_CA = 48
    ACCESS_DENIED = 49
    DECODE_ERROR = 50
    DECRYPT_ERROR = 51
    EXPORT_RESTRICTION = 60  # RFC 2246; later reserved
    PROTOCOL_VERSION = 70
    INSUFFICIENT_SECURITY = 71
    INTERNAL_ERROR = 80
    INAPPROPRIATE_FALLBACK = 86  # RFC 7507
    USER_CANCELED = 90
    NO_RENEGOTIATION = 100
    MISSING_EXTENSION = 109
    UNSUPPORTED_EXTENSION = 110
    CERTIFICATE_UNOBTAINABLE = 111  # RFC 6066
    UNRECOGNIZED_NAME = 112  # RFC 6066
    BAD_CERTIFICATE_STATUS_RESPONSE = 113  # RFC 6066
    BAD_CERTIFICATE_HASH_VALUE = 114  # RFC 6066
    UNKNOWN_PSK_IDENTITY = 115  # RFC 4279
    CERTIFICATE_REQUIRED = 116
    NO_APPLICATION_PROTOCOL = 120  # RFC 7301
    ECH_REQUIRED = 121  # RFC 9849


_LEVEL_NAMES = {level.value: level.name.lower() for level in AlertLevel}
_NAMES = {description.value: description.name.lower() for description in AlertDescription}


@frozen_for_mypy
class Alert:
    """An alert as it stands on the wire: both numbers may be any byte."""

    level: int
    code: int

    @property
    def level_name(self) -> str:
        """`warning` or `fatal`; `level_77` where no RFC knows it."""
        return _LEVEL_NAMES.get(self.level, f"level_{self.level}")

    @property
    def name(self) -> str:
        """The RFC's name, such as `handshake_failure`; `alert_77` where no RFC knows it."""
        return _NAMES.get(self.code, f"alert_{self.code}")


def fatal_alert_record(description: AlertDescription) -> bytes:
    """The whole record of a fatal alert, for a peer with whom nothing is encrypted yet."""
    return bytes((21, 3, 3, 0, ALERT_BYTES, AlertLevel.FATAL, description))


def parse_alert_untrusted(data: bytes) -> Alert:
    """Read an alert, the two bytes after the record header; WireError for any other length (RFC 8446, 5.1)."""
    if len(data) != ALERT_BYTES:
        raise WireError(f"an alert has {ALERT_BYTES} bytes, not {len(data)}")
    return Alert(level=data[0], code=data[1])
