"""What TLS did, all derived from the wire, and which binding and session that concerned."""

from __future__ import annotations

from tlslab import types as t
from tlslab.events.base import Event


@t.frozen_for_mypy
class ClientHelloReceived(Event):
    """A ClientHello was read, all but what `detail` says, behind so many bytes of body (None: the first of all)."""

    server_name: str | None
    versions: tuple[str, ...]
    session_id: str
    offers_post_handshake_auth: bool
    renegotiation: bool
    behind_body_bytes: int | None
    detail: str = ""


@t.frozen_for_mypy
class BindingChosen(Event):
    """Decision: which binding serves this connection."""

    by: t.BindingKey
    endpoint: str
    client_cert_negotiation: str


@t.frozen_for_mypy
class NoBindingMatched(Event):
    """No binding of this address and port serves the name the client asked for."""

    server_name: str | None


@t.frozen_for_mypy
class CertificateNotUsable(Event):
    """The record that was chosen names a certificate that is gone, or whose key is: the connection is reset."""

    endpoint: str
    why: t.Unusable


@t.frozen_for_mypy
class HandshakeMessage(Event):
    """A handshake message passed, encrypted or not; `length` is without its header."""

    direction: t.Direction
    name: str
    length: int
    renegotiation: bool


@t.frozen_for_mypy
class ServerHelloSent(Event):
    """A ServerHello went out; `resumed` when it repeats the offered session id or, in TLS 1.3, selects a key."""

    protocol: str
    session_id: str
    resumed: bool
    renegotiation: bool


@t.frozen_for_mypy
class SessionResumed(Event):
    """The ServerHello took up a session of the client's: no certificates pass, the ones of then hold."""

    session_id: str


@t.frozen_for_mypy
class SessionNotResumed(Event):
    """The client offered a session that this lab issued, and got a new one instead.

    `reason` is why the table did not have it (`not_acceptable`: it had, and TLS could not take it up), `knob` the
    registry value behind that; the bytes are what `entries` are said to cost lsass, from and to.
    """

    old_id: str
    new_id: str
    reason: str
    knob: str
    entries: int
    lsass_bytes_low: int
    lsass_bytes_high: int


@t.frozen_for_mypy
class HelloRequestSent(Event):
    """The server asked the client to renegotiate (RFC 5246, 7.4.1.1)."""


@t.frozen_for_mypy
class CertificateRequested(Event):
    """A CertificateRequest went out, naming issuers (RFC 4514) of so many bytes."""

    during: t.HandshakeKind
    issuers: tuple[str, ...]
    issuers_bytes: int


@t.frozen_for_mypy
class IssuerListTruncated(Event):
    """The CertificateRequest before this names the issuers `sent`, and for want of room not those `dropped`.

    Names are RFC 4514. `event_id` is Schannel's event that says so; `logged` whether this machine writes it.
    """

    sent: tuple[str, ...]
    dropped: tuple[str, ...]
    wire_bytes: int
    limit_bytes: int
    event_id: int
    logged: bool


@t.frozen_for_mypy
class ClientCertificateReceived(Event):
    """The client sent a certificate."""

    subject: str
    issuer: str
    fingerprint_sha256: str
    verdict: t.Verdict


@t.frozen_for_mypy
class ClientCertificateNotSent(Event):
    """The client was asked and sent an empty Certificate message."""


@t.frozen_for_mypy
class HandshakeCompleted(Event):
    """Both Finished messages have passed."""

    protocol: str
    cipher: str
    resumed: bool
    renegotiation: bool


@t.frozen_for_mypy
class AlertReceived(Event):
    """The client sent an alert. `level` is `warning` or `fatal`, `description` the RFC's name."""

    level: str
    description: str
    code: int


@t.frozen_for_mypy
class AlertSent(Event):
    """The lab sent an alert."""

    level: str
    description: str
    code: int


@t.frozen_for_mypy
class RenegotiationRefused(Event):
    """The client answered HelloRequest with the warning no_renegotiation: no certificate can come, nor a 403."""


@t.frozen_for_mypy
class TlsFailed(Event):
    """TLS ended in an error. `kind` is from `tls.failures`, `detail` quotes OpenSSL, or `WireError`."""

    kind: str
    detail: str
