"""Every observable fact of a lab, as dataclasses that nobody changes: the one stream that all readers share.

An event carries lab time (`at`, seconds), connection (0: the lab itself), binding ("" until one is chosen) and numbers.
A text is a name, a value of an enumeration, or quotes a peer, a library or the system; sentences are the readers'.
"""

from __future__ import annotations

from tlslab import types as t


@t.frozen_for_mypy
class Event:
    """What happened, when, on which connection and binding."""

    at: float
    connection: int
    binding: str


@t.frozen_for_mypy
class ConnectionOpened(Event):
    """A TCP connection was accepted. Both addresses are `host:port`."""

    peer: str
    local: str


@t.frozen_for_mypy
class PeerClosed(Event):
    """The client ended its side. `fin_stuck`: its FIN has no room to arrive, but its socket here shows that it left."""

    during: t.Activity
    fin_stuck: bool


@t.frozen_for_mypy
class PeerReset(Event):
    """The client, or the network, reset the connection. `during` names what the lab was doing for it."""

    during: t.Activity


@t.frozen_for_mypy
class ConnectionClosed(Event):
    """The connection is over, after so many seconds."""

    how: t.ConnectionEnd
    seconds: float


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
class SessionEvicted(Event):
    """A session left the machine's cache, after `age_seconds`; `entries` remain."""

    session_id: str
    reason: str
    knob: str
    age_seconds: float
    entries: int


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


@t.frozen_for_mypy
class RequestReceived(Event):
    """The head of a request was read. `content_length` is None for a chunked body; a header not sent is ""."""

    method: str
    target: str
    http_version: str
    content_length: int | None
    expects_continue: bool
    user_agent: str
    referer: str


@t.frozen_for_mypy
class CertificateRetrievalStarted(Event):
    """Decision: ask for the client certificate now. `reads_on` says whether the body is read while waiting."""

    kind: str
    body_received: int
    body_announced: int | None
    reads_on: bool
    timeout_seconds: float


@t.frozen_for_mypy
class CertificateUnavailable(Event):
    """The certificate cannot be asked for on this connection."""

    reason: t.Unavailable


@t.frozen_for_mypy
class EntityBodyStalled(Event):
    """The body is no longer read although more of it is on its way: what would answer is behind it.

    Bytes: `body_buffered` read and kept, `tls_unread` received but not taken, `socket_unread` waiting in the kernel.
    """

    body_buffered: int
    body_announced: int | None
    tls_unread: int
    socket_unread: int
    waiting_for: str


@t.frozen_for_mypy
class UnreadBytesChanged(Event):
    """While stalled: how many bytes wait now."""

    tls_unread: int
    socket_unread: int


@t.frozen_for_mypy
class EntityBodyResumed(Event):
    """The body is read again."""

    after_seconds: float


@t.frozen_for_mypy
class EntityBodyReceived(Event):
    """The whole body has been read."""

    length: int


@t.frozen_for_mypy
class ContinueSent(Event):
    """100 Continue went out. `after_certificate` says whether the certificate had been asked for before."""

    after_certificate: bool


@t.frozen_for_mypy
class RetrievalCancelled(Event):
    """More body than `max_bytes` arrived before the certificate did: the request and its connection are given up."""

    body_received: int
    max_bytes: int


@t.frozen_for_mypy
class ReadAheadExceeded(Event):
    """Decision: refuse with 413, because the body goes on beyond the `size_bytes` read before the certificate."""

    body_received: int
    size_bytes: int
    body_announced: int | None


@t.frozen_for_mypy
class TimerExpired(Event):
    """A timer of http.sys ran out. `timer` is the knob's name, `seconds` its length in lab time."""

    timer: str
    seconds: float


@t.frozen_for_mypy
class HttpErrLogged(Event):
    """http.sys ends the request at hand (`is_routed`: it had found its site) and logs why; `status` is its answer."""

    reason: str
    method: str | None
    target: str | None
    http_version: str | None
    status: int | None
    is_routed: bool = False


@t.frozen_for_mypy
class BadRequestReceived(Event):
    """What the client sent is not HTTP, or not HTTP that can be served."""

    detail: str


@t.frozen_for_mypy
class ResponseSent(Event):
    """A whole response went out, `seconds` after the request's head was there.

    `substatus` is 0 where IIS has none, `win32` (sc-win32-status) None where no document shows a value.
    """

    status: int
    substatus: int
    method: str
    target: str
    certificate: str | None
    win32: int | None
    seconds: float


@t.frozen_for_mypy
class SstpCertificatesDiffer(Event):
    """At the lab's start: 0.0.0.0 and [::] have different certificates on SSTP's port; names, "" for no record."""

    port: int
    ipv4: str
    ipv6: str


@t.frozen_for_mypy
class EvidenceEnded(Event):
    """A file of the lab's ends, for good or for a while. `detail` goes with `why`: bytes, or the system's word."""

    what: t.EvidenceFile
    why: t.EvidenceEnd
    detail: str


@t.frozen_for_mypy
class EvidenceResumed(Event):
    """Such a file goes on; `missing` is how many lines (of a capture: packets) are lost at this place."""

    what: t.EvidenceFile
    missing: int


@t.frozen_for_mypy
class InternalFault(Event):
    """A defect of tlslab; an exception ends its connection. `detail` is the fault's, `traceback` for the bug report."""

    fault: t.Fault
    detail: str
    traceback: str


ALL: frozenset[type[Event]] = frozenset(
    kind for kind in vars().values() if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
)
