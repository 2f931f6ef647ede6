"""The lab's own HTTPS client, sans-IO: it follows the steps of a scenario in one of two writing styles.

The style is what decides who is caught by the deadlock: http.client, requests, Node or Java write everything and
then read; curl, Go, s_client and gnutls-cli look for an answer while they write.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum, auto

import h11

from tlslab.client.logbook import Logbook, Page, Said
from tlslab.errors import LocalMisuse
from tlslab.scenario.schema import Step, WritingStyle
from tlslab.text import parse_host_port, short_status
from tlslab.tls.client import ClientTls, Session
from tlslab.tls.context import ClientSettings, client_context

CHUNK = 16384  # one TLS record: what one write either takes whole or not at all
CHUNK_HEADER = 16  # room for that of a chunked body, in the same record
RESET, CLOSED, ALERT, GAVE_UP, GARBLED = "reset", "closed", "alert", "gave_up", "garbled"
IGNORES = "ignores"  # a HelloRequest, and leaves
LEFT = "left"  # to come back on another connection: how a try ends, and no step (`tries.another_try`)


class ClientState(Enum):
    """What the client is doing."""

    IDLE = auto()
    WRITING = auto()
    WAITING_FOR_100 = auto()
    READING = auto()
    OVER = auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended: `kind` is a status such as `200` or `403.7`, or `reset`, `closed`, `gave_up`, `alert`.

    `closed` is without a reset, whoever closed: a client that ignores a HelloRequest does so itself.
    """

    kind: str
    at: float
    seconds: float
    certificate: str | None = None
    body_length: int | None = None
    resumed: bool | None = None


class Client:
    """The client's side of one connection.

    The server's certificate has to be for `host`, which the Host header names too. You must put what `data_to_send`
    gives on the wire, and give it what comes only while `wants_to_read`.
    """

    def __init__(
        self,
        settings: ClientSettings,
        server_name: str,
        host: str,
        style: WritingStyle,
        session: Session | None = None,
        *,
        ignores_renegotiation: bool = False,
        logbook: Logbook | None = None,
    ) -> None:
        checked, _ = parse_host_port(host)
        self._tls = ClientTls(
            client_context(settings),
            server_name,
            session,
            checks_host=checked,
            ignores_renegotiation=ignores_renegotiation,
        )
        self._page = Page(logbook)
        self._http = h11.Connection(h11.CLIENT)
        self._host = host
        self._style = style
        self._step: Step | None = None
        self._started = 0.0
        self._patience: float | None = None
        self._deadline: float | None = None
        self._gives_up_at: float | None = None
        self._answers_at: float | None = None
        self._goes_on_at: float | None = None
        self._body_began: float | None = None
        self._plain = b""
        self._body_left = 0
        self._response: h11.Response | None = None
        self._content = bytearray()
        self._out = bytearray()
        self.state = ClientState.IDLE
        self.outcome: Outcome | None = None
        self._tls.read(0)

    def start(self, step: Step, now: float, began: float | None = None) -> None:
        """Begin a request; the one before must have been answered.

        `began` is when the step did, on an earlier connection: what the client has of patience, it has for all of it.
        """
        if self.state is not ClientState.IDLE:
            raise LocalMisuse("the request before has not been answered")
        self._step, self._started, self.outcome = step, now if began is None else began, None
        self._response, self._content = None, bytearray()
        self._body_left, self._body_began = step.body, None
        self._page.begins()
        self._patience = step.expect_100
        self._plain = self._http.send(self._head(step)) or b""
        self._gives_up_at = None if step.gives_up_after is None else self._started + step.gives_up_after
        self._tls.holds_answer = self._tls.was_asked or bool(step.answers_after) or step.leaves_at is not None
        self.state = ClientState.WRITING

    def leave(self) -> None:
        """Close the connection."""
        self._tls.close()
        self.state = ClientState.OVER

    # --- in ----------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the wire."""
        self._tls.receive(data)
        self._read(now)

    def receive_eof(self, now: float) -> None:
        """The server ended its side: that an answer without a length is whole then, not every client believes."""
        self._page.note(now, Said.END, sent=False)
        if self._step is not None and not self._step.insists_on_close_notify:
            self._take_end(now)
        self._end(CLOSED, now)

    def receive_reset(self, now: float) -> None:
        """The server reset the connection."""
        self._page.note(now, Said.RESET, sent=False)
        self._end(RESET, now)

    def tick(self, now: float) -> None:
        """Let time do its work."""
        if self._gives_up_at is not None and now >= self._gives_up_at and self.outcome is None:
            self._page.note(now, Said.END, GAVE_UP)
            self._end(GAVE_UP, now)
        elif self._answers_at is not None and now >= self._answers_at:
            self._answers_at = None
            self._tls.answer()
            self._read(now)
        elif self.state is ClientState.WAITING_FOR_100 and self._deadline is not None and now >= self._deadline:
            self._go_on_writing()

    # --- out ---------------------------------------------------------------------------------------

    def data_to_send(self, room: int, now: float) -> bytes:
        """Give at most `room` bytes for the wire; more of the body is encrypted only when there is room for it."""
        self._out += self._tls.data_to_send()
        if self._goes_on_at is not None and now >= self._goes_on_at:
            self._goes_on_at = None
        while len(self._out) < room and self._writes_on:
            if not self._write_some(now):
                break
            self._out += self._tls.data_to_send()
        if self._tls.unread:  # something came with the answer before, and nobody looked at it yet
            self._read(now)
        self._out += self._tls.data_to_send()
        self._page.tls(now, self._tls.take_passed())
        data = bytes(self._out[:room])
        del self._out[: len(data)]
        return data

    @property
    def established(self) -> bool:
        """Whether the first handshake is over."""
        return self._tls.established

    def session(self) -> Session | None:
        """What its connection can be resumed with."""
        return self._tls.session()

    @property
    def wants_to_read(self) -> bool:
        """Whether it looks at what comes now.

        A client that writes everything first looks only while it waits for an answer: not while it writes, and not
        between two requests.
        """
        if self._style is WritingStyle.READS_WHILE_WRITING or not self._tls.established:
            return True
        if self._step is not None and self._step.reads_while_writing:
            return True
        return self.state is ClientState.WAITING_FOR_100 or (self.state is ClientState.READING and not self._out)

    @property
    def next_deadline(self) -> float | None:
        """When `tick` has something to do, or `data_to_send`."""
        if self.state is ClientState.OVER:
            return None
        waiting = self._deadline if self.state is ClientState.WAITING_FOR_100 else None
        gives_up = self._gives_up_at if self.outcome is None else None
        deadlines = (waiting, gives_up, self._answers_at, self._goes_on_at)
        return min((at for at in deadlines if at is not None), default=None)

    @property
    def pauses(self) -> bool:
        """Whether it holds its body back until `next_deadline`, at the pace it has."""
        return self._goes_on_at is not None

    # --- inside ------------------------------------------------------------------------------------

    def _read(self, now: float) -> None:
        while self.wants_to_read and (plaintext := self._tls.read(CHUNK)):
            self._page.tls(now, self._tls.take_passed())
            self._http.receive_data(plaintext)
            self._take_events(now)
        self._page.tls(now, self._tls.take_passed())
        if self._tls.failure is not None:
            self._end(ALERT, now)
        elif self._tls.said_close_notify:
            self._take_end(now)
            self._end(CLOSED, now)
        elif self._tls.was_asked and self._answers_at is None:
            self._on_asked(now)
        elif self._tls.was_ignored and self._gives_up_at is None:
            self._page.note(now, Said.END, IGNORES)
            self._end(CLOSED, now)

    def _take_end(self, now: float) -> None:
        """Nothing more comes: where the answer has no length, that is its end."""
        if self._response is not None and self.outcome is None:
            self._http.receive_data(b"")
            self._take_events(now)

    def _on_asked(self, now: float) -> None:
        """The server wants the certificate, and this client does not have it ready."""
        assert self._step is not None
        if self._step.leaves_at is not None:
            self._page.note(now, Said.END, LEFT)
            self._end(LEFT, now)
        else:
            self._answers_at = now + self._step.answers_after

    def _head(self, step: Step) -> h11.Request:
        method, target = step.request.split(" ", 1)
        headers = [("Host", self._host), ("User-Agent", "tlslab"), ("Accept", "application/json")]
        own = {name.lower() for name in step.headers}
        headers = [(name, value) for name, value in headers if name.lower() not in own] + [*step.headers.items()]
        if step.token:
            headers.append(("Authorization", step.authorization))
        if step.chunked:
            headers.append(("Transfer-Encoding", "chunked"))
        elif step.body or method in ("POST", "PUT"):
            headers.append(("Content-Length", str(step.body)))
        if step.expect_100 is not None:
            headers.append(("Expect", "100-continue"))
        return h11.Request(method=method, target=target, headers=headers)

    @property
    def _writes_on(self) -> bool:
        return self.state is ClientState.WRITING and self._tls.established and self._goes_on_at is None

    def _write_some(self, now: float) -> bool:
        """Encrypt the next piece; False where TLS cannot take it now, or it is too early for it."""
        if not self._plain:
            self._plain = self._next_piece(now)
            if not self._plain:
                return False
        piece = self._plain[:CHUNK]
        if not self._tls.write(piece):
            return False
        assert self._step is not None
        self._page.piece(now, self._step, len(piece))
        self._plain = self._plain[len(piece) :]
        if not self._plain:
            self._after_piece()
        return True

    def _after_piece(self) -> None:
        """The head is out: a client that sent Expect waits, once."""
        if self._patience is not None:
            self._deadline, self._patience = self._started + self._patience, None
            self.state = ClientState.WAITING_FOR_100

    def _next_piece(self, now: float) -> bytes:
        size = min(CHUNK - CHUNK_HEADER, self._body_left, self._pace or CHUNK)
        if not self._may_send(size, now):
            return b""
        if size:
            self._body_left -= size
            return self._http.send(h11.Data(data=bytes(size))) or b""
        last = self._http.send(h11.EndOfMessage()) or b""
        self.state = ClientState.READING
        return last

    def _may_send(self, size: int, now: float) -> bool:
        """Whether as much time has passed as the body takes at the client's pace, with these bytes of it."""
        if self._step is None or self._pace is None:
            return True
        if self._body_began is None:
            self._body_began = now
        due = self._body_began + (self._step.body - self._body_left + size) / self._pace
        self._goes_on_at = due if now < due else None
        return self._goes_on_at is None

    @property
    def _pace(self) -> int | None:
        return None if self._step is None else self._step.pace

    def _go_on_writing(self) -> None:
        self.state = ClientState.WRITING

    def _take_events(self, now: float) -> None:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError:
                self._end(GARBLED, now)
                return
            match event:
                case h11.InformationalResponse():
                    self._page.note(now, Said.RESPONSE, str(event.status_code), sent=False)
                    if self.state is ClientState.WAITING_FOR_100:
                        self._go_on_writing()
                case h11.Response():
                    self._response = event
                case h11.Data():
                    self._content += event.data
                case h11.EndOfMessage():
                    self._answered(now)
                    return
                case _:
                    return

    def _answered(self, now: float) -> None:
        response = self._response
        assert response is not None
        fields = _json_object(bytes(self._content))
        certificate = fields.get("client_certificate")
        body = fields.get("body")
        self.outcome = Outcome(
            kind=short_status(str(fields.get("status", response.status_code))),
            at=now,
            seconds=now - self._started,
            certificate=certificate.get("subject") if isinstance(certificate, dict) else None,
            body_length=body.get("length") if isinstance(body, dict) else None,
            resumed=resumed if isinstance(resumed := fields.get("session_resumed"), bool) else None,
        )
        self._page.note(now, Said.RESPONSE, self.outcome.kind, sent=False)
        self._deadline = None
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self.state = ClientState.IDLE
        else:
            self.state = ClientState.OVER

    def _end(self, kind: str, now: float) -> None:
        self.state = ClientState.OVER
        if self.outcome is None:
            self.outcome = Outcome(kind, now, now - self._started)


def _json_object(content: bytes) -> dict[str, object]:
    try:
        value = json.loads(content or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
