"""Comments on packets: the lab's decisions, each beside the packet that it led to or that led to it.

An event about what came belongs to what the client sent, every other to what the lab sent. Sentences are made here from
an event's numbers, shorter than the timeline's: Wireshark shows what the packet is, the comment says why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tlslab import events as e
from tlslab.text import cut, escaped, format_count, format_plain_seconds, format_status, plural
from tlslab.words.values import UNAVAILABLE, UNUSABLE
from tlslab.words.windows_events import UNUSABLE_ENTRIES

LONGEST = 500  # characters; a request's target alone may have 16 KiB


def _hello(event: e.ClientHelloReceived) -> str:
    if not event.renegotiation:
        return f"a broken ClientHello: {event.detail}" if event.detail else ""
    behind = f" behind {_bytes(event.behind_body_bytes)} of body" if event.behind_body_bytes else ""
    broken = f", but it is broken: {event.detail}" if event.detail else ""
    return f"ClientHello{behind}: the renegotiation begins{broken}"


def _binding(event: e.BindingChosen) -> str:
    asks = event.client_cert_negotiation
    return f"binding {event.binding} ({event.endpoint}) chosen by {event.by}; its clientcertnegotiation is {asks}"


def _no_binding(event: e.NoBindingMatched) -> str:
    return f"no binding for {event.server_name or 'a client that names no server'}"


def _not_usable(event: e.CertificateNotUsable) -> str:
    entry = UNUSABLE_ENTRIES[event.why]
    return f"the record of {event.endpoint} {UNUSABLE[event.why]} ({entry.source} {entry.event_id})"


def _resumed(event: e.SessionResumed) -> str:
    return f"session {_short(event.session_id)} resumed"


def _not_resumed(event: e.SessionNotResumed) -> str:
    knob = f", {event.knob}" if event.knob else ""
    reason = event.reason.replace("_", " ")
    return f"session {_short(event.old_id)} not resumed ({reason}{knob}); the new one is {_short(event.new_id)}"


def _hello_request(_event: e.HelloRequestSent) -> str:
    return "HelloRequest sent"


def _certificate_requested(event: e.CertificateRequested) -> str:
    return f"CertificateRequest sent: {_issuers(len(event.issuers))}, {_bytes(event.issuers_bytes)}"


def _issuers_cut(event: e.IssuerListTruncated) -> str:
    count, limit = len(event.sent) + len(event.dropped), _bytes(event.limit_bytes)
    logged = "logged" if event.logged else "not logged"
    return f"only {len(event.sent)} of {_issuers(count)} fit into {limit} (Schannel event {event.event_id}, {logged})"


def _certificate(event: e.ClientCertificateReceived) -> str:
    return f"client certificate {event.subject}, issued by {event.issuer}: {event.verdict.replace('_', ' ')}"


def _no_certificate(_event: e.ClientCertificateNotSent) -> str:
    return "the client was asked and sent no certificate"


def _refused(_event: e.RenegotiationRefused) -> str:
    return "the client refused to renegotiate: no certificate can come"


def _tls_failed(event: e.TlsFailed) -> str:
    return f"TLS failed: {event.kind.replace('_', ' ')} ({event.detail})"


def _request(event: e.RequestReceived) -> str:
    """Wireshark lists a request where its body ends, so one that gets stuck would be nowhere."""
    if event.content_length == 0:
        return ""
    body = "a chunked body" if event.content_length is None else f"a body of {_bytes(event.content_length)}"
    return f"{event.method} {event.target}, {body}"


def _retrieval(event: e.CertificateRetrievalStarted) -> str:
    waits = f"waits for {format_plain_seconds(event.timeout_seconds)} at most"
    if event.body_announced == 0:
        return f"client certificate wanted, {waits}"
    reads = "read" if event.reads_on else "not read"
    after = f"after {_bytes(event.body_received)} of body ({event.kind})"
    return f"client certificate wanted {after}, {waits}; meanwhile the body is {reads}"


def _unavailable(event: e.CertificateUnavailable) -> str:
    return f"the certificate cannot be asked for: {UNAVAILABLE[event.reason]}"


def _stalled(event: e.EntityBodyStalled) -> str:
    in_tls = f" and {event.tls_unread:,} in TLS" if event.tls_unread else ""
    return f"{_bytes(event.body_buffered)} of body buffered, {event.socket_unread:,} waiting in the socket{in_tls}"


def _read_again(event: e.EntityBodyResumed) -> str:
    return f"the body is read again after {format_plain_seconds(event.after_seconds)}"


def _continue(event: e.ContinueSent) -> str:
    return "100 Continue sent, " + ("after the certificate" if event.after_certificate else "before any certificate")


def _cancelled(event: e.RetrievalCancelled) -> str:
    return f"given up: {_bytes(event.body_received)} of body before the certificate, {event.max_bytes:,} at most"


def _read_ahead(event: e.ReadAheadExceeded) -> str:
    return f"refused: the body goes on beyond the {_bytes(event.size_bytes)} that are read ahead"


def _timer(event: e.TimerExpired) -> str:
    return f"timer {event.timer} ran out after {format_plain_seconds(event.seconds)}"


def _httperr(event: e.HttpErrLogged) -> str:
    return f"HTTPERR: {event.reason}"


def _bad_request(event: e.BadRequestReceived) -> str:
    return f"not a request that can be served: {event.detail}"


def _response(event: e.ResponseSent) -> str:
    status = format_status(event.status, event.substatus)
    return f"{status} for {event.method} {event.target} ({event.certificate or 'no client certificate'})"


def _bytes(count: int | None) -> str:
    return format_count(count or 0, "byte")


def _issuers(count: int) -> str:
    return f"{count} {plural(count, 'issuer')}"


def _short(session_id: str) -> str:
    return session_id[:8]


_SAY: dict[type[e.Event], Callable[[Any], str]] = {
    e.ClientHelloReceived: _hello,
    e.BindingChosen: _binding,
    e.NoBindingMatched: _no_binding,
    e.CertificateNotUsable: _not_usable,
    e.SessionResumed: _resumed,
    e.SessionNotResumed: _not_resumed,
    e.HelloRequestSent: _hello_request,
    e.CertificateRequested: _certificate_requested,
    e.IssuerListTruncated: _issuers_cut,
    e.ClientCertificateReceived: _certificate,
    e.ClientCertificateNotSent: _no_certificate,
    e.RenegotiationRefused: _refused,
    e.TlsFailed: _tls_failed,
    e.RequestReceived: _request,
    e.CertificateRetrievalStarted: _retrieval,
    e.CertificateUnavailable: _unavailable,
    e.EntityBodyStalled: _stalled,
    e.EntityBodyResumed: _read_again,
    e.ContinueSent: _continue,
    e.RetrievalCancelled: _cancelled,
    e.ReadAheadExceeded: _read_ahead,
    e.TimerExpired: _timer,
    e.HttpErrLogged: _httperr,
    e.BadRequestReceived: _bad_request,
    e.ResponseSent: _response,
}
KINDS = frozenset(_SAY)
ABOUT_WHAT_CAME: frozenset[type[e.Event]] = frozenset(
    {
        e.ClientHelloReceived,
        e.NoBindingMatched,
        e.ClientCertificateReceived,
        e.ClientCertificateNotSent,
        e.RenegotiationRefused,
        e.TlsFailed,
        e.RequestReceived,
        e.BadRequestReceived,
    }
)
BEGINS: frozenset[type[e.Event]] = frozenset({e.RequestReceived})  # of what came: beside the first of its packets
CONTINUES: frozenset[type[e.Event]] = frozenset({e.EntityBodyStalled})  # the comment before it, on the same packet


def comment(event: e.Event) -> str:
    """What to say of an event; "" where there is nothing to say.

    No text of a peer's breaks the line or fills the screen: what does not print is written as an escape.
    """
    sentence = _SAY.get(type(event))
    text = sentence(event) if sentence else ""
    if len(text) <= LONGEST and text.isprintable():  # as nearly all do
        return text
    return escaped(cut(text, LONGEST))[:LONGEST]  # escapes make it longer again
