"""Small values that several rooms speak of. A leaf: imports nothing of tlslab."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# Ctrl-C ends a lab within this time of the wall, even where nobody reads what the lab says. Three wait for a reader,
# one after another: the timeline, a file and the summary. Each has its share; a tenth is left for everything else.
GOODBYE_SECONDS = 1.0
LAST_WORDS_SECONDS = 0.3 * GOODBYE_SECONDS


class Verdict(StrEnum):
    """What a chain check said of a client certificate; `iis.access` turns it into a status."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"  # a root is there, at the end of the chain or alone, and is not trusted
    INCOMPLETE_CHAIN = "incomplete_chain"  # no issuer was found for the last of the chain
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_USAGE = "wrong_usage"
    INVALID = "invalid"  # a fault of the certificate itself, such as a wrong signature


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """A certificate, as far as the lab speaks of it. Names are RFC 4514 strings, the fingerprint is SHA-256 in hex."""

    subject: str
    issuer: str
    fingerprint_sha256: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """The TLS state of a connection as its last handshake left it."""

    protocol: str
    cipher: str
    resumed: bool
    renegotiated: bool
    client_certificate: CertificateFacts | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The issuers (RFC 4514) that a CertificateRequest does not name because its list would pass `limit_bytes`.

    `event_id` is the Schannel event that says so; `logged` whether this machine writes it.
    """

    names: tuple[str, ...]
    limit_bytes: int
    event_id: int
    logged: bool


@dataclass(frozen=True, slots=True)
class Drain:
    """Half-close, then discard what comes until `until` (lab time) or `limit_bytes`: so the last answer arrives."""

    until: float
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class Reset:
    """End the connection with a TCP reset (SO_LINGER 1, 0)."""


Closing = Drain | Reset
