"""Whose turn it is: the first question of any delay. A conversation is followed message by message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tlslab.trace.conversation import Message, Side
from tlslab.trace.frames import Kind

# After HelloRequest a client that stops in the middle of its body for longer than this is taken to be unable to go on,
# where the capture does not show a full receive window.
UNABLE_AFTER = 1.0
# Encrypted data of more than this before HelloRequest has a body in it: http.sys refuses a longer head
# (MaxRequestBytes, KB820129).
LONGEST_HEAD = 16_384


@dataclass(frozen=True, slots=True)
class Turn:
    """Who has to move, and why in one sentence.

    `both_wait`: the other waits as well, for something that only `who` can bring about. `is_probable`: it follows from
    what is usual, not from what the capture shows.
    """

    who: Side | Literal["nobody"]
    why: str
    both_wait: bool = False
    is_probable: bool = False


class Progress:
    """Where a conversation stands after the messages it was given."""

    def __init__(self) -> None:
        self.last: Message | None = None
        self.request: Message | None = None  # without a final answer
        self.body_sent = 0  # of its body
        self.data_sent = 0  # encrypted bytes of the client's since the server last sent any
        self.response_left = 0
        self.has_responded = False
        self.hello_request: Message | None = None  # until ServerHello, or a refusal
        self.sent_before_hello_request = 0
        self.client_hello: Message | None = None  # without ServerHello
        self.certificate_requested = False  # in the handshake that goes on
        self.handshake: Message | None = None  # the last message of a handshake that goes on
        self.finished: set[Side] = set()
        self.full: dict[Side, Message] = {}  # whose receive window is closed, since when
        self.ended: dict[Side, Message] = {}  # who sent FIN, or close_notify

    def take(self, message: Message) -> None:
        """Go on by one message."""
        kind = message.kind
        if kind is Kind.ZERO_WINDOW:
            self.full[message.sender] = message
            return
        if kind is Kind.WINDOW_OPENED:
            self.full.pop(message.sender, None)
            return
        self.last = message
        if kind is Kind.HANDSHAKE:
            self._take_handshake(message)
        elif kind is Kind.ALERT and message.name == "no_renegotiation":
            self.hello_request = self.client_hello = None
        elif kind is Kind.FIN or (kind is Kind.ALERT and message.name == "close_notify"):
            self.ended[message.sender] = message
        else:
            self._take_http(message)

    def _take_handshake(self, message: Message) -> None:
        self.handshake = message
        if message.name == "HelloRequest":
            self.hello_request, self.certificate_requested = message, False
            self.sent_before_hello_request = self.body_sent
        elif message.name == "ClientHello":
            self.client_hello, self.finished, self.certificate_requested = message, set(), False
        elif message.name == "ServerHello":
            self.hello_request = self.client_hello = None
        elif message.name == "CertificateRequest":
            self.certificate_requested = True
        elif message.name == "Finished":
            self.finished.add(message.sender)
            self.handshake = None if len(self.finished) == len(Side) else message
        elif message.name == "NewSessionTicket" and len(self.finished) == len(Side):
            self.handshake = None

    def _take_http(self, message: Message) -> None:
        piece, from_client = message.piece, message.sender is Side.CLIENT
        if piece.kind is Kind.REQUEST:
            self.request, self.body_sent, self.has_responded = message, 0, False
            self.handshake = None
        elif piece.kind is Kind.RESPONSE and (piece.status or 0) >= 200:
            self.request, self.has_responded = None, True
            self.handshake = None
            self.response_left = piece.content_length or 0
        elif piece.kind is Kind.RESPONSE:
            self.response_left = 0
        elif piece.kind is Kind.BODY and from_client:
            self.body_sent += piece.size
        elif piece.kind is Kind.BODY:
            self.response_left = max(self.response_left - piece.size, 0)
        elif piece.kind is Kind.DATA:
            self.data_sent = self.data_sent + piece.size if from_client else 0

    @property
    def has_body(self) -> bool:
        """Whether a body belongs to what is not answered, of which some may stand in front of a ClientHello."""
        if self.request is None:
            return self.data_sent > LONGEST_HEAD
        piece = self.request.piece
        announced = bool(piece.chunked) or (piece.content_length or 0) > 0
        return announced and not (piece.expects_continue and not self.body_sent)

    @property
    def body_left(self) -> int | None:
        """The bytes of the request's body that have not been seen; None where its length is not known."""
        if self.request is None or self.request.piece.chunked:
            return None
        return max((self.request.piece.content_length or 0) - self.body_sent, 0)


def turn(progress: Progress, seconds: float) -> Turn:
    """Whose turn it is in a silence of so many seconds, after the last message."""
    for rule in (_over, _deadlock, _window, _renegotiation, _partial, _ended, _handshake, _http, _encrypted):
        found = rule(progress, seconds)
        if found is not None:
            return found
    return Turn("nobody", "Nothing is asked and nothing is due.")


def _over(progress: Progress, _seconds: float) -> Turn | None:
    if progress.last is None or progress.last.kind is Kind.RST:
        return Turn("nobody", "The connection is over.")
    if progress.last.kind is Kind.SYN:
        opening = progress.last.sender.other
        return Turn(
            opening,
            "The connection is there, and the client had not begun."
            if opening is Side.CLIENT
            else "The SYN had not been answered.",
        )
    return None


def _deadlock(progress: Progress, seconds: float) -> Turn | None:
    """HelloRequest with a body in front of its answer."""
    if progress.hello_request is None or not progress.has_body:
        return None
    asked = f"HelloRequest (frame {progress.hello_request.frame})"
    guessed = progress.hello_request.piece.encrypted
    if progress.client_hello is not None:
        why = (
            f"The client has answered {asked} with its ClientHello (frame {progress.client_hello.frame}), which stands "
            "behind the body. The server waits for it, and does not read the body in front of it. Both wait, and only "
            "the server can end it."
        )
        return Turn(Side.SERVER, why, both_wait=True, is_probable=guessed)
    full = progress.full.get(Side.SERVER)
    if full is None and (not progress.body_left or seconds < UNABLE_AFTER):
        return None
    window = f", for the server takes nothing more (zero window, frame {full.frame})" if full else ""
    why = (
        f"{_sent(progress)} and cannot send on{window}. The ClientHello that would answer {asked} comes behind the "
        "body, and the server waits for it instead of reading the body. Both wait, and only the server can end it."
    )
    return Turn(Side.SERVER, why, both_wait=True, is_probable=guessed or full is None)


def _sent(progress: Progress) -> str:
    if progress.request is None:
        return "The client has sent part of its body"
    length = progress.request.piece.content_length
    of = f" of the body's {length:,} bytes" if length else " bytes of a chunked body"
    return f"The client has sent {progress.body_sent:,}{of}"


def _window(progress: Progress, _seconds: float) -> Turn | None:
    for side, message in progress.full.items():
        why = f"The {side} takes nothing more: its receive window is full (frame {message.frame}), so it does not read."
        return Turn(side, why)
    return None


def _renegotiation(progress: Progress, _seconds: float) -> Turn | None:
    asked = progress.hello_request
    if asked is None:
        return None
    probable = asked.piece.encrypted
    if progress.client_hello is not None:
        return Turn(Side.SERVER, "The server had not answered the ClientHello.", is_probable=probable)
    why = f"The server asked for a renegotiation (HelloRequest, frame {asked.frame}), and the client had not answered."
    return Turn(Side.CLIENT, why, is_probable=probable)


def _partial(progress: Progress, _seconds: float) -> Turn | None:
    last = progress.last
    if last is None or last.kind is not Kind.PARTIAL:
        return None
    return Turn(last.sender, f"The {last.sender} has sent part of a message, and the rest was still to come.")


def _ended(progress: Progress, _seconds: float) -> Turn | None:
    if not progress.ended or (progress.request is not None and Side.SERVER not in progress.ended):
        return None
    first = next(iter(progress.ended))
    if first.other in progress.ended:
        return Turn("nobody", "Both sides have ended.")
    return Turn(first.other, f"The {first} had ended, the {first.other} had not.")


def _handshake(progress: Progress, _seconds: float) -> Turn | None:
    """A handshake that goes on: each side sends a flight that ends with a message of its own."""
    last = progress.handshake
    if last is None:
        return None
    if last.name == "ClientHello":
        return Turn(Side.SERVER, "The server had not answered the ClientHello.")
    if last.name == "ServerHelloDone" and progress.certificate_requested:
        why = (
            "The server wants a certificate, and the client had not answered: it may be asking its user which to send."
        )
        return Turn(Side.CLIENT, why)
    if last.name in ("ServerHelloDone", "Finished"):
        waits = last.sender.other
        return Turn(
            waits, f"The {last.sender} was done with its part of the handshake, and the {waits} had not answered."
        )
    if last.name == "CertificateRequest" and len(progress.finished) == len(Side):  # TLS 1.3
        return Turn(Side.CLIENT, "The server wants a certificate after the handshake, and the client had not answered.")
    if not last.name:
        why = f"The {last.sender} spoke last in the handshake (encrypted), so the {last.sender.other} has to answer."
        return Turn(last.sender.other, why, is_probable=True)
    return Turn(last.sender, f"The {last.sender} was in the middle of its part of the handshake.")


def _http(progress: Progress, _seconds: float) -> Turn | None:
    request = progress.request
    if request is None:
        if not progress.has_responded:
            return None
        if progress.response_left:
            return Turn(Side.SERVER, f"{progress.response_left:,} bytes of the response were still to come.")
        return Turn("nobody", "The request has been answered, and there is no other: the connection is idle.")
    left = progress.body_left
    if request.piece.expects_continue and not progress.body_sent and left != 0:
        last = progress.last
        if last is not None and last.kind is Kind.RESPONSE:
            return Turn(Side.CLIENT, "The client may send its body now, and had not begun.")
        return Turn(Side.SERVER, "The client waited for 100 Continue before it sends its body.")
    if left is None:
        return Turn(
            Side.SERVER,
            "The request had not been answered (its body is chunked: it may not be whole).",
            is_probable=True,
        )
    if left:
        return Turn(Side.CLIENT, f"{left:,} bytes of the request's body were still to come.")
    return Turn(Side.SERVER, f"The request (frame {request.frame}) was there in full, and the server had not answered.")


def _encrypted(progress: Progress, _seconds: float) -> Turn | None:
    last = progress.last
    if last is None or last.kind not in (Kind.DATA, Kind.BODY, Kind.ALERT):
        if len(progress.finished) == len(Side) and not progress.has_responded:
            return Turn(Side.CLIENT, "The handshake is complete, and the client had not asked for anything.")
        return None
    if last.kind is not Kind.DATA:
        return None
    if last.sender is Side.CLIENT:
        return Turn(Side.SERVER, "What the client sent (encrypted) had not been answered.", is_probable=True)
    return Turn(
        "nobody", "The server spoke last (encrypted): probably an answer, and the connection is idle.", False, True
    )
