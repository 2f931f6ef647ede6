"""What a trace shows that somebody has seen before: each a small function, and the scenario that shows the same.

A finding says no more than the messages do. Where traffic is not decrypted, or something else could look the same, its
certainty is `probable`, and its sentence says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tlslab.trace.conversation import Conversation, Message, Side
from tlslab.trace.frames import Endpoint, Kind
from tlslab.trace.ladder import in_seconds, silences
from tlslab.trace.turns import UNABLE_AFTER, Progress

Certainty = Literal["certain", "probable"]

# Schannel's room for the list of trusted issuers: 16 KB since KB933430. Before it 12,288 bytes are commonly given, as
# "12,228 (0x3000)", which disagrees with itself: unverified.
ISSUER_LIMITS = (16_384, 12_288)
# Where the list is cut in front of the first name that does not fit (our reading, schannel.issuer_list), it ends within
# one name's length of the limit. Names of authorities seldom have more bytes than this, with their two bytes of length.
LONGEST_ISSUER = 256
SESSION_SCENARIOS = ("session-idle-purge", "session-fifo-eviction", "session-lifetime", "session-cache-disabled")
EVERYDAY = (401, 404)  # a challenge, and the browser's favicon.ico
KEYS_WANTED = "This connection is not decrypted: with its keys (--keylog) it could be said for certain."


@dataclass(frozen=True, slots=True)
class Finding:
    """Something recognised. `frames` are Wireshark's numbers of what it is based on."""

    name: str
    certainty: Certainty
    sentence: str
    frames: tuple[int, ...]
    scenarios: tuple[str, ...]


def findings(conversation: Conversation, everything: Sequence[Conversation]) -> list[Finding]:
    """All that is recognised in one of the conversations of a trace, the gravest first."""
    found = [finding for look in LOOKS if (finding := look(conversation)) is not None]
    return found + [finding for finding in (session_not_honoured(conversation, everything),) if finding is not None]


def failure(conversation: Conversation) -> str:
    """What went wrong in a few words, whatever the cause; empty where nothing did that shows."""
    fatal = next((one for one in conversation.messages if one.piece.fatal), None)
    if fatal is not None:
        return f"fatal alert {fatal.name} from the {fatal.sender}"
    progress = Progress()
    for message in conversation.messages:
        progress.take(message)
    if conversation.is_over and progress.request is not None:
        return f"{progress.request.name} was never answered"
    has_spoken = any(one.kind in (Kind.REQUEST, Kind.RESPONSE, Kind.DATA) for one in conversation.messages)
    if conversation.is_over and not has_spoken and not progress.finished:
        return "the handshake was never completed"
    statuses = (one.piece.status or 0 for one in conversation.messages)
    bad = next((one for one in statuses if one >= 400 and one not in EVERYDAY), None)
    return f"the answer was {bad}" if bad else ""


def _after(conversation: Conversation, message: Message) -> Iterator[Message]:
    messages = iter(conversation.messages)
    for one in messages:
        if one is message:
            break
    return messages


def _first(messages: Iterator[Message], name: str, sender: Side) -> Message | None:
    return next((one for one in messages if one.is_handshake(name, sender)), None)


def _response(messages: Iterator[Message]) -> Message | None:
    return next((one for one in messages if one.kind is Kind.RESPONSE and (one.piece.status or 0) >= 200), None)


# --- renegotiation ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """A HelloRequest between a request and its answer. `request` may be encrypted data."""

    request: Message
    hello_request: Message

    @property
    def is_certain(self) -> bool:
        return self.request.kind is Kind.REQUEST and not self.hello_request.piece.encrypted

    @property
    def what(self) -> str:
        return f"{self.request.name} in frame {self.request.frame}" if self.request.name else "encrypted data"


def _asked(conversation: Conversation) -> _Asked | None:
    request: Message | None = None
    for message in conversation.messages:
        if message.kind is Kind.REQUEST:
            request = message
        elif message.kind is Kind.DATA and message.sender is Side.CLIENT:
            request = request or message
        elif message.kind in (Kind.RESPONSE, Kind.DATA):
            request = None if message.piece.status is None or message.piece.status >= 200 else request
        elif message.is_handshake("HelloRequest", Side.SERVER) and request is not None:
            return _Asked(request, message)
    return None


def _refusal(conversation: Conversation, asked: _Asked) -> Message | None:
    alerts = (one for one in _after(conversation, asked.hello_request) if one.kind is Kind.ALERT)
    return next((one for one in alerts if one.name == "no_renegotiation" and one.sender is Side.CLIENT), None)


def renegotiation_refused(conversation: Conversation) -> Finding | None:
    """HelloRequest, and the client answers with the alert no_renegotiation."""
    asked = _asked(conversation)
    alert = _refusal(conversation, asked) if asked else None
    if asked is None or alert is None:
        return None
    end = conversation.end
    after = f" The {end.by} then ended the connection." if end is not None and end.by is Side.SERVER else ""
    if _response(_after(conversation, alert)) is None:
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
    wanted = _first(_after(conversation, asked.hello_request), "CertificateRequest", Side.SERVER)
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
    went_on = stall.before is not None and stall.before.kind not in (Kind.RST, Kind.FIN)  # a lost packet can do that
    certainty: Certainty = "probable" if stall.turn.is_probable or went_on else "certain"
    sentence = (
        f"An upload ({asked.what}) stalled for {in_seconds(stall.seconds)} after the server's HelloRequest (frame "
        f"{asked.hello_request.frame}): it waits for a ClientHello that comes behind the body, and does not read on."
        f"{_after_stall(stall.before)}{'' if asked.is_certain else f' {KEYS_WANTED}'}"
    )
    ends = [one.frame for one in (asked.request, asked.hello_request, stall.after, stall.before) if one is not None]
    return Finding("upload_stalled", certainty, sentence, tuple(dict.fromkeys(ends)), ("large-post-deadlock",))


def _after_stall(message: Message | None) -> str:
    if message is None:
        return " So it was still when the capture ended."
    if message.kind in (Kind.RST, Kind.FIN):
        how = "reset" if message.kind is Kind.RST else "closed"
        return f" Then the {message.sender} {how} the connection (frame {message.frame})."
    return f" Then it went on: the {message.sender} spoke in frame {message.frame}."


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
        f"The list of authorities in the CertificateRequest (frame {message.frame}) has {size:,} bytes, just below the "
        f"{limit:,} that Schannel has room for ({source}). Names that no longer fitted are probably missing: look "
        "whether the authority of the client's certificate is in it."
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
    response = _response(_after(conversation, message))
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
    response = _response(_after(conversation, message))
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
        if message.kind is Kind.REQUEST:
            request = message
        elif message.kind is Kind.RESPONSE and message.piece.status == 413 and request is not None:
            return _refused_upload(request, message)
    return None


def _refused_upload(request: Message, response: Message) -> Finding | None:
    length = request.piece.content_length
    if not length and not request.piece.chunked:
        return None
    body = f"a body of {length:,} bytes" if length else "a chunked body"
    sentence = (
        f"{request.name} with {body} (frame {request.frame}) was answered with 413 (frame {response.frame}), and no "
        "client certificate had been asked for. IIS does that where a path wants one and the body is larger than "
        "uploadReadAheadSize (49,152 bytes unless set); other limits on the body look the same from here."
    )
    frames = (request.frame, response.frame)
    return Finding("upload_refused", "probable", sentence, frames, ("upload-read-ahead-413",))


# --- sessions ---------------------------------------------------------------------------------------------------


def _hellos(conversation: Conversation) -> tuple[Message, Message] | None:
    """The ClientHello of the first handshake and its ServerHello, of TLS 1.2 or older."""
    first = _first(iter(conversation.messages), "ClientHello", Side.CLIENT)
    if first is None or first.piece.encrypted:
        return None
    answer = _first(_after(conversation, first), "ServerHello", Side.SERVER)
    return None if answer is None or answer.piece.is_tls13 else (first, answer)


def _issued(everything: Sequence[Conversation], server: Endpoint, before: float) -> Iterator[tuple[float, Message]]:
    """Each ServerHello of TLS 1.2 or older that a server sent before a moment, and when."""
    for conversation in everything:
        for message in conversation.messages if conversation.server == server else ():
            at = conversation.began + message.at
            if at < before and message.is_handshake("ServerHello", Side.SERVER) and not message.piece.is_tls13:
                yield at, message


def session_not_honoured(conversation: Conversation, everything: Sequence[Conversation]) -> Finding | None:
    """The client offers a session that this server issued earlier in the trace, and gets another one."""
    hellos = _hellos(conversation)
    if hellos is None or hellos[0].piece.session_id in (None, hellos[1].piece.session_id):
        return None
    offer, answer = hellos
    offered_at = conversation.began + offer.at
    own = [
        (at, message)
        for at, message in _issued(everything, conversation.server, offered_at)
        if message.piece.session_id == offer.piece.session_id
    ]
    if not own:  # a client that also offers TLS 1.3, or a ticket, makes one up
        return None
    (first, issued), (used, _) = own[0], own[-1]
    resumed = "" if len(own) == 1 else f" and resumed {in_seconds(offered_at - used)} before"
    sentence = (
        f"The client offered the session {(offer.piece.session_id or '')[:8]}... (frame {offer.frame}), which this "
        f"server had issued {in_seconds(offered_at - first)} before (frame {issued.frame}){resumed}. The server made a "
        f"new one (frame {answer.frame}). Why cannot be seen from here; documented are five idle minutes (IIS 6.0), a "
        "full table, ten hours, and a cache that is switched off. Behind one address there may also be several "
        "machines."
    )
    frames = (issued.frame, offer.frame, answer.frame)
    return Finding("session_not_honoured", "certain", sentence, frames, SESSION_SCENARIOS)


LOOKS: tuple[Callable[[Conversation], Finding | None], ...] = (
    upload_stalled,
    renegotiation_refused,
    upload_refused,
    issuer_list_near_limit,
    empty_certificate,
    certificate_refused,
    renegotiation_after_request,
)
