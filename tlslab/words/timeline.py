"""The timeline's sentences: one line per event that matters, as a support engineer would say it.

Every sentence is made here from an event's numbers. A line's mark says how to take it: `bad` is a failure, `odd` worth
a look, `good` the way it should be, "" plain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from tlslab import events as e
from tlslab.schannel.event_log import ISSUER_LIST_TRUNCATED
from tlslab.text import escaped, format_bytes, format_count, format_seconds, format_status, plural, shortened
from tlslab.types import Activity
from tlslab.words.line import Line
from tlslab.words.of_the_lab import OF_THE_LAB
from tlslab.words.values import ACTIVITIES, CONNECTION_ENDS, UNAVAILABLE, UNUSABLE
from tlslab.words.windows_events import UNUSABLE_ENTRIES

TLS_FAILURES = {
    "unsafe_renegotiation": "the client does not know secure renegotiation (RFC 5746), so it may not renegotiate",
    "peer_alert": "the client ended TLS with an alert",
    "no_shared_protocol": "the client offers no TLS version that this binding speaks",
    "no_shared_cipher": "the client offers no cipher suite that this binding knows",
    "unexpected_message": "a TLS message came where none of its kind may stand",
    "not_tls": "what came is not TLS; is the URL http:// instead of https://?",
    "malformed_hello": "a ClientHello that is too long or does not parse",
    "damaged_record": "a TLS record does not decrypt: damaged on the way, or made up",
    "message_over_limit": "a handshake message over Schannel's limit (SCHANNEL\\Messaging)",
    "certificate_missing": "the client sent no certificate where the handshake demands one",
}
ALERTS = {
    "unknown_ca": "the client does not trust the lab's authority: give it the CA file (curl: --cacert)",
    "bad_certificate": "the client rejects the lab's certificate",
    "certificate_unknown": "the client rejects the lab's certificate: a browser that was not told to trust it says so",
    "no_renegotiation": "the client will not renegotiate",
}
KINDS = {
    "synchronous": "a blocking call: the application reads no more of the body until the answer comes",
    "read_ahead_413": "none of the body is in the way: it has been read whole, or the client holds it back",
    "after_body": "the body is read as far as it may be; nothing more is read until the answer comes",
    "async_drain": "an asynchronous call: the body is read on meanwhile",
    "early_async_drain": "an asynchronous call, as early as can be: the body is read meanwhile",
    "after_a_while": "the application had work of its own first, and asks with what has come of the body",
    "after_response": "the answer is out, the next request on this connection will have the certificate",
}

SESSION_REASONS = {
    "fifo": "it was the oldest, and newer ones needed the room",
    "lifetime": "its time was over",
    "idle_purge": "its connection had been idle for five minutes, and IIS 6 threw it away with the connection's object",
    "fatal_alert": "a connection that used it ended in a fatal alert",
    "renegotiation_refused": "its client refused to renegotiate (the lab's own rule; Windows is unverified)",
    "no_close_notify": "its client closed without close_notify, and the server is set to expect that",
    "disabled": "the cache is switched off",
    "not_acceptable": "it was there, but does not fit what this client offers now",
}


def _opened(event: e.ConnectionOpened) -> Line:
    return Line(f"connection from {event.peer} to {event.local}")


def _client_left(event: e.PeerClosed) -> Line | None:
    if event.during == Activity.IDLE:
        return Line("the client closed the connection")
    if event.during == Activity.RENEGOTIATION:
        return Line(
            "the client left in the renegotiation; a browser does that to let you choose a certificate, and comes "
            "again on a new connection",
            "odd",
        )
    stuck = "; its FIN is stuck behind the body, and a server elsewhere would not know yet" if event.fin_stuck else ""
    return Line(f"the client gave up during {ACTIVITIES[event.during]}{stuck}", "bad")


def _peer_reset(event: e.PeerReset) -> Line:
    return Line(f"the client reset the connection during {ACTIVITIES[event.during]}", "bad")


def _closed(event: e.ConnectionClosed) -> Line:
    return Line(f"connection {CONNECTION_ENDS[event.how]} after {format_seconds(event.seconds)}")


def _hello(event: e.ClientHelloReceived) -> Line | None:
    mark = "bad" if event.detail else ""
    if not event.renegotiation:
        return Line(f"a broken ClientHello: {event.detail}", mark) if event.detail else None
    behind = f" behind {format_bytes(event.behind_body_bytes)} of body" if event.behind_body_bytes else ""
    broken = f", but it is broken: {event.detail}" if event.detail else ""
    return Line(f"ClientHello{behind}: the client answers, the renegotiation begins{broken}", mark)


def _no_binding(event: e.NoBindingMatched) -> Line:
    asked = "a client that names none" if event.server_name is None else f"the name {event.server_name}"
    return Line(f"no binding on this port for {asked}: connection reset", "bad")


def _not_usable(event: e.CertificateNotUsable) -> Line:
    entry, what = UNUSABLE_ENTRIES[event.why], f"the record of {event.endpoint} {UNUSABLE[event.why]}"
    told = f"connection reset; Windows writes event {entry.event_id} of {entry.source}"
    return Line(f"NO CERTIFICATE: {what}: {told}", "bad")


def _session_gone(event: e.SessionEvicted) -> Line:
    return Line(
        f"the session {_short(event.session_id)} leaves the cache after {format_seconds(event.age_seconds)}: "
        f"{SESSION_REASONS[event.reason]}; {event.entries:,} remain",
        "odd",
    )


def _session_not_resumed(event: e.SessionNotResumed) -> Line:
    knob = f" ({event.knob})" if event.knob else ""
    return Line(
        f"the client offers the session {_short(event.old_id)} and gets the new one {_short(event.new_id)}: "
        f"{SESSION_REASONS[event.reason]}{knob}; {event.entries:,} sessions are kept, some "
        f"{event.lsass_bytes_low // 1024:,} to {event.lsass_bytes_high // 1024:,} KB of lsass.exe",
        "bad",
    )


def _short(session_id: str) -> str:
    return session_id[:8] + "..."


def _hello_request(_event: e.HelloRequestSent) -> Line:
    return Line("HelloRequest: the server asks the client to renegotiate, so that it can ask for a certificate")


def _certificate_requested(event: e.CertificateRequested) -> Line:
    count = len(event.issuers)
    names = "; ".join(event.issuers[:2]) + ("; ..." if count > 2 else "")
    when = {"handshake": "in the first handshake", "renegotiation": "in the renegotiation"}.get(
        event.during, "in TLS 1.3"
    )
    listed = f"naming {count} {plural(count, 'issuer')}: {names}" if count else "naming no issuer"
    return Line(f"CertificateRequest {when}, {listed}")


def _issuers_cut(event: e.IssuerListTruncated) -> Line:
    count, left = len(event.sent) + len(event.dropped), len(event.dropped)
    names = "; ".join(event.dropped[:2]) + ("; ..." if left > 2 else "")
    written = (
        f"Windows writes event {event.event_id}: {ISSUER_LIST_TRUNCATED.message}"
        if event.logged
        else f"Windows says so (event {event.event_id}) only with EventLogging=3"
    )
    return Line(
        f"LIST CUT: only {len(event.sent)} of {count} trusted issuers fit into {format_bytes(event.limit_bytes)}; a "
        f"client that chooses by this list offers no certificate of the other {left}: {names}; {written}",
        "bad",
    )


def _certificate(event: e.ClientCertificateReceived) -> Line:
    if event.verdict == "trusted":
        return Line(f"client certificate: {event.subject}, issued by {event.issuer}", "good")
    return Line(
        f"client certificate: {event.subject}, issued by {event.issuer}: {event.verdict.replace('_', ' ')}", "bad"
    )


def _no_certificate(_event: e.ClientCertificateNotSent) -> Line:
    return Line("the client was asked and sent no certificate", "odd")


def _handshake(event: e.HandshakeCompleted) -> Line:
    if event.renegotiation:
        return Line("renegotiation complete")
    resumed = ", session resumed" if event.resumed else ""
    return Line(f"{event.protocol} handshake complete ({event.cipher}{resumed})")


def _alert_received(event: e.AlertReceived) -> Line | None:
    if event.description == "close_notify":
        return None
    advice = f": {ALERTS[event.description]}" if event.description in ALERTS else ""
    return Line(f"{event.level} alert {event.description} ({event.code}) from the client{advice}", "odd")


def _alert_sent(event: e.AlertSent) -> Line | None:
    if event.description == "close_notify":
        return None
    return Line(f"{event.level} alert {event.description} ({event.code}) to the client", "odd")


def _refused(_event: e.RenegotiationRefused) -> Line:
    return Line("REFUSED: this client never renegotiates, so no certificate can come and no 403 either: reset", "bad")


def _tls_failed(event: e.TlsFailed) -> Line:
    return Line(f"TLS failed: {TLS_FAILURES.get(event.kind, 'OpenSSL gives up')} ({event.detail})", "bad")


def _request(event: e.RequestReceived) -> Line:
    if event.content_length is None:
        body = ", a chunked body"
    else:
        body = f", a body of {format_bytes(event.content_length)}" if event.content_length else ""
    waits = ", waits for 100 Continue" if event.expects_continue else ""
    return Line(f"{event.method} {event.target}{body}{waits}")


def _retrieval(event: e.CertificateRetrievalStarted) -> Line:
    if event.body_announced == 0:
        after = f"; {KINDS[event.kind]}" if event.kind == "after_response" else ""
        return Line(f"asking for the client certificate now{after}")
    read = f"{format_bytes(event.body_received)} of the body read, "
    return Line(f"{read}asking for the client certificate now; {KINDS.get(event.kind, event.kind)}")


def _stalled(event: e.EntityBodyStalled) -> Line:
    return Line(
        f"STUCK: {format_bytes(event.body_buffered)} of the body are buffered and no more is read, but the "
        f"{event.waiting_for} the server waits for comes behind the body "
        f"({_waits_unread(event)})",
        "bad",
    )


def _unread(event: e.UnreadBytesChanged) -> Line:
    return Line(f"still stuck: {_waits_unread(event)}", "odd")


def _waits_unread(event: e.EntityBodyStalled | e.UnreadBytesChanged) -> str:
    wait = plural(event.tls_unread, "waits", "wait")
    return f"{format_count(event.tls_unread, 'byte')} {wait} in TLS, {event.socket_unread:,} in the socket"


def _resumed(event: e.EntityBodyResumed) -> Line:
    return Line(f"the body is read again, after {format_seconds(event.after_seconds)}", "good")


def _continue(event: e.ContinueSent) -> Line:
    return Line("100 Continue: the client may send the body now")


def _cancelled(event: e.RetrievalCancelled) -> Line:
    return Line(
        f"CANCELLED: {format_bytes(event.body_received)} of body came before the certificate did, over the maximum of "
        f"{format_bytes(event.max_bytes)}",
        "bad",
    )


def _read_ahead(event: e.ReadAheadExceeded) -> Line:
    return Line(
        f"TOO LARGE: more body than the {format_bytes(event.size_bytes)} that are read ahead, and the certificate "
        "cannot be asked for behind it: refused, instead of a deadlock",
        "bad",
    )


def _unavailable(event: e.CertificateUnavailable) -> Line:
    return Line(f"the certificate cannot be asked for: {UNAVAILABLE[event.reason]}", "bad")


def _timer(event: e.TimerExpired) -> Line:
    return Line(f"the timer {event.timer} ran out after {format_seconds(event.seconds)}", "bad")


def _httperr(event: e.HttpErrLogged) -> Line:
    request = f" for {event.method} {event.target}" if event.method else ""
    return Line(f"HTTPERR log: {event.reason}{request}", "bad")


def _bad_request(event: e.BadRequestReceived) -> Line:
    return Line(f"not a request that can be served: {event.detail}", "bad")


def _response(event: e.ResponseSent) -> Line:
    status = format_status(event.status, event.substatus)
    who = event.certificate or "no client certificate"
    return Line(f"{status} for {event.method} {event.target} ({who})", "good" if event.status < 400 else "bad")


_SAY: dict[type[e.Event], Callable[[Any], Line | None]] = {
    e.ConnectionOpened: _opened,
    e.PeerClosed: _client_left,
    e.PeerReset: _peer_reset,
    e.ConnectionClosed: _closed,
    e.ClientHelloReceived: _hello,
    e.NoBindingMatched: _no_binding,
    e.CertificateNotUsable: _not_usable,
    e.SessionEvicted: _session_gone,
    e.SessionNotResumed: _session_not_resumed,
    e.HelloRequestSent: _hello_request,
    e.CertificateRequested: _certificate_requested,
    e.IssuerListTruncated: _issuers_cut,
    e.ClientCertificateReceived: _certificate,
    e.ClientCertificateNotSent: _no_certificate,
    e.HandshakeCompleted: _handshake,
    e.AlertReceived: _alert_received,
    e.AlertSent: _alert_sent,
    e.RenegotiationRefused: _refused,
    e.TlsFailed: _tls_failed,
    e.RequestReceived: _request,
    e.CertificateRetrievalStarted: _retrieval,
    e.EntityBodyStalled: _stalled,
    e.EntityBodyResumed: _resumed,
    e.ContinueSent: _continue,
    e.RetrievalCancelled: _cancelled,
    e.ReadAheadExceeded: _read_ahead,
    e.CertificateUnavailable: _unavailable,
    e.TimerExpired: _timer,
    e.HttpErrLogged: _httperr,
    e.BadRequestReceived: _bad_request,
    e.ResponseSent: _response,
    **OF_THE_LAB,
}
_SAY_VERBOSELY: dict[type[e.Event], Callable[[Any], Line | None]] = {e.UnreadBytesChanged: _unread}
MATTERS = frozenset(_SAY)
LONGEST = 2000  # characters of a line; a request's target alone may have 16 KiB


def say(event: e.Event) -> Line | None:
    """The sentence for an event that matters; None where there is nothing to say."""
    sentence = _SAY.get(type(event))
    line = sentence(event) if sentence else None
    return _safe(line, event) if line else None


def say_verbosely(event: e.Event) -> Line:
    """A line for any event: its sentence, or its name and numbers."""
    sentence = _SAY.get(type(event)) or _SAY_VERBOSELY.get(type(event))
    if sentence and (line := sentence(event)):
        return _safe(line, event)
    details = (f"{field.name}={getattr(event, field.name)}" for field in fields(event)[3:])
    return _safe(Line(f"{type(event).__name__} {' '.join(details)}", "quiet"), event)


def _safe(line: Line, event: e.Event) -> Line:
    """Let no text of a peer's move the cursor, colour the terminal, forge a line or fill the screen.

    A certificate's subject may hold any character. A defect's traceback keeps its lines, all of them.
    """
    text = line.text
    if len(text) <= LONGEST and text.isprintable():
        return line
    if isinstance(event, e.InternalFault):
        return Line(escaped(text, keep="\n"), line.mark)
    return Line(escaped(shortened(text, LONGEST)), line.mark)
