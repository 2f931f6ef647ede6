"""One connection: TLS, http.sys and IIS put together, bytes in, events and bytes out, no I/O.

You must call `take_events`, `data_to_send` and look at `closing`, `reading_paused` and `next_deadline` after every
call that brings something in. Nothing raises on what a peer does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlslab.core.answers import Answers
from tlslab.core.plan import Listener, OnUnavailable, Site
from tlslab.errors import WireError
from tlslab.events import (
    BindingChosen,
    CertificateUnavailable,
    ClientHelloReceived,
    ConnectionClosed,
    ConnectionOpened,
    Event,
    NoBindingMatched,
    PeerClosed,
    PeerReset,
    Recorder,
    TlsFailed,
)
from tlslab.httpsys.bindings import choose
from tlslab.httpsys.effects import Answer, Close, DecideService, RequestClientCertificate, Send, Service
from tlslab.httpsys.pipeline import Pipeline
from tlslab.iis.access import wants_certificate
from tlslab.tls.failures import FailureKind
from tlslab.tls.server import Question, ServerTls
from tlslab.types import Closing, Drain, Reset
from tlslab.wire.client_hello_reader import ClientHelloReader
from tlslab.wire.hello import ClientHello

if TYPE_CHECKING:
    from tlslab.core.lab import Lab

ALERT_DRAIN_SECONDS = 5.0  # ours: how long bytes are thrown away so that the alert before them arrives
ALERT_DRAIN_BYTES = 1024 * 1024


class Connection:
    """The server's side of one TCP connection."""

    def __init__(self, lab: Lab, number: int, listener: Listener, peer: str, local: str, now: float) -> None:
        self._lab = lab
        self._listener = listener
        self._opened = now
        self._emit = Recorder(number, lab.wanted, now)
        self._hello: ClientHelloReader | None = ClientHelloReader()
        self._tls: ServerTls | None = None
        self._http = Pipeline(lab.plan.timers, self._emit)
        self._answers = Answers(lab.plan)
        self._asked = False
        self._ended = False
        self._out: list[bytes] = []
        self.closing: Closing | None = None
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
        if self._tls is None:
            self._read_hello(data)
        else:
            self._tls.receive(data)
            self._run(self._tls)

    def receive_eof(self, now: float, *, fin_stuck: bool = False) -> None:
        """The peer ended its side, maybe behind bytes that nobody has read; `fin_stuck` as in `PeerClosed`."""
        self._emit.now = now
        if self.closing is None:
            self._emit(PeerClosed, during=self._activity, fin_stuck=fin_stuck)
            self._close(Reset() if self.reading_paused else Drain(now, 0))

    def receive_reset(self, now: float) -> None:
        """The peer or the network reset the connection."""
        self._emit.now = now
        if self.closing is None:
            self._emit(PeerReset, during=self._activity)
            self._close(Reset())

    def note_unread(self, socket_bytes: int, now: float) -> None:
        """While `reading_paused`: how many bytes wait in the socket. Call it at the pause and once a second."""
        self._emit.now = now
        if self._tls is not None and self.closing is None and self._http.stalled:
            waiting_for = "Certificate" if self._tls.is_tls13 else "ClientHello"
            self._http.note_unread(self._tls.unread, socket_bytes, waiting_for)

    def tick(self, now: float) -> None:
        """Let time do its work; call it when `next_deadline` has come."""
        self._emit.now = now
        if self.closing is not None:
            return
        self._http.tick()
        if self._tls is not None:
            self._run(self._tls)
        else:
            self._perform_closes()

    def note_closed(self, now: float) -> None:
        """The socket is closed: the last call."""
        self._emit.now = now
        how = "abandoned" if self.closing is None else "reset" if isinstance(self.closing, Reset) else "closed"
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
        """Give away the bytes that belong on the wire now."""
        if self._tls is not None:
            self._out.append(self._tls.data_to_send())
        data = b"".join(self._out)
        self._out.clear()
        return data

    @property
    def next_deadline(self) -> float | None:
        """When `tick` has something to do, in lab time; None for never."""
        return self._http.next_deadline if self.closing is None else None

    @property
    def reading_paused(self) -> bool:
        """Whether the socket must be left unread now."""
        return self._tls is not None and self._tls.blocked and self._http.capacity == 0

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
            self._emit(TlsFailed, kind=FailureKind.NOT_TLS, detail=str(error))
            self._close(self._alert_drain())
            return
        if hello is not None:
            self._hello = None
            self._choose_binding(hello, reader.buffered)

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
            by="sni" if binding.endpoint.is_name else "address",
            endpoint=str(binding.endpoint),
            client_cert_negotiation=binding.client_cert_negotiation,
        )
        self._asked = self._lab.plan.tls[binding.name].asks_in_handshake
        self._tls = ServerTls(self._lab.context(binding.name), self._emit)
        self._tls.receive(received)
        self._run(self._tls)

    def _run(self, tls: ServerTls) -> None:
        """Read, decide and act until nothing moves any more."""
        while self.closing is None:
            self._http.decide(tls.pending_plaintext)
            if self._perform(tls):
                continue
            was_blocked, was_waiting = tls.blocked, tls.waiting_for_certificate
            tls.body_received = self._http.body_received
            data = tls.read(self._http.capacity)
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
            retrieval=None if known else site.retrieval,
            continue_after_certificate=site.continue_after_certificate,
            delay_seconds=0.0 if known else site.application_delay,
        )

    def _request_certificate(self, tls: ServerTls) -> None:
        self._asked = True
        if tls.request_client_certificate() is Question.ASKED:
            return
        self._emit(CertificateUnavailable, reason="the client did not offer post-handshake authentication")
        if self._lab.plan.on_unavailable is OnUnavailable.RESET:
            self._close(Reset())
        else:
            self._answers.certificate_unavailable = True
            self._http.certificate_settled()

    def _on_tls_end(self, tls: ServerTls) -> None:
        if tls.peer_closed:
            self._emit(PeerClosed, during=self._activity, fin_stuck=False)
            self._close(Drain(self._emit.now, 0))
        elif tls.failure is not None and tls.failure.kind is FailureKind.RENEGOTIATION_REFUSED:
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
        return Drain(self._emit.now + ALERT_DRAIN_SECONDS, ALERT_DRAIN_BYTES)

    def _close(self, how: Closing) -> None:
        if self.closing is None:
            self.closing = how
            if self._tls is not None and isinstance(how, Drain):
                self._tls.close()
