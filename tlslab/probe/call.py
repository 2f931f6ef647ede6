"""One connection of a probe, sans-IO: a question goes in, what the server did comes out as an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import h11
from cryptography import x509

from tlslab.tls.client import Session
from tlslab.tls.context import Protocol
from tlslab.tls.offers import Asking, Offer, OfferingTls, Shows, offering_context

PIECE = 16384  # bytes of a body in one record
MOST_CONTENT = 32 * 1024  # bytes of an answer that are kept
PATIENCE = 10.0  # seconds: a server that says nothing for so long is not waited for
A_MOMENT = 0.3  # seconds in which what stands behind an answer has come, and TLS 1.3's tickets and late alerts


class Until(StrEnum):
    """What a question waits for: that TLS is there, the answer, or the end of the connection."""

    ESTABLISHED = "established"
    ANSWERED = "answered"
    ENDED = "ended"


class HowEnded(StrEnum):
    """How a connection ended."""

    LEFT = "left"  # by the probe, which knew enough
    CLOSE_NOTIFY = "close_notify"  # by the server, and TLS said so
    FIN = "fin"  # by the server, and TLS did not say so
    RESET = "reset"
    ALERT = "alert"
    TLS_FAILED = "tls_failed"
    NOT_TLS = "not_tls"
    PATIENCE = "patience"  # nothing came for as long as the probe waits


@dataclass(frozen=True, slots=True)
class Enquiry:
    """What a connection is made for. `text` is what is sent once TLS is there, as it stands; `body` zeros follow it.

    A probe with a body writes all of it before it reads, as most clients do.
    """

    offer: Offer = field(default_factory=Offer)
    server_name: str = ""
    text: bytes = b""
    body: int = 0
    session: Session | None = None
    renegotiates: bool = False
    until: Until = Until.ANSWERED
    patience: float = PATIENCE


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP answer: header names in lower case, `content` as much of the body as is kept."""

    status: int
    headers: dict[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What was seen. `version` is TLS's number, 0 where TLS did not get so far; `seconds` from TLS to the end.

    `after_request` counts the requests for a certificate behind the first handshake, by renegotiation (`hello_requests`
    of them) or, in TLS 1.3, post-handshake authentication. `written` is how much of the body was taken.
    """

    end: HowEnded
    established: bool = False
    version: int = 0
    suite: str = ""
    alpn: str = ""
    chain: tuple[x509.Certificate, ...] = ()
    verify_code: int = 0
    secure_renegotiation: bool = False
    askings: tuple[Asking, ...] = ()
    hello_requests: int = 0
    handshakes: int = 0
    resumed: bool = False
    session: Session | None = None
    session_id: bytes = b""
    sends_ticket: bool = False
    alert: str = ""
    detail: str = ""
    http: HttpAnswer | None = None
    written: int = 0
    seconds: float = 0.0

    @property
    def asks_in_handshake(self) -> bool:
        """Whether the first handshake asked for a certificate."""
        return any(one.in_first for one in self.askings)

    @property
    def asks_after_request(self) -> bool:
        """Whether a later one did."""
        return any(not one.in_first for one in self.askings)

    @property
    def status(self) -> int:
        """The status of its HTTP answer, 0 for none."""
        return self.http.status if self.http else 0


class Call:
    """The probe's side of a connection, in the shape of `client.https.Client`: `answer` is there when it is over."""

    def __init__(self, question: Enquiry, shows: Shows, host: str) -> None:
        self._question = question
        context = offering_context(question.offer, shows)
        self._tls = OfferingTls(context, question.server_name, question.session, host)
        self._http = h11.Connection(h11.CLIENT)
        # Whatever is really sent, h11 is to read what comes as the answer to a request.
        self._http.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        self._http.send(h11.EndOfMessage())
        self._out = bytearray()
        self._head_sent = self._renegotiated = False
        self._body_left = question.body
        self._response: h11.Response | None = None
        self._content = bytearray()
        self._answered = False
        self._began: float | None = None
        self._heard = 0.0
        self._leaves_at: float | None = None
        self.answer: Reply | None = None
        self._tls.read(0)

    # --- in ----------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the wire."""
        self._heard = now
        self._tls.receive(data)
        self._read(now)

    def receive_eof(self, now: float) -> None:
        """The server ended its side."""
        self._read(now)
        if self._response is not None and not self._answered:
            self._hear(b"", now)
        self._finish(HowEnded.CLOSE_NOTIFY if self._tls.said_close_notify else self._after_failure(HowEnded.FIN), now)

    def receive_reset(self, now: float) -> None:
        """The server reset the connection."""
        self._read(now)
        self._finish(self._after_failure(HowEnded.RESET), now)

    def tick(self, now: float) -> None:
        """Let time do its work."""
        due = self.next_deadline
        if due is not None and now >= due:
            self._finish(HowEnded.LEFT if self._leaves_at is not None else HowEnded.PATIENCE, now)

    # --- out ---------------------------------------------------------------------------------------

    def begin(self, now: float) -> None:
        """The connection is there."""
        self._began = self._heard = now

    def data_to_send(self, room: int, now: float) -> bytes:
        """Give at most `room` bytes for the wire."""
        self._out += self._tls.data_to_send()
        while len(self._out) < room and self._write_some(now):
            self._out += self._tls.data_to_send()
        if self._tls.unread and self.wants_to_read:
            self._read(now)
        self._out += self._tls.data_to_send()
        data = bytes(self._out[:room])
        del self._out[: len(data)]
        if data:
            self._heard = now
        return data

    @property
    def wants_to_read(self) -> bool:
        """Whether it looks at what comes: not while it writes a body."""
        return not (self._tls.established and self._head_sent and self._body_left)

    @property
    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        if self.answer is not None or self._began is None:
            return None
        return self._leaves_at if self._leaves_at is not None else self._heard + self._question.patience

    # --- inside ------------------------------------------------------------------------------------

    def _write_some(self, now: float) -> bool:
        """Write the next piece; False where there is none, or it is not its time."""
        if not self._tls.established or self.answer is not None or self._tls.failure is not None:
            return False
        if self._question.renegotiates and not self._renegotiated:
            self._renegotiated = True
            self._tls.renegotiate()
            return True
        if self._question.renegotiates and self._tls.finished < 2:
            return False
        if not self._head_sent:
            self._head_sent = True
            return bool(self._question.text) and self._tls.write(self._question.text)
        size = min(self._body_left, PIECE)
        if size and self._tls.write(bytes(size)):
            self._body_left -= size
            return True
        return False

    def _read(self, now: float) -> None:
        if self.answer is not None:
            return
        while self.wants_to_read and (plaintext := self._tls.read(PIECE)):
            self._hear(plaintext, now)
        if self._tls.failure is not None and self._tls.received is None and not self._out:
            self._leave_soon(now)
        if self._tls.established and self._question.until is Until.ESTABLISHED:
            self._leave_soon(now)

    def _hear(self, plaintext: bytes, now: float) -> None:
        """Read HTTP; b"" is the end of the stream."""
        if self._answered:
            return
        try:
            self._http.receive_data(plaintext)
            self._take_events()
        except h11.RemoteProtocolError:
            self._answered = self._response is not None
        if self._answered and self._question.until is not Until.ENDED:
            self._leave_soon(now)

    def _take_events(self) -> None:
        while (event := self._http.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            match event:
                case h11.Response():
                    self._response = event
                case h11.Data():
                    self._content += event.data[: MOST_CONTENT - len(self._content)]
                case h11.EndOfMessage():
                    self._answered = True
                    return
                case h11.ConnectionClosed():
                    return

    def _leave_soon(self, now: float) -> None:
        if self._leaves_at is None:
            is_told_all = self._tls.established and not self._question.text and self._tls.version < Protocol.TLS1_3
            self._leaves_at = now if is_told_all else now + A_MOMENT

    def _after_failure(self, otherwise: HowEnded) -> HowEnded:
        failure = self._tls.failure
        if self._tls.received is not None:
            return HowEnded.ALERT
        if failure is None:
            return otherwise
        return HowEnded.NOT_TLS if failure.kind == "not_tls" else otherwise

    def _finish(self, end: HowEnded, now: float) -> None:
        if self.answer is not None:
            return
        tls, response = self._tls, self._response
        if end is HowEnded.LEFT and tls.failure is not None:
            end = self._after_failure(HowEnded.TLS_FAILED)
        hello = tls.first_hello
        self.answer = Reply(
            end=end,
            established=tls.established,
            version=tls.version,
            suite=tls.suite if tls.established else "",
            alpn=tls.alpn,
            chain=tls.chain,
            verify_code=tls.verify_code,
            secure_renegotiation=hello is not None and hello.renegotiation_info is not None,
            askings=tuple(tls.askings),
            hello_requests=tls.hello_requests,
            handshakes=tls.finished,
            resumed=tls.resumed,
            session=tls.session() if tls.established else None,
            session_id=hello.session_id if hello is not None else b"",
            sends_ticket=tls.sends_ticket,
            alert=tls.received.name if tls.received else "",
            detail=tls.failure.detail if tls.failure else "",
            http=None if response is None else _http_answer(response, bytes(self._content)),
            written=self._question.body - self._body_left,
            seconds=now - (self._began if self._began is not None else now),
        )
        tls.close()
        self._out += tls.data_to_send()


def _http_answer(response: h11.Response, content: bytes) -> HttpAnswer:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    return HttpAnswer(response.status_code, headers, content)
