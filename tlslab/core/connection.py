"""One connection: TLS, http.sys and IIS put together, bytes in, events and bytes out, no I/O.

You must call `take_events`, `data_to_send` (until it gives nothing) and look at `closing`, `reading_paused` and
`next_deadline` after every call that brings something in. Nothing raises on what a peer does. While `holds_back`,
requests that have come are left until the answers to others are sent: bring nothing in then, and call `tick` once they
are gone. Otherwise a few KiB of requests whose answers nobody reads would be megabytes here.
"""

from __future__ import annotations

from collections import deque

from tlslab.core.answers import Answers
from tlslab.core.plan import LabPlan, Listener, Site
from tlslab.core.sessions import Choice, Sessions
from tlslab.errors import WireError
from tlslab.events import (
    AlertSent,
    BindingChosen,
    CertificateNotUsable,
    CertificateUnavailable,
    ClientHelloReceived,
    ConnectionClosed,
    ConnectionOpened,
    Event,
    InternalFault,
    NoBindingMatched,
    PeerClosed,
    PeerReset,
    TlsFailed,
)
from tlslab.httpsys.bindings import ServerCertificate, choose
from tlslab.httpsys.client_certificate import UNLIMITED
from tlslab.httpsys.effects import Answer, Close, DecideService, RequestClientCertificate, Send, Service
from tlslab.httpsys.pipeline import Pipeline
from tlslab.httpsys.settings import OnUnavailable
from tlslab.iis.access import wants_certificate
from tlslab.recorder import Recorder
from tlslab.schannel.session_cache import Reason
from tlslab.tls.failures import FailureKind
from tlslab.tls.server import Question, ServerTls
from tlslab.types import Closing, Drain, Reset
from tlslab.wire.alerts import AlertDescription, fatal_alert_record
from tlslab.wire.client_hello_reader import MISPLACED, ClientHelloReader
from tlslab.wire.hello import ClientHello

# Ours, both: what a client needs for them has nothing to do with the lab's clock, so they are seconds of the wall's.
ALERT_DRAIN_SECONDS = 5.0  # how long bytes are thrown away so that the alert before them arrives
FIN_SECONDS = 0.02  # how long the FIN may take behind a client's close_notify, before that is answered in kind
ALERT_DRAIN_BYTES = 1024 * 1024
UNSENT_LIMIT = 64 * 1024  # ours: bytes of answers after which no further request of the same connection is looked at


class Connection:
    """The server's side of one TCP connection; `speed` is how many seconds of the lab pass in one of its client's."""

    def __init__(
        self,
        plan: LabPlan,
        sessions: Sessions,
        emit: Recorder,
        listener: Listener,
        peer: str,
        local: str,
        speed: float,
    ) -> None:
        self._plan = plan
        self._sessions = sessions
        self._listener = listener
        self._speed = speed
        self._opened = emit.now
        self._emit = emit
        self._hello: ClientHelloReader | None = ClientHelloReader()
        self._tls: ServerTls | None = None
        self._http = Pipeline(plan.setup.timers, self._emit)
        self._answers = Answers(plan)
        self._asked = False
        self._choice: Choice | None = None
        self._ended = False
        self._reset_by_peer = False
        self._flights: deque[bytes] = deque()
        self._waits_for_fin_until: float | None = None
        self._behind_goodbye = 0  # bytes thrown away since
        self.closing: Closing | None = None
        self.holds_back = False
        self._emit(ConnectionOpened, peer=peer, local=local)

    @property
    def number(self) -> int:
        """What events call this connection."""
        return self._emit.connection

    # --- in ----------------------------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the socket."""
        self._emit.now = now
        if self.closing is not None:
            return
        if self._waits_for_fin_until is not None:
            self._behind_goodbye += len(data)
            if self._behind_goodbye > ALERT_DRAIN_BYTES:
                self._close(Reset())
            return
        if self._tls is None:
            self._read_hello(data)
        else:
            self._tls.receive(data)
            if self._sessions.purges_idle:
                self._sessions.touch(self._emit.binding, self._tls.session_id, now, self.number)
            self._run(self._tls)

    def receive_eof(self, now: float, *, fin_stuck: bool = False) -> None:
        """The peer ended its side, maybe behind bytes that nobody has read; `fin_stuck` as in `PeerClosed`."""
        self._emit.now = now
        if self.closing is not None:
            return
        if self._waits_for_fin_until is None:
            self._emit(PeerClosed, during=self._activity, fin_stuck=fin_stuck)
        self._end_in_silence(Reset() if self.reading_paused else Drain(now, 0))

    def receive_reset(self, now: float) -> None:
        """The peer or the network reset the connection."""
        self._emit.now = now
        if self.closing is None:
            self._emit(PeerReset, during=self._activity)
            self._reset_by_peer = True
            self._end_in_silence(Reset())

    def note_unread(self, socket_bytes: int, now: float) -> None:
        """While `reading_paused`: how many bytes wait in the socket. Call it while `wants_unread_count`."""
        self._emit.now = now
        if self._tls is not None and self.closing is None and self._http.stalled:
            waiting_for = "Certificate" if self._tls.is_tls13 else "ClientHello"
            self._http.note_unread(self._tls.unread, socket_bytes, waiting_for)

    def tick(self, now: float) -> None:
        """Let time do its work; call it when `next_deadline` has come."""
        self._emit.now = now
        if self.closing is not None:
            return
        if self._waits_for_fin_until is not None:
            if now >= self._waits_for_fin_until:
                self._close(self._alert_drain())
            return
        self._http.tick()
        if self._tls is not None:
            self._run(self._tls)
        else:
            self._perform_closes()

    def note_closed(self, now: float) -> None:
        """The socket is closed: the last call."""
        self._emit.now = now
        how = "closed"
        if self.closing is None:
            how = "abandoned"
        elif isinstance(self.closing, Reset):
            how = "reset_by_peer" if self._reset_by_peer else "reset"
        if self._tls is not None:
            self._tls.forget()
        if not self._ended:
            self._ended = True
            self._emit(ConnectionClosed, how=how, seconds=now - self._opened)

    # --- out ---------------------------------------------------------------------------------------

    def take_events(self) -> list[Event]:
        """Give away what happened since the last call."""
        return self._emit.take()

    def data_to_send(self) -> bytes:
        """Give away the bytes that belong on the wire now, a flight at a time; b"" when there are no more.

        An answer that follows a handshake is a flight of its own, as in Microsoft's trace of 2013 (frames 87 and 89).
        """
        if self._flights:
            return self._flights.popleft()
        return self._tls.data_to_send() if self._tls is not None else b""

    @property
    def next_deadline(self) -> float | None:
        """When `tick` has something to do, in lab time; None for never."""
        if self.closing is not None:
            return None
        return self._http.next_deadline if self._waits_for_fin_until is None else self._waits_for_fin_until

    @property
    def reading_paused(self) -> bool:
        """Whether the socket must be left unread now."""
        return self._tls is not None and self._tls.blocked and self._http.capacity == 0

    @property
    def read_limit(self) -> int:
        """How many bytes to read at most: few while a question may stop the reading, for what is held here is memory.

        Thousands of stalled uploads are part of the job; what they have not been asked for stays in their sockets.
        """
        return self._tls.read_limit if self._tls is not None and self._http.may_stop_reading else UNLIMITED

    @property
    def wants_unread_count(self) -> bool:
        """Whether a stall has begun that `note_unread` has not been called for."""
        return self.closing is None and self._http.stalled and not self._http.stall_told and self.reading_paused

    # --- inside ------------------------------------------------------------------------------------

    def _read_hello(self, data: bytes) -> None:
        reader = self._hello
        assert reader is not None
        try:
            hello = reader.feed_untrusted(data)
        except WireError as error:
            self._refuse_hello(error)
            return
        if hello is not None:
            self._hello = None
            self._choose_binding(hello, reader.buffered)

    def _refuse_hello(self, error: WireError) -> None:
        """End what no engine was made for; a peer that speaks TLS is told why."""
        kind = FailureKind.NOT_TLS
        if error.alert is not None:
            alert = AlertDescription(error.alert)
            kind = FailureKind.UNEXPECTED_MESSAGE if alert == MISPLACED else FailureKind.MALFORMED_HELLO
            self._flights.append(fatal_alert_record(alert))
            self._emit(AlertSent, level="fatal", description=alert.name.lower(), code=int(alert))
        self._emit(TlsFailed, kind=kind, detail=str(error))
        self._close(self._alert_drain())

    def _choose_binding(self, hello: ClientHello, received: bytes) -> None:
        binding = choose(self._listener.bindings, hello.server_name)
        self._emit.binding = binding.name if binding else ""
        self._emit(
            ClientHelloReceived,
            server_name=hello.server_name,
            versions=hello.versions,
            session_id=hello.session_id.hex(),
            offers_post_handshake_auth=hello.offers_post_handshake_auth,
            renegotiation=False,
            behind_body_bytes=None,
        )
        if binding is None:
            self._emit(NoBindingMatched, server_name=hello.server_name)
            self._close(Reset())
            return
        self._emit(
            BindingChosen,
            by="sni" if binding.record.endpoint.is_name else "address",
            endpoint=str(binding.record.endpoint),
            client_cert_negotiation=binding.record.client_cert_negotiation,
        )
        if binding.record.certificate is ServerCertificate.DELETED:
            # Reset, with event 15021 of HttpEvent; that nothing goes before the reset, no alert either, is unverified.
            self._emit(CertificateNotUsable, endpoint=str(binding.record.endpoint))
            self._close(Reset())
            return
        self._asked = self._plan.tls[binding.name].asks_in_handshake
        self._choice = self._sessions.choose(binding.name, hello, self._emit.now)
        self._tls = ServerTls(self._choice.context, self._emit)
        self._tls.receive(received)
        self._run(self._tls)

    def _run(self, tls: ServerTls) -> None:
        """Read, decide and act until nothing moves any more, or enough answers wait to be sent."""
        self.holds_back = False
        while self.closing is None and self._waits_for_fin_until is None:
            if tls.unsent > UNSENT_LIMIT:
                self.holds_back = True
                return
            self._http.decide(tls.pending_plaintext)
            if self._perform(tls):
                continue
            was_blocked, was_waiting, handshakes = tls.blocked, tls.waiting_for_certificate, tls.handshakes
            tls.body_received = self._http.body_received
            data = tls.read(self._http.capacity)
            if tls.handshakes != handshakes:
                self._on_handshake(tls)
            if tls.failure is not None or tls.peer_closed:
                self._on_tls_end(tls)
            elif was_waiting and not tls.waiting_for_certificate:
                self._http.certificate_settled()
                if data:
                    self._http.receive(data)
            elif data:
                self._http.receive(data)
            elif tls.blocked == was_blocked:
                return

    def _perform(self, tls: ServerTls) -> bool:
        """Carry out what the pipeline wants; True when there was something."""
        effects = self._http.take_effects()
        for effect in effects:
            match effect:
                case Send(plaintext):
                    tls.write(plaintext)
                case DecideService(request):
                    self._http.serve(self._service(self._answers.site(request), tls))
                case RequestClientCertificate():
                    self._request_certificate(tls)
                case Answer(request, body):
                    response = self._answers.response(request, body, tls.facts(), self._emit.binding, self._asked)
                    self._http.respond(response)
                case Close(how):
                    self._close(how)
        return bool(effects)

    def _perform_closes(self) -> None:
        for effect in self._http.take_effects():
            if isinstance(effect, Close):
                self._close(effect.how)

    def _service(self, site: Site | None, tls: ServerTls) -> Service:
        if site is None:
            return Service()
        # Asked once, the answer is remembered for the connection, "none" too (ours: Windows is not documented there).
        known = self._asked or tls.client_certificate is not None or not wants_certificate(site.ssl_flags)
        return Service(
            retrieval=None if known else site.client_cert_retrieval,
            continue_after_certificate=site.continue_after_certificate,
            delay_seconds=0.0 if known else site.application_delay,
        )

    def _request_certificate(self, tls: ServerTls) -> None:
        self._asked = True
        if tls.request_client_certificate() is Question.ASKED:
            return
        self._emit(CertificateUnavailable, reason="the client did not offer post-handshake authentication")
        if self._plan.setup.on_unavailable is OnUnavailable.RESET:
            self._close(Reset())
        else:
            self._answers.certificate_unavailable = True
            self._http.certificate_settled()

    def _on_handshake(self, tls: ServerTls) -> None:
        """Tell the session table what ServerHello said."""
        if flight := tls.data_to_send():
            self._flights.append(flight)
        choice, binding = self._choice, self._emit.binding
        if choice is None or not tls.session_id:
            return
        if not tls.resumed:
            if choice.offered and tls.handshakes == 1:
                self._sessions.not_resumed(self._emit, choice, tls.session_id)
            self._sessions.issued(binding, tls.session_id, choice.context, self._emit.now, self.number)
        elif choice.miss is not None:
            self._emit(InternalFault, traceback=f"resumed a session that the table had let go: {choice.miss.reason}")

    def _on_tls_end(self, tls: ServerTls) -> None:
        refused = tls.failure is not None and tls.failure.kind is FailureKind.RENEGOTIATION_REFUSED
        if tls.failure is not None and tls.session_id:
            reason = Reason.RENEGOTIATION_REFUSED if refused else Reason.FATAL_ALERT
            self._sessions.forget(self._emit.binding, tls.session_id, reason, self._emit.now)
        if tls.peer_closed:
            self._emit(PeerClosed, during=self._activity, fin_stuck=False)
            self._waits_for_fin_until = self._emit.now + FIN_SECONDS * self._speed
        elif refused:
            self._close(Reset())
        else:
            self._close(self._alert_drain())

    @property
    def _activity(self) -> str:
        if self._tls is None or not self._tls.established:
            return "the TLS handshake"
        renegotiates = self._tls.asked and not self._tls.is_tls13  # before the question it is only being waited for
        return "the renegotiation" if renegotiates else self._http.activity

    def _alert_drain(self) -> Drain:
        return Drain(self._emit.now + ALERT_DRAIN_SECONDS * self._speed, ALERT_DRAIN_BYTES)

    def _close(self, how: Closing) -> None:
        if self.closing is None:
            self.closing = how
            if self._tls is not None and isinstance(how, Drain):
                self._tls.close()

    def _end_in_silence(self, how: Closing) -> None:
        """The peer has ended the connection: IIS answers with a FIN and no close_notify (trace of 2013, frame 95)."""
        self.closing = how
