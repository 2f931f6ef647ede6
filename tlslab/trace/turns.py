"""Whose turn it is: the first question of any delay. A conversation is followed message by message.

A wrong answer is worse than none: what the capture does not show is said to be probable, or that it cannot be seen.

Theory of operation. The rules look at where the conversation stands, one after the other, and the first that knows
answers. A rule that a later one could contradict goes first, and this is why:

1. `_no_turn_yet_or_any_more`: after a reset nobody has a turn, and after a SYN alone whoever has to answer it.
2. `_deadlock`: an upload that waits for its own ClientHello looks like other things as well (a full window, a request
   that is not answered), and none of them is the cause.
3. `_window`: who takes nothing more has the turn, whatever is spoken above TCP.
4. `_renegotiation`: what was asked inside a request goes before the request.
5. `_partial`: whoever has sent half a message has the turn, whatever its kind.
6. `_ended`: whoever has ended its side has no turn by any of the rules that follow.
7. `_handshake`: as long as one goes on, nothing is said in HTTP.
8. `_handed_over`: after 101 what follows is not HTTP, whatever it looks like.
9. `_unreadable`: what cannot be decrypted is guessed at, before HTTP is asked about what it has not seen.
10. `_http`, and `_opened` for a connection on which no HTTP was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tlslab.text import format_count, plural
from tlslab.trace.conversation import Message, Side
from tlslab.trace.frames import PieceKind
from tlslab.trace.progress import LONGEST_FINISHED, Progress

# After HelloRequest a silence of this many seconds is taken for one that does not end by itself: no document names a
# number, and round trips and certificate stores are faster.
UNABLE_AFTER = 1.0
ENDS = frozenset({PieceKind.FIN, PieceKind.RST, PieceKind.ALERT})
Who = Side | Literal["nobody", "unknown"]


@dataclass(frozen=True, slots=True)
class Turn:
    """Who has to move, and why in one sentence. `unknown`: somebody may have to, and it cannot be seen who.

    `both_wait`: the other waits as well, for something that only `who` can bring about. `is_probable`: it follows from
    what is usual, not from what the capture shows.
    """

    who: Who
    why: str
    both_wait: bool = False
    is_probable: bool = False


def turn(progress: Progress, seconds: float, ended_by: Message | None = None) -> Turn:
    """Whose turn it is in a silence of so many seconds, after the last message; `ended_by` is the one that ended it."""
    found = _no_turn_yet_or_any_more(progress) or _deadlock(progress, seconds, ended_by)
    for rule in RULES:
        found = found or rule(progress)
    return found or Turn("nobody", "Nothing is asked and nothing is due.")


def _no_turn_yet_or_any_more(progress: Progress) -> Turn | None:
    if progress.last is None or progress.last.kind is PieceKind.RST:
        return Turn("nobody", "The connection is over.")
    if progress.last.kind is PieceKind.SYN:
        opening = progress.last.sender.other
        return Turn(
            opening,
            "The connection is there, and the client had not begun."
            if opening is Side.CLIENT
            else "The SYN had not been answered.",
        )
    return None


# --- renegotiation ------------------------------------------------------------------------------------------------


def _deadlock(progress: Progress, seconds: float, ended_by: Message | None) -> Turn | None:
    """HelloRequest with a body in front of its answer. What then went on was only slow, unless nothing was read."""
    asked, full = progress.hello_request, progress.full.get(Side.SERVER)
    if asked is None or not progress.has_body or seconds < UNABLE_AFTER:
        return None
    went_on = ended_by is not None and ended_by.kind not in ENDS
    is_stuck = progress.client_hello is not None or (progress.request is not None and not progress.has_whole_body)
    if full is None and (went_on or not is_stuck):
        return None
    gave_up = ended_by is not None and ended_by.sender is Side.SERVER and progress.client_hello is not None
    is_seen = not went_on and not asked.piece.encrypted and (full is not None or gave_up)
    end = "Both waited, until it went on." if went_on else "Both wait, and only the server can end it."
    return Turn(Side.SERVER, f"{_stopped(progress, asked, full)} {end}", both_wait=True, is_probable=not is_seen)


def _stopped(progress: Progress, asked: Message, full: Message | None) -> str:
    if progress.client_hello is not None:
        return (
            f"The client has answered HelloRequest (frame {asked.frame}) with its ClientHello (frame "
            f"{progress.client_hello.frame}), which stands behind the body. The server waits for it, and does not read "
            "the body in front of it."
        )
    window = f", for the server takes nothing more (zero window, frame {full.frame})" if full else ""
    return (
        f"{_sent(progress)} and cannot send on{window}. The ClientHello that would answer HelloRequest (frame "
        f"{asked.frame}) comes behind the body, and the server waits for it instead of reading the body."
    )


def _sent(progress: Progress) -> str:
    if progress.request is None:
        return "The client has sent part of its body"
    length = progress.request.piece.content_length
    if not length:
        return f"The client has sent {format_count(progress.body_sent, 'byte')} of a chunked body"
    return f"The client has sent {progress.body_sent:,} of the body's {format_count(length, 'byte')}"


def _window(progress: Progress) -> Turn | None:
    for side, message in progress.full.items():
        why = f"The {side} takes nothing more: its receive window is full (frame {message.frame}), so it does not read."
        return Turn(side, why)
    return None


def _renegotiation(progress: Progress) -> Turn | None:
    asked = progress.hello_request
    if asked is None:
        return None
    probable = asked.piece.encrypted
    if progress.client_hello is not None:
        return Turn(Side.SERVER, "The server had not answered the ClientHello.", is_probable=probable)
    why = f"The server asked for a renegotiation (HelloRequest, frame {asked.frame}), and the client had not answered."
    return Turn(Side.CLIENT, why, is_probable=probable)


# --- TCP and TLS --------------------------------------------------------------------------------------------------


def _partial(progress: Progress) -> Turn | None:
    last = progress.last
    if last is None or last.kind is not PieceKind.PARTIAL:
        return None
    return Turn(last.sender, f"The {last.sender} has sent part of a message, and the rest was still to come.")


def _ended(progress: Progress) -> Turn | None:
    if not progress.ended or (progress.waiting and Side.SERVER not in progress.ended):
        return None
    first = next(iter(progress.ended))
    if first.other in progress.ended:
        return Turn("nobody", "Both sides have ended.")
    return Turn(first.other, f"The {first} had ended, the {first.other} had not.")


def _handshake(progress: Progress) -> Turn | None:
    """A handshake that goes on: each side sends a flight that ends with a message of its own."""
    last = progress.handshake
    if last is None:
        return None
    guessed = last.piece.encrypted
    if last.name == "ClientHello":
        return Turn(Side.SERVER, "The server had not answered the ClientHello.", is_probable=guessed)
    if last.name == "HelloRetryRequest":
        return Turn(Side.CLIENT, "The server wants another ClientHello (HelloRetryRequest).")
    if last.name == "ServerHelloDone" and progress.certificate_requested:
        why = (
            "The server wants a certificate, and the client had not answered: it may be asking its user which to send."
        )
        return Turn(Side.CLIENT, why)
    if last.name in ("ServerHelloDone", "Finished"):
        waits = last.sender.other
        why = f"The {last.sender} was done with its part of the handshake, and the {waits} had not answered."
        return Turn(waits, why, is_probable=guessed)
    if last.name == "CertificateRequest" and progress.is_handshake_done:  # TLS 1.3
        return Turn(Side.CLIENT, "The server wants a certificate after the handshake, and the client had not answered.")
    if guessed:
        why = f"The {last.sender} spoke last in the handshake (encrypted), so the {last.sender.other} has to answer."
        return Turn(last.sender.other, why, is_probable=True)
    return Turn(last.sender, f"The {last.sender} was in the middle of its part of the handshake.")


def _opened(progress: Progress) -> Turn | None:
    """A handshake that is complete, and nothing behind it that can be read."""
    if not progress.is_handshake_done or progress.has_responded:
        return None
    if progress.data_sent:
        return Turn(Side.SERVER, "What the client sent (encrypted) had not been answered.", is_probable=True)
    if progress.has_data:
        return Turn("unknown", "What was sent before cannot be read.", is_probable=True)
    return Turn(Side.CLIENT, "The handshake is complete, and the client had not asked for anything.")


# --- what cannot be read ------------------------------------------------------------------------------------------


def _unreadable(progress: Progress) -> Turn | None:
    last = progress.last
    if last is not None and last.kind is PieceKind.ALERT and last.piece.encrypted:
        return Turn("nobody", f"The {last.sender} spoke last, an encrypted alert: probably its end.", is_probable=True)
    if last is None or last.kind is not PieceKind.DATA:
        return None
    if progress.dark_opening is not None and progress.dark_opening[Side.CLIENT] <= LONGEST_FINISHED:
        return _dark_handshake(last.sender, has_finished=progress.dark_opening[Side.CLIENT] > 0)
    what = "encrypted" if last.piece.encrypted else "not HTTP/1"
    if last.sender is Side.CLIENT:
        return Turn(Side.SERVER, f"What the client sent ({what}) had not been answered.", is_probable=True)
    ticket = ", or only a session ticket" * progress.is_tls13
    why = f"The server spoke last ({what}). That may be all of an answer, part of one{ticket}."
    return Turn("unknown", why, is_probable=True)


def _dark_handshake(sender: Side, *, has_finished: bool) -> Turn:
    """In TLS 1.3 without keys, before the client has sent more than a Finished."""
    if not has_finished:
        why = (
            "The server was probably done with its part of the handshake (encrypted), and the client had not answered."
        )
        return Turn(Side.CLIENT, why, is_probable=True)
    if sender is Side.SERVER:
        why = "The handshake is probably complete, and the client has sent nothing that is long enough for a request."
        return Turn(Side.CLIENT, why, is_probable=True)
    return Turn("unknown", "The client spoke last (encrypted): probably the end of its handshake.", is_probable=True)


# --- HTTP ---------------------------------------------------------------------------------------------------------


def _handed_over(progress: Progress) -> Turn | None:
    over = progress.handed_over
    if over is None:
        return None
    return Turn("nobody", f"Since the 101 (frame {over.frame}) another protocol is spoken, which is not read here.")


def _http(progress: Progress) -> Turn | None:
    request = progress.request
    if request is None:
        return _response(progress)
    if len(progress.waiting) > 1 or progress.has_whole_body:
        frame = progress.waiting[0].frame
        why = f"The request (frame {frame}) was there in full, and the server had not answered."
        return Turn(Side.SERVER, why)
    if request.piece.expects_continue and not progress.body_sent:
        last = progress.last
        if last is not None and last.kind is PieceKind.RESPONSE:
            return Turn(Side.CLIENT, "The client may send its body now, and had not begun.")
        return Turn(Side.SERVER, "The client waited for 100 Continue before it sends its body.")
    if request.piece.chunked or request.piece.content_length is None:
        return Turn(Side.CLIENT, "The request's body is chunked, and its end was still to come.")
    left = max(request.piece.content_length - progress.body_sent, 0)
    return Turn(Side.CLIENT, _to_come(left, "the request's body"))


def _response(progress: Progress) -> Turn | None:
    response = progress.response
    if response is None and not progress.has_responded:
        return None
    if response is None:
        return Turn("nobody", "The request has been answered, and there is no other: the connection is idle.")
    if response.piece.chunked:
        return Turn(Side.SERVER, "The response is chunked, and its end was still to come.")
    if response.piece.content_length is None:
        why = "The response has no length: it lasts until the server ends the connection, which it had not."
        return Turn(Side.SERVER, why)
    left = max(response.piece.content_length - progress.response_sent, 0)
    return Turn(Side.SERVER, _to_come(left, "the response"))


def _to_come(count: int, whole: str) -> str:
    return f"{format_count(count, 'byte')} of {whole} {plural(count, 'was', 'were')} still to come."


# In the order that the top of this file explains.
RULES = (_window, _renegotiation, _partial, _ended, _handshake, _handed_over, _unreadable, _http, _opened)
