"""What a trace is made of here: TCP frames, and in each the pieces of TLS and HTTP in the order of the wire."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tlslab.text import HostPort


class PieceKind(StrEnum):
    """What a piece is."""

    HANDSHAKE = "handshake"
    CHANGE_CIPHER_SPEC = "change_cipher_spec"
    ALERT = "alert"
    REQUEST = "request"
    RESPONSE = "response"
    BODY = "body"  # decrypted application data that begins no request or response
    DATA = "data"  # application data that is not decrypted (`encrypted`), or is no HTTP/1
    PARTIAL = "partial"  # bytes of a message whose end comes later, or never
    SYN = "syn"
    FIN = "fin"
    RST = "rst"
    ZERO_WINDOW = "zero_window"  # its sender takes nothing more
    WINDOW_OPENED = "window_opened"  # it takes more again


WINDOWS = frozenset({PieceKind.ZERO_WINDOW, PieceKind.WINDOW_OPENED})
BULK = frozenset({PieceKind.BODY, PieceKind.DATA, PieceKind.PARTIAL})


@dataclass(frozen=True, slots=True)
class Piece:
    """One message. Sizes are bytes; what a message of this kind does not have, or tshark does not show, is None.

    `name` is the RFC's for handshake messages and alerts, empty where they are encrypted; the method and target of a
    request; the status of a response. It is printable. `size` counts the bytes of a body, the encrypted length of a
    record that is not decrypted, or the length of a message. `ends` is set where a request or response is whole with
    it. `plain` is decrypted application data of which it is not yet known what it is.
    """

    kind: PieceKind
    name: str = ""
    size: int = 0
    encrypted: bool = False
    fatal: bool | None = None
    session_id: str | None = None
    server_name: str | None = None  # of a ClientHello; empty where it sends none
    is_tls13: bool | None = None  # a ServerHello that chose TLS 1.3: its session id is an echo
    issuer_bytes: int | None = None
    certificate_bytes: int | None = None
    content_length: int | None = None
    chunked: bool | None = None
    expects_continue: bool | None = None
    status: int | None = None
    ends: bool = False
    plain: bytes = b""


@dataclass(frozen=True, slots=True)
class Frame:
    """One TCP packet. `at` is seconds since 1970; `length` is the payload's, `cut_bytes` were not captured."""

    number: int
    at: float
    stream: int
    source: HostPort
    destination: HostPort
    length: int = 0
    syn: bool = False
    ack: bool = True
    fin: bool = False
    rst: bool = False
    zero_window: bool = False
    repeated: bool = False  # a retransmission, a keep-alive, a probe of a closed window
    lost_before: bool = False  # bytes before it are not in the capture
    cut_bytes: int = 0
    pieces: tuple[Piece, ...] = ()
