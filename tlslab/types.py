"""Small values that several rooms speak of. A leaf: imports nothing of tlslab."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar, dataclass_transform

# Ctrl-C ends a lab within this time of the wall, even where nobody reads what the lab says. Three wait for a reader,
# one after another: the timeline, a file and the summary. Each has its share; a tenth is left for everything else.
GOODBYE_SECONDS = 1.0
LAST_WORDS_SECONDS = 0.3 * GOODBYE_SECONDS


Kind = TypeVar("Kind")


@dataclass_transform(frozen_default=True)
def frozen_for_mypy(kind: type[Kind]) -> type[Kind]:
    """Make a dataclass with slots that mypy takes for a frozen one: for what is made many times a connection.

    Python itself does not hold it: to make one that is frozen takes five times as long (1.5 microseconds for seven
    fields), and a connection that renegotiates tells some 37 events.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)


class Verdict(StrEnum):
    """What a chain check said of a client certificate; `iis.access` turns it into a status."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"  # a root is there, at the end of the chain or alone, and is not trusted
    INCOMPLETE_CHAIN = "incomplete_chain"  # no issuer was found for the last of the chain
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_USAGE = "wrong_usage"
    REVOCATION_OFFLINE = "revocation_offline"  # good, but the list of revoked ones is not to be had, or too old
    INVALID = "invalid"  # a fault of the certificate itself, such as a wrong signature


class Activity(StrEnum):
    """What the lab was doing for a client, as events about one that leaves tell it."""

    TLS_HANDSHAKE = "tls_handshake"
    RENEGOTIATION = "renegotiation"
    CERTIFICATE_RETRIEVAL = "certificate_retrieval"
    IDLE = "idle"
    REQUEST_HEAD = "request_head"
    APPLICATION = "application"  # the application's own work, before it asks for the certificate
    ENTITY_BODY = "entity_body"
    RESPONSE = "response"  # the request is whole, and was not answered yet
    ENDING = "ending"


class Direction(StrEnum):
    """Which way a message went, as the lab sees it."""

    SENT = "sent"
    RECEIVED = "received"


class BindingKey(StrEnum):
    """By which kind of key a binding was found."""

    SNI = "sni"
    ADDRESS = "address"


class HandshakeKind(StrEnum):
    """In which handshake a certificate is asked for."""

    FIRST = "handshake"
    RENEGOTIATION = "renegotiation"
    POST_HANDSHAKE = "post_handshake"


class ConnectionEnd(StrEnum):
    """How a connection came to its end."""

    CLOSED = "closed"  # both sides said FIN, or a drain ran out of time or bytes
    RESET = "reset"  # by the lab
    RESET_BY_PEER = "reset_by_peer"
    ABANDONED = "abandoned"  # the lab ended before it


class Unavailable(StrEnum):
    """Why a certificate cannot be asked for on a connection."""

    NO_POST_HANDSHAKE_AUTH = "no_post_handshake_auth"  # TLS 1.3, and the client did not offer it


class Unusable(StrEnum):
    """Why a binding's certificate cannot be used."""

    DELETED = "deleted"  # it is no longer in the store
    KEY_MISSING = "key_missing"  # it is there, and its private key is not


class EvidenceFile(StrEnum):
    """A file that a lab writes while it runs."""

    EVENTS_FILE = "events_file"
    KEY_LOG = "key_log"
    CAPTURE = "capture"
    SITE_LOG = "site_log"
    HTTPERR_LOG = "httperr_log"
    EVENT_LOG_JSON = "event_log_json"
    EVENT_LOG_TEXT = "event_log_text"


class EvidenceEnd(StrEnum):
    """Why such a file ends before the lab does, or cannot be written for a while."""

    DISK_FULL = "disk_full"
    NO_DESCRIPTORS = "no_descriptors"
    NOT_THERE = "not_there"  # its folder is gone
    NOT_ALLOWED = "not_allowed"
    DELETED = "deleted"  # somebody has deleted it, and it begins anew
    UNREAD = "unread"  # it is a pipe, and its reader left so much unread
    FAILED = "failed"  # the system refused otherwise, in the words that go with it
    SIZE_LIMIT = "size_limit"  # it was not to grow larger
    READER_GONE = "reader_gone"  # it is a pipe, and nobody can read it any more


FOR_GOOD = frozenset({EvidenceEnd.SIZE_LIMIT, EvidenceEnd.READER_GONE})  # the others pass


class Fault(StrEnum):
    """What kind of defect of tlslab it was, or of the system it runs on."""

    EXCEPTION = "exception"
    SYSTEM = "system"  # it refused what a connection needs
    EVICTED_SESSION_RESUMED = "evicted_session_resumed"  # OpenSSL took up what the session table had let go


@frozen_for_mypy
class CertificateFacts:
    """A certificate, as far as the lab speaks of it. Names are RFC 4514 strings, the fingerprint is SHA-256 in hex."""

    subject: str
    issuer: str
    fingerprint_sha256: str
    verdict: Verdict


@frozen_for_mypy
class TlsFacts:
    """The TLS state of a connection as its last handshake left it."""

    protocol: str
    cipher: str
    resumed: bool
    renegotiated: bool
    client_certificate: CertificateFacts | None


@frozen_for_mypy
class Drain:
    """Half-close, then discard what comes until `until` (lab time) or `limit_bytes`: so the last answer arrives."""

    until: float
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class Reset:
    """End the connection with a TCP reset (SO_LINGER 1, 0)."""


Closing = Drain | Reset
