"""How a TLS connection can fail, in one table: OpenSSL's reason and the last alert -> a kind that readers explain."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from OpenSSL import SSL


class FailureKind(StrEnum):
    """Why TLS ended."""

    RENEGOTIATION_REFUSED = "renegotiation_refused"
    UNSAFE_RENEGOTIATION = "unsafe_renegotiation"
    PEER_ALERT = "peer_alert"
    NO_SHARED_PROTOCOL = "no_shared_protocol"
    NO_SHARED_CIPHER = "no_shared_cipher"
    UNEXPECTED_MESSAGE = "unexpected_message"
    NOT_TLS = "not_tls"
    MALFORMED_HELLO = "malformed_hello"
    DAMAGED_RECORD = "damaged_record"
    MESSAGE_OVER_LIMIT = "message_over_limit"
    CERTIFICATE_MISSING = "certificate_missing"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong; `detail` is OpenSSL's own reason."""

    kind: FailureKind
    detail: str


# OpenSSL's reason strings, lower case (err/openssl.txt); a reason that begins so is of that kind. The first match wins.
_REASONS: tuple[tuple[str, FailureKind], ...] = (
    ("no renegotiation", FailureKind.RENEGOTIATION_REFUSED),
    ("unsafe legacy renegotiation", FailureKind.UNSAFE_RENEGOTIATION),
    ("renegotiation encoding err", FailureKind.MALFORMED_HELLO),  # the extension's length does not fit
    ("renegotiation", FailureKind.UNSAFE_RENEGOTIATION),
    ("unsupported protocol", FailureKind.NO_SHARED_PROTOCOL),
    ("version too low", FailureKind.NO_SHARED_PROTOCOL),
    ("wrong version number", FailureKind.NOT_TLS),
    ("http request", FailureKind.NOT_TLS),
    ("https proxy request", FailureKind.NOT_TLS),
    ("no shared cipher", FailureKind.NO_SHARED_CIPHER),
    ("no suitable", FailureKind.NO_SHARED_CIPHER),
    ("unexpected message", FailureKind.UNEXPECTED_MESSAGE),
    ("unexpected record", FailureKind.UNEXPECTED_MESSAGE),
    ("unexpected ccs", FailureKind.UNEXPECTED_MESSAGE),
    ("invalid alert", FailureKind.UNEXPECTED_MESSAGE),
    ("too many", FailureKind.UNEXPECTED_MESSAGE),  # warning alerts
    ("record too small", FailureKind.UNEXPECTED_MESSAGE),  # and too many of them
    ("app data in handshake", FailureKind.UNEXPECTED_MESSAGE),
    ("ccs received early", FailureKind.UNEXPECTED_MESSAGE),
    ("decryption failed", FailureKind.DAMAGED_RECORD),
    ("bad record", FailureKind.DAMAGED_RECORD),
    ("length", FailureKind.DAMAGED_RECORD),
    ("data length", FailureKind.DAMAGED_RECORD),
    ("encrypted length", FailureKind.DAMAGED_RECORD),
    ("peer did not return a certificate", FailureKind.CERTIFICATE_MISSING),
    ("tlsv1", FailureKind.PEER_ALERT),
    ("tlsv13 alert", FailureKind.PEER_ALERT),
    ("sslv3 alert", FailureKind.PEER_ALERT),
    ("ssl/tls alert", FailureKind.PEER_ALERT),
    ("tls alert", FailureKind.PEER_ALERT),
)


TOO_LONG = "excessive message size"  # of any message: where a ClientHello is awaited, it is of one


def classify(error: SSL.Error) -> Failure:
    """Name the failure behind an OpenSSL error; an empty or unknown one is `OTHER`, with OpenSSL's words.

    The first reason is not always the one: a cipher may complain before TLS says what that means for the record.
    """
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reasons = [str(entry[2]) for entry in queue]
    for reason in reasons:
        for beginning, kind in _REASONS:
            if reason.lower().startswith(beginning):
                return Failure(kind, reason)
    return Failure(FailureKind.OTHER, reasons[0] if reasons else "no reason given")


def of_client_hello(failure: Failure) -> Failure:
    """Name a failure that came of a ClientHello: its lengths are a message's, not a record's, and no reason is odd."""
    if failure.kind in (FailureKind.DAMAGED_RECORD, FailureKind.OTHER):
        return Failure(FailureKind.MALFORMED_HELLO, failure.detail)
    return failure
