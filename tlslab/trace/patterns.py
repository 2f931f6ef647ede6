"""What a trace shows that somebody has seen before: each a small function, and the scenario that shows the same.

A finding says no more than the messages do. Where traffic is not decrypted, or something else could look the same, its
certainty is `probable`, and its sentence says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tlslab.text import format_count, format_elapsed
from tlslab.trace.conversation import Conversation, Message, Side
from tlslab.trace.finding import Certainty, Finding, final_response, first_handshake, messages_after
from tlslab.trace.frames import WINDOWS, PieceKind
from tlslab.trace.ladder import silences
from tlslab.trace.progress import Progress
from tlslab.trace.sessions import session_not_honoured
from tlslab.trace.turns import ENDS, UNABLE_AFTER

# Schannel's room for the list of trusted issuers: 16 KB since KB933430. Before it 12,288 bytes are commonly given, as
# "12,228 (0x3000)", which disagrees with itself: unverified.
ISSUER_LIMITS = (16_384, 12_288)
# Where the list is cut in front of the first name that does not fit (an assumption, see schannel.issuer_list), it ends
# within one name's length of the limit. Names of authorities seldom have more bytes than this, with their two bytes of
# length.
LONGEST_ISSUER = 256
EVERYDAY = (401, 404)  # a challenge, and the browser's favicon.ico
KEYS_WANTED = "This connection is not decrypted: with its keys (--keylog) it could be said for certain."


def findings(conversation: Conversation, everything: Sequence[Conversation]) -> list[Finding]:
    """All that is recognised in one of the conversations of a trace, the gravest first."""
    found = [finding for look in LOOKS if (finding := look(conversation)) is not None]
    return found + [finding for finding in (session_not_honoured(conversation, everything),) if finding is not None]


def failure(conversation: Conversation) -> str:
    """What went wrong in a few words, whatever the cause; empty where nothing did that shows.

    Where packets are missing from the capture, that nothing came is not said.
    """
    fatal = next((one for one in conversation.messages if one.piece.fatal), None)
    if fatal is not None:
        return f"fatal alert {fatal.name} from the {fatal.sender}"
    progress = Progress()
    for message in conversation.messages:
        progress.take(message)
    is_known = conversation.is_over and not conversation.has_gaps
    if is_known and progress.waiting:
        return f"{progress.waiting[0].name} was never answered"
    has_spoken = any(
        one.kind in (PieceKind.REQUEST, PieceKind.RESPONSE, PieceKind.DATA) for one in conversation.messages
    )
    if is_known and not has_spoken and not progress.finished:
        return "the handshake was never completed"
    statuses = (one.piece.status or 0 for one in conversation.messages)
    bad = next((one for one in statuses if one >= 400 and one not in EVERYDAY), None)
    return f"the answer was {bad}" if bad else ""


# --- renegotiation ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """A HelloRequest between a request and its answer. `request` may be encrypted data."""

    request: Message
    hello_request: Message

    @property
    def is_certain(self) -> bool:
        return self.request.kind is PieceKind.REQUEST and not self.hello_request.piece.encrypted

    @property
    def what(self) -> str:
        return f"{self.request.name} in frame {self.request.frame}" if self.request.name else "encrypted data"


def _asked(conversation: Conversation) -> _Asked | None:
    request: Message | None = None
    for message in conversation.messages:
        if message.kind is PieceKind.REQUEST:
            request = message
        elif message.kind is PieceKind.DATA and message.sender is Side.CLIENT:
            request = request or message
        elif message.kind in (PieceKind.RESPONSE, PieceKind.DATA):
            request = None if message.piece.status is None or message.piece.status >= 200 else request
        elif message.is_handshake("HelloRequest", Side.SERVER) and request is not None:
            return _Asked(request, message)
    return None


def _refusal(conversation: Conversation, asked: _Asked) -> Message | None:
    alerts = (one for one in messages_after(conversation, asked.hello_request) if one.kind is PieceKind.ALERT)
    return next((one for one in alerts if one.name == "no_renegotiation" and one.sender is Side.CLIENT), None)


def renegotiation_refused(conversation: Conversation) -> Finding | None:
    """HelloRequest, and the client answers with the alert no_renegotiation."""
    asked = _asked(conversation)
    alert = _refusal(conversation, asked) if asked else None
    if asked is None or alert is None:
        return None
    end = conversation.end
    after = f" The {end.by} then ended the connection." if end is not None and end.by is Side.SERVER else ""
    if final_response(messages_after(conversation, alert)) is None:
        after = f" The request was never answered.{after}"
    sentence = (
        f"The server asked for a renegotiation after the request ({asked.what}; HelloRequest in frame "
        f"{asked.hello_request.frame}), and the client refused: no_renegotiation in frame {alert.frame}.{after}"
    )
    frames = (asked.request.frame, asked.hello_request.frame, alert.frame)
    return Finding("renegotiation_refused", "certain", sentence, frames, ("post-request-renegotiation",))


def renegotiation_after_request(conversation: Conversation) -> Finding | None:
    """HelloRequest between a request and its answer."""
    asked = _asked(conversation)
    if asked is None or _refusal(conversation, asked) is not None:
        return None
    wanted = first_handshake(messages_after(conversation, asked.hello_request), "CertificateRequest", Side.SERVER)
    frames = (asked.request.frame, asked.hello_request.frame, *([wanted.frame] if wanted else []))
    if not asked.is_certain:
        sentence = (
            f"After data of the client's (frame {asked.request.frame}) the server sent a handshake message as short as "
            f"a HelloRequest (frame {asked.hello_request.frame}). It probably asked for a renegotiation, to get a "
            f"client certificate. {KEYS_WANTED}"
        )
        return Finding("renegotiation_after_request", "probable", sentence, frames, ("post-request-renegotiation",))
    why = f"to get a client certificate (CertificateRequest, frame {wanted.frame})" if wanted else "and got no further"
    sentence = (
        f"The server asked for a renegotiation after the request ({asked.what}) and before its answer: HelloRequest in "
        f"frame {asked.hello_request.frame}, {why}."
    )
    return Finding("renegotiation_after_request", "certain", sentence, frames, ("post-request-renegotiation",))


def upload_stalled(conversation: Conversation) -> Finding | None:
    """A silence of a second or more in which both wait: the server for a ClientHello that stands behind the body."""
    stalls = [one for one in silences(conversation) if one.turn.both_wait and one.seconds >= UNABLE_AFTER]
    asked = _asked(conversation)
    if not stalls or asked is None:
        return None
    stall = max(stalls, key=lambda one: one.seconds)
    certainty: Certainty = "probable" if stall.turn.is_probable else "certain"
    sentence = (
        f"An upload ({asked.what}) stalled for {format_elapsed(stall.seconds)} after the server's HelloRequest (frame "
        f"{asked.hello_request.frame}): it waits for a ClientHello that comes behind the body, and does not read on."
        f"{_after_stall(stall.before)}{'' if asked.is_certain else f' {KEYS_WANTED}'}"
    )
    ends = [one.frame for one in (asked.request, asked.hello_request, stall.after, stall.before) if one is not None]
    return Finding("upload_stalled", certainty, sentence, tuple(dict.fromkeys(ends)), ("large-post-deadlock",))


def _after_stall(message: Message | None) -> str:
    if message is None:
        return " So it was still when the capture ended."
    if message.kind not in ENDS:
        return f" Then it went on: the {message.sender} spoke in frame {message.frame}."
    how = "reset" if message.kind is PieceKind.RST else "ended"
    return f" Then the {message.sender} {how} the connection (frame {message.frame})."


def certificate_after_request(conversation: Conversation) -> Finding | None:
    """TLS 1.3: CertificateRequest behind the handshake, between a request and its answer."""
    progress = Progress()
    for message in conversation.messages:
        is_asked = message.is_handshake("CertificateRequest", Side.SERVER) and progress.is_handshake_done
        if is_asked and progress.is_tls13 and progress.request is not None:
            return _certificate_asked(conversation, progress.request, message)
        progress.take(message)
    return None


def _certificate_asked(conversation: Conversation, request: Message, asked: Message) -> Finding:
    sentence = (
        f"The server asked for a client certificate after the request ({request.name} in frame {request.frame}) and "
        f"before its answer: CertificateRequest in frame {asked.frame}. That is how TLS 1.3 does what a renegotiation "
        "does in TLS 1.2 (post-handshake authentication)."
    )
    following = messages_after(conversation, asked)
    if any(one.sender is Side.CLIENT and one.kind is PieceKind.DATA for one in following):
        sentence += " What the client sends behind it tshark cannot decrypt (seen in 4.0), whatever keys there are."
    frames = (request.frame, asked.frame)
    return Finding("certificate_after_request", "certain", sentence, frames, ("post-request-renegotiation",))


# --- connections --------------------------------------------------------------------------------------------------


def reset_after_client_hello(conversation: Conversation) -> Finding | None:
    """The server answers the first ClientHello with a reset."""
    said = [one for one in conversation.messages if one.kind not in (PieceKind.SYN, PieceKind.PARTIAL, *WINDOWS)]
    if conversation.has_gaps or len(said) < 2 or not said[0].is_handshake("ClientHello", Side.CLIENT):
        return None
    hello, reset = said[:2]
    if reset.kind is not PieceKind.RST or reset.sender is not Side.SERVER:
        return None
    sentence = (
        f"The server answered the ClientHello (frame {hello.frame}) with a reset (frame {reset.frame}), with no alert "
        f"and no certificate before it. {_why_at_once(hello)} A port where nothing speaks TLS, and a firewall, look "
        "the same from here."
    )
    scenarios = ("sni-missing", "stale-binding") if _is_nameless(hello) else ("stale-binding",)
    return Finding("reset_after_client_hello", "probable", sentence, (hello.frame, reset.frame), scenarios)


def _is_nameless(hello: Message) -> bool:
    return hello.piece.server_name == ""


def _why_at_once(hello: Message) -> str:
    gone = (
        "Users tell of that where the binding of an http.sys port names a certificate that is gone (look for HttpEvent "
        "15021 in the server's System log)."
    )
    if not _is_nameless(hello):
        return gone
    return (
        "It sends no server name (SNI), and http.sys resets such a client where it has records for names only: do "
        f"clients get in that send one? {gone}"
    )


# --- certificates -----------------------------------------------------------------------------------------------


def _is_near_limit(message: Message) -> bool:
    size = message.piece.issuer_bytes
    return size is not None and any(0 <= limit - size < LONGEST_ISSUER for limit in ISSUER_LIMITS)


def issuer_list_near_limit(conversation: Conversation) -> Finding | None:
    """A CertificateRequest whose list of authorities has almost as many bytes as Schannel's limit."""
    requests = (one for one in conversation.messages if one.is_handshake("CertificateRequest", Side.SERVER))
    message = next((one for one in requests if _is_near_limit(one)), None)
    if message is None:
        return None
    size = message.piece.issuer_bytes or 0
    limit = min(limit for limit in ISSUER_LIMITS if limit >= size)
    is_known = limit == max(ISSUER_LIMITS)
    source = (
        "16 KB, documented through Windows Server 2012" if is_known else "before KB933430; this number is not confirmed"
    )
    sentence = (
        f"The list of authorities in the CertificateRequest (frame {message.frame}) has {format_count(size, 'byte')}, "
        f"just below the {limit:,} that Schannel has room for ({source}). Names that no longer fitted are probably "
        "missing: look whether the authority of the client's certificate is in it."
    )
    return Finding("issuer_list_near_limit", "probable", sentence, (message.frame,), ("ca-list-truncation",))


def _client_certificate(conversation: Conversation, *, empty: bool) -> tuple[Message, Message] | None:
    """The first Certificate of the client's that is (not) empty, with the CertificateRequest it answers."""
    wanted: Message | None = None
    for message in conversation.messages:
        if message.is_handshake("CertificateRequest", Side.SERVER):
            wanted = message
        elif message.is_handshake("Certificate", Side.CLIENT) and wanted is not None:
            size = message.piece.certificate_bytes
            if size is not None and (size == 0) is empty:
                return wanted, message
    return None


def empty_certificate(conversation: Conversation) -> Finding | None:
    """The server wants a certificate, and the client sends a Certificate message with none in it."""
    pair = _client_certificate(conversation, empty=True)
    if pair is None:
        return None
    wanted, message = pair
    response = final_response(messages_after(conversation, message))
    frames = [wanted.frame, message.frame]
    sentence = f"The client sent no certificate: its Certificate message (frame {message.frame}) is empty."
    if response is not None and response.piece.status == 403:
        frames.append(response.frame)
        sentence += (
            f" The answer is 403 (frame {response.frame}); IIS logs it as 403.7 where a certificate is required."
        )
    scenarios: tuple[str, ...] = ()
    if _is_near_limit(wanted):
        scenarios = ("ca-list-truncation",)
        sentence += " It may have one whose authority was cut off the server's list."
    elif any(one.is_handshake("HelloRequest") for one in conversation.messages):
        scenarios = ("post-request-renegotiation",)
    return Finding("empty_certificate", "certain", sentence, tuple(frames), scenarios)


def certificate_refused(conversation: Conversation) -> Finding | None:
    """A certificate was sent, and the next answer is 403."""
    pair = _client_certificate(conversation, empty=False)
    if pair is None:
        return None
    _, message = pair
    response = final_response(messages_after(conversation, message))
    if response is None or response.piece.status != 403:
        return None
    sentence = (
        f"The client sent a certificate (frame {message.frame}), and the next answer is 403 (frame {response.frame}). "
        "It may be a verdict on the certificate, such as 403.16 or 403.17: the status line does not show what follows "
        "the dot, the page and the IIS log do."
    )
    frames = (message.frame, response.frame)
    return Finding("certificate_refused", "probable", sentence, frames, ("client-certificate-verdicts",))


def upload_refused(conversation: Conversation) -> Finding | None:
    """413 to a request with a body, where no certificate had been asked for."""
    request: Message | None = None
    for message in conversation.messages:
        if message.is_handshake("CertificateRequest", Side.SERVER):
            return None
        if message.kind is PieceKind.REQUEST:
            request = message
        elif message.kind is PieceKind.RESPONSE and message.piece.status == 413 and request is not None:
            return _refused_upload(request, message)
    return None


def _refused_upload(request: Message, response: Message) -> Finding | None:
    length = request.piece.content_length
    if not length and not request.piece.chunked:
        return None
    body = f"a body of {format_count(length, 'byte')}" if length else "a chunked body"
    sentence = (
        f"{request.name} with {body} (frame {request.frame}) was answered with 413 (frame {response.frame}), and no "
        "client certificate had been asked for. IIS does that where a path wants one and the body is larger than "
        "uploadReadAheadSize (49,152 bytes unless set); other limits on the body look the same from here."
    )
    frames = (request.frame, response.frame)
    return Finding("upload_refused", "probable", sentence, frames, ("upload-read-ahead-413",))


LOOKS: tuple[Callable[[Conversation], Finding | None], ...] = (
    upload_stalled,
    renegotiation_refused,
    upload_refused,
    issuer_list_near_limit,
    empty_certificate,
    certificate_refused,
    renegotiation_after_request,
    certificate_after_request,
    reset_after_client_hello,
)
