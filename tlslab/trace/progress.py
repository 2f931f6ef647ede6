"""Where a conversation stands: what is asked, what is due, and what cannot be seen."""

from __future__ import annotations

from tlslab.trace.conversation import Message, Side
from tlslab.trace.frames import PieceKind

# Encrypted data of more than this before HelloRequest has a body in it: http.sys refuses a longer head
# (MaxRequestBytes, KB820129).
LONGEST_HEAD = 16_384
# A client's Finished in TLS 1.3 as a record: 4 bytes, 48 of SHA-384, one of content type, 16 of tag (RFC 8446).
LONGEST_FINISHED = 69


class Progress:
    """Where a conversation stands after the messages it was given."""

    def __init__(self) -> None:
        self.last: Message | None = None
        self.waiting: list[Message] = []  # requests without a final answer
        self.body_sent = 0  # of the last request's body
        self.has_whole_body = True
        self.response: Message | None = None  # whose end has not been seen
        self.response_sent = 0  # of its body
        self.has_responded = False
        self.handed_over: Message | None = None  # the 101 behind which it is another protocol's
        self.data_sent = 0  # bytes of the client's that cannot be read, since the server last sent any
        self.has_data = False  # bytes that cannot be read were sent at all
        self.dark_opening: dict[Side, int] | None = None  # the same in TLS 1.3 behind an encrypted handshake
        self.hello_request: Message | None = None  # until ServerHello, or a refusal
        self.client_hello: Message | None = None  # without ServerHello
        self.is_tls13 = False
        self.certificate_requested = False  # in the handshake that goes on
        self.handshake: Message | None = None  # the last message of a handshake that goes on
        self.finished: set[Side] = set()
        self.full: dict[Side, Message] = {}  # whose receive window is closed, since when
        self.ended: dict[Side, Message] = {}  # who sent FIN, or close_notify

    def take(self, message: Message) -> None:
        """Go on by one message."""
        kind = message.kind
        if kind is PieceKind.ZERO_WINDOW:
            self.full[message.sender] = message
            return
        if kind is PieceKind.WINDOW_OPENED:
            self.full.pop(message.sender, None)
            return
        self.last = message
        if kind is PieceKind.HANDSHAKE:
            self._take_handshake(message)
        elif kind is PieceKind.ALERT and message.name == "no_renegotiation":
            self.hello_request = self.client_hello = None
        elif kind is PieceKind.FIN or (kind is PieceKind.ALERT and message.name == "close_notify"):
            self._take_end(message)
        elif kind is PieceKind.DATA:
            self._take_data(message)
        else:
            self._take_http(message)

    def _take_end(self, message: Message) -> None:
        self.ended[message.sender] = message
        if message.sender is Side.SERVER:
            self.response = None

    def _take_handshake(self, message: Message) -> None:
        if self.is_tls13 and message.name in ("NewSessionTicket", "KeyUpdate"):  # of no handshake
            return
        self.handshake = message
        if message.name == "HelloRequest":
            self.hello_request, self.certificate_requested = message, False
        elif message.name == "ClientHello":
            self.client_hello, self.finished, self.certificate_requested = message, set(), False
        elif message.name == "ServerHello":
            self.hello_request = self.client_hello = None
            self.is_tls13 = bool(message.piece.is_tls13)
        elif message.name == "CertificateRequest":
            self.certificate_requested = True
        elif message.name == "Finished":
            self.finished.add(message.sender)
            self.handshake = None if len(self.finished) == len(Side) else message
        elif message.name == "NewSessionTicket" and len(self.finished) == len(Side):
            self.handshake = None

    def _take_data(self, message: Message) -> None:
        self.has_data = True
        if message.sender is Side.CLIENT:
            self.data_sent += message.piece.size
        else:
            self.data_sent = 0
            self.waiting.clear()  # perhaps it is the answer
            self.response = None
        if self.handshake is not None and not self.finished and (self.is_tls13 or message.sender is Side.SERVER):
            self.handshake = None  # which goes on encrypted; in TLS 1.2 it was not seen
            self.dark_opening = dict.fromkeys(Side, 0) if self.is_tls13 else None
        if self.dark_opening is not None:
            self.dark_opening[message.sender] += message.piece.size

    def _take_http(self, message: Message) -> None:
        piece = message.piece
        if piece.kind is PieceKind.REQUEST:
            self.waiting.append(message)
            self.body_sent, self.has_whole_body = 0, piece.ends
            self.handshake = None
        elif piece.kind is PieceKind.RESPONSE:
            self._take_response(message)
        elif piece.kind is PieceKind.BODY and message.sender is Side.CLIENT:
            self.body_sent += piece.size
            self.has_whole_body |= piece.ends
        elif piece.kind is PieceKind.BODY:
            self.response_sent += piece.size
            self.response = None if piece.ends else self.response

    def _take_response(self, message: Message) -> None:
        status = message.piece.status or 0
        if status < 200 and status != 101:
            return
        del self.waiting[:1]
        self.has_responded, self.data_sent, self.handshake = True, 0, None
        self.response, self.response_sent = None if message.piece.ends else message, 0
        self.handed_over = message if status == 101 else None

    @property
    def request(self) -> Message | None:
        """The last request, if it is not answered: the one that a body may still belong to."""
        return self.waiting[-1] if self.waiting else None

    @property
    def has_body(self) -> bool:
        """Whether a body belongs to what is not answered, of which some may stand in front of a ClientHello."""
        if self.request is None:
            return self.data_sent > LONGEST_HEAD
        piece = self.request.piece
        announced = bool(piece.chunked) or (piece.content_length or 0) > 0
        return announced and not (piece.expects_continue and not self.body_sent)

    @property
    def is_handshake_done(self) -> bool:
        """Whether both sides' Finished were seen."""
        return len(self.finished) == len(Side)
